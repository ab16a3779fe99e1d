//! Walking through what is to be copied, and making each thing anew.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use fve::FileTime;
use indicatif::ProgressBar;
use unlocked::{Entry, FileId, Found, Kind, Name, Stat, Step};

use super::new_file::{Times, date_folder};
use super::report::{Renamed, Report};
use crate::cli::Cp;
use crate::commands::files::{self, Open, said};
use crate::failure::{self, Failure, Kind as FailureKind, kind_of};
use crate::interrupt;
use crate::location::Location;
use crate::safe_name::{self, Names};

/// Copies things one after the other, and keeps account.
pub struct Copier<'a> {
    pub(super) open: &'a Open,
    pub(super) arguments: &'a Cp,
    pub(super) bar: &'a ProgressBar,
    pub(super) report: Report,
    /// The names given out in the folder that is copied into.
    pub(super) names: Names,
    /// What folders have named so far, when what none names is wanted too.
    pub(super) seen: HashSet<FileId>,
}

/// A folder that is being filled.
struct Filled {
    path: PathBuf,
    times: Times,
    names: Names,
}

impl<'a> Copier<'a> {
    /// Starts with nothing copied.
    pub fn new(open: &'a Open, arguments: &'a Cp, bar: &'a ProgressBar, report: Report) -> Self {
        Self { open, arguments, bar, report, names: Names::default(), seen: HashSet::new() }
    }

    /// Returns the account.
    pub fn finish(self) -> Report {
        self.report
    }

    /// Copies one thing that a person named, into a folder, under its own name or another.
    pub fn item(
        &mut self,
        place: &Location,
        found: &Found,
        stat: &Stat,
        folder: &Path,
        name: Option<&OsStr>,
    ) -> Result<(), Failure> {
        let shown = place.shown();
        let own = Name::from_bytes(shown.rsplit('/').next().unwrap_or_default().as_bytes());
        // The root has no name: all that is in it goes straight into the folder.
        let is_root = found.id == self.open.files.root() && name.is_none();
        let path = match name {
            Some(name) => folder.join(name),
            None if is_root => folder.to_owned(),
            None => {
                let safe = self.names.take(&own, found.id.0);
                self.note_name(&shown, &own, &safe);
                folder.join(safe)
            }
        };
        if !found.stream.is_empty() {
            return self.content(&shown, found.id, &found.stream, times(stat), &path);
        }
        match stat.kind {
            Kind::File => self.file(&shown, stat, folder, &path),
            Kind::Folder => self.folder(shown.trim_end_matches('/'), stat, path),
            _ => {
                let entry =
                    Entry { id: found.id, name: own, kind: stat.kind, next: unlocked::Position::default() };
                self.link(&shown, &entry, times(stat), &path);
                Ok(())
            }
        }
    }

    fn note_seen(&mut self, id: FileId) {
        if self.arguments.orphans {
            self.seen.insert(id);
        }
    }

    fn note_name(&mut self, path: &str, name: &Name, safe: &str) {
        if name.to_string() != safe {
            self.report.renamed.push(Renamed { path: path.to_owned(), name: safe.to_owned() });
        }
    }

    /// Copies a folder with all that is in it.
    pub(super) fn folder(&mut self, shown: &str, stat: &Stat, path: PathBuf) -> Result<(), Failure> {
        let mut walk = self.open.files.walk(stat.id);
        if !self.make_folder(shown, &path)? {
            return Ok(());
        }
        self.note_seen(stat.id);
        self.streams(shown, stat, backup::parent(&path), &path)?;
        let mut around = vec![Filled { path, times: times(stat), names: Names::default() }];
        while let Some(step) = walk.next() {
            interrupted()?;
            let inside: String = walk.folders().map(|name| format!("/{name}")).collect();
            let entry = match step {
                Step::Entry { entry, .. } => entry,
                Step::Problem(error) => {
                    self.report.not_copied(&format!("{shown}{inside}/"), said(&error));
                    continue;
                }
                Step::Leave(_) => {
                    if let Some(done) = around.pop() {
                        date_folder(&done.path, done.times);
                    }
                    continue;
                }
            };
            let Some(current) = around.last_mut() else { break };
            self.note_seen(entry.id);
            let shown = format!("{shown}{inside}/{}", entry.name);
            let name = current.names.take(&entry.name, entry.id.0);
            let path = current.path.join(&name);
            let folder = current.path.clone();
            self.note_name(&shown, &entry.name, &name);
            let stat = match self.open.files.stat(entry.id) {
                Ok(stat) => stat,
                Err(error) => {
                    self.report.not_copied(&shown, said(&error));
                    walk.stay_out();
                    continue;
                }
            };
            match entry.kind {
                Kind::File => self.file(&shown, &stat, &folder, &path)?,
                Kind::Folder if self.make_folder(&shown, &path)? => {
                    self.streams(&shown, &stat, &folder, &path)?;
                    around.push(Filled { path, times: times(&stat), names: Names::default() });
                }
                Kind::Folder => walk.stay_out(),
                _ => self.link(&shown, &entry, times(&stat), &path),
            }
        }
        Ok(())
    }

    /// Makes a folder, or takes the one that is there. Returns whether there is one to copy into.
    fn make_folder(&mut self, shown: &str, path: &Path) -> Result<bool, Failure> {
        match fs::create_dir(path) {
            Ok(()) => {
                self.report.folders += 1;
                Ok(true)
            }
            // Through a link the copy would land elsewhere; only the person's own choice may be one.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                let is_folder = fs::symlink_metadata(path).is_ok_and(|there| there.is_dir())
                    || *path == *self.arguments.to && path.is_dir();
                if !is_folder {
                    self.report.in_the_way(
                        shown,
                        &Failure::new(FailureKind::AlreadyThere, "there is something else of this name"),
                    );
                }
                Ok(is_folder)
            }
            Err(error) => self.refused(shown, path, error).map(|()| false),
        }
    }

    pub(super) fn file(
        &mut self,
        shown: &str,
        stat: &Stat,
        folder: &Path,
        path: &Path,
    ) -> Result<(), Failure> {
        self.content(shown, stat.id, &Name::default(), times(stat), path)?;
        self.streams(shown, stat, folder, path)
    }

    /// Copies the named streams beside the copy of their file, when that was asked for.
    fn streams(&mut self, shown: &str, stat: &Stat, folder: &Path, path: &Path) -> Result<(), Failure> {
        if !self.arguments.streams {
            return Ok(());
        }
        let streams = match self.open.files.streams(stat.id) {
            Ok(streams) => streams,
            Err(error) => {
                self.report.not_copied(shown, said(&error));
                return Ok(());
            }
        };
        let base = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        for stream in streams {
            let name = safe_name::safe(&format!("{base}:{}", stream.name).as_str().into());
            let shown = format!("{shown}:{}", stream.name);
            self.content(&shown, stat.id, &stream.name, times(stat), &folder.join(name))?;
        }
        Ok(())
    }

    /// What this computer refuses for one file it may do for the next; a full or missing drive it will not.
    pub(super) fn refused(&mut self, shown: &str, path: &Path, error: io::Error) -> Result<(), Failure> {
        if is_of_one_file(&error) {
            self.report.not_copied(shown, failure::reason(&error));
            return Ok(());
        }
        match kind_of(&error) {
            FailureKind::AlreadyThere => {
                self.report.in_the_way(
                    shown,
                    &Failure::new(FailureKind::AlreadyThere, "there is something else of this name"),
                );
                Ok(())
            }
            FailureKind::Full => Err(failure::about(path, &error)
                .hint("make room, and give the same command again: it goes on where it stopped")),
            _ => Err(failure::about(path, &error)),
        }
    }
}

/// Returns whether an error says nothing of the next file.
pub(super) fn is_of_one_file(error: &io::Error) -> bool {
    use io::ErrorKind as Kind;
    matches!(
        error.kind(),
        Kind::FileTooLarge | Kind::InvalidInput | Kind::InvalidFilename | Kind::PermissionDenied
    )
}

fn interrupted() -> Result<(), Failure> {
    if interrupt::asked() { Err(interrupted_now()) } else { Ok(()) }
}

pub(super) fn interrupted_now() -> Failure {
    Failure::new(FailureKind::Interrupted, "interrupted").hint("the same command goes on where it stopped")
}

/// Returns the times of a file as this computer sets them.
fn times(stat: &Stat) -> Times {
    let point = |time: Option<FileTime>| {
        let time = if stat.times.local { files::from_local(time?)? } else { time? };
        let (seconds, nanoseconds) = time.to_unix();
        let whole = Duration::from_secs(seconds.unsigned_abs());
        let at = match seconds {
            0.. => SystemTime::UNIX_EPOCH.checked_add(whole),
            _ => SystemTime::UNIX_EPOCH.checked_sub(whole),
        };
        at?.checked_add(Duration::from_nanos(nanoseconds.into()))
    };
    Times { modified: point(stat.times.modified), accessed: point(stat.times.accessed) }
}
