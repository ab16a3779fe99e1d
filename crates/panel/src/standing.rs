//! Where the copies of a drive's keys are, in short.

use backup::record::{Copy, Record, RecordError};
use fve::{Protection, ProtectorKind};
use recovery_key::KeyId;

use crate::inventory::VolumeFacts;

/// How well a drive's keys are kept.
#[derive(Clone, Debug, Default)]
pub struct Standing {
    /// Whether the drive needs a copy at all: one that is not encrypted needs none.
    pub needed: bool,
    /// What a backup would be of.
    pub keys: Vec<KeyId>,
    /// The copies that have opened the drive, the one proven last first.
    pub proven: Vec<Copy>,
    /// Copies of its keys that are no backup: stored only, waiting, failed.
    pub other: Vec<Copy>,
}

impl Standing {
    /// Asks the record. Without one nothing is known to be backed up.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn of(facts: &VolumeFacts, record: Option<&Record>) -> Result<Self, RecordError> {
        let copies = record.map_or(Ok(Vec::new()), |record| record.copies(facts.id))?;
        let keys: Vec<KeyId> = facts.keys();
        let of_keys = copies.into_iter().filter(|copy| copy.key_id.is_some_and(|id| keys.contains(&id)));
        let (mut proven, other): (Vec<_>, Vec<_>) = of_keys.partition(is_proven);
        proven.sort_by_key(|copy| std::cmp::Reverse(copy.proven));
        Ok(Self { needed: facts.protection != Protection::Off, keys, proven, other })
    }

    /// Whether there is nothing that could be backed up: the drive opens with a password alone, or with a TPM.
    #[must_use]
    pub fn has_no_key(&self) -> bool {
        self.keys.is_empty()
    }

    /// Whether somebody would lose the drive with what is on it now.
    #[must_use]
    pub fn is_exposed(&self) -> bool {
        self.needed && !self.keys.is_empty() && self.proven.is_empty()
    }
}

/// Whether a copy opened the drive the last time that it was tried, and is where it belongs.
fn is_proven(copy: &Copy) -> bool {
    copy.proven.is_some() && copy.failed.is_none() && copy.waiting.is_none()
}

impl VolumeFacts {
    /// Returns the key IDs of what a backup is of: the recovery keys, or the external keys if there is none.
    #[must_use]
    pub fn keys(&self) -> Vec<KeyId> {
        let of = |wanted| {
            let keys = self.protectors.iter().filter(move |(_, kind)| *kind == wanted);
            keys.map(|&(id, _)| id).collect::<Vec<_>>()
        };
        let keys = of(ProtectorKind::RecoveryPassword);
        if keys.is_empty() { of(ProtectorKind::ExternalKey) } else { keys }
    }
}
