//! `lastkey repair`: a recovery key of which not everything can be read.

mod kept;
mod plan;

use std::ops::ControlFlow;
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use fve::{Key, ProtectorKind, RecoveryLocks, UnlockError};
use recovery_key::character::is_separator;
use recovery_key::{KeyId, KeyIdPrefix, RecoveryPassword, Secret};
use repair::{Candidates, GroupState, Hints, HintsError, MOST_SLIPS, Outcome, Plan, Search};
use serde::Serialize;

use crate::cli::Repair;
use crate::commands::backup::{Copies, CopyReport, Saving};
use crate::drive::{self, Target};
use crate::failure::{Failure, Kind};
use crate::interrupt::{self, Critical};
use crate::output::Output;
use crate::words::{BOLD, ERROR, GOOD, OFF};
use crate::{keys, progress, prompt};

use kept::Kept;
use plan::{duration, number};

#[derive(Serialize)]
struct Report {
    drive: String,
    volume: String,
    key_id: String,
    proven: bool,
    error: Option<Failure>,
    recovery_key: Option<String>,
    copies: Vec<CopyReport>,
}

/// Tries what the key may have been, the likeliest first.
pub fn run(arguments: &Repair, output: &Output) -> Result<ExitCode, Failure> {
    let target = drive::open(&arguments.drive, output)?;
    let about = |failure: Failure| failure.about(&target.name);
    let locks = locks(&target, arguments.key_id.as_deref()).map_err(about)?;
    let saving = Saving::prepare(&arguments.places, &target, output)?;
    let is_for_nobody = !arguments.reveal && !arguments.dry_run && !saving.has_places();
    if is_for_nobody && (!prompt::can_ask() || output.is_json()) {
        return Err(Failure::new(Kind::Usage, "nobody is there to be asked what to do with the key")
            .hint("--to file:FOLDER saves it, --reveal shows it on standard output"));
    }
    let hints = hints(arguments, &locks, output)?;
    let kept = Kept::open(arguments.resume.as_deref(), &target, &locks.key_ids(), &hints)?;
    let candidates = Candidates::new(&hints);
    let plan = Plan::make(&candidates, &locks, kept.slips().or(arguments.slips));
    say_what_is_known(&hints, output);
    output.note_unless_json(plan::words(&plan));
    if arguments.dry_run {
        output.document(&plan::report(&plan, &target, &locks.key_ids()))?;
        return Ok(ExitCode::SUCCESS);
    }
    let slips = plan.slips.ok_or_else(|| about(plan::too_long(&plan)))?;
    let end = candidates.count(slips);
    let search =
        Search { candidates: &candidates, volume: &target.volume, locks: &locks, from: kept.at(), to: end };
    let (found, kept) = tried(search, &target, kept.begin(slips), output)?;
    let code = hand_over(arguments, &target, found, saving, output)?;
    // Not before: whoever loses the terminal now can still go on.
    kept.done();
    Ok(code)
}

/// Returns what is to be tried on the drive.
fn locks<'v>(target: &'v Target, key_id: Option<&str>) -> Result<RecoveryLocks<'v>, Failure> {
    let all = target.volume.recovery_locks();
    let present = all.key_ids();
    if present.is_empty() {
        let kinds = target.volume.protectors().iter().map(|protector| protector.kind).collect();
        return Err(
            UnlockError::NoProtector { wanted: ProtectorKind::RecoveryPassword, present: kinds }.into()
        );
    }
    let Some(text) = key_id else { return Ok(all) };
    let prefix: KeyIdPrefix =
        text.parse().map_err(|error| Failure::new(Kind::Usage, format!("{text:?} is no key ID: {error}")))?;
    let chosen = all.only(&prefix);
    if chosen.key_ids().is_empty() {
        let message = format!("it has no recovery key with key ID {prefix}, but {}", list(&present));
        return Err(Failure::new(Kind::OtherDrive, message));
    }
    Ok(chosen)
}

fn list(ids: &[KeyId]) -> String {
    ids.iter().map(KeyId::short).collect::<Vec<_>>().join(" and ")
}

/// Reads what can be read of the key.
fn hints(arguments: &Repair, locks: &RecoveryLocks<'_>, output: &Output) -> Result<Hints, Failure> {
    let no_key = |error: HintsError| Failure::new(Kind::WrongKey, error.to_string());
    if let Some(path) = &arguments.hints_file {
        let text = keys::secret_file(path)?;
        return Hints::parse(text.expose()).map_err(|error| no_key(error).about(&keys::shown(path)));
    }
    if !prompt::can_ask() {
        return Err(Failure::new(Kind::KeyNeeded, "there is no terminal to type at")
            .hint("give a file with what can be read with --hints-file"));
    }
    output.note(format!(
        "The drive asks for the recovery key with key ID {BOLD}{}{OFF}",
        list(&locks.key_ids())
    ));
    output.note(
        "Type what you can read of each group, ? for each digit that you cannot read; Enter alone for\n\
         a group of which you know nothing. Or paste all at once, also when a group is missing.\n\
         What you type is not shown.",
    );
    let mut all = Secret::new(String::with_capacity(1024));
    for n in 1..=8 {
        let typed = prompt::hidden(&format!("Group {n} of 8: "))?;
        if n == 1 && typed.expose().chars().filter(|&c| !is_separator(c)).count() > 8 {
            return Hints::parse(typed.expose()).map_err(no_key);
        }
        let group = if typed.expose().trim().is_empty() { "?" } else { typed.expose().as_str() };
        all.expose_mut().push_str(group);
        all.expose_mut().push('-');
    }
    Hints::parse(all.expose()).map_err(no_key)
}

/// Says what was understood, and shows no digit.
fn say_what_is_known(hints: &Hints, output: &Output) {
    let groups = hints.groups();
    if groups.len() != 8 {
        output.note_unless_json(format!("{} of 8 groups are there.", groups.len()));
    }
    for (n, group) in groups.iter().enumerate().filter(|(_, group)| **group != GroupState::Plausible) {
        output.note_unless_json(format!("Group {} {group}.", n + 1));
    }
}

/// A key that opens the drive.
struct Found {
    password: RecoveryPassword,
    key_id: KeyId,
    /// Why it is not proven all the same.
    error: Option<Failure>,
}

/// Searches, shows how far it is, and keeps it.
fn tried(search: Search<'_>, target: &Target, kept: Kept, output: &Output) -> Result<(Found, Kept), Failure> {
    let bar = progress::candidates(u64::try_from(search.to).unwrap_or(u64::MAX));
    let place = |place: u128| u64::try_from(place).unwrap_or(u64::MAX);
    bar.set_position(place(search.from));
    bar.reset_eta();
    let critical = Critical::begin();
    output.note_unless_json("Searching. Ctrl-C stops it, and it can go on later.");
    let kept = Mutex::new(kept);
    let started = Instant::now();
    let outcome = search.run(|at| {
        bar.set_position(place(at));
        if let Ok(mut kept) = kept.lock() {
            kept.now_and_then(at);
        }
        if interrupt::asked() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    bar.finish_and_clear();
    drop(critical);
    let kept = kept.into_inner().unwrap_or_else(PoisonError::into_inner);
    let tried = |to: u128| {
        let (tried, seconds) = (to.saturating_sub(search.from), started.elapsed().as_secs_f64());
        let rate = tried as f64 / seconds.max(0.001);
        format!("{} candidates tried in {}, {rate:.1} a second", number(tried), duration(seconds))
    };
    match outcome {
        Outcome::Mended { password, proof } => {
            Ok((Found { password, key_id: proof.key_id(), error: None }, kept))
        }
        Outcome::Unproven { password, key_id, error } => {
            Ok((Found { password, key_id, error: Some(error.into()) }, kept))
        }
        Outcome::NotFound => {
            kept.done();
            output.note_unless_json(tried(search.to));
            Err(not_found(&search).about(&target.name))
        }
        Outcome::Stopped { at } => {
            output.note_unless_json(tried(at));
            let failure = Failure::new(
                Kind::Interrupted,
                format!("stopped at candidate {} of {}", number(at), number(search.to)),
            );
            Err(kept.stop(at, &target.path, failure))
        }
    }
}

fn not_found(search: &Search<'_>) -> Failure {
    let candidates = number(search.to);
    let failure =
        Failure::new(Kind::WrongKey, format!("none of the {candidates} candidates opens the drive"))
            .hint(format!("compare the key ID: the drive asks for {}", list(&search.locks.key_ids())));
    let tried = search.to.checked_sub(1).and_then(|last| search.candidates.slips(last));
    match tried {
        Some(slips) if slips < MOST_SLIPS => failure
            .hint(format!("--slips {} tries more, and --dry-run says how long that takes", slips + 1))
            .hint("mark a digit that you are not sure of with ?"),
        _ => failure.hint("mark each digit that you are not sure of with ?"),
    }
}

/// Shows the key, or lets the person decide.
fn hand_over(
    arguments: &Repair,
    target: &Target,
    found: Found,
    saving: Saving<'_>,
    output: &Output,
) -> Result<ExitCode, Failure> {
    let Found { password, key_id, error } = found;
    let (name, id) = (&target.name, key_id.short());
    match &error {
        None => output
            .say(format!("{GOOD}mended and proven{OFF}: the recovery key {BOLD}{id}{OFF} opens {name}"))?,
        Some(failure) => {
            output.say(format!("{ERROR}mended{OFF}: the recovery key {BOLD}{id}{OFF} opens {name}, but:"))?;
            output.report(failure);
        }
    }
    let digits = password.digits();
    let asks = !arguments.reveal && !saving.has_places();
    let reveal = arguments.reveal || asks && prompt::yes("Show it now?")?;
    if reveal {
        output.say(format!("{BOLD}{}{OFF}", digits.expose()))?;
    }
    let copies = if saving.has_places() || error.is_none() && asks && prompt::yes("Save it now?")? {
        saving.save_with(&Key::RecoveryPassword(password.duplicate()), output)?
    } else {
        output.say("Back it up now: `lastkey backup DRIVE` asks for it, and proves every copy")?;
        Copies { copies: Vec::new(), failed: None }
    };
    let failed = error.as_ref().map(|failure| failure.kind).or(copies.failed);
    let code = failed.map_or(ExitCode::SUCCESS, |kind| kind.code().into());
    output.document(&Report {
        drive: name.clone(),
        volume: target.volume.id().to_string(),
        key_id: key_id.to_string(),
        proven: error.is_none(),
        error,
        recovery_key: reveal.then(|| digits.expose().clone()),
        copies: copies.copies,
    })?;
    Ok(code)
}
