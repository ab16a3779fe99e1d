//! The content of a file inside a drive, as a source that many threads read.

use std::io;

use fve::ReadAt;
use unlocked::File;

use super::said;
use crate::failure::{Failure, Kind, kind_of, reason};

/// An opened file.
pub struct Content(File);

impl Content {
    /// Takes the file.
    pub fn new(file: File) -> Self {
        Self(file)
    }

    /// Says why it could not be read.
    pub fn failure(error: &io::Error) -> Failure {
        match inner(error) {
            Some(unlocked::Error::Read { source, .. }) if kind_of(source) != Kind::Other => {
                Failure::new(kind_of(source), Self::said(error))
            }
            _ => Failure::new(Kind::Damaged, Self::said(error)),
        }
    }

    /// Returns why it could not be read, in plain words.
    pub fn said(error: &io::Error) -> String {
        inner(error).map_or_else(|| reason(error), said)
    }
}

fn inner(error: &io::Error) -> Option<&unlocked::Error> {
    error.get_ref()?.downcast_ref()
}

impl ReadAt for Content {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        match self.0.read_at(offset, buf) {
            Ok(length) if length == buf.len() => Ok(()),
            Ok(_) => Err(io::ErrorKind::UnexpectedEof.into()),
            Err(error) => Err(io::Error::other(error)),
        }
    }

    fn size(&self) -> u64 {
        self.0.size()
    }
}
