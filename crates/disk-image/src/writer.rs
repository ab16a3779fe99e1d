//! An image, written in order.

use std::fs::File;
use std::io;

use crate::qcow2::Qcow2;
use crate::raw::invalid;
use crate::{BLOCK, place, zeros};

/// What an image file looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// The bytes as they are.
    Raw,
    /// QEMU's format, version 3.
    Qcow2,
}

/// From where an image can be gone on with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mark {
    /// How much of the image is written.
    pub position: u64,
    /// How long the file is.
    pub end: u64,
}

/// Writes an image from its first byte to its last.
///
/// To go on with an image that was broken off, a [`Mark`] must be known, and everything before it must lie in the
/// file: after [`checkpoint`](Self::checkpoint) and a sync of the file both are so, whatever then is or is not
/// written behind.
#[derive(Debug)]
pub struct Writer {
    file: File,
    length: u64,
    position: u64,
    /// `None` for a raw image.
    qcow2: Option<Qcow2>,
}

impl Writer {
    /// Begins an image of `length` bytes in an empty file.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidInput`] when the format knows no images of this length; or when writing fails.
    pub fn create(file: File, format: Format, length: u64) -> io::Result<Self> {
        let qcow2 = match format {
            Format::Raw => None,
            Format::Qcow2 => Some(Qcow2::create(&file, length)?),
        };
        Ok(Self { file, length, position: 0, qcow2 })
    }

    /// Goes on with an image at a mark. What lies behind is cut off.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidData`] when the file is not what it was at the checkpoint, as far as its length and
    /// its tables show; or when reading or writing fails.
    pub fn resume(file: File, format: Format, length: u64, mark: Mark) -> io::Result<Self> {
        let Mark { position, end } = mark;
        if position == 0 {
            file.set_len(0)?;
            return Self::create(file, format, length);
        }
        if position > length || !(position.is_multiple_of(BLOCK as u64) || position == length) {
            return Err(invalid(format!("no copy of {length} bytes pauses at byte {position}")));
        }
        let there = file.metadata()?.len();
        if there < end {
            return Err(invalid(format!("the file is too short: {there} bytes, not {end}")));
        }
        let qcow2 = match format {
            Format::Raw if end != position => return Err(invalid("a raw image is as long as what is in it")),
            Format::Raw => None,
            Format::Qcow2 => Some(Qcow2::resume(&file, length, position, end)?),
        };
        file.set_len(end)?;
        Ok(Self { file, length, position, qcow2 })
    }

    /// Returns how much of the image is written.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Writes what comes next: whole [blocks](BLOCK), at the end of the image also a part of one.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidInput`] past the end, or after a part of a block; or when writing fails.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let end = self.position.checked_add(bytes.len() as u64).filter(|&end| end <= self.length);
        let Some(end) = end.filter(|_| bytes.is_empty() || self.position.is_multiple_of(BLOCK as u64)) else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        for (start, data) in zeros::between(bytes) {
            let at = self.position + start as u64;
            match &mut self.qcow2 {
                None => place::write(&self.file, at, data)?,
                Some(qcow2) => qcow2.write(&self.file, at, data)?,
            }
        }
        self.position = end;
        Ok(())
    }

    /// Puts into the file whatever it takes to go on from here. The mark holds once the caller has synced the file.
    ///
    /// # Errors
    /// When writing fails.
    pub fn checkpoint(&mut self) -> io::Result<Mark> {
        let end = match &mut self.qcow2 {
            None => self.position,
            Some(qcow2) => {
                qcow2.checkpoint(&self.file)?;
                qcow2.end()
            }
        };
        // Zeros at the end were left out, and a write that failed may have left something.
        self.file.set_len(end)?;
        Ok(Mark { position: self.position, end })
    }

    /// Fills `buf` with bytes that were written before.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidInput`] past the position; [`io::ErrorKind::InvalidData`] when the tables of the image
    /// are damaged; or when reading fails.
    pub fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        if offset.checked_add(buf.len() as u64).is_none_or(|end| end > self.position) {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        match &self.qcow2 {
            None => {
                let there = self.file.metadata()?.len().saturating_sub(offset);
                let there = usize::try_from(there).map_or(buf.len(), |there| there.min(buf.len()));
                let (stored, hole) = buf.split_at_mut(there);
                hole.fill(0);
                place::read(&self.file, offset, stored)
            }
            Some(qcow2) => qcow2.read(&self.file, offset, buf),
        }
    }

    /// Makes the image whole and puts it on the medium; returns how many bytes of that it takes.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidInput`] when not all of it was written; or when writing fails.
    pub fn finish(mut self) -> io::Result<u64> {
        if self.position != self.length {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        match self.qcow2.take() {
            None => self.file.set_len(self.length)?,
            Some(qcow2) => qcow2.finish(&self.file)?,
        }
        self.file.sync_all()?;
        place::stored(&self.file)
    }
}

#[cfg(test)]
mod tests;
