//! A `.kdbx` file, opened and closed again.
//!
//! Every header field and the whole text are kept as they are, known or not, so what is written again
//! differs only by its seeds and by what was added.

use std::io::{Read, Write};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use recovery_key::Secret;

use super::credentials::Credentials;
use super::error::KeePassError;
use super::kdbx3::Three;
use super::kdbx4::Four;
use super::kdf::NewKdf;

/// The largest file that is read.
pub const FILE_LIMIT: usize = 256 << 20;
/// The most that may be in it.
pub(super) const CONTENT_LIMIT: usize = 512 << 20;
/// What every file begins with; the version follows.
pub(super) const SIGNATURE: [u8; 8] = *b"\x03\xd9\xa2\x9a\x67\xfb\x4b\xb5";
pub(super) const BLOCK: usize = 1 << 20;

/// Returns whether bytes begin as a database of KeePass 2 does.
pub fn is_likely(bytes: &[u8]) -> bool {
    bytes.starts_with(&SIGNATURE)
}

/// Minor and major version, each of two bytes.
pub(super) type Version = [u8; 4];

/// An open database.
#[derive(Debug)]
pub(super) struct Database {
    frame: Frame,
    /// The XML text, its protected values in base64, but not encrypted.
    pub(super) text: Secret<String>,
}

/// What lies around the text.
#[derive(Debug)]
enum Frame {
    Three(Three),
    Four(Four),
}

impl Database {
    /// Makes a database around a text, in format 4.
    pub(super) fn new(kdf: NewKdf, text: Secret<String>) -> Self {
        Self { frame: Frame::Four(Four::new(kdf)), text }
    }

    /// Opens a file.
    pub(super) fn open(bytes: &[u8], credentials: &Credentials) -> Result<Self, KeePassError> {
        if bytes.len() > FILE_LIMIT {
            return Err(KeePassError::TooLarge { limit: FILE_LIMIT });
        }
        let rest = bytes.strip_prefix(&SIGNATURE).ok_or(KeePassError::NotKdbx)?;
        let (&version, _) = rest.split_first_chunk::<4>().ok_or(KeePassError::NotKdbx)?;
        let [minor_low, minor_high, major_low, major_high] = version;
        let cut = Cut { bytes, at: SIGNATURE.len() + version.len() };
        match u16::from_le_bytes([major_low, major_high]) {
            3 => {
                let (three, text) = Three::open(cut, version, credentials)?;
                Ok(Self { frame: Frame::Three(three), text })
            }
            4 => {
                let (four, text) = Four::open(cut, version, credentials)?;
                Ok(Self { frame: Frame::Four(four), text })
            }
            major => Err(KeePassError::Version { major, minor: u16::from_le_bytes([minor_low, minor_high]) }),
        }
    }

    /// Returns whether times are written as text, not as numbers.
    pub(super) fn has_times_as_text(&self) -> bool {
        matches!(self.frame, Frame::Three(_))
    }

    /// Returns an attachment.
    pub(super) fn file(&self, number: usize) -> Option<&[u8]> {
        match &self.frame {
            Frame::Three(three) => three.file(number),
            Frame::Four(four) => four.file(number),
        }
    }

    /// Adds an attachment and returns its number.
    pub(super) fn add_file(&mut self, bytes: &[u8]) -> Result<usize, KeePassError> {
        match &mut self.frame {
            Frame::Three(three) => three.add_file(bytes, &mut self.text),
            Frame::Four(four) => Ok(four.add_file(bytes)),
        }
    }

    /// Returns whether everything of an older state is still there, byte for byte: every header field,
    /// known or not, every attachment, and the text but for one insertion. Only the seeds may differ.
    pub(super) fn holds_all_of(&self, older: &Self) -> bool {
        match (&self.frame, &older.frame) {
            (Frame::Three(new), Frame::Three(old)) => {
                new.holds_all_of(old)
                    && match (Three::plain(self.text.expose()), Three::plain(older.text.expose())) {
                        (Ok(new), Ok(old)) => is_insertion(new.expose(), old.expose()),
                        _ => false,
                    }
            }
            (Frame::Four(new), Frame::Four(old)) => {
                new.holds_all_of(old) && is_insertion(self.text.expose(), older.text.expose())
            }
            _ => false,
        }
    }

    /// Closes the database: all seeds are new, as every KeePass does it.
    pub(super) fn seal(&mut self, credentials: &Credentials) -> Result<Vec<u8>, KeePassError> {
        match &mut self.frame {
            Frame::Three(three) => three.seal(&mut self.text, credentials),
            Frame::Four(four) => four.seal(&self.text, credentials),
        }
    }

    #[cfg(test)]
    pub(super) fn set_header(&mut self, cipher: &[u8; 16], compression: u8) {
        match &mut self.frame {
            Frame::Three(_) => panic!("format 4"),
            Frame::Four(four) => four.set_header(cipher, compression),
        }
    }
}

/// Returns whether one text is another with something inserted at one place.
fn is_insertion(new: &str, old: &str) -> bool {
    let (new, old) = (new.as_bytes(), old.as_bytes());
    let before = new.iter().zip(old).take_while(|(new, old)| new == old).count();
    let after = new.iter().rev().zip(old.iter().rev()).take_while(|(new, old)| new == old).count();
    new.len() >= old.len() && before + after >= old.len()
}

/// A field of a header.
#[derive(Debug)]
pub(super) struct Field {
    pub(super) id: u8,
    pub(super) bytes: Secret<Vec<u8>>,
}

impl Field {
    pub(super) fn new(id: u8, bytes: Vec<u8>) -> Self {
        Self { id, bytes: Secret::new(bytes) }
    }
}

/// Returns the only field of a kind.
pub(super) fn field(fields: &[Field], id: u8) -> Result<&[u8], KeePassError> {
    let mut found = fields.iter().filter(|field| field.id == id);
    match (found.next(), found.next()) {
        (Some(field), None) => Ok(field.bytes.expose()),
        (None, _) => Err(KeePassError::Damaged("a field is missing in its header")),
        (Some(_), Some(_)) => Err(KeePassError::Damaged("a field is twice in its header")),
    }
}

/// Cuts bytes apart, each length checked before it is believed.
pub(super) struct Cut<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) at: usize,
}

impl<'a> Cut<'a> {
    pub(super) fn take(&mut self, what: &'static str, length: usize) -> Result<&'a [u8], KeePassError> {
        let left = self.bytes.get(self.at..).unwrap_or_default();
        let cut_off = || KeePassError::CutOff { what, at: self.at, expected: length, actual: left.len() };
        let part = left.get(..length).ok_or_else(cut_off)?;
        self.at += length;
        Ok(part)
    }

    /// Takes a length of four bytes, and as many bytes.
    pub(super) fn take_with_length(&mut self, what: &'static str) -> Result<&'a [u8], KeePassError> {
        let length = word(self.take(what, 4)?)?;
        self.take(what, usize::try_from(length).unwrap_or(usize::MAX))
    }

    /// Returns what was taken so far.
    pub(super) fn taken(&self) -> &'a [u8] {
        self.bytes.get(..self.at).unwrap_or_default()
    }

    /// Returns what is left.
    pub(super) fn left(&self) -> &'a [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }
}

/// Returns a number of four bytes.
pub(super) fn word(bytes: &[u8]) -> Result<u32, KeePassError> {
    let bytes = bytes.try_into().map_err(|_| KeePassError::Damaged("a number in its header"))?;
    Ok(u32::from_le_bytes(bytes))
}

/// Returns whether the content is compressed.
pub(super) fn is_compressed(compression: &[u8]) -> Result<bool, KeePassError> {
    match word(compression)? {
        0 => Ok(false),
        1 => Ok(true),
        other => Err(KeePassError::Unknown(format!("compression {other}"))),
    }
}

/// Compresses.
pub(super) fn pack(bytes: &[u8]) -> Result<Secret<Vec<u8>>, KeePassError> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(bytes.len() / 2), Compression::default());
    let packed = encoder.write_all(bytes).and_then(|()| encoder.finish());
    packed.map(Secret::new).map_err(|_| KeePassError::Damaged("its content"))
}

/// Unpacks at most `limit` bytes.
pub(super) fn unpack(packed: &[u8], limit: usize) -> Result<Secret<Vec<u8>>, KeePassError> {
    let mut out = Secret::new(Vec::with_capacity(packed.len().saturating_mul(4).min(limit)));
    let mut reader = GzDecoder::new(packed).take(limit as u64 + 1);
    reader.read_to_end(out.expose_mut()).map_err(|_| KeePassError::Damaged("its compression"))?;
    if out.expose().len() > limit {
        return Err(KeePassError::TooLarge { limit: CONTENT_LIMIT });
    }
    Ok(out)
}

pub(super) fn utf8(bytes: &[u8]) -> Result<&str, KeePassError> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    std::str::from_utf8(bytes)
        .map_err(|error| KeePassError::Text { at: error.valid_up_to(), what: "it is no UTF-8".to_owned() })
}

/// Fills bytes by chance.
pub(super) fn fill(bytes: &mut [u8]) -> Result<(), KeePassError> {
    getrandom::fill(bytes).map_err(|_| KeePassError::NoRandom)
}
