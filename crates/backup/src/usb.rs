//! A USB flash drive, or another drive that people unplug.
//!
//! A drive that nobody has mounted is mounted for each step and unmounted after it, so what is read back
//! comes from the medium and from nowhere else, and between the steps it could be pulled out. One that
//! is mounted stays so: there the copy is put on the medium and read past the caches, but whether
//! the drive may be pulled out is for others to say.

mod medium;
mod mounted;
mod stick;

use std::ffi::OsStr;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use drives::{Attached, Layer, Opener, Signature};
use file_attributes::Attributes;

use crate::destination::{Destination, ReadBack, Refusal, SaveError, SavedCopy, Warning};
use crate::document::{Content, Document};
use crate::new_file::{NewFile, sync_folder};
use mounted::{Access, Mounted};
pub use stick::{Stick, StickError, sticks, sticks_among, title};

/// A drive that people unplug.
#[derive(Debug)]
pub struct UsbDestination {
    drive: Attached,
    /// A file could not be given the attributes that Windows gives it.
    plain: AtomicBool,
}

impl UsbDestination {
    /// Takes an attached drive.
    pub fn new(drive: Attached) -> Self {
        Self { drive, plain: AtomicBool::new(false) }
    }

    /// Finds the removable drive of this name: its label, `sdb1`, `/dev/sdb1`, its model, or nothing when there is
    /// only one.
    ///
    /// # Errors
    /// [`StickError`] names the drives there are.
    pub fn find(name: &str) -> Result<Self, StickError> {
        stick::find(name, drives::attached()).map(Self::new)
    }

    /// Returns the drive as it was when it was chosen.
    pub fn drive(&self) -> &Attached {
        &self.drive
    }

    fn place(&self) -> String {
        format!("the USB drive {}", stick::title(&self.drive))
    }

    /// Looks at the drive again. It must be the same one: another one in its place was not chosen.
    fn now(&self) -> Result<Attached, SaveError> {
        self.drive.again().ok_or_else(|| self.gone())
    }

    fn gone(&self) -> SaveError {
        SaveError::Unreachable { place: self.place(), why: "it was taken out".to_owned() }
    }

    fn error(&self, error: io::Error) -> SaveError {
        if self.drive.again().is_some() { SaveError::from_io(self.place(), error) } else { self.gone() }
    }

    /// Does something in the drive's folder. When that was done, it is on the medium.
    fn with<T>(
        &self,
        access: Access,
        work: impl FnOnce(&Path) -> io::Result<T>,
    ) -> Result<(T, Option<PathBuf>), SaveError> {
        let now = self.now()?;
        let mounted = Mounted::open(&now, access).map_err(|why| match self.drive.again() {
            Some(_) => SaveError::Rejected { place: self.place(), why },
            None => self.gone(),
        })?;
        let result = work(mounted.folder());
        let stays_at = mounted.stays_at();
        let closed = mounted.close().and_then(|()| match access {
            Access::Write if stays_at.is_none() => medium::flush(&now),
            _ => Ok(()),
        });
        let value = result.and_then(|value| closed.map(|()| value)).map_err(|error| self.error(error))?;
        Ok((value, stays_at))
    }

    fn copy(&self, name: String, folder: Option<PathBuf>) -> SavedCopy {
        let path = folder.map(|folder| folder.join(&name));
        SavedCopy { place: format!("{}{name}", self.lasting_place()), name: Some(name), path }
    }

    /// Begins every place on this drive, whatever the system calls the drive now.
    fn lasting_place(&self) -> String {
        format!("the USB drive {}, ", stick::name(&self.drive))
    }

    /// Finds the drives, of those that are plugged in, on which the copy may be that was saved at this place.
    pub fn with_copy(place: &str) -> Vec<(Self, SavedCopy)> {
        let drives = sticks().into_iter().map(|stick| Self::new(stick.drive));
        drives
            .filter_map(|drive| {
                let name = place.strip_prefix(&drive.lasting_place())?.to_owned();
                let copy = drive.copy(name, None);
                Some((drive, copy))
            })
            .collect()
    }
}

impl Destination for UsbDestination {
    fn kind(&self) -> &'static str {
        "usb"
    }

    fn describe(&self) -> String {
        self.place()
    }

    fn check(&self, drive: &Path) -> Result<Vec<Warning>, Refusal> {
        let place = || self.place();
        let unusable = |why: &str| Refusal::Unusable { place: place(), why: why.to_owned() };
        let unseen = |source| Refusal::Unseen { place: place(), source };
        let now = self.drive.again().ok_or_else(|| unusable("it was taken out"))?;
        let layers = drives::lies_on(&now.path).map_err(unseen)?;
        if drives::same_drive(&layers, drive).map_err(unseen)? {
            return Err(Refusal::OnTheDrive { place: place() });
        }
        if !now.opened_as.is_empty() {
            let opener = Opener::Cryptsetup;
            return Err(Refusal::OnBitLocker { place: place(), opener, device: Some(now.path) });
        }
        if now.is_bitlocker == Some(true) || now.content == Some(Signature::BitLocker) {
            return Err(unusable("it is a locked BitLocker drive itself"));
        }
        match now.content {
            Some(content) if !stick::holds_files(content) => {
                return Err(Refusal::Unusable {
                    place: place(),
                    why: format!("it holds no files: it is {content}"),
                });
            }
            None if now.mounted_at.is_empty() => return Err(unusable("what is on it cannot be seen")),
            _ => {}
        }
        if now.read_only {
            return Err(unusable("it is write-protected"));
        }
        if let Some(folder) = now.mounted_at.iter().find(|folder| mounted::is_read_only(folder)) {
            let why = format!("it is mounted at {} for reading only", folder.display());
            return Err(Refusal::Unusable { place: place(), why });
        }
        let below = drives::lies_on(drive).unwrap_or_default();
        let shares_disk = below.iter().all(|layer| matches!(layer, Layer::Device { .. }))
            && below.last().is_some_and(|disk| layers.last() == Some(disk));
        Ok(if shares_disk { vec![Warning::SameDisk] } else { Vec::new() })
    }

    fn save(&self, document: &Document) -> Result<SavedCopy, SaveError> {
        let name = document.file_name();
        let mut is_named = false;
        let saved = self.with(Access::Write, |folder| {
            let path = folder.join(&name);
            if path.symlink_metadata().is_ok() {
                return Ok(None);
            }
            let mut new = NewFile::create(folder)?;
            new.file().write_all(document.to_bytes().expose())?;
            let as_in_windows = match new.keep_with(&path, attributes(&document.content)) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(None),
                kept => kept?,
            };
            is_named = true;
            Ok(Some(as_in_windows))
        });
        match saved {
            Ok((Some(as_in_windows), folder)) => {
                self.plain.fetch_or(!as_in_windows && stick::is_of_windows(&self.drive), Ordering::Relaxed);
                Ok(self.copy(name, folder))
            }
            Ok((None, folder)) => {
                let folder = folder.unwrap_or_else(|| stick::title(&self.drive).into());
                Err(SaveError::AlreadyThere { path: folder.join(name) })
            }
            // It has its name, but the end went wrong: it is not known to be on the medium.
            Err(error) if is_named => match self.remove(&self.copy(name, None)) {
                Ok(()) => Err(error),
                Err(_) => {
                    let why =
                        format!("{error}; what was written may still be there, and nothing is known of it");
                    Err(SaveError::Rejected { place: self.place(), why })
                }
            },
            Err(error) => Err(error),
        }
    }

    fn read_back(&self, copy: &SavedCopy) -> Result<ReadBack, SaveError> {
        let name = file_name(copy).ok_or_else(|| self.error(io::ErrorKind::NotFound.into()))?;
        let (bytes, _) = self.with(Access::Read, |folder| medium::read(&folder.join(name)))?;
        Ok(ReadBack::Document(bytes))
    }

    fn remove(&self, copy: &SavedCopy) -> Result<(), SaveError> {
        let name = file_name(copy).ok_or_else(|| self.error(io::ErrorKind::NotFound.into()))?;
        self.with(Access::Write, |folder| {
            std::fs::remove_file(folder.join(name))?;
            sync_folder(folder)
        })?;
        Ok(())
    }

    fn finish(&self) -> Result<Option<String>, SaveError> {
        let Some(now) = self.drive.again() else { return Ok(None) };
        let title = stick::title(&now);
        let mut word = match medium::is_free(&now) {
            Ok(true) => format!("You can remove {title} now."),
            Ok(false) => {
                let place = now.mounted_at.first().map(|folder| format!(" at {}", folder.display()));
                let place = place.unwrap_or_default();
                format!(
                    "What was saved is on the medium. {title} is still in use{place}: eject it before you remove it."
                )
            }
            // Nothing is left to be said once it is out.
            Err(_) if self.drive.again().is_none() => return Ok(None),
            Err(error) => return Err(self.error(error)),
        };
        if self.plain.load(Ordering::Relaxed) {
            word += " This system could not hide the key file as Windows does; it works all the same.";
        }
        Ok(Some(word))
    }
}

/// Returns the attributes that Windows gives the file.
fn attributes(content: &Content) -> Attributes {
    match content {
        Content::ExternalKey(_) => Attributes::READ_ONLY | Attributes::HIDDEN | Attributes::SYSTEM,
        Content::RecoveryPassword { .. } | Content::Snapshot(_) => Attributes::READ_ONLY,
    }
}

/// Returns the name of a copy's file; a path of a drive that is not mounted leads nowhere but to that.
fn file_name(copy: &SavedCopy) -> Option<&OsStr> {
    copy.name.as_deref().map(OsStr::new).or_else(|| copy.path.as_deref()?.file_name())
}
