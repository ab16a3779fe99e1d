//! Does a copy open the drive?

use fve::{Key, Proof, ProofError, ProtectorKind, Volume};
use recovery_key::document::{self, Form, Found, FoundSecret, Remark};
use recovery_key::{KeyId, KeyIdPrefix};

/// What a document says, and what of it opens the drive.
#[derive(Debug)]
pub struct Verified {
    /// One for each key in the document, in its order.
    pub verdicts: Vec<Verdict>,
    /// What else is to be known about the document.
    pub remarks: Vec<Remark>,
}

/// Whether one key of a document opens the drive.
#[derive(Debug)]
pub struct Verdict {
    /// The key ID that the document gives.
    pub key_id: Option<KeyIdPrefix>,
    /// What kind of document it is.
    pub form: Form,
    /// What kind of key it is.
    pub kind: ProtectorKind,
    /// The proof, or why there is none.
    pub outcome: Result<Proof, VerifyError>,
}

/// Why a key in a document is no backup of the drive's.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// The key belongs to a protector that the drive does not have.
    #[error("it is for key ID {}, which this drive does not have (it has {})", short(.document), list(.drive))]
    OtherDrive {
        /// The key ID in the document.
        document: KeyIdPrefix,
        /// The drive's key IDs of that kind.
        drive: Vec<KeyId>,
    },
    /// The key opens the drive, but the document gives it another key ID.
    #[error(
        "it opens the drive, but stands under key ID {} while its own is {}: nobody would find it",
        short(.document), .own.short()
    )]
    Mislabelled {
        /// The key ID in the document.
        document: KeyIdPrefix,
        /// The key ID of the protector that it opens.
        own: KeyId,
    },
    /// The key does not open the drive.
    #[error(transparent)]
    NotProven(ProofError),
}

fn short(id: &KeyIdPrefix) -> String {
    id.to_string().chars().take(8).collect()
}

fn list(ids: &[KeyId]) -> String {
    let words: Vec<_> = ids.iter().map(KeyId::short).collect();
    if words.is_empty() { "none of that kind".to_owned() } else { words.join(", ") }
}

impl Verified {
    /// Returns whether the document is a good copy: some key in it is proven, and none that claims to
    /// be this drive's fails. Keys of other drives beside it do no harm.
    pub fn is_proven(&self) -> bool {
        let harmless =
            |verdict: &Verdict| matches!(verdict.outcome, Ok(_) | Err(VerifyError::OtherDrive { .. }));
        self.verdicts.iter().any(|verdict| verdict.outcome.is_ok()) && self.verdicts.iter().all(harmless)
    }

    /// Returns the proof of one protector's key, or why there is none.
    pub(crate) fn proof_of(self, key_id: KeyId) -> Result<Proof, String> {
        let mut problem = String::from("no key was found in it");
        for verdict in self.verdicts {
            match verdict.outcome {
                Ok(proof) if proof.key_id() == key_id => return Ok(proof),
                Ok(_) => {}
                Err(error) => problem = error.to_string(),
            }
        }
        Err(problem)
    }
}

/// Reads a document as a stranger would, and tries every key in it on the drive.
pub fn verify(volume: &Volume, name: Option<&str>, bytes: &[u8]) -> Verified {
    let reading = document::read(name, bytes);
    let alone = reading.keys.len() == 1;
    let verdicts = reading.keys.into_iter().map(|found| judge(volume, found, alone)).collect();
    Verified { verdicts, remarks: reading.remarks }
}

fn judge(volume: &Volume, found: Found, alone: bool) -> Verdict {
    let Found { key_id, secret, form, .. } = found;
    let (kind, key) = match secret {
        FoundSecret::RecoveryPassword(password) => {
            (ProtectorKind::RecoveryPassword, Key::RecoveryPassword(password))
        }
        FoundSecret::ExternalKey(bek) => (ProtectorKind::ExternalKey, Key::External(bek)),
    };
    let own: Vec<_> =
        volume.protectors().into_iter().filter(|protector| protector.kind == kind).map(|p| p.id).collect();
    let other = key_id.filter(|id| !own.iter().any(|own| id.matches(own)));
    // A list of every key of a company holds one that fits: only a lone stranger is worth trying.
    let outcome = match other {
        Some(document) if !alone => Err(VerifyError::OtherDrive { document, drive: own }),
        _ => match (volume.prove(&key), other) {
            (Ok(proof), _) => match key_id.filter(|id| !id.matches(&proof.key_id())) {
                Some(document) => Err(VerifyError::Mislabelled { document, own: proof.key_id() }),
                None => Ok(proof),
            },
            (Err(_), Some(document)) => Err(VerifyError::OtherDrive { document, drive: own }),
            (Err(error), None) => Err(VerifyError::NotProven(error)),
        },
    };
    Verdict { key_id, form, kind, outcome }
}
