//! Does a copy open the drive?

use std::fs::File;
use std::io::Read;
use std::path::Path;

use fve::{Key, Proof, ProofError, ProtectorKind, Volume};
use recovery_key::document::{self, Found, FoundSecret, Remark};
use recovery_key::{DigitsError, KeyId, KeyIdPrefix, Secret};

/// What a document says, and what of it opens the drive.
#[derive(Debug, Default)]
pub struct Verified {
    /// One for each key in the document; those whose digits are wrong come last.
    pub verdicts: Vec<Verdict>,
    /// What else is to be known about the document.
    pub remarks: Vec<Remark>,
}

/// Whether one key of a document opens the drive.
#[derive(Debug)]
pub struct Verdict {
    /// The key ID that the document gives.
    pub key_id: Option<KeyIdPrefix>,
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
    #[error("it is another drive's: this one has {}", list(.drive))]
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
    /// The digits under one of the drive's key IDs are no recovery key.
    #[error("its digits are no recovery key: {0}")]
    Digits(DigitsError),
    /// The key does not open the drive.
    #[error(transparent)]
    NotProven(ProofError),
}

fn short(id: &KeyIdPrefix) -> String {
    id.to_string().chars().take(8).collect()
}

fn list(ids: &[KeyId]) -> String {
    let words: Vec<_> = ids.iter().map(KeyId::short).collect();
    if words.is_empty() { "no key of that kind".to_owned() } else { format!("key ID {}", words.join(", ")) }
}

impl Verified {
    /// Adds what another document of the same copy says.
    pub fn append(&mut self, other: Self) {
        self.verdicts.extend(other.verdicts);
        self.remarks.extend(other.remarks);
    }

    /// Returns whether the document is a good copy: some key in it is proven, and none that claims to
    /// be this drive's fails. Keys of other drives beside it do no harm, nor do keys without key ID.
    pub fn is_proven(&self) -> bool {
        let harmless = |verdict: &Verdict| match verdict.outcome {
            Ok(_) | Err(VerifyError::OtherDrive { .. }) => true,
            Err(_) => verdict.key_id.is_none(),
        };
        self.verdicts.iter().any(|verdict| verdict.outcome.is_ok()) && self.verdicts.iter().all(harmless)
    }

    /// Returns the proof of one protector's key, or why there is none.
    ///
    /// # Errors
    /// Says why, to stand after "not proven".
    pub fn proof_of(self, key_id: KeyId) -> Result<Proof, String> {
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
    let mut verdicts: Vec<_> = reading.keys.into_iter().map(|found| judge(volume, found, alone)).collect();
    let mut remarks = Vec::new();
    for remark in reading.remarks {
        match remark {
            Remark::WrongDigits { key_id: Some(id), error, .. }
                if key_ids(volume, ProtectorKind::RecoveryPassword).iter().any(|own| id.matches(own)) =>
            {
                let outcome = Err(VerifyError::Digits(error));
                verdicts.push(Verdict { key_id: Some(id), kind: ProtectorKind::RecoveryPassword, outcome });
            }
            other => remarks.push(other),
        }
    }
    Verified { verdicts, remarks }
}

/// Returns whether a file is a good copy of a volume's key: what to say of one that is in the way of a new one.
pub fn is_good_copy(volume: &Volume, path: &Path) -> bool {
    let mut bytes = Secret::new(Vec::new());
    let read = File::open(path)
        .and_then(|file| file.take(document::SIZE_LIMIT as u64).read_to_end(bytes.expose_mut()));
    if read.is_err() {
        return false;
    }
    let place = path.display().to_string();
    // A page says its key by its pixels.
    if bytes.expose().starts_with(b"%PDF-") {
        return crate::paper::seen(bytes.expose(), &place)
            .is_ok_and(|said| verify(volume, None, said.expose()).is_proven());
    }
    let name = path.file_name().and_then(|name| name.to_str());
    verify(volume, name, bytes.expose()).is_proven()
}

fn key_ids(volume: &Volume, kind: ProtectorKind) -> Vec<KeyId> {
    volume.protectors().into_iter().filter(|protector| protector.kind == kind).map(|p| p.id).collect()
}

fn judge(volume: &Volume, found: Found, alone: bool) -> Verdict {
    let Found { key_id, secret, .. } = found;
    let (kind, key) = match secret {
        FoundSecret::RecoveryPassword(password) => {
            (ProtectorKind::RecoveryPassword, Key::RecoveryPassword(password))
        }
        FoundSecret::ExternalKey(bek) => (ProtectorKind::ExternalKey, Key::External(bek)),
    };
    let own = key_ids(volume, kind);
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
    Verdict { key_id, kind, outcome }
}
