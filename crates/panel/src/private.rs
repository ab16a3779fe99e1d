//! The person's private folder: the right to be their only panel, how that one is found, and the page that opens a browser.
//!
//! ```text
//! panel.lock      held as long as a panel runs, and by nobody after it, however it ended
//! panel.json      where the panel that runs is found, and what it knows another start of the program by
//! start-*.html    a page that sends the code to the panel; it is there for two minutes at most
//! ```

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use crate::door::random_id;

/// The largest file of ours.
const LIMIT: u64 = 4096;
const LOCK: &str = "panel.lock";
const STATE: &str = "panel.json";
const PAGE: &str = "start-";

/// A folder that nobody else can look into.
#[derive(Clone, Debug)]
pub struct Private(PathBuf);

impl Private {
    /// Opens it, and makes it when it is not there.
    ///
    /// # Errors
    /// When it cannot be made, or others could look into it.
    pub fn open(folder: &Path) -> io::Result<Self> {
        let mut builder = DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(folder)?;
        check(folder)?;
        Ok(Self(folder.to_owned()))
    }

    /// Whether a folder that is there is the person's, and closed to others.
    #[must_use]
    pub fn is(folder: &Path) -> bool {
        check(folder).is_ok()
    }

    /// Becomes the person's only panel; `None` when one runs.
    ///
    /// # Errors
    /// When the folder cannot be written to.
    pub fn begin(&self) -> io::Result<Option<Turn>> {
        let lock = private_file().create(true).truncate(false).open(self.0.join(LOCK))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(error),
        }
        let turn = Turn { folder: self.clone(), _lock: lock };
        // What a panel left that was killed is of no use to anybody.
        turn.clear();
        Ok(Some(turn))
    }

    /// Reads how the panel that runs is found; `None` when it does not say yet.
    pub(crate) fn state(&self) -> io::Result<Option<Vec<u8>>> {
        let file = match File::open(self.0.join(STATE)) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut bytes = Vec::new();
        file.take(LIMIT).read_to_end(&mut bytes)?;
        Ok(Some(bytes))
    }
}

/// The right to be this person's only panel. It ends with the process at the latest.
#[derive(Debug)]
pub struct Turn {
    folder: Private,
    _lock: File,
}

impl Turn {
    /// Says how the panel is found.
    pub(crate) fn announce(&self, state: &[u8]) -> io::Result<()> {
        let (new, path) = (self.path("panel.new"), self.path(STATE));
        let _ = fs::remove_file(&new);
        private_file().create_new(true).open(&new)?.write_all(state)?;
        fs::rename(new, path)
    }

    /// Writes a page for the browser, and returns where it is.
    pub(crate) fn write_page(&self, html: &[u8]) -> io::Result<PathBuf> {
        let path = self.path(&format!("{PAGE}{}.html", random_id()));
        private_file().create_new(true).open(&path)?.write_all(html)?;
        Ok(path)
    }

    /// Takes away what speaks of a panel.
    pub(crate) fn clear(&self) {
        let names = fs::read_dir(&self.folder.0).into_iter().flatten().flatten();
        let names = names.map(|entry| entry.file_name());
        for name in names.filter(|name| name == STATE || name.as_encoded_bytes().starts_with(PAGE.as_bytes()))
        {
            let _ = fs::remove_file(self.folder.0.join(name));
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.0.join(name)
    }
}

/// A file that only its owner can read.
fn private_file() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// Checks that a folder is ours and nobody else's.
#[cfg(unix)]
fn check(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::MetadataExt;
    let metadata = fs::symlink_metadata(folder)?;
    let is_ours = metadata.is_dir() && metadata.uid() == rustix::process::geteuid().as_raw();
    if is_ours && metadata.mode() & 0o077 == 0 {
        return Ok(());
    }
    let advice = "this is not a private folder of yours: remove it, or take away the rights of others to it";
    Err(io::Error::other(advice))
}

/// Windows gives each person a folder that is private.
#[cfg(not(unix))]
fn check(folder: &Path) -> io::Result<()> {
    fs::metadata(folder).map(drop)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn there_is_one_turn_at_a_time() {
        let home = tempfile::tempdir().unwrap();
        let private = Private::open(&home.path().join("new/panel")).unwrap();
        let turn = private.begin().unwrap().expect("nobody has it");
        assert!(private.begin().unwrap().is_none());
        assert_eq!(private.state().unwrap(), None);
        turn.announce(b"here").unwrap();
        assert_eq!(private.state().unwrap().as_deref(), Some(&b"here"[..]));
        drop(turn);
        let turn = private.begin().unwrap().expect("nobody has it any more");
        assert_eq!(private.state().unwrap(), None, "who begins takes away what was left");
        let page = turn.write_page(b"code").unwrap();
        turn.clear();
        assert!(!page.exists());
    }

    #[cfg(unix)]
    #[test]
    fn a_folder_that_others_can_look_into_or_a_link_is_refused() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("panel");
        Private::open(&folder).unwrap();
        let link = home.path().join("link");
        symlink(&folder, &link).unwrap();
        assert!(Private::open(&link).is_err());
        for mode in [0o701, 0o710, 0o704, 0o770] {
            fs::set_permissions(&folder, PermissionsExt::from_mode(mode)).unwrap();
            assert!(Private::open(&folder).is_err() && !Private::is(&folder), "{mode:o}");
        }
    }
}
