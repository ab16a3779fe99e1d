//! The log of a region: what a chunk looked like before its conversion began.
//!
//! ```text
//! signature block | record 0 | record 1 | signature block again
//! signature: "OLRDHEVF", u16 0x32, u16 1, u16 2, u32 block, u64 volume size, u32 chunk size,
//!            u32 record size, u32 0x20, u32 block, u64 region offset
//! record:    header block | body | header block again
//! header:    u16 0x20, u16 1, u64 sequence, u64 chunk offset, u32 body length, u32 CRC of body,
//!            u32 CRC of the 0x1c bytes before it
//! ```
//! A block has 0x200 bytes (seen with sectors of 512 bytes; with 4096 none was seen, and a reader looks
//! for both). The records are written in turn, one before a chunk is touched and one, idle, when the
//! conversion pauses: chunk offset 0 and a body of zeros. A record that was being written when the
//! power failed fails a CRC; its chunk was not yet touched. The sequence is not that of the bitmap.

use std::cmp::Reverse;

use fve_crypto::SectorCipher;
use zerocopy::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::descriptor::Descriptor;
use super::{Run, Runs, Stored};
use crate::Error;
use crate::io::{self, ReadAt};

/// What the log keeps of each sector.
pub const BYTES_PER_SECTOR: usize = 16;
/// Larger than any seen (0x80c00), smaller than what could hurt.
pub const MAX_SIZE: u32 = 0x40_0000;
/// The length of a block on volumes with sectors of 512 bytes.
pub const BLOCK: usize = 0x200;

const SIGNATURE: [u8; 8] = *b"OLRDHEVF";
const CHECKED: usize = 0x1c;

#[derive(Clone, Copy, IntoBytes, Immutable, Unaligned)]
#[repr(C)]
struct Signature {
    signature: [u8; 8],
    size: U16,
    version: U16,
    records: U16,
    block: U32,
    volume_size: U64,
    chunk: U32,
    record_size: U32,
    header_size: U32,
    first_record: U32,
    region: U64,
}

#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct Header {
    size: U16,
    version: U16,
    sequence: U64,
    offset: U64,
    length: U32,
    body_checksum: U32,
    checksum: U32,
}

/// A whole record of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogRecord {
    /// Counts the records.
    pub sequence: u64,
    /// Where the chunk in conversion starts, 0 for none.
    pub offset: u64,
    /// The first 16 bytes of each of its sectors before the conversion.
    pub before: Vec<u8>,
}

/// Returns the newest whole record of a log that lies in `bytes`.
pub fn newest(bytes: &[u8], record_size: usize) -> Option<LogRecord> {
    records(&bytes, 0, [BLOCK; 2], record_size as u64).next()
}

/// Writes the log of a region that starts at `region`: both signatures, and both records idle.
pub fn idle(descriptor: &Descriptor, volume_size: u64, region: u64) -> Vec<u8> {
    let block = block_size(descriptor);
    let signature = Signature {
        signature: SIGNATURE,
        size: U16::new(size_of::<Signature>() as u16),
        version: U16::new(1),
        records: U16::new(2),
        block: U32::new(block as u32),
        volume_size: U64::new(volume_size),
        chunk: U32::new(descriptor.chunk),
        record_size: U32::new(descriptor.log_record_size),
        header_size: U32::new(size_of::<Header>() as u32),
        first_record: U32::new(block as u32),
        region: U64::new(region),
    };
    let mut out = vec![0; block];
    out[..size_of::<Signature>()].copy_from_slice(signature.as_bytes());
    let record = LogRecord { sequence: 0, offset: 0, before: Vec::new() }.to_bytes(descriptor);
    [out.clone(), record.clone(), record, out].concat()
}

/// Returns the length of a block in a log that is newly made.
fn block_size(descriptor: &Descriptor) -> usize {
    BLOCK.max(descriptor.sector as usize)
}

/// Returns the whole records of the log at `at`, the newest first.
///
/// Headers are read first, and bodies only where they matter: each region has a log, a large drive
/// thousands, and all but one are idle.
fn records(
    source: &dyn ReadAt,
    at: u64,
    blocks: [usize; 2],
    record_size: u64,
) -> impl Iterator<Item = LogRecord> {
    let read = move |place: u64, length: usize| {
        let bytes = io::read_up_to(source, place, length).ok()?;
        (bytes.len() == length).then_some(bytes)
    };
    let headers = |block: usize| {
        let mut headers = Vec::new();
        for slot in 0..2 {
            let start = at.saturating_add(block as u64).saturating_add(slot * record_size);
            let Some(last) = record_size.checked_sub(block as u64) else { continue };
            for place in [start, start.saturating_add(last)] {
                let header = read(place, size_of::<Header>()).and_then(|bytes| Header::parse(&bytes));
                headers.extend(header.map(|header| (slot, start.saturating_add(block as u64), header)));
            }
        }
        headers.retain(|(_, _, header)| {
            u64::from(header.length.get()).saturating_add(2 * block as u64) <= record_size
        });
        headers
    };
    // With the wrong length of a block at most the headers behind the bodies are found.
    let mut headers = blocks.into_iter().map(headers).max_by_key(Vec::len).unwrap_or_default();
    headers.sort_by_key(|(.., header)| Reverse(header.sequence.get()));
    let mut seen = [false; 2];
    headers.into_iter().filter_map(move |(slot, body_at, header)| {
        let seen = seen.get_mut(slot as usize).filter(|seen| !**seen)?;
        let before = match header.offset.get() {
            0 => Vec::new(),
            _ => read(body_at, header.length.get() as usize)
                .filter(|body| crc32fast::hash(body) == header.body_checksum.get())?,
        };
        *seen = true;
        Some(LogRecord { sequence: header.sequence.get(), offset: header.offset.get(), before })
    })
}

/// Returns the whole records of a region's log, the newest first.
pub(super) fn read<'a>(
    source: &'a dyn ReadAt,
    at: u64,
    descriptor: &Descriptor,
) -> impl Iterator<Item = LogRecord> + use<'a> {
    let blocks = [BLOCK, descriptor.sector as usize];
    records(source, at, blocks, u64::from(descriptor.log_record_size.min(MAX_SIZE)))
}

impl Header {
    fn parse(bytes: &[u8]) -> Option<Self> {
        let (header, _) = Self::read_from_prefix(bytes).ok()?;
        let sound = usize::from(header.size.get()) == size_of::<Self>()
            && crc32fast::hash(header.as_bytes().get(..CHECKED)?) == header.checksum.get();
        sound.then_some(header)
    }
}

/// What a sector of a chunk in flight looks like, compared to what the log keeps of it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Seen {
    /// As it was.
    Before,
    /// Converted, and so stored in this way now.
    Converted(Stored),
    /// Neither: it was written to since, or cannot be read.
    Neither,
}

impl LogRecord {
    /// Returns the record as it is stored, as long as the descriptor says.
    ///
    /// # Panics
    /// When the descriptor's records are too short for this one.
    pub fn to_bytes(&self, descriptor: &Descriptor) -> Vec<u8> {
        let (block, size) = (block_size(descriptor), descriptor.log_record_size as usize);
        let mut body = self.before.clone();
        if self.offset == 0 {
            body.resize(size - 2 * block, 0);
        }
        let mut header = Header {
            size: U16::new(size_of::<Header>() as u16),
            version: U16::new(1),
            sequence: U64::new(self.sequence),
            offset: U64::new(self.offset),
            length: U32::new(body.len() as u32),
            body_checksum: U32::new(crc32fast::hash(&body)),
            checksum: U32::new(0),
        };
        header.checksum = U32::new(crc32fast::hash(&header.as_bytes()[..CHECKED]));
        let mut out = vec![0; size];
        out[..size_of::<Header>()].copy_from_slice(header.as_bytes());
        out[block..size - block][..body.len()].copy_from_slice(&body);
        out[size - block..][..size_of::<Header>()].copy_from_slice(header.as_bytes());
        out
    }

    /// Returns where in the log the record lies: an odd sequence is record 0, as in bitmaps.
    pub fn place(&self, descriptor: &Descriptor) -> u64 {
        let even = u64::from(self.sequence.is_multiple_of(2));
        block_size(descriptor) as u64 + even * u64::from(descriptor.log_record_size)
    }

    /// Tells for each sector of the chunk how it is stored.
    ///
    /// A sector that begins as the log says has not been converted. For any other, encrypting or
    /// decrypting what is there gives the log's bytes, and so says what it is now. A sector for which
    /// neither does was written to after the chunk had been converted, if the bitmap says that it has
    /// been; else nobody can tell.
    pub(super) fn tell_apart(
        &self,
        source: &dyn ReadAt,
        cipher: &SectorCipher,
        chunk: Run,
        runs: &mut Runs,
    ) -> Result<(), Error> {
        let sector = cipher.sector_size().bytes() as u64;
        let seen = self.compare(source, cipher, chunk);
        let converted = |stored| seen.contains(&Seen::Converted(stored));
        // Into what the chunk was being converted. Real chunks go one way only.
        let target = match (converted(Stored::Encrypted), converted(Stored::Plain)) {
            (true, false) => Some(Stored::Encrypted),
            (false, true) => Some(Stored::Plain),
            (false, false) => None,
            (true, true) => Some(Stored::Unknown),
        };
        let untouched = match target {
            Some(Stored::Encrypted) => Stored::Plain,
            Some(Stored::Plain) => Stored::Encrypted,
            Some(Stored::Unknown) => Stored::Unknown,
            // Nothing is converted: the bitmap has not been changed and says how all are stored.
            None => chunk.stored,
        };
        let mut start = chunk.start;
        for seen in seen {
            let stored = match seen {
                Seen::Before => untouched,
                Seen::Converted(stored) => stored,
                Seen::Neither if target == Some(chunk.stored) => chunk.stored,
                Seen::Neither => Stored::Unknown,
            };
            let end = (start + sector).min(chunk.end);
            runs.push(Run { start, end, stored })?;
            start = end;
        }
        runs.push(Run { start, end: chunk.end, stored: Stored::Unknown })
    }

    fn compare(&self, source: &dyn ReadAt, cipher: &SectorCipher, chunk: Run) -> Vec<Seen> {
        const BATCH: usize = 0x10_0000;
        let sector = cipher.sector_size().bytes();
        let mut seen = Vec::with_capacity(self.before.len() / BYTES_PER_SECTOR);
        for (n, before) in self.before.chunks(BATCH / sector * BYTES_PER_SECTOR).enumerate() {
            let start = chunk.start.saturating_add((n * BATCH) as u64);
            let mut stored = vec![0; before.len() / BYTES_PER_SECTOR * sector];
            let mut readable = vec![true; before.len() / BYTES_PER_SECTOR];
            if source.read_at(start, &mut stored).is_err() {
                let places = (start..).step_by(sector);
                for ((place, bytes), good) in places.zip(stored.chunks_mut(sector)).zip(&mut readable) {
                    *good = source.read_at(place, bytes).is_ok();
                }
            }
            let (mut encrypted, mut decrypted) = (stored.clone(), stored.clone());
            cipher.encrypt(start, &mut encrypted);
            cipher.decrypt(start, &mut decrypted);
            for (n, before) in before.chunks_exact(BYTES_PER_SECTOR).enumerate() {
                let begins =
                    |bytes: &[u8]| bytes.get(n * sector..).is_some_and(|bytes| bytes.starts_with(before));
                seen.push(match readable.get(n) {
                    Some(true) if begins(&stored) => Seen::Before,
                    Some(true) if begins(&encrypted) => Seen::Converted(Stored::Plain),
                    Some(true) if begins(&decrypted) => Seen::Converted(Stored::Encrypted),
                    _ => Seen::Neither,
                });
            }
        }
        seen
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn descriptor() -> Descriptor {
        Descriptor {
            size: 0x40,
            sector: 512,
            chunk: 0x4000,
            log_size: 0x1400,
            log_record_size: 0x800,
            places: [0, 0],
            bitmaps: vec![0],
        }
    }

    fn log(records: &[LogRecord]) -> Vec<u8> {
        let descriptor = descriptor();
        let mut log = idle(&descriptor, 1 << 20, 0x2000);
        for record in records {
            let (at, bytes) = (record.place(&descriptor) as usize, record.to_bytes(&descriptor));
            log[at..at + bytes.len()].copy_from_slice(&bytes);
        }
        log
    }

    #[test]
    fn the_signature_is_as_on_a_real_drive() {
        let log = idle(&Descriptor { chunk: 0x80_0000, ..descriptor() }, 0x3fef_0000, 0x2000);
        let expected = hex_literal::hex!(
            "4f4c524448455646 3200 0100 0200 00020000 0000ef3f00000000 00008000 00080000
             20000000 00020000 0020000000000000"
        );
        assert_eq!(log[..expected.len()], expected);
        assert_eq!(log.len(), 0x1400);
        assert_eq!(log[..0x200], log[0x1200..]);
        // The header of an idle record, with a body of 0x40000 zeros.
        let real =
            hex_literal::hex!("2000 0100 0700000000000000 0000000000000000 00000400 22ea0ee2 a69b9285");
        let own = LogRecord { sequence: 7, offset: 0, before: Vec::new() }
            .to_bytes(&Descriptor { log_record_size: 0x4_0400, ..descriptor() });
        assert_eq!(own[..0x20], real);
    }

    #[test]
    fn a_torn_record_is_not_whole() {
        let old = LogRecord { sequence: 5, offset: 0x6000, before: vec![3; 0x200] };
        let record = LogRecord { sequence: 6, offset: 0x2000, before: vec![7; 0x200] };
        let (size, good) = (0x800, log(&[old.clone(), record.clone()]));
        assert_eq!(newest(&good, size).as_ref(), Some(&record));
        let place = |record: &LogRecord| record.place(&descriptor()) as usize;
        let mut torn = good.clone();
        torn[place(&record)] ^= 1; // the first header: the last one still stands
        assert_eq!(newest(&torn, size).as_ref(), Some(&record));
        torn[place(&record) + BLOCK] ^= 1; // the body
        assert_eq!(newest(&torn, size).as_ref(), Some(&old));
        torn[place(&old) + BLOCK] ^= 1;
        assert_eq!(newest(&torn, size), None);
        assert_eq!(newest(&[], size), None);
        assert_eq!(newest(&good, 0), None);
    }

    #[test]
    fn an_old_header_before_a_new_body_does_not_count() {
        let old = LogRecord { sequence: 4, offset: 0x6000, before: vec![3; 0x200] };
        let record = LogRecord { sequence: 6, offset: 0x2000, before: vec![7; 0x200] };
        let (before, mut torn) = (log(&[old]), log(std::slice::from_ref(&record)));
        let at = record.place(&descriptor()) as usize;
        torn[at..at + BLOCK].copy_from_slice(&before[at..at + BLOCK]);
        assert_eq!(newest(&torn, 0x800), Some(record));
    }
}
