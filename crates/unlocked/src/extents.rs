//! Where the bytes of a file lie on the drive.

use fve::ReadAt;

use crate::error::{Error, Result};

/// A piece of a file that lies in one piece on the drive, or is not stored at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// Where the piece starts in the stored file, in bytes.
    pub offset: u64,
    /// Its length in bytes.
    pub length: u64,
    /// Where it starts on the volume; `None` when it is not stored and reads as zeros.
    pub place: Option<u64>,
}

impl Extent {
    /// Returns where the piece ends in the stored file.
    pub fn end(&self) -> u64 {
        self.offset + self.length
    }
}

/// The pieces of a file, one behind the other from 0 on.
#[derive(Clone, Debug, Default)]
pub(crate) struct Extents {
    pieces: Vec<Extent>,
    stored: u64,
}

impl Extents {
    /// Puts a piece behind the last one; `None` when the file or the piece would become too long.
    pub(crate) fn push(&mut self, length: u64, place: Option<u64>) -> Option<()> {
        let offset = self.end();
        offset.checked_add(length)?;
        place.unwrap_or(0).checked_add(length)?;
        if place.is_some() {
            self.stored = self.stored.saturating_add(length);
        }
        match self.pieces.last_mut() {
            _ if length == 0 => {}
            Some(last) if place == last.place.map(|place| place + last.length) => last.length += length,
            _ => self.pieces.push(Extent { offset, length, place }),
        }
        Some(())
    }

    pub(crate) fn end(&self) -> u64 {
        self.pieces.last().map_or(0, Extent::end)
    }

    /// Returns how many bytes of the file take space.
    pub(crate) fn stored(&self) -> u64 {
        self.stored
    }

    pub(crate) fn as_slice(&self) -> &[Extent] {
        &self.pieces
    }

    /// Returns the pieces from the one on that `offset` lies in.
    pub(crate) fn from(&self, offset: u64) -> &[Extent] {
        from(&self.pieces, offset)
    }

    /// Returns where a byte of the file lies on the volume.
    pub(crate) fn place_of(&self, offset: u64) -> Option<u64> {
        let extent = self.from(offset).first()?;
        Some(extent.place? + (offset - extent.offset))
    }

    /// Fills `buf` with the bytes at `offset`, zeros where nothing is stored or the last piece has ended.
    pub(crate) fn read(
        &self,
        source: &dyn ReadAt,
        what: &'static str,
        offset: u64,
        buf: &mut [u8],
    ) -> Result<()> {
        let (mut at, mut rest) = (offset, buf);
        for extent in self.from(offset) {
            if rest.is_empty() {
                break;
            }
            let length = usize::try_from(extent.end() - at).map_or(rest.len(), |left| left.min(rest.len()));
            let (piece, more) = rest.split_at_mut(length);
            match extent.place {
                Some(place) => read(source, what, place + (at - extent.offset), piece)?,
                None => piece.fill(0),
            }
            (at, rest) = (at + length as u64, more);
        }
        rest.fill(0);
        Ok(())
    }
}

/// Returns the pieces from the one on that `offset` lies in.
pub(crate) fn from(pieces: &[Extent], offset: u64) -> &[Extent] {
    &pieces[pieces.partition_point(|extent| extent.end() <= offset)..]
}

/// Fills `buf` with the bytes of the volume at `offset`.
pub(crate) fn read(source: &dyn ReadAt, what: &'static str, offset: u64, buf: &mut [u8]) -> Result<()> {
    source.read_at(offset, buf).map_err(|source| Error::Read { what, offset, source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_that_follow_one_another_become_one() {
        let mut extents = Extents::default();
        for (length, place) in [(2, Some(4)), (1, Some(6)), (3, None), (1, None), (1, Some(0))] {
            extents.push(length, place).expect("a short file");
        }
        assert_eq!(extents.as_slice().len(), 3);
        let mut bytes = [0xff; 9];
        extents.read(&(10..20).collect::<Vec<u8>>(), "test", 1, &mut bytes).expect("bytes that are there");
        assert_eq!(bytes, [15, 16, 0, 0, 0, 0, 10, 0, 0]);
        assert_eq!((extents.place_of(2), extents.place_of(3), extents.place_of(8)), (Some(6), None, None));
    }

    #[test]
    fn a_file_cannot_become_too_long() {
        let mut extents = Extents::default();
        assert!(extents.push(1, Some(u64::MAX)).is_none());
        extents.push(u64::MAX, None).expect("just not too long");
        assert!(extents.push(1, None).is_none());
    }
}
