//! Why a drive could not be opened.

use std::io;
use std::path::{Path, PathBuf};

/// Why a drive could not be opened. The text says what is wrong, [`advice`](Self::advice) what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Nothing lies at the path.
    #[error("there is no drive or image file {}", .path.display())]
    NotFound {
        /// What was to be opened.
        path: PathBuf,
    },
    /// The process may not do this with the drive.
    #[error("{} {}", .path.display(), if *.device { "may be opened only with administrator rights" } else { "does not let you open it" })]
    NotPermitted {
        /// What was to be opened.
        path: PathBuf,
        /// Whether it is a device, which only an administrator may open, or a file.
        device: bool,
    },
    /// A folder, not a drive.
    #[error("{} is a folder, not a drive or image file", .path.display())]
    Folder {
        /// What was to be opened.
        path: PathBuf,
    },
    /// Something that holds no bytes at places: a terminal, a pipe, a socket.
    #[error("{} is neither a drive nor an image file", .path.display())]
    NotADrive {
        /// What was to be opened.
        path: PathBuf,
    },
    /// Opened for writing while something else holds it.
    #[error("{} is in use", .path.display())]
    InUse {
        /// What was to be opened.
        path: PathBuf,
    },
    /// Opened for writing, and write-protected.
    #[error("{} is write-protected", .path.display())]
    ReadOnly {
        /// What was to be opened.
        path: PathBuf,
    },
    /// A card reader or the like, with nothing in it.
    #[error("there is no medium in {}", .path.display())]
    NoMedium {
        /// What was to be opened.
        path: PathBuf,
    },
    /// Anything else.
    #[error("{} cannot be opened", .path.display())]
    Io {
        /// What was to be opened.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl OpenError {
    /// Returns what a person can do about it, when there is something.
    pub fn advice(&self) -> Option<&'static str> {
        match self {
            Self::NotPermitted { device: true, .. } if cfg!(windows) => {
                Some("open a terminal with \"Run as administrator\" and run the command again there")
            }
            Self::NotPermitted { device: true, .. } => Some("run the command again with sudo"),
            Self::NotPermitted { device: false, .. } => {
                Some("ask the owner of the file for the right to use it")
            }
            Self::InUse { .. } if cfg!(windows) => Some("close the programs that use it and try again"),
            Self::InUse { .. } => Some("unmount it first"),
            Self::ReadOnly { .. } => Some("look for a write-protect switch, or copy the drive first"),
            Self::NoMedium { .. } => Some("insert the card or disk and try again"),
            _ => None,
        }
    }

    /// Sorts what the system said.
    pub(super) fn from_io(path: &Path, device: bool, error: io::Error) -> Self {
        let path = path.to_path_buf();
        match error.kind() {
            io::ErrorKind::NotFound => Self::NotFound { path },
            io::ErrorKind::PermissionDenied => Self::NotPermitted { path, device },
            io::ErrorKind::IsADirectory => Self::Folder { path },
            io::ErrorKind::ResourceBusy => Self::InUse { path },
            io::ErrorKind::ReadOnlyFilesystem => Self::ReadOnly { path },
            _ => match error.raw_os_error() {
                // ERROR_WRITE_PROTECT, ERROR_NOT_READY, ERROR_SHARING_VIOLATION
                Some(19) if cfg!(windows) => Self::ReadOnly { path },
                Some(21) if cfg!(windows) => Self::NoMedium { path },
                Some(32) if cfg!(windows) => Self::InUse { path },
                // ENOMEDIUM
                Some(123) if cfg!(target_os = "linux") => Self::NoMedium { path },
                _ => Self::Io { path, source: error },
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_rights_on_a_device_name_the_way_out() {
        let denied = || io::Error::from(io::ErrorKind::PermissionDenied);
        let device = OpenError::from_io(Path::new("/dev/sda3"), true, denied());
        assert_eq!(device.to_string(), "/dev/sda3 may be opened only with administrator rights");
        assert!(
            device.advice().is_some_and(|advice| advice.starts_with("run") || advice.starts_with("open"))
        );
        let file = OpenError::from_io(Path::new("a.img"), false, denied());
        assert!(!file.to_string().contains("administrator"));
        assert!(matches!(file, OpenError::NotPermitted { device: false, .. }));
    }
}
