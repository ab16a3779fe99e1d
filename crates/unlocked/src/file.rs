//! The content of one file or stream, read at any place.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use fve::ReadAt;

use crate::error::{Result, damaged_file};
use crate::extents::{Extent, Extents};
use crate::node::FileId;

/// An opened file or stream. It can be read from many threads at once, and clones are cheap.
#[derive(Clone)]
pub struct File {
    contents: Arc<dyn Contents>,
    size: u64,
}

impl File {
    pub(crate) fn new(size: u64, contents: impl Contents + 'static) -> Self {
        Self { contents: Arc::new(contents), size }
    }

    /// Returns the length of the content in bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Returns how far the content was ever written. Behind it are zeros, whatever the drive has there.
    pub(crate) fn written(&self) -> u64 {
        self.contents.written().map_or(self.size, |written| written.min(self.size))
    }

    /// Reads what is at `offset`, and returns how many bytes that are: less than `buf` takes only at the
    /// end of the file.
    ///
    /// # Errors
    /// When the drive cannot be read there, or what is there cannot be decompressed. `buf` may then have
    /// been written to.
    pub fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<usize> {
        let left = self.size.saturating_sub(offset);
        let length = usize::try_from(left).map_or(buf.len(), |left| left.min(buf.len()));
        if length > 0 {
            self.contents.read_at(offset, &mut buf[..length])?;
        }
        Ok(length)
    }

    /// Returns where the content is stored on the volume, in order. Compressed content has other offsets
    /// there than [`read_at`](Self::read_at) knows; very short content is stored in the file's own record.
    pub fn extents(&self) -> &[Extent] {
        self.contents.extents()
    }
}

impl fmt::Debug for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("File").field("size", &self.size).finish_non_exhaustive()
    }
}

/// A way in which content is stored.
pub(crate) trait Contents: Send + Sync {
    /// Fills `buf`, which does not reach past the file's size.
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<()>;

    fn extents(&self) -> &[Extent];

    /// How far the content was ever written, when that is not its size.
    fn written(&self) -> Option<u64> {
        None
    }
}

/// Content that is stored as it is.
pub(crate) struct Plain {
    pub(crate) source: Arc<dyn ReadAt>,
    pub(crate) extents: Extents,
    /// How far the content was ever written. Behind it are zeros, whatever the drive has there.
    pub(crate) valid: u64,
    /// Whose content it is.
    pub(crate) id: FileId,
}

impl Contents for Plain {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
        let valid = self.valid.saturating_sub(offset);
        let valid = usize::try_from(valid).map_or(buf.len(), |valid| valid.min(buf.len()));
        let (stored, never_written) = buf.split_at_mut(valid);
        never_written.fill(0);
        if offset + stored.len() as u64 > self.extents.end() {
            return Err(damaged_file("chain of clusters", self.id, "ends before the file does"));
        }
        self.extents.read(&self.source, "file", offset, stored)
    }

    fn extents(&self) -> &[Extent] {
        self.extents.as_slice()
    }

    fn written(&self) -> Option<u64> {
        Some(self.valid)
    }
}

/// Content that is stored in the file's record.
pub(crate) struct Resident {
    pub(crate) bytes: Vec<u8>,
    /// Where on the volume it lies.
    pub(crate) extents: Extents,
}

impl Contents for Resident {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
        let stored = usize::try_from(offset).ok().and_then(|offset| self.bytes.get(offset..)).unwrap_or(&[]);
        let length = stored.len().min(buf.len());
        buf[..length].copy_from_slice(&stored[..length]);
        buf[length..].fill(0);
        Ok(())
    }

    fn extents(&self) -> &[Extent] {
        self.extents.as_slice()
    }
}

/// Content that is compressed in blocks of one size.
pub(crate) trait Blocks: Send + Sync {
    /// The length of a decompressed block, at most 1 MiB; the last one may be shorter.
    fn block_size(&self) -> usize;

    /// The length of the whole content.
    fn size(&self) -> u64;

    /// Decompresses a block into `out`, which is as long as it is.
    fn block(&self, index: u64, out: &mut [u8]) -> Result<()>;

    fn extents(&self) -> &[Extent];
}

/// Reads blocks at any place, and keeps the last one: small reads that follow one another are the rule.
pub(crate) struct Decompressed<B> {
    blocks: B,
    last: Mutex<Option<(u64, Arc<[u8]>)>>,
}

impl<B: Blocks> Decompressed<B> {
    pub(crate) fn new(blocks: B) -> Self {
        Self { blocks, last: Mutex::new(None) }
    }

    fn kept(&self, index: u64) -> Result<Arc<[u8]>> {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((kept, block)) = last
            && kept == index
        {
            return Ok(block);
        }
        let mut block = vec![0; self.length(index)];
        self.blocks.block(index, &mut block)?;
        let block: Arc<[u8]> = block.into();
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some((index, block.clone()));
        Ok(block)
    }

    fn length(&self, index: u64) -> usize {
        let size = self.blocks.block_size();
        let left = self.blocks.size().saturating_sub(index.saturating_mul(size as u64));
        usize::try_from(left).map_or(size, |left| left.min(size))
    }
}

impl<B: Blocks> Contents for Decompressed<B> {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
        let size = self.blocks.block_size() as u64;
        let (mut index, mut within, mut rest) = (offset / size, (offset % size) as usize, buf);
        while !rest.is_empty() {
            let length = self.length(index).saturating_sub(within).min(rest.len());
            if length == 0 {
                rest.fill(0);
                break;
            }
            let (piece, more) = rest.split_at_mut(length);
            if length == self.length(index) {
                self.blocks.block(index, piece)?;
            } else {
                piece.copy_from_slice(&self.kept(index)?[within..within + length]);
            }
            (index, within, rest) = (index + 1, 0, more);
        }
        Ok(())
    }

    fn extents(&self) -> &[Extent] {
        self.blocks.extents()
    }
}
