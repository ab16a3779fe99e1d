//! Bytes with a place: what a volume is read from and written to.

use std::io;

/// Something that can be read at any place, from many threads at once.
///
/// Implemented by whoever owns the device or file; `fve` itself opens nothing.
pub trait ReadAt: Send + Sync {
    /// Fills `buf` with the bytes at `offset`; an error when they are not all there.
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()>;

    /// Returns the number of bytes that can be read.
    fn size(&self) -> u64;
}

/// Something that can also be written.
pub trait WriteAt: ReadAt {
    /// Writes all of `bytes` at `offset`.
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()>;

    /// Returns once all earlier writes are on the medium.
    fn flush(&self) -> io::Result<()>;
}

/// Reads `length` bytes at `offset`, or as many as there are before the end.
pub(crate) fn read_up_to(source: &dyn ReadAt, offset: u64, length: usize) -> io::Result<Vec<u8>> {
    let there = source.size().saturating_sub(offset);
    let length = usize::try_from(there).map_or(length, |there| there.min(length));
    let mut bytes = vec![0; length];
    source.read_at(offset, &mut bytes)?;
    Ok(bytes)
}

/// Reads like [`read_up_to`], but on a failing drive gives what lies before the first bad sector, and
/// what the operating system said of it.
pub(crate) fn read_before_damage(
    source: &dyn ReadAt,
    offset: u64,
    length: usize,
) -> (Vec<u8>, Option<io::Error>) {
    const SECTOR: usize = 512;
    let error = match read_up_to(source, offset, length) {
        Ok(bytes) => return (bytes, None),
        Err(error) => error,
    };
    let mut bytes = Vec::new();
    while bytes.len() < length
        && let Ok(sector) = read_up_to(source, offset + bytes.len() as u64, SECTOR)
        && !sector.is_empty()
    {
        bytes.extend_from_slice(&sector);
    }
    (bytes, Some(error))
}

impl<T: ReadAt + ?Sized> ReadAt for &T {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        (**self).read_at(offset, buf)
    }

    fn size(&self) -> u64 {
        (**self).size()
    }
}

impl<T: ReadAt + ?Sized> ReadAt for Box<T> {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        (**self).read_at(offset, buf)
    }

    fn size(&self) -> u64 {
        (**self).size()
    }
}

impl<T: ReadAt + ?Sized> ReadAt for std::sync::Arc<T> {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        (**self).read_at(offset, buf)
    }

    fn size(&self) -> u64 {
        (**self).size()
    }
}

impl ReadAt for [u8] {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        let place = usize::try_from(offset)
            .ok()
            .and_then(|start| self.get(start..start.checked_add(buf.len())?))
            .ok_or(io::ErrorKind::UnexpectedEof)?;
        buf.copy_from_slice(place);
        Ok(())
    }

    fn size(&self) -> u64 {
        self.len() as u64
    }
}

impl ReadAt for Vec<u8> {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        self.as_slice().read_at(offset, buf)
    }

    fn size(&self) -> u64 {
        self.len() as u64
    }
}
