//! Saying which protectors the drives have, and hearing which of them the account lacks.

use std::process::ExitCode;

use account::wire::{self, CheckIn, DriveState, NAME_LIMIT};
use fve::{Direction, Protection, ProtectorKind};
use serde::Serialize;

use super::{DamagedReport, SentReport};
use crate::cli::AccountCheckIn;
use crate::drive::{self, Target};
use crate::failure::{Failure, Kind};
use crate::output::Output;
use crate::words::{BOLD, ERROR, GOOD, OFF};
use crate::{accounts, rights};

/// More drives than this a server does not take at once.
const DRIVES_LIMIT: usize = 64;

#[derive(Serialize)]
struct Report {
    account: String,
    drives: Vec<DriveState>,
    /// Key IDs that the account has no record of.
    missing: Vec<String>,
    /// Key IDs of records whose protector is gone.
    stale: Vec<String>,
    /// Volumes that have no recovery key at all.
    without_key: Vec<String>,
    /// What had waited and was sent on the occasion.
    records: Vec<SentReport>,
    damaged: Vec<DamagedReport>,
}

/// Checks in.
pub fn run(arguments: &AccountCheckIn, output: &Output) -> Result<ExitCode, Failure> {
    let session = accounts::begin(arguments.account.as_deref())?;
    let records = super::deliver(&session, output)?;
    let drives = drives(arguments, output)?;
    let answer =
        session.check_in(&CheckIn { drives: drives.clone() }).map_err(|error| accounts::failure(&error))?;
    for drive in &drives {
        output.say(format!("{BOLD}{}{OFF}  protection {}", drive.drive, drive.protection.word()))?;
        if drive.key_ids.is_empty() {
            output.say(format!(
                "  {ERROR}missing{OFF}  the drive has no recovery key at all, so that there is none to keep: add one in \
                 Windows (manage-bde -protectors -add DRIVE: -recoverypassword), then lastkey backup DRIVE --to account"
            ))?;
        }
        for id in &drive.key_ids {
            let short = id.get(..8).unwrap_or(id);
            output.say(if answer.missing.contains(id) {
                format!("  {ERROR}missing{OFF}  key ID {BOLD}{short}{OFF}: the account has no record of it: lastkey backup DRIVE --to account")
            } else {
                format!("  {GOOD}kept{OFF}     key ID {BOLD}{short}{OFF}")
            })?;
        }
    }
    for id in &answer.stale {
        let short = id.get(..8).unwrap_or(id);
        output.say(format!(
            "  stale    key ID {BOLD}{short}{OFF}: the account has it, and no drive does any more"
        ))?;
    }
    let alarmed = accounts::sound(session.account(), output)?;
    let waits = records.iter().any(|record| !record.delivered);
    let damaged = super::damaged(session.account(), output)?;
    let keyless = drives.iter().filter(|drive| drive.key_ids.is_empty());
    let report = Report {
        account: session.account().name().to_owned(),
        without_key: keyless.map(|drive| drive.volume.clone()).collect(),
        drives,
        missing: answer.missing,
        stale: answer.stale,
        records,
        damaged,
    };
    output.document(&report)?;
    let missing = !report.missing.is_empty() || !report.without_key.is_empty();
    Ok(match (alarmed, missing, waits, report.damaged.is_empty()) {
        (true, ..) => Kind::Alarm.code().into(),
        (_, true, ..) => Kind::NotBackedUp.code().into(),
        (_, _, true, _) => Kind::Waiting.code().into(),
        (.., false) => Kind::Other.code().into(),
        _ => ExitCode::SUCCESS,
    })
}

/// Looks at the drives that were named, or at all that can be seen.
fn drives(arguments: &AccountCheckIn, output: &Output) -> Result<Vec<DriveState>, Failure> {
    let mut targets = Vec::new();
    if arguments.drives.is_empty() {
        let attached = drives::attached();
        let unseen = attached.iter().filter(|drive| drive.is_bitlocker.is_none()).count();
        if unseen > 0 && !rights::are_all() {
            output.note(format!("note: {unseen} drives could not be looked into without more rights"));
        }
        for drive in attached.iter().filter(|drive| drive.is_bitlocker == Some(true)) {
            match drive::open_attached(drive) {
                Ok(found) => targets.extend(found),
                Err(failure) => output.note(format!("note: {}: {}", drive.name, failure.message)),
            }
        }
    }
    for name in &arguments.drives {
        targets.extend(drive::open_all(name, &arguments.find)?);
    }
    let mut states: Vec<DriveState> = Vec::new();
    // What is decrypted has no key that could be missing.
    let locked = targets.iter().filter(|target| target.volume.protection() != Protection::Off);
    for state in locked.map(state) {
        if !states.iter().any(|other| other.volume == state.volume) {
            states.push(state);
        }
    }
    match states.len() {
        0 => Err(Failure::new(Kind::NotFound, "there is no BitLocker drive to check in")),
        1..=DRIVES_LIMIT => Ok(states),
        many => Err(Failure::new(Kind::Usage, format!("{many} drives are more than a server takes at once"))
            .hint(format!("name {DRIVES_LIMIT} at most"))),
    }
}

fn state(target: &Target) -> DriveState {
    let volume = &target.volume;
    let mut drive: String = volume.metadata().label().unwrap_or_else(|| target.name.clone());
    drive.retain(|c| !c.is_control());
    while drive.len() > NAME_LIMIT {
        drive.pop();
    }
    let protection = match (volume.direction(), volume.protection()) {
        (Some(Direction::Encrypting), _) => wire::Protection::Encrypting,
        (Some(Direction::Decrypting), _) => wire::Protection::Decrypting,
        (None, Protection::Suspended) => wire::Protection::Suspended,
        (None, _) => wire::Protection::On,
    };
    let protectors = volume.protectors().into_iter();
    let passwords = protectors.filter(|protector| protector.kind == ProtectorKind::RecoveryPassword);
    DriveState {
        volume: volume.id().to_string().to_uppercase(),
        drive,
        protection,
        key_ids: passwords.map(|protector| protector.id.to_string()).collect(),
    }
}
