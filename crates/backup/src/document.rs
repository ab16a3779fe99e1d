//! What is backed up.

use recovery_key::bek::{self, Bek};
use recovery_key::{KeyId, RecoveryPassword, Secret, document};

/// A key as the document that Windows would write.
#[derive(Debug)]
pub enum Document {
    /// The 48 digits, as a text file.
    RecoveryPassword {
        /// The key ID.
        key_id: KeyId,
        /// The digits.
        password: RecoveryPassword,
    },
    /// An external key, as a `.BEK` file.
    ExternalKey(Bek),
}

impl Document {
    /// Returns the key ID of the key.
    pub fn key_id(&self) -> KeyId {
        match self {
            Self::RecoveryPassword { key_id, .. } => *key_id,
            Self::ExternalKey(bek) => bek.key_id,
        }
    }

    /// Returns the name that Windows gives the file.
    pub fn file_name(&self) -> String {
        match self {
            Self::RecoveryPassword { key_id, .. } => document::text_file_name(key_id),
            Self::ExternalKey(bek) => bek::file_name(&bek.key_id),
        }
    }

    /// Returns the file's bytes, as Windows writes them.
    pub fn to_bytes(&self) -> Secret<Vec<u8>> {
        match self {
            Self::RecoveryPassword { key_id, password } => document::text_file(key_id, password),
            Self::ExternalKey(bek) => bek.to_bytes(),
        }
    }
}
