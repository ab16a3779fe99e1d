//! What is known of a file or folder without reading its content.

use std::fmt;

use fve::FileTime;

use crate::extents::Extent;
use crate::name::Name;

/// The number of a file or folder, the same as long as the drive is not written to.
///
/// On NTFS its file reference (record number in the lower 48 bits, sequence number above); on FAT and
/// exFAT, which number nothing, made of the place of its folder entry. Never 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId(pub u64);

impl fmt::Display for FileId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.0)
    }
}

/// What something in a folder is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// It has content.
    File,
    /// It has entries.
    Folder,
    /// It points elsewhere: a symbolic link, a junction, a link of Windows' subsystem for Linux.
    Link,
    /// A socket, pipe or device of that subsystem, or a reparse point that stands for something unknown.
    Other,
}

/// One name in a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The file that has this name.
    pub id: FileId,
    /// The name, as it is kept.
    pub name: Name,
    /// What it is.
    pub kind: Kind,
    /// Where a listing goes on behind this entry.
    pub next: Position,
}

/// A place in the listing of a folder; the default is its beginning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position(pub u64);

/// What is known of a file or folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stat {
    /// Its number.
    pub id: FileId,
    /// What it is.
    pub kind: Kind,
    /// The length of its content in bytes; 0 for folders.
    pub size: u64,
    /// The bytes that its content takes on the drive.
    pub allocated: u64,
    /// When it was made and changed.
    pub times: Times,
    /// Windows' `FILE_ATTRIBUTE_` bits.
    pub attributes: u32,
    /// The names it has.
    pub links: u32,
    /// The tag of its reparse point, if it is one.
    pub reparse: Option<u32>,
}

/// When a file was made and changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Times {
    /// When it was made.
    pub created: Option<FileTime>,
    /// When its content was last written.
    pub modified: Option<FileTime>,
    /// When anything about it was last changed; only NTFS says it.
    pub changed: Option<FileTime>,
    /// When it was last read, as far as anybody noted it.
    pub accessed: Option<FileTime>,
    /// The times are those of the clock on the wall, in a zone that nobody wrote down.
    pub local: bool,
}

/// A named stream of a file (NTFS).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stream {
    /// Its name.
    pub name: Name,
    /// Its length in bytes.
    pub size: u64,
    /// The bytes that it takes on the drive.
    pub allocated: u64,
}

/// Something that a file has stored outside of its record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// What it is.
    pub part: Part,
    /// The name of the stream, empty for a file's own content.
    pub name: Name,
    /// Its length in bytes.
    pub size: u64,
    /// How far it was ever written. Behind it are zeros, whatever the drive has there.
    pub written: u64,
    /// Where it lies, in order.
    pub extents: Vec<Extent>,
}

/// What of a file is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Content. So many bytes of it can be read together or not at all: 1, or more where NTFS compresses it.
    Content {
        /// The bytes that belong together.
        unit: u64,
    },
    /// Content that Windows packed (WOF): what is stored has other offsets than what is read.
    Packed,
    /// Something else, such as extended attributes or where a link leads.
    Other,
}

/// A name of a file, and the folder that it is in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FullName {
    /// The folder.
    pub folder: FileId,
    /// The name in it.
    pub name: Name,
}

/// Where a link leads, as it is written down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// What made it.
    pub kind: LinkKind,
    /// The path that Windows goes to, like `\??\C:\Users`; for a Linux link its text.
    pub target: Name,
    /// The path that Windows shows.
    pub shown: Name,
    /// The target starts at the link's folder.
    pub relative: bool,
}

/// The kinds of links.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LinkKind {
    /// A symbolic link to a file or folder.
    Symlink,
    /// A junction: a folder that stands for another, or for a whole volume.
    Junction,
    /// A symbolic link of Windows' subsystem for Linux.
    Linux,
}
