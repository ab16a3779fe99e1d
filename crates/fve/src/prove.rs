//! The proof that a key opens a volume.

use recovery_key::KeyId;
use uuid::Uuid;

use crate::protector::ProtectorKind;
use crate::unlock::{Key, UnlockError};
use crate::volume::Volume;

/// The fact that a key opened a volume's master key, and that everything under it fits.
///
/// Only [`Volume::prove`] makes one: whoever holds a `Proof` has done the work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    volume: Uuid,
    key_id: KeyId,
    kind: ProtectorKind,
}

impl Proof {
    /// Returns the volume's GUID.
    pub fn volume(&self) -> Uuid {
        self.volume
    }

    /// Returns the protector that the key opens.
    pub fn key_id(&self) -> KeyId {
        self.key_id
    }

    /// Returns what kind of protector that is.
    pub fn kind(&self) -> ProtectorKind {
        self.kind
    }
}

/// Why a key could not be proven.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProofError {
    /// The key does not open the volume.
    #[error(transparent)]
    Unlock(#[from] UnlockError),
    /// The key opens a protector, but the keyed hash does not hold in the metadata that lists it.
    #[error(
        "the key opens the drive, but the drive's metadata was changed by something that did not have it"
    )]
    NotAuthentic,
    /// The key opens a protector, but only in a copy of the metadata that is outdated or was changed.
    #[error("the key opens the drive only by a copy of its metadata that a better copy contradicts")]
    OtherCopy,
    /// The key opens no protector: a raw key, or a volume that asks for none.
    #[error(
        "there is no protector to prove: the key opens the drive directly, or the drive is not encrypted"
    )]
    NoProtector,
}

impl Volume {
    /// Proves that a key opens the volume: a protector yields the VMK, under the VMK the metadata's
    /// keyed hash holds, and the data key (FVEK) is authentic.
    ///
    /// # Errors
    /// Says which of these failed.
    pub fn prove(&self, key: &Key) -> Result<Proof, ProofError> {
        let unlocked = self.unlock(key)?;
        let (key_id, kind) = unlocked.protector().ok_or(ProofError::NoProtector)?;
        match (unlocked.proves, unlocked.authentic()) {
            (true, _) => {}
            (false, Some(true)) => return Err(ProofError::OtherCopy),
            (false, _) => return Err(ProofError::NotAuthentic),
        }
        let volume = Uuid::from_bytes_le(unlocked.metadata().dataset.guid);
        Ok(Proof { volume, key_id, kind })
    }
}
