//! What a device keeps with an account: one key or snapshot, and all that is needed to use it without us.
//!
//! A record is sealed with age to the account's recipients. `age -d -i IDENTITY RECORD` gives one JSON document that
//! a person can read, here that of a recovery key:
//! ```json
//! {
//!   "format": 1,
//!   "kind": "recovery-key",
//!   "account": "ada",
//!   "device": "0191f3a2-7c1e-7b6a-9f00-3d2b1c0a9e8f",
//!   "device_name": "ada-laptop",
//!   "drive": "ADA-LAPTOP C: 2026-01-05",
//!   "volume": "4967D63B-2E29-4AD8-8399-F6A339E3D001",
//!   "made": "2026-11-23T10:00:00Z",
//!   "proven": "2026-11-23T10:00:00Z",
//!   "key_id": "AC9D5655-F7CA-4D1D-902F-1B6087118138",
//!   "recovery_key": "132858-327525-689172-680790-354607-080454-642268-377564",
//!   "capsule": "AgEAAAgAAQA..."
//! }
//! ```
//! `capsule` is the key's protector as it lies on the drive ([`Capsule`]), in Base64. An external key has
//! `external_key` instead, the `.BEK` file in Base64; a snapshot of the metadata has `snapshot` and no `key_id`.
//!
//! What a server says of a record beside it, it could say of another: [`Record::agrees_with`] compares it with what
//! is inside.

mod text;

use std::borrow::Cow;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fve::{Capsule, Snapshot};
use jiff::Timestamp;
use recovery_key::bek::Bek;
use recovery_key::{KeyId, RecoveryPassword, Secret};
use sealed::{Opener, Seal, SealError};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use self::text::{Text, Version};
use crate::wire::{NewRecord, RecordKind, SEALED_LIMIT};

const FORMAT: u32 = 1;

/// A record as it is inside.
#[derive(Debug)]
pub struct Record {
    /// The account's name.
    pub account: String,
    /// The device's ID.
    pub device: String,
    /// What the device calls itself.
    pub device_name: String,
    /// The drive in words.
    pub drive: String,
    /// The volume.
    pub volume: Uuid,
    /// When it was made, in seconds since 1970.
    pub made: i64,
    /// When the key last opened the drive.
    pub proven: i64,
    /// What it is of.
    pub content: Content,
}

/// What a record is of.
#[derive(Debug)]
pub enum Content {
    /// The 48 digits, and their lock.
    RecoveryKey {
        /// The digits.
        password: RecoveryPassword,
        /// The protector that they open.
        capsule: Capsule,
    },
    /// An external key.
    ExternalKey(Bek),
    /// The drive's metadata.
    Snapshot(Snapshot),
}

/// A record that was sealed.
#[derive(Debug)]
pub struct SealedRecord {
    bytes: Vec<u8>,
    seal: Seal,
}

/// What a server says of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row<'a> {
    /// The name of the account that it belongs to.
    pub account: &'a str,
    /// The ID of the device that sent it.
    pub device: &'a str,
    /// What it is of.
    pub kind: RecordKind,
    /// The volume.
    pub volume: &'a str,
    /// The key ID; none for a snapshot.
    pub key_id: Option<&'a str>,
    /// The drive in words.
    pub drive: &'a str,
    /// When it was proven.
    pub proven: i64,
}

/// Why there is no record.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// It is not sealed, or does not open.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// It is larger than records are.
    #[error("it has {size} bytes, and records have {SEALED_LIMIT} at most")]
    TooLarge {
        /// Its bytes.
        size: usize,
    },
    /// A newer version of this program wrote it.
    #[error("a newer version of this program wrote it (format {0})")]
    Newer(u32),
    /// What is inside is not what a record is made of. No text of it is shown: it may be a key.
    #[error("what is inside is no record: {0}")]
    Malformed(&'static str),
    /// What is beside it and what is inside do not agree.
    #[error(
        "its {field} is not the one that it was sealed with: it was exchanged or changed where it is kept"
    )]
    Exchanged {
        /// In what they differ.
        field: &'static str,
    },
}

type Result<T> = std::result::Result<T, RecordError>;

impl Record {
    /// Seals the record to recipients, each written as `age1...`.
    ///
    /// # Errors
    /// When one is no recipient, or there is none.
    pub fn seal<S: AsRef<str>>(&self, recipients: &[S]) -> Result<SealedRecord> {
        let seal = Seal::to_recipients(recipients)?;
        let bytes = seal.seal(self.to_json()?.expose())?;
        match bytes.len() {
            size if size > SEALED_LIMIT => Err(RecordError::TooLarge { size }),
            _ => Ok(SealedRecord { bytes, seal }),
        }
    }

    /// Opens a record.
    ///
    /// # Errors
    /// When it was sealed for somebody else, is damaged, or is something else.
    pub fn open(bytes: &[u8], opener: &Opener) -> Result<Self> {
        match bytes.len() {
            size if size > SEALED_LIMIT => Err(RecordError::TooLarge { size }),
            _ => Self::parse(&sealed::open(bytes, opener)?),
        }
    }

    /// Reads what is inside a record.
    ///
    /// # Errors
    /// When it is something else.
    pub fn parse(json: &Secret<Vec<u8>>) -> Result<Self> {
        let malformed = RecordError::Malformed;
        let Version { format } =
            serde_json::from_slice(json.expose()).map_err(|_| malformed("it has no format"))?;
        if format != FORMAT {
            return Err(RecordError::Newer(format));
        }
        // The error of the parser may quote what it stumbled over.
        let text: Text<'_> =
            serde_json::from_slice(json.expose()).map_err(|_| malformed("a field is missing or wrong"))?;
        let time = |text: &str| {
            text.parse::<Timestamp>().map(Timestamp::as_second).map_err(|_| malformed("a time is none"))
        };
        let volume = text.volume.parse().map_err(|_| malformed("the volume's ID is none"))?;
        let record = Self {
            content: text.content(volume)?,
            account: text.account.into_owned(),
            device: text.device.into_owned(),
            device_name: text.device_name.into_owned(),
            drive: text.drive.into_owned(),
            volume,
            made: time(text.made.as_ref())?,
            proven: time(text.proven.as_ref())?,
        };
        let key_id = text.key_id.as_deref().map(str::parse).transpose();
        match key_id {
            Ok(key_id) if key_id == record.key_id() => Ok(record),
            _ => Err(malformed("the key ID is not the key's")),
        }
    }

    /// Returns the document that is sealed.
    ///
    /// # Errors
    /// None for times that clocks have.
    pub fn to_json(&self) -> Result<Secret<Vec<u8>>> {
        let time = |seconds| {
            let time = Timestamp::from_second(seconds).map(|time| Cow::Owned(time.to_string()));
            time.map_err(|_| RecordError::Malformed("a time is none"))
        };
        let (digits, bek);
        let mut text = Text {
            format: FORMAT,
            kind: self.kind(),
            account: Cow::Borrowed(&self.account),
            device: Cow::Borrowed(&self.device),
            device_name: Cow::Borrowed(&self.device_name),
            drive: Cow::Borrowed(&self.drive),
            volume: Cow::Owned(guid(self.volume)),
            made: time(self.made)?,
            proven: time(self.proven)?,
            key_id: self.key_id().map(|id| Cow::Owned(id.to_string())),
            recovery_key: None,
            capsule: None,
            external_key: None,
            snapshot: None,
        };
        match &self.content {
            Content::RecoveryKey { password, capsule } => {
                digits = password.digits();
                text.recovery_key = Some(digits.expose());
                text.capsule = Some(Cow::Owned(STANDARD.encode(capsule.to_bytes())));
            }
            Content::ExternalKey(key) => {
                bek = Secret::new(STANDARD.encode(key.to_bytes().expose()));
                text.external_key = Some(bek.expose());
            }
            Content::Snapshot(snapshot) => {
                text.snapshot = Some(Cow::Owned(STANDARD.encode(snapshot.bytes())));
            }
        }
        // All the room at once: what grows leaves its old, unwiped self behind.
        let mut json = Secret::new(Vec::with_capacity(SEALED_LIMIT));
        serde_json::to_writer_pretty(json.expose_mut(), &text)
            .map_err(|_| RecordError::Malformed("it cannot be written"))?;
        json.expose_mut().push(b'\n');
        Ok(json)
    }

    /// Returns what it is of.
    #[must_use]
    pub fn kind(&self) -> RecordKind {
        match self.content {
            Content::RecoveryKey { .. } => RecordKind::RecoveryKey,
            Content::ExternalKey(_) => RecordKind::ExternalKey,
            Content::Snapshot(_) => RecordKind::Snapshot,
        }
    }

    /// Returns the key ID; a snapshot has none.
    #[must_use]
    pub fn key_id(&self) -> Option<KeyId> {
        match &self.content {
            Content::RecoveryKey { capsule, .. } => Some(capsule.key_id()),
            Content::ExternalKey(bek) => Some(bek.key_id),
            Content::Snapshot(_) => None,
        }
    }

    /// Says whether the key still is the one that its lock asks for; `None` when there is no lock to try.
    #[must_use]
    pub fn is_right(&self) -> Option<bool> {
        match &self.content {
            Content::RecoveryKey { password, capsule } => Some(capsule.opens(password)),
            Content::ExternalKey(_) | Content::Snapshot(_) => None,
        }
    }

    /// Checks that what is said of the record is what it was sealed with.
    ///
    /// # Errors
    /// Says in what they differ.
    pub fn agrees_with(&self, row: &Row<'_>) -> Result<()> {
        let id = |text: &str| text.parse::<Uuid>().ok();
        let differs = |field| Err(RecordError::Exchanged { field });
        match self {
            _ if self.account != row.account => differs("account"),
            _ if self.device != row.device => differs("device"),
            _ if self.kind() != row.kind => differs("kind"),
            _ if id(row.volume) != Some(self.volume) => differs("volume"),
            _ if row.key_id.map(id) != self.key_id().map(|own| Some(own.into())) => differs("key ID"),
            _ if self.drive != row.drive => differs("drive"),
            _ if self.proven != row.proven => differs("time of proof"),
            _ => Ok(()),
        }
    }

    /// Returns what is sent to the server with the sealed record.
    #[must_use]
    pub fn to_upload(&self, sealed: &SealedRecord, recipients: &[String]) -> NewRecord {
        NewRecord {
            kind: self.kind(),
            volume: guid(self.volume),
            key_id: self.key_id().map(|id| id.to_string()),
            drive: self.drive.clone(),
            proven: self.proven,
            recipients: recipients.to_vec(),
            sealed: STANDARD.encode(sealed.bytes()),
        }
    }
}

impl SealedRecord {
    /// Returns the age file.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Returns the record's ID.
    #[must_use]
    pub fn id(&self) -> [u8; 32] {
        id(&self.bytes)
    }

    /// Opens the record again, as it came back from where it is kept.
    ///
    /// # Errors
    /// When it is damaged, or another record.
    pub fn read_back(&self, bytes: &[u8]) -> Result<Secret<Vec<u8>>> {
        Ok(self.seal.open(bytes)?)
    }
}

/// Returns the ID of a sealed record: its SHA-256.
#[must_use]
pub fn id(sealed: &[u8]) -> [u8; 32] {
    Sha256::digest(sealed).into()
}

fn guid(id: Uuid) -> String {
    id.to_string().to_uppercase()
}

impl fmt::Display for RecordKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::RecoveryKey => "recovery key",
            Self::ExternalKey => "external key",
            Self::Snapshot => "metadata",
        })
    }
}

#[cfg(test)]
mod tests;
