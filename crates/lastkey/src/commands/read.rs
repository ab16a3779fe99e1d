//! `lastkey read`: the whole drive, decrypted.

mod part;
mod place;
mod state;

use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Instant;

use clap::ValueEnum;
use fve::{ReadAt, View};
use serde::Serialize;

use self::place::{Out, Place};
use self::state::Job;
use crate::cli::Read;
use crate::drive::{self, Target};
use crate::failure::{Failure, Kind, kind_of, reason};
use crate::interrupt::Critical;
use crate::output::Output;
use crate::pipeline::{self, Stopped};
use crate::{keys, progress, words};

#[derive(Serialize)]
struct Report {
    drive: String,
    volume: String,
    out: String,
    out_format: String,
    file_system: Option<&'static str>,
    offset: u64,
    bytes: u64,
    resumed_at: u64,
    stored: Option<u64>,
    seconds: f64,
}

/// Copies the decrypted volume.
pub fn run(arguments: &Read, output: &Output) -> Result<ExitCode, Failure> {
    if arguments.out.as_os_str() == "-" && output.is_json() {
        return Err(Failure::new(Kind::Usage, "--json and --out - both want standard output"));
    }
    let target = drive::open(&arguments.drive, output)?;
    let place = Place::check(arguments, &target)?;
    let unlocked = keys::unlock(&target, &arguments.keys, output)?;
    let view = unlocked.view().map_err(|error| Failure::from(error).about(&target.name))?;
    let length = length(arguments, &target, &view)?;
    let out_format =
        arguments.format.to_possible_value().map_or(String::new(), |value| value.get_name().into());
    let job = Job {
        lastkey_copy: Job::VERSION,
        drive: target.name.clone(),
        volume: target.volume.id().to_string(),
        size: view.size(),
        offset: arguments.offset,
        length,
        out_format: out_format.clone(),
    };

    let started = Instant::now();
    let shown = place.shown();
    let about = |failure: Failure| match failure.kind {
        Kind::Interrupted => failure,
        _ => failure.about(&shown),
    };
    // A stream has nothing that could be left half done, and may keep this program waiting for ever.
    let critical = matches!(place, Place::NewFile(_)).then(Critical::begin);
    let out = place.create(job, arguments, &view, output).map_err(about)?;
    let resumed_at = out.position();
    if resumed_at > 0 {
        let (there, all) = (words::size(resumed_at), words::size(length));
        output.note_unless_json(format!("{there} of {all} are there, and as on the drive: going on"));
    }
    let out = copy(&view, arguments.offset, length, out).map_err(about)?;
    let stored = out.keep().map_err(about)?;
    drop(critical);
    let report = Report {
        drive: target.name.clone(),
        volume: target.volume.id().to_string(),
        out: shown,
        out_format,
        file_system: view.file_system().map(|found| found.name),
        offset: arguments.offset,
        bytes: length,
        resumed_at,
        stored,
        seconds: started.elapsed().as_secs_f64(),
    };
    output.note_unless_json(report.words());
    output.document(&report)?;
    Ok(ExitCode::SUCCESS)
}

impl Report {
    fn words(&self) -> String {
        let copied = (self.bytes - self.resumed_at) as f64;
        let rate = words::size((copied / self.seconds.max(0.001)) as u64);
        let inside = self.file_system.map_or(String::new(), |name| format!(" ({name})"));
        let stored = self.stored.filter(|&stored| stored < self.bytes);
        let stored =
            stored.map_or(String::new(), |stored| format!(", where it takes {}", words::size(stored)));
        format!("{} decrypted{inside} to {}{stored}, {rate}/s", words::size(self.bytes), self.out)
    }
}

/// Returns how many bytes to copy; refuses before anything is written when they are not all there.
fn length(arguments: &Read, target: &Target, view: &View) -> Result<u64, Failure> {
    let inside = view.file_system().and_then(|found| found.size).unwrap_or(0);
    let expected = target.volume.expected_size().unwrap_or(0).max(inside);
    let there = view.size();
    let end =
        arguments.length.map_or(Some(expected.max(there)), |length| arguments.offset.checked_add(length));
    match end {
        Some(end) if end <= there && arguments.offset <= end => Ok(end - arguments.offset),
        _ if arguments.length.is_some() || arguments.offset > there => Err(Failure::new(
            Kind::Truncated,
            format!("the drive ends at byte {there}, before the end of what was asked for"),
        )
        .about(&target.name)),
        _ => Err(Failure::new(
            Kind::Truncated,
            format!(
                "the image is cut off: it has {} ({there} bytes) of {} ({expected} bytes)",
                words::size(there),
                words::size(expected)
            ),
        )
        .hint(format!("--length {} copies what is there", there.saturating_sub(arguments.offset)))
        .about(&target.name)),
    }
}

fn copy(view: &View, offset: u64, length: u64, mut out: Out) -> Result<Out, Failure> {
    let bar = progress::bytes(length, "decrypting").with_position(out.position());
    bar.reset_eta();
    let result = match &mut out {
        Out::Part(part) => part.fill(view, &bar),
        Out::File { image, .. } => pipeline::copy(view, offset, length, |bytes| {
            image.write(bytes)?;
            bar.inc(bytes.len() as u64);
            Ok(())
        }),
        Out::Stream(writer) => pipeline::copy(view, offset, length, |bytes| {
            writer.write_all(bytes)?;
            bar.inc(bytes.len() as u64);
            Ok(())
        }),
    };
    bar.finish_and_clear();
    let Err(stopped) = result else { return Ok(out) };
    let failure = match stopped {
        Stopped::Interrupted => Failure::new(Kind::Interrupted, "interrupted: nothing was left half done"),
        Stopped::Reading { at, source } => Failure::new(
            reading_kind(&source),
            format!("reading the drive at byte {at} failed: {}", reason(&source)),
        ),
        Stopped::Writing(source) => source.into(),
    };
    Err(match out {
        Out::Part(part) => part.stopped(failure),
        Out::File { .. } => place::would_be_kept(failure),
        Out::Stream(_) => failure,
    })
}

fn reading_kind(error: &io::Error) -> Kind {
    match kind_of(error) {
        Kind::Other => Kind::Damaged,
        kind => kind,
    }
}
