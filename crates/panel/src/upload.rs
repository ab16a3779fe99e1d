//! Files that a person gives to a page: copies of keys, in whatever form. They are held in memory alone.

use std::collections::BTreeMap;

use axum::extract::Multipart;
use backup::keepass::{self, Credentials, KeePassError};
use backup::{NamedDocument, in_other_forms};
use paper::read::ReadError;
use paper::share::{CombineError, Share};
use recovery_key::Secret;
use sealed::{Opener, SealError};
use web::Say;
use zeroize::Zeroizing;

use crate::answer::Error;

/// More files than these in one form are a mistake: a key is on at most so many sheets.
const FILES: usize = 32;
/// The most that is typed into one field.
const FIELD: usize = 64 << 10;

/// What a form with files brought.
#[derive(Default)]
pub struct Upload {
    /// The files that were chosen: their names, their bytes.
    pub files: Vec<NamedDocument>,
    fields: BTreeMap<String, Zeroizing<String>>,
}

impl Upload {
    /// Takes a form. The gate has limited how long it is.
    pub async fn of(mut form: Multipart) -> Result<Self, Error> {
        let invalid = |error: axum::extract::multipart::MultipartError| Error::Invalid(error.body_text());
        let mut upload = Self::default();
        while let Some(mut field) = form.next_field().await.map_err(invalid)? {
            let name = field.name().unwrap_or_default().to_owned();
            // A browser sends a field for files without any, too.
            let file = field.file_name().map(str::to_owned);
            let mut bytes = Secret::new(Vec::new());
            while let Some(part) = field.chunk().await.map_err(invalid)? {
                if file.is_none() && bytes.expose().len() + part.len() > FIELD {
                    return Err(Error::Invalid(format!("too much was typed into {name}")));
                }
                bytes.expose_mut().extend_from_slice(&part);
            }
            match file {
                Some(_) if bytes.expose().is_empty() => {}
                Some(_) if upload.files.len() == FILES => {
                    return Err(Error::Invalid(format!("more than {FILES} files at once")));
                }
                Some(file) => upload.files.push((Some(file), bytes)),
                None => {
                    let text = String::from_utf8_lossy(bytes.expose()).into_owned();
                    upload.fields.insert(name, Zeroizing::new(text));
                }
            }
        }
        Ok(upload)
    }

    /// Returns what was typed into a field; nothing is as good as no field.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields.get(name).map(|text| text.as_str()).filter(|text| !text.trim().is_empty())
    }

    /// Returns the password of the files themselves, if one was typed.
    pub fn password(&self) -> Option<Secret<String>> {
        self.field("file-password").map(|typed| Secret::new(typed.to_owned()))
    }
}

/// Why a copy cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unreadable {
    /// It opens with a password, and none was given.
    PasswordNeeded,
    /// The password is another one.
    WrongPassword,
    /// It is sealed to somebody's age identity: the command line opens it.
    ForIdentity,
    /// It is a page, but cannot be read well enough; what is wrong.
    Page(String),
    /// It is broken or of an unknown kind; what is wrong.
    Other(String),
}

impl Unreadable {
    /// Says so.
    pub fn text(&self, say: Say<'_>) -> String {
        match self {
            Self::PasswordNeeded => say.of("copy-password-needed"),
            Self::WrongPassword => say.of("copy-password-wrong"),
            Self::ForIdentity => say.of("copy-for-identity"),
            Self::Page(why) => say.with("copy-page-unreadable", &[("why", why)]),
            Self::Other(why) => say.with("copy-unreadable", &[("why", why)]),
        }
    }
}

/// What copies say.
#[derive(Default)]
pub struct Said {
    /// Documents that are read as a stranger would.
    pub documents: Vec<NamedDocument>,
    /// Whether some of it was read off a picture of a page. A PDF may never have been on paper.
    pub from_picture: bool,
    /// Shares of keys, from sheets; they say something only together.
    shares: Vec<Share>,
}

impl Said {
    /// Reads one more copy.
    ///
    /// # Errors
    /// When it stays closed, or cannot be read.
    pub fn add(&mut self, copy: NamedDocument, password: Option<&Secret<String>>) -> Result<(), Unreadable> {
        let (name, bytes) = copy;
        if let Some(by_password) = sealed::needs_passphrase(bytes.expose()) {
            let password = password.filter(|_| by_password).ok_or(if by_password {
                Unreadable::PasswordNeeded
            } else {
                Unreadable::ForIdentity
            })?;
            let inside = sealed::open(bytes.expose(), &Opener::Passphrase(password.duplicate()));
            let inside = inside.map_err(|error| match error {
                SealError::WrongKey => Unreadable::WrongPassword,
                error => Unreadable::Other(error.to_string()),
            })?;
            self.documents
                .push((name.map(|name| name.strip_suffix(".age").unwrap_or(&name).to_owned()), inside));
        } else if keepass::is_likely(bytes.expose()) {
            let password = password.ok_or(Unreadable::PasswordNeeded)?;
            let credentials = Credentials::new(Some(password.duplicate()), None);
            let kept = keepass::keys(bytes.expose(), &credentials).map_err(|error| match error {
                KeePassError::WrongKey => Unreadable::WrongPassword,
                error => Unreadable::Other(error.to_string()),
            })?;
            self.documents.extend(kept.into_iter().map(|kept| (kept.name, kept.bytes)));
        } else if paper::read::is_likely(bytes.expose()) {
            match paper::read::read(bytes.expose()) {
                Ok(reading) => {
                    self.from_picture |= !bytes.expose().starts_with(b"%PDF");
                    self.documents.push((None, reading.document()));
                    self.shares.extend(reading.shares);
                }
                // A PDF whose text may still say something.
                Err(ReadError::Nothing) => self.documents.extend(in_other_forms(name.as_deref(), bytes)),
                Err(error) => return Err(Unreadable::Page(error.to_string())),
            }
        } else {
            self.documents.extend(in_other_forms(name.as_deref(), bytes));
        }
        Ok(())
    }

    /// Puts a key together from the sheets that there are, if there are any.
    ///
    /// # Errors
    /// When some are missing, or they do not belong together.
    pub fn put_together(&mut self) -> Result<(), CombineError> {
        if !self.shares.is_empty() {
            let combined = Share::combine(&self.shares)?;
            self.documents.push((None, backup::document_of(&combined)));
        }
        Ok(())
    }
}
