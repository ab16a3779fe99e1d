//! `lastkey verify`: do these copies open the drive?

mod all;
mod reach;

use std::path::Path;
use std::process::ExitCode;

use backup::{Verdict, Verified, verify};
use fve::{Snapshot, Volume};
use paper::share::CombineError;
use recovery_key::Secret;
use recovery_key::document::Remark;
use serde::Serialize;

use crate::cli::{Drive, Find, Verify};
use crate::commands::summary;
use crate::copy::Unsealing;
use crate::failure::{Failure, Kind};
use crate::output::Output;
use crate::words::{BOLD, ERROR, GOOD, OFF};
use crate::{drive, keys};

#[derive(Serialize)]
struct Report {
    drive: String,
    volume: String,
    proven: bool,
    copies: Vec<CopyReport>,
}

#[derive(Serialize)]
struct CopyReport {
    copy: String,
    proven: bool,
    keys: Vec<KeyReport>,
    remarks: Vec<String>,
    error: Option<Failure>,
}

#[derive(Serialize)]
struct KeyReport {
    key_id: Option<String>,
    kind: &'static str,
    proven: bool,
    opens: Option<String>,
    error: Option<Failure>,
}

/// Verifies every copy.
pub fn run(arguments: &Verify, output: &Output) -> Result<ExitCode, Failure> {
    let Some(name) = &arguments.drive else {
        return all::run(&arguments.seals, &arguments.sign_in, output);
    };
    let Find { partition, scan } = arguments.find;
    let named = Drive { drive: name.clone(), find: Find { partition, scan } };
    let target = drive::open(&named, output)?;
    let mut unsealing = Unsealing::new(&arguments.seals);
    let (mut copies, mut sheets) = (Vec::new(), Vec::new());
    for path in &arguments.copies {
        let seen = unsealing.shares();
        let copy = check(&target.volume, path, &mut unsealing);
        if unsealing.shares() > seen && copy.keys.is_empty() {
            sheets.push(copies.len());
        } else {
            output.say(copy.lines())?;
        }
        copies.push(copy);
    }
    // Sheets with shares of a key prove something only together.
    if let Some(combined) = unsealing.combined() {
        for n in sheets {
            let Some(copy) = copies.get_mut(n) else { continue };
            *copy = CopyReport::of_sheet(std::mem::take(&mut copy.copy), &target.volume, &combined);
            output.say(copy.lines())?;
        }
    }
    let proven = copies.iter().all(|copy| copy.proven);
    let report =
        Report { drive: target.name.clone(), volume: target.volume.id().to_string(), proven, copies };
    output.document(&report)?;
    Ok(if proven { ExitCode::SUCCESS } else { Kind::NotProven.code().into() })
}

fn check(volume: &Volume, path: &Path, unsealing: &mut Unsealing<'_>) -> CopyReport {
    let copy = keys::shown(path);
    match unsealing.open(path) {
        Ok(documents) => {
            let (mut all, mut snapshots) = (Verified::default(), Vec::new());
            for (name, bytes) in documents {
                match Snapshot::parse(bytes.expose()) {
                    Ok(snapshot) => snapshots.push(snapshot),
                    Err(_) => all.append(verify(volume, name.as_deref(), bytes.expose())),
                }
            }
            match snapshots.first() {
                Some(snapshot) if all.verdicts.is_empty() => CopyReport::of_snapshot(copy, volume, snapshot),
                _ => CopyReport::of(copy, all),
            }
        }
        Err(failure) => {
            CopyReport { copy, proven: false, keys: Vec::new(), remarks: Vec::new(), error: Some(failure) }
        }
    }
}

impl CopyReport {
    fn of(copy: String, verified: Verified) -> Self {
        let proven = verified.is_proven();
        let keys: Vec<_> = verified.verdicts.into_iter().map(KeyReport::of).collect();
        let error = keys.is_empty().then(|| Failure::new(Kind::NotProven, "there is no key in it"));
        let remarks = verified.remarks.iter().map(Remark::to_string).collect();
        Self { copy, proven, keys, remarks, error }
    }

    /// The metadata is no key. It is as good a copy as it is the drive's own.
    fn of_snapshot(copy: String, volume: &Volume, snapshot: &Snapshot) -> Self {
        let proven = snapshot.volume() == volume.id();
        let state = match volume.snapshot() {
            Ok(own) if own == *snapshot => "as it is now",
            _ => "as it was once",
        };
        let remarks =
            if proven { vec![format!("the drive's metadata {state}, and no key")] } else { Vec::new() };
        let error = (!proven)
            .then(|| Failure::new(Kind::OtherDrive, "it is the metadata of another drive, and no key"));
        Self { copy, proven, keys: Vec::new(), remarks, error }
    }

    /// A sheet is as good as what it gives together with the others.
    fn of_sheet(copy: String, volume: &Volume, combined: &Result<Secret<Vec<u8>>, CombineError>) -> Self {
        match combined {
            Ok(document) => {
                let mut report = Self::of(copy, verify(volume, None, document.expose()));
                report
                    .remarks
                    .insert(0, "a sheet with a share of the key: tried together with the others".to_owned());
                report
            }
            Err(error) => {
                let error = Some(Failure::new(Kind::NotProven, error.to_string()));
                Self { copy, proven: false, keys: Vec::new(), remarks: Vec::new(), error }
            }
        }
    }

    fn lines(&self) -> String {
        let word =
            if self.proven { format!("{GOOD}proven{OFF}    ") } else { format!("{ERROR}not proven{OFF}") };
        let mut lines = vec![format!("{word}  {}", self.copy)];
        lines.extend(self.keys.iter().map(KeyReport::line));
        lines.extend(self.remarks.iter().map(|remark| format!("  note: {remark}")));
        lines.extend(self.error.iter().map(|error| format!("  {}", error.message)));
        lines.join("\n")
    }
}

impl KeyReport {
    fn of(verdict: Verdict) -> Self {
        let opens = verdict.outcome.as_ref().ok().map(|proof| proof.key_id().to_string());
        Self {
            key_id: verdict.key_id.map(|id| id.to_string()),
            kind: summary::kind(verdict.kind),
            proven: opens.is_some(),
            opens,
            error: verdict.outcome.err().map(Failure::from),
        }
    }

    fn line(&self) -> String {
        let short = |id: &str| id.get(..8).unwrap_or(id).to_owned();
        let outcome = self.error.as_ref().map_or("it opened the drive", |error| &error.message);
        match self.opens.as_ref().or(self.key_id.as_ref()) {
            Some(id) => format!("  key ID {BOLD}{}{OFF}: {outcome}", short(id)),
            None => format!("  no key ID: {outcome}"),
        }
    }
}
