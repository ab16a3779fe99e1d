//! Files that Windows packs by its overlay filter (WOF): programs and Windows itself, by `compact /exe`
//! and "CompactOS".
//!
//! The file's own content is a hole of the right length; a reparse point says how it is packed, and the
//! stream `WofCompressedData` has it: where each chunk but the first starts, in 4 bytes (8 in files from
//! 4 GiB on), counted from behind this table, then the chunks. A chunk that did not become shorter is stored
//! as it is. The tag and the algorithms are documented by Microsoft (`WOF_EXTERNAL_INFO`,
//! `FILE_PROVIDER_EXTERNAL_INFO_V1`); the stream has the form of a compressed resource in a WIM file.

use zerocopy::little_endian::U32;
use zerocopy::{FromBytes, Immutable, KnownLayout, Unaligned};

use crate::bytes::structure;
use crate::compression;
use crate::error::{Elsewhere, Error, Result, damaged, damaged_file};
use crate::extents::Extent;
use crate::file::{Blocks, Decompressed, File};
use crate::node::FileId;

/// The stream that has the content.
pub(crate) const STREAM: &str = "WofCompressedData";

/// What the reparse point says.
#[derive(FromBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct Information {
    version: U32,
    provider: U32,
    provider_version: U32,
    algorithm: U32,
}

const WIM_PROVIDER: u32 = 1;
const FILE_PROVIDER: u32 = 2;
/// From this length on, places of chunks take eight bytes.
const LONG: u64 = 1 << 32;

#[derive(Clone, Copy)]
enum Algorithm {
    Xpress,
    Lzx,
}

/// The chunks of a packed file.
struct Chunks {
    packed: File,
    size: u64,
    algorithm: Algorithm,
    chunk: usize,
}

/// Opens a packed file of `size` bytes, by what its reparse point says and its stream has.
pub(crate) fn open(id: FileId, point: &[u8], packed: Option<File>, size: u64) -> Result<File> {
    let wrong = |problem| damaged_file("packed content", id, problem);
    let information: &Information = structure(point, 0).ok_or(wrong("has no algorithm"))?;
    match information.provider.get() {
        FILE_PROVIDER => (),
        WIM_PROVIDER => return Err(Error::Elsewhere(Elsewhere::Wim)),
        value => return Err(Error::UnknownForm { what: "WOF provider", value }),
    }
    let (algorithm, chunk) = match information.algorithm.get() {
        0 => (Algorithm::Xpress, 4 << 10),
        1 => (Algorithm::Lzx, 32 << 10),
        2 => (Algorithm::Xpress, 8 << 10),
        3 => (Algorithm::Xpress, 16 << 10),
        value => return Err(Error::UnknownForm { what: "WOF algorithm", value }),
    };
    let packed = packed.ok_or(wrong("is missing"))?;
    let chunks = Chunks { packed, size, algorithm, chunk };
    if chunks.table() > chunks.packed.size() {
        return Err(wrong("is shorter than its table"));
    }
    Ok(File::new(size, Decompressed::new(chunks)))
}

impl Chunks {
    fn count(&self) -> u64 {
        self.size.div_ceil(self.chunk as u64)
    }

    /// The length of an entry of the table.
    fn entry(&self) -> u64 {
        if self.size < LONG { 4 } else { 8 }
    }

    /// The length of the table.
    fn table(&self) -> u64 {
        self.count().saturating_sub(1) * self.entry()
    }

    /// Returns where a chunk starts and ends in the stream.
    fn place(&self, index: u64) -> Result<(u64, u64)> {
        let entry = self.entry() as usize;
        // The first chunk has no entry: it starts behind the table. The last one ends with the stream.
        let wanted = index.saturating_sub(1)..(index + 1).min(self.count() - 1);
        let mut bytes = [0; 16];
        let bytes = &mut bytes[..(wanted.end - wanted.start) as usize * entry];
        self.packed.read_at(wanted.start * entry as u64, bytes)?;
        let mut places = bytes.chunks_exact(entry).map(|place| {
            let mut number = [0; 8];
            number[..entry].copy_from_slice(place);
            u64::from_le_bytes(number).saturating_add(self.table())
        });
        let start = if index == 0 { Some(self.table()) } else { places.next() };
        Ok((start.unwrap_or(u64::MAX), places.next().unwrap_or(self.packed.size())))
    }
}

impl Blocks for Chunks {
    fn block_size(&self) -> usize {
        self.chunk
    }

    fn size(&self) -> u64 {
        self.size
    }

    fn block(&self, index: u64, out: &mut [u8]) -> Result<()> {
        let place = self.packed.extents().first().and_then(|extent| extent.place).unwrap_or(0);
        let wrong = |problem| damaged("packed content", place, problem);
        let (start, end) = self.place(index)?;
        let length = end.checked_sub(start).filter(|&length| length > 0 && length <= out.len() as u64);
        let length = length.ok_or(wrong("has a chunk of a wrong length"))? as usize;
        if length == out.len() {
            return match self.packed.read_at(start, out)? {
                read if read == length => Ok(()),
                _ => Err(wrong("is cut off")),
            };
        }
        let mut chunk = vec![0; length];
        if self.packed.read_at(start, &mut chunk)? < length {
            return Err(wrong("is cut off"));
        }
        let decompressed = match self.algorithm {
            Algorithm::Xpress => compression::xpress(&chunk, out),
            Algorithm::Lzx => compression::lzx(&chunk, out),
        };
        decompressed.ok_or(wrong("cannot be decompressed"))
    }

    fn extents(&self) -> &[Extent] {
        self.packed.extents()
    }
}
