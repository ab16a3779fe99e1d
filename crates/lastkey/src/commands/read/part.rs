//! A copy that may be stopped, and gone on with: `FILE.part`, and beside it `FILE.part.state`.
//!
//! Once a second what was copied is put on the medium, and only then the state says so. Whatever stops the program,
//! everything that the state speaks of is there; what lies behind it is cut off when the copy goes on. `FILE` appears
//! when it is whole; the state goes last.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, TrySendError};
use std::thread;
use std::time::{Duration, Instant};

use disk_image::{Format, Writer};
use fve::ReadAt;
use indicatif::ProgressBar;

use super::state::{Job, State};
use crate::failure::{Failure, Kind, about, kind_of, reason};
use crate::pipeline::{self, Stopped};
use crate::words;

/// How often the medium is waited for; the copy does not wait.
const EVERY: Duration = Duration::from_secs(1);
/// How many pieces of a copy that is gone on with are compared with the drive, and how long each is.
const PIECES: u64 = 16;
const PIECE: u64 = 1 << 20;
const UNSAID: &str = "nothing says what it is a copy of";

/// A copy that may be gone on with.
pub struct Part {
    image: Writer,
    state: State,
    /// The image's file.
    file: File,
    job: Job,
    out: PathBuf,
}

impl Part {
    /// Begins a copy, or goes on with the one that is there.
    pub fn open(out: &Path, job: Job, format: Format, drive: &dyn ReadAt) -> Result<Self, Failure> {
        let (path, state_path) = (part_of(out), state_of(out));
        let failed = |error: io::Error| about(&path, &error);
        let state_failed = |error: io::Error| about(&state_path, &error);
        let (part, state) = (open_own(&path)?, open_own(&state_path)?);
        let is_empty = part.as_ref().map_or(Ok(0), length_of).map_err(failed)? == 0;
        if state.is_none() && !is_empty {
            return Err(spoilt(out, UNSAID));
        }
        let (file, state) = (or_create(part, &path)?, or_create(state, &state_path)?);
        // Without locks there, nobody is warned. Before the lock the file may have got its name.
        if matches!(file.try_lock(), Err(TryLockError::WouldBlock)) || !is_at(&file, &path) {
            return Err(Failure::new(Kind::AlreadyThere, "another lastkey is writing this copy now"));
        }
        let handle = file.try_clone().map_err(failed)?;
        let is_new = length_of(&state).map_err(state_failed)? == 0;
        let begun = State::read(state.try_clone().map_err(state_failed)?).map_err(state_failed)?;
        let (state, image) = match begun {
            None if !is_new => return Err(spoilt(out, "what says how far it is is damaged")),
            // Or the state was left over from a copy that has got its name.
            _ if is_empty => {
                let state = State::begin(state, &job).map_err(state_failed)?;
                backup::sync_folder(backup::parent(out)).map_err(state_failed)?;
                (state, Writer::create(handle, format, job.length).map_err(failed)?)
            }
            Some((begun, state)) => {
                is_same(&begun, &job, out)?;
                let image = Writer::resume(handle, format, job.length, state.mark());
                let image = image.map_err(|error| match error.kind() {
                    io::ErrorKind::InvalidData => spoilt(out, &error.to_string()),
                    _ => failed(error),
                })?;
                compare(&image, drive, &job, out)?;
                (state, image)
            }
            None => return Err(spoilt(out, UNSAID)),
        };
        Ok(Self { image, state, file, job, out: out.to_owned() })
    }

    /// Returns how much is copied.
    pub fn position(&self) -> u64 {
        self.image.position()
    }

    /// Copies the rest. When it is stopped, as much as possible of what was copied stays so.
    pub fn fill(&mut self, drive: &dyn ReadAt, bar: &ProgressBar) -> Result<(), Stopped> {
        let from = self.image.position();
        let Self { image, state, file, job, .. } = self;
        let (due, marks) = mpsc::sync_channel(0);
        let (copied, kept) = thread::scope(|scope| {
            let keeper = scope.spawn(|| {
                for mark in marks {
                    file.sync_data()?;
                    state.reach(mark)?;
                }
                Ok(())
            });
            let mut last = Instant::now();
            let copied = pipeline::copy(drive, job.offset + from, job.length - from, |bytes| {
                image.write(bytes)?;
                bar.inc(bytes.len() as u64);
                if last.elapsed() < EVERY {
                    return Ok(());
                }
                last = Instant::now();
                match due.try_send(image.checkpoint()?) {
                    // The medium is slow: the next time, then.
                    Ok(()) | Err(TrySendError::Full(_)) => Ok(()),
                    Err(TrySendError::Disconnected(_)) => Err(io::ErrorKind::BrokenPipe.into()),
                }
            });
            drop(due);
            let kept: io::Result<()> =
                keeper.join().unwrap_or_else(|_| Err(io::Error::other("putting it on the medium failed")));
            (copied, kept)
        });
        // Of what a medium once refused nothing more is believed.
        kept.map_err(Stopped::Writing)?;
        let reached = self.reach();
        copied.and(reached.map_err(Stopped::Writing))
    }

    fn reach(&mut self) -> io::Result<()> {
        let mark = self.image.checkpoint()?;
        self.file.sync_data()?;
        self.state.reach(mark)
    }

    /// Says of a copy that was stopped how to go on.
    pub fn stopped(&self, failure: Failure) -> Failure {
        let failure = match failure.kind {
            Kind::Interrupted => Failure::new(Kind::Interrupted, "interrupted"),
            _ => failure,
        };
        let (copied, length) = (words::size(self.state.mark().position), words::size(self.job.length));
        let part = part_of(&self.out);
        failure.hint(format!(
            "{copied} of {length} are copied, in {}: the same command goes on from there",
            part.display()
        ))
    }

    /// Makes the copy last, under its own name; returns how many bytes of the medium it takes.
    pub fn keep(self) -> Result<u64, Failure> {
        let stopped = |error: io::Error| Failure::from(error).hint("the same command ends it");
        let stored = self.image.finish().map_err(stopped)?;
        backup::rename_new(&self.file, &part_of(&self.out), &self.out).map_err(|error| {
            match error.kind() {
                io::ErrorKind::AlreadyExists => taken(&self.out),
                _ => stopped(error),
            }
        })?;
        // The copy is whole and has its name; what is left over does no harm.
        let _ = fs::remove_file(state_of(&self.out));
        Ok(stored)
    }
}

/// Looks after what may lie beside a copy that is already there, and says why that is no place for another.
pub fn is_there(out: &Path) -> Failure {
    let (part, state) = (part_of(out), state_of(out));
    if is_nothing(&part) {
        // Killed in the moment after the copy had got its name.
        let left_over = open_own(&state).ok().flatten().and_then(|file| State::read(file).ok().flatten());
        if left_over.is_some_and(|(job, _)| job.lastkey_copy > 0) {
            let _ = fs::remove_file(&state);
        }
        return super::place::is_there();
    }
    taken(out)
}

/// Returns what to say of a copy that was begun, to whoever begins another one of the same name.
pub fn begun(out: &Path) -> Option<String> {
    let (part, state) = (part_of(out), state_of(out));
    let both = !is_nothing(&part) && !is_nothing(&state);
    both.then(|| format!("{} is a copy that was begun: --resume would go on with it", part.display()))
}

fn taken(out: &Path) -> Failure {
    super::place::is_there().hint(format!(
        "the copy that was begun is {}: with another place for the file that is there, the same command goes on",
        part_of(out).display()
    ))
}

fn is_nothing(path: &Path) -> bool {
    fs::symlink_metadata(path).is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
}

fn part_of(out: &Path) -> PathBuf {
    with(out, ".part")
}

fn state_of(out: &Path) -> PathBuf {
    with(out, ".part.state")
}

fn with(out: &Path, ending: &str) -> PathBuf {
    let mut path = OsString::from(out);
    path.push(ending);
    path.into()
}

fn spoilt(out: &Path, why: &str) -> Failure {
    let (part, state) = (part_of(out), state_of(out));
    let message = format!("the copy that was begun, {}, cannot be gone on with: {why}", part.display());
    Failure::new(Kind::AlreadyThere, message)
        .hint(format!("delete it and {} to begin anew, or choose another name", state.display()))
}

/// Refuses to go on with the copy of something else.
fn is_same(begun: &Job, job: &Job, out: &Path) -> Result<(), Failure> {
    let no = |why: &str| {
        let message = format!("the copy that was begun, {}, {why}", part_of(out).display());
        Failure::new(Kind::AlreadyThere, message)
    };
    if begun.lastkey_copy != Job::VERSION {
        return Err(no("is of another version of lastkey").hint("go on with that version"));
    }
    if begun.volume != job.volume {
        let why = format!("is of another drive: {} (volume {})", begun.drive, begun.volume);
        return Err(no(&why).hint("choose another name for this copy"));
    }
    if (begun.offset, begun.length, &begun.out_format) != (job.offset, job.length, &job.out_format) {
        let Job { offset, length, out_format, .. } = begun;
        let hint = format!("it goes on with --offset {offset} --length {length} --format {out_format}");
        return Err(no("was begun with other options").hint(hint));
    }
    if begun.size != job.size {
        return Err(changed(out, &format!("it had {} bytes, and has {}", begun.size, job.size)));
    }
    Ok(())
}

/// Compares the last piece that was written with the drive, and some before it: half of a drive as it was and half of
/// it as it is would be no copy of anything.
fn compare(image: &Writer, drive: &dyn ReadAt, job: &Job, out: &Path) -> Result<(), Failure> {
    let copied = image.position();
    let length = copied.min(PIECE);
    let mut buf = vec![0; usize::try_from(length).unwrap_or(0)];
    let mut there = buf.clone();
    let last = copied - length;
    let mut places: Vec<_> = (0..PIECES).map(|n| last / (PIECES - 1) * n).chain([last]).collect();
    places.dedup();
    for at in places {
        image.read_at(at, &mut buf).map_err(|error| match error.kind() {
            io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => spoilt(out, &error.to_string()),
            _ => about(&part_of(out), &error),
        })?;
        drive.read_at(job.offset + at, &mut there).map_err(|error| {
            let at = job.offset + at;
            Failure::new(
                kind_of(&error),
                format!("reading the drive at byte {at} failed: {}", reason(&error)),
            )
        })?;
        if let Some(differs) = buf.iter().zip(&there).position(|(own, its)| own != its) {
            let at = job.offset + at + differs as u64;
            return Err(changed(out, &format!("byte {at} is another one")));
        }
    }
    Ok(())
}

fn changed(out: &Path, how: &str) -> Failure {
    let (part, state) = (part_of(out), state_of(out));
    Failure::new(Kind::AlreadyThere, format!("the drive is not what it was when the copy was begun: {how}"))
        .hint(format!("delete {} and {}, and copy the drive anew", part.display(), state.display()))
}

fn length_of(file: &File) -> io::Result<u64> {
    Ok(file.metadata()?.len())
}

fn or_create(file: Option<File>, path: &Path) -> Result<File, Failure> {
    if let Some(file) = file {
        return Ok(file);
    }
    let mut options = OpenOptions::new();
    options.read(true).write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map_err(|error| about(path, &error))
}

/// Opens a file that this user or the folder's owner has made; `None` when there is none. In a folder that others may
/// write to, somebody could have put one there to get at what is decrypted.
fn open_own(path: &Path) -> Result<Option<File>, Failure> {
    if is_nothing(path) {
        return Ok(None);
    }
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    #[cfg(unix)]
    {
        let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
        std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, flags.bits() as i32);
    }
    let refused = || {
        Failure::new(Kind::AlreadyThere, "this is no file of yours; it was left as it is")
            .hint("choose another name for the copy")
            .about(&path.display().to_string())
    };
    if !fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_file()) {
        return Err(refused());
    }
    let failed = |error: io::Error| about(path, &error);
    let file = options.open(path).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    let folder = fs::metadata(backup::parent(path)).map_err(failed)?;
    if metadata.is_file() && is_own(&metadata, &folder) { Ok(Some(file)) } else { Err(refused()) }
}

/// Returns whether a file still has its name.
fn is_at(file: &File, path: &Path) -> bool {
    let (Ok(own), Ok(there)) = (file.metadata(), fs::symlink_metadata(path)) else { return false };
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        (own.dev(), own.ino()) == (there.dev(), there.ino())
    }
    #[cfg(not(unix))]
    {
        own.len() == there.len()
    }
}

/// On FAT and its like all files belong to one user, also those that another makes.
#[cfg(unix)]
fn is_own(file: &fs::Metadata, folder: &fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    file.uid() == rustix::process::geteuid().as_raw() || file.uid() == folder.uid()
}

#[cfg(not(unix))]
fn is_own(_: &fs::Metadata, _: &fs::Metadata) -> bool {
    true
}
