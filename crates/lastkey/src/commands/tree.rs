//! `lastkey tree`: everything in a folder inside a drive.

use std::process::ExitCode;

use serde::Serialize;
use unlocked::{FileId, Kind, Step};

use super::files::{self, DriveRow, Open, Row, said};
use crate::cli::Tree;
use crate::failure::{Failure, Kind as FailureKind};
use crate::interrupt::Critical;
use crate::location::Location;
use crate::output::Output;
use crate::{interrupt, words};

#[derive(Serialize)]
struct Report {
    #[serde(flatten)]
    drive: DriveRow,
    path: String,
    /// With their paths from there as names.
    entries: Vec<Row>,
    folders: u64,
    files: u64,
    bytes: u64,
    /// What could not be read of the folders.
    problems: Vec<String>,
}

/// Shows all that is in a folder.
pub fn run(arguments: &Tree, output: &Output) -> Result<ExitCode, Failure> {
    let place = Location::parse(&arguments.place);
    let open = Open::new(&place.drive, &arguments.find, &arguments.keys, output)?;
    let found = open.find(&place)?;
    let about = |error| Failure::from(error).about(&open.shown(&place));
    if open.files.stat(found.id).map_err(about)?.kind != Kind::Folder {
        return Err(about(unlocked::Error::NotAFolder));
    }
    let report = Report {
        drive: open.document(),
        path: place.shown(),
        entries: Vec::new(),
        folders: 0,
        files: 0,
        bytes: 0,
        problems: Vec::new(),
    };
    // A long document is not cut off in its middle.
    let critical = Critical::begin();
    output.say(open.shown(&place))?;
    let report = go(&open, found.id, arguments.depth, report, output)?;
    drop(critical);
    let counted = |number: u64, one: &str| format!("{number} {one}{}", if number == 1 { "" } else { "s" });
    let (folders, files) = (counted(report.folders, "folder"), counted(report.files, "file"));
    output.say(format!("\n{folders}, {files}, {}", words::size(report.bytes)))?;
    output.document(&report)?;
    for problem in &report.problems {
        output.report(&Failure::new(FailureKind::Damaged, problem));
    }
    let whole = report.problems.is_empty() && report.entries.iter().all(|row| row.problem.is_none());
    Ok(if whole { ExitCode::SUCCESS } else { FailureKind::Damaged.code().into() })
}

fn go(
    open: &Open,
    folder: FileId,
    depth: Option<usize>,
    mut report: Report,
    output: &Output,
) -> Result<Report, Failure> {
    let mut walk = open.files.walk(folder);
    let mut indents: Vec<&str> = Vec::new();
    while let Some(step) = walk.next() {
        interrupt::check()?;
        let folder = || walk.folders().map(|name| format!("/{name}")).collect::<String>();
        let (entry, last) = match step {
            Step::Entry { entry, last } => (entry, last),
            Step::Leave(_) => {
                indents.pop();
                continue;
            }
            Step::Problem(error) => {
                report.problem(&folder(), &said(&error));
                continue;
            }
        };
        let row =
            Row::new(format!("{}/{}", folder(), entry.name), &entry).with_details(&open.files, &entry, false);
        report.bytes = report.bytes.saturating_add(row.size());
        if !output.is_json() {
            let branch = if last { "└── " } else { "├── " };
            output.say(format!("{}{branch}{}", indents.concat(), row.last_words(&entry.name)))?;
            if let Some(problem) = &row.problem {
                report.problem(&row.name, problem);
            }
        } else {
            report.entries.push(row);
        }
        if entry.kind == Kind::Folder {
            report.folders += 1;
            if depth.is_some_and(|depth| indents.len() + 1 >= depth) {
                walk.stay_out();
            } else {
                indents.push(if last { "    " } else { "│   " });
            }
        } else {
            report.files += 1;
        }
    }
    Ok(report)
}

impl Report {
    fn problem(&mut self, path: &str, problem: &str) {
        let path = if path.is_empty() { "/" } else { path };
        self.problems.push(format!("{}: {problem}", files::escaped(path)));
    }
}
