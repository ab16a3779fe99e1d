//! Reading and writing at a place, on every system.

use std::fs::File;
use std::io;

/// Writes all of `bytes` at `offset`.
#[cfg(unix)]
pub fn write(file: &File, offset: u64, bytes: &[u8]) -> io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, bytes, offset)
}

/// Fills `buf` with the bytes at `offset`.
#[cfg(unix)]
pub fn read(file: &File, offset: u64, buf: &mut [u8]) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, buf, offset)
}

/// Writes all of `bytes` at `offset`.
#[cfg(windows)]
pub fn write(file: &File, mut offset: u64, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match std::os::windows::fs::FileExt::seek_write(file, bytes, offset)? {
            0 => return Err(io::ErrorKind::WriteZero.into()),
            count => {
                offset += count as u64;
                bytes = bytes.get(count..).unwrap_or_default();
            }
        }
    }
    Ok(())
}

/// Fills `buf` with the bytes at `offset`.
#[cfg(windows)]
pub fn read(file: &File, mut offset: u64, mut buf: &mut [u8]) -> io::Result<()> {
    while !buf.is_empty() {
        match std::os::windows::fs::FileExt::seek_read(file, buf, offset)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            count => {
                offset += count as u64;
                buf = buf.get_mut(count..).unwrap_or_default();
            }
        }
    }
    Ok(())
}

/// Returns how many bytes of the medium a file takes; where the system does not tell, how long it is.
pub fn stored(file: &File) -> io::Result<u64> {
    let metadata = file.metadata()?;
    #[cfg(unix)]
    let stored = std::os::unix::fs::MetadataExt::blocks(&metadata).saturating_mul(512);
    #[cfg(not(unix))]
    let stored = metadata.len();
    Ok(stored)
}
