//! `lastkey rescue`: what can be read of a failing drive, and the names of what cannot.

mod copy;
mod files;
mod report;

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use fve::{ReadAt, Snapshot, Unlocked, View};

use crate::cli::{Keys, Rescue};
use crate::drive::{self, Aids, Way};
use crate::failure::{self, Failure, Kind};
use crate::inside::read_map;
use crate::interrupt::Critical;
use crate::keys;
use crate::output::Output;

use copy::{Copy, Paths};
use report::Report;

/// Copies what can be read, and says what is lost.
pub fn run(arguments: &Rescue, output: &Output) -> Result<ExitCode, Failure> {
    let paths = Paths::new(&arguments.out, arguments.map.as_deref());
    paths.check()?;
    let source_map = arguments.source_map.as_deref().map(read_map).transpose()?;
    let snapshot = match &arguments.snapshot {
        Some(path) => Some((read_snapshot(path)?, path.clone())),
        None => beside_key(&arguments.keys),
    };
    let aids = Aids {
        snapshot: snapshot.as_ref().map(|(snapshot, path)| (snapshot.clone(), path.display().to_string())),
        is_found: arguments.snapshot.is_none(),
        source_map,
    };
    let (target, way) = drive::open_damaged(&arguments.drive, aids, output)?;
    paths.check_is_elsewhere(&target.path)?;
    let snapshot = snapshot.filter(|_| way == Way::Snapshot).map(|(_, path)| path);
    if let Some(path) = &snapshot {
        output.note_unless_json(format!("opening it by the snapshot {}", path.display()));
    }
    let unlocked = keys::unlock(&target, &arguments.keys, output)?;
    if way == Way::Snapshot {
        if unlocked.volume().boot_sector().is_none() {
            output.note_unless_json("note: the boot sector is lost");
        }
        check_is_as_it_was(&unlocked).map_err(|failure| failure.about(&target.name))?;
    }
    let view = unlocked.view().map_err(|error| Failure::from(error).about(&target.name))?;

    let started = Instant::now();
    // What is half done is kept and gone on with: Ctrl-C ends it where that is possible.
    let critical = Critical::begin();
    let mut copy = Copy::open(paths, size(&unlocked, &view), unlocked.volume().id())?;
    let sector = unlocked.volume().sector_size().bytes() as u64;
    copy.fill(&view, sector, arguments.retries, &target)?;
    let mut report = Report::new(&target, way, snapshot.as_deref(), &copy);
    report.file_system = view.file_system().map(|found| found.name);
    if !copy.map.is_complete() && !arguments.skip_files {
        report.look(&files::look(&copy)?);
    }
    drop(critical);
    copy.forget_old_list(report.files.is_some());
    report.seconds = started.elapsed().as_secs_f64();
    output.say(report.words())?;
    output.document(&report)?;
    Ok(if copy.map.is_complete() { ExitCode::SUCCESS } else { Kind::Damaged.code().into() })
}

/// Returns how long the volume is, also when not all of it is there.
fn size(unlocked: &Unlocked<'_>, view: &View) -> u64 {
    // The metadata is authentic, the boot sector inside may be damaged.
    let expected = unlocked.volume().expected_size();
    let inside = || view.file_system().and_then(|found| found.size);
    view.size().max(expected.or_else(inside).unwrap_or(0))
}

/// Refuses a snapshot that would give wrong bytes, because it does not tell how the drive is stored now.
fn check_is_as_it_was(unlocked: &Unlocked<'_>) -> Result<(), Failure> {
    let message = if !drive::shows_files(unlocked) {
        "the key opens the snapshot, but under it the drive shows no file system: it was decrypted, or encrypted \
         anew, after the snapshot was made, or its beginning and its end cannot be read"
    } else if drive::was_converted(unlocked) {
        "the key opens the snapshot, but the drive was being encrypted or decrypted, then or since: how far that came \
         the snapshot does not tell"
    } else {
        return Ok(());
    };
    Err(Failure::new(Kind::Damaged, message)
        .hint("a later snapshot may fit: `lastkey backup` saves one each time"))
}

fn read_snapshot(path: &Path) -> Result<Snapshot, Failure> {
    let mut bytes = Vec::new();
    let file = File::open(path);
    // What follows a snapshot is none of it: a larger file is an image.
    let read = file.and_then(|file| file.take(Snapshot::SIZE_LIMIT as u64 + 1).read_to_end(&mut bytes));
    read.map_err(|error| failure::about(path, &error))?;
    let no = |why: String| {
        Failure::new(Kind::Usage, format!("this is no snapshot of a drive's metadata: {why}"))
            .about(&path.display().to_string())
    };
    if bytes.len() > Snapshot::SIZE_LIMIT {
        return Err(no("it is too long".to_owned()));
    }
    Snapshot::parse(&bytes).map_err(|error| no(error.to_string()))
}

/// Looks for a snapshot where `lastkey backup` puts it: beside the key. Those of several drives are none.
fn beside_key(keys: &Keys) -> Option<(Snapshot, PathBuf)> {
    let key = keys.recovery_key_file.as_ref().or(keys.bek.as_ref())?;
    let entries = fs::read_dir(backup::parent(key)).ok()?.flatten().map(|entry| entry.path());
    let is_snapshot = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "fve");
    let found = entries.filter(is_snapshot).filter_map(|path| Some((read_snapshot(&path).ok()?, path)));
    let found: Vec<_> = found.collect();
    let (first, _) = found.first()?;
    let is_of_one = found.iter().all(|(snapshot, _)| snapshot.volume() == first.volume());
    found.into_iter().filter(|_| is_of_one).max_by_key(|(snapshot, _)| snapshot.writes())
}
