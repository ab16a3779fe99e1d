//! What a file says of keys, whatever form it has.

use find::Unread;
use find::forms::{self, Readers};
use paper::read::{PictureError, ReadError};
use recovery_key::document::{self, FoundSecret, Remark};
use recovery_key::{KeyIdPrefix, Secret};

/// A document that [`document::read`] reads, and its name.
pub type NamedDocument = (Option<String>, Secret<Vec<u8>>);

/// Reads the forms that take more than text to read.
pub const READERS: Readers = Readers { picture: Some(read_picture) };

/// Reads the codes on a picture, and the page that lastkey prints.
fn read_picture(bytes: &[u8]) -> Result<Vec<Secret<Vec<u8>>>, Unread> {
    match paper::read::read(bytes) {
        Ok(reading) if reading.keys.is_empty() => Err(Unread::Share),
        Ok(reading) => Ok(vec![reading.document()]),
        Err(ReadError::Nothing) => Ok(Vec::new()),
        Err(ReadError::Picture(PictureError::Broken(_) | PictureError::Pdf(_))) => Err(Unread::Damaged),
        Err(ReadError::Picture(PictureError::File { .. } | PictureError::Pixels { .. })) => {
            Err(Unread::TooLarge)
        }
        Err(ReadError::Picture(_)) => Err(Unread::Picture),
        Err(_) => Err(Unread::SpoiltPage),
    }
}

/// Finds what a document of any kind says: a text, one of an office, an export, an archive. What says nothing is given
/// back as it is.
pub fn in_other_forms(name: Option<&str>, bytes: Secret<Vec<u8>>) -> Vec<NamedDocument> {
    let reading = document::read(name, bytes.expose());
    let wrong = |remark: &Remark| matches!(remark, Remark::WrongDigits { .. });
    let itself = || (name.map(str::to_owned), bytes.duplicate());
    if !reading.keys.is_empty() || reading.remarks.iter().any(wrong) {
        return vec![itself()];
    }
    let contents = forms::read(name.unwrap_or_default(), bytes.expose(), &READERS);
    if contents.keys.is_empty() {
        return vec![itself()];
    }
    contents.keys.into_iter().map(|found| (None, document_of(found.key_id, &found.secret))).collect()
}

fn document_of(key_id: Option<KeyIdPrefix>, secret: &FoundSecret) -> Secret<Vec<u8>> {
    match secret {
        FoundSecret::ExternalKey(bek) => bek.to_bytes(),
        FoundSecret::RecoveryPassword(password) => {
            let id = key_id.map(|id| format!("Identifier: {id}\n")).unwrap_or_default();
            let digits = password.digits();
            let mut text = Secret::new(Vec::with_capacity(id.len() + digits.expose().len()));
            text.expose_mut().extend(id.bytes());
            text.expose_mut().extend(digits.expose().bytes());
            text
        }
    }
}
