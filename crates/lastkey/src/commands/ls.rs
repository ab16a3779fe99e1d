//! `lastkey ls`: what lies in a folder inside a drive.

use std::process::ExitCode;

use serde::Serialize;
use unlocked::{Entry, Kind, Name, Position};

use super::files::{DriveRow, Open, Row, said};
use crate::cli::Ls;
use crate::failure::{Failure, Kind as FailureKind};
use crate::location::Location;
use crate::output::Output;

#[derive(Serialize)]
struct Report {
    #[serde(flatten)]
    drive: DriveRow,
    path: String,
    entries: Vec<Row>,
    /// What could not be read of the folder itself.
    problems: Vec<String>,
}

/// Lists a folder, or shows one file.
pub fn run(arguments: &Ls, output: &Output) -> Result<ExitCode, Failure> {
    let place = Location::parse(&arguments.place);
    let open = Open::new(&place.drive, &arguments.find, &arguments.keys, output)?;
    let found = open.find(&place)?;
    let about = |error| Failure::from(error).about(&open.shown(&place));
    let stat = open.files.stat(found.id).map_err(about)?;
    let (mut entries, mut problems) = (Vec::new(), Vec::new());
    if stat.kind == Kind::Folder && found.stream.is_empty() {
        for entry in open.files.list(found.id, Position::default()).map_err(about)? {
            match entry {
                Ok(entry) => entries.push(entry),
                Err(error) => problems.push(said(&error)),
            }
        }
        // As people look for names: capital letters beside small ones.
        entries.sort_by_cached_key(|entry| (entry.name.to_string().to_lowercase(), entry.name.clone()));
    } else {
        let name = Name::from_bytes(
            place.path.rsplit(|byte| matches!(byte, b'/' | b'\\')).next().unwrap_or_default(),
        );
        entries.push(Entry { id: found.id, name, kind: stat.kind, next: Position::default() });
    }

    let streams = arguments.streams || output.is_json();
    let row = |entry: &Entry| {
        let row = Row::new(entry.name.to_string(), entry);
        // A link is of use only with its target. Of the rest the name says all, and costs no look at the file.
        if arguments.long || streams || entry.kind == Kind::Link {
            row.with_details(&open.files, entry, streams)
        } else {
            row
        }
    };
    let mut report = Report { drive: open.document(), path: place.shown(), entries: Vec::new(), problems };
    for entry in &entries {
        let row = row(entry);
        if output.is_json() {
            report.entries.push(row);
            continue;
        }
        output.say(row.words(arguments.long))?;
        if let Some(problem) = row.problem {
            report.problems.push(format!("{}: {problem}", super::files::shown(&entry.name)));
        }
    }
    output.document(&report)?;
    for problem in &report.problems {
        output.report(&Failure::new(FailureKind::Damaged, problem));
    }
    let whole = report.problems.is_empty() && report.entries.iter().all(|row| row.problem.is_none());
    Ok(if whole { ExitCode::SUCCESS } else { FailureKind::Damaged.code().into() })
}
