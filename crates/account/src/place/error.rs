//! What can be wrong with what is kept of the accounts.

use std::io;
use std::path::{Path, PathBuf};

use super::WAITING_LIMIT;

/// Why what is kept here cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PlaceError {
    /// The system says no.
    #[error("{}: {source}", .path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file says something else.
    #[error("{} is damaged: {why}", .path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// There is an account of that name already.
    #[error("this device is signed in to an account {name} already")]
    Taken {
        /// The name.
        name: String,
    },
    /// The name cannot be that of a folder everywhere.
    #[error("{name:?} is no name for an account here: use letters, digits, - and _")]
    Name {
        /// The name.
        name: String,
    },
    /// Another process works with the account, and does not end.
    #[error("another lastkey is busy with this account")]
    Busy,
    /// Too much waits.
    #[error("{WAITING_LIMIT} records wait already")]
    Full,
}

impl PlaceError {
    /// Returns the file or folder that cannot be used, when it is one.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Io { path, .. } | Self::Damaged { path, .. } => Some(path),
            _ => None,
        }
    }
}
