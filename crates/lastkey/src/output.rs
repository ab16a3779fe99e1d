//! What goes to standard output and standard error.

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use serde::Serialize;

use crate::failure::{Failure, Kind};

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
    error: ErrorContent<'a>,
}

#[derive(Serialize)]
struct ErrorContent<'a> {
    kind: Kind,
    exit_code: u8,
    message: &'a str,
    hints: &'a [String],
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

    /// Says why a command failed, and returns its exit code.
    pub fn fail(&self, failure: &Failure) -> ExitCode {
        if failure.kind == Kind::Other && failure.message == BROKEN_PIPE {
            return ExitCode::SUCCESS;
        }
        if self.json {
            let Failure { kind, message, hints } = failure;
            let error = ErrorContent { kind: *kind, exit_code: kind.code(), message, hints };
            let document = to_json(&Document { format: JSON_FORMAT, content: &ErrorDocument { error } });
            // The reader may be gone; the exit code still tells.
            let _ = document.and_then(|text| write_line(io::stdout(), &text));
        } else {
            let (bold, off) = (crate::words::ERROR, crate::words::OFF);
            self.note(format!("{bold}error:{off} {}", capital(&failure.message)));
            for hint in &failure.hints {
                self.note(format!("  {}.", capital(hint)));
            }
        }
        failure.kind.code().into()
    }
}

/// Whoever reads the output may stop (`| head`): that is no failure of ours.
const BROKEN_PIPE: &str = "the reader of the output is gone";

fn write_line(mut to: impl Write, text: &str) -> Result<(), Failure> {
    writeln!(to, "{text}").and_then(|()| to.flush()).map_err(|error| match error.kind() {
        io::ErrorKind::BrokenPipe => Failure::new(Kind::Other, BROKEN_PIPE),
        _ => Failure::from(error).about("standard output"),
    })
}

fn to_json(content: &impl Serialize) -> Result<String, Failure> {
    serde_json::to_string_pretty(content).map_err(|error| Failure::new(Kind::Other, error.to_string()))
}

fn capital(text: &str) -> String {
    // A path or name at the start of a sentence keeps its spelling.
    let is_word = text.split([' ', ':']).next().is_some_and(|word| word.chars().all(char::is_lowercase));
    let mut rest = text.chars();
    match rest.next() {
        Some(first) if is_word => first.to_uppercase().chain(rest).collect(),
        _ => text.to_owned(),
    }
}

/// Returns whether a person sees standard error.
pub fn has_screen() -> bool {
    io::stderr().is_terminal()
}
