//! Why a command failed: a kind (the exit code), a sentence, and what to do.

use std::fmt;
use std::io;

use backup::{BackupError, Refusal, SaveError};
use drives::{OpenError, ResolveError};
use fve::{ProofError, UnlockError};

/// The kinds of failure. Their numbers are the exit codes and do not change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Anything that has no number of its own.
    Other = 1,
    /// The command line is wrong. (clap exits with the same number.)
    Usage = 2,
    /// The drive is something else than a BitLocker drive.
    NotBitLocker = 3,
    /// The key does not open the drive.
    WrongKey = 4,
    /// The key is another drive's.
    OtherDrive = 5,
    /// The image ends before the volume does.
    Truncated = 6,
    /// All three copies of the metadata are destroyed.
    MetadataDestroyed = 7,
    /// Rights are missing.
    NotPermitted = 8,
    /// The destination is full.
    Full = 9,
    /// The destination would be locked together with the drive.
    Refused = 10,
    /// Something is there already, and was left as it is.
    AlreadyThere = 11,
    /// The drive or file that was named is not there.
    NotFound = 12,
    /// A copy is not proven.
    NotProven = 13,
    /// A key is needed, and there is nobody to ask.
    KeyNeeded = 14,
    /// The drive is damaged where it cannot be read around.
    Damaged = 15,
    /// The drive has no key that could be backed up.
    NothingToBackUp = 16,
    /// The person stopped it.
    Interrupted = 130,
}

impl Kind {
    /// Returns the exit code.
    pub fn code(self) -> u8 {
        self as u8
    }
}

/// Why a command failed.
#[derive(Debug)]
pub struct Failure {
    /// What kind of failure it is.
    pub kind: Kind,
    /// What happened, and why.
    pub message: String,
    /// What to do, one sentence each.
    pub hints: Vec<String>,
}

impl Failure {
    /// Makes a failure.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), hints: Vec::new() }
    }

    /// Adds what to do.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// Puts what it is about in front of the message.
    #[must_use]
    pub fn about(mut self, what: &str) -> Self {
        self.message = format!("{what}: {}", self.message);
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl From<OpenError> for Failure {
    fn from(error: OpenError) -> Self {
        let kind = match &error {
            OpenError::NotFound { .. } => Kind::NotFound,
            OpenError::NotPermitted { .. } | OpenError::ReadOnly { .. } => Kind::NotPermitted,
            OpenError::Folder { .. } | OpenError::NotADrive { .. } => Kind::NotBitLocker,
            _ => Kind::Other,
        };
        let message = match &error {
            OpenError::Io { source, .. } => format!("{error}: {source}"),
            _ => error.to_string(),
        };
        let failure = Self::new(kind, message);
        match error.advice() {
            Some(advice) => failure.hint(advice),
            None => failure,
        }
    }
}

impl From<ResolveError> for Failure {
    fn from(error: ResolveError) -> Self {
        let kind = match &error {
            ResolveError::NoMatch { .. } => Kind::NotFound,
            ResolveError::Folder { .. } | ResolveError::NotADrive { .. } => Kind::NotBitLocker,
            _ => Kind::Usage,
        };
        Self::new(kind, error.to_string()).hint("`lastkey status` lists the drives of this computer")
    }
}

impl From<fve::Error> for Failure {
    fn from(error: fve::Error) -> Self {
        let message = error.to_string();
        match error {
            fve::Error::NotBitLocker => Self::new(Kind::NotBitLocker, message),
            fve::Error::MetadataDestroyed(_) => Self::new(Kind::MetadataDestroyed, message)
                .hint("without one whole copy no key opens the drive; keep it unchanged, and look for an older image of it"),
            fve::Error::Read { ref source, .. } => Self::new(kind_of(source), message),
            _ => Self::new(Kind::Damaged, message),
        }
    }
}

impl From<UnlockError> for Failure {
    fn from(error: UnlockError) -> Self {
        let message = error.to_string();
        match error {
            UnlockError::Volume(error) => error.into(),
            UnlockError::WrongKey { .. } | UnlockError::WrongDataKey | UnlockError::KeyLength(_) => {
                Self::new(Kind::WrongKey, message)
            }
            UnlockError::NoProtector { .. } => Self::new(Kind::WrongKey, message)
                .hint("`lastkey protectors DRIVE` lists what opens the drive"),
            UnlockError::OtherKeyId { .. } => Self::new(Kind::OtherDrive, message),
            UnlockError::Locked { .. } => Self::new(Kind::KeyNeeded, message),
            _ => Self::new(Kind::Damaged, message),
        }
    }
}

impl From<ProofError> for Failure {
    fn from(error: ProofError) -> Self {
        match error {
            ProofError::Unlock(error) => error.into(),
            other => Self::new(Kind::NotProven, other.to_string()),
        }
    }
}

impl From<Refusal> for Failure {
    fn from(error: Refusal) -> Self {
        let message = error.to_string();
        match error {
            Refusal::Unseen { source, .. } => Self::new(kind_of(&source), message),
            _ => Self::new(Kind::Refused, message)
                .hint("choose a folder on a USB stick, another computer or a drive without BitLocker"),
        }
    }
}

impl From<SaveError> for Failure {
    fn from(error: SaveError) -> Self {
        let kind = match &error {
            SaveError::AlreadyThere { .. } => Kind::AlreadyThere,
            SaveError::Full { .. } => Kind::Full,
            SaveError::NotPermitted { .. } => Kind::NotPermitted,
            SaveError::NoFolder { .. } => Kind::NotFound,
            _ => Kind::Other,
        };
        Self::new(kind, error.to_string())
    }
}

impl From<BackupError> for Failure {
    fn from(error: BackupError) -> Self {
        match error {
            BackupError::Save(error) => error.into(),
            BackupError::ReadBack(_) => Self::new(Kind::Other, error.to_string()),
            _ => Self::new(Kind::NotProven, error.to_string()),
        }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::new(kind_of(&error), error.to_string())
    }
}

/// Returns what kind of failure an error of the operating system is.
pub fn kind_of(error: &io::Error) -> Kind {
    match error.kind() {
        io::ErrorKind::NotFound => Kind::NotFound,
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => Kind::NotPermitted,
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => Kind::Full,
        io::ErrorKind::AlreadyExists => Kind::AlreadyThere,
        io::ErrorKind::UnexpectedEof => Kind::Truncated,
        _ => Kind::Other,
    }
}
