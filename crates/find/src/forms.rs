//! The forms that keys are kept in, told apart by content; one file for each.
//!
//! Most forms become a text, in which [`recovery_key::document`] finds the keys. Forms with records
//! (tables, JSON, LDIF) become a text in which each record has its key ID and its digits and
//! nothing else, because a record may name other GUIDs too: of the computer, of the volume.

mod archive;
mod json;
mod ldif;
mod office;
mod pdf;
mod record;
mod remains;
mod rtf;
mod sealed;
pub mod shape;
mod table;
mod text;
mod xml;

use std::collections::HashSet;
use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use recovery_key::document::{self, FoundSecret, Reading, Remark};
use recovery_key::{DigitsError, KeyIdPrefix, RecoveryPassword, Secret};

use crate::Unread;

/// A document is read whole up to this length; longer ones are searched piece by piece.
pub const WHOLE_LIMIT: usize = 64 << 20;
/// How deep archives may lie in one another.
const DEPTH_LIMIT: usize = 3;

/// Reads a picture, or the pictures of the pages of a PDF: gives documents in any form that
/// [`recovery_key::document::read`] reads; none when there is no key to be seen.
pub type ReadPicture = fn(bytes: &[u8]) -> Result<Vec<Secret<Vec<u8>>>, Unread>;

/// What reads the forms that this crate does not know.
#[derive(Clone, Copy, Debug, Default)]
pub struct Readers {
    /// Reads pictures with codes or digits on them; without it they are counted as unread.
    pub picture: Option<ReadPicture>,
}

/// Reads a file of any form and finds every key in it.
///
/// `name` is the file's name: Windows writes the key ID there too.
pub fn read(name: &str, bytes: &[u8], readers: &Readers) -> Contents {
    let mut reader = Reader { readers: *readers, inside: None, depth: 0, contents: Contents::default() };
    reader.file(name, bytes);
    reader.contents
}

/// Searches a piece of a file for what is left of keys in it, however the file is built.
pub fn read_piece(bytes: &[u8]) -> Contents {
    let mut reader =
        Reader { readers: Readers::default(), inside: None, depth: 0, contents: Contents::default() };
    reader.remains(bytes);
    reader.contents
}

/// Says whether a file that begins so must be read whole; else it can be searched piece by piece.
pub fn is_whole(head: &[u8]) -> bool {
    Kind::of(head) != Kind::Bytes || text::is_text(head)
}

/// Says whether a file that begins so holds nothing that can be found piece by piece.
pub(crate) fn is_container(head: &[u8]) -> bool {
    !matches!(Kind::of(head), Kind::Bytes)
}

/// What a file holds.
#[derive(Debug, Default)]
pub struct Contents {
    /// The keys, in the order of the file.
    pub keys: Vec<FoundKey>,
    /// Digits that look like a recovery key and are none.
    pub wrong: Vec<Wrong>,
    /// What in it could not be read.
    pub unread: Vec<(Option<Arc<str>>, Unread)>,
}

impl Contents {
    pub(crate) fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.wrong.is_empty() && self.unread.is_empty()
    }

    /// Adds what another piece of the same file holds.
    pub fn append(&mut self, other: Self) {
        self.keys.extend(other.keys);
        self.wrong.extend(other.wrong);
        self.unread.extend(other.unread);
    }
}

/// One key in a file.
#[derive(Debug)]
pub struct FoundKey {
    /// Where in an archive it is.
    pub inside: Option<Arc<str>>,
    /// The form of the document.
    pub form: Form,
    /// The key ID that stands with it, or as much of it as is left.
    pub key_id: Option<KeyIdPrefix>,
    /// The key.
    pub secret: FoundSecret,
}

/// Digits that look like a recovery key and are none.
#[derive(Debug)]
pub struct Wrong {
    /// Where in an archive they are.
    pub inside: Option<Arc<str>>,
    /// The key ID that stands with them.
    pub key_id: Option<KeyIdPrefix>,
    /// What is wrong; its text shows no digits.
    pub error: DigitsError,
}

/// The forms of documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Form {
    /// A text or a `.BEK` file.
    Document(document::Form),
    /// Comma-separated values.
    Table,
    /// JSON.
    Json,
    /// An export of a directory.
    Ldif,
    /// A document of Word, Excel, PowerPoint, LibreOffice.
    Office,
    /// Rich Text Format.
    Rtf,
    /// PDF.
    Pdf,
    /// A picture.
    Picture,
    /// Text that lies somewhere in another file: an older Word document, a mail box, a database.
    Remains,
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Document(form) => return form.fmt(f),
            Self::Table => "a table (CSV)",
            Self::Json => "JSON",
            Self::Ldif => "an export of a directory (LDIF)",
            Self::Office => "an Office document",
            Self::Rtf => "a rich text (RTF)",
            Self::Pdf => "a PDF document",
            Self::Picture => "a picture",
            Self::Remains => "text inside another file",
        })
    }
}

/// What a file is, by its first bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    ExternalKey,
    Zip,
    Pdf,
    Rtf,
    Picture,
    Unread(Unread),
    /// Text, or anything else.
    Bytes,
}

impl Kind {
    fn of(bytes: &[u8]) -> Self {
        if let Some(why) = sealed::why_unread(bytes) {
            return Self::Unread(why);
        }
        match bytes {
            [b'P', b'K', 3, 4, ..] | [b'P', b'K', 5, 6, ..] => Self::Zip,
            [b'{', b'\\', b'r', b't', b'f', ..] => Self::Rtf,
            _ if sealed::is_picture(bytes) => Self::Picture,
            _ if pdf::is_likely(bytes) => Self::Pdf,
            _ if recovery_key::bek::Bek::is_likely(bytes) => Self::ExternalKey,
            _ => Self::Bytes,
        }
    }
}

/// Reads one file and what lies in it.
struct Reader {
    readers: Readers,
    inside: Option<Arc<str>>,
    depth: usize,
    contents: Contents,
}

impl Reader {
    fn file(&mut self, name: &str, bytes: &[u8]) {
        let is_named_so = name.to_ascii_lowercase().ends_with(".bek");
        match Kind::of(bytes) {
            Kind::ExternalKey | Kind::Bytes if is_named_so => self.external_key(name, bytes),
            // Other files begin with the same numbers by chance: that is no damage.
            Kind::ExternalKey => self.take(document::read(Some(name), bytes), None),
            Kind::Zip => self.zip(bytes),
            Kind::Pdf => self.pdf(name, bytes),
            Kind::Rtf => self.text(name, rtf::text(bytes).expose(), Form::Rtf),
            Kind::Picture => self.picture(bytes),
            Kind::Unread(why) => self.unread(why),
            Kind::Bytes if !shape::may_hold_key(bytes) => {}
            Kind::Bytes if !text::is_text(bytes) => self.remains(bytes),
            Kind::Bytes => self.plain(name, bytes),
        }
    }

    fn external_key(&mut self, name: &str, bytes: &[u8]) {
        let reading = document::read(Some(name), bytes);
        if reading.keys.is_empty() {
            self.unread(Unread::Damaged);
        }
        self.take(reading, None);
    }

    /// Reads a text in its own form; where that shows fewer keys than a plain look, the plain look counts.
    fn plain(&mut self, name: &str, bytes: &[u8]) {
        if bytes.len() > document::SIZE_LIMIT {
            return match records(bytes) {
                Some((text, form)) => self.long_text(text.expose(), form),
                None => self.remains(bytes),
            };
        }
        let plain = document::read(Some(name), bytes);
        if let Some((text, form)) = records(bytes) {
            let own = document::read(None, text.expose().as_bytes());
            if own.keys.len() >= plain.keys.len() && own.keys.len() + own.remarks.len() > 0 {
                return self.take(own, Some(form));
            }
        }
        self.take(plain, None);
    }

    /// Reads what a form says as text.
    fn text(&mut self, name: &str, text: &str, form: Form) {
        if text.len() <= document::SIZE_LIMIT {
            self.take(document::read(Some(name), text.as_bytes()), Some(form));
        } else {
            self.long_text(text, form);
        }
    }

    /// Reads a text of records line by line, as many at once as a document may have.
    fn long_text(&mut self, text: &str, form: Form) {
        let mut rest = text;
        while !rest.is_empty() {
            let mut end = rest.len().min(document::SIZE_LIMIT);
            while !rest.is_char_boundary(end) {
                end -= 1;
            }
            if end < rest.len() {
                // Records are parted by empty lines; a text without any is cut anywhere.
                end = rest.get(..end).and_then(|part| part.rfind("\n\n")).map_or(end, |at| at + 2);
            }
            let (part, behind) = rest.split_at(end);
            self.take(document::read(None, part.as_bytes()), Some(form));
            rest = behind;
        }
    }

    fn remains(&mut self, bytes: &[u8]) {
        for mut reading in remains::readings(bytes) {
            // What begins or ends in the middle looks wrong, and is not.
            reading.remarks.clear();
            self.take(reading, Some(Form::Remains));
        }
    }

    fn picture(&mut self, bytes: &[u8]) {
        let read = self.readers.picture.map_or(Err(Unread::Picture), |read| read(bytes));
        match read {
            Ok(documents) => {
                for document in documents {
                    self.take(document::read(None, document.expose()), Some(Form::Picture));
                }
            }
            Err(why) => self.unread(why),
        }
    }

    fn unread(&mut self, why: Unread) {
        self.contents.unread.push((self.inside.clone(), why));
    }

    /// Keeps what is really a key; each only once for each key ID.
    fn take(&mut self, reading: Reading, form: Option<Form>) {
        // Sums of what was there, not the keys: a set leaves its unwiped self behind when it grows.
        let (mut seen, sums) = (HashSet::new(), RandomState::new());
        for found in reading.keys {
            let unlikely = match &found.secret {
                FoundSecret::RecoveryPassword(password) => {
                    is_no_random_key(password)
                        || !seen.insert(sums.hash_one((found.key_id, password.bytes().expose())))
                }
                FoundSecret::ExternalKey(_) => false,
            };
            if !unlikely {
                let form = form.unwrap_or(Form::Document(found.form));
                let (key_id, secret) = (found.key_id, found.secret);
                self.contents.keys.push(FoundKey { inside: self.inside.clone(), form, key_id, secret });
            }
        }
        for remark in reading.remarks {
            if let Remark::WrongDigits { key_id, error, .. } = remark {
                self.contents.wrong.push(Wrong { inside: self.inside.clone(), key_id, error });
            }
        }
    }
}

/// Reads a text that consists of records.
fn records(bytes: &[u8]) -> Option<(Secret<String>, Form)> {
    let text = text::decode(bytes);
    let text = text.expose();
    if let Some(records) = json::text(text) {
        Some((records, Form::Json))
    } else if let Some(records) = ldif::text(text) {
        Some((records, Form::Ldif))
    } else {
        table::text(text).map(|records| (records, Form::Table))
    }
}

/// Says whether digits are a pattern and no key: a dump of zeros is divisible by 11 everywhere.
///
/// Of the eight groups of a random key, five or more differ but once in 10^14.
fn is_no_random_key(password: &RecoveryPassword) -> bool {
    let mut groups = password.bytes().duplicate();
    let (groups, _) = groups.expose_mut().as_chunks_mut::<2>();
    groups.sort_unstable();
    groups.windows(2).filter(|pair| pair[0] != pair[1]).count() < 4
}

#[cfg(test)]
mod tests;
