//! A drive's files, for as long as they are needed.

use std::io;
use std::path::{Path, PathBuf};

use drives::Attached;

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
use linux as system;

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    Read,
    Write,
}

/// A drive whose files can be reached. If it was not mounted before, it is unmounted on drop.
pub struct Mounted {
    folder: PathBuf,
    /// `None` when somebody else has mounted it.
    own: Option<system::Mount>,
}

impl Mounted {
    /// Takes the drive where it is mounted, else mounts it. Says why not in words.
    pub fn open(drive: &Attached, access: Access) -> Result<Self, String> {
        if let Some(folder) = drive.mounted_at.iter().find(|folder| system::shows(folder, drive)) {
            return Ok(Self { folder: folder.clone(), own: None });
        }
        let own = system::Mount::new(drive, access)?;
        Ok(Self { folder: own.folder(), own: Some(own) })
    }

    /// Returns the top folder of the drive.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Returns where the drive is mounted and stays so.
    pub fn stays_at(&self) -> Option<PathBuf> {
        self.own.is_none().then(|| self.folder.clone())
    }

    /// Unmounts it, unless somebody else has mounted it.
    pub fn close(self) -> io::Result<()> {
        self.own.map_or(Ok(()), system::Mount::close)
    }
}

/// Returns the bytes that are free on a drive.
pub fn free(drive: &Attached) -> Option<u64> {
    system::free(drive)
}

/// Returns whether what is mounted at a folder can only be read.
pub fn is_read_only(folder: &Path) -> bool {
    system::is_read_only(folder)
}

#[cfg(not(target_os = "linux"))]
mod system {
    use super::*;

    /// There is none: elsewhere than on Linux the system itself mounts what is plugged in.
    pub enum Mount {}

    impl Mount {
        pub fn new(_: &Attached, _: Access) -> Result<Self, String> {
            Err("it is not mounted".to_owned())
        }

        pub fn folder(&self) -> PathBuf {
            match *self {}
        }

        pub fn close(self) -> io::Result<()> {
            match self {}
        }
    }

    pub fn shows(folder: &Path, _: &Attached) -> bool {
        folder.is_dir()
    }

    pub fn free(_: &Attached) -> Option<u64> {
        None
    }

    pub fn is_read_only(_: &Path) -> bool {
        false
    }
}
