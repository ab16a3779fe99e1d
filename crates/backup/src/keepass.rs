//! A KeePass database: a password manager that is a file.
//!
//! Such a file is the most precious one that its owner has, so nothing in it is ever taken apart and put
//! together again. The new entry is one insertion into the text inside; all else stays byte for byte.
//! The new database is written beside the old one, read again from the medium, compared with the old
//! one, opened by a second reader, and only then takes its place in one step. No copy of the old one is
//! left: it would go on opening with the old password, and keep what was deleted. Until the new entry
//! is proven the old file is kept in memory, encrypted as it was, to be put back.

mod cipher;
mod credentials;
mod entry;
mod error;
mod kdbx;
mod kdbx3;
mod kdbx4;
mod kdf;
mod search;
mod stranger;
mod swap;
mod text;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use recovery_key::Secret;
use recovery_key::document::FoundSecret;

use crate::destination::{Destination, ReadBack, Refusal, SaveError, SavedCopy, Warning};
use crate::document::{Content, Document};
use crate::file::FileDestination;
use crate::new_file::parent;
use entry::{Entry, NewEntry, entries};
use kdbx::Database;
use kdf::NewKdf;
use stranger::Written;
use swap::{Current, put};

pub use credentials::Credentials;
pub use error::KeePassError;
pub use kdbx::{FILE_LIMIT, is_likely};
pub use search::{Kept, keys};

/// A KeePass database (`.kdbx`), which is made when it is not there.
#[derive(Debug)]
pub struct KeePassDestination {
    path: PathBuf,
    credentials: Credentials,
    new: NewKdf,
    last: Mutex<Option<Last>>,
}

/// The last change, to be taken back.
#[derive(Debug)]
struct Last {
    /// The file before it; none when it was made.
    before: Option<Vec<u8>>,
    after: Vec<u8>,
}

impl KeePassDestination {
    /// Names a database and gives what opens it.
    ///
    /// If it is not there it is made, in format 4 with AES-256 and Argon2id over 64 MiB.
    pub fn new(path: PathBuf, credentials: Credentials) -> Self {
        Self { path, credentials, new: kdf::NEW, last: Mutex::default() }
    }

    /// Returns whether the database is there; else [`Self::save`] makes it, and a password for it should
    /// be asked for twice.
    pub fn exists(&self) -> bool {
        self.path.exists()
    }

    fn place(&self) -> String {
        self.path.display().to_string()
    }

    /// Returns the file itself, where the name is a link to it.
    fn file(&self) -> PathBuf {
        self.path.canonicalize().unwrap_or_else(|_| self.path.clone())
    }

    fn failed(&self, error: KeePassError) -> SaveError {
        let (place, why) = (self.place(), error.to_string());
        match error {
            KeePassError::WrongKey | KeePassError::NoKey | KeePassError::KeyFile(_) => {
                SaveError::Locked { place, why }
            }
            _ => SaveError::Rejected { place, why },
        }
    }

    fn rejected(&self, why: impl Into<String>) -> SaveError {
        SaveError::Rejected { place: self.place(), why: why.into() }
    }

    fn open(&self, bytes: &[u8]) -> Result<Database, SaveError> {
        Database::open(bytes, &self.credentials).map_err(|error| self.failed(error))
    }

    fn entries(&self, database: &Database) -> Result<Vec<Entry>, SaveError> {
        entries(database.text.expose()).map_err(|error| self.failed(error))
    }

    fn copy(&self, name: String) -> SavedCopy {
        let place = format!("{}, group {}, entry {}", self.place(), entry::GROUP, title(&name));
        SavedCopy { place, name: Some(name), path: Some(self.path.clone()) }
    }

    /// Finds our entry for a document with this file name, and returns what it holds: nothing when its
    /// attachment is gone.
    fn find(&self, database: &Database, name: &str) -> Result<Option<Option<Secret<Vec<u8>>>>, SaveError> {
        let entries = self.entries(database)?;
        let Some(entry) = entries.iter().find(|entry| entry.is_ours(title(name))) else { return Ok(None) };
        if title(name) != name {
            return Ok(Some(Some(search::text_of(entry))));
        }
        let file = entry.files.iter().find(|(own, _)| own == name);
        let bytes = file.and_then(|(_, number)| database.file(*number));
        Ok(Some(bytes.map(|bytes| Secret::new(bytes.to_vec()))))
    }

    /// Adds a document's entry to a database.
    fn add(&self, document: &Document, database: &mut Database) -> Result<(), KeePassError> {
        let name = document.file_name();
        let bytes = document.to_bytes();
        let number = match &document.content {
            Content::RecoveryPassword { .. } => None,
            _ => Some(database.add_file(bytes.expose())?),
        };
        let password = match &document.content {
            Content::RecoveryPassword { password, .. } => Some(password.digits()),
            _ => None,
        };
        let id = document.key_id().map(|id| id.to_string());
        let mut more = vec![("Volume", document.drive.volume.to_string().to_uppercase())];
        more.extend(document.drive.label.clone().map(|label| ("Label", label)));
        more.extend(id.clone().map(|id| ("Key ID", id)));
        let new = NewEntry {
            title: title(&name),
            user_name: id.as_deref().unwrap_or_default(),
            password: password.as_ref(),
            notes: notes(&document.content),
            more: &more,
            file: number.map(|number| (name.as_str(), number)),
            now: document.drive.now,
            times_as_text: database.has_times_as_text(),
        };
        database.text = new.added_to(&database.text)?;
        Ok(())
    }

    /// Decides whether bytes are the database that was to be written, and hold all of the old one.
    fn judge(
        &self,
        bytes: &[u8],
        old: Option<(&[u8], &Database)>,
        document: &Document,
    ) -> Result<(), KeePassError> {
        let new = Database::open(bytes, &self.credentials)?;
        if old.is_some_and(|(_, old)| !new.holds_all_of(old)) {
            let missing = "something of the old one is missing in it";
            return Err(KeePassError::NotTheSame(missing.to_owned()));
        }
        let (name, text) = (document.file_name(), new.text.expose());
        let file = match document.content {
            Content::RecoveryPassword { .. } => None,
            _ => Some(document.to_bytes()),
        };
        let file = file.as_ref().map(|bytes| bytes.expose().as_slice());
        let written = Written { bytes, text, entries: &entries(text)?, title: title(&name), file };
        stranger::judge(&written, old.map(|(bytes, _)| bytes), &self.credentials)
    }
}

impl Destination for KeePassDestination {
    fn kind(&self) -> &'static str {
        "keepass"
    }

    fn describe(&self) -> String {
        format!("the KeePass database {}", self.place())
    }

    fn check(&self, drive: &Path) -> Result<Vec<Warning>, Refusal> {
        let file = self.file();
        let warnings = FileDestination::new(parent(&file).to_owned()).check(drive)?;
        let unusable = |why| Err(Refusal::Unusable { place: self.place(), why });
        if file.exists() && !file.is_file() {
            return unusable("it is no file".to_owned());
        }
        match swap::in_use(&file) {
            Some(why) => unusable(why),
            None => Ok(warnings),
        }
    }

    fn save(&self, document: &Document) -> Result<SavedCopy, SaveError> {
        let path = self.file();
        if let Some(why) = swap::in_use(&path) {
            return Err(self.rejected(why));
        }
        let current = Current::open(&path, FILE_LIMIT).map_err(|error| error.at(&self.path))?;
        let old = current.as_ref().map(|current| self.open(&current.bytes)).transpose()?;
        let name = document.file_name();
        if let Some(old) = &old
            && let Some(there) = self.find(old, &name)?
        {
            return match there.is_some_and(|there| says(&there, document)) {
                // Nothing is written, so nothing is to be taken back.
                true => {
                    *self.last.lock().unwrap_or_else(PoisonError::into_inner) = None;
                    Ok(self.copy(name))
                }
                false => Err(SaveError::Taken {
                    place: self.place(),
                    name: format!("an entry \"{}\"", title(&name)),
                }),
            };
        }
        let mut database = match &current {
            Some(current) => self.open(&current.bytes)?,
            None => {
                let name = path.file_stem().unwrap_or_default().to_string_lossy();
                let text = entry::empty(&name, document.drive.now).map_err(|error| self.failed(error))?;
                Database::new(self.new, text)
            }
        };
        self.add(document, &mut database).map_err(|error| self.failed(error))?;
        let after = database.seal(&self.credentials).map_err(|error| self.failed(error))?;
        let before = current.as_ref().map(|current| current.bytes.clone());
        let old = before.as_deref().zip(old.as_ref());
        let judge = |bytes: &[u8]| self.judge(bytes, old, document).map_err(|error| error.to_string());
        put(&path, &after, current, judge).map_err(|error| error.at(&self.path))?;
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(Last { before, after });
        Ok(self.copy(name))
    }

    fn read_back(&self, copy: &SavedCopy) -> Result<ReadBack, SaveError> {
        let path = self.file();
        let name = copy.name.as_deref().unwrap_or_default();
        let bytes = Current::bytes_of(&path, FILE_LIMIT).map_err(|error| error.at(&self.path))?;
        let database = self.open(&bytes.ok_or_else(|| self.rejected("it is gone"))?)?;
        let there = self
            .find(&database, name)?
            .ok_or_else(|| self.rejected(format!("the entry \"{}\" is not in it any more", title(name))))?;
        let there = there.ok_or_else(|| self.rejected("the attachment is not in it any more"))?;
        Ok(ReadBack::Document(there))
    }

    fn remove(&self, copy: &SavedCopy) -> Result<(), SaveError> {
        let changed = || {
            let why = "it was there before, or was changed since, so delete the entry yourself";
            self.rejected(format!("{why}: {}", copy.place))
        };
        let path = self.file();
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let Last { before, after } = last.as_ref().ok_or_else(changed)?;
        let current = Current::open(&path, FILE_LIMIT).map_err(|error| error.at(&self.path))?;
        let current = current.filter(|current| current.bytes == *after).ok_or_else(changed)?;
        match before {
            Some(before) => put(&path, before, Some(current), |_| Ok(())),
            None => fs::remove_file(&path)
                .and_then(|()| crate::new_file::sync_folder(parent(&path)))
                .map_err(swap::SwapError::Io),
        }
        .map_err(|error| error.at(&self.path))?;
        *last = None;
        Ok(())
    }
}

/// Returns the title of the entry for a document with this file name. A key that is typed has no file.
fn title(name: &str) -> &str {
    name.strip_suffix(".TXT").unwrap_or(name)
}

/// Says whether what an entry holds is the document.
fn says(there: &Secret<Vec<u8>>, document: &Document) -> bool {
    let Content::RecoveryPassword { password, .. } = &document.content else {
        return there.expose() == document.to_bytes().expose();
    };
    let keys = recovery_key::document::read(None, there.expose()).keys;
    keys.iter().any(|key| matches!(&key.secret, FoundSecret::RecoveryPassword(own) if own == password))
}

fn notes(content: &Content) -> &'static str {
    match content {
        Content::RecoveryPassword { .. } => {
            "BitLocker recovery key. When Windows asks for it, compare the first 8 characters of the key ID \
             with those on the screen, then type the 48 digits of the password."
        }
        Content::ExternalKey(_) => {
            "BitLocker external key. Save the attached file in the root folder of a USB stick and start the \
             computer with it."
        }
        Content::Snapshot(_) => {
            "The metadata of a BitLocker drive, as an attached file. It is no key. If the drive's own \
             metadata is ever destroyed, the recovery key opens the drive with it."
        }
    }
}

#[cfg(test)]
mod tests;
