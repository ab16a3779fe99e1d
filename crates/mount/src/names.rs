//! Names and numbers of files as Linux takes them.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use fuser::INodeNo;
use unlocked::{FileId, Name};

/// Returns a name that Linux takes: whatever a folder would stumble over stands as its number behind a percent
/// sign.
pub fn shown(name: &Name) -> OsString {
    let bytes = name.to_bytes();
    match bytes.as_slice() {
        b"" => "%00".into(),
        b"." => "%2E".into(),
        b".." => "%2E%2E".into(),
        _ if !bytes.iter().any(|byte| matches!(byte, 0 | b'/')) => OsString::from_vec(bytes),
        _ => {
            let mut shown = Vec::with_capacity(bytes.len() + 2);
            for byte in bytes {
                match byte {
                    0 => shown.extend_from_slice(b"%00"),
                    b'/' => shown.extend_from_slice(b"%2F"),
                    byte => shown.push(byte),
                }
            }
            OsString::from_vec(shown)
        }
    }
}

/// Returns the name that [`shown`] made something else of, if it can have.
pub fn hidden(shown: &OsStr) -> Option<Name> {
    let bytes = shown.as_bytes();
    if !bytes.contains(&b'%') {
        return None;
    }
    let (mut name, mut rest) = (Vec::with_capacity(bytes.len()), bytes);
    while let Some((&first, more)) = rest.split_first() {
        let decoded = [(&b"%00"[..], 0), (b"%2F", b'/'), (b"%2E", b'.')].into_iter();
        match decoded.into_iter().find(|(code, _)| rest.starts_with(code)) {
            Some((code, byte)) => {
                name.push(byte);
                rest = rest.get(code.len()..)?;
            }
            None => {
                name.push(first);
                rest = more;
            }
        }
    }
    if name == [0] {
        name.clear();
    }
    let is_other = name != bytes;
    Some(Name::from_bytes(&name)).filter(|name| is_other && self::shown(name) == shown)
}

/// The numbers of files as Linux sees them: its root is always 1.
#[derive(Clone, Copy, Debug)]
pub struct Numbers {
    root: FileId,
}

impl Numbers {
    /// Takes the number of the root.
    pub fn new(root: FileId) -> Self {
        Self { root }
    }

    /// Returns the number for Linux.
    pub fn inode(self, id: FileId) -> INodeNo {
        match id {
            id if id == self.root => INodeNo::ROOT,
            // Whatever file has the root's number gets one that no file has.
            FileId(1) => INodeNo(u64::MAX),
            FileId(id) => INodeNo(id),
        }
    }

    /// Returns the file.
    pub fn id(self, inode: INodeNo) -> FileId {
        match inode {
            INodeNo::ROOT => self.root,
            INodeNo(u64::MAX) => FileId(1),
            INodeNo(id) => FileId(id),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_linux_does_not_take_are_shown_and_found() {
        for (name, expected) in
            [("a/b", "a%2Fb"), ("..", "%2E%2E"), (".", "%2E"), ("", "%00"), ("a\0", "a%00"), ("/", "%2F")]
        {
            let name = Name::from(name);
            assert_eq!(shown(&name), expected);
            assert_eq!(hidden(OsStr::new(expected)), Some(name));
        }
        for plain in ["a%2Eb", "100%", "a%20b", "plain"] {
            assert_eq!(shown(&Name::from(plain)), plain);
            assert_eq!(hidden(OsStr::new(plain)), None, "{plain}");
        }
    }

    #[test]
    fn every_file_has_a_number_of_its_own() {
        let numbers = Numbers::new(FileId(5));
        for id in [5, 1, 2, 1 << 48 | 5] {
            assert_eq!(numbers.id(numbers.inode(FileId(id))), FileId(id));
        }
        assert_eq!(numbers.inode(FileId(5)), INodeNo::ROOT);
        assert_ne!(numbers.inode(FileId(1)), INodeNo::ROOT);
    }
}
