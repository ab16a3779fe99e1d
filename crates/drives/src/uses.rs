//! Whether a drive is in use, and by what.

use std::path::{Path, PathBuf};
use std::{fmt, io};

use crate::{MountedAt, platform};

/// Something that uses a drive right now.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Use {
    /// A file system on it is mounted there.
    Mounted(PathBuf),
    /// A mapped device of this name stands on it: an opened BitLocker or LUKS volume, LVM, RAID.
    Held(String),
    /// An image file is used like a device, under this one.
    Looped(PathBuf),
    /// A program shows its content as a file system: dislocker, bdemount, this program.
    Served(String),
    /// Linux swaps to it.
    Swap,
}

/// Says it after "the drive is".
impl fmt::Display for Use {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mounted(point) => write!(f, "mounted at {}", point.display()),
            Self::Held(name) => write!(f, "opened as {name}"),
            Self::Looped(device) => write!(f, "attached as {}", device.display()),
            Self::Served(program) => write!(f, "opened by {program}"),
            Self::Swap => f.write_str("used as swap space"),
        }
    }
}

/// Returns what uses the drive at `path`, a device or an image file, the opened one included; nothing
/// when it is free. A whole disk is in use when one of its partitions is.
///
/// Outside Linux only the mount points of a device are known, if that.
///
/// # Errors
/// When the drive cannot be looked at.
pub fn mounted(path: &Path) -> io::Result<Vec<Use>> {
    platform::mounted(path)
}

/// Returns the mounts of one kind, such as `fuse.lastkey`, later ones over earlier ones; none outside Linux.
pub fn mounts_of(kind: &str) -> Vec<MountedAt> {
    platform::mounts_of(kind)
}
