//! The index of a folder: the names in it, sorted, in blocks that form a tree.

use std::cmp::Ordering;

use zerocopy::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, KnownLayout, Unaligned};

use crate::bytes::{part, structure, utf16};
use crate::case::Case;
use crate::error::{Result, damaged};
use crate::node::FileId;

/// What precedes the entries of a block.
#[derive(FromBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct BlockHeader {
    /// From the start of this header, like the next.
    entries: U32,
    end: U32,
}

/// What precedes the name in an entry.
#[derive(FromBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct EntryHeader {
    file: U64,
    length: U16,
    key_length: U16,
    flags: U16,
    unused: U16,
}

/// A name, and a copy of what the file's record says, which may be old.
#[derive(FromBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct FileName {
    parent: U64,
    times: [U64; 4],
    sizes: [U64; 2],
    attributes: U32,
    /// The tag when the file is a reparse point.
    reparse: U32,
    length: u8,
    namespace: u8,
}

const ENTRY: usize = size_of::<EntryHeader>();
const HAS_CHILD: u16 = 1;
const LAST: u16 = 2;
/// Where the entries' header lies in a block outside the file's record.
pub(crate) const BLOCK_HEADER: usize = 0x18;
/// The name of a folder's index.
pub(crate) const NAME: [u16; 4] = [b'$' as u16, b'I' as u16, b'3' as u16, b'0' as u16];

const DOS: u8 = 2;

/// An entry of an index.
pub(crate) struct IndexEntry<'a> {
    pub(crate) file: FileId,
    /// Its name; the last entry of a block has none.
    pub(crate) name: Option<IndexName<'a>>,
    /// The block with the names before this one, in the index's own units.
    pub(crate) child: Option<u64>,
    /// Where the next entry starts, from the header.
    pub(crate) next: usize,
}

/// The name in an entry.
#[derive(Clone, Copy)]
pub(crate) struct IndexName<'a> {
    /// The folder that it is in.
    pub(crate) folder: FileId,
    units: &'a [u8],
    pub(crate) attributes: u32,
    pub(crate) reparse: u32,
    namespace: u8,
}

impl<'a> IndexName<'a> {
    /// Reads the value of a file name attribute, which is also the key of an index entry.
    pub(crate) fn parse(bytes: &'a [u8]) -> Option<Self> {
        let header: &FileName = structure(bytes, 0)?;
        Some(Self {
            folder: FileId(header.parent.get()),
            units: part(bytes, size_of::<FileName>(), usize::from(header.length) * 2)?,
            attributes: header.attributes.get(),
            reparse: header.reparse.get(),
            namespace: header.namespace,
        })
    }

    pub(crate) fn units(&self) -> impl Iterator<Item = u16> + use<'a> {
        utf16(self.units)
    }

    /// Returns whether it is the short name of a file that has a long one.
    pub(crate) fn is_short(&self) -> bool {
        self.namespace == DOS
    }

    /// Returns whether a name is before or behind this one, by the order of the index, and whether they
    /// differ in no more than case.
    pub(crate) fn compare(&self, case: &Case, name: &[u16]) -> (Ordering, bool) {
        let name = name.iter().copied();
        match case.compare(name.clone(), self.units()) {
            Ordering::Equal => (name.cmp(self.units()), true),
            order => (order, false),
        }
    }
}

/// Reads the entry of a block at `at`, 0 for the first one. `block` starts with the entries' header,
/// which lies at `place`.
pub(crate) fn entry(block: &[u8], at: usize, place: u64) -> Result<IndexEntry<'_>> {
    let wrong = |problem| damaged("index of a folder", place, problem);
    let header: &BlockHeader = structure(block, 0).ok_or(wrong("is cut off"))?;
    let at = if at == 0 { header.entries.get() as usize } else { at };
    let end = header.end.get() as usize;
    let wrong = |problem| damaged("index entry", place + at as u64, problem);
    let rest = block.get(at..end).ok_or(wrong("is outside its block"))?;
    let header: &EntryHeader = structure(rest, 0).ok_or(wrong("is cut off"))?;
    let length = usize::from(header.length.get());
    let bytes = rest.get(..length).filter(|bytes| bytes.len() >= ENTRY).ok_or(wrong("has a wrong length"))?;
    let flags = header.flags.get();
    let name = if flags & LAST == 0 {
        let key = part(bytes, ENTRY, header.key_length.get().into());
        Some(key.and_then(IndexName::parse).ok_or(wrong("has its name outside"))?)
    } else {
        None
    };
    let child = if flags & HAS_CHILD == 0 {
        None
    } else {
        let child = bytes.get(ENTRY..).and_then(|rest| rest.last_chunk());
        Some(u64::from_le_bytes(*child.ok_or(wrong("leads nowhere"))?))
    };
    Ok(IndexEntry { file: FileId(header.file.get()), name, child, next: at + length })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(name: &str, flags: u8) -> Vec<u8> {
        let units: Vec<u8> = name.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let key = size_of::<FileName>() + units.len();
        let length = ENTRY + key + 8;
        let mut block = vec![0; 16 + length];
        block[0] = 16;
        block[4] = block.len() as u8;
        block[16 + 8] = length as u8;
        block[16 + 10] = key as u8;
        block[16 + 12] = flags;
        block[16 + ENTRY + 64] = (units.len() / 2) as u8;
        block[16 + ENTRY + 66..][..units.len()].copy_from_slice(&units);
        *block.last_chunk_mut().expect("room for a number") = 7_u64.to_le_bytes();
        block
    }

    #[test]
    fn entries_have_a_name_and_a_child() {
        let block = block("Größe", 1);
        let entry = entry(&block, 0, 0).expect("a good entry");
        assert_eq!((entry.child, entry.next), (Some(7), block.len()));
        let name = entry.name.expect("it is not the last");
        let case = Case::unicode();
        let compare = |other: &str| name.compare(&case, &other.encode_utf16().collect::<Vec<_>>());
        assert_eq!(compare("Größe"), (Ordering::Equal, true));
        assert_eq!(compare("GRÖßE"), (Ordering::Less, true));
        assert_eq!(compare("größe"), (Ordering::Greater, true));
        assert_eq!(compare("Groß"), (Ordering::Less, false));
    }

    #[test]
    fn hostile_entries_are_errors() {
        for (at, value) in [
            (0, 0xff),
            (4, 0xff),
            (4, 20),
            (16 + 8, 15),
            (16 + 8, 0xff),
            (16 + 10, 20),
            (16 + ENTRY + 64, 99),
        ] {
            let mut block = block("name", 0);
            block[at] = value;
            assert!(entry(&block, 0, 0).is_err(), "{at} {value}");
        }
    }
}
