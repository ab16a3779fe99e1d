//! An attribute: one thing that a file has, its name or its content, in its record or elsewhere.

use zerocopy::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, KnownLayout, Unaligned};

use crate::bytes::{part, structure, utf16};
use crate::error::{Result, damaged};
use crate::extents::Extents;
use crate::ntfs::boot_sector::Geometry;

pub(crate) const STANDARD_INFORMATION: u32 = 0x10;
pub(crate) const ATTRIBUTE_LIST: u32 = 0x20;
pub(crate) const FILE_NAME: u32 = 0x30;
pub(crate) const VOLUME_NAME: u32 = 0x60;
pub(crate) const VOLUME_INFORMATION: u32 = 0x70;
pub(crate) const DATA: u32 = 0x80;
pub(crate) const INDEX_ROOT: u32 = 0x90;
pub(crate) const INDEX_ALLOCATION: u32 = 0xa0;
pub(crate) const BITMAP: u32 = 0xb0;
pub(crate) const REPARSE_POINT: u32 = 0xc0;

/// What every attribute starts with.
#[derive(FromBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct Header {
    kind: U32,
    length: U32,
    non_resident: u8,
    name_length: u8,
    name: U16,
    flags: U16,
    id: U16,
}

/// What follows when the value is in the record.
#[derive(FromBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct ResidentHeader {
    length: U32,
    offset: U16,
}

/// What follows when the value is elsewhere.
#[derive(FromBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct NonResidentHeader {
    first: U64,
    last: U64,
    runs: U16,
    compression_unit: u8,
    unused: [u8; 5],
    allocated: U64,
    size: U64,
    valid: U64,
}

/// What follows that when parts of the value may not be stored: the bytes that are.
#[derive(FromBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct StoredHeader {
    stored: U64,
}

const HEADER: usize = size_of::<Header>();
const STORED_HEADER: usize = HEADER + size_of::<NonResidentHeader>();
const COMPRESSED: u16 = 0x00ff;
const ENCRYPTED: u16 = 0x4000;
const SPARSE: u16 = 0x8000;

/// An attribute as it lies in a record.
#[derive(Clone, Copy)]
pub(crate) struct Attribute<'a> {
    /// Where it lies on the volume.
    pub(crate) offset: u64,
    pub(crate) kind: u32,
    /// Its name in little-endian UTF-16, empty for most.
    name: &'a [u8],
    /// Its bytes in the record.
    pub(crate) length: usize,
    pub(crate) flags: u16,
    pub(crate) value: Value<'a>,
}

/// Where the value of an attribute is.
#[derive(Clone, Copy)]
pub(crate) enum Value<'a> {
    /// In the record, so many bytes behind the start of the attribute.
    Resident(&'a [u8], usize),
    /// Elsewhere.
    NonResident(NonResident<'a>),
}

/// A part of a value that is elsewhere. The sizes are right in the part that starts with cluster 0.
#[derive(Clone, Copy)]
pub(crate) struct NonResident<'a> {
    /// The first cluster of the value that this part tells of.
    pub(crate) first: u64,
    /// The cluster behind the last.
    pub(crate) end: u64,
    pub(crate) compression_unit: u8,
    pub(crate) allocated: u64,
    pub(crate) size: u64,
    pub(crate) valid: u64,
    runs: &'a [u8],
}

impl<'a> Attribute<'a> {
    /// Reads the attribute that `bytes` start with.
    pub(crate) fn parse(bytes: &'a [u8], offset: u64) -> Result<Self> {
        let wrong = |problem| damaged("attribute", offset, problem);
        let header: &Header = structure(bytes, 0).ok_or(wrong("is cut off"))?;
        let length = header.length.get() as usize;
        let bytes =
            bytes.get(..length).filter(|bytes| bytes.len() >= HEADER).ok_or(wrong("has a wrong length"))?;
        let name = match usize::from(header.name_length) * 2 {
            0 => &[],
            length => part(bytes, header.name.get().into(), length).ok_or(wrong("has its name outside"))?,
        };
        let value = if header.non_resident == 0 {
            let resident: &ResidentHeader = structure(bytes, HEADER).ok_or(wrong("is cut off"))?;
            let at = usize::from(resident.offset.get());
            let value = part(bytes, at, resident.length.get() as usize);
            Value::Resident(value.ok_or(wrong("has its value outside"))?, at)
        } else {
            Value::NonResident(
                NonResident::parse(bytes, header.flags.get()).ok_or(wrong("has wrong clusters"))?,
            )
        };
        Ok(Self { offset, kind: header.kind.get(), name, length, flags: header.flags.get(), value })
    }

    /// Returns its name's UTF-16 units.
    pub(crate) fn name(&self) -> impl Iterator<Item = u16> + use<'a> {
        utf16(self.name)
    }

    /// Returns whether this is the attribute of that kind and name.
    pub(crate) fn is(&self, kind: u32, name: &[u16]) -> bool {
        self.kind == kind && self.name().eq(name.iter().copied())
    }

    /// Returns the value if it is in the record.
    pub(crate) fn resident(&self) -> Option<&'a [u8]> {
        match self.value {
            Value::Resident(value, _) => Some(value),
            Value::NonResident(_) => None,
        }
    }

    /// Returns the value's length and the space it takes on the drive.
    pub(crate) fn sizes(&self) -> (u64, u64) {
        match self.value {
            Value::Resident(value, _) => (value.len() as u64, 0),
            Value::NonResident(value) => (value.size, value.allocated),
        }
    }

    pub(crate) fn is_encrypted(&self) -> bool {
        self.flags & ENCRYPTED != 0
    }

    pub(crate) fn is_compressed(&self) -> bool {
        self.flags & COMPRESSED != 0
    }
}

impl<'a> NonResident<'a> {
    fn parse(bytes: &'a [u8], flags: u16) -> Option<Self> {
        let header: &NonResidentHeader = structure(bytes, HEADER)?;
        let runs = usize::from(header.runs.get());
        let allocated = match structure(bytes, STORED_HEADER) {
            Some(StoredHeader { stored })
                if flags & (COMPRESSED | SPARSE) != 0
                    && runs >= STORED_HEADER + size_of::<StoredHeader>() =>
            {
                stored.get()
            }
            _ => header.allocated.get(),
        };
        let (first, last) = (header.first.get(), header.last.get());
        // An empty value has the last cluster -1.
        let end = last.wrapping_add(1);
        Some(Self {
            first,
            end: Some(end).filter(|&end| end >= first)?,
            compression_unit: header.compression_unit,
            allocated,
            size: header.size.get(),
            valid: header.valid.get(),
            runs: bytes.get(runs..)?,
        })
    }

    /// Puts the clusters of this part behind those of the earlier ones. The list of runs is
    /// `lengths u8` (of the count in the low half, of the distance in the high one), then the count of
    /// clusters, then the distance from the last run's first cluster to this one's; no distance: not stored.
    pub(crate) fn append(&self, geometry: &Geometry, extents: &mut Extents, offset: u64) -> Result<()> {
        let wrong = |problem| damaged("list of clusters", offset, problem);
        if extents.end() != self.first.checked_mul(geometry.cluster).ok_or(wrong("is too long"))? {
            return Err(wrong("does not continue the one before"));
        }
        let (mut rest, mut at, mut cluster) = (self.runs, self.first, 0_i64);
        while at < self.end {
            let (&lengths, bytes) =
                rest.split_first().filter(|(lengths, _)| **lengths != 0).ok_or(wrong("ends early"))?;
            let (count, distance) = (usize::from(lengths & 0x0f), usize::from(lengths >> 4));
            let (numbers, more) = bytes.split_at_checked(count + distance).ok_or(wrong("is cut off"))?;
            let (count, distance) = numbers.split_at(count);
            let count =
                number(count).filter(|count| *count > 0).ok_or(wrong("has a run without a length"))?;
            let count = count.cast_unsigned();
            let length = count.checked_mul(geometry.cluster).ok_or(wrong("is too long"))?;
            let place = if distance.is_empty() {
                None
            } else {
                cluster = number(distance)
                    .and_then(|far| cluster.checked_add(far))
                    .ok_or(wrong("leads nowhere"))?;
                let place =
                    u64::try_from(cluster).ok().and_then(|cluster| cluster.checked_mul(geometry.cluster));
                let inside = |place: &u64| place.checked_add(length).is_some_and(|end| end <= geometry.size);
                Some(place.filter(inside).ok_or(wrong("leads out of the volume"))?)
            };
            extents.push(length, place).ok_or(wrong("is too long"))?;
            (rest, at) = (more, at.saturating_add(count));
        }
        if extents.stored() > geometry.available {
            return Err(wrong("has more clusters than the volume"));
        }
        Ok(())
    }
}

/// Reads a signed little-endian number of up to eight bytes.
fn number(bytes: &[u8]) -> Option<i64> {
    let negative = bytes.last()? & 0x80 != 0;
    let mut all = [if negative { 0xff } else { 0 }; 8];
    all.get_mut(..bytes.len())?.copy_from_slice(bytes);
    Some(i64::from_le_bytes(all))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GEOMETRY: Geometry = Geometry {
        cluster: 4096,
        record: 1024,
        size: 1 << 30,
        available: 1 << 30,
        mft: 0,
        mirror: 0,
        serial: 0,
    };

    fn extents(runs: &[u8], end: u64) -> Result<Vec<(u64, Option<u64>)>> {
        let part = NonResident { first: 0, end, compression_unit: 0, allocated: 0, size: 0, valid: 0, runs };
        let mut extents = Extents::default();
        part.append(&GEOMETRY, &mut extents, 0)?;
        let clusters = |bytes| bytes / GEOMETRY.cluster;
        Ok(extents.as_slice().iter().map(|e| (clusters(e.length), e.place.map(clusters))).collect())
    }

    #[test]
    fn runs_go_forth_and_back_and_leave_out() {
        let runs = [0x21, 0x18, 0x34, 0x56, 0x11, 0x02, 0xf0, 0x01, 0x05, 0x11, 0x01, 0x20, 0];
        let expected = [(0x18, Some(0x5634)), (2, Some(0x5624)), (5, None), (1, Some(0x5644))];
        assert_eq!(extents(&runs, 0x20).expect("good runs"), expected);
        assert_eq!(extents(&[0], 0).expect("no runs"), []);
    }

    #[test]
    fn hostile_runs_are_errors() {
        let cases: [&[u8]; 8] = [
            &[],
            &[0],
            &[0x11, 0x01],
            &[0x11, 0x00, 0x01],
            &[0x11, 0xff, 0x01],
            &[0x11, 0x01, 0xff],
            &[0x41, 0x01, 0xff, 0xff, 0xff, 0x7f],
            &[0x19, 1, 2, 3, 4, 5, 6, 7, 8, 9, 1],
        ];
        for runs in cases {
            assert!(extents(runs, 1).is_err(), "{runs:x?}");
        }
        assert!(extents(&[0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f], u64::MAX).is_err());
    }
}
