//! Reparse points: files and folders that stand for something else, and say by a tag for what.

use zerocopy::little_endian::{U16, U32};
use zerocopy::{FromBytes, Immutable, KnownLayout, Unaligned};

use crate::bytes::{part, structure, utf16};
use crate::error::{Error, Result, damaged_file};
use crate::name::Name;
use crate::node::{FileId, Kind, Link, LinkKind};
use crate::ntfs::attribute::REPARSE_POINT;
use crate::ntfs::index::IndexName;
use crate::ntfs::inode::Inode;
use crate::ntfs::mft::Mft;

pub(crate) const WOF: u32 = 0x8000_0017;
pub(crate) const DEDUPLICATED: u32 = 0x8000_0013;
const MOUNT_POINT: u32 = 0xa000_0003;
const SYMLINK: u32 = 0xa000_000c;
const LX_SYMLINK: u32 = 0xa000_001d;
const SOCKET: u32 = 0x8000_0023;
const LX_FIFO: u32 = 0x8000_0024;
const LX_CHARACTER_DEVICE: u32 = 0x8000_0025;
const LX_BLOCK_DEVICE: u32 = 0x8000_0026;
/// Set in the tags of what stands for a name elsewhere.
const SURROGATE: u32 = 0x2000_0000;

const ATTRIBUTE_REPARSE_POINT: u32 = 0x400;
/// In an index this says that the file is a folder.
const ATTRIBUTE_FOLDER: u32 = 0x1000_0000;
/// Windows writes no longer ones.
const LONGEST: u64 = 16 << 10;
const RELATIVE: u32 = 1;

/// What every reparse point starts with.
#[derive(FromBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct Header {
    tag: U32,
    length: U16,
    unused: U16,
}

/// Where the two paths of a link are, in the bytes behind.
#[derive(FromBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct Paths {
    target: U16,
    target_length: U16,
    shown: U16,
    shown_length: U16,
}

const PATHS: usize = size_of::<Paths>();

/// A reparse point: its tag, and what its maker says there.
pub(crate) struct Reparse {
    pub(crate) tag: u32,
    pub(crate) data: Vec<u8>,
}

impl Reparse {
    /// Reads the reparse point of a file, if it is one.
    pub(crate) fn of(mft: &Mft, inode: &Inode) -> Result<Option<Self>> {
        let Some(attribute) = inode.attribute(REPARSE_POINT, &[])? else { return Ok(None) };
        let mut value = mft.small_value(&attribute, LONGEST)?;
        let wrong = damaged_file("reparse point", inode.id, "is cut off");
        let Some(header) = structure::<Header>(&value, 0) else { return Err(wrong) };
        let tag = header.tag.get();
        Ok(Some(Self { tag, data: value.split_off(size_of::<Header>()) }))
    }

    /// Reads where a link leads.
    pub(crate) fn link(&self, id: FileId) -> Result<Link> {
        let wrong = || damaged_file("link", id, "has its target outside");
        let (kind, names) = match self.tag {
            SYMLINK => (LinkKind::Symlink, PATHS + 4),
            MOUNT_POINT => (LinkKind::Junction, PATHS),
            LX_SYMLINK => {
                // A version, then UTF-8.
                let target = Name::from_bytes(self.data.get(4..).ok_or_else(wrong)?);
                let relative = target.units().first() != Some(&u16::from(b'/'));
                return Ok(Link { kind: LinkKind::Linux, shown: target.clone(), target, relative });
            }
            _ => return Err(Error::NotALink),
        };
        let paths: &Paths = structure(&self.data, 0).ok_or_else(wrong)?;
        let name = |at: U16, length: U16| {
            let units = part(&self.data, names + usize::from(at.get()), length.get().into());
            units.map(|units| Name::from_units(utf16(units))).ok_or_else(wrong)
        };
        let flags: Option<&U32> = structure(&self.data, PATHS);
        let relative = kind == LinkKind::Symlink && flags.is_some_and(|flags| flags.get() & RELATIVE != 0);
        let target = name(paths.target, paths.target_length)?;
        Ok(Link { kind, target, shown: name(paths.shown, paths.shown_length)?, relative })
    }
}

/// Returns what a file is whose reparse point has this tag.
pub(crate) fn kind(tag: Option<u32>, is_folder: bool) -> Kind {
    match tag {
        Some(SYMLINK | MOUNT_POINT | LX_SYMLINK) => Kind::Link,
        Some(SOCKET | LX_FIFO | LX_CHARACTER_DEVICE | LX_BLOCK_DEVICE) => Kind::Other,
        Some(tag) if tag & SURROGATE != 0 => Kind::Other,
        _ if is_folder => Kind::Folder,
        _ => Kind::File,
    }
}

/// Returns what the index of its folder says that a file is.
pub(crate) fn kind_in_index(mft: &Mft, id: FileId, name: &IndexName<'_>) -> Kind {
    let is_folder = name.attributes & ATTRIBUTE_FOLDER != 0;
    let mut tag = Some(name.reparse).filter(|_| name.attributes & ATTRIBUTE_REPARSE_POINT != 0);
    if tag == Some(0) {
        // Some writers leave it out there.
        let read = || Reparse::of(mft, &Inode::read_beginnings(mft, id)?);
        tag = read().ok().flatten().map(|reparse| reparse.tag);
    }
    kind(tag, is_folder)
}

/// Returns whether the tag is one of those by which cloud services mark their files.
pub(crate) fn is_cloud(tag: u32) -> bool {
    tag & 0xffff_0fff == 0x9000_001a
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(tag: u32, data: &[u8]) -> Result<Link> {
        Reparse { tag, data: data.to_vec() }.link(FileId(1))
    }

    #[test]
    fn three_kinds_of_links() {
        let found = link(SYMLINK, b"\x02\0\x04\0\0\0\x02\0\x01\0\0\0a\0b\0c\0").expect("a symbolic link");
        assert_eq!((found.target, found.shown, found.relative), ("bc".into(), "a".into(), true));
        let found = link(MOUNT_POINT, b"\0\0\x02\0\x02\0\x02\0a\0b\0").expect("a junction");
        assert_eq!((found.target, found.shown, found.relative), ("a".into(), "b".into(), false));
        let found = link(LX_SYMLINK, b"\x02\0\0\0/usr/\xc3\xbc").expect("a Linux link");
        assert_eq!((found.target, found.relative), ("/usr/ü".into(), false));
    }

    #[test]
    fn hostile_links_are_errors() {
        for data in [&b""[..], b"\0\0\x04\0\0\0\0\0\0\0\0\0a\0", b"\xff\xff\xff\xff\0\0\0\0\0\0\0\0"] {
            assert!(matches!(link(SYMLINK, data), Err(Error::Damaged { .. })));
        }
        assert!(matches!(link(WOF, b""), Err(Error::NotALink)));
    }

    #[test]
    fn tags_decide_what_a_file_is() {
        assert_eq!(kind(Some(WOF), false), Kind::File);
        assert_eq!(kind(Some(0x9000_701a), true), Kind::Folder);
        assert_eq!(kind(Some(MOUNT_POINT), true), Kind::Link);
        assert_eq!(kind(Some(0xa000_0019), false), Kind::Other);
        assert!(is_cloud(0x9000_001a) && is_cloud(0x9000_f01a) && !is_cloud(WOF));
    }
}
