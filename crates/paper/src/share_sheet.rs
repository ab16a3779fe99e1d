//! The sheet with one share of a recovery key.

use recovery_key::Secret;

use crate::layout::{self, SHARE_CODE};
use crate::page::{PageError, Paper};
use crate::share::Share;
use crate::sheet::{self, Picture, Sheet};
use crate::wording::ShareWording;

/// What stands on a sheet with a share.
#[derive(Clone, Copy, Debug)]
pub struct ShareSheet<'a> {
    /// The share. Without a key ID no sheet is made: nobody could tell which drive it is for.
    pub share: &'a Share,
    /// The drive's label.
    pub drive: &'a str,
    /// The date of printing, as its reader writes dates.
    pub printed: &'a str,
    /// What it is printed on.
    pub paper: Paper,
    /// What it says.
    pub wording: &'a ShareWording,
}

impl ShareSheet<'_> {
    /// Makes the sheet: a PDF like that of a [`Page`](crate::Page). One sheet tells nothing about the
    /// key, but each belongs in a place of its own.
    pub fn pdf(&self) -> Result<Secret<Vec<u8>>, PageError> {
        let (share, words) = (self.share, self.wording);
        let key_id = share.key_id().ok_or(PageError::KeyId)?;
        let fill = |text: &str| {
            text.replace("{needed}", &share.needed().to_string())
                .replace("{sheets}", &share.sheets().to_string())
                .replace("{number}", &share.number().to_string())
                .replace("{set}", &share.set_name())
                .replace("{printed}", self.printed)
        };
        let text = share.text();
        let characters = Secret::new(text.expose().replace('-', ""));
        let code = share.code_text();
        sheet::pdf(&Sheet {
            paper: self.paper,
            language: words.language,
            title: &fill(words.title),
            purpose: &fill(words.purpose),
            facts: &[(words.drive, self.drive), (words.set, &fill(words.set_and_date))],
            key_id,
            key_id_heading: words.key_id,
            key_id_use: words.key_id_use,
            groups_heading: words.share,
            groups_use: words.share_use,
            groups: layout::SHARE,
            characters: characters.expose(),
            pictures: &[Picture::qr(code.expose(), SHARE_CODE, words.code)?],
            notes: &[&fill(words.combine), words.phone],
            notes_left: 144.0,
            advice: &words.advice,
            fill: &fill,
        })
    }
}
