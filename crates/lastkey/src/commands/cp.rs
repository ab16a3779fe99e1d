//! `lastkey cp`: files and folders from inside a drive onto this computer.

mod content;
mod copier;
mod links;
mod new_file;
mod orphans;
mod report;

use std::fs;
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use unlocked::{FileId, Kind, Step};

use self::copier::Copier;
use self::report::Report;
use super::files::Open;
use crate::cli::Cp;
use crate::failure::{self, Failure, Kind as FailureKind};
use crate::interrupt::{self, Critical};
use crate::location::Location;
use crate::output::Output;
use crate::progress;

/// Copies what was named.
pub fn run(arguments: &Cp, output: &Output) -> Result<ExitCode, Failure> {
    let places = Location::on_one_drive(&arguments.places)?;
    let Some(first) = places.first() else { return Ok(ExitCode::SUCCESS) };
    let several = places.len() > 1;
    if several && !arguments.to.is_dir() && !arguments.recursive {
        return Err(Failure::new(FailureKind::NotFound, "there is no such folder")
            .about(&arguments.to.display().to_string()));
    }
    let open = Open::new(&first.drive, &arguments.find, &arguments.keys, output)?;
    if drives::lies_on(&arguments.to)
        .and_then(|layers| drives::same_drive(&layers, &open.inside.path))
        .unwrap_or(false)
    {
        return Err(Failure::new(FailureKind::Refused, "this is on the drive that is to be read")
            .hint("copy to another drive")
            .about(&arguments.to.display().to_string()));
    }
    let mut items = Vec::new();
    for place in &places {
        let found = open.find(place)?;
        let about = |error| Failure::from(error).about(&open.shown(place));
        let stat = open.files.stat(found.id).map_err(about)?;
        if stat.kind == Kind::Folder && found.stream.is_empty() && !arguments.recursive {
            return Err(
                about(unlocked::Error::IsAFolder).hint("--recursive copies it with all that is in it")
            );
        }
        items.push((place, found, stat));
    }

    if arguments.orphans && items.iter().any(|item| item.1.id != open.files.root()) {
        return Err(Failure::new(
            FailureKind::Usage,
            "which files are in no folder is known only of all folders",
        )
        .hint("with --orphans copy everything: DRIVE:"));
    }
    let target = Target::of(&arguments.to, several || items.iter().any(|item| item.2.kind == Kind::Folder))?;
    // Whatever was begun is either whole or gone on with by the same command.
    let critical = Critical::begin();
    let started = Instant::now();
    let folders: Vec<_> =
        items.iter().filter(|item| item.2.kind == Kind::Folder).map(|item| item.1.id).collect();
    let files: u64 = items.iter().filter(|item| item.2.kind == Kind::File).map(|item| item.2.size).sum();
    let total = files.saturating_add(measure(&open, &folders)?);
    let bar = progress::bytes(total, "copying");
    let report = Report::new(open.document(), &arguments.to);
    let mut copier = Copier::new(&open, arguments, &bar, report);
    let mut result = Ok(());
    for (place, found, stat) in &items {
        let (folder, name) = match target {
            Target::Into => (&*arguments.to, None),
            Target::Called => (backup::parent(&arguments.to), arguments.to.file_name()),
        };
        result = copier.item(place, found, stat, folder, name);
        if result.is_err() {
            break;
        }
    }
    if arguments.orphans && result.is_ok() {
        result = copier.orphans(&arguments.to);
    }
    bar.finish_and_clear();
    let mut report = copier.finish();
    report.seconds = started.elapsed().as_secs_f64();
    drop(critical);
    if let Err(failure) = result {
        report.tell(output);
        return Err(failure);
    }
    settle(&arguments.to)?;
    report.tell(output);
    output.document(&report)?;
    Ok(report.code())
}

/// What the last word of the command line is.
enum Target {
    /// A folder to copy into.
    Into,
    /// The name of the copy of one file.
    Called,
}

impl Target {
    /// The same command shall mean the same when a part is already there: folders always go into a folder, which is
    /// made when it is missing.
    fn of(to: &Path, must_be_folder: bool) -> Result<Self, Failure> {
        let about = |failure: Failure| failure.about(&to.display().to_string());
        if to.is_dir() {
            return Ok(Self::Into);
        }
        if must_be_folder {
            fs::create_dir(to).map_err(|error| failure::about(to, &error))?;
            return Ok(Self::Into);
        }
        if to.file_name().is_none() || !backup::parent(to).is_dir() {
            return Err(about(Failure::new(FailureKind::NotFound, "there is no such folder")));
        }
        // A file of this name is compared, and is an error only if it differs.
        Ok(Self::Called)
    }
}

/// Returns how many bytes there are to copy. What cannot be read is told later.
fn measure(open: &Open, folders: &[FileId]) -> Result<u64, Failure> {
    let bar = progress::files("looking at");
    let mut total = 0_u64;
    for &folder in folders {
        for step in open.files.walk(folder) {
            interrupt::check()?;
            if let Step::Entry { entry, .. } = step
                && entry.kind == Kind::File
            {
                total = total.saturating_add(open.files.stat(entry.id).map_or(0, |stat| stat.size));
                bar.inc(1);
            }
        }
    }
    bar.finish_and_clear();
    Ok(total)
}

/// Waits until everything is on the medium: only then is it copied.
#[cfg(target_os = "linux")]
fn settle(to: &Path) -> Result<(), Failure> {
    let folder = if to.is_dir() { to } else { backup::parent(to) };
    let settled = fs::File::open(folder).and_then(|folder| Ok(rustix::fs::syncfs(folder)?));
    settled.map_err(|error| failure::about(to, &error))
}

#[cfg(not(target_os = "linux"))]
fn settle(to: &Path) -> Result<(), Failure> {
    // Each file that is there can at least be asked for.
    fs::symlink_metadata(to).map(drop).map_err(|error| failure::about(to, &error))
}
