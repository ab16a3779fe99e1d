//! A record of `$MFT`: a header, then the attributes that a file is made of.

use zerocopy::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, KnownLayout, Unaligned};

use crate::bytes::{part, structure};
use crate::error::{Result, damaged};
use crate::node::FileId;
use crate::ntfs::attribute::Attribute;

/// The header of a record.
#[derive(FromBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct Header {
    protected: Protected,
    journal: U64,
    sequence: U16,
    links: U16,
    attributes: U16,
    flags: U16,
    used: U32,
    allocated: U32,
    base: U64,
}

/// What starts every structure that is protected against being half written.
#[derive(FromBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct Protected {
    magic: [u8; 4],
    /// Where the sequence number is, and behind it the bytes that it replaced.
    sequence: U16,
    /// How many numbers that are.
    count: U16,
}

const IN_USE: u16 = 1;
const FOLDER: u16 = 2;
/// The attribute that ends a record.
const END: u32 = 0xffff_ffff;
/// Sequence numbers are checked every so many bytes, whatever the sector size.
const STRIDE: usize = 512;

/// Puts back the bytes that the sequence number took the place of at the end of every 512 bytes. Where the
/// number is another, the drive lost power while the structure was written.
pub(crate) fn restore(bytes: &mut [u8], magic: &[u8; 4], what: &'static str, offset: u64) -> Result<()> {
    let wrong = |problem| damaged(what, offset, problem);
    let header: &Protected = structure(bytes, 0).ok_or(wrong("is too short"))?;
    if header.magic != *magic {
        return Err(wrong("does not start as it must"));
    }
    let (at, count) = (usize::from(header.sequence.get()), usize::from(header.count.get()));
    if count != bytes.len() / STRIDE + 1 {
        return Err(wrong("has a sequence array of another size"));
    }
    let array = part(bytes, at, count * 2).ok_or(wrong("has its sequence array outside"))?.to_vec();
    let (number, saved) = array.split_at(2);
    for (stride, saved) in bytes.chunks_exact_mut(STRIDE).zip(saved.chunks_exact(2)) {
        let end = &mut stride[STRIDE - 2..];
        if end != number {
            return Err(wrong("was only half written"));
        }
        end.copy_from_slice(saved);
    }
    Ok(())
}

/// A record that is in use, or was.
pub(crate) struct Record {
    bytes: Vec<u8>,
    /// Where it lies on the volume.
    pub(crate) offset: u64,
    pub(crate) number: u64,
}

impl Record {
    /// Checks the bytes of a record.
    pub(crate) fn parse(mut bytes: Vec<u8>, offset: u64, number: u64) -> Result<Self> {
        restore(&mut bytes, b"FILE", "file record", offset)?;
        let record = Self { bytes, offset, number };
        structure::<Header>(&record.bytes, 0).ok_or(damaged("file record", offset, "is too short"))?;
        Ok(record)
    }

    fn header(&self) -> &Header {
        structure(&self.bytes, 0).expect("checked when the record was parsed")
    }

    /// Returns its number together with its sequence number.
    pub(crate) fn id(&self) -> FileId {
        FileId(self.number | u64::from(self.header().sequence.get()) << 48)
    }

    pub(crate) fn in_use(&self) -> bool {
        self.header().flags.get() & IN_USE != 0
    }

    pub(crate) fn is_folder(&self) -> bool {
        self.header().flags.get() & FOLDER != 0
    }

    pub(crate) fn links(&self) -> u16 {
        self.header().links.get()
    }

    /// Returns the file to whose record this is an extension.
    pub(crate) fn base(&self) -> Option<FileId> {
        Some(FileId(self.header().base.get())).filter(|base| base.0 != 0)
    }

    /// Returns its attributes; an error ends them.
    pub(crate) fn attributes(&self) -> impl Iterator<Item = Result<Attribute<'_>>> {
        let used = (self.header().used.get() as usize).min(self.bytes.len());
        let mut at = usize::from(self.header().attributes.get());
        std::iter::from_fn(move || {
            let rest = self.bytes.get(at..used).filter(|rest| rest.len() >= 4)?;
            let place = self.offset + at as u64;
            if structure::<U32>(rest, 0)?.get() == END {
                return None;
            }
            let attribute = Attribute::parse(rest, place);
            at = attribute.as_ref().map_or(used, |attribute| at + attribute.length);
            Some(attribute)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn protected() -> Vec<u8> {
        let mut bytes = vec![0; 1024];
        bytes[..8].copy_from_slice(b"FILE\x30\0\x03\0");
        bytes[0x30..0x36].copy_from_slice(&[7, 0, 1, 2, 3, 4]);
        bytes[510] = 7;
        bytes[1022] = 7;
        bytes
    }

    #[test]
    fn replaced_bytes_are_put_back() {
        let mut bytes = protected();
        restore(&mut bytes, b"FILE", "test", 0).expect("a whole record");
        assert_eq!((&bytes[510..512], &bytes[1022..]), (&[1, 2][..], &[3, 4][..]));
    }

    #[test]
    fn what_is_half_written_is_found() {
        for (at, value) in [(0, b'X'), (4, 0xff), (5, 4), (6, 4), (510, 6), (1023, 1)] {
            let mut bytes = protected();
            bytes[at] = value;
            assert!(restore(&mut bytes, b"FILE", "test", 0).is_err(), "{at}");
        }
    }
}
