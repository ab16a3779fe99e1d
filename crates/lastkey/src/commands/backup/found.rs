//! What there is to save.

use backup::{About, Content, Document};
use fve::{ProtectorKind, Recovered, SnapshotError, Unlocked};
use recovery_key::KeyId;

use crate::failure::{Failure, Kind};
use crate::words;

/// What there is to save.
pub struct Found {
    /// The documents: keys, and the metadata last.
    pub documents: Vec<Document>,
    /// Keys that the drive has, but cannot show any more.
    pub damaged: Vec<(KeyId, ProtectorKind)>,
    /// Why the metadata cannot be kept beside the keys.
    pub no_snapshot: Option<SnapshotError>,
}

impl Found {
    /// Finds every recovery key, and the external keys when they are asked for or there is nothing else.
    pub fn on(unlocked: &Unlocked<'_>, external_keys: bool) -> Result<Self, Failure> {
        let nothing = |why: &str| Failure::new(Kind::NothingToBackUp, why);
        if unlocked.vmk().is_none() {
            return Err(nothing(if unlocked.volume().protectors().is_empty() {
                "the drive is not encrypted, so it has no key"
            } else {
                "opened by its data key alone, the drive does not show its recovery keys"
            }));
        }
        let volume = unlocked.volume();
        let about =
            About { volume: volume.id(), label: volume.metadata().label(), now: words::now().to_unix().0 };
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
            let way =
                "in Windows, `manage-bde -protectors -add DRIVE: -recoverypassword` adds a recovery key";
            return Err(nothing("the drive has no recovery key and no external key").hint(way));
        }
        match volume.snapshot() {
            Ok(snapshot) => found.documents.push(document(Content::Snapshot(snapshot))),
            Err(error) => found.no_snapshot = Some(error),
        }
        Ok(found)
    }
}
