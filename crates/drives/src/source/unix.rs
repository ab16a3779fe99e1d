//! Opening, reading and writing on Linux, macOS and the BSDs.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, FileTypeExt};
use std::path::Path;

use super::Kind;

pub fn is_device_path(path: &Path) -> bool {
    path.starts_with("/dev")
}

/// Looks before opening: opening a pipe would wait for a writer that never comes.
pub fn kind(path: &Path) -> io::Result<Kind> {
    let kind = fs::metadata(path)?.file_type();
    // macOS has each disk twice, as the block device diskN and the character device rdiskN.
    let raw_disk = !cfg!(target_os = "linux")
        && kind.is_char_device()
        && path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"rdisk"));
    Ok(match kind {
        kind if kind.is_file() => Kind::File,
        kind if kind.is_block_device() || raw_disk => Kind::Device,
        kind if kind.is_dir() => Kind::Folder,
        _ => Kind::Other,
    })
}

pub fn open(path: &Path, writable: bool, device: bool) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(writable);
    // On a block device Linux takes O_EXCL as "fail if it is mounted or held".
    #[cfg(target_os = "linux")]
    if writable && device {
        use std::os::unix::fs::OpenOptionsExt;
        let flags = rustix::fs::OFlags::EXCL.bits();
        options.custom_flags(i32::try_from(flags).map_err(io::Error::other)?);
    }
    #[cfg(not(target_os = "linux"))]
    let _ = device;
    options.open(path)
}

/// Opens a device to be read past the system's cache; `None` where that is not known.
#[cfg(target_os = "linux")]
pub fn open_direct(path: &Path) -> Option<File> {
    use std::os::unix::fs::OpenOptionsExt;
    let flags = i32::try_from(rustix::fs::OFlags::DIRECT.bits()).ok()?;
    OpenOptions::new().read(true).custom_flags(flags).open(path).ok()
}

#[cfg(not(target_os = "linux"))]
pub fn open_direct(_: &Path) -> Option<File> {
    None
}

pub fn read(file: &File, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
    file.read_at(buf, offset)
}

pub fn write(file: &File, offset: u64, bytes: &[u8]) -> io::Result<usize> {
    file.write_at(bytes, offset)
}

#[cfg(target_os = "linux")]
pub fn sector_size(file: &File) -> Option<u32> {
    rustix::fs::ioctl_blksszget(file).ok()
}

#[cfg(not(target_os = "linux"))]
pub fn sector_size(_: &File) -> Option<u32> {
    None
}
