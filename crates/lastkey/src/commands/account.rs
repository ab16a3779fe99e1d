//! `lastkey account`: the accounts that this device is signed in to.

mod check_in;
mod login;
mod logout;
mod status;

use std::process::ExitCode;

use account::place::{self, Kept, Waiting};
use account::wire::Recipient;
use account::{ClientError, Session};
use serde::Serialize;

use crate::cli::{Account, AccountAccept, OneAccount};
use crate::failure::{Failure, Kind};
use crate::output::Output;
use crate::words::{BOLD, ERROR, GOOD, OFF};
use crate::{accounts, interrupt, prompt, record};

/// Runs a command on accounts.
pub fn run(command: &Account, output: &Output) -> Result<ExitCode, Failure> {
    match command {
        Account::Login(arguments) => login::run(arguments, output),
        Account::Status(arguments) => status::run(arguments, output),
        Account::Send(arguments) => send(arguments, output),
        Account::CheckIn(arguments) => check_in::run(arguments, output),
        Account::Accept(arguments) => accept(arguments, output),
        Account::Logout(arguments) => logout::run(arguments, output),
    }
}

/// What came of a record that waited.
#[derive(Serialize)]
struct SentReport {
    account: String,
    volume: String,
    key_id: Option<String>,
    kind: &'static str,
    drive: String,
    delivered: bool,
    error: Option<Failure>,
}

impl SentReport {
    fn of(account: &str, waiting: &Waiting, result: Result<Kept, ClientError>) -> Self {
        let record = &waiting.record;
        Self {
            account: account.to_owned(),
            volume: record.volume.clone(),
            key_id: record.key_id.clone(),
            kind: record.kind.name(),
            drive: record.drive.clone(),
            delivered: result.is_ok(),
            error: result.err().map(|error| accounts::failure(&error)),
        }
    }

    fn line(&self) -> String {
        let what = match self.key_id.as_deref().and_then(|id| id.get(..8)) {
            Some(id) => format!("key ID {BOLD}{id}{OFF}"),
            None => "metadata".to_owned(),
        };
        match &self.error {
            None => format!("{GOOD}delivered{OFF}  {}: {what}  {}", self.account, self.drive),
            Some(error) => {
                format!("{ERROR}waiting{OFF}    {}: {what}  {}: {}", self.account, self.drive, error.message)
            }
        }
    }
}

/// Sends what waits in an account, and notes it.
fn deliver(session: &Session, output: &Output) -> Result<Vec<SentReport>, Failure> {
    let critical = interrupt::Critical::begin();
    let done = session.deliver_all().map_err(|error| accounts::failure(&error))?;
    if !done.is_empty()
        && let Some(mut record) = record::open(output)
    {
        accounts::reconcile(&mut record, output);
    }
    drop(critical);
    let name = session.account().name();
    let reports: Vec<_> =
        done.into_iter().map(|(waiting, result)| SentReport::of(name, &waiting, result)).collect();
    for report in &reports {
        output.say(report.line())?;
        // Of an alarm more is said in the end, once.
        if let Some(error) = report.error.as_ref().filter(|error| error.kind != Kind::Alarm) {
            error.hints.iter().for_each(|hint| output.note_unless_json(format!("  {hint}")));
        }
    }
    Ok(reports)
}

/// A file of an account that cannot be read.
#[derive(Serialize)]
struct DamagedReport {
    account: String,
    file: Option<String>,
    why: String,
}

/// Says which files of an account cannot be read. They are left as they are, and the work goes on without them.
fn damaged(account: &place::Account, output: &Output) -> Result<Vec<DamagedReport>, Failure> {
    let damaged = account.damaged().map_err(|error| accounts::unusable(&error))?;
    for error in &damaged {
        output.note_unless_json(format!("{ERROR}damaged{OFF}    {}: {error}", account.name()));
    }
    if !damaged.is_empty() {
        output.note_unless_json(format!(
            "  It was left out, and is still there. Back up its drive again (lastkey backup DRIVE --to account:{}), \
             then remove the file if it is still damaged.",
            account.name()
        ));
    }
    let report = |error: &place::PlaceError| DamagedReport {
        account: account.name().to_owned(),
        file: error.path().map(|path| path.display().to_string()),
        why: error.to_string(),
    };
    Ok(damaged.iter().map(report).collect())
}

/// Returns the names that a command is about.
fn names(arguments: &OneAccount) -> Result<Vec<String>, Failure> {
    let names = match &arguments.name {
        Some(name) => vec![accounts::name(Some(name))?],
        None => accounts::all()?.names().map_err(|error| accounts::unusable(&error))?,
    };
    if names.is_empty() {
        accounts::name(None)?;
    }
    Ok(names)
}

#[derive(Serialize)]
struct SendReport {
    records: Vec<SentReport>,
    /// How many records still wait.
    waiting: usize,
    damaged: Vec<DamagedReport>,
}

fn send(arguments: &OneAccount, output: &Output) -> Result<ExitCode, Failure> {
    let mut report = SendReport { records: Vec::new(), waiting: 0, damaged: Vec::new() };
    let mut alarmed = false;
    for name in names(arguments)? {
        interrupt::check()?;
        let session = accounts::begin(Some(&name))?;
        report.records.extend(deliver(&session, output)?);
        alarmed |= accounts::sound(session.account(), output)?;
        let left = session.account().waiting().map_err(|error| accounts::unusable(&error))?;
        report.waiting += left.len();
        report.damaged.extend(damaged(session.account(), output)?);
    }
    if report.records.is_empty() && report.damaged.is_empty() {
        output.say("Nothing waits.")?;
    }
    output.document(&report)?;
    Ok(match (alarmed, report.waiting, report.damaged.is_empty()) {
        (true, ..) => Kind::Alarm.code().into(),
        (_, 1.., _) => Kind::Waiting.code().into(),
        (.., false) => Kind::Other.code().into(),
        _ => ExitCode::SUCCESS,
    })
}

/// A recipient, as it is shown.
#[derive(Clone, Serialize)]
struct RecipientReport {
    name: String,
    recipient: String,
}

impl RecipientReport {
    fn all(recipients: &[Recipient]) -> Vec<Self> {
        let of = |to: &Recipient| Self { name: to.name.clone(), recipient: to.recipient.clone() };
        recipients.iter().map(of).collect()
    }

    fn line(&self) -> String {
        format!("{BOLD}{}{OFF}  {}", self.name, self.recipient)
    }
}

#[derive(Serialize)]
struct AcceptReport {
    account: String,
    accepted: bool,
    recipients: Vec<RecipientReport>,
}

/// Shows who comes and who goes, and takes it when the person does.
fn accept(arguments: &AccountAccept, output: &Output) -> Result<ExitCode, Failure> {
    let mut session = accounts::begin(arguments.name.as_deref())?;
    match session.recipients() {
        Ok(()) => {}
        Err(ClientError::Recipients) => {
            let about = session.account().about();
            let (old, new) = (&about.recipients, about.offered.as_deref().unwrap_or_default());
            for (sign, some, others) in [("+", new, old.as_slice()), ("-", old.as_slice(), new)] {
                for recipient in some.iter().filter(|recipient| !others.contains(recipient)) {
                    let line = RecipientReport::all(std::slice::from_ref(recipient)).remove(0).line();
                    output.note_unless_json(format!("  {sign} {line}"));
                }
            }
            let question = "Shall they open what this device seals from now on? Type yes: ";
            let accepted =
                arguments.yes || prompt::can_ask() && prompt::line(question)?.eq_ignore_ascii_case("yes");
            if !accepted && !prompt::can_ask() {
                return Err(Failure::new(Kind::Usage, "there is no terminal to ask whether they are right")
                    .hint("look at them in `lastkey account status`, then say --yes"));
            }
            if accepted {
                session.accept().map_err(|error| accounts::failure(&error))?;
            }
        }
        Err(error) => return Err(accounts::failure(&error)),
    }
    let about = session.account().about();
    let accepted = about.offered.is_none();
    let recipients = RecipientReport::all(&about.recipients);
    let word = if accepted { "From now on" } else { "As before," };
    output.say(format!("{word} this device seals to:"))?;
    for recipient in &recipients {
        output.say(format!("  {}", recipient.line()))?;
    }
    let mut alarmed = false;
    if accepted {
        deliver(&session, output)?;
        damaged(session.account(), output)?;
        alarmed = accounts::sound(session.account(), output)?;
    }
    let account = session.account().name().to_owned();
    output.document(&AcceptReport { account, accepted, recipients })?;
    Ok(match (accepted, alarmed) {
        (false, _) => Kind::NotPermitted.code().into(),
        (true, true) => Kind::Alarm.code().into(),
        (true, false) => ExitCode::SUCCESS,
    })
}
