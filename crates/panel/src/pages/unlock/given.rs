//! What a person gives to unlock a drive, and which keys are in it.

use fve::{Key, ProtectorKind, UnlockError};
use recovery_key::document::{self, FoundSecret};
use recovery_key::{KeyIdPrefix, RecoveryPassword, Secret};

use super::{OpenFailure, Problem, Tried, put, volume};
use crate::app::App;
use crate::inventory::Drive;
use crate::upload::{Said, Upload};
use crate::words;

/// A wrong key is tried on so many other drives, to say whose it is.
const OTHERS: usize = 4;
/// So many keys of one file are tried: each takes a moment.
const KEYS: usize = 16;

/// What a person gives.
pub enum Given {
    /// Nothing: the drive is suspended.
    None,
    /// The 48 digits.
    Digits(RecoveryPassword),
    /// The password.
    Password(Secret<String>),
    /// Files, whatever is in them.
    Files(Upload),
    /// Something that is no key.
    Problem(Problem),
}

/// Keys, and where they belong by their own account.
#[derive(Default)]
struct Keys {
    /// Those that may be this drive's.
    fitting: Vec<Key>,
    /// Those that say that they are others'.
    strangers: Vec<(KeyIdPrefix, Key)>,
}

impl Given {
    /// Unlocks the drive.
    pub fn try_on(self, app: &App, drive: Drive) -> Tried {
        let (keys, wrong) = match self {
            Self::None => (vec![Key::None], Problem::Locked),
            Self::Digits(password) => (vec![Key::RecoveryPassword(password)], Problem::WrongKey(None)),
            Self::Password(password) => (vec![Key::Password(password)], Problem::Password),
            Self::Files(upload) => match Keys::in_files(upload, &drive) {
                Ok(keys) => match keys.chosen() {
                    Ok(chosen) => chosen,
                    Err(problem) => return Tried::Not(problem),
                },
                Err(problem) => return Tried::Not(problem),
            },
            Self::Problem(problem) => return Tried::Not(problem),
        };
        let opened = match volume(app, &drive) {
            Ok(volume) => volume,
            Err(OpenFailure::RightsMissing) => return Tried::RightsMissing,
            Err(OpenFailure::Gone) => return Tried::Gone,
            Err(OpenFailure::Other(why)) => return Tried::Not(Problem::Other(why)),
        };
        let id = drive.id.clone();
        match put(app, drive, opened, &keys) {
            Ok(_) => Tried::Opened,
            Err(UnlockError::WrongKey { .. } | UnlockError::WrongDataKey) => {
                Tried::Not(whose(app, &id, &keys, wrong))
            }
            Err(UnlockError::OtherKeyId { file, .. }) => {
                let name = whose(app, &id, &keys, Problem::WrongKey(None));
                let name = if let Problem::WrongKey(name) = name { name } else { None };
                Tried::Not(Problem::OtherKey(file.short(), name))
            }
            Err(UnlockError::NoProtector { .. }) => Tried::Not(whose(app, &id, &keys, Problem::NoProtector)),
            Err(UnlockError::Locked { .. }) => Tried::Not(Problem::Locked),
            Err(error) => Tried::Not(Problem::Other(error.to_string())),
        }
    }
}

/// Looks whose the key is, when it is not the one's that it was tried on.
fn whose(app: &App, id: &str, keys: &[Key], wrong: Problem) -> Problem {
    let [key @ (Key::RecoveryPassword(_) | Key::External(_))] = keys else { return wrong };
    let kind = if matches!(key, Key::External(_)) {
        ProtectorKind::ExternalKey
    } else {
        ProtectorKind::RecoveryPassword
    };
    let drives = app.inventory.drives();
    let others = drives.iter().filter(|other| {
        let has = |facts: &crate::VolumeFacts| facts.protectors.iter().any(|(_, own)| *own == kind);
        other.id != id && other.facts().is_some_and(has)
    });
    let owner = others.take(OTHERS).find_map(|other| {
        let proof = volume(app, other).ok()?.prove(key).ok()?;
        Some((words::title(other), proof.key_id().short()))
    });
    match (owner, wrong) {
        (None, wrong) => wrong,
        (Some(owner), Problem::OtherKey(id, _)) => Problem::OtherKey(id, Some(owner)),
        (owner, _) => Problem::WrongKey(owner),
    }
}

impl Keys {
    fn in_files(upload: Upload, drive: &Drive) -> Result<Self, Problem> {
        let (mut said, password) = (Said::default(), upload.password());
        for copy in upload.files {
            said.add(copy, password.as_ref()).map_err(Problem::Unreadable)?;
        }
        said.put_together().map_err(|error| Problem::Sheets(error.to_string()))?;
        let own: Vec<_> = drive.facts().map(|facts| facts.recovery_keys().collect()).unwrap_or_default();
        let (mut keys, mut wrong) = (Self::default(), false);
        for (name, bytes) in said.documents {
            let reading = document::read(name.as_deref(), bytes.expose());
            wrong |=
                reading.remarks.iter().any(|remark| matches!(remark, document::Remark::WrongDigits { .. }));
            for found in reading.keys {
                match (found.secret, found.key_id) {
                    (FoundSecret::RecoveryPassword(password), Some(id))
                        if !own.iter().any(|own| id.matches(own)) =>
                    {
                        keys.strangers.push((id, Key::RecoveryPassword(password)));
                    }
                    (FoundSecret::RecoveryPassword(password), _) => {
                        keys.fitting.push(Key::RecoveryPassword(password))
                    }
                    (FoundSecret::ExternalKey(bek), _) => keys.fitting.push(Key::External(bek)),
                }
            }
        }
        if keys.fitting.is_empty() && keys.strangers.is_empty() && wrong {
            return Err(Problem::Digits);
        }
        Ok(keys)
    }

    /// Returns the keys to try, and what is wrong if none opens. A single stranger may stand under a wrong key ID.
    fn chosen(self) -> Result<(Vec<Key>, Problem), Problem> {
        let Self { mut fitting, mut strangers } = self;
        fitting.truncate(KEYS);
        if !fitting.is_empty() {
            return Ok((fitting, Problem::WrongKey(None)));
        }
        let Some((id, key)) = strangers.pop() else { return Err(Problem::NoKey) };
        let problem = Problem::OtherKey(id.to_string().chars().take(8).collect(), None);
        if strangers.is_empty() { Ok((vec![key], problem)) } else { Err(problem) }
    }
}
