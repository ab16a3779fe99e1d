//! NTFS, as Windows XP and later write it (version 3.1; 3.0 and 1.2 differ in nothing that is read here).
//!
//! Everything on the volume is a file, everything about a file an attribute in its record: its names, its
//! content, the index of a folder. What Microsoft left undocumented is long known from the drivers of Linux.

use std::sync::Arc;

use fve::{FileTime, ReadAt};
use zerocopy::little_endian::{U32, U64};
use zerocopy::{FromBytes, Immutable, KnownLayout, Unaligned};

use crate::bytes::{structure, utf16};
use crate::case::Case;
use crate::error::{Elsewhere, Error, Result};
use crate::extents::Extents;
use crate::file::{File, Resident};
use crate::file_system::{About, Format, Listing, Reader, Records};
use crate::name::Name;
use crate::node::{Entry, FileId, FullName, Link, Position, Stat, Stored, Stream, Times};

mod attribute;
mod boot_sector;
mod folder;
mod index;
mod inode;
mod mft;
mod record;
mod recorded;
mod reparse;
mod units;
mod wof;

use attribute::{DATA, FILE_NAME, REPARSE_POINT, STANDARD_INFORMATION, VOLUME_INFORMATION, VOLUME_NAME};
use boot_sector::Geometry;
use folder::{Folder, Walk};
use index::IndexName;
use inode::Inode;
use mft::Mft;
use reparse::Reparse;

/// The numbers of NTFS's own files.
const VOLUME: u64 = 3;
const ROOT: u64 = 5;
const UPCASE: u64 = 10;

const UPCASE_SIZE: usize = 0x2_0000;
const DIRTY: u8 = 1;

const ATTRIBUTE_FOLDER: u32 = 0x10;
const ATTRIBUTE_RECALL_ON_DATA_ACCESS: u32 = 0x40_0000;

/// The attribute with a file's times.
#[derive(FromBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct StandardInformation {
    created: U64,
    modified: U64,
    changed: U64,
    accessed: U64,
    attributes: U32,
}

/// What the volume says about itself.
#[derive(FromBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct VolumeInformation {
    unused: U64,
    version: [u8; 2],
    flags: u8,
}

pub(crate) struct Ntfs {
    mft: Arc<Mft>,
    case: Case,
    root: FileId,
    about: About,
}

impl Ntfs {
    pub(crate) fn open(source: Arc<dyn ReadAt>, sector: &[u8; 512], from_backup: bool) -> Result<Self> {
        let geometry = Geometry::parse(sector, source.size())?;
        let mft = Arc::new(Mft::open(source, geometry)?);
        // What is missing of these is no reason not to read the files.
        let case = read_case(&mft).unwrap_or_else(Case::unicode);
        let root = mft.read_own(ROOT).map_or(FileId(ROOT << 48 | ROOT), |record| record.id());
        let (label, dirty) = read_volume(&mft).unwrap_or_default();
        let (serial, size, cluster) = (geometry.serial, geometry.size, geometry.cluster as u32);
        let about = About { format: Format::Ntfs, label, serial, size, cluster, dirty, from_backup };
        Ok(Self { mft, case, root, about })
    }

    /// Reads the records with everything about a file's content.
    fn with_content(&self, id: FileId) -> Result<Inode> {
        Inode::read(&self.mft, id, |listed| listed.first == 0 || listed.kind == DATA)
    }

    fn open_content(&self, inode: &Inode) -> Result<File> {
        if inode.record().is_folder() {
            return Err(Error::IsAFolder);
        }
        let empty = || File::new(0, Resident { bytes: Vec::new(), extents: Extents::default() });
        let Some(point) = Reparse::of(&self.mft, inode)? else {
            return Ok(inode.open(&self.mft, DATA, &[])?.unwrap_or_else(empty));
        };
        match point.tag {
            reparse::WOF => {
                let content = inode.attribute(DATA, &[])?;
                let size = content.map_or(0, |content| content.sizes().0);
                let packed = inode.open(&self.mft, DATA, Name::from(wof::STREAM).units())?;
                wof::open(inode.id, &point.data, packed, size)
            }
            reparse::DEDUPLICATED => Err(Error::Elsewhere(Elsewhere::Deduplicated)),
            tag => {
                let content = inode.open(&self.mft, DATA, &[])?.unwrap_or_else(empty);
                let is_hole = content.size() > 0 && content.extents().iter().all(|e| e.place.is_none());
                let recalled = standard(inode)?.1 & ATTRIBUTE_RECALL_ON_DATA_ACCESS != 0;
                if reparse::is_cloud(tag) && (is_hole || recalled) {
                    return Err(Error::Elsewhere(Elsewhere::Cloud));
                }
                Ok(content)
            }
        }
    }
}

impl Reader for Ntfs {
    fn about(&self) -> &About {
        &self.about
    }

    fn root(&self) -> FileId {
        self.root
    }

    fn stat(&self, id: FileId) -> Result<Stat> {
        let inode = Inode::read_beginnings(&self.mft, id)?;
        let is_folder = inode.record().is_folder();
        let reparse = Reparse::of(&self.mft, &inode)?.map(|point| point.tag);
        let kind = reparse::kind(reparse, is_folder);
        let (times, attributes) = standard(&inode)?;
        let (mut size, mut allocated) = (0, 0);
        let mut names = 0;
        for attribute in inode.attributes() {
            let attribute = attribute?;
            match attribute.kind {
                DATA if attribute.is(DATA, &[]) && !is_folder => {
                    let (length, stored) = attribute.sizes();
                    (size, allocated) = (length, allocated + stored);
                }
                DATA if reparse == Some(reparse::WOF) && attribute.name().eq(wof::STREAM.encode_utf16()) => {
                    allocated += attribute.sizes().1;
                }
                FILE_NAME
                    if !attribute.resident().and_then(IndexName::parse).is_some_and(|n| n.is_short()) =>
                {
                    names += 1;
                }
                _ => (),
            }
        }
        let links = if names == 0 { inode.record().links().into() } else { names };
        let attributes = attributes | if is_folder { ATTRIBUTE_FOLDER } else { 0 };
        Ok(Stat { id, kind, size, allocated, times, attributes, links, reparse })
    }

    fn lookup(&self, folder: FileId, name: &Name) -> Result<Option<Entry>> {
        Folder::open(&self.mft, folder)?.lookup(&self.mft, &self.case, name)
    }

    fn list(self: Arc<Self>, folder: FileId, from: Position) -> Result<Listing> {
        let folder = Folder::open(&self.mft, folder)?;
        Ok(Listing::new(Walk::new(self.mft.clone(), folder, from)))
    }

    fn open(&self, id: FileId, stream: &Name) -> Result<File> {
        let inode = self.with_content(id)?;
        if stream.is_empty() {
            return self.open_content(&inode);
        }
        let mut found = None;
        for attribute in inode.attributes() {
            let attribute = attribute?;
            let is_same = self.case.same(attribute.name(), stream.units().iter().copied());
            if attribute.kind == DATA && is_same && (found.is_none() || attribute.is(DATA, stream.units())) {
                found = Some(Name::from_units(attribute.name()));
            }
        }
        let found = found.ok_or_else(|| Error::NotFound(stream.clone()))?;
        inode.open(&self.mft, DATA, found.units())?.ok_or(Error::NotFound(found))
    }

    fn streams(&self, id: FileId) -> Result<Vec<Stream>> {
        let inode = Inode::read_beginnings(&self.mft, id)?;
        let is_packed = Reparse::of(&self.mft, &inode)?.is_some_and(|point| point.tag == reparse::WOF);
        let mut streams = Vec::new();
        for attribute in inode.attributes() {
            let attribute = attribute?;
            let name = Name::from_units(attribute.name());
            let is_content = name.is_empty() || (is_packed && name == wof::STREAM.into());
            if attribute.kind == DATA && !is_content {
                let (size, allocated) = attribute.sizes();
                streams.push(Stream { name, size, allocated });
            }
        }
        Ok(streams)
    }

    fn link(&self, id: FileId) -> Result<Link> {
        let inode = Inode::read(&self.mft, id, |listed| listed.kind == REPARSE_POINT)?;
        Reparse::of(&self.mft, &inode)?.ok_or(Error::NotALink)?.link(id)
    }

    fn stored(&self, id: FileId) -> Result<Vec<Stored>> {
        recorded::stored(&self.mft, id)
    }

    fn records(self: Arc<Self>) -> Records {
        Records::new(recorded::records(self.mft.clone()))
    }

    fn names(&self, id: FileId) -> Result<Vec<FullName>> {
        recorded::names(&self.mft, id)
    }
}

/// Reads a file's times and attributes.
fn standard(inode: &Inode) -> Result<(Times, u32)> {
    let attribute = inode.attribute(STANDARD_INFORMATION, &[])?;
    let Some(found) = attribute.and_then(|a| structure::<StandardInformation>(a.resident()?, 0)) else {
        return Ok(Default::default());
    };
    let time = |ticks: U64| Some(FileTime(ticks.get())).filter(|time| time.0 != 0);
    let times = Times {
        created: time(found.created),
        modified: time(found.modified),
        changed: time(found.changed),
        accessed: time(found.accessed),
        local: false,
    };
    Ok((times, found.attributes.get()))
}

/// Reads the volume's own table of capitals.
fn read_case(mft: &Mft) -> Option<Case> {
    let id = mft.read_own(UPCASE).ok()?.id();
    let inode = Inode::read(mft, id, |listed| listed.kind == DATA).ok()?;
    let mut table = vec![0; UPCASE_SIZE];
    let read = inode.open(mft, DATA, &[]).ok()??.read_at(0, &mut table).ok()?;
    (read == UPCASE_SIZE).then(|| Case::new(utf16(&table)))
}

/// Reads the volume's label, and whether it was not unmounted.
fn read_volume(mft: &Mft) -> Option<(Name, bool)> {
    let record = mft.read_own(VOLUME).ok()?;
    let (mut label, mut dirty) = (Name::default(), false);
    for attribute in record.attributes().flatten() {
        match (attribute.kind, attribute.resident()) {
            (VOLUME_NAME, Some(value)) => label = Name::from_units(utf16(value)),
            (VOLUME_INFORMATION, Some(value)) => {
                let information: Option<&VolumeInformation> = structure(value, 0);
                dirty = information.is_some_and(|information| information.flags & DIRTY != 0);
            }
            _ => (),
        }
    }
    Some((label, dirty))
}
