//! `lastkey unlock`: many keys, many drives, each opened by the key that is its own.

mod keyring;
mod log;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use drives::Attached;
use fve::{Key, Protection};
use serde::Serialize;

use self::keyring::{Answer, Keyring};
use self::log::{Log, Outcome};
use crate::cli::Unlock;
use crate::drive::{self, Target};
use crate::failure::{Failure, Kind};
use crate::inside::Inside;
use crate::interrupt::{self, Critical};
use crate::mounts::{self, Wish};
use crate::output::Output;
use crate::safe_name::Names;
use crate::words::{BOLD, GOOD, OFF};

/// How often is looked whether a drive came or went.
const LOOK: Duration = Duration::from_secs(2);

/// Opens every drive that the keys open.
pub fn run(arguments: &Unlock, output: &Output) -> Result<ExitCode, Failure> {
    for place in &arguments.with {
        fs::metadata(place).map_err(|error| crate::failure::about(place, &error))?;
    }
    let log = arguments.log.as_deref().map(Log::open).transpose()?;
    let keyring = Keyring::gather(&arguments.with, &arguments.seals, output)?;
    output.note_unless_json(format!("{} in {}", keyring.counted(), places(&arguments.with)));

    let critical = Critical::begin();
    let _made = Made::folder(arguments)?;
    let mut stick = Stick {
        arguments,
        output,
        keyring,
        log,
        names: Names::default(),
        rows: Vec::new(),
        shown: BTreeMap::new(),
    };
    if arguments.drives.is_empty() {
        stick.attached()?;
    }
    for name in &arguments.drives {
        stick.named(name)?;
    }
    let report = Report { drives: &stick.rows, opened: stick.opened(), total: stick.rows.len() };
    output.document(&report)?;
    let all = report.opened == report.total && report.total != 0;
    if report.total == 0 && (arguments.once || arguments.no_mount || !arguments.drives.is_empty()) {
        return Err(Failure::new(Kind::NotFound, "there is no BitLocker drive to open"));
    }
    if stays(arguments, &stick) {
        stick.wait()?;
        stick.end();
    }
    drop(critical);
    Ok(if all || interrupt::asked() { ExitCode::SUCCESS } else { Kind::KeyNeeded.code().into() })
}

/// Returns whether something is to be kept up or waited for.
fn stays(arguments: &Unlock, stick: &Stick<'_>) -> bool {
    let waits = !arguments.once && arguments.drives.is_empty() && !arguments.no_mount;
    waits || !stick.shown.is_empty()
}

fn places(with: &[PathBuf]) -> String {
    with.iter().map(|place| place.display().to_string()).collect::<Vec<_>>().join(", ")
}

#[derive(Serialize)]
struct Report<'a> {
    drives: &'a [Outcome],
    opened: usize,
    total: usize,
}

/// The folder for the mounts, if it was made: it is removed after them.
struct Made(Option<PathBuf>);

impl Drop for Made {
    fn drop(&mut self) {
        if let Some(folder) = &self.0 {
            // It goes only if nothing is in it.
            let _ = fs::remove_dir(folder);
        }
    }
}

impl Made {
    fn folder(arguments: &Unlock) -> Result<Self, Failure> {
        if arguments.no_mount || arguments.at.is_dir() {
            return Ok(Self(None));
        }
        fs::create_dir(&arguments.at).map_err(|error| crate::failure::about(&arguments.at, &error))?;
        Ok(Self(Some(arguments.at.clone())))
    }
}

/// A volume that was dealt with: where, and the number that tells a disk from the next in its place.
type Seen = (PathBuf, Option<u64>);

struct Stick<'a> {
    arguments: &'a Unlock,
    output: &'a Output,
    keyring: Keyring,
    log: Option<Log>,
    names: Names,
    rows: Vec<Outcome>,
    /// The drives that were dealt with, and what is mounted of each.
    shown: BTreeMap<Seen, Vec<mounts::Shown>>,
}

impl Stick<'_> {
    /// Deals with every attached drive that is new, and lets go of those that are gone.
    fn attached(&mut self) -> Result<(), Failure> {
        let attached = drives::attached();
        let seen = |drive: &Attached| (drive.path.clone(), drive.sequence);
        let now: Vec<_> = attached.iter().map(seen).collect();
        let gone: Vec<_> = self.shown.keys().filter(|drive| !now.contains(drive)).cloned().collect();
        for drive in gone {
            self.shown.remove(&drive);
            self.output.note_unless_json(format!("{} was taken out", drive.0.display()));
        }
        for drive in attached.iter().filter(|drive| drive.is_bitlocker == Some(true)) {
            if interrupt::asked() {
                break;
            }
            if self.shown.contains_key(&seen(drive)) {
                continue;
            }
            let mounted = match drive::open_attached(drive) {
                Ok(targets) => self.targets(&targets)?,
                Err(failure) => {
                    self.tell(Outcome::failed(&drive.name, &failure))?;
                    Vec::new()
                }
            };
            self.shown.insert(seen(drive), mounted);
        }
        Ok(())
    }

    fn named(&mut self, name: &OsStr) -> Result<(), Failure> {
        let targets = drive::open_all(name, &self.arguments.find)?;
        let mounted = self.targets(&targets)?;
        self.shown.insert((name.into(), None), mounted);
        Ok(())
    }

    fn targets(&mut self, targets: &[Target]) -> Result<Vec<mounts::Shown>, Failure> {
        let mut mounted = Vec::new();
        for target in targets {
            let (outcome, shown) = match self.target(target) {
                Ok((outcome, shown)) => (outcome, shown),
                Err(failure) => (Outcome::of(target).with_failure(&failure), None),
            };
            mounted.extend(shown);
            self.tell(outcome)?;
        }
        Ok(mounted)
    }

    /// Finds the key of a volume, proves it and mounts the volume.
    fn target(&mut self, target: &Target) -> Result<(Outcome, Option<mounts::Shown>), Failure> {
        let outcome = Outcome::of(target);
        let volume = &target.volume;
        let (outcome, key) = if volume.protection() == Protection::On {
            match self.keyring.open(volume) {
                Answer::Opens { key, proof, copy } => (outcome.with_proof(&proof, &copy), key),
                Answer::Fails(failure) => return Err(failure),
                Answer::Nothing => {
                    return Err(Failure::new(Kind::KeyNeeded, "none of the keys is its own")
                        .hint("`lastkey find` searches other places, `lastkey repair` mends damaged keys"));
                }
            }
        } else {
            (outcome, Key::None)
        };
        if self.arguments.no_mount {
            return Ok((outcome, None));
        }
        let unlocked = volume.unlock(&key)?;
        let inside = Inside::of(target, &unlocked)?;
        let folder = self.arguments.at.join(self.name_for(&inside));
        let wish = Wish { raw: false, everyone: self.arguments.everyone };
        match mounts::show(&inside, &folder, wish) {
            Ok(shown) => Ok((outcome.mounted_at(shown.folder()), Some(shown))),
            // The key is proven all the same, which is what the log is for.
            Err(failure) => Ok((outcome.with_failure(&failure), None)),
        }
    }

    /// Returns a name for the folder of a drive: what its file system is called, else the drive.
    fn name_for(&mut self, inside: &Inside) -> String {
        let label = inside.files().ok().map(|files| files.about().label.clone());
        let path = Path::new(&inside.name).file_name().unwrap_or_default().to_string_lossy();
        let label = label.filter(|label| !label.is_empty()).unwrap_or_else(|| (&*path).into());
        self.names.take(&label, self.rows.len() as u64)
    }

    fn tell(&mut self, outcome: Outcome) -> Result<(), Failure> {
        self.output.say(outcome.words())?;
        if let Some(log) = &mut self.log {
            log.add(&outcome)?;
        }
        self.rows.push(outcome);
        Ok(())
    }

    fn opened(&self) -> usize {
        self.rows.iter().filter(|row| row.is_open()).count()
    }

    /// Keeps the mounts up until Ctrl-C, and deals with the drives that come.
    fn wait(&mut self) -> Result<(), Failure> {
        let waits = self.arguments.drives.is_empty() && !self.arguments.once;
        let rest = if waits { "plug in the next drive, or " } else { "" };
        self.output.note_unless_json(format!("{rest}Ctrl-C ends it and unmounts all"));
        let mut looked = Instant::now();
        while !interrupt::asked() {
            thread::sleep(Duration::from_millis(100));
            for shown in self.shown.values_mut() {
                shown.retain(|shown| !shown.is_over() && !shown.is_pulled());
            }
            if waits && looked.elapsed() >= LOOK {
                self.attached()?;
                looked = Instant::now();
            } else if !waits && self.shown.values().all(Vec::is_empty) {
                break;
            }
        }
        Ok(())
    }

    /// Unmounts all.
    fn end(&mut self) {
        for shown in std::mem::take(&mut self.shown).into_values().flatten() {
            let folder = shown.folder().display().to_string();
            if shown.end() {
                self.output.note(format!("note: {folder} was still in use; it is unmounted all the same"));
            }
        }
    }
}

impl Outcome {
    fn words(&self) -> String {
        let what = match (&self.key_id, &self.problem) {
            (_, Some(problem)) if !self.is_open() => {
                return format!("{BOLD}{}{OFF}: not opened: {problem}", self.drive);
            }
            (Some(id), _) => {
                format!("{GOOD}opened{OFF} by key {id} ({})", self.copy.as_deref().unwrap_or_default())
            }
            (None, _) => format!("{GOOD}open{OFF}: it asks for no key"),
        };
        let place = match (&self.folder, &self.problem) {
            (Some(folder), _) => format!(", its files are in {folder}"),
            (None, Some(problem)) => format!(", but {problem}"),
            (None, None) => String::new(),
        };
        format!("{BOLD}{}{OFF}: {what}{place}", self.drive)
    }
}
