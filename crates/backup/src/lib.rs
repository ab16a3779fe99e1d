//! Destinations for recovery keys, and the proof of every copy.
//!
//! [`back_up`] saves a [`Document`] to a [`Destination`], reads it back from there, reads it as a
//! stranger would, and opens the drive's master key with it. Only then is it a [`Backup`]; if any
//! step fails, nothing is left behind. [`verify`] does the reading and opening for a copy that is
//! already there. [`NewFile`] is how a file comes to be whole or not at all.

mod destination;
mod document;
mod file;
mod new_file;
mod verify;

pub use destination::{Destination, Refusal, SaveError, SavedCopy, Warning};
pub use document::Document;
pub use file::FileDestination;
pub use new_file::{NewFile, parent};
pub use verify::{Verdict, Verified, VerifyError, verify};

use fve::{Proof, Volume};

/// A copy that was read back and has opened the drive.
#[derive(Debug)]
pub struct Backup {
    /// Where it is.
    pub copy: SavedCopy,
    /// That it opens the drive.
    pub proof: Proof,
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

/// Saves a document, reads it back and proves it, or leaves nothing behind.
///
/// # Errors
/// Says which step failed.
pub fn back_up(
    volume: &Volume,
    document: &Document,
    destination: &dyn Destination,
) -> Result<Backup, BackupError> {
    let copy = destination.save(document)?;
    let result = destination.read_back(&copy).map_err(BackupError::ReadBack).and_then(|bytes| {
        let verified = verify(volume, copy.name.as_deref(), bytes.expose());
        verified.proof_of(document.key_id()).map_err(BackupError::NotProven)
    });
    match result {
        Ok(proof) => Ok(Backup { copy, proof }),
        Err(error) => match destination.remove(&copy) {
            Ok(()) => Err(error),
            Err(source) => {
                Err(BackupError::NotRemoved { problem: error.to_string(), place: copy.place, source })
            }
        },
    }
}
