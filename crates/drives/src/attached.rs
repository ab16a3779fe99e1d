//! The list of the drives that are attached to this computer.

use std::path::PathBuf;

use crate::{DeviceNumber, Signature, platform};

/// A drive that is attached: a partition, or a whole disk that has none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Attached {
    /// What a person calls it: `sda3`, `E:`.
    pub name: String,
    /// What [`Source::open`](crate::Source::open) takes: `/dev/sda3`, `\\.\E:`.
    pub path: PathBuf,
    /// The kernel's number for it; only on Linux.
    pub number: Option<DeviceNumber>,
    /// Its length in bytes; 0 when that takes rights that are missing.
    pub size: u64,
    /// The maker of the disk.
    pub vendor: Option<String>,
    /// The model of the disk.
    pub model: Option<String>,
    /// The label of the file system. A locked BitLocker drive shows none.
    pub label: Option<String>,
    /// What is on it: mostly a file system. `None` when that cannot be known, mostly for want of rights.
    pub content: Option<Signature>,
    /// The name that the partition table gives it.
    pub partition_name: Option<String>,
    /// Whether it is a stick, a card or another drive that people unplug.
    pub removable: bool,
    /// Whether the system refuses to write to it.
    pub read_only: bool,
    /// Where it is mounted; for a BitLocker drive that Linux has opened, where the opened one is.
    pub mounted_at: Vec<PathBuf>,
    /// The mapped devices under which Linux has opened this drive, if it is a BitLocker drive.
    pub opened_as: Vec<String>,
    /// The disk that the partition is on, or what a mapped device stands on.
    pub parent: Option<String>,
    /// The image file behind a loop device or its partition.
    pub backing_file: Option<PathBuf>,
    /// Whether it is a BitLocker drive; `None` when that cannot be known, mostly for want of rights.
    pub is_bitlocker: Option<bool>,
    /// The number by which Linux, since 5.15, tells this disk from all that are plugged in before and
    /// after it.
    pub sequence: Option<u64>,
}

impl Attached {
    /// Looks at the drive again: where it is mounted now. `None` when it was taken out, even if another
    /// one is there in its place.
    pub fn again(&self) -> Option<Self> {
        platform::attached_as(self).filter(|now| now.is_same(self))
    }

    pub(crate) fn is_same(&self, other: &Self) -> bool {
        (self.number, self.size, self.sequence) == (other.number, other.size, other.sequence)
    }
}

/// Lists the drives that are attached, in the order of their names.
///
/// Linux: disks without partitions and partitions, loop devices with a file, other mapped devices only
/// where a file system on them is mounted; no optical and floppy drives, no packages of snap. What udev has found out is
/// used, and where it says nothing the first sector is read, which an unprivileged process cannot.
///
/// Windows: the letters that have a device. Without administrator rights no more than their names is
/// known. A letter that Windows has unlocked reads as if there were no BitLocker, so `is_bitlocker` is
/// then `None`. macOS: the partitions in `/dev`, with as little.
pub fn attached() -> Vec<Attached> {
    platform::attached()
}

/// Returns a number that becomes another one when drives come, go or are mounted. It is cheap: no drive is opened.
pub fn mark() -> u64 {
    platform::mark()
}
