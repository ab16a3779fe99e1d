//! Signing in: whose server it is, and whose device this is.

use std::process::ExitCode;

use account::place::name_of;
use account::{Address, Answered, Client, ClientError, Fingerprint, Login, Trust, device_name, presented};
use serde::Serialize;

use super::RecipientReport;
use crate::cli::AccountLogin;
use crate::failure::{Failure, Kind, kind_of, reason};
use crate::output::Output;
use crate::words::{BOLD, GOOD, OFF};
use crate::{accounts, interrupt, prompt, rights};

#[derive(Serialize)]
struct Report {
    account: String,
    name: String,
    server: String,
    fingerprint: Option<String>,
    device: String,
    recipients: Vec<RecipientReport>,
}

/// Signs in.
pub fn run(arguments: &AccountLogin, output: &Output) -> Result<ExitCode, Failure> {
    let address: Address = arguments.server.parse().map_err(|error: account::AddressError| {
        Failure::new(Kind::Usage, format!("{}: {error}", arguments.server))
    })?;
    let accounts = accounts::all()?;
    if let Some(name) = &arguments.name
        && accounts.open(name).map_err(|error| accounts::unusable(&error))?.is_some()
    {
        return Err(accounts::unusable(&account::place::PlaceError::Taken { name: name.clone() }));
    }
    let trust = trust(&address, arguments.fingerprint, output)?;
    let fingerprint = match &trust {
        Trust::Pinned(certificate) => Some(Fingerprint::of(certificate).to_string()),
        Trust::System => None,
    };
    let device = device_name(arguments.device.as_deref());
    let mut login = Login::begin(address, trust, &device).map_err(|error| accounts::failure(&error))?;
    let (code, _) = login.code();
    output.note(format!(
        "Confirm this device in the portal, {}, with the code\n\n    {BOLD}{code}{OFF}\n\nWaiting ... (Ctrl-C ends it)",
        login.server().portal
    ));
    wait(&mut login)?;
    let (about, key) = login.finish();
    let name = arguments.name.clone().unwrap_or_else(|| name_of(&about.account));
    let account = accounts.add(&name, &about, &key).map_err(|error| accounts::unusable(&error))?;
    let recipients = RecipientReport::all(&about.recipients);
    output.say(format!(
        "{GOOD}signed in{OFF}  {} as the device {device:?}\nKeys are sealed on this device; these can open them:",
        account.place()
    ))?;
    for recipient in &recipients {
        output.say(format!("  {}", recipient.line()))?;
    }
    // An account belongs to the user who logged in.
    let sudo = if rights::are_all() { "sudo " } else { "" };
    output.say(format!("Save a key there: {sudo}lastkey backup DRIVE --to account:{name}"))?;
    let (account, server) = (about.account, about.server);
    output.document(&Report { account, name, server, fingerprint, device: about.device, recipients })?;
    Ok(ExitCode::SUCCESS)
}

/// Finds out how the server is to be known: by an authority, or by its own certificate, once a person or the
/// command line has said which that is.
fn trust(address: &Address, expected: Option<Fingerprint>, output: &Output) -> Result<Trust, Failure> {
    if expected.is_none() {
        match Client::new(address.clone(), Trust::System).server() {
            Ok(_) => return Ok(Trust::System),
            Err(ClientError::Untrusted { .. }) => {}
            Err(error) => return Err(accounts::failure(&error)),
        }
    }
    let certificate = presented(address).map_err(|error| {
        let kind = match kind_of(&error) {
            Kind::Other | Kind::NotFound => Kind::Unreachable,
            kind => kind,
        };
        Failure::new(kind, format!("{address} cannot be reached: {}", reason(&error)))
    })?;
    let shown = Fingerprint::of(&certificate);
    let certificate = Trust::Pinned(certificate);
    match expected {
        Some(expected) if expected == shown => Ok(certificate),
        Some(_) => Err(Failure::new(
            Kind::NotPermitted,
            format!("the certificate of {address} has another fingerprint: {shown}"),
        )
        .hint("somebody may stand between you and the server: ask whoever runs it for the fingerprint")),
        None if prompt::can_ask() => {
            output.note(format!(
                "{address} has a certificate of its own. lastkeyd shows its fingerprint when it starts:\n\n    \
                 {BOLD}{shown}{OFF}\n"
            ));
            if prompt::line("Are they the same? Type yes: ")?.eq_ignore_ascii_case("yes") {
                return Ok(certificate);
            }
            Err(Failure::new(Kind::NotPermitted, format!("{address} was not confirmed to be the right server")))
        }
        None => Err(Failure::new(
            Kind::NotPermitted,
            format!("{address} has a certificate of its own, and there is nobody to ask whether it is the right one"),
        )
        .hint(format!("its fingerprint is {shown}"))
        .hint("compare it with what lastkeyd shows when it starts, and say --fingerprint HEX")),
    }
}

/// Waits for the person.
fn wait(login: &mut Login) -> Result<(), Failure> {
    match login.wait(|| !interrupt::asked()).map_err(|error| accounts::failure(&error))? {
        Answered::Confirmed => Ok(()),
        Answered::Refused => Err(Failure::new(Kind::NotPermitted, "the device was refused in the portal")),
        Answered::Nobody => {
            Err(Failure::new(Kind::NotPermitted, "nobody has confirmed the device while its code was good")
                .hint("the same command again shows a new one"))
        }
        Answered::Stopped => interrupt::check(),
    }
}
