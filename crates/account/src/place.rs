//! What this computer keeps of its accounts, each in a folder of its own:
//!
//! ```text
//! accounts/NAME/account.json    the server, how it is known, and the recipients that the person confirmed
//!               device.key      what this device signs with; it opens no record
//!               checkpoint      the last checkpoint of the server's audit log
//!               waiting/        sealed records that the server does not have yet; *.unproven ones are not to be sent
//!               kept/           receipts, without the records
//!               evidence/       what was wrong with the log, if ever something was
//! ```
//! Nothing here opens a drive: what waits is sealed already. Each file is there whole or not at all, so that a crash
//! leaves what was before or what is now.

mod error;
mod files;
mod spool;

pub use error::PlaceError;
pub use spool::{Kept, Waiting};

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use recovery_key::Secret;
use serde::{Deserialize, Serialize};

use crate::address::Address;
use crate::client::now;
use crate::signature::DeviceKey;
use crate::trust::Trust;
use crate::wire::{Recipient, SEALED_LIMIT};

const FORMAT: u32 = 1;
/// More records never wait: one for each key and snapshot of each drive, and few drives.
const WAITING_LIMIT: usize = 1000;
/// The largest file here: a record in Base64, in JSON.
const FILE_LIMIT: usize = 2 * SEALED_LIMIT;
const NAME_LIMIT: usize = 64;
/// How long another process may work with an account. Longer than a request takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// The folder of all accounts.
#[derive(Clone, Debug)]
pub struct Accounts(PathBuf);

/// An account that this device is signed in to.
#[derive(Debug)]
pub struct Account {
    folder: PathBuf,
    about: About,
    server: Address,
    trust: Trust,
    key: DeviceKey,
}

/// What is known of an account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    format: u32,
    /// The server.
    pub server: String,
    /// The account's name there.
    pub account: String,
    /// The account's ID there.
    pub account_id: String,
    /// The device's ID there.
    pub device: String,
    /// What the device calls itself.
    pub device_name: String,
    /// The key that the audit log is signed with, as it was when the device logged in.
    pub log_key: String,
    /// The server's own certificate in Base64, when it is known by that.
    pub certificate: Option<String>,
    /// To whom records are sealed: as the person confirmed it.
    pub recipients: Vec<Recipient>,
    /// What the server says now, where it is something else.
    pub offered: Option<Vec<Recipient>>,
    /// When the device logged in.
    pub since: i64,
}

type Result<T> = std::result::Result<T, PlaceError>;

impl Accounts {
    /// Names the folder. It is made when it is needed.
    #[must_use]
    pub fn at(folder: PathBuf) -> Self {
        Self(folder)
    }

    /// Returns the names of the accounts, sorted.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn names(&self) -> Result<Vec<String>> {
        let mut names: Vec<_> = files::list(&self.0)?
            .into_iter()
            .filter(|name| is_name(name) && self.0.join(name).join(ABOUT).exists())
            .collect();
        names.sort();
        Ok(names)
    }

    /// Opens an account; `None` when there is none of that name.
    ///
    /// # Errors
    /// When what is kept of it cannot be used.
    pub fn open(&self, name: &str) -> Result<Option<Account>> {
        let folder = self.0.join(name);
        if !is_name(name) || !folder.join(ABOUT).exists() {
            return Ok(None);
        }
        Account::read(folder).map(Some)
    }

    /// Adds an account. What a logout that was cut off has left under the name is taken away: a checkpoint of another
    /// server would be a false alarm.
    ///
    /// # Errors
    /// When the name is taken, or the folder cannot be written.
    pub fn add(&self, name: &str, about: &About, key: &DeviceKey) -> Result<Account> {
        if !is_name(name) {
            return Err(PlaceError::Name { name: name.to_owned() });
        }
        let folder = self.0.join(name);
        if folder.join(ABOUT).exists() {
            return Err(PlaceError::Taken { name: name.to_owned() });
        }
        files::remove_folder(&folder)?;
        files::make_folder(&folder)?;
        for inside in [WAITING, KEPT, EVIDENCE] {
            files::make_folder(&folder.join(inside))?;
        }
        files::write(&folder.join(KEY), key.to_bytes().expose())?;
        // Last: with this file the account is there.
        files::write_json(&folder.join(ABOUT), about)?;
        Account::read(folder)
    }

    /// Forgets an account, with all that waits and all evidence.
    ///
    /// # Errors
    /// When the folder cannot be removed.
    pub fn remove(&self, account: Account) -> Result<()> {
        forget(&account.folder)
    }

    /// Forgets an account without reading anything of it: it may be damaged.
    ///
    /// # Errors
    /// When another process works with it, or the folder cannot be removed.
    pub fn remove_unread(&self, name: &str) -> Result<()> {
        if !is_name(name) {
            return Err(PlaceError::Name { name: name.to_owned() });
        }
        let folder = self.0.join(name);
        drop(lock(&folder)?);
        forget(&folder)
    }
}

fn forget(folder: &Path) -> Result<()> {
    // Without these files the account is gone, whatever else is left.
    for file in [ABOUT, KEY] {
        files::remove(&folder.join(file))?;
    }
    files::remove_folder(folder)
}

/// Waits until no other process works with what is in a folder, and keeps others waiting until the file is closed.
fn lock(folder: &Path) -> Result<File> {
    let path = folder.join(LOCK);
    let io_error = |source| PlaceError::Io { path: path.clone(), source };
    let file = File::options().create(true).truncate(false).write(true).open(&path).map_err(io_error)?;
    let begun = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::Error(source)) => return Err(io_error(source)),
            Err(TryLockError::WouldBlock) if begun.elapsed() > PATIENCE => return Err(PlaceError::Busy),
            Err(TryLockError::WouldBlock) => thread::sleep(Duration::from_millis(50)),
        }
    }
}

const ABOUT: &str = "account.json";
const KEY: &str = "device.key";
const CHECKPOINT: &str = "checkpoint";
const LOCK: &str = "lock";
const WAITING: &str = "waiting";
const KEPT: &str = "kept";
const EVIDENCE: &str = "evidence";

impl About {
    /// Says what is known of an account that was just logged in to.
    #[must_use]
    pub fn new(server: &Address, trust: &Trust, log_key: &str) -> Self {
        let certificate = match trust {
            Trust::System => None,
            Trust::Pinned(certificate) => Some(STANDARD.encode(certificate)),
        };
        Self {
            format: FORMAT,
            server: server.to_string(),
            account: String::new(),
            account_id: String::new(),
            device: String::new(),
            device_name: String::new(),
            log_key: log_key.to_owned(),
            certificate,
            recipients: Vec::new(),
            offered: None,
            since: now(),
        }
    }
}

impl Account {
    fn read(folder: PathBuf) -> Result<Self> {
        let path = folder.join(ABOUT);
        let damaged = |why: &str| PlaceError::Damaged { path: path.clone(), why: why.to_owned() };
        let about: About = files::read_json(&path)?;
        if about.format != FORMAT {
            return Err(damaged("a newer version of this program wrote it"));
        }
        let server = about.server.parse().map_err(|_| damaged("the server is none"))?;
        let trust = match &about.certificate {
            None => Trust::System,
            Some(text) => {
                Trust::Pinned(STANDARD.decode(text).map_err(|_| damaged("the certificate is none"))?)
            }
        };
        let path = folder.join(KEY);
        let bytes = Secret::new(files::read(&path, 32)?);
        let key = Secret::from_slice(bytes.expose())
            .ok_or(PlaceError::Damaged { path, why: "it does not have 32 bytes".to_owned() })?;
        Ok(Self { about, server, trust, key: DeviceKey::from_bytes(&key), folder })
    }

    /// Returns what the account is called on this computer.
    #[must_use]
    pub fn name(&self) -> &str {
        self.folder.file_name().and_then(|name| name.to_str()).unwrap_or_default()
    }

    /// Returns what is known of it.
    #[must_use]
    pub fn about(&self) -> &About {
        &self.about
    }

    /// Returns where its records are, to be shown and to be found again.
    #[must_use]
    pub fn place(&self) -> String {
        format!("{} at {}", self.about.account, self.about.server)
    }

    /// Returns its folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    pub(crate) fn server(&self) -> &Address {
        &self.server
    }

    /// Returns how its server is known.
    #[must_use]
    pub fn trust(&self) -> &Trust {
        &self.trust
    }

    pub(crate) fn key(&self) -> &DeviceKey {
        &self.key
    }

    /// Waits until no other process works with the account, and keeps others waiting until the file is closed. Returns
    /// the account as the last one of them left it.
    ///
    /// # Errors
    /// When the folder cannot be written, or the account is gone.
    pub fn lock(self) -> Result<(Self, File)> {
        let lock = lock(&self.folder)?;
        Ok((Self::read(self.folder)?, lock))
    }

    /// Keeps what the server says of the recipients, and returns whether they are those that the person confirmed.
    /// The keys count; what they are called, the server may say anew.
    pub(crate) fn offer(&mut self, now: Vec<Recipient>) -> Result<bool> {
        let sorted = |recipients: &[Recipient]| {
            let mut keys: Vec<_> = recipients.iter().map(|to| to.recipient.clone()).collect();
            keys.sort();
            keys
        };
        let same = sorted(&now) == sorted(&self.about.recipients);
        let about = match same {
            true => About { recipients: now, offered: None, ..self.about.clone() },
            false => About { offered: Some(now), ..self.about.clone() },
        };
        if about != self.about {
            files::write_json(&self.folder.join(ABOUT), &about)?;
            self.about = about;
        }
        Ok(same)
    }

    /// Takes the recipients that the server has offered: the person has seen them.
    ///
    /// # Errors
    /// When that cannot be kept.
    pub fn accept(&mut self) -> Result<()> {
        if let Some(offered) = self.about.offered.take() {
            self.about.recipients = offered;
            files::write_json(&self.folder.join(ABOUT), &self.about)?;
        }
        Ok(())
    }

    /// Returns the last checkpoint that was seen, signed.
    pub(crate) fn checkpoint(&self) -> Result<Option<String>> {
        let path = self.folder.join(CHECKPOINT);
        if !path.exists() {
            return Ok(None);
        }
        let bytes = files::read(&path, tlog::NOTE_LIMIT)?;
        let damaged = |_| PlaceError::Damaged { path, why: "it is no text".to_owned() };
        String::from_utf8(bytes).map(Some).map_err(damaged)
    }

    /// Returns how many entries the log had when it was last seen.
    #[must_use]
    pub fn log_size(&self) -> Option<u64> {
        let note = self.checkpoint().ok()??;
        note.lines().nth(1)?.parse().ok()
    }

    pub(crate) fn keep_checkpoint(&self, note: &str) -> Result<()> {
        files::write(&self.folder.join(CHECKPOINT), note.as_bytes())
    }
}

/// Makes a name for an account here of its name there.
#[must_use]
pub fn name_of(account: &str) -> String {
    let allowed = |c: char| if is_allowed(c) { c } else { '-' };
    let name: String = account.chars().take(NAME_LIMIT).map(allowed).collect();
    if is_name(&name) { name } else { "account".to_owned() }
}

fn is_allowed(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '-' || c == '_'
}

fn is_name(name: &str) -> bool {
    (1..=NAME_LIMIT).contains(&name.len()) && name.chars().all(is_allowed)
}

#[cfg(test)]
mod tests;
