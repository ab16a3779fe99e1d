//! What every place for a key can do.

use std::io;
use std::path::{Path, PathBuf};

use drives::Opener;
use fve::Volume;
use recovery_key::Secret;

use crate::{Content, Document};

/// A place where a backup goes.
pub trait Destination {
    /// Returns what kind of place it is, in one word for the record and for programs: `file`, `usb`.
    fn kind(&self) -> &'static str;

    /// Returns the place in words, to stand after "in".
    fn describe(&self) -> String;

    /// Decides whether a key of `drive` may be kept here, before anything is done.
    ///
    /// # Errors
    /// When the lock-out that the key is for would lock the key away too, or the place cannot be used.
    fn check(&self, drive: &Path) -> Result<Vec<Warning>, Refusal>;

    /// Returns whether the place can hold such a document at all: paper holds no files.
    fn holds(&self, content: &Content) -> bool {
        let _ = content;
        true
    }

    /// Looks at the volume whose keys are going to be saved here, for what is kept beside them.
    fn look_at(&self, volume: &Volume) {
        let _ = volume;
    }

    /// Saves a document: whole, or not at all.
    ///
    /// # Errors
    /// When nothing was saved.
    fn save(&self, document: &Document) -> Result<SavedCopy, SaveError>;

    /// Reads a copy again, from the medium as far as the system lets one.
    ///
    /// # Errors
    /// When it cannot be read.
    fn read_back(&self, copy: &SavedCopy) -> Result<ReadBack, SaveError>;

    /// Takes a copy away that turned out to be no backup.
    ///
    /// # Errors
    /// When it is still there.
    fn remove(&self, copy: &SavedCopy) -> Result<(), SaveError>;

    /// Brings a copy to where it is safe, once it is proven. For most places it is there already; others take it
    /// first to where it can wait.
    ///
    /// # Errors
    /// Why it waits, to stand after "waiting".
    fn deliver(&self, copy: &SavedCopy) -> Result<(), String> {
        let _ = copy;
        Ok(())
    }

    /// Ends the work here when every document is saved, and returns what the person is to know or do
    /// now: "you can remove it now".
    ///
    /// # Errors
    /// When the end is not as it should be. The copies are proven nevertheless.
    fn finish(&self) -> Result<Option<String>, SaveError> {
        Ok(None)
    }
}

/// What a place gave back.
pub enum ReadBack {
    /// A document, in any form that [`recovery_key::document::read`] reads.
    Document(Secret<Vec<u8>>),
    /// Nothing: the place keeps copies and does not show them to whoever saved them. Why, to stand after
    /// "it could not be read back".
    Withheld(String),
}

/// A copy that was saved. It is no backup before it was proven.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SavedCopy {
    /// Where it is, for people and for finding it again.
    pub place: String,
    /// The name of its file, when it is one.
    pub name: Option<String>,
    /// The path of its file, when it is one.
    pub path: Option<PathBuf>,
}

/// Why a key may not be kept at a place.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The place is on the drive that the key is for.
    #[error("{place} is on the drive itself: once the drive is locked, its key would be locked in with it")]
    OnTheDrive {
        /// The place.
        place: String,
    },
    /// The place is on a BitLocker drive that is open now.
    #[error(
        "{place} is on a BitLocker drive (opened by {}): what locks you out of one drive of a computer \
         mostly locks the others too", words(*.opener)
    )]
    OnBitLocker {
        /// The place.
        place: String,
        /// What opened that drive.
        opener: Opener,
        /// The drive, where it can be seen.
        device: Option<PathBuf>,
    },
    /// The place is not there, or is no folder.
    #[error("{place} is not a folder that exists")]
    NoFolder {
        /// The place.
        place: String,
    },
    /// The place cannot be used.
    #[error("{place}: {why}")]
    Unusable {
        /// The place.
        place: String,
        /// Why not.
        why: String,
    },
    /// The place says already that nothing could be saved.
    #[error(transparent)]
    Save(#[from] SaveError),
    /// The place cannot be looked at.
    #[error("{place} cannot be looked at: {source}")]
    Unseen {
        /// The place.
        place: String,
        /// Why not.
        source: io::Error,
    },
}

fn words(opener: Opener) -> &'static str {
    match opener {
        Opener::Cryptsetup => "cryptsetup",
        Opener::Dislocker => "dislocker",
        Opener::Libbde => "libbde",
        Opener::Lastkey => "lastkey",
    }
}

/// What a person should know about a place that is not refused.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Warning {
    /// The place is on another partition of the same disk.
    SameDisk,
    /// The place is the top folder of a drive that stays in the computer.
    FixedDrive,
    /// The place is in memory.
    InMemory,
    /// The place is on another computer.
    Network,
    /// What the place stands on cannot be seen.
    Unknown,
    /// The place is on another BitLocker drive, which opens without this one.
    OtherBitLocker,
}

impl std::fmt::Display for Warning {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::SameDisk => {
                "this folder is on the same disk as the drive: if the disk breaks, both are gone"
            }
            Self::FixedDrive => {
                "this is the top folder of a drive that stays in the computer: a thief of the computer has \
                 the key with it, and it is not there when the computer is not"
            }
            Self::InMemory => "this folder is in memory: it is gone when the computer is switched off",
            Self::Network => "this folder is on another computer: whoever can read it there can read the key",
            Self::Unknown => {
                "what this folder stands on cannot be seen: make sure it is not the locked drive"
            }
            Self::OtherBitLocker => {
                "it is on another BitLocker drive, whose own key has a proven copy elsewhere"
            }
        })
    }
}

/// Why something was not saved.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SaveError {
    /// A file of that name is there.
    #[error("{} is already there; it was left as it is", .path.display())]
    AlreadyThere {
        /// The file.
        path: PathBuf,
    },
    /// No room is left.
    #[error("there is no room left in {place}")]
    Full {
        /// The place.
        place: String,
    },
    /// The place does not let this process write.
    #[error("{place} does not let you write there")]
    NotPermitted {
        /// The place.
        place: String,
    },
    /// The place takes no writing from anybody.
    #[error("{place} can only be read")]
    ReadOnly {
        /// The place.
        place: String,
    },
    /// The place holds something else under this name already.
    #[error("{place}: there is already {name} in it, which was left as it is")]
    Taken {
        /// The place.
        place: String,
        /// What is there, and how it is called.
        name: String,
    },
    /// The place is not there, or is no folder.
    #[error("{place} is not a folder that exists")]
    NoFolder {
        /// The place.
        place: String,
    },
    /// The place is not there, or went away: a stick, a server, a printer.
    #[error("{place} cannot be reached: {why}")]
    Unreachable {
        /// The place.
        place: String,
        /// Why not.
        why: String,
    },
    /// The place asks for a password, and the one it got is wrong.
    #[error("{place} does not open: {why}")]
    Locked {
        /// The place.
        place: String,
        /// Why not.
        why: String,
    },
    /// The place said no, or got into trouble of its own: a printer without paper.
    #[error("{place}: {why}")]
    Rejected {
        /// The place.
        place: String,
        /// What it said.
        why: String,
    },
    /// Anything else.
    #[error("{place}: {source}")]
    Io {
        /// The place.
        place: String,
        /// What the system said.
        source: io::Error,
    },
}

impl SaveError {
    pub(crate) fn from_io(place: String, source: io::Error) -> Self {
        use io::ErrorKind as Kind;
        match source.kind() {
            Kind::StorageFull | Kind::QuotaExceeded | Kind::FileTooLarge => Self::Full { place },
            Kind::PermissionDenied => Self::NotPermitted { place },
            Kind::ReadOnlyFilesystem => Self::ReadOnly { place },
            Kind::NotFound | Kind::NotADirectory => Self::NoFolder { place },
            _ => Self::Io { place, source },
        }
    }
}
