//! What there is to save of an open drive.

use fve::{ProtectorKind, Recovered, SnapshotError, Unlocked};
use recovery_key::KeyId;

use crate::document::{About, Content, Document};

/// What there is to save of an open drive.
#[derive(Debug)]
pub struct Found {
    /// The documents: keys, and the metadata last.
    pub documents: Vec<Document>,
    /// Keys that the drive has, but cannot show any more.
    pub damaged: Vec<(KeyId, ProtectorKind)>,
    /// Why the metadata cannot be kept beside the keys.
    pub no_snapshot: Option<SnapshotError>,
}

/// Why there is nothing to save.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NothingToSave {
    /// It has no key at all.
    #[error("the drive is not encrypted, so it has no key")]
    NotEncrypted,
    /// What opened it shows no keys.
    #[error("opened by its data key alone, the drive does not show its recovery keys")]
    DataKeyOnly,
    /// None of its keys is one that can be kept.
    #[error("the drive has no recovery key and no external key")]
    NoKey,
}

impl Found {
    /// Finds every recovery key, and the external keys when they are asked for or there is nothing else. `now` is in
    /// seconds since 1970.
    ///
    /// # Errors
    /// When there is none.
    pub fn on(unlocked: &Unlocked<'_>, external_keys: bool, now: i64) -> Result<Self, NothingToSave> {
        let volume = unlocked.volume();
        if unlocked.vmk().is_none() {
            let is_open = volume.protectors().is_empty();
            return Err(if is_open { NothingToSave::NotEncrypted } else { NothingToSave::DataKeyOnly });
        }
        let about = About { volume: volume.id(), label: volume.metadata().label(), now };
        let document = |content| Document { drive: about.clone(), content };
        let mut found = Self { documents: Vec::new(), damaged: Vec::new(), no_snapshot: None };
        for Recovered { id, secret, .. } in unlocked.recovery_passwords() {
            match secret {
                Some(password) => {
                    found.documents.push(document(Content::RecoveryPassword { key_id: id, password }));
                }
                None => found.damaged.push((id, ProtectorKind::RecoveryPassword)),
            }
        }
        if external_keys || found.documents.is_empty() {
            for Recovered { id, secret, .. } in unlocked.external_keys() {
                match secret {
                    Some(bek) => found.documents.push(document(Content::ExternalKey(bek))),
                    None => found.damaged.push((id, ProtectorKind::ExternalKey)),
                }
            }
        }
        if found.documents.is_empty() && found.damaged.is_empty() {
            return Err(NothingToSave::NoKey);
        }
        match volume.snapshot() {
            Ok(snapshot) => found.documents.push(document(Content::Snapshot(snapshot))),
            Err(error) => found.no_snapshot = Some(error),
        }
        Ok(found)
    }

    /// Returns the key IDs of the keys that can be saved.
    pub fn key_ids(&self) -> impl Iterator<Item = KeyId> {
        self.documents.iter().filter_map(Document::key_id)
    }
}
