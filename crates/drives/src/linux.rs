//! The drives of Linux, from what the kernel and udev show as files.

mod block;
mod fuse;
mod list;
mod mounts;
mod stack;
mod udev;
mod uses;

use std::fs::{self, File, Metadata};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use crate::{Attached, DeviceNumber, Layer, MountedAt, Use};

pub fn attached() -> Vec<Attached> {
    System::here().attached()
}

pub fn attached_as(drive: &Attached) -> Option<Attached> {
    System::here().attached_as(drive)
}

/// Hashes what the kernel says of partitions and mounts.
pub fn mark() -> u64 {
    let mut hasher = DefaultHasher::new();
    for file in ["/proc/partitions", "/proc/self/mountinfo"] {
        fs::read(file).ok().hash(&mut hasher);
    }
    hasher.finish()
}

pub fn lies_on(path: &Path) -> io::Result<Vec<Layer>> {
    System::here().lies_on(path)
}

pub fn same_drive(layers: &[Layer], drive: &Path) -> io::Result<bool> {
    System::here().same_drive(layers, drive)
}

pub fn mounted(path: &Path) -> io::Result<Vec<Use>> {
    System::here().uses(path)
}

pub fn mounts_of(kind: &str) -> Vec<MountedAt> {
    let mounts = System::here().mounts().into_iter().map(|mount| mount.at);
    mounts.filter(|at| at.kind == kind).collect()
}

/// The folder that holds `sys`, `proc`, `run` and `dev`: `/`, or a made one in tests.
struct System {
    root: PathBuf,
}

impl System {
    fn here() -> Self {
        Self { root: "/".into() }
    }

    /// Returns where a path that the kernel names lies: only tests have it elsewhere.
    fn at(&self, path: impl AsRef<Path>) -> PathBuf {
        let path = path.as_ref();
        self.root.join(path.strip_prefix("/").unwrap_or(path))
    }
}

/// What identifies a drive however it is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Identity {
    Device(DeviceNumber),
    /// The numbers of a file system and of the file in it.
    File(u64, u64),
}

impl Identity {
    /// Looks at a path; `None` when it is neither a device nor a file.
    fn of(path: &Path) -> io::Result<Option<Self>> {
        Ok(Self::of_metadata(&fs::metadata(path)?))
    }

    fn of_metadata(metadata: &Metadata) -> Option<Self> {
        let kind = metadata.file_type();
        if kind.is_block_device() {
            Some(Self::Device(number(metadata.rdev())))
        } else {
            kind.is_file().then(|| Self::File(metadata.dev(), metadata.ino()))
        }
    }
}

fn number(device: u64) -> DeviceNumber {
    DeviceNumber { major: rustix::fs::major(device), minor: rustix::fs::minor(device) }
}

/// Reads a file of the kernel or of udev, `limit` bytes at most; they hold text, and some tell no length.
fn text(path: &Path, limit: u64) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path).ok()?.take(limit).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

#[cfg(test)]
mod tests;
