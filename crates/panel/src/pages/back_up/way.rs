//! Where a copy goes, as a person has chosen it.

use std::path::PathBuf;

use account::Session;
use backup::keepass::Credentials;
use backup::{
    AccountDestination, Destination, DirectoryDestination, FileDestination, FindError, ImportDestination,
    KeePassDestination, Manager, PaperDestination, PrintDestination, UsbDestination,
};
use directory::DirectoryAddress;
use drives::Attached;
use paper::Paper;
use sealed::Seal;

use super::refusals;
use crate::app::App;
use crate::jobs::Job;
use crate::told::Told;

/// Where a copy goes, as a person has chosen it.
pub enum Way {
    /// To a drive that people unplug.
    Usb(Attached),
    /// To a folder, perhaps sealed.
    File(PathBuf, Option<Seal>),
    /// To a PDF of the page, in a folder.
    Pdf(PathBuf, Paper),
    /// To a printer: its name or its address.
    Print(String, Paper),
    /// To an account of this name.
    Account(String),
    /// To a computer in a directory.
    Directory(DirectoryAddress, directory::Credentials, Option<PathBuf>),
    /// To a database of KeePass.
    KeePass(PathBuf, Credentials),
    /// To a file that a password manager imports.
    Import(Manager, PathBuf),
}

impl Way {
    /// Returns where its page is, below that of the drive.
    pub fn path(&self) -> &'static str {
        match self {
            Self::Usb(_) => "usb",
            Self::File(..) => "file",
            Self::Pdf(..) => "pdf",
            Self::Print(..) => "print",
            Self::Account(_) => "account",
            Self::Directory(..) => "directory",
            Self::KeePass(..) | Self::Import(..) => "passwords",
        }
    }

    /// Returns the place, as a person knows it.
    pub fn place(&self) -> String {
        match self {
            Self::Usb(drive) => backup::title(drive),
            Self::File(path, _) | Self::Pdf(path, _) | Self::KeePass(path, _) | Self::Import(_, path) => {
                path.display().to_string()
            }
            Self::Print(name, _) | Self::Account(name) => name.clone(),
            Self::Directory(address, ..) => address.to_string(),
        }
    }

    /// Makes the place of it that can be saved to.
    pub fn into_destination(self, app: &App, job: &Job) -> Result<Box<dyn Destination>, Told> {
        Ok(match self {
            Self::Usb(drive) => Box::new(UsbDestination::new(drive)),
            Self::File(folder, None) => Box::new(FileDestination::new(folder)),
            Self::File(folder, Some(seal)) => Box::new(FileDestination::new(folder).sealed(seal)),
            Self::Pdf(folder, paper) => Box::new(PaperDestination::new(folder, paper)),
            Self::Print(name, paper) => {
                let printer = PrintDestination::find(&name, paper, job.stopper());
                Box::new(printer.map_err(|error| match error {
                    FindError::NoMatch { .. } => Told::new("back-up-no-printer").with("name", name),
                    error => Told::quoted(error.to_string()),
                })?)
            }
            Self::Account(name) => {
                let account = app.accounts().and_then(|accounts| accounts.open(&name).transpose());
                let account = account.ok_or_else(|| Told::new("back-up-no-account").with("name", name))?;
                let account = account.map_err(|error| Told::quoted(error.to_string()))?;
                let session = Session::begin(account).map_err(|error| refusals::client_error(&error))?;
                Box::new(AccountDestination::new(session))
            }
            Self::Directory(address, credentials, ca) => {
                Box::new(DirectoryDestination::new(address, credentials, ca))
            }
            Self::KeePass(path, credentials) => Box::new(KeePassDestination::new(path, credentials)),
            Self::Import(manager, path) => Box::new(ImportDestination::new(manager, path)),
        })
    }
}
