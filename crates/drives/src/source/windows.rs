//! Opening, reading and writing on Windows.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::windows::fs::FileExt;
use std::path::Path;

use super::Kind;

/// Returns whether the path names a device: `\\.\E:`, `\\.\PhysicalDrive1`.
pub fn is_device_path(path: &Path) -> bool {
    path.as_os_str().as_encoded_bytes().starts_with(br"\\.\")
}

/// Devices are known by their names: asking for their metadata fails.
pub fn kind(path: &Path) -> io::Result<Kind> {
    if is_device_path(path) {
        return Ok(Kind::Device);
    }
    Ok(match fs::metadata(path)?.file_type() {
        kind if kind.is_file() => Kind::File,
        kind if kind.is_dir() => Kind::Folder,
        _ => Kind::Other,
    })
}

pub fn open(path: &Path, writable: bool, _device: bool) -> io::Result<File> {
    OpenOptions::new().read(true).write(writable).open(path)
}

/// Not needed: raw devices are never cached.
pub fn open_direct(_: &Path) -> Option<File> {
    None
}

pub fn read(file: &File, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
    match file.seek_read(buf, offset) {
        // ERROR_HANDLE_EOF
        Err(error) if error.raw_os_error() == Some(38) => Ok(0),
        other => other,
    }
}

pub fn write(file: &File, offset: u64, bytes: &[u8]) -> io::Result<usize> {
    file.seek_write(bytes, offset)
}

pub fn sector_size(_: &File) -> Option<u32> {
    None
}
