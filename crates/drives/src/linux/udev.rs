//! What udev has found out about a device: `/run/udev/data/b8:3`, lines of `E:KEY=value`.

use super::{System, text};
use crate::DeviceNumber;

/// What udev says that matters here.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Hints {
    /// `ntfs`, `vfat`, `BitLocker`, `crypto_LUKS`...
    pub content: Option<String>,
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
            label: value("ID_FS_LABEL_ENC"),
            partition_name: value("ID_PART_ENTRY_NAME"),
        }
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
    }
}
