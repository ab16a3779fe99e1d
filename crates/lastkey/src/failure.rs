//! Why a command failed: a kind (the exit code), a sentence, and what to do.

use std::io;
use std::path::Path;

use backup::{BackupError, Refusal, SaveError, VerifyError};
use drives::{OpenError, ResolveError};
use fve::{MetadataError, ProofError, UnlockError};
use serde::ser::{Serialize, SerializeStruct, Serializer};

use crate::rights;

/// The kinds of failure. Their numbers are the exit codes and do not change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Anything that has no number of its own.
    Other = 1,
    /// The command line is wrong. (clap exits with the same number.)
    Usage = 2,
    /// The drive is something else than a BitLocker drive.
    #[serde(rename = "not-bitlocker")]
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
    /// A place cannot be reached: a server, a printer, a stick that is gone.
    Unreachable = 17,
    /// A place asks for a password, and the one it got is wrong.
    WrongPassword = 18,
    /// A drive has no proven copy of its key.
    NotBackedUp = 19,
    /// A copy waits on this computer to be delivered.
    Waiting = 20,
    /// A server's audit log is not what it was.
    Alarm = 21,
    /// The person stopped it.
    Interrupted = 130,
    /// Whatever read a stream stopped before its end: what a shell reports of other programs, too.
    ReaderGone = 141,
}

impl Kind {
    /// All kinds, in the order of their numbers, and what each means for whoever reads the help.
    pub const ALL: [(Self, &str); 23] = [
        (Self::Other, "another failure"),
        (Self::Usage, "wrong usage"),
        (Self::NotBitLocker, "the drive is no BitLocker drive"),
        (Self::WrongKey, "the key does not open the drive"),
        (Self::OtherDrive, "the key is another drive's"),
        (Self::Truncated, "the image is cut off"),
        (Self::MetadataDestroyed, "all three copies of the metadata are destroyed"),
        (Self::NotPermitted, "rights are missing"),
        (Self::Full, "the destination is full"),
        (Self::Refused, "the destination would be locked together with the drive"),
        (Self::AlreadyThere, "there is a file of that name, and it was left as it is"),
        (Self::NotFound, "the drive, file or folder is not there"),
        (Self::NotProven, "a copy is not proven"),
        (Self::KeyNeeded, "a key is needed, and there is nobody to ask"),
        (Self::Damaged, "the drive is damaged"),
        (Self::NothingToBackUp, "the drive has no key that could be backed up"),
        (Self::Unreachable, "a place cannot be reached (a server, a printer, a stick that is gone)"),
        (Self::WrongPassword, "a place does not open with the password it got"),
        (Self::NotBackedUp, "a drive has no proven copy of its key (status --check)"),
        (Self::Waiting, "a copy waits on this computer to be delivered to an account"),
        (Self::Alarm, "the audit log of an account's server is not what it was"),
        (Self::Interrupted, "interrupted (Ctrl-C)"),
        (Self::ReaderGone, "whatever read standard output stopped before the end (read --out -, cat)"),
    ];

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

/// As in every JSON document.
impl Serialize for Failure {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("Failure", 4)?;
        fields.serialize_field("kind", &self.kind)?;
        fields.serialize_field("exit_code", &self.kind.code())?;
        fields.serialize_field("message", &self.message)?;
        fields.serialize_field("hints", &self.hints)?;
        fields.end()
    }
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

impl From<OpenError> for Failure {
    fn from(error: OpenError) -> Self {
        let kind = match &error {
            OpenError::NotFound { .. } => Kind::NotFound,
            OpenError::NotPermitted { .. } | OpenError::ReadOnly { .. } => Kind::NotPermitted,
            OpenError::Folder { .. } | OpenError::NotADrive { .. } => Kind::NotBitLocker,
            _ => Kind::Other,
        };
        let message = match &error {
            OpenError::Io { source, .. } => format!("{error}: {}", reason(source)),
            OpenError::NotPermitted { path, .. } if rights::are_all() => {
                let path = path.display();
                return Self::new(
                    kind,
                    format!("the system lets nobody open {path}, not even an administrator"),
                )
                .hint("in a container or a sandbox, run the command outside of it");
            }
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
        Self::new(kind, error.to_string()).hint("`lastkey status` shows the drives of this computer")
    }
}

impl From<fve::Error> for Failure {
    fn from(error: fve::Error) -> Self {
        let message = error.to_string();
        match error {
            fve::Error::NotBitLocker => Self::new(Kind::NotBitLocker, message),
            fve::Error::MetadataDestroyed(copies) if copies.iter().all(is_cut_off) => {
                Self::new(Kind::Truncated, "the image is cut off before the first copy of its BitLocker metadata")
                    .hint("copy the drive again, all of it")
            }
            fve::Error::MetadataDestroyed(_) => Self::new(Kind::MetadataDestroyed, message)
                .hint("without one whole copy no key opens the drive: keep it unchanged, and look for an older image of it")
                .hint("`lastkey backup` saves such a copy beside the key, a file of the kind .fve: `lastkey rescue DRIVE OUT --snapshot FILE` opens the drive with it"),
            fve::Error::OtherSnapshot { .. } => Self::new(Kind::OtherDrive, message),
            fve::Error::Plain(_) => Self::new(Kind::NotBitLocker, message),
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
            // Such as a raw key, which is no protector's.
            UnlockError::WrongKey { tried } if tried.is_empty() => {
                Self::new(Kind::WrongKey, "the key is wrong: the drive does not open with it")
            }
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
            Refusal::NoFolder { .. } => Self::new(Kind::NotFound, message),
            Refusal::Save(error) => error.into(),
            Refusal::Unusable { .. } => Self::new(Kind::Other, message),
            _ => Self::new(Kind::Refused, message)
                .hint("choose a folder on a USB stick, another computer or a drive without BitLocker"),
        }
    }
}

impl From<SaveError> for Failure {
    fn from(error: SaveError) -> Self {
        let kind = match &error {
            SaveError::AlreadyThere { .. } | SaveError::Taken { .. } => Kind::AlreadyThere,
            SaveError::Full { .. } => Kind::Full,
            SaveError::NotPermitted { .. } | SaveError::ReadOnly { .. } => Kind::NotPermitted,
            SaveError::NoFolder { .. } => Kind::NotFound,
            SaveError::Unreachable { .. } => Kind::Unreachable,
            SaveError::Locked { .. } => Kind::WrongPassword,
            _ => Kind::Other,
        };
        let failure = Self::new(kind, error.to_string());
        match error {
            SaveError::NotPermitted { place } if place.contains("://") => {
                failure.hint("sign in as somebody who may write there")
            }
            SaveError::NotPermitted { .. } => {
                failure.hint("choose a folder of your own, or run the command with more rights")
            }
            SaveError::ReadOnly { .. } => failure
                .hint("choose another place; sticks and memory cards may have a switch against writing"),
            _ => failure,
        }
    }
}

impl From<VerifyError> for Failure {
    fn from(error: VerifyError) -> Self {
        match error {
            VerifyError::NotProven(error) => error.into(),
            VerifyError::OtherDrive { .. } => Self::new(Kind::OtherDrive, error.to_string()),
            VerifyError::Digits(_) => Self::new(Kind::WrongKey, error.to_string()),
            _ => Self::new(Kind::NotProven, error.to_string()),
        }
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

impl From<unlocked::Error> for Failure {
    fn from(error: unlocked::Error) -> Self {
        let message = error.to_string();
        match error {
            unlocked::Error::NotFound(_) | unlocked::Error::NoFile(_) => Self::new(Kind::NotFound, message),
            unlocked::Error::NotAFolder | unlocked::Error::IsAFolder | unlocked::Error::NotALink => {
                Self::new(Kind::Usage, message)
            }
            unlocked::Error::Read { ref source, .. } => match kind_of(source) {
                Kind::Other => Self::new(Kind::Damaged, message),
                kind => Self::new(kind, message),
            },
            unlocked::Error::Damaged { .. } => Self::new(Kind::Damaged, message),
            _ => Self::new(Kind::Other, message),
        }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::new(kind_of(&error), reason(&error))
    }
}

/// Returns whether a metadata copy lies, as far as is known, beyond the end of the image.
fn is_cut_off(copy: &MetadataError) -> bool {
    match copy {
        MetadataError::Unreadable { source, .. } => source.kind() == io::ErrorKind::UnexpectedEof,
        MetadataError::UnknownPlace => true,
        _ => false,
    }
}

/// Returns in plain words what the operating system said.
pub fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "there is no such file or folder".to_owned(),
        io::ErrorKind::PermissionDenied => "the rights to do this are missing".to_owned(),
        io::ErrorKind::ReadOnlyFilesystem => "it is write-protected".to_owned(),
        io::ErrorKind::StorageFull => "there is no room left".to_owned(),
        io::ErrorKind::QuotaExceeded => "there is no room left for this user (quota)".to_owned(),
        io::ErrorKind::FileTooLarge => "no file may be so large there (FAT takes up to 4 GiB)".to_owned(),
        io::ErrorKind::AlreadyExists => "there is a file of that name".to_owned(),
        io::ErrorKind::NotADirectory => "this is no folder".to_owned(),
        io::ErrorKind::IsADirectory => "this is a folder".to_owned(),
        // Without numbers, and without the names of temporary files.
        _ => error.to_string().split(" (os error").next().unwrap_or_default().to_owned(),
    }
}

/// Returns why a file or folder cannot be used.
pub fn about(path: &Path, error: &io::Error) -> Failure {
    Failure::new(kind_of(error), reason(error)).about(&path.display().to_string())
}

/// Returns what kind of failure an error of the operating system is.
pub fn kind_of(error: &io::Error) -> Kind {
    match error.kind() {
        io::ErrorKind::NotFound => Kind::NotFound,
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => Kind::NotPermitted,
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => Kind::Full,
        io::ErrorKind::AlreadyExists => Kind::AlreadyThere,
        io::ErrorKind::NotADirectory => Kind::NotFound,
        io::ErrorKind::BrokenPipe => Kind::ReaderGone,
        io::ErrorKind::UnexpectedEof => Kind::Truncated,
        _ => Kind::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_explained_once_and_in_order() {
        assert!(Kind::ALL.is_sorted_by(|(a, _), (b, _)| a.code() < b.code()));
    }

    #[test]
    fn numbers_and_temporary_names_are_kept_from_people() {
        // EIO, and Windows' ERROR_INVALID_PARAMETER: neither has words of ours.
        let said = reason(&io::Error::from_raw_os_error(if cfg!(windows) { 87 } else { 5 }));
        assert!(!said.is_empty() && !said.contains("os error"), "{said}");
        let inside = io::Error::new(io::ErrorKind::PermissionDenied, "EACCES at path \"/x/.lastkey-3kd\"");
        assert_eq!(reason(&inside), "the rights to do this are missing");
    }
}
