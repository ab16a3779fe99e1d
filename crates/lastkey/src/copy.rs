//! A copy of a key, in whatever it is kept: a file, a sealed one, a database, a picture of a page.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use ::find::forms;
use backup::keepass::{self, Credentials, KeePassError};
use backup::{NamedDocument, in_other_forms};
use paper::read::ReadError;
use paper::share::{CombineError, Share};
use recovery_key::Secret;
use sealed::{Opener, SealError};

use crate::cli::Seals;
use crate::failure::{Failure, Kind};
use crate::{keys, prompt};

/// A picture of a page, or a document of an office, can be so long.
const SIZE_LIMIT: u64 = forms::WHOLE_LIMIT as u64;

/// What opens sealed copies; passphrases that were asked for are kept for the next one.
pub struct Unsealing<'a> {
    seals: &'a Seals,
    passphrase: Option<Secret<String>>,
    credentials: Option<Credentials>,
    /// The shares of keys on the pages that were looked at.
    shares: Vec<Share>,
    /// Whoever is asked may leave a copy closed.
    optional: bool,
}

impl<'a> Unsealing<'a> {
    /// Takes what the command line names.
    pub fn new(seals: &'a Seals) -> Self {
        Self { seals, passphrase: None, credentials: None, shares: Vec::new(), optional: false }
    }

    /// The same for copies that may as well stay closed: an empty answer leaves them so.
    pub fn optional(seals: &'a Seals) -> Self {
        Self { optional: true, ..Self::new(seals) }
    }

    /// Reads a copy and returns the documents in it. The error does not name it.
    pub fn open(&mut self, path: &Path) -> Result<Vec<NamedDocument>, Failure> {
        let bytes = read(path)?;
        let name = path.file_name().and_then(|name| name.to_str());
        self.documents(name, bytes, &keys::shown(path))
    }

    /// Returns the documents in a copy; `shown` is what it is called when a question is asked.
    pub fn documents(
        &mut self,
        name: Option<&str>,
        bytes: Secret<Vec<u8>>,
        shown: &str,
    ) -> Result<Vec<NamedDocument>, Failure> {
        if let Some(by_passphrase) = sealed::needs_passphrase(bytes.expose()) {
            let inside = self.unseal(bytes.expose(), by_passphrase, shown)?;
            let name = name.map(|name| name.strip_suffix(".age").unwrap_or(name).to_owned());
            return Ok(vec![(name, inside)]);
        }
        if keepass::is_likely(bytes.expose()) {
            return self.database(bytes.expose(), shown);
        }
        if paper::read::is_likely(bytes.expose())
            && let Some(seen) = self.look(bytes.expose())?
        {
            return Ok(vec![(None, seen)]);
        }
        Ok(in_other_forms(name, bytes))
    }

    /// Returns how many shares were seen so far.
    pub fn shares(&self) -> usize {
        self.shares.len()
    }

    /// Puts the key together from the shares that were seen; `None` when there were none.
    pub fn combined(&self) -> Option<Result<Secret<Vec<u8>>, CombineError>> {
        if self.shares.is_empty() {
            return None;
        }
        Some(Share::combine(&self.shares).map(|combined| backup::document_of(&combined)))
    }

    /// Looks at a picture or a page; `None` when it is a PDF whose text may still say something.
    fn look(&mut self, bytes: &[u8]) -> Result<Option<Secret<Vec<u8>>>, Failure> {
        match paper::read::read(bytes) {
            Ok(reading) => {
                let document = reading.document();
                self.shares.extend(reading.shares);
                Ok(Some(document))
            }
            Err(ReadError::Nothing) => Ok(None),
            Err(error) => Err(Failure::new(Kind::NotProven, error.to_string()).hint(
                "photograph the page from straight above, in even light, so that it fills the picture",
            )),
        }
    }

    fn unseal(&mut self, bytes: &[u8], by_passphrase: bool, shown: &str) -> Result<Secret<Vec<u8>>, Failure> {
        if !by_passphrase {
            let Some(path) = &self.seals.identity else {
                return Err(Failure::new(Kind::KeyNeeded, "it is sealed with age to a recipient")
                    .hint("name the recipient's identity file with --identity FILE"));
            };
            let about = |failure: Failure| failure.about(&path.display().to_string());
            let opener = Opener::from_identity_file(&keys::secret_file(path)?)
                .map_err(|error| about(Failure::new(Kind::WrongPassword, error.to_string())))?;
            return sealed::open(bytes, &opener).map_err(|error| unsealed(&error));
        }
        if let Some(known) = &self.passphrase {
            match sealed::open(bytes, &Opener::Passphrase(known.duplicate())) {
                Err(SealError::WrongKey) if prompt::can_ask() => {}
                result => return result.map_err(|error| unsealed(&error)),
            }
        }
        let passphrase = match &self.seals.passphrase_file {
            Some(path) => keys::password(path)?,
            None => self.ask(shown, "it is sealed with a passphrase", "--passphrase-file FILE")?,
        };
        let opener = Opener::Passphrase(passphrase.duplicate());
        let opened = sealed::open(bytes, &opener).map_err(|error| unsealed(&error))?;
        self.passphrase = Some(passphrase);
        Ok(opened)
    }

    fn database(&mut self, bytes: &[u8], shown: &str) -> Result<Vec<NamedDocument>, Failure> {
        let known = self.credentials.as_ref().map(|known| keepass::keys(bytes, known));
        let kept = match known {
            Some(Err(KeePassError::WrongKey)) if prompt::can_ask() => None,
            known => known,
        };
        let kept = match kept {
            Some(kept) => kept,
            None => {
                let credentials = self.credentials(shown)?;
                keepass::keys(bytes, &credentials).inspect(|_| self.credentials = Some(credentials))
            }
        };
        let kept = kept.map_err(|error| locked(&error))?;
        Ok(kept.into_iter().map(|kept| (kept.name, kept.bytes)).collect())
    }

    fn credentials(&self, shown: &str) -> Result<Credentials, Failure> {
        let key_file = self.seals.keepass_key_file.as_deref().map(read_named).transpose()?;
        let password = match &self.seals.keepass_password_file {
            Some(path) => Some(keys::password(path)?),
            // A key file alone may be all that the database asks for.
            None if key_file.is_some() && !prompt::can_ask() => None,
            None => {
                let why = "it is a password database";
                Some(self.ask(shown, why, "--keepass-password-file FILE")?)
            }
        };
        Ok(Credentials::new(password.filter(|typed| !typed.expose().is_empty()), key_file))
    }

    fn ask(&self, shown: &str, why: &str, option: &str) -> Result<Secret<String>, Failure> {
        let needed =
            || Failure::new(Kind::KeyNeeded, why).hint(format!("name a file with its password: {option}"));
        if !prompt::can_ask() {
            return Err(needed());
        }
        let or = if self.optional { " (Enter: leave it closed)" } else { "" };
        let answer = prompt::hidden(&format!("Password of {shown}{or}: "))?;
        if self.optional && answer.expose().is_empty() { Err(needed()) } else { Ok(answer) }
    }
}

fn unsealed(error: &SealError) -> Failure {
    let kind = if matches!(error, SealError::WrongKey) { Kind::WrongPassword } else { Kind::NotProven };
    Failure::new(kind, error.to_string())
}

fn locked(error: &KeePassError) -> Failure {
    let kind = if matches!(error, KeePassError::WrongKey) { Kind::WrongPassword } else { Kind::NotProven };
    Failure::new(kind, error.to_string())
}

fn read_named(path: &Path) -> Result<Secret<Vec<u8>>, Failure> {
    read(path).map_err(|failure| failure.about(&keys::shown(path)))
}

/// Reads a file that may be longer than any document, or standard input.
fn read(path: &Path) -> Result<Secret<Vec<u8>>, Failure> {
    let mut bytes = Secret::new(Vec::new());
    let take = |from: &mut dyn Read, bytes: &mut Vec<u8>| from.take(SIZE_LIMIT + 1).read_to_end(bytes);
    if keys::is_standard_input(path) {
        take(&mut io::stdin().lock(), bytes.expose_mut())?;
    } else {
        take(&mut File::open(path)?, bytes.expose_mut())?;
    }
    if bytes.expose().len() as u64 > SIZE_LIMIT {
        return Err(Failure::new(Kind::WrongKey, "this is too long to be a file with a key"));
    }
    Ok(bytes)
}
