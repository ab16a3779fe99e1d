//! Destinations for recovery keys, and the proof of every copy.
//!
//! [`back_up`] saves a [`Document`] to a [`Destination`], reads it back from there, reads it as a
//! stranger would, and opens the drive's master key with it. Only then is it a [`Backup`]; if any
//! step fails, nothing is left behind. A place that is not in reach may let the copy wait: then it is proven, and no
//! backup yet ([`Standing::Waiting`]). [`verify`] does the reading and opening for a copy that is
//! already there. [`NewFile`] is how a file comes to be whole or not at all.

mod account;
mod check;
mod destination;
mod directory;
mod document;
mod file;
mod forms;
mod found;
mod import;
pub mod keepass;
mod new_file;
mod paper;
mod print;
pub mod record;
mod sheets;
mod tries;
mod usb;
mod verify;

pub use self::account::AccountDestination;
pub use self::directory::DirectoryDestination;
pub use self::paper::{PaperDestination, page};
pub use check::{Checked, check};
pub use destination::{Destination, ReadBack, Refusal, SaveError, SavedCopy, Warning};
pub use document::{About, Content, Document};
pub use file::FileDestination;
pub use forms::{NamedDocument, READERS, in_other_forms};
pub use found::{Found, NothingToSave};
pub use import::{ImportDestination, Manager};
pub use keepass::KeePassDestination;
pub use new_file::{NewFile, parent, rename_new, sync_folder};
pub use print::{FindError, PrintDestination};
pub use sheets::{SheetsDestination, document_of};
pub use tries::{Tried, Tries, Trying, key_of, may_open};
pub use usb::{Stick, StickError, UsbDestination, sticks, sticks_among, title};
pub use verify::{Verdict, Verified, VerifyError, is_good_copy, verify};

use fve::{Proof, Snapshot, Volume};

/// A copy at a place, and what is known of it.
#[derive(Debug)]
pub struct Backup {
    /// Where it is.
    pub copy: SavedCopy,
    /// What is known of it.
    pub standing: Standing,
}

/// What is known of a copy.
#[derive(Debug)]
pub enum Standing {
    /// A key: it was read back and has opened the drive.
    Proven(Proof),
    /// A snapshot: it was read back and is the drive's metadata.
    Intact,
    /// A key that could not be read back, and why: it is stored, and no more is known.
    Stored(String),
    /// The copy is proven or intact, but is still on this computer, and why: it waits to be delivered.
    Waiting(String),
}

/// Why there is no backup. Nothing was left at the destination unless [`Self::NotRemoved`] says so.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BackupError {
    /// Nothing could be saved.
    #[error(transparent)]
    Save(#[from] SaveError),
    /// The copy could not be read back.
    #[error("the copy was saved but could not be read back ({0}), so it was removed")]
    ReadBack(SaveError),
    /// The copy that was read back does not open the drive.
    #[error("the copy that was read back does not open the drive ({0}), so it was removed")]
    NotProven(String),
    /// A copy that is no backup could not be removed again.
    #[error("{problem}; it could not be removed from {place} ({source}): remove it yourself")]
    NotRemoved {
        /// Why it had to be removed.
        problem: String,
        /// Where it is.
        place: String,
        /// Why it is still there.
        source: SaveError,
    },
}

impl BackupError {
    /// Returns what happened, without what became of the copy.
    fn problem(&self) -> String {
        match self {
            Self::ReadBack(error) => format!("the copy was saved but could not be read back ({error})"),
            Self::NotProven(why) => format!("the copy that was read back does not open the drive ({why})"),
            other => other.to_string(),
        }
    }
}

/// Saves a document, reads it back and proves it, or leaves nothing behind.
///
/// # Errors
/// Says which step failed.
pub fn back_up(
    volume: &Volume,
    document: &Document,
    destination: &dyn Destination,
) -> Result<Backup, BackupError> {
    destination.look_at(volume);
    let copy = match destination.save(document) {
        // The metadata has not changed since the last backup.
        Err(SaveError::AlreadyThere { path }) if document.key_id().is_none() => {
            let copy = SavedCopy { place: path.display().to_string(), name: None, path: Some(path) };
            return match destination.read_back(&copy).map(|back| judge(volume, document, &copy, back)) {
                Ok(Ok(standing)) => Ok(Backup { copy, standing }),
                _ => Err(SaveError::AlreadyThere { path: copy.path.unwrap_or_default() }.into()),
            };
        }
        saved => saved?,
    };
    let back = destination.read_back(&copy).map_err(BackupError::ReadBack);
    match back.and_then(|back| judge(volume, document, &copy, back)) {
        Ok(standing) => {
            let standing = destination.deliver(&copy).map_or_else(Standing::Waiting, |()| standing);
            Ok(Backup { copy, standing })
        }
        Err(error) => match destination.remove(&copy) {
            Ok(()) => Err(error),
            Err(source) => {
                let problem = error.problem();
                Err(BackupError::NotRemoved { problem, place: copy.place, source })
            }
        },
    }
}

fn judge(
    volume: &Volume,
    document: &Document,
    copy: &SavedCopy,
    back: ReadBack,
) -> Result<Standing, BackupError> {
    let bytes = match back {
        ReadBack::Document(bytes) => bytes,
        ReadBack::Withheld(why) => return Ok(Standing::Stored(why)),
    };
    match document.key_id() {
        Some(key_id) => verify(volume, copy.name.as_deref(), bytes.expose())
            .proof_of(key_id)
            .map(Standing::Proven)
            .map_err(BackupError::NotProven),
        None => match (Snapshot::parse(bytes.expose()), volume.snapshot()) {
            (Ok(saved), Ok(own)) if saved == own => Ok(Standing::Intact),
            _ => Err(BackupError::NotProven("it is not the drive's metadata".to_owned())),
        },
    }
}
