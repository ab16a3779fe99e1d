//! `lastkey verify --all`: every copy that the record knows and that can be reached.

use std::path::Path;
use std::process::ExitCode;

use backup::Verified;
use backup::record::{Copy, Record, Seen};
use fve::{Snapshot, Volume};
use serde::Serialize;

use crate::cli::{Seals, SignIn};
use crate::commands::verify::reach::{Reach, Reached};
use crate::drive::{self, Target};
use crate::failure::{Failure, Kind};
use crate::output::Output;
use crate::words::{self, BOLD, ERROR, GOOD, OFF};
use crate::{interrupt, record};

const PROVEN: &str = "proven";
const INTACT: &str = "intact";
const KEPT: &str = "kept";
const FAILED: &str = "failed";
const NOT_REACHED: &str = "not-reached";

#[derive(Serialize)]
struct Report {
    proven: bool,
    drives: Vec<DriveReport>,
}

#[derive(Serialize)]
struct DriveReport {
    volume: String,
    label: Option<String>,
    drive: String,
    reachable: bool,
    copies: Vec<CopyReport>,
}

#[derive(Serialize)]
struct CopyReport {
    place: String,
    kind: String,
    key_id: Option<String>,
    outcome: &'static str,
    error: Option<String>,
}

/// What came of a copy, and why.
enum Outcome {
    /// It opened the drive.
    Proven,
    /// It is the drive's metadata, and no key.
    Intact,
    /// A server has just the bytes that were proven when they were sealed.
    Kept,
    /// It was there, or should have been, and does not open the drive.
    Failed(String),
    /// Nothing can be said of it now.
    NotReached(String),
}

/// Verifies every copy in the record.
pub fn run(seals: &Seals, sign_in: &SignIn, output: &Output) -> Result<ExitCode, Failure> {
    let path = record::path();
    let opened = path.as_deref().filter(|path| path.exists()).map(Record::open).transpose();
    let nothing = || {
        Failure::new(Kind::NotFound, "no backup was made yet that the record knows")
            .hint("`lastkey backup DRIVE` makes one")
    };
    let mut record = opened.map_err(|error| record::failure(&error))?.ok_or_else(nothing)?;
    let seen = record.seen().map_err(|error| record::failure(&error))?;
    let attached: Vec<_> = drives::attached()
        .iter()
        .filter(|drive| drive.is_bitlocker == Some(true))
        .filter_map(|drive| drive::open_attached(drive).ok())
        .flatten()
        .collect();
    let mut reach = Reach::new(seals, sign_in);
    let mut drives = Vec::new();
    for seen in &seen {
        let report = of_drive(seen, &attached, &mut record, &mut reach, output)?;
        if !report.copies.is_empty() {
            drives.push(report);
        }
    }
    if drives.is_empty() {
        return Err(nothing());
    }
    let copies = || drives.iter().flat_map(|drive| &drive.copies);
    let failed = copies().any(|copy| copy.outcome == FAILED);
    let proven = !failed && copies().any(|copy| matches!(copy.outcome, PROVEN | KEPT));
    output.document(&Report { proven, drives })?;
    Ok(if proven { ExitCode::SUCCESS } else { Kind::NotProven.code().into() })
}

fn of_drive(
    seen: &Seen,
    attached: &[Target],
    record: &mut Record,
    reach: &mut Reach<'_>,
    output: &Output,
) -> Result<DriveReport, Failure> {
    let copies = record.copies(seen.volume).map_err(|error| record::failure(&error))?;
    let mut report = DriveReport {
        volume: seen.volume.to_string(),
        label: seen.label.clone(),
        drive: seen.drive.clone(),
        reachable: false,
        copies: Vec::new(),
    };
    if copies.is_empty() {
        return Ok(report);
    }
    let own;
    let target = match attached.iter().find(|target| target.volume.id() == seen.volume) {
        Some(target) => Some(target),
        None => {
            own = image(seen);
            own.as_ref()
        }
    };
    report.reachable = target.is_some();
    let name = seen.label.as_deref().unwrap_or(&seen.drive);
    output
        .say(format!("{BOLD}{name}{OFF}  {}", target.map_or(seen.drive.as_str(), |target| &target.name)))?;
    let Some(target) = target else {
        output.say("  not attached now, so that no copy of its keys could be tried")?;
        let why = || Outcome::NotReached("its drive is not attached".to_owned());
        report.copies = copies.iter().map(|copy| CopyReport::of(copy, why())).collect();
        return Ok(report);
    };
    let now = words::now().to_unix().0;
    record.see(&target.volume, &seen.drive, now).map_err(|error| record::failure(&error))?;
    for copy in copies {
        interrupt::check()?;
        let outcome = attempt(&target.volume, &copy, reach);
        let tried = match &outcome {
            Outcome::Proven | Outcome::Intact => record.tried(copy.id, Ok(()), now),
            Outcome::Failed(why) => record.tried(copy.id, Err(why), now),
            // Nothing opened the drive now: when it was proven stays as it is.
            Outcome::Kept | Outcome::NotReached(_) => Ok(()),
        };
        tried.map_err(|error| record::failure(&error))?;
        let copy = CopyReport::of(&copy, outcome);
        output.say(copy.line())?;
        report.copies.push(copy);
    }
    Ok(report)
}

/// Opens a drive that is an image file, if it still is where it was.
fn image(seen: &Seen) -> Option<Target> {
    let path = Path::new(&seen.drive);
    if !path.is_file() {
        return None;
    }
    let find = crate::cli::Find { partition: None, scan: false };
    let targets = drive::open_all(path.as_os_str(), &find).ok()?;
    targets.into_iter().find(|target| target.volume.id() == seen.volume)
}

/// Tries a copy on its drive.
fn attempt(volume: &Volume, copy: &Copy, reach: &mut Reach<'_>) -> Outcome {
    let documents = match reach.copy(copy) {
        Reached::Documents(documents) => documents,
        Reached::Kept => return Outcome::Kept,
        Reached::Spoilt(why) => return Outcome::Failed(why),
        Reached::Away(why) => return Outcome::NotReached(why),
    };
    let Some(key_id) = copy.key_id else {
        let is_own = documents.iter().any(|(_, bytes)| {
            Snapshot::parse(bytes.expose()).is_ok_and(|saved| saved.volume() == volume.id())
        });
        return match is_own {
            true => Outcome::Intact,
            false => Outcome::Failed("it is not this drive's metadata".to_owned()),
        };
    };
    let mut all = Verified::default();
    for (name, bytes) in documents {
        all.append(backup::verify(volume, name.as_deref(), bytes.expose()));
    }
    all.proof_of(key_id).map_or_else(Outcome::Failed, |_| Outcome::Proven)
}

impl CopyReport {
    fn of(copy: &Copy, outcome: Outcome) -> Self {
        let (outcome, error) = match outcome {
            Outcome::Proven => (PROVEN, None),
            Outcome::Intact => (INTACT, None),
            Outcome::Kept => (KEPT, None),
            Outcome::Failed(why) => (FAILED, Some(why)),
            Outcome::NotReached(why) => (NOT_REACHED, Some(why)),
        };
        Self {
            place: copy.place.clone(),
            kind: copy.kind.clone(),
            key_id: copy.key_id.map(|id| id.to_string()),
            outcome,
            error,
        }
    }

    fn line(&self) -> String {
        let what = match self.key_id.as_deref().and_then(|id| id.get(..8)) {
            Some(id) => format!("key ID {BOLD}{id}{OFF}"),
            None => "the drive's metadata".to_owned(),
        };
        let word = match self.outcome {
            PROVEN => format!("{GOOD}proven{OFF}     "),
            KEPT => format!("{GOOD}kept{OFF}       "),
            INTACT => format!("{GOOD}intact{OFF}     "),
            FAILED => format!("{ERROR}not proven{OFF} "),
            _ => "not reached".to_owned(),
        };
        let why = self.error.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
        format!("  {word} {}: {what}{why}", self.place)
    }
}
