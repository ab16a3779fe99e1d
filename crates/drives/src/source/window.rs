//! A part of a source: a partition inside the image of a whole disk.

use std::io;
use std::sync::Arc;

use fve::{ReadAt, WriteAt};

use super::Source;

/// A part of a [`Source`], read and written as if it were a drive of its own.
#[derive(Clone, Debug)]
pub struct Window {
    source: Arc<Source>,
    offset: u64,
    size: u64,
}

impl Window {
    pub(super) fn new(source: Arc<Source>, offset: u64, size: u64) -> Option<Self> {
        let end = offset.checked_add(size)?;
        (end <= source.size()).then_some(Self { source, offset, size })
    }

    /// Returns where the window starts in its source, in bytes.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Returns what it is a part of.
    pub fn source(&self) -> &Arc<Source> {
        &self.source
    }

    /// Turns a place in the window into one in the source.
    fn place(&self, offset: u64, length: usize) -> io::Result<u64> {
        let inside = offset.checked_add(length as u64).is_some_and(|end| end <= self.size);
        if inside { Ok(self.offset + offset) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }
}

impl ReadAt for Window {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        self.source.read_at(self.place(offset, buf.len())?, buf)
    }

    fn size(&self) -> u64 {
        self.size
    }
}

impl WriteAt for Window {
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.source.write_at(self.place(offset, bytes.len())?, bytes)
    }

    fn flush(&self) -> io::Result<()> {
        self.source.flush()
    }
}
