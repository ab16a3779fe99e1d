//! All of a file's attributes, in as many records as they take.

use std::collections::BTreeSet;

use crate::error::{Error, Result, damaged_file};
use crate::extents::Extents;
use crate::file::{Decompressed, File, Plain, Resident};
use crate::node::FileId;
use crate::ntfs::attribute::{ATTRIBUTE_LIST, Attribute, NonResident, Value};
use crate::ntfs::mft::{Listed, Mft};
use crate::ntfs::record::Record;
use crate::ntfs::units::Units;

/// A file's record, and those of its extension records that were asked for.
pub(crate) struct Inode {
    pub(crate) id: FileId,
    records: Vec<Record>,
}

impl Inode {
    /// Reads a file's record, and of the others those with an attribute that is `wanted`.
    pub(crate) fn read(mft: &Mft, id: FileId, wanted: impl Fn(&Listed) -> bool) -> Result<Self> {
        let base = mft.read(id)?;
        if base.base().is_some() {
            return Err(Error::NoFile(id));
        }
        let list = mft.list(&base)?.unwrap_or_default();
        let others: BTreeSet<_> = list
            .iter()
            .filter(|listed| listed.record != id && wanted(listed))
            .map(|listed| listed.record)
            .collect();
        let mut records = vec![base];
        for other in others {
            let record = mft.read(other)?;
            if record.base() != Some(id) {
                return Err(damaged_file("list of attributes", id, "names a record of another file"));
            }
            records.push(record);
        }
        Ok(Self { id, records })
    }

    /// Reads a file's records as far as it takes to know its attributes, though not where all of them lie.
    pub(crate) fn read_beginnings(mft: &Mft, id: FileId) -> Result<Self> {
        Self::read(mft, id, |listed| listed.first == 0)
    }

    pub(crate) fn record(&self) -> &Record {
        &self.records[0]
    }

    /// Returns the attributes, of long ones only the beginning.
    pub(crate) fn attributes(&self) -> impl Iterator<Item = Result<Attribute<'_>>> {
        let attributes = self.records.iter().flat_map(Record::attributes);
        attributes.filter(|attribute| match attribute {
            Ok(Attribute { kind: ATTRIBUTE_LIST, .. }) => false,
            Ok(Attribute { value: Value::NonResident(part), .. }) => part.first == 0,
            _ => true,
        })
    }

    /// Returns the attribute of a kind and name, of a long one only the beginning.
    pub(crate) fn attribute(&self, kind: u32, name: &[u16]) -> Result<Option<Attribute<'_>>> {
        let mut same = self.attributes().filter(|a| a.as_ref().map_or(true, |a| a.is(kind, name)));
        same.next().transpose()
    }

    /// Opens the value of an attribute; `None` when the file has none of this kind and name. All its parts
    /// must have been read.
    pub(crate) fn open(&self, mft: &Mft, kind: u32, name: &[u16]) -> Result<Option<File>> {
        let Some(attribute) = self.attribute(kind, name)? else { return Ok(None) };
        if attribute.is_encrypted() {
            return Err(Error::Encrypted);
        }
        let first = match attribute.value {
            Value::NonResident(part) => part,
            Value::Resident(value, at) => {
                let mut extents = Extents::default();
                let place = Some(attribute.offset + at as u64);
                extents.push(value.len() as u64, place).ok_or_else(|| self.too_long())?;
                let size = value.len() as u64;
                return Ok(Some(File::new(size, Resident { bytes: value.to_vec(), extents })));
            }
        };
        let extents = self.extents(mft, kind, name)?;
        if first.size > extents.end() {
            return Err(damaged_file("content", self.id, "is longer than its clusters"));
        }
        let source = mft.source.clone();
        Ok(Some(if attribute.is_compressed() {
            let units = Units::new(source, extents, &mft.geometry, &first, attribute.flags)?;
            File::new(first.size, Decompressed::new(units))
        } else {
            File::new(first.size, Plain { source, extents, valid: first.valid.min(first.size), id: self.id })
        }))
    }

    /// Puts together where the value of an attribute lies.
    pub(crate) fn extents(&self, mft: &Mft, kind: u32, name: &[u16]) -> Result<Extents> {
        let mut parts: Vec<(NonResident<'_>, u64)> = Vec::new();
        for record in &self.records {
            for attribute in record.attributes() {
                let attribute = attribute?;
                if let (true, Value::NonResident(part)) = (attribute.is(kind, name), attribute.value) {
                    parts.push((part, attribute.offset));
                }
            }
        }
        parts.sort_by_key(|(part, _)| part.first);
        let mut extents = Extents::default();
        for (part, offset) in parts {
            part.append(&mft.geometry, &mut extents, offset)?;
        }
        Ok(extents)
    }

    fn too_long(&self) -> Error {
        damaged_file("content", self.id, "is too long")
    }
}
