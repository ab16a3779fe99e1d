//! What a folder stands on: file system, mapped devices, partition, disk, and image files between them.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::{fmt, io};

use crate::platform;

/// The number by which the kernel knows a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DeviceNumber {
    /// The driver.
    pub major: u32,
    /// The device among those of the driver.
    pub minor: u32,
}

impl fmt::Display for DeviceNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.major, self.minor)
    }
}

/// A file system as it is mounted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MountedAt {
    /// Its type, as the system names it: `ext4`, `fuse.dislocker-fuse`.
    pub kind: String,
    /// What was mounted, as the system names it: a device, a server, or any word.
    pub source: OsString,
    /// Where it is mounted.
    pub mount_point: PathBuf,
}

/// One of the things that a folder stands on.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Layer {
    /// A mounted file system. What it stands on follows.
    FileSystem(MountedAt),
    /// A file system of another computer.
    Network(MountedAt),
    /// A folder that the host lends to this virtual machine; in WSL a drive of Windows.
    Host(MountedAt),
    /// A file system that is gone when the computer is switched off.
    Memory(MountedAt),
    /// A file system that does not tell what it stands on: it may be anything, and anywhere.
    Unknown(MountedAt),
    /// A device: mapped, partition or disk.
    Device {
        /// What a person calls it: `sda3`, `E:`.
        name: String,
        /// Where to open it.
        path: PathBuf,
        /// The kernel's number for it; only on Linux.
        number: Option<DeviceNumber>,
        /// For a mapped device, the name and the uuid that its maker gave it: `CRYPT-BITLK-...`.
        mapping: Option<(String, String)>,
    },
    /// A file that is used like a device.
    Image {
        /// Where the file is.
        path: PathBuf,
        /// The numbers of its file system and of the file in it, which every name of the file shares.
        identity: Option<(u64, u64)>,
    },
}

/// What opened a BitLocker drive so that a folder could lie on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opener {
    /// `cryptsetup open --type bitlk`, also behind the desktops' own dialogs.
    Cryptsetup,
    /// `dislocker`.
    Dislocker,
    /// `bdemount` of libbde.
    Libbde,
    /// This program.
    Lastkey,
}

impl Layer {
    /// Returns what opened the BitLocker drive that this layer is the inside of, or `None` when it is not.
    ///
    /// Windows hides its own unlocking; there the answer is always `None`.
    pub fn opened_by(&self) -> Option<Opener> {
        match self {
            Self::Device { mapping: Some((_, uuid)), .. } => {
                uuid.starts_with("CRYPT-BITLK-").then_some(Opener::Cryptsetup)
            }
            Self::FileSystem(mounted) | Self::Unknown(mounted) => match mounted.kind.as_str() {
                "fuse.lastkey" => Some(Opener::Lastkey),
                kind if kind.starts_with("fuse.dislocker") => Some(Opener::Dislocker),
                kind if kind.starts_with("fuse.bdemount") => Some(Opener::Libbde),
                // bdemount names itself nowhere, but the one file it shows is always called so.
                "fuse" if mounted.mount_point.join("bde1").is_file() => Some(Opener::Libbde),
                _ => None,
            },
            _ => None,
        }
    }
}

/// Names it for a message: `sda3`, `the image file /home/me/disk.img`, `the network share //nas/backup`.
impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FileSystem(at) => write!(f, "the {} file system at {}", at.kind, at.mount_point.display()),
            Self::Network(at) => write!(f, "the network share {}", at.source.display()),
            Self::Host(at) => write!(f, "the host's folder {}", at.source.display()),
            Self::Memory(at) => write!(f, "this computer's memory, at {}", at.mount_point.display()),
            Self::Unknown(at) => {
                write!(f, "{}, which is not known to lie on any drive", at.mount_point.display())
            }
            Self::Device { name, mapping, .. } => {
                f.write_str(mapping.as_ref().map_or(name, |(name, _)| name))
            }
            Self::Image { path, .. } => write!(f, "the image file {}", path.display()),
        }
    }
}

/// Returns everything that a folder or file stands on, from its file system down to the disks.
///
/// What does not exist yet is judged by the folder it would come to lie in; a device stands on itself.
/// Several disks under one file system follow one another. [`Layer::Unknown`] says where sight ends.
///
/// # Errors
/// When the path cannot be looked at.
pub fn lies_on(path: &Path) -> io::Result<Vec<Layer>> {
    platform::lies_on(path)
}

/// Returns whether these layers stand on the drive at `drive`, a device or an image file.
///
/// A folder on a partition stands on the disk too, and on the image of the disk; a folder on one
/// partition does not stand on another of the same disk.
///
/// # Errors
/// When the drive cannot be looked at.
pub fn same_drive(layers: &[Layer], drive: &Path) -> io::Result<bool> {
    platform::same_drive(layers, drive)
}

/// Returns the layers that are the inside of an opened BitLocker drive, each with what opened it.
pub fn opened_bitlocker(layers: &[Layer]) -> impl Iterator<Item = (&Layer, Opener)> {
    layers.iter().filter_map(|layer| Some((layer, layer.opened_by()?)))
}
