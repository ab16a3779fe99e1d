//! What is backed up.

use fve::{ProtectorKind, Snapshot};
use recovery_key::bek::{self, Bek};
use recovery_key::{KeyId, RecoveryPassword, Secret, document};
use uuid::Uuid;

/// A document of a drive.
#[derive(Debug)]
pub struct Document {
    /// The drive it belongs to.
    pub drive: About,
    /// What it says.
    pub content: Content,
}

/// What a person should find beside a key, to know whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct About {
    /// The volume's GUID.
    pub volume: Uuid,
    /// The label that Windows gave it: computer, volume, date.
    pub label: Option<String>,
    /// When the backup is made, in seconds since 1970.
    pub now: i64,
}

/// What a document says.
#[derive(Debug)]
pub enum Content {
    /// The 48 digits; as a file, the text file of Windows.
    RecoveryPassword {
        /// The key ID.
        key_id: KeyId,
        /// The digits.
        password: RecoveryPassword,
    },
    /// An external key; as a file, a `.BEK` file.
    ExternalKey(Bek),
    /// The drive's metadata: no key, but without it no key opens the drive.
    Snapshot(Snapshot),
}

impl Document {
    /// Returns the key ID of the key; a snapshot has none.
    pub fn key_id(&self) -> Option<KeyId> {
        match &self.content {
            Content::RecoveryPassword { key_id, .. } => Some(*key_id),
            Content::ExternalKey(bek) => Some(bek.key_id),
            Content::Snapshot(_) => None,
        }
    }

    /// Returns the kind of protector that the key opens; a snapshot opens none.
    pub fn kind(&self) -> Option<ProtectorKind> {
        match &self.content {
            Content::RecoveryPassword { .. } => Some(ProtectorKind::RecoveryPassword),
            Content::ExternalKey(_) => Some(ProtectorKind::ExternalKey),
            Content::Snapshot(_) => None,
        }
    }

    /// Returns the name of the file: for keys, the one that Windows gives it.
    pub fn file_name(&self) -> String {
        match &self.content {
            Content::RecoveryPassword { key_id, .. } => document::text_file_name(key_id),
            Content::ExternalKey(bek) => bek::file_name(&bek.key_id),
            Content::Snapshot(snapshot) => snapshot.file_name(),
        }
    }

    /// Returns the file's bytes: for keys, as Windows writes them.
    pub fn to_bytes(&self) -> Secret<Vec<u8>> {
        match &self.content {
            Content::RecoveryPassword { key_id, password } => document::text_file(key_id, password),
            Content::ExternalKey(bek) => bek.to_bytes(),
            Content::Snapshot(snapshot) => Secret::new(snapshot.bytes().to_vec()),
        }
    }
}
