//! What udev has found out about a device: `/run/udev/data/b8:3`, lines of `E:KEY=value`.

use super::{System, text};
use crate::{DeviceNumber, Signature};

/// What udev says that matters here.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Hints {
    /// `ntfs`, `vfat`, `BitLocker`, `crypto_LUKS`...
    pub content: Option<String>,
    /// `FAT32`, `1.0`...
    pub version: Option<String>,
    pub label: Option<String>,
    pub partition_name: Option<String>,
}

impl System {
    /// Returns what udev knows; nothing where there is no udev.
    pub(super) fn hints(&self, number: DeviceNumber) -> Hints {
        let path = self.at("run/udev/data").join(format!("b{number}"));
        text(&path, 64 << 10).map(|bytes| Hints::parse(&String::from_utf8_lossy(&bytes))).unwrap_or_default()
    }
}

impl Hints {
    fn parse(text: &str) -> Self {
        let value = |key: &str| {
            let line =
                text.lines().find_map(|line| line.strip_prefix("E:")?.strip_prefix(key)?.strip_prefix('='));
            line.map(unescape).filter(|value| !value.is_empty())
        };
        Self {
            content: value("ID_FS_TYPE"),
            version: value("ID_FS_VERSION"),
            label: value("ID_FS_LABEL_ENC"),
            partition_name: value("ID_PART_ENTRY_NAME"),
        }
    }

    /// Returns what udev found on the device, if that has a name here.
    pub fn signature(&self) -> Option<Signature> {
        Some(match (self.content.as_deref()?, self.version.as_deref()) {
            ("vfat", Some("FAT12")) => Signature::Fat12,
            ("vfat", Some("FAT16")) => Signature::Fat16,
            ("vfat", _) => Signature::Fat32,
            ("exfat", _) => Signature::ExFat,
            ("ntfs", _) => Signature::Ntfs,
            ("ReFS", _) => Signature::ReFs,
            ("ext2", _) => Signature::Ext2,
            ("ext3", _) => Signature::Ext3,
            ("ext4", _) => Signature::Ext4,
            ("xfs", _) => Signature::Xfs,
            ("btrfs", _) => Signature::Btrfs,
            ("apfs", _) => Signature::Apfs,
            ("hfsplus", _) => Signature::HfsPlus,
            ("iso9660", _) => Signature::Iso9660,
            ("BitLocker", _) => Signature::BitLocker,
            ("crypto_LUKS", Some("1")) => Signature::Luks1,
            ("crypto_LUKS", _) => Signature::Luks2,
            ("LVM2_member", _) => Signature::Lvm2,
            ("linux_raid_member", _) => Signature::MdRaid,
            ("swap", _) => Signature::Swap,
            _ => return None,
        })
    }
}

/// udev writes what is not plain as `\x20`, byte by byte. Control characters do not get through to a screen.
fn unescape(value: &str) -> String {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value;
    while let Some(char) = rest.chars().next() {
        let hex = rest
            .strip_prefix("\\x")
            .and_then(|hex| hex.get(..2))
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        let (byte, length) = hex.map_or((None, char.len_utf8()), |byte| (Some(byte), 4));
        match byte {
            Some(byte) => bytes.push(byte),
            None => bytes.extend_from_slice(&rest.as_bytes()[..length]),
        }
        rest = &rest[length..];
    }
    let text = String::from_utf8_lossy(&bytes);
    text.chars().map(|char| if char.is_control() { char::REPLACEMENT_CHARACTER } else { char }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_undone_and_control_characters_are_not() {
        let hints = Hints::parse(
            "S:disk/by-label/x\nE:ID_FS_TYPE=ntfs\nE:ID_FS_TYPE_EXTRA=no\nE:ID_FS_LABEL_ENC=M\\xc3\\xbcller\\x20\\x2fä\\x1b\\x\n",
        );
        assert_eq!(hints.content.as_deref(), Some("ntfs"));
        assert_eq!(hints.label.as_deref(), Some("Müller /ä\u{fffd}\\x"));
        assert_eq!(hints.partition_name, None);
        assert_eq!(hints.signature(), Some(Signature::Ntfs));
    }
}
