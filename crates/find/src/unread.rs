//! What could not be read, and why.

use std::fmt;
use std::io;

/// Why a file or folder was not searched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Unread {
    /// It opens only with a password or a key.
    Sealed(Seal),
    /// The rights to read it are missing.
    NotPermitted,
    /// The medium or the file system failed.
    Failed,
    /// It is larger than what is searched.
    TooLarge,
    /// It begins as a form that is known, and does not go on so.
    Damaged,
    /// A picture or a scanned page, and there was nothing to read it with.
    Picture,
    /// A picture of a page with a key that is too damaged to be read, or contradicts itself.
    SpoiltPage,
    /// A sheet with a share of a key, which tells nothing without the others.
    Share,
    /// An archive of a kind that is not opened.
    Archive,
    /// It took too long.
    TooSlow,
    /// Only its name is here; its bytes are in the cloud.
    InTheCloud,
    /// A folder on another file system than the one that is searched.
    OtherFileSystem,
    /// A link, which was not followed.
    Link,
}

/// What a sealed file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Seal {
    /// A database of KeePass.
    KeePass,
    /// A file of age.
    Age,
    /// A ZIP archive, or a file in one.
    Zip,
    /// A document of Office.
    Office,
    /// A PDF document.
    Pdf,
}

impl Unread {
    /// Returns its name for programs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sealed(Seal::KeePass) => "sealed-keepass",
            Self::Sealed(Seal::Age) => "sealed-age",
            Self::Sealed(Seal::Zip) => "sealed-zip",
            Self::Sealed(Seal::Office) => "sealed-office",
            Self::Sealed(Seal::Pdf) => "sealed-pdf",
            Self::NotPermitted => "not-permitted",
            Self::Failed => "failed",
            Self::TooLarge => "too-large",
            Self::Damaged => "damaged",
            Self::Picture => "picture",
            Self::SpoiltPage => "spoilt-page",
            Self::Share => "share",
            Self::Archive => "archive",
            Self::TooSlow => "too-slow",
            Self::InTheCloud => "in-the-cloud",
            Self::OtherFileSystem => "other-file-system",
            Self::Link => "link",
        }
    }
}

/// To stand behind a number: `3 KeePass databases: they need their password`.
impl fmt::Display for Unread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sealed(Seal::KeePass) => "KeePass databases: they need their passwords",
            Self::Sealed(Seal::Age) => "files sealed with age: they need their passphrase or identity",
            Self::Sealed(Seal::Zip) => "encrypted ZIP archives, or files in them",
            Self::Sealed(Seal::Office) => "encrypted Office documents",
            Self::Sealed(Seal::Pdf) => "encrypted PDF documents",
            Self::NotPermitted => "files or folders that you may not read",
            Self::Failed => "files or folders that could not be read",
            Self::TooLarge => "files that are too large",
            Self::Damaged => "documents or archives that are damaged",
            Self::Picture => {
                "pictures and scanned pages of a format that is not read here (JPEG, PNG and PDF are)"
            }
            Self::SpoiltPage => "pages with a key that is too damaged or too blurred to be read",
            Self::Share => {
                "sheets with a share of a key: `lastkey verify DRIVE SHEET...` puts the key together"
            }
            Self::Archive => "archives of a kind that is not opened (7z, RAR, tar, ...)",
            Self::TooSlow => "documents that took too long to read",
            Self::InTheCloud => "files whose contents are in the cloud only",
            Self::OtherFileSystem => "folders on other file systems",
            Self::Link => "links that were not followed",
        })
    }
}

impl From<&io::Error> for Unread {
    fn from(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::PermissionDenied => Self::NotPermitted,
            _ => Self::Failed,
        }
    }
}

/// How many could not be read for one reason, and some of them by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnreadCount<P> {
    /// Why.
    pub why: Unread,
    /// How many.
    pub count: u64,
    /// The first of them: at most 20, of sealed files at most 1000.
    pub examples: Vec<P>,
}

/// How many are named.
pub(crate) const EXAMPLES: usize = 20;
/// Sealed files are named so that they can be opened afterwards.
pub(crate) const SEALED: usize = 1000;

impl<P> UnreadCount<P> {
    pub(crate) fn new(why: Unread) -> Self {
        Self { why, count: 0, examples: Vec::new() }
    }

    pub(crate) fn add(&mut self, example: P) {
        self.count += 1;
        self.name(example);
    }

    pub(crate) fn merge(&mut self, other: Self) {
        self.count += other.count;
        other.examples.into_iter().for_each(|example| self.name(example));
    }

    fn name(&mut self, example: P) {
        let most = if matches!(self.why, Unread::Sealed(_)) { SEALED } else { EXAMPLES };
        if self.examples.len() < most {
            self.examples.push(example);
        }
    }
}
