//! Several sheets of paper, of which any k together hold a recovery key, and fewer tell nothing.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use ::paper::share::{Combined, Share};
use ::paper::{Paper, ShareSheet, ShareWording};
use recovery_key::{KeyId, Secret};

use crate::destination::{Destination, ReadBack, Refusal, SaveError, SavedCopy, Warning};
use crate::document::{Content, Document};
use crate::file::{FileDestination, forget_cache};
use crate::new_file::{NewFile, sync_folder};
use crate::paper::date;

/// A folder for the PDFs of the sheets, for whoever prints them.
#[derive(Debug)]
pub struct SheetsDestination {
    folder: PathBuf,
    paper: Paper,
    needed: u8,
    sheets: u8,
    written: Mutex<Vec<PathBuf>>,
}

impl SheetsDestination {
    /// Names a folder, and how many of how many sheets open the drive: 2 to 16.
    pub fn new(folder: PathBuf, paper: Paper, needed: u8, sheets: u8) -> Self {
        Self { folder, paper, needed, sheets, written: Mutex::default() }
    }

    /// Returns how the names of a key's sheets begin; their number follows.
    pub fn file_name_start(key_id: KeyId) -> String {
        format!("BitLocker Recovery Key {} sheet ", key_id.short())
    }

    fn place(&self) -> String {
        self.folder.display().to_string()
    }

    fn written(&self) -> std::sync::MutexGuard<'_, Vec<PathBuf>> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, path: &Path, pdf: &Secret<Vec<u8>>) -> Result<(), SaveError> {
        let write = || {
            let mut new = NewFile::create(&self.folder)?;
            new.file().write_all(pdf.expose())?;
            new.keep(path)
        };
        write().map_err(|error: io::Error| match error.kind() {
            io::ErrorKind::AlreadyExists => SaveError::AlreadyThere { path: path.to_owned() },
            _ => SaveError::from_io(self.place(), error),
        })
    }

    /// Removes the sheets of the last key.
    fn remove_all(&self) -> io::Result<()> {
        let mut written = self.written();
        while let Some(path) = written.last() {
            fs::remove_file(path)?;
            written.pop();
        }
        sync_folder(&self.folder)
    }

    fn shares(&self) -> Result<Vec<Share>, SaveError> {
        let mut shares = Vec::new();
        for path in self.written().iter() {
            let place = path.display().to_string();
            let read = || {
                let file = File::open(path)?;
                forget_cache(&file)?;
                let mut bytes = Secret::new(Vec::new());
                file.take(::paper::read::FILE_LIMIT as u64).read_to_end(bytes.expose_mut())?;
                Ok(bytes)
            };
            let bytes = read().map_err(|error: io::Error| SaveError::from_io(place.clone(), error))?;
            let reading = ::paper::read::read(bytes.expose())
                .map_err(|error| SaveError::Rejected { place, why: error.to_string() })?;
            shares.extend(reading.shares);
        }
        Ok(shares)
    }
}

impl Destination for SheetsDestination {
    fn kind(&self) -> &'static str {
        "sheets"
    }

    fn describe(&self) -> String {
        format!("{} sheets in the folder {}", self.sheets, self.place())
    }

    fn check(&self, drive: &Path) -> Result<Vec<Warning>, Refusal> {
        FileDestination::new(self.folder.clone()).check(drive)
    }

    fn holds(&self, content: &Content) -> bool {
        matches!(content, Content::RecoveryPassword { .. })
    }

    fn save(&self, document: &Document) -> Result<SavedCopy, SaveError> {
        let rejected = |why: String| SaveError::Rejected { place: self.place(), why };
        let Content::RecoveryPassword { key_id, password } = &document.content else {
            return Err(rejected("only a recovery key can be split".to_owned()));
        };
        let shares = Share::split(password, *key_id, self.needed, self.sheets)
            .map_err(|error| rejected(error.to_string()))?;
        self.written().clear();
        for share in &shares {
            let sheet = ShareSheet {
                share,
                drive: document.drive.label.as_deref().unwrap_or("(no label)"),
                printed: &date(document.drive.now),
                paper: self.paper,
                wording: &ShareWording::ENGLISH,
            };
            let start = Self::file_name_start(*key_id);
            let path = self.folder.join(format!("{start}{} of {}.pdf", share.number(), self.sheets));
            let saved = sheet.pdf().map_err(|error| rejected(error.to_string()));
            match saved.and_then(|pdf| self.write(&path, &pdf)) {
                Ok(()) => self.written().push(path),
                Err(error) => {
                    // All sheets or none.
                    self.remove_all().map_err(|error| SaveError::from_io(self.place(), error))?;
                    return Err(error);
                }
            }
        }
        let place = format!("{}: {} sheets, any {} open the drive", self.place(), self.sheets, self.needed);
        Ok(SavedCopy { place, name: None, path: Some(self.folder.clone()) })
    }

    /// Puts the key together from the pixels of all sheets. That every one of them lies on the same
    /// polynomial shows that any `needed` of them give the same key.
    fn read_back(&self, _: &SavedCopy) -> Result<ReadBack, SaveError> {
        let shares = self.shares()?;
        let rejected = |why: String| SaveError::Rejected { place: self.place(), why };
        if shares.len() != usize::from(self.sheets) {
            return Err(rejected(format!("{} of {} sheets can be read", shares.len(), self.sheets)));
        }
        let combined = Share::combine(&shares).map_err(|error| rejected(error.to_string()))?;
        Ok(ReadBack::Document(document_of(&combined)))
    }

    fn remove(&self, copy: &SavedCopy) -> Result<(), SaveError> {
        self.remove_all().map_err(|error| SaveError::from_io(copy.place.clone(), error))
    }

    fn finish(&self) -> Result<Option<String>, SaveError> {
        Ok(Some(format!(
            "print the sheets, check them with photos of any {} (lastkey verify DRIVE photo1.jpg photo2.jpg), \
             keep each in another place, and delete these files",
            self.needed
        )))
    }
}

/// Returns a key that was put together, as a document.
pub fn document_of(combined: &Combined) -> Secret<Vec<u8>> {
    let id = combined.key_id.map(|id| format!("Identifier: {id}\n")).unwrap_or_default();
    let digits = combined.key.digits();
    let mut text = Secret::new(Vec::with_capacity(id.len() + digits.expose().len()));
    text.expose_mut().extend(id.bytes());
    text.expose_mut().extend(digits.expose().bytes());
    text
}
