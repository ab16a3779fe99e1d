//! `lastkey verify`: do these copies open the drive?

use std::path::Path;
use std::process::ExitCode;

use backup::{Verdict, Verified, verify};
use fve::Volume;
use recovery_key::document::Remark;
use serde::Serialize;

use crate::cli::Verify;
use crate::commands::summary;
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
    let target = drive::open(&arguments.drive, output)?;
    let mut copies = Vec::new();
    for path in &arguments.copies {
        let copy = check(&target.volume, path);
        output.say(copy.lines())?;
        copies.push(copy);
    }
    let proven = copies.iter().all(|copy| copy.proven);
    let report =
        Report { drive: target.name.clone(), volume: target.volume.id().to_string(), proven, copies };
    output.document(&report)?;
    Ok(if proven { ExitCode::SUCCESS } else { Kind::NotProven.code().into() })
}

fn check(volume: &Volume, path: &Path) -> CopyReport {
    let copy = keys::shown(path);
    match keys::read_file(path) {
        Ok(bytes) => {
            let name = path.file_name().and_then(|name| name.to_str());
            CopyReport::of(copy, verify(volume, name, bytes.expose()))
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
