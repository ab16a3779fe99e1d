//! A file that is there whole or not at all.
//!
//! Where Linux and the file system know files without a name, the file gets its name when it is whole.
//! FAT, exFAT, NTFS and most shares do not, so there it has a hidden name before. What then is on the
//! medium, at any instant at which the power may fail:
//!
//! 1. The hidden file is written. Everything is put on the medium: data first, then what says which
//!    clusters are taken, then the folder. A hidden name never lies over clusters that count as free.
//! 2. It is renamed and everything is put on the medium again. Not before that does the driver write
//!    the folder, with the length in it: syncing the folder alone would write the name with length 0.
//!
//! A process that is killed leaves its hidden file behind. It holds a lock on it, which dies with it: a
//! hidden file that can be locked is nobody's, and the next [`NewFile`] in the folder removes it.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use file_attributes::Attributes;
use tempfile::TempPath;

/// What a hidden name begins with.
const PREFIX: &str = ".lastkey-";

/// A file that has no name yet, readable by its owner alone.
///
/// Where Linux and the file system know files without a name, it vanishes with the process, whatever
/// ends that. Elsewhere it has a hidden name until it is [kept](Self::keep), and is removed on drop.
#[derive(Debug)]
pub struct NewFile {
    file: File,
    hidden: Option<TempPath>,
}

impl NewFile {
    /// Makes an empty file in a folder, and removes what killed processes left there.
    ///
    /// # Errors
    /// When the folder does not take one.
    pub fn create(folder: &Path) -> io::Result<Self> {
        match nameless(folder) {
            Some(file) => Ok(Self { file, hidden: None }),
            None => Self::create_hidden(folder),
        }
    }

    fn create_hidden(folder: &Path) -> io::Result<Self> {
        remove_leftovers(folder);
        loop {
            let (file, hidden) = tempfile::Builder::new().prefix(PREFIX).tempfile_in(folder)?.into_parts();
            // Without locks there, nobody can take the file for a leftover either.
            let _ = file.try_lock();
            // Before the lock it may have looked like a leftover.
            if hidden.try_exists()? {
                return Ok(Self { file, hidden: Some(hidden) });
            }
        }
    }

    /// Returns the file, to be written.
    pub fn file(&mut self) -> &mut File {
        &mut self.file
    }

    /// Puts the file on the medium, under a name in the folder that it was made in.
    ///
    /// # Errors
    /// [`io::ErrorKind::AlreadyExists`] when the name is taken. Whatever the error, no file is left.
    pub fn keep(self, path: &Path) -> io::Result<()> {
        self.keep_with(path, Attributes::default()).map(|_| ())
    }

    /// Does the same, and gives the file attributes; returns whether it has them, which is no error where
    /// files have none.
    ///
    /// # Errors
    /// As [`Self::keep`].
    pub fn keep_with(self, path: &Path, attributes: Attributes) -> io::Result<bool> {
        let Self { file, hidden } = self;
        let Some(hidden) = hidden else {
            file.sync_all()?;
            give_name(&file, path)?;
            sync_folder(parent(path)).inspect_err(|_| forget(path))?;
            return Ok(attributes == Attributes::default());
        };
        // Windows would take them away again with the renaming.
        let early = !cfg!(windows);
        let added = early && add(&hidden, attributes)?;
        sync_all(&file)?;
        rename(hidden, path)?;
        let finish = || {
            let added = added || !early && add(path, attributes)?;
            sync_all(&file)?;
            sync_folder(parent(path))?;
            Ok(added)
        };
        finish().inspect_err(|_: &io::Error| forget(path))
    }
}

/// Returns the folder that a path lies in.
pub fn parent(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn add(path: &Path, attributes: Attributes) -> io::Result<bool> {
    if attributes == Attributes::default() { Ok(true) } else { file_attributes::add(path, attributes) }
}

/// Takes back a name that came too early: the error that led here is the one to be told.
fn forget(path: &Path) {
    let _ = fs::remove_file(path);
}

/// Gives a file that is whole another name, and puts that on the medium.
///
/// # Errors
/// [`io::ErrorKind::AlreadyExists`] when the name is taken. The file keeps its old one then.
pub fn rename_new(file: &File, from: &Path, to: &Path) -> io::Result<()> {
    let mut old = TempPath::try_from_path(from)?;
    old.disable_cleanup(true);
    rename(old, to)?;
    sync_all(file)?;
    sync_folder(parent(to))
}

fn rename(hidden: TempPath, path: &Path) -> io::Result<()> {
    let Err(failed) = hidden.persist_noclobber(path) else { return Ok(()) };
    if failed.error.kind() == io::ErrorKind::AlreadyExists || path.try_exists()? {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    // Some drivers know neither renaming without replacing nor links.
    failed.path.persist(path).map_err(|failed| failed.error)
}

/// Removes the hidden files that no living process holds.
///
/// Failing at that is no reason not to save. On FAT a power failure in the middle of a renaming can
/// leave two names for the same clusters. Removing one would free what the other holds, so a hidden file
/// that equals another file is left alone.
fn remove_leftovers(folder: &Path) {
    let files = || fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let is_hidden = |path: &Path| path.file_name().is_some_and(|n| n.to_string_lossy().starts_with(PREFIX));
    for hidden in files().filter(|path| is_hidden(path)) {
        if !fs::symlink_metadata(&hidden).is_ok_and(|metadata| metadata.is_file()) {
            continue;
        }
        let Ok(file) = File::open(&hidden) else { continue };
        if file.try_lock().is_ok() && !files().any(|other| other != hidden && are_equal(&hidden, &other)) {
            let _ = fs::remove_file(&hidden);
        }
    }
}

/// Returns whether two files hold the same bytes, and any at all.
fn are_equal(one: &Path, other: &Path) -> bool {
    let length = |path| fs::symlink_metadata(path).ok().filter(|m| m.is_file()).map(|m| m.len());
    let bytes = |path| fs::read(path).map(recovery_key::Secret::new);
    match (length(one), length(other)) {
        (Some(0), _) => false,
        (own, its) if own != its => false,
        _ => match (bytes(one), bytes(other)) {
            (Ok(own), Ok(its)) => own.expose() == its.expose(),
            // What cannot be read cannot be told apart.
            _ => true,
        },
    }
}

#[cfg(target_os = "linux")]
fn nameless(folder: &Path) -> Option<File> {
    use rustix::fs::{Mode, OFlags, open};
    let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
    let file = File::from(open(folder, flags, Mode::RUSR | Mode::WUSR).ok()?);
    // Without /proc it could not be given a name later.
    by_number(&file).exists().then_some(file)
}

#[cfg(target_os = "linux")]
fn give_name(file: &File, path: &Path) -> io::Result<()> {
    use rustix::fs::{AtFlags, CWD, linkat};
    Ok(linkat(CWD, by_number(file), CWD, path, AtFlags::SYMLINK_FOLLOW)?)
}

#[cfg(target_os = "linux")]
fn by_number(file: &File) -> std::path::PathBuf {
    use std::os::fd::AsRawFd;
    format!("/proc/self/fd/{}", file.as_raw_fd()).into()
}

/// Puts the file and everything else on its file system on the medium, in the order told above.
#[cfg(target_os = "linux")]
fn sync_all(file: &File) -> io::Result<()> {
    // Not every driver can, and old ones do not tell of errors: the file itself is asked in any case.
    let _ = rustix::fs::syncfs(file);
    file.sync_all()
}

#[cfg(not(target_os = "linux"))]
fn sync_all(file: &File) -> io::Result<()> {
    file.sync_all()
}

#[cfg(not(target_os = "linux"))]
fn nameless(_: &Path) -> Option<File> {
    None
}

#[cfg(not(target_os = "linux"))]
fn give_name(_: &File, _: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Puts a new or removed name on the medium, where the file system can be asked to.
///
/// # Errors
/// When that fails.
#[cfg(unix)]
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    match File::open(folder)?.sync_all() {
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => Ok(()),
        result => result,
    }
}

/// Puts a new or removed name on the medium, where the file system can be asked to.
///
/// # Errors
/// When that fails.
#[cfg(not(unix))]
pub fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn in_each_way(test: impl Fn(&Path, NewFile)) {
        for create in [NewFile::create, NewFile::create_hidden] {
            let folder = tempfile::tempdir().expect("a folder");
            test(folder.path(), create(folder.path()).expect("a file"));
        }
    }

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).expect("the folder");
        let name = |entry: io::Result<fs::DirEntry>| entry.expect("an entry").file_name();
        let mut names: Vec<_> = entries.map(|entry| name(entry).to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_that_is_kept_has_its_name_and_its_bytes() {
        in_each_way(|folder, mut new| {
            new.file().write_all(b"bytes").expect("written");
            new.keep(&folder.join("name")).expect("kept");
            assert_eq!(names(folder), ["name"]);
            assert_eq!(fs::read(folder.join("name")).expect("the file"), b"bytes");
        });
    }

    #[test]
    fn a_file_that_is_not_kept_is_gone() {
        in_each_way(|folder, mut new| {
            new.file().write_all(b"bytes").expect("written");
            drop(new);
            assert!(names(folder).is_empty());
        });
    }

    #[test]
    fn a_name_that_is_taken_stays_as_it_is() {
        in_each_way(|folder, new| {
            fs::write(folder.join("name"), "mine").expect("written");
            let error = new.keep(&folder.join("name")).expect_err("the name is taken");
            assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
            assert_eq!(names(folder), ["name"]);
            assert_eq!(fs::read(folder.join("name")).expect("the file"), b"mine");
        });
    }

    #[test]
    fn a_file_gets_another_name_only_when_that_is_free() {
        let folder = tempfile::tempdir().expect("a folder");
        let (from, to) = (folder.path().join("part"), folder.path().join("name"));
        fs::write(&to, "mine").expect("written");
        let mut file = File::create_new(&from).expect("a file");
        file.write_all(b"bytes").expect("written");
        let error = rename_new(&file, &from, &to).expect_err("the name is taken");
        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(names(folder.path()), ["name", "part"]);
        assert_eq!(fs::read(&to).expect("the file"), b"mine");
        fs::remove_file(&to).expect("removed");
        rename_new(&file, &from, &to).expect("renamed");
        assert_eq!(names(folder.path()), ["name"]);
        assert_eq!(fs::read(&to).expect("the file"), b"bytes");
    }

    #[test]
    fn attributes_are_there_or_said_not_to_be() {
        in_each_way(|folder, new| {
            let path = folder.join("name");
            let wanted = Attributes::HIDDEN | Attributes::SYSTEM;
            let added = new.keep_with(&path, wanted).expect("kept");
            let found = file_attributes::get(&path).expect("the file");
            assert_eq!(found.is_some_and(|found| found.contains(wanted)), added);
        });
    }

    #[test]
    fn what_a_killed_process_left_is_removed_and_what_a_living_one_writes_is_not() {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, bytes) in
            [(".lastkey-dead", "half"), (".lastkey-empty", ""), ("key", "whole"), ("own", "")]
        {
            fs::write(folder.path().join(name), bytes).expect("written");
        }
        fs::create_dir(folder.path().join(".lastkey-folder")).expect("a folder");
        let living = NewFile::create_hidden(folder.path()).expect("a file");
        let second = NewFile::create_hidden(folder.path()).expect("another file");
        assert_eq!(names(folder.path()).len(), 5, "{:?}", names(folder.path()));
        living.keep(&folder.path().join("name")).expect("kept");
        drop(second);
        assert_eq!(names(folder.path()), [".lastkey-folder", "key", "name", "own"]);
    }

    #[test]
    fn a_leftover_that_equals_another_file_may_share_its_clusters_and_stays() {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, bytes) in [(".lastkey-twin", "key"), ("key", "key"), (".lastkey-other", "kex")] {
            fs::write(folder.path().join(name), bytes).expect("written");
        }
        drop(NewFile::create_hidden(folder.path()).expect("a file"));
        assert_eq!(names(folder.path()), [".lastkey-twin", "key"]);
    }
}
