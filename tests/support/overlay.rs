//! Damaged drives without copies: a source of bytes with other bytes laid over it.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use fve::{ReadAt, WriteAt};

/// A drive and what was done to it.
#[derive(Clone)]
pub struct Overlay {
    base: Arc<dyn ReadAt>,
    /// Where the base starts: zeros come before it.
    start: u64,
    size: u64,
    /// Laid on in this order.
    patches: Vec<(u64, Vec<u8>)>,
    /// Ranges that cannot be read.
    bad: Vec<(u64, u64)>,
}

impl Overlay {
    /// Starts with a drive as it is.
    pub fn new(base: &Arc<dyn ReadAt>) -> Self {
        Self { base: base.clone(), start: 0, size: base.size(), patches: Vec::new(), bad: Vec::new() }
    }

    /// Puts the drive into a disk of zeros, as the partition that begins at `start`.
    #[must_use]
    pub fn in_disk(self, start: u64, size: u64) -> Self {
        let base: Arc<dyn ReadAt> = Arc::new(self);
        Self { start, size, ..Self::new(&base) }
    }

    /// Overwrites bytes.
    #[must_use]
    pub fn with(mut self, offset: u64, bytes: &[u8]) -> Self {
        self.patches.push((offset, bytes.to_vec()));
        self
    }

    /// Flips one bit.
    #[must_use]
    pub fn with_flipped(self, offset: u64, bit: u8) -> Self {
        let mut byte = [0];
        self.read_at(offset, &mut byte).expect("a byte of the drive");
        self.with(offset, &[byte[0] ^ 1 << bit])
    }

    /// Makes a range unreadable.
    #[must_use]
    pub fn with_bad(mut self, offset: u64, length: u64) -> Self {
        self.bad.push((offset, offset + length));
        self
    }

    /// Cuts the end off.
    #[must_use]
    pub fn cut_to(self, size: u64) -> Self {
        Self { size, ..self }
    }

    /// Returns it as what a volume is opened from.
    pub fn source(&self) -> Arc<dyn ReadAt> {
        Arc::new(self.clone())
    }
}

/// Copies the part of `from`, which lies at `place`, that falls into `buf`, which lies at `offset`.
fn lay(buf: &mut [u8], offset: u64, place: u64, from: &[u8]) {
    let (start, end) = (place.max(offset), (place + from.len() as u64).min(offset + buf.len() as u64));
    if start < end {
        let source = &from[(start - place) as usize..(end - place) as usize];
        buf[(start - offset) as usize..(end - offset) as usize].copy_from_slice(source);
    }
}

impl ReadAt for Overlay {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        let end = offset.checked_add(buf.len() as u64).filter(|&end| end <= self.size);
        let end = end.ok_or(io::ErrorKind::UnexpectedEof)?;
        if self.bad.iter().any(|&(from, to)| from < end && offset < to) {
            return Err(io::Error::other("a bad sector"));
        }
        let (from, to) = (offset.max(self.start), end.min(self.start + self.base.size()));
        buf.fill(0);
        if from < to {
            let part = &mut buf[(from - offset) as usize..(to - offset) as usize];
            self.base.read_at(from - self.start, part)?;
        }
        for (place, bytes) in &self.patches {
            lay(buf, offset, *place, bytes);
        }
        Ok(())
    }

    fn size(&self) -> u64 {
        self.size
    }
}

/// Part of a source, as a partition is of a disk.
pub struct Window {
    base: Arc<dyn ReadAt>,
    start: u64,
}

impl Window {
    /// Returns what lies from `start` on.
    pub fn from(base: Arc<dyn ReadAt>, start: u64) -> Arc<dyn ReadAt> {
        Arc::new(Self { base, start })
    }
}

impl ReadAt for Window {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        self.base.read_at(self.start.checked_add(offset).ok_or(io::ErrorKind::UnexpectedEof)?, buf)
    }

    fn size(&self) -> u64 {
        self.base.size().saturating_sub(self.start)
    }
}

/// A drive in memory.
pub struct Memory(Mutex<Vec<u8>>);

impl Memory {
    /// Makes a drive of zeros.
    pub fn zeros(size: usize) -> Self {
        Self(Mutex::new(vec![0; size]))
    }

    /// Returns the drive's bytes.
    pub fn into_bytes(self) -> Vec<u8> {
        self.0.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ReadAt for Memory {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).as_slice().read_at(offset, buf)
    }

    fn size(&self) -> u64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len() as u64
    }
}

impl WriteAt for Memory {
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let mut own = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let place = own.get_mut(offset as usize..offset as usize + bytes.len());
        place.ok_or(io::ErrorKind::UnexpectedEof)?.copy_from_slice(bytes);
        Ok(())
    }

    fn flush(&self) -> io::Result<()> {
        Ok(())
    }
}

/// Numbers that look random and are the same in every run.
pub struct Numbers(u64);

impl Numbers {
    /// Starts a sequence.
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// Returns the next number.
    pub fn number(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// Returns a number below `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        self.number() % end
    }

    /// Returns bytes.
    pub fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length.div_ceil(8)).flat_map(|_| self.number().to_le_bytes()).take(length).collect()
    }
}
