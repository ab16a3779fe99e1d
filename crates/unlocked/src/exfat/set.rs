//! A file in an exFAT folder: a record, one about its content, then those with its name.

use std::iter::Peekable;

use fve::FileTime;
use zerocopy::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, KnownLayout, Unaligned};

use crate::bytes::{structure, utf16};
use crate::error::{Result, damaged};
use crate::name::Name;
use crate::node::Times;
use crate::records::{RECORD, Record, time};

pub(crate) const END: u8 = 0x00;
/// Set in the kind of records that are in use.
const IN_USE: u8 = 0x80;
pub(crate) const FILE: u8 = 0x85;
const STREAM: u8 = 0xc0;
const NAME: u8 = 0xc1;
const CONTIGUOUS: u8 = 2;
/// Units of the name in one record.
const UNITS: usize = 15;
/// A file has the record about its content and at least one with its name, at most 17.
const RECORDS_BEHIND: std::ops::RangeInclusive<u8> = 2..=18;

/// The first record.
#[derive(FromBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct FileRecord {
    kind: u8,
    count: u8,
    checksum: U16,
    attributes: U16,
    unused: U16,
    created: [U16; 2],
    modified: [U16; 2],
    accessed: [U16; 2],
    created_hundredths: u8,
    modified_hundredths: u8,
    created_zone: u8,
    modified_zone: u8,
    accessed_zone: u8,
}

/// The second record.
#[derive(FromBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct StreamRecord {
    kind: u8,
    flags: u8,
    unused: u8,
    name_length: u8,
    hash: U16,
    unused_2: U16,
    valid: U64,
    unused_3: U32,
    cluster: U32,
    size: U64,
}

/// Where a file's content is, and how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Content {
    pub(crate) first: u32,
    pub(crate) size: u64,
    /// How far it was ever written.
    pub(crate) valid: u64,
    /// It lies in one piece, and the table knows nothing of it.
    pub(crate) contiguous: bool,
}

/// What the first two records say.
pub(crate) struct Head {
    pub(crate) attributes: u16,
    pub(crate) times: Times,
    pub(crate) content: Content,
    checksum: u16,
    name_length: usize,
}

impl Head {
    /// Reads the first two records; `None` when they are no file.
    pub(crate) fn parse(file: &[u8; RECORD], stream: &[u8; RECORD]) -> Option<Self> {
        let file: &FileRecord = structure(file, 0)?;
        let stream: &StreamRecord = structure(stream, 0)?;
        if file.kind != FILE || stream.kind != STREAM || file.count < *RECORDS_BEHIND.start() {
            return None;
        }
        let when = |[clock, date]: [U16; 2], hundredths, zone| {
            let minutes = minutes(zone);
            let time = time(date.get(), clock.get(), hundredths, minutes.unwrap_or(0))?;
            Some((time, minutes.is_none()))
        };
        let created = when(file.created, file.created_hundredths, file.created_zone);
        let modified = when(file.modified, file.modified_hundredths, file.modified_zone);
        let accessed = when(file.accessed, 0, file.accessed_zone);
        let only = |time: Option<(FileTime, bool)>| time.map(|(time, _)| time);
        let times = Times {
            created: only(created),
            modified: only(modified),
            changed: None,
            accessed: only(accessed),
            local: modified.or(created).is_some_and(|(_, local)| local),
        };
        let content = Content {
            first: stream.cluster.get(),
            size: stream.size.get(),
            valid: stream.valid.get().min(stream.size.get()),
            contiguous: stream.flags & CONTIGUOUS != 0,
        };
        let (attributes, checksum) = (file.attributes.get(), file.checksum.get());
        let name_length = stream.name_length.into();
        Some(Self { attributes, times, content, checksum, name_length })
    }
}

/// Returns how far a zone is ahead of UTC; `None` when nobody wrote it down.
fn minutes(zone: u8) -> Option<i32> {
    let quarters = i32::from((zone << 1).cast_signed() >> 1);
    (zone & 0x80 != 0).then_some(quarters * 15)
}

/// A whole file: what is known of it, its name, and the place of its first record.
pub(crate) struct Set {
    pub(crate) head: Head,
    pub(crate) name: Name,
    pub(crate) place: u64,
    /// Where the folder goes on.
    pub(crate) next: u64,
}

/// Puts the records of a file together, checked by their checksum. What does not belong to it is left.
pub(crate) fn read<R: Iterator<Item = Result<Record>>>(
    first: Record,
    records: &mut Peekable<R>,
) -> Result<Set> {
    let wrong = |problem| damaged("record of a file", first.place, problem);
    let count = structure::<FileRecord>(&first.bytes, 0).map_or(0, |file| file.count);
    if !RECORDS_BEHIND.contains(&count) {
        return Err(wrong("has a wrong number of records behind it"));
    }
    let mut own = checksum(0, &first.bytes, true);
    let (mut head, mut units) = (None, Vec::with_capacity(usize::from(count) * UNITS));
    let mut next = first.offset + RECORD as u64;
    for number in 1..=count {
        let record = records.next_if(belongs).ok_or(wrong("is cut off"))??;
        own = checksum(own, &record.bytes, false);
        next = record.offset + RECORD as u64;
        match record.bytes[0] {
            _ if number == 1 => head = Head::parse(&first.bytes, &record.bytes),
            NAME => units.extend(utf16(&record.bytes[2..])),
            // What other makers put there
            _ => (),
        }
    }
    let head = head.ok_or(wrong("is not followed by one about its content"))?;
    if own != head.checksum {
        return Err(wrong("has a wrong checksum"));
    }
    if head.name_length == 0 || head.name_length > units.len() {
        return Err(wrong("has a name of a wrong length"));
    }
    units.truncate(head.name_length);
    Ok(Set { head, name: Name::from_units(units), place: first.place, next })
}

/// Returns whether a record can be one of those behind a file's first.
fn belongs(record: &Result<Record>) -> bool {
    matches!(record, Ok(Record { bytes: [kind, ..], .. }) if kind & IN_USE != 0 && *kind != FILE)
}

/// Adds a record to a checksum; in the first one the checksum itself is left out.
fn checksum(start: u16, record: &[u8; RECORD], is_first: bool) -> u16 {
    let bytes = record.iter().enumerate().filter(|(at, _)| !(is_first && matches!(at, 2 | 3)));
    bytes.fold(start, |sum, (_, &byte)| sum.rotate_right(1).wrapping_add(byte.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records(name: &str) -> Vec<[u8; RECORD]> {
        let units: Vec<u8> = name.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let mut all = vec![[0; RECORD]; 2];
        (all[0][0], all[0][1]) = (FILE, 1 + units.chunks(2 * UNITS).len() as u8);
        (all[1][0], all[1][1], all[1][3]) = (STREAM, 3, (units.len() / 2) as u8);
        (all[1][8], all[1][20], all[1][24]) = (9, 7, 6);
        for part in units.chunks(2 * UNITS) {
            let mut record = [0; RECORD];
            record[0] = NAME;
            record[2..2 + part.len()].copy_from_slice(part);
            all.push(record);
        }
        let first = checksum(0, &all[0], true);
        let sum = all[1..].iter().fold(first, |sum, record| checksum(sum, record, false));
        all[0][2..4].copy_from_slice(&sum.to_le_bytes());
        all
    }

    fn set(records: &[[u8; RECORD]]) -> Result<Set> {
        let records = records.iter().zip(0..).map(|(&bytes, number)| {
            let offset = number * RECORD as u64;
            Ok(Record { bytes, offset, place: 0x1000 + offset })
        });
        let mut records = records.peekable();
        let first = records.next().expect("a first record")?;
        read(first, &mut records)
    }

    #[test]
    fn a_file_is_put_together() {
        let name = "A name that needs more than one record: ☃";
        let found = set(&records(name)).expect("a good file");
        assert_eq!((found.name, found.place, found.next), (name.into(), 0x1000, 5 * 32));
        assert_eq!(found.head.content, Content { first: 7, size: 6, valid: 6, contiguous: true });
    }

    #[test]
    fn broken_files_are_errors() {
        let good = records("name");
        for (record, at, value) in
            [(0, 1, 1), (0, 1, 3), (0, 1, 19), (0, 4, 1), (1, 0, NAME), (2, 0, 0x41), (1, 3, 16)]
        {
            let mut bad = good.clone();
            bad[record][at] = value;
            assert!(set(&bad).is_err(), "{record} {at}");
        }
    }

    #[test]
    fn zones_are_quarters_of_an_hour() {
        assert_eq!(
            [0x00, 0x80, 0x84, 0xfc, 0xd0].map(minutes),
            [None, Some(0), Some(60), Some(-60), Some(-720)]
        );
    }
}
