//! What this device knows of its accounts, and what their servers say now.

use std::process::ExitCode;

use account::{Alarm, ClientError, Fingerprint, Session, Trust};
use fve::FileTime;
use serde::Serialize;

use super::{DamagedReport, RecipientReport};
use crate::cli::OneAccount;
use crate::failure::{Failure, Kind};
use crate::output::Output;
use crate::words::{self, BOLD, ERROR, GOOD, OFF};
use crate::{accounts, interrupt};

#[derive(Serialize)]
struct Report {
    accounts: Vec<AccountReport>,
}

#[derive(Serialize)]
struct AccountReport {
    name: String,
    account: String,
    server: String,
    fingerprint: Option<String>,
    device: String,
    device_name: String,
    since: Option<String>,
    /// Whether the server answers and knows this device, or why not.
    reachable: bool,
    error: Option<Failure>,
    recipients: Vec<RecipientReport>,
    /// The recipients as the server has them now, where they are others.
    offered: Option<Vec<RecipientReport>>,
    waiting: Vec<WaitingReport>,
    /// How many records the server gave a receipt for.
    kept: usize,
    /// How many entries the server's audit log had when it was last seen.
    log_size: Option<u64>,
    /// Files that cannot be read.
    damaged: Vec<DamagedReport>,
    alarms: Vec<AlarmReport>,
    /// What an alarm may mean and what to do, in words; empty without one.
    after_alarm: Vec<String>,
}

#[derive(Serialize)]
struct WaitingReport {
    volume: String,
    key_id: Option<String>,
    kind: &'static str,
    drive: String,
    since: Option<String>,
}

#[derive(Serialize)]
struct AlarmReport {
    seen: Option<String>,
    why: String,
}

/// Shows the accounts.
pub fn run(arguments: &OneAccount, output: &Output) -> Result<ExitCode, Failure> {
    let mut accounts = Vec::new();
    for name in super::names(arguments)? {
        interrupt::check()?;
        let report = AccountReport::of(accounts::begin(Some(&name))?, output)?;
        output.say(report.lines())?;
        accounts.push(report);
    }
    let failed = if accounts.iter().any(|account| !account.alarms.is_empty()) {
        Some(Kind::Alarm)
    } else if accounts.iter().any(|account| !account.waiting.is_empty()) {
        Some(Kind::Waiting)
    } else if accounts.iter().any(|account| !account.damaged.is_empty()) {
        Some(Kind::Other)
    } else {
        accounts.iter().find_map(|account| account.error.as_ref()).map(|error| error.kind)
    };
    output.document(&Report { accounts })?;
    Ok(failed.map_or(ExitCode::SUCCESS, |kind| kind.code().into()))
}

impl AccountReport {
    fn of(mut session: Session, output: &Output) -> Result<Self, Failure> {
        let unusable = |error| accounts::unusable(&error);
        let error = session.recipients().err();
        let account = session.end();
        let about = account.about();
        let utc = |seconds| words::utc(FileTime::from_unix(seconds, 0));
        let waiting = account.waiting().map_err(unusable)?.into_iter().map(|waiting| WaitingReport {
            kind: waiting.record.kind.name(),
            volume: waiting.record.volume,
            key_id: waiting.record.key_id,
            drive: waiting.record.drive,
            since: utc(waiting.since),
        });
        let alarms = accounts::alarms(&account)?;
        let after_alarm =
            if alarms.is_empty() { Vec::new() } else { accounts::after_alarm(&account).to_vec() };
        let alarm = |alarm: Alarm| AlarmReport { seen: utc(alarm.seen), why: alarm.why };
        Ok(Self {
            name: account.name().to_owned(),
            account: about.account.clone(),
            server: about.server.clone(),
            fingerprint: match account.trust() {
                Trust::Pinned(certificate) => Some(Fingerprint::of(certificate).to_string()),
                Trust::System => None,
            },
            device: about.device.clone(),
            device_name: about.device_name.clone(),
            since: utc(about.since),
            reachable: matches!(error, None | Some(ClientError::Recipients)),
            error: error.as_ref().map(accounts::failure),
            recipients: RecipientReport::all(&about.recipients),
            offered: about.offered.as_deref().map(RecipientReport::all),
            waiting: waiting.collect(),
            kept: account.kept().map_err(unusable)?.len(),
            log_size: account.log_size(),
            damaged: super::damaged(&account, output)?,
            alarms: alarms.into_iter().map(alarm).collect(),
            after_alarm,
        })
    }

    fn lines(&self) -> String {
        let mut lines = vec![format!("{BOLD}{}{OFF}  {} at {}", self.name, self.account, self.server)];
        lines.push(match &self.error {
            None => {
                format!("  server       {GOOD}in reach{OFF}, and knows this device as {:?}", self.device_name)
            }
            Some(error) => format!("  server       {ERROR}{}{OFF}", error.message),
        });
        lines.extend(self.recipients.iter().map(|to| format!("  seals to     {}", to.line())));
        if self.offered.is_some() {
            lines.push(format!(
                "  {ERROR}others now{OFF}   the server names other recipients: look at them with `lastkey account \
                 accept {}`",
                self.name
            ));
        }
        for waiting in &self.waiting {
            let what = match waiting.key_id.as_deref().and_then(|id| id.get(..8)) {
                Some(id) => format!("key ID {BOLD}{id}{OFF}"),
                None => "metadata".to_owned(),
            };
            lines.push(format!("  {ERROR}waiting{OFF}      {what}  {}", waiting.drive));
        }
        lines.push(format!("  receipts     {}", self.kept));
        if let Some(size) = self.log_size {
            lines.push(format!("  audit log    {size} entries when it was last seen"));
        }
        lines.extend(
            self.alarms
                .iter()
                .map(|alarm| format!("  {ERROR}ALARM{OFF}        the audit log: {}", alarm.why)),
        );
        lines.extend(self.after_alarm.iter().map(|line| format!("  {line}.")));
        lines.join("\n")
    }
}
