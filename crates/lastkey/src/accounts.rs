//! The accounts that this person is signed in to, or this computer when the program runs with all rights.

use std::path::PathBuf;

use account::place::{Account, Accounts, PlaceError};
use account::{Alarm, ClientError, Session};
use backup::record::{ReconcileError, Record};

use crate::failure::{Failure, Kind, reason};
use crate::output::Output;
use crate::record;
use crate::words::{ERROR, OFF};

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

/// Opens the account of a name, or the only one.
pub fn choose(name: Option<&str>) -> Result<Account, Failure> {
    let accounts = all()?;
    let names = accounts.names().map_err(|error| unusable(&error))?;
    let log_in = "`lastkey account login URL` signs this device in";
    let name = match (name, names.as_slice()) {
        (Some(name), _) => name,
        (None, [only]) => only,
        (None, []) => {
            return Err(Failure::new(Kind::NotFound, "this device is signed in to no account").hint(log_in));
        }
        (None, several) => {
            let list = several.join(", ");
            return Err(Failure::new(
                Kind::Usage,
                format!("this device is signed in to several accounts: {list}"),
            )
            .hint("name one of them"));
        }
    };
    accounts.open(name).map_err(|error| unusable(&error))?.ok_or_else(|| {
        Failure::new(Kind::NotFound, format!("this device is signed in to no account {name:?}")).hint(
            if names.is_empty() { log_in.to_owned() } else { format!("it is to: {}", names.join(", ")) },
        )
    })
}

/// Begins to work with an account.
pub fn begin(name: Option<&str>) -> Result<Session, Failure> {
    Session::begin(choose(name)?).map_err(|error| failure(&error))
}

/// Begins to work with the account that the record calls a place; `None` when there is none any more.
pub fn at(place: &str) -> Result<Option<Session>, Failure> {
    let accounts = all()?;
    for name in accounts.names().map_err(|error| unusable(&error))? {
        let account = accounts.open(&name).map_err(|error| unusable(&error))?;
        if let Some(account) = account.filter(|account| account.place() == place) {
            return Session::begin(account).map(Some).map_err(|error| failure(&error));
        }
    }
    Ok(None)
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
        output.note_unless_json(format!(
            "  The evidence is in {}.",
            account.folder().join("evidence").display()
        ));
    }
    Ok(!alarms.is_empty())
}

/// Shows the alarms of all accounts, and says whether there are any.
pub fn sound_all(output: &Output) -> Result<bool, Failure> {
    let accounts = all()?;
    let mut alarmed = false;
    for name in accounts.names().map_err(|error| unusable(&error))? {
        if let Some(account) = accounts.open(&name).map_err(|error| unusable(&error))? {
            alarmed |= sound(&account, output)?;
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
            .hint("what was done at the server may have been hidden from you: tell whoever runs it, and show them the evidence")
            .hint("nothing is taken for delivered there until you log in anew"),
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
        _ => Failure::new(Kind::Other, error.to_string()),
    }
}
