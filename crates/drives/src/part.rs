//! A part of a drive.

use std::io;
use std::sync::Arc;

use fve::ReadAt;

/// A part of a drive, such as a partition, read as if it were a drive of its own.
pub struct Part {
    whole: Arc<dyn ReadAt>,
    start: u64,
    size: u64,
}

impl Part {
    /// Takes `size` bytes from `start` on; `None` when they do not lie inside.
    pub fn new(whole: Arc<dyn ReadAt>, start: u64, size: u64) -> Option<Self> {
        let end = start.checked_add(size)?;
        (end <= whole.size()).then_some(Self { whole, start, size })
    }
}

impl ReadAt for Part {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        let end = offset.checked_add(buf.len() as u64).filter(|&end| end <= self.size);
        end.ok_or(io::ErrorKind::UnexpectedEof)?;
        self.whole.read_at(self.start + offset, buf)
    }

    fn size(&self) -> u64 {
        self.size
    }
}
