//! A page to print: a PDF that a person reads, types and scans, made and proven by its pixels.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use ::paper::{Page, Paper, Wording};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use recovery_key::Secret;

use crate::destination::{Destination, ReadBack, Refusal, SaveError, SavedCopy, Warning};
use crate::document::{Content, Document};
use crate::file::{FileDestination, forget_cache};
use crate::new_file::{NewFile, parent, sync_folder};

/// A PDF of the page, for whoever prints it.
#[derive(Debug)]
pub struct PaperDestination {
    path: PathBuf,
    paper: Paper,
    /// What was written here.
    written: Mutex<Vec<PathBuf>>,
}

impl PaperDestination {
    /// Names a folder, or a file that is not there. A second key gets a file beside it, with its key ID
    /// in the name.
    pub fn new(path: PathBuf, paper: Paper) -> Self {
        Self { path, paper, written: Mutex::default() }
    }

    fn folder(&self) -> &Path {
        if self.path.is_dir() { &self.path } else { parent(&self.path) }
    }

    fn path_for(&self, document: &Document) -> PathBuf {
        let id = document.key_id();
        if self.path.is_dir() {
            let id = id.map(|id| id.to_string()).unwrap_or_default();
            return self.path.join(format!("BitLocker Recovery Key {id}.pdf"));
        }
        if !self.written.lock().unwrap_or_else(PoisonError::into_inner).contains(&self.path) {
            return self.path.clone();
        }
        let stem = self.path.file_stem().unwrap_or_default().to_string_lossy();
        let short = id.map(|id| id.short()).unwrap_or_default();
        self.path.with_file_name(format!("{stem} {short}.pdf"))
    }
}

impl Destination for PaperDestination {
    fn kind(&self) -> &'static str {
        "paper"
    }

    fn describe(&self) -> String {
        format!("the page {}", self.path.display())
    }

    fn check(&self, drive: &Path) -> Result<Vec<Warning>, Refusal> {
        FileDestination::new(self.folder().to_owned()).check(drive)
    }

    fn holds(&self, content: &Content) -> bool {
        matches!(content, Content::RecoveryPassword { .. })
    }

    fn save(&self, document: &Document) -> Result<SavedCopy, SaveError> {
        let path = self.path_for(document);
        let place = path.display().to_string();
        let pdf = page(document, self.paper, &place)?;
        let write = || {
            let mut new = NewFile::create(parent(&path))?;
            new.file().write_all(pdf.expose())?;
            new.keep(&path)
        };
        write().map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => SaveError::AlreadyThere { path: path.clone() },
            _ => SaveError::from_io(self.folder().display().to_string(), error),
        })?;
        self.written.lock().unwrap_or_else(PoisonError::into_inner).push(path.clone());
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
        Ok(SavedCopy { place, name, path: Some(path) })
    }

    fn read_back(&self, copy: &SavedCopy) -> Result<ReadBack, SaveError> {
        let read = || {
            let file = File::open(copy.path.as_deref().ok_or(io::ErrorKind::NotFound)?)?;
            forget_cache(&file)?;
            let mut bytes = Secret::new(Vec::new());
            file.take(::paper::read::FILE_LIMIT as u64).read_to_end(bytes.expose_mut())?;
            Ok(bytes)
        };
        let bytes = read().map_err(|error: io::Error| SaveError::from_io(copy.place.clone(), error))?;
        seen(bytes.expose(), &copy.place).map(ReadBack::Document)
    }

    fn remove(&self, copy: &SavedCopy) -> Result<(), SaveError> {
        let path = copy.path.as_deref().unwrap_or(&self.path);
        fs::remove_file(path)
            .and_then(|()| sync_folder(parent(path)))
            .map_err(|error| SaveError::from_io(copy.place.clone(), error))
    }

    fn finish(&self) -> Result<Option<String>, SaveError> {
        Ok(Some(
            "print it, check the sheet with a photo (lastkey verify DRIVE photo.jpg), and delete this file"
                .to_owned(),
        ))
    }
}

/// Makes the page of a recovery key, for `place`: a PDF, which is just what is printed or saved.
///
/// # Errors
/// When it is no recovery key.
pub fn page(document: &Document, paper: Paper, place: &str) -> Result<Secret<Vec<u8>>, SaveError> {
    let rejected = |why: String| SaveError::Rejected { place: place.to_owned(), why };
    let Content::RecoveryPassword { key_id, password } = &document.content else {
        return Err(rejected("only a recovery key can be printed".to_owned()));
    };
    let page = Page {
        key: password,
        key_id: *key_id,
        drive: document.drive.label.as_deref().unwrap_or("(no label)"),
        printed: &date(document.drive.now),
        paper,
        wording: &Wording::ENGLISH,
    };
    page.pdf().map_err(|error| rejected(error.to_string()))
}

/// Looks at a finished page: what its pixels say, as a document.
pub(crate) fn seen(pdf: &[u8], place: &str) -> Result<Secret<Vec<u8>>, SaveError> {
    let reading = ::paper::read::read(pdf)
        .map_err(|error| SaveError::Rejected { place: place.to_owned(), why: error.to_string() })?;
    Ok(reading.document())
}

/// Returns whether a page, as it is seen, says the key of a document.
pub(crate) fn says(seen: &Secret<Vec<u8>>, document: &Document) -> bool {
    let Content::RecoveryPassword { password, .. } = &document.content else { return false };
    let found = recovery_key::document::read(None, seen.expose()).keys;
    found.iter().any(|found| {
        matches!(&found.secret, recovery_key::document::FoundSecret::RecoveryPassword(own) if own == password)
    })
}

/// Returns the day of a time, where this computer is.
pub(crate) fn date(now: i64) -> String {
    let now = Timestamp::from_second(now).unwrap_or_default();
    now.to_zoned(TimeZone::system()).strftime("%Y-%m-%d").to_string()
}
