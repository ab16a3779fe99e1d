//! exFAT, documented by Microsoft ("exFAT file system specification", 2019).
//!
//! As on FAT, a folder's records hold all there is to know of a file. [`FileId`] is the place of a file's
//! first record on the volume, with bit 0 set when its folder lies in one piece (the record behind may be in
//! another cluster), and 2 for the root, which has no record.

use std::iter::Peekable;
use std::sync::Arc;

use fve::ReadAt;

use crate::bytes::utf16;
use crate::case::Case;
use crate::clusters::{Chain, Clusters, FIRST, Width};
use crate::error::{Error, Result};
use crate::extents::read;
use crate::file::{File, Plain};
use crate::file_system::{About, Format, Listing, Reader};
use crate::name::Name;
use crate::node::{Entry, FileId, Kind, Position, Stat, Times};
use crate::records::{RECORD, Records};

mod boot_sector;
mod set;

use boot_sector::Geometry;
use set::{Content, Head, Set};

const ROOT: FileId = FileId(2);
const IN_ONE_PIECE: u64 = 1;
const LABEL: u8 = 0x83;
const UPCASE: u8 = 0x82;
const LONGEST_LABEL: usize = 11;
/// The table of capitals is no longer than one with a number for each unit.
const LONGEST_UPCASE: u64 = 0x2_0000;
/// In the table of capitals: so many units, as the next number says, are their own.
const OWN: u16 = 0xffff;
const ATTRIBUTE_FOLDER: u16 = 0x10;

pub(crate) struct ExFat {
    clusters: Clusters,
    root: u32,
    case: Case,
    about: About,
}

impl ExFat {
    pub(crate) fn open(source: Arc<dyn ReadAt>, sector: &[u8; 512], from_backup: bool) -> Result<Self> {
        let geometry = Geometry::parse(sector)?;
        let clusters = Clusters {
            source,
            width: Width::Bits32,
            tables: geometry.tables,
            heap: geometry.heap,
            size: geometry.cluster,
            count: geometry.clusters,
        };
        let about = About {
            format: Format::ExFat,
            label: Name::default(),
            serial: geometry.serial.into(),
            size: geometry.size,
            cluster: geometry.cluster as u32,
            dirty: geometry.dirty,
            from_backup,
        };
        let mut exfat = Self { clusters, root: geometry.root, case: Case::unicode(), about };
        exfat.read_root();
        Ok(exfat)
    }

    /// Reads the label and the table of capitals. What is missing of them is no reason not to read the files.
    fn read_root(&mut self) {
        let Ok(records) = self.records(ROOT, 0) else { return };
        let records =
            records.take_while(|record| !matches!(record, Ok(record) if record.bytes[0] == set::END));
        for bytes in records.flatten().map(|record| record.bytes) {
            match bytes[0] {
                LABEL => {
                    let length = usize::from(bytes[1]).min(LONGEST_LABEL);
                    self.about.label = Name::from_units(utf16(&bytes[2..]).take(length));
                }
                UPCASE => {
                    if let Some(case) = self.read_case(&bytes) {
                        self.case = case;
                    }
                }
                _ => (),
            }
        }
    }

    fn read_case(&self, record: &[u8; RECORD]) -> Option<Case> {
        let first = u32::from_le_bytes(*record[20..].first_chunk()?);
        let size = u64::from_le_bytes(*record[24..].first_chunk()?).min(LONGEST_UPCASE);
        let chain = self.clusters.chain(first, size).ok().filter(|chain| chain.extents.end() >= size)?;
        let mut bytes = vec![0; size as usize];
        chain.extents.read(&self.clusters.source, "table of capitals", 0, &mut bytes).ok()?;
        let mut capitals: Vec<u16> = Vec::new();
        let mut numbers = utf16(&bytes);
        while let Some(number) = numbers.next() {
            match (number, capitals.len()) {
                (OWN, start) => {
                    let end = start + numbers.next().map_or(1, usize::from);
                    capitals.extend((start..end).map_while(|unit| u16::try_from(unit).ok()));
                }
                (capital, _) => capitals.push(capital),
            }
        }
        Some(Case::new(capitals.into_iter()))
    }

    /// Reads the first two records of a file. The root has none.
    fn head(&self, id: FileId) -> Result<Head> {
        let place = id.0 & !IN_ONE_PIECE;
        let no_file = || Error::NoFile(id);
        let cluster =
            self.clusters.at(place).filter(|_| place.is_multiple_of(RECORD as u64)).ok_or_else(no_file)?;
        let mut second = place + RECORD as u64;
        if self.clusters.at(second) != Some(cluster) {
            let next = if id.0 & IN_ONE_PIECE != 0 {
                cluster.checked_add(1)
            } else {
                self.clusters.after(cluster)?
            };
            second = next.and_then(|next| self.clusters.place(next)).ok_or_else(no_file)?;
        }
        let mut records = [[0; RECORD]; 2];
        for (record, place) in records.iter_mut().zip([place, second]) {
            read(&self.clusters.source, "record of a file", place, record)?;
        }
        Head::parse(&records[0], &records[1]).ok_or_else(no_file)
    }

    fn content(&self, folder: FileId) -> Result<Content> {
        if folder == ROOT {
            // Its length is nowhere written down: it ends with its chain.
            return Ok(Content { first: self.root, size: u64::MAX, valid: u64::MAX, contiguous: false });
        }
        let head = self.head(folder)?;
        if head.attributes & ATTRIBUTE_FOLDER == 0 {
            return Err(Error::NotAFolder);
        }
        Ok(head.content)
    }

    fn chain(&self, content: &Content) -> Result<Chain> {
        if content.contiguous || content.first < FIRST {
            return Ok(self.clusters.contiguous(content.first, content.size));
        }
        self.clusters.chain(content.first, content.size)
    }

    /// Returns the records of a folder from a place in it on.
    fn records(&self, folder: FileId, from: u64) -> Result<Records> {
        let chain = self.chain(&self.content(folder)?)?;
        Ok(Records::new(self.clusters.source.clone(), chain, folder, from))
    }

    fn walk(&self, folder: FileId, from: Position) -> Result<Walk> {
        let in_one_piece = if self.content(folder)?.contiguous { IN_ONE_PIECE } else { 0 };
        Ok(Walk { records: self.records(folder, from.0)?.peekable(), in_one_piece, ended: false })
    }
}

impl Reader for ExFat {
    fn about(&self) -> &About {
        &self.about
    }

    fn root(&self) -> FileId {
        ROOT
    }

    fn stat(&self, id: FileId) -> Result<Stat> {
        let (attributes, times, content) = if id == ROOT {
            (ATTRIBUTE_FOLDER, Times::default(), None)
        } else {
            let head = self.head(id)?;
            (head.attributes, head.times, Some(head.content))
        };
        let content = content.filter(|_| attributes & ATTRIBUTE_FOLDER == 0);
        let size = content.map_or(0, |content| content.size);
        Ok(Stat {
            id,
            kind: if content.is_none() { Kind::Folder } else { Kind::File },
            size,
            allocated: size.checked_next_multiple_of(self.clusters.size).unwrap_or(size),
            times,
            attributes: attributes.into(),
            links: 1,
            reparse: None,
        })
    }

    fn lookup(&self, folder: FileId, name: &Name) -> Result<Option<Entry>> {
        let mut error = None;
        for entry in self.walk(folder, Position::default())? {
            let units = |name: &Name| name.units().to_vec().into_iter();
            match entry {
                Ok(entry) if self.case.same(units(&entry.name), units(name)) => return Ok(Some(entry)),
                Ok(_) => (),
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
        let head = self.head(id)?;
        if !stream.is_empty() {
            return Err(Error::NotFound(stream.clone()));
        }
        if head.attributes & ATTRIBUTE_FOLDER != 0 {
            return Err(Error::IsAFolder);
        }
        let Content { size, valid, .. } = head.content;
        let extents = self.chain(&head.content)?.extents;
        Ok(File::new(size, Plain { source: self.clusters.source.clone(), extents, valid, id }))
    }
}

/// Goes through the files of a folder.
struct Walk {
    records: Peekable<Records>,
    /// What the numbers of its files have in bit 0.
    in_one_piece: u64,
    ended: bool,
}

impl Iterator for Walk {
    type Item = Result<Entry>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.ended {
            let record = match self.records.next()? {
                Ok(record) => record,
                Err(error) => return Some(Err(error)),
            };
            match record.bytes[0] {
                set::END => self.ended = true,
                set::FILE => {
                    let found = set::read(record, &mut self.records);
                    return Some(found.map(|Set { head, name, place, next }| {
                        let is_folder = head.attributes & ATTRIBUTE_FOLDER != 0;
                        let kind = if is_folder { Kind::Folder } else { Kind::File };
                        Entry { id: FileId(place | self.in_one_piece), name, kind, next: Position(next) }
                    }));
                }
                // Deleted, or the volume's own
                _ => (),
            }
        }
        None
    }
}
