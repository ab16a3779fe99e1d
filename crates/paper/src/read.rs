//! Reading a page again: from a PDF, a scan or a photo to the keys on it.
//!
//! Only pixels count, even of a PDF: what a person sees is what is proven. Codes are decoded wherever they
//! are; where the block of our own page is found, its codes are read at their places, and its large
//! characters by their shapes. All that is read of one block must agree.

mod bars;
mod block;
mod ink;
mod picture;
mod plane;
mod register;
mod square;
mod typed;

use std::fmt;

use recovery_key::document::{self, FoundSecret};
use recovery_key::{KeyIdPrefix, RecoveryPassword, Secret};

use crate::gray::Gray;
use crate::read::block::Block;
use crate::read::ink::Ink;
use crate::read::register::Places;
use crate::share::Share;

pub use picture::{FILE_LIMIT, PIXEL_LIMIT, PictureError, is_likely};
pub(crate) use typed::ALPHABET;

/// The longest side of a picture that is searched; larger ones are made smaller first.
const SEARCHED: usize = 2600;
/// The most keys of one file.
const KEY_LIMIT: usize = 200;

/// Reads all keys in a PDF, PNG or JPEG.
pub fn read(bytes: &[u8]) -> Result<Reading, ReadError> {
    let mut reading = Reading::default();
    let mut unreadable = None;
    for (number, page) in picture::load(bytes)?.into_iter().enumerate() {
        match read_page(page, number + 1, &mut reading) {
            Ok(()) => {}
            Err(ReadError::Unreadable { page, groups }) => unreadable = Some((page, groups)),
            Err(error) => return Err(error),
        }
    }
    match unreadable {
        _ if !reading.keys.is_empty() || !reading.shares.is_empty() => Ok(reading),
        Some((page, groups)) => Err(ReadError::Unreadable { page, groups }),
        None => Err(ReadError::Nothing),
    }
}

/// What was read from a file.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Reading {
    /// The keys, each once.
    pub keys: Vec<ReadKey>,
    /// The shares of keys, each once. A share read by its characters alone has no whole key ID.
    pub shares: Vec<Share>,
}

impl Reading {
    /// Returns the keys as a text that [`recovery_key::document::read`] reads.
    pub fn document(&self) -> Secret<Vec<u8>> {
        let mut text = Secret::new(Vec::with_capacity(self.keys.len() * 160));
        for key in &self.keys {
            if let Some(id) = key.key_id {
                text.expose_mut().extend(format!("Identifier: {id}\r\n").bytes());
            }
            text.expose_mut().extend(b"Recovery Key:\r\n");
            text.expose_mut().extend(key.key.digits().expose().bytes());
            text.expose_mut().extend(b"\r\n\r\n");
        }
        text
    }

    /// Adds a share unless it is known; one that says its key ID is better.
    fn add_share(&mut self, share: Share) {
        if let Some(known) = self.shares.iter_mut().find(|known| known.is_same(&share)) {
            if known.key_id().is_none() {
                *known = share;
            }
        } else if self.shares.len() < KEY_LIMIT {
            self.shares.push(share);
        }
    }

    /// Adds what a code says that may be one of those that were read at their places.
    fn add_elsewhere(&mut self, page: usize, said: Said) {
        if !self.keys.iter().any(|known| known.page == page && known.key == said.key) {
            self.add(page, said, Source::Elsewhere);
        }
    }

    /// Adds what a source says, to the key that it says, or as a new one.
    fn add(&mut self, page: usize, said: Said, source: Source) {
        let known = self.keys.iter_mut().find(|known| {
            let ids_agree = known.key_id.zip(said.key_id).is_none_or(|(a, b)| a.agrees_with(&b));
            known.key == said.key && ids_agree
        });
        if let Some(known) = known {
            known.sources.add(source);
            if known.key_id.is_none_or(|id| said.key_id.is_some_and(|said| said.digits() > id.digits())) {
                known.key_id = said.key_id.or(known.key_id);
            }
        } else if self.keys.len() < KEY_LIMIT {
            let mut sources = Sources::default();
            sources.add(source);
            self.keys.push(ReadKey { page, key: said.key, key_id: said.key_id, sources });
        }
    }
}

/// A key that was read.
#[derive(Debug)]
#[non_exhaustive]
pub struct ReadKey {
    /// The page it stands on, from 1.
    pub page: usize,
    /// The key.
    pub key: RecoveryPassword,
    /// Its key ID, or as much of it as could be read.
    pub key_id: Option<KeyIdPrefix>,
    /// Where on the page it was read; all of them say the same.
    pub sources: Sources,
}

/// A place on a page where a key is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Source {
    /// The digits.
    Digits,
    /// The QR code of the digits.
    DigitsCode,
    /// The QR code of key ID and digits.
    TextCode,
    /// The barcode.
    Barcode,
    /// A QR code or barcode that is not at its place on a page of ours.
    Elsewhere,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Digits => "the digits",
            Self::DigitsCode => "the left QR code",
            Self::TextCode => "the right QR code",
            Self::Barcode => "the barcode",
            Self::Elsewhere => "a code",
        })
    }
}

/// The places where a key was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sources([bool; 5]);

impl Sources {
    /// Says whether the key was read there.
    pub fn contains(&self, source: Source) -> bool {
        self.0[source as usize]
    }

    /// Returns the places.
    pub fn iter(&self) -> impl Iterator<Item = Source> {
        use Source::{Barcode, Digits, DigitsCode, Elsewhere, TextCode};
        let all = [Digits, DigitsCode, TextCode, Barcode, Elsewhere];
        let read = self.0;
        all.into_iter().filter(move |source| read[*source as usize])
    }

    fn add(&mut self, source: Source) {
        self.0[source as usize] = true;
    }
}

impl fmt::Display for Sources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all: Vec<_> = self.iter().map(|source| source.to_string()).collect();
        match all.split_last() {
            Some((last, [])) => f.write_str(last),
            Some((last, others)) => write!(f, "{} and {last}", others.join(", ")),
            None => f.write_str("nothing"),
        }
    }
}

/// Why no key was read; never shows digits of a key.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The file is no picture.
    #[error(transparent)]
    Picture(#[from] PictureError),
    /// There is no code, and no page of ours.
    #[error("no recovery key was found in the picture")]
    Nothing,
    /// There is a page of ours, but its codes are spoilt and not all digits can be read.
    #[error("page {page} is too damaged or too blurred to be read; unreadable: {}", groups_text(groups))]
    Unreadable {
        /// The page, from 1.
        page: usize,
        /// The groups of digits that cannot be read, from 1.
        groups: Vec<usize>,
    },
    /// Two places on one page hold different keys: the page was changed or misprinted.
    #[error("page {page}: {one} and {other} hold different keys; they differ in {}", groups_text(groups))]
    Disagreement {
        /// The page, from 1.
        page: usize,
        /// A place.
        one: Source,
        /// A place that says something else.
        other: Source,
        /// The groups that differ, from 1.
        groups: Vec<usize>,
    },
    /// The large digits of the key ID are not those of the code.
    #[error("page {page}: the key ID in {code} is not the printed one")]
    KeyIds {
        /// The page, from 1.
        page: usize,
        /// The code.
        code: Source,
    },
}

fn groups_text(groups: &[usize]) -> String {
    let list: Vec<_> = groups.iter().map(usize::to_string).collect();
    format!("{} {}", if list.len() == 1 { "group" } else { "groups" }, list.join(", "))
}

/// A key as one source says it.
struct Said {
    key: RecoveryPassword,
    key_id: Option<KeyIdPrefix>,
}

impl Said {
    /// Takes the recovery keys out of the text of a code, ours or anybody's.
    fn of_text(text: &str) -> Vec<Self> {
        let keys = document::read(None, text.as_bytes()).keys.into_iter();
        keys.filter_map(|found| match found.secret {
            FoundSecret::RecoveryPassword(key) => Some(Self { key, key_id: found.key_id }),
            FoundSecret::ExternalKey(_) => None,
        })
        .collect()
    }
}

fn read_page(picture: Gray, page: usize, reading: &mut Reading) -> Result<(), ReadError> {
    let first = picture.width().max(picture.height()).div_ceil(SEARCHED);
    let mut unreadable = None;
    // First at a middling size; then coarser, where noise is less; then finer, for small pages far away.
    let finer = if first > 1 { Some((first / 2).max(1)) } else { None };
    for factor in [first, first * 2].into_iter().chain(finer) {
        let smaller = if factor > 1 { picture.shrunk(factor) } else { None };
        let gray = smaller.as_ref().unwrap_or(&picture);
        for reach in [48, 24] {
            match look(gray, reach, page, reading) {
                Ok(true) => return Ok(()),
                Ok(false) => {}
                Err(ReadError::Unreadable { groups, .. }) => unreadable = Some(groups),
                Err(error) => return Err(error),
            }
        }
    }
    unreadable.map_or(Ok(()), |groups| Err(ReadError::Unreadable { page, groups }))
}

/// Looks once, telling ink from paper within a part of the picture; says whether anything was found.
fn look(gray: &Gray, part: usize, page: usize, reading: &mut Reading) -> Result<bool, ReadError> {
    let ink = Ink::find(gray, (gray.width().max(gray.height()) / part).max(4));
    let blots = ink.blots(gray);
    let codes = square::find(gray, &blots);
    let mut found = false;
    let mut unreadable = Ok(());
    match Places::of_page().find(&blots).map(|surface| Block::read(gray, surface, &codes).agree(page)) {
        Some(Ok((said, sources))) => {
            found = true;
            for source in sources.iter() {
                reading.add(page, Said { key: said.key.duplicate(), key_id: said.key_id }, source);
            }
        }
        Some(Err(error @ ReadError::Unreadable { .. })) => unreadable = Err(error),
        Some(Err(error)) => return Err(error),
        None => {}
    }
    for code in &codes {
        let text = code.text.expose();
        if let Some(share) = Share::of_code(text) {
            found = true;
            reading.add_share(share);
        }
        for said in Said::of_text(text) {
            found = true;
            reading.add_elsewhere(page, said);
        }
    }
    for digits in bars::find(&ink) {
        if let Ok(key) = RecoveryPassword::parse(digits.expose()) {
            found = true;
            reading.add_elsewhere(page, Said { key, key_id: None });
        }
    }
    if !found && let Some(share) = Places::of_share().find(&blots).and_then(|at| block::share(gray, &at)) {
        found = true;
        reading.add_share(share);
    }
    if found { Ok(true) } else { unreadable.map(|()| false) }
}
