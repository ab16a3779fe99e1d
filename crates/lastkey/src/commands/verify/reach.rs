//! Going back to a copy by what the record says of its place.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use account::place::Kept;
use account::{ClientError, Session};
use backup::record::Copy;
use backup::{
    Destination, DirectoryDestination, NamedDocument, ReadBack, SaveError, SavedCopy, SheetsDestination,
    UsbDestination,
};
use directory::DirectoryAddress;

use crate::cli::{Seals, SignIn};
use crate::copy::Unsealing;
use crate::failure::Kind;
use crate::{accounts, places};

/// What is left of a copy.
pub enum Reached {
    /// What it says.
    Documents(Vec<NamedDocument>),
    /// A server has just the bytes that were proven before they were sent, and gave a receipt for them again.
    Kept,
    /// It is gone or broken.
    Spoilt(String),
    /// It is somewhere else now, or closed.
    Away(String),
}

/// Reads copies again, and keeps what opened one for the next.
pub struct Reach<'a> {
    seals: &'a Seals,
    sign_in: &'a SignIn,
    unsealing: Unsealing<'a>,
    /// The directories by server, or why one cannot be asked.
    directories: HashMap<String, Result<DirectoryDestination, String>>,
    /// The accounts by place, or why one cannot be asked.
    accounts: HashMap<String, Result<Session, String>>,
}

impl<'a> Reach<'a> {
    /// Takes what opens sealed copies, and who signs in to directories.
    pub fn new(seals: &'a Seals, sign_in: &'a SignIn) -> Self {
        let (directories, accounts) = (HashMap::new(), HashMap::new());
        Self { seals, sign_in, unsealing: Unsealing::new(seals), directories, accounts }
    }

    /// Reads a copy.
    pub fn copy(&mut self, copy: &Copy) -> Reached {
        let path = copy.path.as_deref().map(Path::new);
        match (copy.kind.as_str(), path) {
            ("account", _) => self.account(copy),
            ("directory", _) => self.directory(copy),
            ("sheets", Some(folder)) => self.sheets(copy, folder),
            ("paper", Some(file)) if !file.exists() => printed(),
            ("print", _) => printed(),
            ("usb", path) if path.is_none_or(|path| !path.exists()) => self.stick(copy),
            (_, Some(file)) => self.file(file),
            (_, None) => Reached::Away("nobody can look there from here".to_owned()),
        }
    }

    fn file(&mut self, path: &Path) -> Reached {
        if !path.exists() {
            // Where the folder is gone too, a stick or a share may only be away.
            return if path.parent().is_some_and(Path::is_dir) {
                Reached::Spoilt("the file is gone".to_owned())
            } else {
                Reached::Away("its folder is not there now".to_owned())
            };
        }
        match self.unsealing.open(path) {
            Ok(documents) => Reached::Documents(documents),
            Err(failure) if matches!(failure.kind, Kind::KeyNeeded | Kind::WrongPassword) => {
                let hints = failure.hints.iter().map(|hint| format!("; {hint}"));
                Reached::Away(failure.message + &hints.collect::<String>())
            }
            Err(failure) => Reached::Spoilt(failure.message),
        }
    }

    /// Mounts the stick for a moment, where it is not.
    fn stick(&mut self, copy: &Copy) -> Reached {
        let mut spoilt = None;
        for (stick, copy) in UsbDestination::with_copy(&copy.place) {
            match stick.read_back(&copy) {
                Ok(ReadBack::Document(bytes)) => return Reached::Documents(vec![(copy.name, bytes)]),
                Ok(ReadBack::Withheld(why)) => return Reached::Away(why),
                Err(error) => spoilt = Some(error),
            }
        }
        match spoilt {
            Some(error @ (SaveError::Unreachable { .. } | SaveError::NotPermitted { .. })) => {
                Reached::Away(error.to_string())
            }
            Some(error) => Reached::Spoilt(error.to_string()),
            None => Reached::Away("the drive is not plugged in".to_owned()),
        }
    }

    /// Puts the key together from the sheets in a folder.
    fn sheets(&mut self, copy: &Copy, folder: &Path) -> Reached {
        let Some(key_id) = copy.key_id else { return printed() };
        let start = SheetsDestination::file_name_start(key_id);
        let files = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
        let mut files: Vec<PathBuf> = files
            .filter(|path| {
                path.file_name().and_then(|name| name.to_str()).is_some_and(|n| n.starts_with(&start))
            })
            .collect();
        files.sort();
        if files.is_empty() {
            return printed();
        }
        let mut together = Unsealing::new(self.seals);
        for file in &files {
            if let Err(failure) = together.open(file) {
                return Reached::Spoilt(format!("{}: {}", file.display(), failure.message));
            }
        }
        match together.combined() {
            Some(Ok(document)) => Reached::Documents(vec![(None, document)]),
            Some(Err(error)) => Reached::Spoilt(error.to_string()),
            None => Reached::Spoilt("there is no share of the key on the sheets".to_owned()),
        }
    }

    /// Asks for the receipt again: what a device has sent it cannot read any more.
    fn account(&mut self, copy: &Copy) -> Reached {
        if copy.waiting.is_some() && copy.proven.is_none() {
            return Reached::Away("it waits on this computer: lastkey account send".to_owned());
        }
        let session = self.accounts.entry(copy.place.clone()).or_insert_with(|| {
            let found = accounts::at(&copy.place).map_err(|failure| failure.message)?;
            found.ok_or_else(|| "this device is not signed in to it any more".to_owned())
        });
        let session = match session {
            Ok(session) => session,
            Err(why) => return Reached::Away(why.clone()),
        };
        let kept = match session.account().kept() {
            Ok(kept) => kept,
            Err(error) => return Reached::Spoilt(error.to_string()),
        };
        let is_its = |kept: &&Kept| {
            let key_id = kept.record.key_id.as_deref().map(str::parse).and_then(Result::ok);
            kept.record.volume.parse() == Ok(copy.volume)
                && key_id == copy.key_id
                && kept.record.kind.name() == copy.content
        };
        let Some(kept) = kept.iter().find(is_its) else {
            return Reached::Away("the receipt is not on this computer any more".to_owned());
        };
        match session.check(kept) {
            Ok(_) => Reached::Kept,
            Err(error) if error.may_pass() => Reached::Away(error.to_string()),
            Err(error @ (ClientError::Untrusted { .. } | ClientError::Place(_))) => {
                Reached::Away(error.to_string())
            }
            Err(ClientError::Refused { code, .. }) if code == "not-found" => {
                Reached::Spoilt("the server does not have it any more".to_owned())
            }
            Err(ClientError::Refused { message, .. }) => Reached::Away(message),
            Err(error) => Reached::Spoilt(error.to_string()),
        }
    }

    fn directory(&mut self, copy: &Copy) -> Reached {
        let Ok(address) = DirectoryAddress::parse(&copy.place) else {
            return Reached::Away("its address cannot be read".to_owned());
        };
        if self.sign_in.user.is_none() {
            return Reached::Away("name who signs in with --user".to_owned());
        }
        let directory = self.directories.entry(address.server().to_owned()).or_insert_with(|| {
            let credentials =
                places::credentials(&address, self.sign_in).map_err(|failure| failure.message)?;
            Ok(DirectoryDestination::new(address, credentials, self.sign_in.ca.clone()))
        });
        let directory = match directory {
            Ok(directory) => directory,
            Err(why) => return Reached::Away(why.clone()),
        };
        let saved = SavedCopy { place: copy.place.clone(), ..SavedCopy::default() };
        match directory.read_back(&saved) {
            Ok(ReadBack::Document(bytes)) => Reached::Documents(vec![(None, bytes)]),
            Ok(ReadBack::Withheld(why)) => Reached::Away(why),
            Err(
                error @ (SaveError::Unreachable { .. }
                | SaveError::Locked { .. }
                | SaveError::NotPermitted { .. }),
            ) => Reached::Away(error.to_string()),
            Err(error) => Reached::Spoilt(error.to_string()),
        }
    }
}

fn printed() -> Reached {
    Reached::Away("on paper: lastkey verify DRIVE PHOTO tries a photo of it".to_owned())
}
