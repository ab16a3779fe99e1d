//! What goes to standard output and standard error.

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use serde::Serialize;

use crate::failure::{Failure, Kind};
use crate::words::{ERROR, OFF};

/// The version of the JSON documents: raised when a field changes its meaning or goes away.
const JSON_FORMAT: u32 = 1;

/// Where a command's words go.
pub struct Output {
    json: bool,
}

#[derive(Serialize)]
struct Document<'a, T> {
    format: u32,
    #[serde(flatten)]
    content: &'a T,
}

#[derive(Serialize)]
struct ErrorDocument<'a> {
    error: &'a Failure,
}

impl Output {
    /// Decides between words and JSON.
    pub fn new(json: bool) -> Self {
        Self { json }
    }

    /// Returns whether a program reads the output.
    pub fn is_json(&self) -> bool {
        self.json
    }

    /// Prints lines for people; nothing when a program reads the output.
    pub fn say(&self, text: impl AsRef<str>) -> Result<(), Failure> {
        if self.json { Ok(()) } else { write_line(anstream::stdout(), text.as_ref()) }
    }

    /// Prints lines for people on standard error: notes, and what belongs beside data on standard output.
    pub fn note(&self, text: impl AsRef<str>) {
        // Nobody is left to be told when standard error is gone.
        let _ = writeln!(anstream::stderr(), "{}", text.as_ref());
    }

    /// Prints lines for people on standard error; nothing when a program reads the output.
    pub fn note_unless_json(&self, text: impl AsRef<str>) {
        if !self.json {
            self.note(text);
        }
    }

    /// Prints the JSON document; nothing when people read the output.
    pub fn document(&self, content: &impl Serialize) -> Result<(), Failure> {
        if !self.json {
            return Ok(());
        }
        write_line(io::stdout(), &to_json(&Document { format: JSON_FORMAT, content })?)
    }

    /// Says why something failed; nothing when a program reads the output.
    pub fn report(&self, failure: &Failure) {
        if self.json || failure.kind == Kind::ReaderGone {
            return;
        }
        self.note(format!("{ERROR}error:{OFF} {}", failure.message));
        for hint in &failure.hints {
            self.note(format!("  {}.", capital(hint)));
        }
    }

    /// Says why a command failed, and returns its exit code.
    pub fn fail(&self, failure: &Failure) -> ExitCode {
        self.report(failure);
        // What cannot be said any more, the exit code still tells.
        let _ = self.document(&ErrorDocument { error: failure });
        failure.kind.code().into()
    }
}

/// Whoever reads the output may stop (`| head`): the work goes on, and the exit code tells of it.
fn write_line(mut to: impl Write, text: &str) -> Result<(), Failure> {
    match writeln!(to, "{text}").and_then(|()| to.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::from(error).about("standard output"))
        }
        _ => Ok(()),
    }
}

fn to_json(content: &impl Serialize) -> Result<String, Failure> {
    serde_json::to_string_pretty(content).map_err(|error| Failure::new(Kind::Other, error.to_string()))
}

fn capital(sentence: &str) -> String {
    let mut rest = sentence.chars();
    rest.next().map_or_else(String::new, |first| first.to_uppercase().chain(rest).collect())
}

/// Returns whether a person sees standard error.
pub fn has_screen() -> bool {
    io::stderr().is_terminal()
}
