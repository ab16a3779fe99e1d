//! Why a file cannot be had, said with the place where a structure is broken.

use std::io;

use crate::name::Name;
use crate::node::FileId;

/// Why something in a file system could not be found or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The first sector is that of no file system that can be read.
    #[error("there is no NTFS, exFAT or FAT file system: {0}")]
    NoFileSystem(&'static str),
    /// The drive could not be read.
    #[error("cannot read the {what} at byte {offset:#x}: {source}")]
    Read {
        /// What was to be read.
        what: &'static str,
        /// Where, from the start of the volume.
        offset: u64,
        /// What the drive said.
        source: io::Error,
    },
    /// A structure contradicts the format, the size of the volume or another structure.
    #[error("the file system is damaged: the {what} {at} {problem}")]
    Damaged {
        /// Which structure.
        what: &'static str,
        /// Where it is.
        at: At,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// There is nothing of this name.
    #[error("there is no {0}")]
    NotFound(Name),
    /// There is no such file, or no longer.
    #[error("there is no file with the number {0}")]
    NoFile(FileId),
    /// A path goes on behind something that is no folder, or a file was listed.
    #[error("this is no folder")]
    NotAFolder,
    /// A folder was opened as a file.
    #[error("this is a folder")]
    IsAFolder,
    /// The target of something was asked for that is no link.
    #[error("this is no link")]
    NotALink,
    /// The content is encrypted once more, by Windows' Encrypting File System, under a user's own certificate.
    #[error("the file is encrypted by EFS: only its owner's certificate opens it, no key of the drive does")]
    Encrypted,
    /// The content is not in the file.
    #[error("the file's content is {0}, and not in the file")]
    Elsewhere(Elsewhere),
    /// The content is stored in a form that is not known.
    #[error("the file is stored in the unknown form {what} {value:#x}")]
    UnknownForm {
        /// Which number says how it is stored.
        what: &'static str,
        /// That number.
        value: u32,
    },
}

/// Where a structure is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    /// At a byte of the volume.
    Byte(u64),
    /// Somewhere in the file with this number.
    File(FileId),
}

impl std::fmt::Display for At {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Byte(offset) => write!(f, "at byte {offset:#x}"),
            Self::File(id) => write!(f, "of file {id}"),
        }
    }
}

/// Where Windows finds the content of a file that is only a placeholder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Elsewhere {
    /// OneDrive or another service has it, and it was not downloaded.
    #[error("in the cloud")]
    Cloud,
    /// Windows Server's data deduplication keeps it in its chunk store.
    #[error("in the chunk store of data deduplication")]
    Deduplicated,
    /// It is part of a WIM image (WIMBoot of Windows 8.1).
    #[error("in a WIM image")]
    Wim,
}

pub(crate) type Result<T, E = Error> = std::result::Result<T, E>;

/// Makes the error for a structure at a byte of the volume.
pub(crate) fn damaged(what: &'static str, offset: u64, problem: &'static str) -> Error {
    Error::Damaged { what, at: At::Byte(offset), problem }
}

/// Makes the error for a structure of a file.
pub(crate) fn damaged_file(what: &'static str, id: FileId, problem: &'static str) -> Error {
    Error::Damaged { what, at: At::File(id), problem }
}
