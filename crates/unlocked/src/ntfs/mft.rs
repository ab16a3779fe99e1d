//! The master file table: one record for every file, its own being the first.

use std::sync::Arc;

use fve::ReadAt;
use zerocopy::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, KnownLayout, Unaligned};

use crate::bytes::structure;
use crate::error::{Error, Result, damaged_file};
use crate::extents::{Extents, read};
use crate::node::FileId;
use crate::ntfs::attribute::{ATTRIBUTE_LIST, Attribute, DATA, Value};
use crate::ntfs::boot_sector::Geometry;
use crate::ntfs::record::Record;

/// The records that have a copy in `$MFTMirr`.
const MIRRORED: u64 = 4;
/// The bits of a file reference that are the record's number; above is its sequence number.
pub(crate) const NUMBER: u64 = (1 << 48) - 1;
/// Windows makes no longer list of attributes.
const LONGEST_LIST: u64 = 256 << 10;

/// An entry of the list of attributes that a file has whose attributes need several records.
#[derive(FromBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct RawListed {
    kind: U32,
    length: U16,
    name_length: u8,
    name: u8,
    first: U64,
    record: U64,
    id: U16,
}

/// Says in which record an attribute, or a part of one, is.
#[derive(Clone, Copy)]
pub(crate) struct Listed {
    pub(crate) kind: u32,
    /// The first cluster of the value that the part tells of.
    pub(crate) first: u64,
    pub(crate) record: FileId,
}

pub(crate) struct Mft {
    pub(crate) source: Arc<dyn ReadAt>,
    pub(crate) geometry: Geometry,
    extents: Extents,
}

impl Mft {
    /// Finds all parts of the table. Where its first records are destroyed, their copies serve.
    pub(crate) fn open(source: Arc<dyn ReadAt>, geometry: Geometry) -> Result<Self> {
        let mut extents = Extents::default();
        extents.push(geometry.record as u64, Some(geometry.mft));
        let mut mft = Self { source, geometry, extents };
        let own = mft.record(0)?;
        let wrong = |problem| damaged_file("table of all files", FileId(0), problem);
        mft.extents = Extents::default();
        mft.append(&own)?;
        if mft.extents.end() == 0 {
            return Err(wrong("has no beginning"));
        }
        // The further parts are told of in records that lie in the earlier parts.
        let mut further: Vec<_> = mft.list(&own)?.unwrap_or_default();
        further.retain(|listed| listed.kind == DATA && listed.first > 0);
        further.sort_by_key(|listed| listed.first);
        for listed in further {
            let record = mft.record(listed.record.0 & NUMBER)?;
            mft.append(&record)?;
        }
        Ok(mft)
    }

    /// Takes over what a record says of where the table is.
    fn append(&mut self, record: &Record) -> Result<()> {
        for attribute in record.attributes() {
            let attribute = attribute?;
            if let (true, Value::NonResident(part)) = (attribute.is(DATA, &[]), attribute.value) {
                part.append(&self.geometry, &mut self.extents, attribute.offset)?;
            }
        }
        Ok(())
    }

    /// Reads a record by its number.
    fn record(&self, number: u64) -> Result<Record> {
        let at = number.checked_mul(self.geometry.record as u64).filter(|&at| at < self.extents.end());
        let at = at.ok_or(Error::NoFile(FileId(number)))?;
        let mut bytes = vec![0; self.geometry.record];
        let place = self.extents.place_of(at).ok_or(Error::NoFile(FileId(number)))?;
        let read_first = self.extents.read(&self.source, "file record", at, &mut bytes);
        let first = read_first.and_then(|()| Record::parse(bytes, place, number));
        if number >= MIRRORED || first.as_ref().is_ok_and(Record::in_use) {
            return first;
        }
        let mut bytes = vec![0; self.geometry.record];
        let place = self.geometry.mirror + at;
        let mirrored = read(&self.source, "copy of a file record", place, &mut bytes)
            .and_then(|()| Record::parse(bytes, place, number));
        mirrored.or(first)
    }

    /// Reads the record of a file, or an extension of one, if it is still what it was when it got its number.
    pub(crate) fn read(&self, id: FileId) -> Result<Record> {
        let record = self.record(id.0 & NUMBER)?;
        if record.in_use() && record.id() == id { Ok(record) } else { Err(Error::NoFile(id)) }
    }

    /// Reads one of the records that have a fixed number, NTFS's own.
    pub(crate) fn read_own(&self, number: u64) -> Result<Record> {
        self.record(number).and_then(|r| if r.in_use() { Ok(r) } else { Err(Error::NoFile(FileId(number))) })
    }

    /// Returns how many records there are.
    pub(crate) fn count(&self) -> u64 {
        self.extents.end() / self.geometry.record as u64
    }

    /// Reads the record with this number if it is a file's or folder's, and no extension of another.
    pub(crate) fn read_base(&self, number: u64) -> Result<Option<Record>> {
        let record = self.record(number)?;
        Ok(Some(record).filter(|record| record.in_use() && record.base().is_none()))
    }

    /// Reads the list of attributes, if the file has one.
    pub(crate) fn list(&self, record: &Record) -> Result<Option<Vec<Listed>>> {
        for attribute in record.attributes() {
            let attribute = attribute?;
            if attribute.kind == ATTRIBUTE_LIST {
                let bytes = self.small_value(&attribute, LONGEST_LIST)?;
                return parse_list(&bytes, record.id()).map(Some);
            }
        }
        Ok(None)
    }

    /// Reads a value that is told of in one place and is no longer than `limit`.
    pub(crate) fn small_value(&self, attribute: &Attribute<'_>, limit: u64) -> Result<Vec<u8>> {
        let part = match attribute.value {
            Value::Resident(value, _) => return Ok(value.to_vec()),
            Value::NonResident(part) => part,
        };
        let wrong = crate::error::damaged("attribute", attribute.offset, "is too long for what it is");
        let size = part.size.min(part.valid);
        let size = usize::try_from(size).ok().filter(|_| size <= limit).ok_or(wrong)?;
        let mut extents = Extents::default();
        part.append(&self.geometry, &mut extents, attribute.offset)?;
        let mut bytes = vec![0; size];
        extents.read(&self.source, "attribute", 0, &mut bytes)?;
        Ok(bytes)
    }
}

fn parse_list(mut bytes: &[u8], id: FileId) -> Result<Vec<Listed>> {
    let mut list = Vec::new();
    while !bytes.is_empty() {
        let wrong = || damaged_file("list of attributes", id, "is cut off");
        let raw: &RawListed = structure(bytes, 0).ok_or_else(wrong)?;
        let length = usize::from(raw.length.get());
        let listed =
            Listed { kind: raw.kind.get(), first: raw.first.get(), record: FileId(raw.record.get()) };
        list.push(listed);
        bytes = bytes.get(length..).filter(|_| length >= size_of::<RawListed>()).ok_or_else(wrong)?;
    }
    Ok(list)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_cut_into_entries() {
        let mut bytes = vec![0; 64];
        bytes[..5].copy_from_slice(&[0x80, 0, 0, 0, 32]);
        bytes[16] = 9;
        bytes[32..37].copy_from_slice(&[0x90, 0, 0, 0, 32]);
        let list = parse_list(&bytes, FileId(1)).expect("a good list");
        assert_eq!((list.len(), list[0].record, list[1].kind), (2, FileId(9), INDEX_ROOT));
        for length in [0, 25, 33] {
            bytes[36] = length;
            assert!(parse_list(&bytes, FileId(1)).is_err());
        }
    }

    use crate::ntfs::attribute::INDEX_ROOT;
}
