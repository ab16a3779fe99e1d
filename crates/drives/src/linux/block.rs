//! Block devices as sysfs shows them: a folder for each, linked from `/sys/class/block`.

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use super::{System, text};
use crate::DeviceNumber;

/// A block device. Everything is read when asked for: most questions need little of it.
#[derive(Clone, Debug)]
pub struct Block {
    /// The kernel's name: `sda3`, `dm-0`.
    pub name: String,
    pub number: DeviceNumber,
    /// Its folder below `/sys/devices`, a partition's inside that of its disk.
    folder: PathBuf,
}

impl System {
    /// Returns all block devices, ordered by name.
    pub(super) fn blocks(&self) -> Vec<Block> {
        let mut blocks: Vec<_> = names(&self.at("sys/class/block"))
            .into_iter()
            .filter_map(|name| self.block_named(&name))
            .collect();
        blocks.sort_by(|a, b| natural(&a.name).cmp(&natural(&b.name)));
        blocks
    }

    pub(super) fn block_named(&self, name: &str) -> Option<Block> {
        Block::at(&self.at("sys/class/block").join(name))
    }

    pub(super) fn block_numbered(&self, number: DeviceNumber) -> Option<Block> {
        Block::at(&self.at("sys/dev/block").join(number.to_string()))
    }

    /// Returns what a mapped device or RAID stands on.
    pub(super) fn slaves(&self, block: &Block) -> Vec<Block> {
        names(&block.folder.join("slaves")).iter().filter_map(|name| self.block_named(name)).collect()
    }

    /// Returns the mapped devices and RAIDs that stand on it.
    pub(super) fn holders(&self, block: &Block) -> Vec<Block> {
        names(&block.folder.join("holders")).iter().filter_map(|name| self.block_named(name)).collect()
    }
}

impl Block {
    fn at(link: &Path) -> Option<Self> {
        let folder = fs::canonicalize(link).ok()?;
        let name = folder.file_name()?.to_str()?.to_owned();
        let number = parse_number(&line(&folder.join("dev"))?)?;
        Some(Self { name, number, folder })
    }

    /// Returns where to open it. The kernel writes `!` where the name of a device has a slash.
    pub fn path(&self) -> PathBuf {
        match self.mapping() {
            Some((name, _)) => Path::new("/dev/mapper").join(name),
            None => Path::new("/dev").join(self.name.replace('!', "/")),
        }
    }

    /// Returns the length in bytes; sysfs counts in 512 whatever the sectors are.
    pub fn size(&self) -> u64 {
        self.read("size")
            .and_then(|sectors| sectors.parse().ok())
            .map_or(0, |sectors: u64| sectors.saturating_mul(512))
    }

    pub fn is_read_only(&self) -> bool {
        self.is_set("ro")
    }

    /// Returns the number of a disk that no other disk gets before the computer starts again.
    pub fn sequence(&self) -> Option<u64> {
        self.read("diskseq")?.parse().ok()
    }

    /// Returns whether it is a second way to a disk, for the kernel's own use.
    pub fn is_hidden(&self) -> bool {
        self.is_set("hidden")
    }

    /// Returns the disk that a partition is on.
    pub fn disk(&self) -> Option<Self> {
        self.folder.join("partition").exists().then(|| Self::at(self.folder.parent()?)).flatten()
    }

    pub fn partitions(&self) -> Vec<Self> {
        let inside = names(&self.folder).into_iter().map(|name| self.folder.join(name));
        inside
            .filter(|folder| folder.join("partition").exists())
            .filter_map(|folder| Self::at(&folder))
            .collect()
    }

    /// Returns the name and the uuid of a mapped device.
    pub fn mapping(&self) -> Option<(String, String)> {
        Some((self.read("dm/name")?, self.read("dm/uuid").unwrap_or_default()))
    }

    /// Returns whether it is the inside of a BitLocker drive that Linux has opened.
    pub fn is_opened_bitlocker(&self) -> bool {
        self.mapping().is_some_and(|(_, uuid)| uuid.starts_with("CRYPT-BITLK-"))
    }

    /// Returns the file or device behind a loop device.
    pub fn backing_file(&self) -> Option<PathBuf> {
        let mut path = text(&self.folder.join("loop/backing_file"), 8192)?;
        path.pop_if(|last| *last == b'\n');
        (!path.is_empty()).then(|| OsString::from_vec(path).into())
    }

    pub fn vendor(&self) -> Option<String> {
        // Every disk behind a SATA controller has the vendor "ATA".
        self.read("device/vendor").filter(|vendor| vendor != "ATA" && !vendor.starts_with("0x"))
    }

    pub fn model(&self) -> Option<String> {
        self.read("device/model").or_else(|| self.read("device/name"))
    }

    /// Returns whether people unplug the disk: the kernel says so of sticks and of card readers, but not
    /// of hard disks in a USB case, nor of cards in a reader of their own.
    pub fn is_removable(&self) -> bool {
        let is_usb = |part: &std::ffi::OsStr| part.to_str().is_some_and(|part| part.starts_with("usb"));
        self.is_set("removable")
            || self.folder.iter().any(is_usb)
            || self.read("device/type").is_some_and(|kind| kind == "SD")
    }

    /// Returns the name that the partition table gives a partition.
    pub fn partition_name(&self) -> Option<String> {
        let event = text(&self.folder.join("uevent"), 4096)?;
        let name = String::from_utf8_lossy(&event)
            .lines()
            .find_map(|line| line.strip_prefix("PARTNAME=").map(str::to_owned));
        name.filter(|name| !name.is_empty())
    }

    fn is_set(&self, file: &str) -> bool {
        self.read(file).is_some_and(|text| text == "1")
    }

    fn read(&self, file: &str) -> Option<String> {
        line(&self.folder.join(file))
    }
}

/// Reads the number of a device, `8:3`.
pub fn parse_number(text: &str) -> Option<DeviceNumber> {
    let (major, minor) = text.split_once(':')?;
    Some(DeviceNumber { major: major.parse().ok()?, minor: minor.parse().ok()? })
}

/// Reads a file of one short line; an empty one counts as missing.
fn line(path: &Path) -> Option<String> {
    let bytes = text(path, 4096)?;
    let line = String::from_utf8_lossy(&bytes).trim().to_owned();
    (!line.is_empty()).then_some(line)
}

/// Returns the names in a folder; none when it is not there.
pub fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().into_string().ok()).collect()
}

/// Orders `sda2` before `sda10`.
fn natural(name: &str) -> (&str, u64, &str) {
    let stem = name.trim_end_matches(|char: char| char.is_ascii_digit());
    (stem, name[stem.len()..].parse().unwrap_or(0), name)
}
