//! A file that is there whole or not at all.

use std::fs::File;
use std::io;
use std::path::Path;

use tempfile::TempPath;

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
    /// Makes an empty file in a folder.
    ///
    /// # Errors
    /// When the folder does not take one.
    pub fn create(folder: &Path) -> io::Result<Self> {
        if let Some(file) = nameless(folder) {
            return Ok(Self { file, hidden: None });
        }
        let (file, hidden) = tempfile::Builder::new().prefix(".lastkey-").tempfile_in(folder)?.into_parts();
        Ok(Self { file, hidden: Some(hidden) })
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
        self.file.sync_all()?;
        match self.hidden {
            Some(hidden) => hidden.persist_noclobber(path).map_err(|failed| failed.error)?,
            None => give_name(&self.file, path)?,
        }
        sync_folder(parent(path))
    }
}

/// Returns the folder that a path lies in.
pub fn parent(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
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

#[cfg(not(target_os = "linux"))]
fn nameless(_: &Path) -> Option<File> {
    None
}

#[cfg(not(target_os = "linux"))]
fn give_name(_: &File, _: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Puts a new or removed name on the medium, where the file system can be asked to.
#[cfg(unix)]
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    match File::open(folder)?.sync_all() {
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => Ok(()),
        result => result,
    }
}

#[cfg(not(unix))]
pub(crate) fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write;

    use super::*;

    fn in_each_way(test: impl Fn(&Path, NewFile)) {
        let folder = tempfile::tempdir().expect("a folder");
        test(folder.path(), NewFile::create(folder.path()).expect("a file"));
        let folder = tempfile::tempdir().expect("a folder");
        let (file, hidden) = tempfile::NamedTempFile::new_in(&folder).expect("a file").into_parts();
        test(folder.path(), NewFile { file, hidden: Some(hidden) });
    }

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).expect("the folder");
        entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect()
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
}
