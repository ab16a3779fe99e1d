//! `lastkey cat`: the content of files inside a drive.

use std::io::{self, Write};
use std::process::ExitCode;

use fve::ReadAt;

use super::files::Open;
use super::files::content::Content;
use crate::cli::Cat;
use crate::failure::{Failure, Kind};
use crate::location::Location;
use crate::output::Output;
use crate::pipeline::{self, Stopped};

/// Writes files to standard output, one behind the other.
pub fn run(arguments: &Cat, output: &Output) -> Result<ExitCode, Failure> {
    let places = Location::on_one_drive(&arguments.places)?;
    let Some(first) = places.first() else { return Ok(ExitCode::SUCCESS) };
    let open = Open::new(&first.drive, &arguments.find, &arguments.keys, output)?;
    for place in &places {
        let shown = open.shown(place);
        let found = open.find(place)?;
        let file = open.files.open_stream(found.id, &found.stream);
        let file = file.map_err(|error| Failure::from(error).about(&shown))?;
        let content = Content::new(file);
        let mut out = io::stdout();
        let copied = pipeline::copy(&content, 0, content.size(), |bytes| out.write_all(bytes));
        copied.map_err(|stopped| match stopped {
            Stopped::Interrupted => Failure::new(Kind::Interrupted, "interrupted"),
            Stopped::Reading { source, .. } => Content::failure(&source).about(&shown),
            Stopped::Writing(error) => Failure::from(error).about("standard output"),
        })?;
        out.flush().map_err(|error| Failure::from(error).about("standard output"))?;
    }
    Ok(ExitCode::SUCCESS)
}
