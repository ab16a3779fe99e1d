//! A file that takes the place of another in one step, and only if nobody else changes it meanwhile.
//!
//! At every moment the name leads to the whole old file or to the whole new one. The new one has a
//! hidden name of its own for the instant before the step. Killed there, it stays behind under that
//! name, whole and encrypted, until the next change takes it away.

use std::fs::{self, File, Metadata, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

use crate::destination::SaveError;
use crate::file::forget_cache;
use crate::new_file::{NewFile, parent, sync_folder};

/// The file that is there now. As long as this lives, no other lastkey changes it.
pub(super) struct Current {
    pub(super) bytes: Vec<u8>,
    file: File,
    metadata: Metadata,
}

/// Why a file was not read or not replaced.
pub(super) enum SwapError {
    Io(io::Error),
    Refused(String),
}

impl SwapError {
    pub(super) fn at(self, path: &Path) -> SaveError {
        let place = path.display().to_string();
        match self {
            Self::Io(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                SaveError::AlreadyThere { path: path.to_owned() }
            }
            Self::Io(error) => SaveError::from_io(place, error),
            Self::Refused(why) => SaveError::Rejected { place, why },
        }
    }
}

impl From<io::Error> for SwapError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

fn refused<T>(why: &str) -> Result<T, SwapError> {
    Err(SwapError::Refused(why.to_owned()))
}

impl Current {
    /// Reads a file from the medium, to change it; `None` when it is not there.
    pub(super) fn open(path: &Path, limit: usize) -> Result<Option<Self>, SwapError> {
        let Some(mut current) = Self::unlocked(path)? else { return Ok(None) };
        // Windows would keep even us from reading a file that we have locked.
        if cfg!(unix) && matches!(current.file.try_lock(), Err(TryLockError::WouldBlock)) {
            return refused("another program is changing it just now; try again");
        }
        current.bytes = read(&mut current.file, limit)?;
        Ok(Some(current))
    }

    /// Reads a file from the medium, whoever changes it; `None` when it is not there.
    pub(super) fn bytes_of(path: &Path, limit: usize) -> Result<Option<Vec<u8>>, SwapError> {
        Self::unlocked(path)?.map(|mut current| read(&mut current.file, limit)).transpose()
    }

    fn unlocked(path: &Path) -> Result<Option<Self>, SwapError> {
        let file = match File::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            result => result?,
        };
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return refused("it is no file");
        }
        forget_cache(&file)?;
        Ok(Some(Self { bytes: Vec::new(), file, metadata }))
    }

    /// Makes sure that the name still leads to this file, and that it is as it was.
    fn is_unchanged(&mut self, path: &Path) -> Result<(), SwapError> {
        let limit = self.bytes.len() + 1;
        self.file.rewind()?;
        let same =
            is_same_file(&fs::metadata(path)?, &self.metadata) && read(&mut self.file, limit)? == self.bytes;
        if same { Ok(()) } else { refused("another program has just changed it; try again") }
    }
}

fn read(file: &mut File, limit: usize) -> Result<Vec<u8>, SwapError> {
    let mut bytes = Vec::new();
    file.take(limit as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > limit {
        return Err(SwapError::Refused(format!("it has more than {limit} bytes")));
    }
    Ok(bytes)
}

/// Writes a file where another is or none, with the other's owner and rights. `judge` decides about what
/// was read again from the medium, before anything is replaced.
pub(super) fn put(
    path: &Path,
    bytes: &[u8],
    current: Option<Current>,
    judge: impl FnOnce(&[u8]) -> Result<(), String>,
) -> Result<(), SwapError> {
    let folder = parent(path);
    let mut new = NewFile::create(folder)?;
    let file = new.file();
    file.write_all(bytes)?;
    if let Some(current) = &current {
        take_after(file, &current.metadata)?;
    }
    file.sync_all()?;
    forget_cache(file)?;
    file.rewind()?;
    judge(&read(file, bytes.len())?).map_err(SwapError::Refused)?;
    let Some(mut current) = current else {
        return Ok(new.keep(path)?);
    };
    let hidden = hidden(path);
    // Whoever holds the lock on the old file is the only one to use this name.
    if hidden.symlink_metadata().is_ok() {
        fs::remove_file(&hidden)?;
    }
    new.keep(&hidden)?;
    let unchanged = current.is_unchanged(path);
    // The lock lasts until the new file is in place. Windows replaces no file that is open, not even by us.
    let lock = cfg!(unix).then_some(current);
    let step = unchanged.and_then(|()| Ok(fs::rename(&hidden, path)?));
    drop(lock);
    if let Err(error) = step {
        fs::remove_file(&hidden)?;
        return Err(error);
    }
    Ok(sync_folder(folder)?)
}

fn hidden(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.lastkey"))
}

#[cfg(unix)]
fn take_after(file: &File, old: &Metadata) -> Result<(), SwapError> {
    use std::os::unix::fs::{MetadataExt, fchown};
    if old.nlink() > 1 {
        return refused("it has a second name (a hard link), which would go on leading to the old state");
    }
    if old.permissions().readonly() {
        return refused("it is write-protected");
    }
    let new = file.metadata()?;
    if (new.uid(), new.gid()) != (old.uid(), old.gid())
        && fchown(file, Some(old.uid()), Some(old.gid())).is_err()
    {
        return refused("it belongs to somebody else, who would lose it");
    }
    Ok(file.set_permissions(old.permissions())?)
}

#[cfg(not(unix))]
fn take_after(_: &File, old: &Metadata) -> Result<(), SwapError> {
    if old.permissions().readonly() { refused("it is write-protected") } else { Ok(()) }
}

#[cfg(unix)]
fn is_same_file(a: &Metadata, b: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    (a.dev(), a.ino()) == (b.dev(), b.ino())
}

#[cfg(not(unix))]
fn is_same_file(a: &Metadata, b: &Metadata) -> bool {
    (a.len(), a.modified().ok()) == (b.len(), b.modified().ok())
}

/// Says when a password manager has the database open: it would write over what is added now.
pub(super) fn in_use(path: &Path) -> Option<String> {
    let name = path.file_name()?.to_string_lossy();
    [("KeePassXC", format!(".{name}.lock")), ("KeePass", format!("{name}.lock"))].into_iter().find_map(
        |(program, lock)| {
            let lock = path.with_file_name(lock);
            lock.symlink_metadata().ok()?;
            let lock = lock.display();
            Some(format!(
                "it is open in {program}: close it there first. If it is not, {program} was cut short and \
                 left {lock} behind: delete that file"
            ))
        },
    )
}
