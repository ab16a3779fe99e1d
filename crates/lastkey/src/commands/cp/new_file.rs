//! One file of a copy: written beside its place, given its name when it is whole.

use std::fs::{self, File, FileTimes, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::ops::{ControlFlow, Range};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use fve::ReadAt;
use tempfile::TempPath;

use crate::pipeline::{self, Stopped};

/// What is compared before a copy that was cut off goes on.
const COMPARED: u64 = 1 << 20;
/// Zeros of this length are left out where the file system can.
const HOLE: usize = 64 << 10;
/// What is lost at the least where a drive cannot be read.
const PIECE: u64 = 4096;

/// When a file was last written and read.
#[derive(Clone, Copy, Debug, Default)]
pub struct Times {
    /// Last written.
    pub modified: Option<SystemTime>,
    /// Last read.
    pub accessed: Option<SystemTime>,
}

impl From<Times> for FileTimes {
    fn from(times: Times) -> Self {
        let both = Self::new();
        let both = times.modified.map_or(both, |modified| both.set_modified(modified));
        times.accessed.map_or(both, |accessed| both.set_accessed(accessed))
    }
}

/// What lies where a copy should go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum There {
    /// Nothing.
    Nothing,
    /// A file of the same length and time: an earlier copy.
    TheSame,
    /// Something else.
    Other,
}

/// Looks at the place of a copy.
pub fn look(path: &Path, size: u64, times: Times) -> io::Result<There> {
    let there = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(There::Nothing),
        there => there?,
    };
    // FAT keeps times to two seconds.
    let near = |wanted: SystemTime| {
        let found = there.modified().ok()?;
        let apart = found.duration_since(wanted).or_else(|_| wanted.duration_since(found)).ok()?;
        Some(apart.as_secs() <= 2)
    };
    let same = there.is_file() && there.len() == size && times.modified.and_then(near).unwrap_or(true);
    Ok(if same { There::TheSame } else { There::Other })
}

/// A file that has not its name yet. What an earlier run left of it is gone on with.
pub struct Part {
    file: File,
    hidden: PathBuf,
    /// How much of it is there.
    at: u64,
}

impl Part {
    /// Opens what an earlier run left, or begins.
    pub fn open(hidden: PathBuf, source: &dyn ReadAt) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        follow_nothing(&mut options);
        let file = options.open(&hidden)?;
        let length = file.metadata()?.len();
        let mut part = Self { file, hidden, at: 0 };
        if length > 0 && length <= source.size() && part.ends_like(source, length)? {
            part.at = length;
        }
        part.file.set_len(part.at)?;
        part.file.seek(SeekFrom::Start(part.at))?;
        Ok(part)
    }

    /// Compares the end of what is there with the source. Where that cannot be read, nothing is known.
    fn ends_like(&mut self, source: &dyn ReadAt, length: u64) -> io::Result<bool> {
        let start = length.saturating_sub(COMPARED);
        let compared = usize::try_from(length - start).unwrap_or(0);
        let (mut own, mut its) = (vec![0; compared], vec![0; compared]);
        self.file.seek(SeekFrom::Start(start))?;
        self.file.read_exact(&mut own)?;
        Ok(source.read_at(start, &mut its).is_ok() && own == its)
    }

    /// Returns how many bytes an earlier run left.
    pub fn already(&self) -> u64 {
        self.at
    }

    /// Copies the rest: what lies in `stored`, in order; between that are holes.
    pub fn fill(
        &mut self,
        source: &dyn ReadAt,
        stored: &[Range<u64>],
        progress: impl Fn(u64) + Sync,
    ) -> Result<(), Stopped> {
        let mut done = self.at;
        for range in stored {
            let from = range.start.max(done);
            let Some(length) = range.end.checked_sub(from).filter(|&length| length > 0) else { continue };
            progress(from - done);
            self.file.seek(SeekFrom::Start(from)).map_err(Stopped::Writing)?;
            if length <= HOLE as u64 {
                // Not worth the threads
                let mut bytes = vec![0; usize::try_from(length).unwrap_or(0)];
                let reading = |source| Stopped::Reading { at: from, source };
                source.read_at(from, &mut bytes).map_err(reading)?;
                self.file.write_all(&bytes).map_err(Stopped::Writing)?;
                progress(length);
            } else {
                let mut file = &self.file;
                pipeline::copy(source, from, length, |bytes| {
                    write_sparse(&mut file, bytes)?;
                    progress(bytes.len() as u64);
                    Ok(())
                })?;
            }
            done = range.end;
        }
        progress(source.size().saturating_sub(done));
        self.file.set_len(source.size()).map_err(Stopped::Writing)
    }

    /// Copies from the start whatever can be read, zeros for the rest; returns how many bytes are lost.
    pub fn salvage(
        &mut self,
        source: &dyn ReadAt,
        stored: &[Range<u64>],
        mut progress: impl FnMut(u64) -> ControlFlow<()>,
    ) -> Result<u64, Stopped> {
        self.file.set_len(0).map_err(Stopped::Writing)?;
        let mut lost = 0;
        let mut buf = vec![0; 1 << 20];
        for range in stored {
            self.file.seek(SeekFrom::Start(range.start)).map_err(Stopped::Writing)?;
            let mut at = range.start;
            while at < range.end {
                let length = usize::try_from(range.end - at).map_or(buf.len(), |left| left.min(buf.len()));
                let block = &mut buf[..length];
                if source.read_at(at, block).is_err() {
                    for (place, piece) in (at..).step_by(PIECE as usize).zip(block.chunks_mut(PIECE as usize))
                    {
                        if source.read_at(place, piece).is_err() {
                            piece.fill(0);
                            lost += piece.len() as u64;
                        }
                    }
                }
                write_sparse(&mut &self.file, block).map_err(Stopped::Writing)?;
                at += length as u64;
                if progress(length as u64).is_break() {
                    return Err(Stopped::Interrupted);
                }
            }
        }
        self.file.set_len(source.size()).map_err(Stopped::Writing)?;
        Ok(lost)
    }

    /// Gives the file its times and its name, which nothing else may have.
    pub fn keep(self, path: &Path, times: Times) -> io::Result<()> {
        // Not every file system keeps times, and a copy without them is a copy.
        let _ = self.file.set_times(times.into());
        drop(self.file);
        TempPath::try_from_path(self.hidden)?.persist_noclobber(path).map_err(|failed| {
            // What is whole but has no name yet is taken up by the next run.
            let _ = failed.path.keep();
            failed.error
        })
    }

    /// Removes it.
    pub fn remove(self) {
        drop(self.file);
        let _ = fs::remove_file(&self.hidden);
    }
}

/// Writes at the current place, and leaves a hole for zeros.
fn write_sparse(file: &mut &File, bytes: &[u8]) -> io::Result<()> {
    for block in bytes.chunks(HOLE) {
        if block.iter().all(|&byte| byte == 0) {
            file.seek_relative(block.len() as i64)?;
        } else {
            file.write_all(block)?;
        }
    }
    Ok(())
}

/// Gives a folder its times, once everything is in it.
pub fn date_folder(path: &Path, times: Times) {
    let mut options = OpenOptions::new();
    options.read(true);
    open_folders(&mut options);
    // A copy without them is a copy.
    let _ = options.open(path).and_then(|folder| folder.set_times(times.into()));
}

/// Gives a link its times.
#[cfg(unix)]
pub fn date_link(path: &Path, times: Times) {
    use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, UTIME_OMIT, utimensat};
    let stamp = |time: Option<SystemTime>| {
        let since = time.and_then(|time| time.duration_since(SystemTime::UNIX_EPOCH).ok());
        since.map_or(Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT }, |since| Timespec {
            tv_sec: since.as_secs().cast_signed(),
            tv_nsec: since.subsec_nanos().into(),
        })
    };
    let stamps = Timestamps { last_access: stamp(times.accessed), last_modification: stamp(times.modified) };
    // A link without them is a link.
    let _ = utimensat(CWD, path, &stamps, AtFlags::SYMLINK_NOFOLLOW);
}

#[cfg(unix)]
fn follow_nothing(options: &mut OpenOptions) {
    use std::os::unix::fs::OpenOptionsExt;
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    options.custom_flags(flags.bits().cast_signed());
}

#[cfg(not(unix))]
fn follow_nothing(_: &mut OpenOptions) {}

#[cfg(windows)]
fn open_folders(options: &mut OpenOptions) {
    use std::os::windows::fs::OpenOptionsExt;
    const WRITE_ATTRIBUTES: u32 = 0x100;
    const BACKUP_SEMANTICS: u32 = 0x0200_0000;
    options.access_mode(WRITE_ATTRIBUTES).custom_flags(BACKUP_SEMANTICS);
}

#[cfg(not(windows))]
fn open_folders(_: &mut OpenOptions) {}
