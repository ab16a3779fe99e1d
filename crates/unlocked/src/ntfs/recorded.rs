//! What the records tell by themselves, without any folder.

use std::sync::Arc;

use crate::error::{Error, Result};
use crate::file::File;
use crate::name::Name;
use crate::node::{FileId, FullName, Part, Stored};
use crate::ntfs::attribute::{BITMAP, DATA, FILE_NAME, INDEX_ALLOCATION, Value};
use crate::ntfs::index::IndexName;
use crate::ntfs::inode::Inode;
use crate::ntfs::mft::{Mft, NUMBER};
use crate::ntfs::record::Record;
use crate::ntfs::reparse::{self, Reparse};
use crate::ntfs::{ROOT, wof};

/// The first numbers are those of NTFS's own files, or kept for such.
const FIRST: u64 = 24;
/// NTFS's own folder, with further files of its own.
const EXTEND: u64 = 11;

/// Returns what a file has stored outside of its records.
pub(crate) fn stored(mft: &Mft, id: FileId) -> Result<Vec<Stored>> {
    let inode = Inode::read(mft, id, |_| true)?;
    let packed = Reparse::of(mft, &inode).is_ok_and(|point| point.is_some_and(|p| p.tag == reparse::WOF));
    let mut all = Vec::new();
    for attribute in inode.attributes() {
        let attribute = attribute?;
        let Value::NonResident(first) = attribute.value else { continue };
        let name = Name::from_units(attribute.name());
        let part = match attribute.kind {
            INDEX_ALLOCATION | BITMAP => continue,
            DATA if packed && name == wof::STREAM.into() => Part::Packed,
            DATA if attribute.is_compressed() => {
                let unit = mft.geometry.cluster.checked_shl(first.compression_unit.into());
                Part::Content { unit: unit.unwrap_or(1).max(1) }
            }
            DATA => Part::Content { unit: 1 },
            _ => Part::Other,
        };
        let extents = inode.extents(mft, attribute.kind, name.units())?.as_slice().to_vec();
        all.push(Stored { part, name, size: first.size, written: first.valid.min(first.size), extents });
    }
    Ok(all)
}

/// Returns the names that a file's records give it, without short ones of files that have a long one.
pub(crate) fn names(mft: &Mft, id: FileId) -> Result<Vec<FullName>> {
    let inode = Inode::read(mft, id, |listed| listed.kind == FILE_NAME);
    // The record itself may still tell when another one is lost.
    let inode = inode.or_else(|_| Inode::read(mft, id, |_| false))?;
    let mut names = Vec::new();
    for attribute in inode.attributes() {
        let attribute = attribute?;
        let name = attribute.resident().filter(|_| attribute.kind == FILE_NAME).and_then(IndexName::parse);
        if let Some(name) = name.filter(|name| !name.is_short()) {
            names.push(FullName { folder: name.folder, name: Name::from_units(name.units()) });
        }
    }
    Ok(names)
}

/// Goes through the records of all files and folders that are not NTFS's own.
pub(crate) fn records(mft: Arc<Mft>) -> impl Iterator<Item = Result<FileId>> + Send {
    let taken = taken(&mft);
    let is_taken = move |number: u64| {
        let mut byte = [0];
        let read = taken.as_ref()?.read_at(number / 8, &mut byte).ok().filter(|&read| read == 1);
        read.map(|_| byte[0] >> (number % 8) & 1 != 0)
    };
    // Records that follow one another are often those of one folder.
    let mut last = (FileId(0), false);
    (FIRST..mft.count()).filter_map(move |number| match mft.read_base(number) {
        Ok(record) => {
            let record = record?;
            let folder = folder_of(&record).unwrap_or(FileId(0));
            if last.0 != folder {
                last = (folder, is_own(&mft, folder));
            }
            (!last.1).then_some(Ok(record.id()))
        }
        // Records that were never written look broken. Whether one is in use a table of bits knows.
        Err(error @ Error::Read { .. }) => is_taken(number).unwrap_or(true).then_some(Err(error)),
        Err(error) => is_taken(number).unwrap_or(false).then_some(Err(error)),
    })
}

/// Opens the table of which records are in use.
fn taken(mft: &Mft) -> Option<File> {
    let id = mft.read_own(0).ok()?.id();
    Inode::read(mft, id, |_| true).ok()?.open(mft, BITMAP, &[]).ok()?
}

/// Returns the folder that a record says its file is in.
fn folder_of(record: &Record) -> Option<FileId> {
    let mut names = record.attributes().flatten().filter(|attribute| attribute.kind == FILE_NAME);
    names.find_map(|name| IndexName::parse(name.resident()?)).map(|name| name.folder)
}

/// Returns whether a folder is the one of NTFS's own files, or below it.
fn is_own(mft: &Mft, mut folder: FileId) -> bool {
    const DEEPEST: usize = 8;
    for _ in 0..DEEPEST {
        match folder.0 & NUMBER {
            EXTEND => return true,
            ROOT => return false,
            _ => {}
        }
        let Some(above) = mft.read(folder).ok().and_then(|record| folder_of(&record)) else { break };
        folder = above;
    }
    false
}
