//! A copy that has holes: reading in them is an error.

use std::io;
use std::sync::Arc;

use fve::ReadAt;

use crate::map::{Map, Status};

/// A source of which a map says what of it was really read. The rest, and what lies behind the end of the
/// map, is as unreadable as it was on the drive.
#[derive(Clone)]
pub struct Holes<T> {
    source: T,
    map: Arc<Map>,
}

impl<T: ReadAt> Holes<T> {
    /// Reads a source as far as the map knows it.
    pub fn new(source: T, map: Arc<Map>) -> Self {
        Self { source, map }
    }

    /// Returns the map.
    pub fn map(&self) -> &Arc<Map> {
        &self.map
    }
}

impl<T: ReadAt> ReadAt for Holes<T> {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        let end = offset.checked_add(buf.len() as u64).ok_or(io::ErrorKind::UnexpectedEof)?;
        match self.map.missing(offset..end).next() {
            None => self.source.read_at(offset, buf),
            Some(missing) => {
                let tried = self.map.at(missing.start).is_some_and(|status| status != Status::NonTried);
                let why = if tried { "could not be read from the drive" } else { "was not copied yet" };
                Err(io::Error::other(format!("the sector at byte {:#x} {why}", missing.start)))
            }
        }
    }

    fn size(&self) -> u64 {
        self.source.size()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_read_is_there() {
        let mut map = Map::new(90);
        map.set(0..40, Status::Finished);
        map.set(50..90, Status::Finished);
        map.set(45..50, Status::Bad);
        let holes = Holes::new(vec![7; 100], Arc::new(map));
        let read = |from, length| holes.read_at(from, &mut vec![0; length]);
        assert!(read(0, 40).is_ok() && read(50, 40).is_ok() && read(41, 0).is_ok());
        for (from, length, why) in [(0, 41, "copied yet"), (39, 10, "copied yet"), (46, 1, "from the drive")]
        {
            let error = read(from, length).expect_err("a hole").to_string();
            assert!(error.contains(why), "{error}");
        }
        assert!(read(90, 1).is_err() && read(u64::MAX, 1).is_err());
    }
}
