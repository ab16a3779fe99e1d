//! The accounts that this person is signed in to, or this computer when the program runs with all rights.

use std::path::PathBuf;

use account::place::{Account, Accounts, PlaceError};
use account::{Alarm, ClientError, Session};
use backup::record::{ReconcileError, Record};

use crate::failure::{Failure, Kind, reason};
use crate::output::Output;
use crate::words::{ERROR, OFF};
use crate::{record, rights};

/// Returns where the accounts are: beside the record.
pub fn folder() -> Option<PathBuf> {
    record::path().and_then(|path| Some(path.parent()?.join("accounts")))
}

/// Returns the accounts.
pub fn all() -> Result<Accounts, Failure> {
    folder().map(Accounts::at).ok_or_else(|| {
        Failure::new(Kind::NotFound, "there is no folder for accounts").hint("set LASTKEY_RECORD to a file")
    })
}

/// Returns what the account of a name, or the only one, is called on this computer. Nothing of it is read.
pub fn name(name: Option<&str>) -> Result<String, Failure> {
    let names = all()?.names().map_err(|error| unusable(&error))?;
    match (name, names.as_slice()) {
        (Some(name), _) if names.iter().any(|known| known == name) => Ok(name.to_owned()),
        (None, [only]) => Ok(only.clone()),
        (None, []) => Err(none("this device is signed in to no account".to_owned())),
        (Some(name), []) => Err(none(format!("this device is signed in to no account {name:?}"))),
        (Some(name), several) => {
            let message = format!("this device is signed in to no account {name:?}");
            Err(Failure::new(Kind::NotFound, message).hint(format!("it is to: {}", several.join(", "))))
        }
        (None, several) => {
            let message = format!("this device is signed in to several accounts: {}", several.join(", "));
            Err(Failure::new(Kind::Usage, message).hint("name one of them"))
        }
    }
}

/// There is no account at all: perhaps because it is another user's.
fn none(message: String) -> Failure {
    let failure = Failure::new(Kind::NotFound, message);
    if rights::are_all() {
        failure
            .hint("log in with sudo: `sudo lastkey account login URL`")
            .hint("an account belongs to the user who logged in, and root sees no other user's")
    } else {
        failure
            .hint("`lastkey account login URL` signs this device in")
            .hint("an account belongs to the user who logged in: one of root's is used with sudo only")
    }
}

/// Opens the account of a name, or the only one.
pub fn choose(name: Option<&str>) -> Result<Account, Failure> {
    let name = self::name(name)?;
    let account = all()?.open(&name).map_err(|error| unusable(&error))?;
    account.ok_or_else(|| none(format!("this device is signed in to no account {name:?}")))
}

/// Begins to work with an account.
pub fn begin(name: Option<&str>) -> Result<Session, Failure> {
    Session::begin(choose(name)?).map_err(|error| failure(&error))
}

/// Begins to work with the account that the record calls a place; `None` when there is none any more.
pub fn at(place: &str) -> Result<Option<Session>, Failure> {
    let accounts = all()?;
    let mut unread = None;
    for name in accounts.names().map_err(|error| unusable(&error))? {
        match accounts.open(&name) {
            Ok(Some(account)) if account.place() == place => {
                return Session::begin(account).map(Some).map_err(|error| failure(&error));
            }
            Ok(_) => {}
            // Perhaps it is this one.
            Err(error) => unread = Some(unusable(&error)),
        }
    }
    unread.map_or(Ok(None), Err)
}

/// Notes in the record which copies that waited have arrived. What cannot be noted is noted the next time.
pub fn reconcile(record: &mut Record, output: &Output) {
    let problem = match all() {
        Err(problem) => problem,
        Ok(accounts) => match record.reconcile(&accounts) {
            Ok(()) => return,
            Err(ReconcileError::Account(error)) => unusable(&error),
            Err(ReconcileError::Record(error)) => record::failure(&error),
        },
    };
    output.note(format!("warning: {}", problem.message));
}

/// Returns what was wrong with the log of an account's server, ready to be shown.
pub fn alarms(account: &Account) -> Result<Vec<Alarm>, Failure> {
    account.evidence().map_err(|error| unusable(&error))
}

/// Shows the alarms of an account: none is ever shown only once.
pub fn sound(account: &Account, output: &Output) -> Result<bool, Failure> {
    let alarms = alarms(account)?;
    for alarm in &alarms {
        output.note_unless_json(format!("{ERROR}{alarm}{OFF}"));
    }
    if !alarms.is_empty() {
        for line in after_alarm(account) {
            output.note_unless_json(format!("  {line}."));
        }
    }
    Ok(!alarms.is_empty())
}

/// Says what an alarm may mean, and what the way on is.
pub fn after_alarm(account: &Account) -> [String; 4] {
    let (name, server) = (account.name(), &account.about().server);
    let evidence = account.folder().join("evidence");
    [
        format!("It may mean two things: {}", Alarm::MEANING),
        format!(
            "Ask whoever runs {server} which of them it is, face to face or on the phone, and show them the evidence \
             in {}; what the server says is not believed until then",
            evidence.display()
        ),
        format!(
            "If it was restored or set up anew: keep a copy of that folder, then `lastkey account logout {name} \
             --force`, `lastkey account login {server}`, and back up every drive there again"
        ),
        "If it was not: somebody hides something; do not log in again, and save your keys to another place \
         (`lastkey backup DRIVE --to usb`)"
            .to_owned(),
    ]
}

/// Shows the alarms of all accounts, and says whether there are any.
pub fn sound_all(output: &Output) -> Result<bool, Failure> {
    let accounts = all()?;
    let mut alarmed = false;
    for name in accounts.names().map_err(|error| unusable(&error))? {
        match accounts.open(&name) {
            Ok(Some(account)) => alarmed |= sound(&account, output)?,
            Ok(None) => {}
            Err(error) => record::complain(&unusable(&error), output),
        }
    }
    Ok(alarmed)
}

/// Returns what went wrong at a server.
pub fn failure(error: &ClientError) -> Failure {
    let message = error.to_string();
    match error {
        ClientError::Unreachable { .. } => Failure::new(Kind::Unreachable, message),
        ClientError::Untrusted { .. } => Failure::new(Kind::NotPermitted, message)
            .hint("somebody may stand between you and the server, or it has a new certificate: ask whoever runs it")
            .hint("if its certificate is new: lastkey account logout, then login, and compare the fingerprint"),
        ClientError::Refused { code, .. } => match code.as_str() {
            "revoked" | "signature" => Failure::new(Kind::NotPermitted, message)
                .hint("if the device is yours: lastkey account logout, then login again"),
            "not-found" => Failure::new(Kind::NotFound, message),
            _ if error.may_pass() => Failure::new(Kind::Unreachable, message).hint("try again later"),
            _ => Failure::new(Kind::Other, message),
        },
        ClientError::Alarm(_) => Failure::new(Kind::Alarm, message)
            .hint(format!("it may mean two things: {}", Alarm::MEANING))
            .hint("`lastkey account status` shows the way on"),
        ClientError::Recipients => Failure::new(Kind::NotPermitted, message)
            .hint("whoever is a recipient can open your keys: look at them with `lastkey account accept`"),
        ClientError::Place(error) => unusable(error),
        _ => Failure::new(Kind::Other, message),
    }
}

/// Returns what is wrong with what is kept here.
pub fn unusable(error: &PlaceError) -> Failure {
    match error {
        PlaceError::Io { path, source } => {
            Failure::new(crate::failure::kind_of(source), reason(source)).about(&path.display().to_string())
        }
        PlaceError::Taken { .. } => Failure::new(Kind::AlreadyThere, error.to_string())
            .hint("choose another name with --name, or log out of it first"),
        PlaceError::Name { .. } => Failure::new(Kind::Usage, error.to_string()),
        PlaceError::Damaged { .. } => Failure::new(Kind::Other, error.to_string()).hint(
            "restore the file from a backup of this computer, or `lastkey account logout NAME --force`, then login",
        ),
        _ => Failure::new(Kind::Other, error.to_string()),
    }
}
