//! Windows' file attributes: hidden, system, read-only, on Windows and on its file systems under Linux.
//!
//! Linux keeps them on FAT, exFAT and NTFS, but shows them by a different way for each driver: an
//! ioctl on FAT and, since Linux 6.8, exFAT; an extended attribute on NTFS, both of the kernel's
//! driver and of ntfs-3g. Other file systems and systems have none, which is no error.
//!
//! This is a crate of its own because those ioctls cannot be called from safe code.

use std::io;
use std::ops::BitOr;
use std::path::Path;

#[cfg(target_os = "linux")]
mod linux;
#[cfg(windows)]
mod windows;

#[cfg(target_os = "linux")]
use linux as platform;
#[cfg(windows)]
use windows as platform;

/// A set of attributes, in the bits that Windows, FAT, exFAT and NTFS share.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Attributes(u32);

impl Attributes {
    /// Nobody is to write to the file.
    pub const READ_ONLY: Self = Self(0x01);
    /// The file is not shown.
    pub const HIDDEN: Self = Self(0x02);
    /// The file belongs to the system.
    pub const SYSTEM: Self = Self(0x04);

    /// Returns whether all of `others` are in the set.
    pub fn contains(self, others: Self) -> bool {
        self.0 & others.0 == others.0
    }
}

impl BitOr for Attributes {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// Returns the attributes of a file; `None` where files have none.
///
/// # Errors
/// When the file cannot be looked at.
pub fn get(path: &Path) -> io::Result<Option<Attributes>> {
    platform::get(path).map(|bits| bits.map(Attributes))
}

/// Gives a file further attributes; returns whether it has them now, which it has not where files
/// have none.
///
/// # Errors
/// When the file cannot be changed.
pub fn add(path: &Path, attributes: Attributes) -> io::Result<bool> {
    let Some(before) = platform::get(path)? else { return Ok(false) };
    platform::set(path, before | attributes.0)?;
    Ok(true)
}

#[cfg(not(any(target_os = "linux", windows)))]
mod platform {
    use std::io;
    use std::path::Path;

    pub fn get(_: &Path) -> io::Result<Option<u32>> {
        Ok(None)
    }

    pub fn set(_: &Path, _: u32) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_what_it_was_given_or_its_file_system_knows_nothing_of_it() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let wanted = Attributes::HIDDEN | Attributes::SYSTEM;
        let added = add(file.path(), wanted).expect("attributes or none");
        let attributes = get(file.path()).expect("attributes or none");
        assert_eq!(attributes.is_some_and(|attributes| attributes.contains(wanted)), added);
        assert!(added || !cfg!(windows));
    }

    #[test]
    fn a_file_that_is_not_there_is_an_error() {
        let folder = tempfile::tempdir().expect("a folder");
        if cfg!(any(target_os = "linux", windows)) {
            let error = get(&folder.path().join("no")).expect_err("no file");
            assert_eq!(error.kind(), io::ErrorKind::NotFound);
        }
    }
}
