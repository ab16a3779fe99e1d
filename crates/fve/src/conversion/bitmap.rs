//! The bitmap of a region: which of its chunks are encrypted.
//!
//! ```text
//! header block | record 0 | record 1
//! ```
//! The records are two states of the bits, written in turn (an odd sequence is record 0), so that one
//! is always whole. Each has its own CRC-32, as has the header block. (Seen on real drives.)

use zerocopy::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::io::{self, ReadAt};

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
const BLOCK: u32 = 0x200;

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
    /// How many of the two records are destroyed: one may have been the newer; with both, the bits
    /// say nothing.
    pub destroyed: usize,
    index: u32,
    records_at: [u32; 2],
    record_size: u32,
    bytes: Vec<u8>,
}

impl Bitmap {
    /// Larger than any seen (0x600), smaller than what could hurt.
    pub const MAX_SIZE: usize = 0x1_0000;

    /// Reads and checks the bitmap at `place`, of chunks of `chunk` bytes.
    pub(super) fn read(source: &dyn ReadAt, place: u64, chunk: u32) -> Result<Self, &'static str> {
        let read = |length| io::read_before_damage(source, place, length);
        let (header, damage) = read(size_of::<Header>());
        if damage.is_some() {
            return Err("cannot be read");
        }
        let (header, _) = Header::read_from_prefix(&header).map_err(|_| "is cut off")?;
        let size = header.size.get() as usize;
        if header.signature != SIGNATURE {
            return Err("is not there");
        }
        if size > Self::MAX_SIZE {
            return Err("has a size that cannot be");
        }
        // What cannot be read may be the record that does not matter.
        let (mut bytes, _) = read(size);
        bytes.resize(size, 0);
        Self::parse(&bytes, chunk)
    }

    /// Parses a bitmap of chunks of `chunk` bytes and checks it; the newer whole record counts.
    ///
    /// # Errors
    /// Says what is wrong, in words that continue "its conversion bitmap ...".
    pub fn parse(bytes: &[u8], chunk: u32) -> Result<Self, &'static str> {
        let (header, _) = Header::read_from_prefix(bytes).map_err(|_| "is cut off")?;
        let size = header.size.get() as usize;
        let own = bytes.get(..size).filter(|_| size <= Self::MAX_SIZE).ok_or("has a size that cannot be")?;
        let [first, second] = header.records_at.map(|at| at.get() as usize);
        let front = own.get(..first).ok_or("has a record place that cannot be")?;
        if header.signature != SIGNATURE || checksum(front, CHECKSUM_AT) != Some(header.checksum.get()) {
            return Err("fails its checksum");
        }
        let record_size = header.record_size.get() as usize;
        let records = [first, second]
            .map(|at| at.checked_add(record_size).and_then(|end| Record::parse(own.get(at..end)?)));
        let destroyed = records.iter().filter(|record| record.is_none()).count();
        let newer = records.into_iter().flatten().max_by_key(|(record, _)| record.sequence.get());
        let (start, length) = (header.start.get(), header.length.get());
        let end = start.checked_add(length).filter(|&end| end <= i64::MAX.cast_unsigned());
        end.ok_or("has a region that cannot be")?;
        let chunks = length.checked_div(chunk.into()).ok_or("has chunks of no length")?
            + u64::from(!length.is_multiple_of(chunk.into()));
        let counted = newer.map_or(u32::MAX, |(record, _)| record.bits.get());
        let chunks = u32::try_from(chunks).ok().filter(|&chunks| chunks <= counted);
        let chunks = chunks.ok_or("has fewer bits than its region has chunks")?;
        let bits = newer.map_or(&[][..], |(_, bits)| bits);
        Ok(Self {
            size: header.size.get(),
            start,
            length,
            log_at: header.log_at.get(),
            bits: chunks,
            sequence: newer.map_or(0, |(record, _)| record.sequence.get()),
            converting: newer.is_none_or(|(record, _)| record.flags.get() & FLAG_CONVERTING != 0),
            destroyed,
            index: header.index.get(),
            records_at: header.records_at.map(U32::get),
            record_size: header.record_size.get(),
            bytes: bits.get(..padded(chunks)).unwrap_or(bits).to_vec(),
        })
    }

    /// Makes the bitmap of the region with the number `index`: sequence 1, its chunks all encrypted or
    /// all not. `None` when it has no chunks or more than a bitmap can count.
    pub fn new(index: u32, region: (u64, u64), log_at: u64, chunk: u32, encrypted: bool) -> Option<Self> {
        let (start, length) = region;
        let bits = u32::try_from(length.div_ceil(chunk.max(1).into())).ok().filter(|&bits| bits != 0)?;
        let record = size_of::<Record>() + padded(bits);
        let record_size = u32::try_from(record).ok()?.checked_next_multiple_of(BLOCK)?;
        let size = record_size.checked_mul(2)?.checked_add(BLOCK)?;
        ((size as usize) <= Self::MAX_SIZE && start.checked_add(length).is_some()).then(|| Self {
            size,
            start,
            length,
            log_at,
            bits,
            sequence: 1,
            converting: false,
            destroyed: 0,
            index,
            records_at: [BLOCK, BLOCK + record_size],
            record_size,
            // What pads the bits is ones on encrypted volumes and zeros on decrypted ones.
            bytes: vec![if encrypted { 0xff } else { 0 }; padded(bits)],
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

    /// Says whether chunk `bit` is ciphertext, as the next record of the sequence.
    pub fn set(&mut self, bit: u32, encrypted: bool) {
        if let Some(byte) = self.bytes.get_mut(bit as usize / 8) {
            *byte = *byte & !(1 << (bit % 8)) | u8::from(encrypted) << (bit % 8);
        }
        self.sequence += 1;
    }

    /// Says that the conversion of the region begins, as the next record of the sequence.
    pub fn begin(&mut self) {
        self.converting = true;
        self.sequence += 1;
    }

    /// Returns the header block as it is stored, which never changes.
    pub fn header_bytes(&self) -> Vec<u8> {
        let mut header = Header {
            signature: SIGNATURE,
            header_size: U16::new(size_of::<Header>() as u16),
            size: U32::new(self.size),
            index: U32::new(self.index),
            start: U64::new(self.start),
            length: U64::new(self.length),
            log_at: U64::new(self.log_at),
            records_at: self.records_at.map(U32::new),
            record_size: U32::new(self.record_size),
            checksum: U32::new(0),
        };
        let mut out = vec![0; self.records_at[0] as usize];
        out[..size_of::<Header>()].copy_from_slice(header.as_bytes());
        header.checksum = U32::new(crc32fast::hash(&out));
        out[..size_of::<Header>()].copy_from_slice(header.as_bytes());
        out
    }

    /// Returns the record for the present state, and where in the structure it is to be written.
    pub fn record_bytes(&self) -> (u64, Vec<u8>) {
        let mut record = Record {
            signature: RECORD_SIGNATURE,
            header_size: U16::new(size_of::<Record>() as u16),
            size: U32::new(self.record_size),
            bits: U32::new(self.bits),
            sequence: U64::new(self.sequence),
            flags: U32::new(if self.converting { FLAG_CONVERTING } else { 0 }),
            checksum: U32::new(0),
        };
        let mut out = vec![0; self.record_size as usize];
        out[..size_of::<Record>()].copy_from_slice(record.as_bytes());
        out[size_of::<Record>()..][..self.bytes.len()].copy_from_slice(&self.bytes);
        record.checksum = U32::new(crc32fast::hash(&out));
        out[..size_of::<Record>()].copy_from_slice(record.as_bytes());
        let [odd, even] = self.records_at;
        (u64::from(if self.sequence % 2 == 1 { odd } else { even }), out)
    }
}

/// Returns how many bytes hold `bits`: whole words of 32.
fn padded(bits: u32) -> usize {
    bits.div_ceil(32) as usize * 4
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
mod tests {
    use hex_literal::hex;

    use super::*;

    fn written(states: &[&Bitmap]) -> Vec<u8> {
        let mut out = states[0].header_bytes();
        out.resize(states[0].size as usize, 0);
        for state in states {
            let (at, bytes) = state.record_bytes();
            out[at as usize..at as usize + bytes.len()].copy_from_slice(&bytes);
        }
        out
    }

    #[test]
    fn what_is_written_is_what_a_real_drive_holds() {
        // Region 0 of a drive of 1 GiB whose decryption was paused after five chunks.
        let mut bitmap =
            Bitmap::new(0, (0x2000, 0x21f_e000), 0x1553_d000, 0x80_0000, true).expect("five chunks");
        bitmap.begin();
        (0..5).for_each(|bit| bitmap.set(bit, false));
        assert_eq!((bitmap.size, bitmap.sequence), (0x600, 7));
        let (at, bytes) = bitmap.record_bytes();
        assert_eq!(at, 0x200);
        assert_eq!(
            bytes[..0x28],
            hex!("4656452d454f57425200 2400 00020000 05000000 0700000000000000 02000000 4fcc5661 e0ffffff")
        );
    }

    #[test]
    fn the_newer_whole_record_counts() {
        let old = Bitmap::new(0, (0x2000, 0x5000), 0, 0x2000, true).expect("three chunks");
        let mut new = old.clone();
        new.set(1, false);
        let mut bytes = written(&[&old, &new]);
        assert_eq!(Bitmap::parse(&bytes, 0x2000).as_ref(), Ok(&new));
        assert_eq!([new.bit(0), new.bit(1), new.bit(2), new.bit(1000)], [true, false, true, false]);
        bytes[0x424] ^= 1;
        assert_eq!(Bitmap::parse(&bytes, 0x2000), Ok(Bitmap { destroyed: 1, ..old }));
        bytes[0x224] ^= 1;
        assert_eq!(Bitmap::parse(&bytes, 0x2000).map(|bitmap| bitmap.destroyed), Ok(2));
        bytes[0x10] ^= 1;
        assert_eq!(Bitmap::parse(&bytes, 0x2000), Err("fails its checksum"));
        assert_eq!(Bitmap::parse(&bytes, 0), Err("fails its checksum"));
    }

    #[test]
    fn a_region_must_have_a_bit_for_each_chunk() {
        let bitmap = Bitmap::new(0, (0x2000, 0x6000), 0, 0x2000, true).expect("three chunks");
        let bytes = written(&[&bitmap]);
        assert_eq!(Bitmap::parse(&bytes, 0x1fff), Err("has fewer bits than its region has chunks"));
        assert_eq!(Bitmap::parse(&bytes, 0), Err("has chunks of no length"));
        assert_eq!(Bitmap::parse(&bytes, 0x3000).map(|bitmap| bitmap.bits), Ok(2));
    }

    #[test]
    fn what_cannot_be_counted_is_not_made() {
        assert_eq!(Bitmap::new(0, (0, 0), 0, 0x2000, true), None);
        assert_eq!(Bitmap::new(0, (0, u64::MAX), 0, 0x2000, true), None);
        assert_eq!(Bitmap::new(0, (u64::MAX, 1), 0, 0x2000, true), None);
    }
}
