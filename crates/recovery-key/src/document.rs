//! The documents that recovery keys are kept in: one entrance for all of them.
//!
//! [`read`] takes any file. Text is read by form, never by words, because Windows writes it in the
//! language of its user: a key ID is a GUID, a recovery key is eight groups of six digits that pass
//! their check. A document may hold any number of keys.

mod encoding;
mod pairing;
mod scan;
mod text_file;

use std::fmt;

use crate::bek::{Bek, BekError};
use crate::{DigitsError, KeyIdPrefix, RecoveryPassword};

pub use text_file::{text_file, text_file_name};

/// The largest document that is read, in bytes: far above a list of every key of a large company.
pub const SIZE_LIMIT: usize = 4 << 20;
/// More remarks than this are left out.
const REMARK_LIMIT: usize = 100;

/// Reads a document and finds every key in it.
///
/// `name` is the file's name: Windows writes the key ID there too, so it is compared with the text
/// and fills in what the text lacks.
pub fn read(name: Option<&str>, bytes: &[u8]) -> Reading {
    let mut reading = Reading::default();
    if bytes.len() > SIZE_LIMIT {
        reading.remarks.push(Remark::TooLarge { size: bytes.len() });
        return reading;
    }
    if Bek::is_likely(bytes) || name.is_some_and(|name| name.to_ascii_lowercase().ends_with(".bek")) {
        match Bek::parse(bytes) {
            Ok(bek) => reading.keys.push(Found {
                key_id: Some(bek.key_id.into()),
                secret: FoundSecret::ExternalKey(bek),
                form: Form::ExternalKeyFile,
            }),
            Err(error) => reading.remarks.push(Remark::BrokenExternalKey(error)),
        }
    } else {
        // The first encoding in which the most is found.
        let scans = encoding::likely(bytes)
            .into_iter()
            .map(|encoding| scan::scan(encoding::decode(encoding, bytes).expose()));
        let tokens = scans.rev().max_by_key(|tokens| tokens.iter().filter(|token| token.is_sure()).count());
        pairing::pair(tokens.unwrap_or_default(), &mut reading);
    }
    if let Some(id) = name.and_then(scan::last_id) {
        reading.compare_with_name(id);
    }
    for found in &reading.keys {
        if let Some(id) = found.key_id.filter(|id| id.whole().is_none()) {
            reading.remarks.push(Remark::TruncatedKeyId(id));
        }
    }
    reading.remarks.truncate(REMARK_LIMIT);
    reading
}

/// What a document holds.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Reading {
    /// The keys, in the order of the document.
    pub keys: Vec<Found>,
    /// What a user should know about the document.
    pub remarks: Vec<Remark>,
}

impl Reading {
    fn compare_with_name(&mut self, name: KeyIdPrefix) {
        let in_text = |found: &&mut Found| found.key_id.is_some_and(|id| id.agrees_with(&name));
        if let Some(found) = self.keys.iter_mut().find(in_text) {
            if found.key_id.is_some_and(|id| id.digits() < name.digits()) {
                found.key_id = Some(name);
            }
            return;
        }
        let wrong = self.remarks.iter().filter_map(|remark| match remark {
            Remark::WrongDigits { key_id, .. } => *key_id,
            _ => None,
        });
        let ids: Vec<_> = self.keys.iter().filter_map(|found| found.key_id).chain(wrong).collect();
        if let Some(&text) = ids.first() {
            if !ids.iter().any(|id| id.agrees_with(&name)) {
                self.remarks.insert(0, Remark::NameDiffers { name, text });
            }
        } else if let [found] = self.keys.as_mut_slice() {
            found.key_id = Some(name);
            self.remarks.push(Remark::KeyIdFromName(name));
        }
    }
}

/// One key in a document.
#[derive(Debug)]
#[non_exhaustive]
pub struct Found {
    /// The key ID that stands with it, or as much of it as is left.
    pub key_id: Option<KeyIdPrefix>,
    /// The key.
    pub secret: FoundSecret,
    /// What kind of document it stands in.
    pub form: Form,
}

/// A key of either kind that documents hold.
#[derive(Debug)]
pub enum FoundSecret {
    /// 48 digits.
    RecoveryPassword(RecoveryPassword),
    /// The contents of a `.BEK` file.
    ExternalKey(Bek),
}

/// The kinds of documents, told apart by their form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Form {
    /// The text file of Windows 8 to 11: a GUID and the digits, each alone on a line.
    TextFile,
    /// The text file of Windows Vista and 7: the first 16 characters of the GUID, then all of it.
    VistaTextFile,
    /// What `manage-bde -protectors -get` prints: the GUID in braces, the digits alone on a line.
    ManageBde,
    /// A `.BEK` file.
    ExternalKeyFile,
    /// Any other text.
    OtherText,
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TextFile => "a recovery key file of Windows 8 or later",
            Self::VistaTextFile => "a recovery key file of Windows Vista or 7",
            Self::ManageBde => "a list of key protectors from manage-bde",
            Self::ExternalKeyFile => "an external key file",
            Self::OtherText => "a text",
        })
    }
}

/// Something about a document that a user should know; its text never shows any digits of a key.
#[derive(Debug)]
#[non_exhaustive]
pub enum Remark {
    /// The document was not read because of its size.
    TooLarge {
        /// Its bytes, more than [`SIZE_LIMIT`].
        size: usize,
    },
    /// The name of the file carries another key ID than its text: one of the two was changed.
    NameDiffers {
        /// The key ID in the name.
        name: KeyIdPrefix,
        /// The key ID beside the first key in the text.
        text: KeyIdPrefix,
    },
    /// Only the name of the file says which key ID the key has.
    KeyIdFromName(KeyIdPrefix),
    /// The end of the key ID is missing.
    TruncatedKeyId(KeyIdPrefix),
    /// Digits that look like a recovery key and are none.
    WrongDigits {
        /// The line they start in, from 1.
        line: usize,
        /// The key ID that stands with them.
        key_id: Option<KeyIdPrefix>,
        /// What is wrong, and which recovery keys one slip explains.
        error: DigitsError,
    },
    /// A `.BEK` file that cannot be read.
    BrokenExternalKey(BekError),
}

impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge { size } => {
                write!(f, "the document has {size} bytes; at most {SIZE_LIMIT} are read")
            }
            Self::NameDiffers { name, text } => {
                write!(f, "the name of the file says key ID {name}, the file itself says {text}")
            }
            Self::KeyIdFromName(id) => write!(f, "only the name of the file says that the key ID is {id}"),
            Self::TruncatedKeyId(id) => write!(f, "only the start of the key ID is there: {id}"),
            Self::WrongDigits { line, error, .. } => {
                write!(f, "the digits on line {line} look like a recovery key and are none: {error}")
            }
            Self::BrokenExternalKey(error) => error.fmt(f),
        }
    }
}
