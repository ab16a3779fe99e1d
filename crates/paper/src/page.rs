//! The page with a recovery key.

use recovery_key::{KeyId, RecoveryPassword, Secret};

use crate::layout::{self, DIGITS_CODE, TEXT_CODE};
use crate::sheet::{self, Picture, Sheet};
use crate::wording::Wording;

/// The paper that a page is made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paper {
    /// 210 by 297 millimetres.
    A4,
    /// 8 1/2 by 11 inches, as in North America.
    Letter,
}

impl Paper {
    /// Returns width and height in points.
    pub fn size(self) -> (f32, f32) {
        match self {
            Self::A4 => (595.28, 841.89),
            Self::Letter => (612.0, 792.0),
        }
    }

    /// Returns the name that printers know it by (PWG 5101.1).
    pub fn pwg_name(self) -> &'static str {
        match self {
            Self::A4 => "iso_a4_210x297mm",
            Self::Letter => "na_letter_8.5x11in",
        }
    }
}

/// What stands on a page.
#[derive(Clone, Copy, Debug)]
pub struct Page<'a> {
    /// The recovery key.
    pub key: &'a RecoveryPassword,
    /// Its key ID.
    pub key_id: KeyId,
    /// The drive's label: computer, volume, date. Shortened when it is longer than a line.
    pub drive: &'a str,
    /// The date of printing, as its reader writes dates.
    pub printed: &'a str,
    /// What it is printed on.
    pub paper: Paper,
    /// What it says.
    pub wording: &'a Wording,
}

/// Why a page could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PageError {
    /// A font of the page cannot be read: this is our mistake.
    #[error("a font of the page is broken")]
    Font,
    /// A text does not fit its code: this is our mistake.
    #[error("the text does not fit its code")]
    Code,
    /// A share without a key ID: nobody could tell which drive its sheet is for.
    #[error("the share has no key ID")]
    KeyId,
    /// The page was not accepted as a document for everybody (PDF/UA-1).
    #[error("the PDF could not be written: {0}")]
    Pdf(String),
}

impl Page<'_> {
    /// Makes the page: a PDF with its fonts embedded, its text selectable and its structure told
    /// (PDF/UA-1). The file is as secret as the key.
    pub fn pdf(&self) -> Result<Secret<Vec<u8>>, PageError> {
        let words = self.wording;
        let hyphened = self.key.digits();
        let bare = Secret::new(hyphened.expose().replace('-', ""));
        let text = Secret::new(text_form(&self.key_id, hyphened.expose()));
        sheet::pdf(&Sheet {
            paper: self.paper,
            language: words.language,
            title: words.title,
            purpose: words.purpose,
            facts: &[(words.drive, self.drive), (words.printed, self.printed)],
            key_id: self.key_id,
            key_id_heading: words.key_id,
            key_id_use: words.key_id_use,
            groups_heading: words.key,
            groups_use: words.key_use,
            groups: layout::KEY,
            characters: bare.expose(),
            pictures: &[
                Picture::qr(bare.expose(), DIGITS_CODE, words.digits_code)?,
                Picture::qr(text.expose(), TEXT_CODE, words.text_code)?,
                Picture::barcode(bare.expose(), words.barcode)?,
            ],
            notes: &[words.scanner, words.phone],
            notes_left: 288.0,
            advice: &words.advice,
            fill: &str::to_owned,
        })
    }
}

/// What the right QR code says: all of it in the characters that QR codes pack most densely.
fn text_form(key_id: &KeyId, digits: &str) -> String {
    format!("KEY ID {key_id} KEY {digits}")
}
