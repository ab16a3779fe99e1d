//! FAT12, FAT16 and FAT32, documented by Microsoft ("FAT32 File System Specification", 2000).
//!
//! A folder's records hold all there is to know of a file. Nothing has a number, so [`FileId`] is the
//! place of a file's record on the volume, and 1 for the root, which has no record.

use std::sync::Arc;

use fve::ReadAt;
use zerocopy::little_endian::{U16, U32};
use zerocopy::{FromBytes, Immutable, KnownLayout, Unaligned};

use crate::bytes::structure;
use crate::case::Case;
use crate::clusters::{Chain, Clusters, Width};
use crate::error::{Error, Result};
use crate::extents::{Extents, read};
use crate::file::{File, Plain};
use crate::file_system::{About, Format, Listing, Reader};
use crate::name::Name;
use crate::node::{Entry, FileId, Kind, Position, Stat, Times};
use crate::records::{RECORD, Record, Records, time};

mod boot_sector;
mod name;

use boot_sector::{Geometry, Root};
use name::Long;

const ROOT: FileId = FileId(1);
const END: u8 = 0x00;
const DELETED: u8 = 0xe5;
const VOLUME: u8 = 0x08;
const FOLDER: u8 = 0x10;
/// The attributes of a record that is a part of a long name.
const LONG: u8 = 0x0f;
/// Those that mean anything.
const ATTRIBUTES: u8 = 0x3f;

/// A record of a file or folder.
#[derive(FromBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct FileRecord {
    name: [u8; 11],
    attributes: u8,
    case: u8,
    created_hundredths: u8,
    created_time: U16,
    created_date: U16,
    accessed_date: U16,
    cluster_high: U16,
    modified_time: U16,
    modified_date: U16,
    cluster_low: U16,
    size: U32,
}

pub(crate) struct Fat {
    clusters: Clusters,
    root: Root,
    case: Case,
    about: About,
}

impl Fat {
    pub(crate) fn open(source: Arc<dyn ReadAt>, sector: &[u8; 512], from_backup: bool) -> Result<Self> {
        let geometry = Geometry::parse(sector)?;
        let clusters = Clusters {
            source,
            width: geometry.width,
            tables: geometry.tables,
            heap: geometry.heap,
            size: geometry.cluster,
            count: geometry.clusters,
        };
        let about = About {
            format: match geometry.width {
                Width::Bits12 => Format::Fat12,
                Width::Bits16 => Format::Fat16,
                _ => Format::Fat32,
            },
            label: name::label(&geometry.label),
            serial: geometry.serial.into(),
            size: geometry.size,
            cluster: geometry.cluster as u32,
            dirty: geometry.dirty,
            from_backup,
        };
        let mut fat = Self { clusters, root: geometry.root, case: Case::unicode(), about };
        // The label in the root counts; the one in the boot sector may be older.
        if let Some(label) = fat.root_label() {
            fat.about.label = label;
        }
        Ok(fat)
    }

    fn root_label(&self) -> Option<Name> {
        let mut records =
            self.records(ROOT, 0).ok()?.take_while(|r| !matches!(r, Ok(r) if r.bytes[0] == END));
        let label = records.find_map(|record| {
            let bytes = record.ok()?.bytes;
            let found: &FileRecord = structure(&bytes, 0)?;
            let is_label =
                found.attributes & (VOLUME | FOLDER) == VOLUME && found.attributes & ATTRIBUTES != LONG;
            (is_label && bytes[0] != DELETED).then_some(found.name)
        })?;
        Some(name::label(&label))
    }

    /// Reads the record of a file. The root has none.
    fn record(&self, id: FileId) -> Result<FileRecord> {
        let place = id.0;
        let is_in_root =
            matches!(self.root, Root::Fixed(start, length) if (start..start + length).contains(&place));
        if !place.is_multiple_of(RECORD as u64) || !(is_in_root || self.clusters.at(place).is_some()) {
            return Err(Error::NoFile(id));
        }
        let mut bytes = [0; RECORD];
        read(&self.clusters.source, "record of a file", place, &mut bytes)?;
        let record = FileRecord::read_from_bytes(&bytes).map_err(|_| Error::NoFile(id))?;
        let is_file = !matches!(bytes[0], END | DELETED) && record.attributes & VOLUME == 0;
        if is_file { Ok(record) } else { Err(Error::NoFile(id)) }
    }

    fn first_cluster(&self, record: &FileRecord) -> u32 {
        let high = if self.clusters.width == Width::Bits28 { record.cluster_high.get() } else { 0 };
        u32::from(high) << 16 | u32::from(record.cluster_low.get())
    }

    /// Returns the records of a folder from a place in it on.
    fn records(&self, folder: FileId, from: u64) -> Result<Records> {
        let chain = match (folder, self.root) {
            (ROOT, Root::Fixed(start, length)) => {
                let mut extents = Extents::default();
                // Both were checked to be small.
                let _ = extents.push(length, Some(start));
                Chain { extents, broken: None }
            }
            (ROOT, Root::Cluster(first)) => self.clusters.chain(first, u64::MAX)?,
            _ => {
                let record = self.record(folder)?;
                if record.attributes & FOLDER == 0 {
                    return Err(Error::NotAFolder);
                }
                self.clusters.chain(self.first_cluster(&record), u64::MAX)?
            }
        };
        Ok(Records::new(self.clusters.source.clone(), chain, folder, from))
    }

    fn walk(&self, folder: FileId, from: Position) -> Result<Walk> {
        Ok(Walk { records: self.records(folder, from.0)?, long: Long::default(), ended: false })
    }
}

impl Reader for Fat {
    fn about(&self) -> &About {
        &self.about
    }

    fn root(&self) -> FileId {
        ROOT
    }

    fn stat(&self, id: FileId) -> Result<Stat> {
        let mut stat = Stat {
            id,
            kind: Kind::Folder,
            size: 0,
            allocated: 0,
            times: Times { local: true, ..Times::default() },
            attributes: FOLDER.into(),
            links: 1,
            reparse: None,
        };
        if id == ROOT {
            return Ok(stat);
        }
        let record = self.record(id)?;
        stat.attributes = (record.attributes & ATTRIBUTES).into();
        let (created, clock) = (record.created_date.get(), record.created_time.get());
        stat.times.created = time(created, clock, record.created_hundredths, 0);
        stat.times.modified = time(record.modified_date.get(), record.modified_time.get(), 0, 0);
        stat.times.accessed = time(record.accessed_date.get(), 0, 0, 0);
        if record.attributes & FOLDER == 0 {
            stat.kind = Kind::File;
            stat.size = record.size.get().into();
            stat.allocated = stat.size.next_multiple_of(self.clusters.size);
        }
        Ok(stat)
    }

    fn lookup(&self, folder: FileId, name: &Name) -> Result<Option<Entry>> {
        let wanted = || name.units().iter().copied();
        let mut walk = self.walk(folder, Position::default())?;
        let mut error = None;
        while let Some(found) = walk.next_with_short() {
            match found {
                Ok((entry, short)) => {
                    let is = |name: &Name| self.case.same(name.units().iter().copied(), wanted());
                    if is(&entry.name) || is(&short) {
                        return Ok(Some(entry));
                    }
                }
                Err(found) => error = error.or(Some(found)),
            }
        }
        error.map_or(Ok(None), Err)
    }

    fn list(self: Arc<Self>, folder: FileId, from: Position) -> Result<Listing> {
        Ok(Listing::new(self.walk(folder, from)?))
    }

    fn open(&self, id: FileId, stream: &Name) -> Result<File> {
        if id == ROOT {
            return Err(Error::IsAFolder);
        }
        let record = self.record(id)?;
        if !stream.is_empty() {
            return Err(Error::NotFound(stream.clone()));
        }
        if record.attributes & FOLDER != 0 {
            return Err(Error::IsAFolder);
        }
        let size = record.size.get().into();
        let chain = self.clusters.chain(self.first_cluster(&record), size)?;
        let source = self.clusters.source.clone();
        Ok(File::new(size, Plain { source, extents: chain.extents, valid: size, id }))
    }
}

/// Goes through the files of a folder.
struct Walk {
    records: Records,
    long: Long,
    ended: bool,
}

impl Walk {
    /// Returns the next file, and its short name.
    fn next_with_short(&mut self) -> Option<Result<(Entry, Name)>> {
        while !self.ended {
            let Record { bytes, offset, place } = match self.records.next()? {
                Ok(record) => record,
                Err(error) => {
                    self.long = Long::default();
                    return Some(Err(error));
                }
            };
            let record: &FileRecord = structure(&bytes, 0)?;
            let attributes = record.attributes & ATTRIBUTES;
            match bytes[0] {
                END => self.ended = true,
                DELETED => self.long = Long::default(),
                _ if attributes == LONG => self.long.push(&bytes),
                // A label; the folder itself and its parent
                first if attributes & VOLUME != 0 || first == b'.' => self.long = Long::default(),
                _ => {
                    let short = name::short(&bytes);
                    let name = self.long.finish(&bytes).unwrap_or_else(|| short.clone());
                    let kind = if attributes & FOLDER == 0 { Kind::File } else { Kind::Folder };
                    let next = Position(offset + RECORD as u64);
                    return Some(Ok((Entry { id: FileId(place), name, kind, next }, short)));
                }
            }
        }
        None
    }
}

impl Iterator for Walk {
    type Item = Result<Entry>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_with_short().map(|found| found.map(|(entry, _)| entry))
    }
}
