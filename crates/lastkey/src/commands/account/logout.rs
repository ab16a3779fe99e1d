//! Forgetting an account on this device.

use std::process::ExitCode;

use account::Session;
use account::place::{Account, PlaceError};
use serde::Serialize;

use crate::accounts;
use crate::cli::AccountLogout;
use crate::failure::{Failure, Kind};
use crate::output::Output;

#[derive(Serialize)]
struct Report {
    account: String,
    /// Null when what is kept of the account could not be read.
    server: Option<String>,
}

/// Forgets one.
pub fn run(arguments: &AccountLogout, output: &Output) -> Result<ExitCode, Failure> {
    let name = accounts::name(arguments.name.as_deref())?;
    let all = accounts::all()?;
    let unusable = |error: PlaceError| accounts::unusable(&error);
    let account = match all.open(&name) {
        // Only --force throws away what nobody has looked at.
        Err(PlaceError::Damaged { .. } | PlaceError::Io { .. }) if arguments.force => None,
        opened => opened.map_err(unusable)?,
    };
    let Some(account) = account else {
        all.remove_unread(&name).map_err(unusable)?;
        output.say(format!(
            "This device has forgotten the account {name}, of which not everything could be read. Take the device out \
             in the portal too."
        ))?;
        output.document(&Report { account: name, server: None })?;
        return Ok(ExitCode::SUCCESS);
    };
    let session = Session::begin(account).map_err(|error| accounts::failure(&error))?;
    if !arguments.force {
        lets_go(session.account())?;
    }
    let about = session.account().about().clone();
    all.remove(session.end()).map_err(unusable)?;
    output.say(format!(
        "This device has forgotten the account {name}. Take the device {:?} out in the portal too: {}",
        about.device_name, about.server
    ))?;
    output.document(&Report { account: name, server: Some(about.server) })?;
    Ok(ExitCode::SUCCESS)
}

/// Makes sure that nothing is lost with the account.
fn lets_go(account: &Account) -> Result<(), Failure> {
    let unusable = |error: PlaceError| accounts::unusable(&error);
    let waiting = account.waiting().map_err(unusable)?.len();
    if waiting > 0 {
        return Err(Failure::new(
            Kind::Waiting,
            format!("{waiting} records wait that the server does not have"),
        )
        .hint("send them with `lastkey account send`, or throw them away with --force"));
    }
    if let Some(error) = account.damaged().map_err(unusable)?.first() {
        return Err(Failure::new(Kind::Other, error.to_string())
            .hint("it may be a record that the server does not have: back up its drive again")
            .hint("remove the file, or throw everything away with --force"));
    }
    if !accounts::alarms(account)?.is_empty() {
        let folder = account.folder().join("evidence");
        return Err(Failure::new(
            Kind::Alarm,
            "there is evidence that the server's audit log is not what it was",
        )
        .hint(format!("keep a copy of {}, then say --force", folder.display())));
    }
    Ok(())
}
