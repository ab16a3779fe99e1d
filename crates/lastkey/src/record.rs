//! The record of this person, or of this computer when the program runs with all rights.

use std::env;
use std::path::PathBuf;

use backup::record::{Record, RecordError};

use crate::failure::{Failure, Kind};
use crate::output::Output;
use crate::rights;

/// Returns where the record is: `LASTKEY_RECORD`, or a folder for such things.
pub fn path() -> Option<PathBuf> {
    let variable = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    if let Some(path) = variable("LASTKEY_RECORD") {
        return Some(path);
    }
    let folder = if cfg!(windows) {
        variable("LOCALAPPDATA")?
    } else if cfg!(target_os = "macos") {
        variable("HOME")?.join("Library/Application Support")
    } else if rights::are_all() {
        PathBuf::from("/var/lib")
    } else {
        // An XDG variable counts only when its path is absolute.
        let given = variable("XDG_DATA_HOME").filter(|path| path.is_absolute());
        given.or_else(|| Some(variable("HOME")?.join(".local/share")))?
    };
    Some(folder.join("lastkey").join("record.db"))
}

/// Opens the record to write into. A backup is as good without it, so that a record that cannot be used
/// is only said.
pub fn open(output: &Output) -> Option<Record> {
    let path = path()?;
    Record::open(&path).map_err(|error| complain(&failure(&error), output)).ok()
}

/// Opens the record to look into, if there is one.
pub fn look(output: &Output) -> Option<Record> {
    let path = path()?;
    Record::look(&path).map_err(|error| complain(&failure(&error), output)).ok()?
}

/// Says that something could not be noted.
pub fn complain(failure: &Failure, output: &Output) {
    output.note(format!("warning: {}", failure.message));
    for hint in &failure.hints {
        output.note(format!("  {hint}"));
    }
}

/// Returns what is wrong with the record.
pub fn failure(error: &RecordError) -> Failure {
    let place = path().unwrap_or_default();
    let failure = Failure::new(
        Kind::Other,
        format!("the record of where copies are, {}, cannot be used: {error}", place.display()),
    );
    match error {
        RecordError::Foreign | RecordError::Newer(_) => {
            failure.hint("set LASTKEY_RECORD to another file, or use the newer program")
        }
        _ => failure,
    }
}
