//! What was copied, and what was not.

use std::path::Path;
use std::process::ExitCode;

use serde::Serialize;

use crate::commands::files::{DriveRow, escaped};
use crate::failure::{Failure, Kind};
use crate::output::Output;
use crate::words;

/// What became of everything.
#[derive(Serialize)]
pub struct Report {
    #[serde(flatten)]
    drive: DriveRow,
    to: String,
    pub files: u64,
    pub folders: u64,
    pub links: u64,
    pub bytes: u64,
    /// Files and folders that no folder names, copied into `lost+found`.
    pub orphans: u64,
    /// Files that an earlier run had copied.
    pub already_there: u64,
    pub seconds: f64,
    /// Copies that have another name, because theirs would not be safe or was taken.
    pub renamed: Vec<Renamed>,
    /// What is no file and was not copied.
    pub left_out: Vec<Problem>,
    /// What is in the way and was left as it is.
    pub in_the_way: Vec<Problem>,
    /// Files of which something could be read.
    pub damaged: Vec<Problem>,
    /// What could not be read, or not written.
    pub not_copied: Vec<Problem>,
}

/// A copy that has another name.
#[derive(Serialize)]
pub struct Renamed {
    pub path: String,
    pub name: String,
}

/// A person reads so many of a kind; programs get all.
const SHOWN: usize = 100;

fn more(output: &Output, number: usize, what: &str) {
    if let Some(rest) = number.checked_sub(SHOWN).filter(|&rest| rest != 0) {
        output.note(format!("{what}: {rest} more (--json lists all)"));
    }
}

/// Something that was not copied as it is.
#[derive(Serialize)]
pub struct Problem {
    pub path: String,
    pub problem: String,
}

impl Report {
    /// Starts with nothing.
    pub fn new(drive: DriveRow, to: &Path) -> Self {
        Self {
            drive,
            to: to.display().to_string(),
            files: 0,
            folders: 0,
            links: 0,
            orphans: 0,
            bytes: 0,
            already_there: 0,
            seconds: 0.0,
            renamed: Vec::new(),
            left_out: Vec::new(),
            in_the_way: Vec::new(),
            damaged: Vec::new(),
            not_copied: Vec::new(),
        }
    }

    /// Tells people.
    pub fn tell(&self, output: &Output) {
        if output.is_json() {
            return;
        }
        let lists = [
            ("left out", &self.left_out),
            ("in the way, left as it is", &self.in_the_way),
            ("damaged", &self.damaged),
            ("not copied", &self.not_copied),
        ];
        for renamed in self.renamed.iter().take(SHOWN) {
            output.note(format!("renamed: {} is {}", escaped(&renamed.path), renamed.name));
        }
        more(output, self.renamed.len(), "renamed");
        for (what, list) in lists {
            for problem in list.iter().take(SHOWN) {
                output.note(format!("{what}: {}: {}", escaped(&problem.path), problem.problem));
            }
            more(output, list.len(), what);
        }
        output.note(self.summary());
    }

    fn summary(&self) -> String {
        let rate = words::size((self.bytes as f64 / self.seconds.max(0.001)) as u64);
        let counted = |number: u64, one: &str, more: &str| match number {
            0 => None,
            1 => Some(format!("1 {one}")),
            _ => Some(format!("{number} {more}")),
        };
        let number = |list: &[Problem]| list.len() as u64;
        let parts = [
            counted(self.files, "file", "files"),
            counted(self.folders, "folder", "folders"),
            counted(self.links, "link", "links"),
        ];
        let parts: Vec<_> = parts.into_iter().flatten().collect();
        let what = if parts.is_empty() { "nothing".to_owned() } else { parts.join(", ") };
        let rest = [
            counted(self.orphans, "of them was in no folder", "of them were in no folder"),
            counted(self.already_there, "was there already", "were there already"),
            counted(number(&self.damaged), "is damaged", "are damaged"),
            counted(number(&self.not_copied), "could not be copied", "could not be copied"),
            counted(
                number(&self.in_the_way),
                "has something else in its way",
                "have something else in their way",
            ),
            counted(number(&self.left_out), "was left out", "were left out"),
        ];
        let rest: String = rest.into_iter().flatten().map(|part| format!("; {part}")).collect();
        format!("{what} copied to {}: {}, {rate}/s{rest}", self.to, words::size(self.bytes))
    }

    /// Returns the exit code: all is well only if everything is there.
    pub fn code(&self) -> ExitCode {
        let kind = if !(self.not_copied.is_empty() && self.damaged.is_empty()) {
            Kind::Damaged
        } else if !self.in_the_way.is_empty() {
            Kind::AlreadyThere
        } else {
            return ExitCode::SUCCESS;
        };
        kind.code().into()
    }

    /// Adds to what stops nothing.
    pub fn not_copied(&mut self, path: &str, problem: impl Into<String>) {
        self.not_copied.push(Problem { path: path.to_owned(), problem: problem.into() });
    }

    /// Adds to what is in the way.
    pub fn in_the_way(&mut self, path: &str, failure: &Failure) {
        self.in_the_way.push(Problem { path: path.to_owned(), problem: failure.message.clone() });
    }
}
