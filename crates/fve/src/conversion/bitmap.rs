//! The bitmap of a region: which of its chunks are encrypted.

use zerocopy::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct Header {
    signature: [u8; 10],
    header_size: U16,
    size: U32,
    index: U32,
    start: U64,
    length: U64,
    log_at: U64,
    records_at: [U32; 2],
    record_size: U32,
    checksum: U32,
}

/// One of two copies of the bits: written in turn, so that one is always whole.
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct Record {
    signature: [u8; 10],
    header_size: U16,
    size: U32,
    bits: U32,
    sequence: U64,
    flags: U32,
    checksum: U32,
}

const SIGNATURE: [u8; 10] = *b"FVE-EOWBM\0";
const RECORD_SIGNATURE: [u8; 10] = *b"FVE-EOWBR\0";
const CHECKSUM_AT: usize = 0x38;
const RECORD_CHECKSUM_AT: usize = 0x20;
const FLAG_CONVERTING: u32 = 2;

/// The state of a region's chunks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bitmap {
    /// Length of the structure in bytes.
    pub size: u32,
    /// The region's first byte.
    pub start: u64,
    /// The region's length in bytes.
    pub length: u64,
    /// Where the region's log lies.
    pub log_at: u64,
    /// How many chunks the region has.
    pub bits: u32,
    /// Counts the changes.
    pub sequence: u64,
    /// A conversion of this region has begun.
    pub converting: bool,
    bytes: Vec<u8>,
}

impl Bitmap {
    /// Larger than any seen (0x600), smaller than what could hurt.
    pub const MAX_SIZE: usize = 0x10_0000;

    /// Reads a bitmap of chunks of `chunk` bytes and checks it; the newer whole record counts.
    pub fn parse(bytes: &[u8], chunk: u32) -> Result<Self, &'static str> {
        let (header, _) = Header::read_from_prefix(bytes).map_err(|_| "is cut off")?;
        let size = header.size.get() as usize;
        let own = bytes.get(..size).ok_or("has a size that cannot be")?;
        let [first, second] = header.records_at.map(|at| at.get() as usize);
        let front = own.get(..first).ok_or("has a record place that cannot be")?;
        if header.signature != SIGNATURE || checksum(front, CHECKSUM_AT) != Some(header.checksum.get()) {
            return Err("fails its checksum");
        }
        let record_size = header.record_size.get() as usize;
        let (record, bits) = [first, second]
            .into_iter()
            .filter_map(|at| Record::parse(own.get(at..at.checked_add(record_size)?)?))
            .max_by_key(|(record, _)| record.sequence.get())
            .ok_or("has no whole record")?;
        let (start, length) = (header.start.get(), header.length.get());
        start.checked_add(length).ok_or("has a region that cannot be")?;
        if u64::from(record.bits.get()) < length.div_ceil(u64::from(chunk)) {
            return Err("has fewer bits than its region has chunks");
        }
        Ok(Self {
            size: header.size.get(),
            start,
            length,
            log_at: header.log_at.get(),
            bits: record.bits.get(),
            sequence: record.sequence.get(),
            converting: record.flags.get() & FLAG_CONVERTING != 0,
            bytes: bits.to_vec(),
        })
    }

    /// Returns the byte behind the region.
    pub fn end(&self) -> u64 {
        self.start + self.length
    }

    /// Returns whether chunk `bit` is ciphertext.
    pub fn bit(&self, bit: u32) -> bool {
        self.bytes.get(bit as usize / 8).is_some_and(|byte| byte >> (bit % 8) & 1 == 1)
    }
}

impl Record {
    /// Returns the record and its bits when it is whole.
    fn parse(bytes: &[u8]) -> Option<(Self, &[u8])> {
        let (record, _) = Self::read_from_prefix(bytes).ok()?;
        let own = bytes.get(..record.size.get() as usize)?;
        let bits = own.get(usize::from(record.header_size.get())..)?;
        let sound = record.signature == RECORD_SIGNATURE
            && usize::from(record.header_size.get()) >= size_of::<Self>()
            && checksum(own, RECORD_CHECKSUM_AT)? == record.checksum.get()
            && bits.len() as u64 * 8 >= u64::from(record.bits.get());
        sound.then_some((record, bits))
    }
}

/// Returns the CRC-32 of `bytes` with the four bytes at `place`, where it is stored, taken as zero.
pub(super) fn checksum(bytes: &[u8], place: usize) -> Option<u32> {
    let (before, rest) = bytes.split_at_checked(place)?;
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(before);
    hasher.update(&[0; 4]);
    hasher.update(rest.get(4..)?);
    Some(hasher.finalize())
}

#[cfg(test)]
pub(crate) mod made {
    use super::*;

    /// Writes a bitmap with one whole record and one destroyed one.
    pub(crate) fn bitmap(start: u64, length: u64, log_at: u64, bits: &[bool], converting: bool) -> Vec<u8> {
        let mut out = vec![0; 0x600];
        let mut header = Header {
            signature: SIGNATURE,
            header_size: U16::new(0x3c),
            size: U32::new(0x600),
            index: U32::new(0),
            start: U64::new(start),
            length: U64::new(length),
            log_at: U64::new(log_at),
            records_at: [U32::new(0x200), U32::new(0x400)],
            record_size: U32::new(0x200),
            checksum: U32::new(0),
        };
        out[..0x3c].copy_from_slice(header.as_bytes());
        header.checksum = U32::new(checksum(&out[..0x200], CHECKSUM_AT).expect("long enough"));
        out[..0x3c].copy_from_slice(header.as_bytes());
        let mut record = Record {
            signature: RECORD_SIGNATURE,
            header_size: U16::new(0x24),
            size: U32::new(0x200),
            bits: U32::new(bits.len() as u32),
            sequence: U64::new(9),
            flags: U32::new(if converting { FLAG_CONVERTING } else { 0 }),
            checksum: U32::new(0),
        };
        for (n, _) in bits.iter().enumerate().filter(|(_, bit)| **bit) {
            out[0x424 + n / 8] |= 1 << (n % 8);
        }
        out[0x400..0x424].copy_from_slice(record.as_bytes());
        record.checksum = U32::new(checksum(&out[0x400..0x600], RECORD_CHECKSUM_AT).expect("long enough"));
        out[0x400..0x424].copy_from_slice(record.as_bytes());
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_record_counts() {
        let mut bytes = made::bitmap(0x2000, 0x5000, 0, &[true, false, true], false);
        let bitmap = Bitmap::parse(&bytes, 0x2000).expect("a whole bitmap");
        assert_eq!((bitmap.bits, bitmap.sequence, bitmap.end()), (3, 9, 0x7000));
        assert_eq!([bitmap.bit(0), bitmap.bit(1), bitmap.bit(2)], [true, false, true]);
        bytes[0x424] ^= 1;
        assert_eq!(Bitmap::parse(&bytes, 0x2000), Err("has no whole record"));
        bytes[0x10] ^= 1;
        assert_eq!(Bitmap::parse(&bytes, 0x2000), Err("fails its checksum"));
    }

    #[test]
    fn a_region_must_have_a_bit_for_each_chunk() {
        let bytes = made::bitmap(0x2000, 0x6001, 0, &[true, false, true], false);
        assert_eq!(Bitmap::parse(&bytes, 0x2000), Err("has fewer bits than its region has chunks"));
    }
}
