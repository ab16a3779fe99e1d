//! The log of a region: what a chunk looked like before its conversion began.
//!
//! ```text
//! signature sector 0x200 | record 0 | record 1 | signature sector 0x200
//! record: header sector 0x200 | body | header sector again 0x200
//! header: u16 0x20, u16 1, u64 sequence, u64 chunk offset, u32 body length, u32 CRC of body, u32 CRC of header
//! ```
//! An idle record has chunk offset 0 and a body of zeros. Headers and bodies are checked by CRC-32, so
//! a record that was being written when the power failed is recognised; its chunk was not yet touched.

use fve_crypto::SectorCipher;
use zerocopy::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::{Run, Stored, push};
use crate::Error;
use crate::io::ReadAt;

/// What the log keeps of each sector.
pub const BYTES_PER_SECTOR: usize = 16;
/// Larger than any seen (0x80c00), smaller than what could hurt.
pub const MAX_SIZE: u32 = 0x40_0000;

const BLOCK: usize = 0x200;

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

/// Returns the newest whole record.
pub fn newest(log: &[u8], record_size: usize) -> Option<LogRecord> {
    let records = log.get(BLOCK..)?;
    (record_size > 2 * BLOCK)
        .then(|| records.chunks_exact(record_size).take(2))?
        .filter_map(LogRecord::parse)
        .max_by_key(|record| record.sequence)
}

impl LogRecord {
    /// Reads one record: by its first header, or by its last when that is the whole one.
    fn parse(record: &[u8]) -> Option<Self> {
        let inner = record.get(BLOCK..record.len().checked_sub(BLOCK)?)?;
        [record, record.get(record.len() - BLOCK..)?].into_iter().find_map(|bytes| {
            let (header, _) = Header::read_from_prefix(bytes).ok()?;
            let body = inner.get(..header.length.get() as usize)?;
            let sound = usize::from(header.size.get()) == size_of::<Header>()
                && crc32fast::hash(header.as_bytes().get(..0x1c)?) == header.checksum.get()
                && crc32fast::hash(body) == header.body_checksum.get();
            sound.then(|| Self {
                sequence: header.sequence.get(),
                offset: header.offset.get(),
                before: body.to_vec(),
            })
        })
    }

    /// Returns the record when it speaks of a chunk.
    pub(super) fn in_flight(self) -> Option<Self> {
        (self.offset != 0).then_some(self)
    }

    /// Tells for each sector of the chunk how it is stored.
    ///
    /// A sector that still begins as the log says has not been converted. For any other, encrypting
    /// or decrypting what is there gives the log's bytes, and so says what it is now. Where neither
    /// does, the sector is [`Stored::Unknown`].
    pub(super) fn tell_apart(
        &self,
        source: &dyn ReadAt,
        cipher: &SectorCipher,
        chunk: Run,
    ) -> Result<Vec<Run>, Error> {
        let sector_size = cipher.sector_size().bytes();
        let mut sector = vec![0; sector_size];
        let mut found = Vec::with_capacity(self.before.len() / BYTES_PER_SECTOR);
        let starts = (chunk.start..chunk.end).step_by(sector_size);
        for (start, before) in starts.clone().zip(self.before.chunks_exact(BYTES_PER_SECTOR)) {
            source.read_at(start, &mut sector).map_err(|source| Error::Read {
                what: "chunk in conversion",
                offset: start,
                source,
            })?;
            let begins_after = |turn: fn(&SectorCipher, u64, &mut [u8])| {
                let mut turned = sector.clone();
                turn(cipher, start, &mut turned);
                turned.starts_with(before)
            };
            found.push(if sector.starts_with(before) {
                None
            } else if begins_after(SectorCipher::encrypt) {
                Some(Stored::Plain)
            } else if begins_after(SectorCipher::decrypt) {
                Some(Stored::Encrypted)
            } else {
                Some(Stored::Unknown)
            });
        }
        // A sector not yet converted is stored in the other way than one that is; when none is
        // converted, the bitmap has not been changed yet and says how all are stored.
        let untouched = match found.iter().flatten().find(|stored| **stored != Stored::Unknown) {
            Some(Stored::Plain) => Stored::Encrypted,
            Some(_) => Stored::Plain,
            None => chunk.stored,
        };
        let mut runs = Vec::new();
        for (start, stored) in starts.zip(found) {
            let end = (start + sector_size as u64).min(chunk.end);
            push(&mut runs, Run { start, end, stored: stored.unwrap_or(untouched) });
        }
        Ok(runs)
    }
}

#[cfg(test)]
pub(crate) mod made {
    use super::*;

    /// Writes a log whose second record is `record`.
    pub(crate) fn log(record: &LogRecord, record_size: usize) -> Vec<u8> {
        let mut header = Header {
            size: U16::new(0x20),
            version: U16::new(1),
            sequence: U64::new(record.sequence),
            offset: U64::new(record.offset),
            length: U32::new(record.before.len() as u32),
            body_checksum: U32::new(crc32fast::hash(&record.before)),
            checksum: U32::new(0),
        };
        header.checksum = U32::new(crc32fast::hash(&header.as_bytes()[..0x1c]));
        let mut out = vec![0; 2 * BLOCK + 2 * record_size];
        let at = BLOCK + record_size;
        out[at..at + 0x20].copy_from_slice(header.as_bytes());
        out[at + BLOCK..at + BLOCK + record.before.len()].copy_from_slice(&record.before);
        let tail = at + record_size - BLOCK;
        out[tail..tail + 0x20].copy_from_slice(header.as_bytes());
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_torn_record_is_not_whole() {
        let record = LogRecord { sequence: 6, offset: 0x2000, before: vec![7; 32] };
        let size = 0x800;
        let good = made::log(&record, size);
        assert_eq!(newest(&good, size).as_ref(), Some(&record));
        let mut torn = good.clone();
        torn[BLOCK + size] ^= 1; // the first header: the last one still stands
        assert_eq!(newest(&torn, size).as_ref(), Some(&record));
        torn[BLOCK + size + BLOCK] ^= 1; // the body
        assert_eq!(newest(&torn, size), None);
        assert_eq!(newest(&[], size), None);
        assert_eq!(newest(&good, 0), None);
    }
}
