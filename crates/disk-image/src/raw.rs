//! A raw image that is written at any place.

use std::fs::File;
use std::io;

use crate::{place, zeros};

/// A raw image of fixed length. What was never written reads as zeros.
#[derive(Debug)]
pub struct Raw {
    file: File,
    length: u64,
}

impl Raw {
    /// Takes an empty file, or one that was taken before.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidData`] when the file is longer than the image; or when it does not get its length.
    pub fn new(file: File, length: u64) -> io::Result<Self> {
        let there = file.metadata()?.len();
        if there > length {
            return Err(invalid(format!("the file has {there} bytes, the image only {length}")));
        }
        if there < length {
            file.set_len(length)?;
        }
        Ok(Self { file, length })
    }

    /// Writes at a place. Zeros are left out where nothing lies yet.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidInput`] past the end; or when writing fails.
    pub fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.inside(offset, bytes.len())?;
        let mut done = 0;
        for (at, data) in zeros::between(bytes) {
            self.clear(offset + done as u64, at - done)?;
            place::write(&self.file, offset + at as u64, data)?;
            done = at + data.len();
        }
        self.clear(offset + done as u64, bytes.len() - done)
    }

    /// Fills `buf` with the bytes at a place.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidInput`] past the end; or when reading fails.
    pub fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        self.inside(offset, buf.len())?;
        place::read(&self.file, offset, buf)
    }

    /// Returns once all earlier writes are on the medium.
    ///
    /// # Errors
    /// When they are not.
    pub fn sync(&self) -> io::Result<()> {
        self.file.sync_all()
    }

    /// Returns how long the image is.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Returns how many bytes of the medium it takes.
    ///
    /// # Errors
    /// When the system does not say.
    pub fn stored(&self) -> io::Result<u64> {
        place::stored(&self.file)
    }

    fn inside(&self, offset: u64, length: usize) -> io::Result<()> {
        match offset.checked_add(length as u64) {
            Some(end) if end <= self.length => Ok(()),
            _ => Err(io::ErrorKind::InvalidInput.into()),
        }
    }

    /// Makes a part zero. A hole stays one: reading it costs less than filling it.
    fn clear(&self, offset: u64, length: usize) -> io::Result<()> {
        let mut buf = vec![0; length.min(zeros::BLOCK)];
        for start in (0..length).step_by(zeros::BLOCK) {
            let buf = buf.get_mut(..(length - start).min(zeros::BLOCK)).unwrap_or_default();
            let at = offset + start as u64;
            place::read(&self.file, at, buf)?;
            if !zeros::are_all(buf) {
                buf.fill(0);
                place::write(&self.file, at, buf)?;
            }
        }
        Ok(())
    }
}

pub(crate) fn invalid(why: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why.into())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::sample::Index;

    use super::*;
    use crate::BLOCK;

    fn file() -> File {
        tempfile::tempfile().expect("a file")
    }

    proptest! {
        #[test]
        fn any_order_of_writes_gives_what_was_written_last(
            length in 0..6 * BLOCK,
            writes in prop::collection::vec((any::<Index>(), 0..3 * BLOCK, 0..3_u8), 0..20),
        ) {
            let image = Raw::new(file(), length as u64).expect("an image");
            let mut model = vec![0; length];
            for (at, count, byte) in writes {
                let at = at.index(length + 1);
                let end = length.min(at + count);
                model[at..end].fill(byte);
                image.write_at(at as u64, &model[at..end]).expect("written");
            }
            let mut found = vec![1; length];
            image.read_at(0, &mut found).expect("read");
            prop_assert!(found == model);
        }
    }

    #[test]
    fn it_keeps_its_length_and_takes_only_its_own_file_again() {
        let file = file();
        let image = Raw::new(file.try_clone().expect("a handle"), 1 << 30).expect("an image");
        image.write_at((1 << 30) - 3, &[1, 2, 3]).expect("written");
        image.sync().expect("synced");
        assert!(cfg!(windows) || image.stored().expect("known") < 1 << 20);
        for (offset, count) in [((1 << 30) - 2, 3), (1 << 30, 1), (u64::MAX, 2)] {
            let error = image.write_at(offset, &vec![1; count]).expect_err("past the end");
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
            assert!(image.read_at(offset, &mut vec![0; count]).is_err());
        }
        let again = Raw::new(file.try_clone().expect("a handle"), 1 << 30).expect("an image");
        let mut end = [0; 4];
        again.read_at((1 << 30) - 4, &mut end).expect("read");
        assert_eq!((end, again.length()), ([0, 1, 2, 3], 1 << 30));
        assert_eq!(Raw::new(file, 1 << 20).expect_err("longer").kind(), io::ErrorKind::InvalidData);
    }
}
