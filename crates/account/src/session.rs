//! A device at work with its account.

use std::fs::File;
use std::thread;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::address::Address;
use crate::client::{Client, ClientError, Signer, now, one_line};
use crate::log::{Log, hex, measure};
use crate::place::{About, Account, Kept, Waiting};
use crate::signature::{DeviceKey, is_key_id};
use crate::trust::Trust;
use crate::wire::{
    CheckIn, CheckedIn, Consistency, DeviceLogin, DeviceLoginState, NAME_LIMIT, NewDeviceLogin, NewRecord,
    Receipt, Recipient, Server,
};

type Result<T> = std::result::Result<T, ClientError>;

/// A device that asks to be let in.
#[derive(Debug)]
pub struct Login {
    client: Client,
    key: DeviceKey,
    keyid: String,
    about: About,
    server: Server,
    waits: DeviceLogin,
}

/// What came of asking to be let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answered {
    /// The device is let in.
    Confirmed,
    /// It is not.
    Refused,
    /// Nobody has answered while the code was good.
    Nobody,
    /// Whoever waited wants no more.
    Stopped,
}

/// Returns what a device calls itself: what a person gave it, or the computer's own name.
#[must_use]
pub fn device_name(given: Option<&str>) -> String {
    let own = given.map(str::to_owned).or_else(computer_name).unwrap_or_default();
    let mut name: String = own.trim().chars().filter(|c| !c.is_control()).collect();
    while name.len() > NAME_LIMIT {
        name.pop();
    }
    if name.is_empty() { "a computer".to_owned() } else { name }
}

#[cfg(unix)]
fn computer_name() -> Option<String> {
    Some(rustix::system::uname().nodename().to_string_lossy().into_owned())
}

#[cfg(not(unix))]
fn computer_name() -> Option<String> {
    std::env::var("COMPUTERNAME").ok()
}

impl Login {
    /// How long to wait before asking again how it stands.
    pub const PAUSE: Duration = Duration::from_secs(2);

    /// Asks.
    ///
    /// # Errors
    /// When the server does not take it.
    pub fn begin(address: Address, trust: Trust, device_name: &str) -> Result<Self> {
        let key = DeviceKey::generate()?;
        let keyid = STANDARD.encode(key.public());
        let client = Client::new(address, trust.clone());
        let mut server = client.server()?;
        server.portal = one_line(&server.portal);
        let asked = NewDeviceLogin { name: device_name.to_owned(), public_key: keyid.clone() };
        let mut waits: DeviceLogin =
            client.post("/api/v1/device-logins", &asked, Signer { key: &key, keyid: &keyid })?;
        waits.code = one_line(&waits.code);
        let mut about = About::new(client.address(), &trust, &server.log_key);
        about.device_name = device_name.to_owned();
        Ok(Self { client, key, keyid, about, server, waits })
    }

    /// Returns what the person types into the portal, and until when that is good.
    #[must_use]
    pub fn code(&self) -> (&str, i64) {
        (&self.waits.code, self.waits.expires)
    }

    /// Returns who the server says it is.
    #[must_use]
    pub fn server(&self) -> &Server {
        &self.server
    }

    /// Asks how it stands. What the server then says of the account goes into what is returned.
    ///
    /// # Errors
    /// When it does not say.
    pub fn state(&mut self) -> Result<DeviceLoginState> {
        let target = format!("/api/v1/device-logins/{}", in_path(&self.waits.id));
        let state = self.client.get(&target, Some(Signer { key: &self.key, keyid: &self.keyid }))?;
        if let DeviceLoginState::Confirmed { device, account, account_id, recipients } = &state {
            if !is_key_id(device) {
                return Err(self.client.strange("the device's ID is none".to_owned()));
            }
            self.about.device.clone_from(device);
            self.about.account = one_line(account);
            self.about.account_id = one_line(account_id);
            self.about.recipients = shown(recipients);
        }
        Ok(state)
    }

    /// Asks again and again until somebody has answered, as long as the code is good and `goes_on` says so.
    ///
    /// # Errors
    /// When the server does not say, and asking again would not help.
    pub fn wait(&mut self, mut goes_on: impl FnMut() -> bool) -> Result<Answered> {
        // By this computer's clock alone: the server's may be another one.
        let patience = self.waits.expires.saturating_sub(self.server.now);
        let begun = Instant::now();
        while goes_on() {
            match self.state() {
                Ok(DeviceLoginState::Confirmed { .. }) => return Ok(Answered::Confirmed),
                Ok(DeviceLoginState::Refused) => return Ok(Answered::Refused),
                Ok(DeviceLoginState::Waiting) => {}
                Err(error) if error.may_pass() => {}
                Err(ClientError::Refused { code, .. }) if code == "not-found" => return Ok(Answered::Nobody),
                Err(error) => return Err(error),
            }
            if i64::try_from(begun.elapsed().as_secs()).is_ok_and(|waited| waited > patience) {
                return Ok(Answered::Nobody);
            }
            thread::sleep(Self::PAUSE);
        }
        Ok(Answered::Stopped)
    }

    /// Returns what is known of the account, and the device's key.
    #[must_use]
    pub fn finish(self) -> (About, DeviceKey) {
        (self.about, self.key)
    }
}

/// A device that is signed in. While it lives, no other process works with the account.
#[derive(Debug)]
pub struct Session {
    account: Account,
    client: Client,
    _lock: File,
}

impl Session {
    /// Begins. Nothing is said to the server yet.
    ///
    /// # Errors
    /// When what is kept of the account cannot be used.
    pub fn begin(account: Account) -> Result<Self> {
        let (account, lock) = account.lock()?;
        account.sweep();
        let client = Client::new(account.server().clone(), account.trust().clone());
        Ok(Self { account, client, _lock: lock })
    }

    /// Returns the account.
    #[must_use]
    pub fn account(&self) -> &Account {
        &self.account
    }

    /// Ends, and gives the account back.
    #[must_use]
    pub fn end(self) -> Account {
        self.account
    }

    /// Asks to whom records are sealed, and whether it is to those that the person confirmed.
    ///
    /// # Errors
    /// [`ClientError::Recipients`] when they are others.
    pub fn recipients(&mut self) -> Result<()> {
        let now: Vec<Recipient> = self.client.get("/api/v1/recipients", Some(self.signer()))?;
        if self.account.offer(shown(&now))? { Ok(()) } else { Err(ClientError::Recipients) }
    }

    /// Accepts the recipients that the server has offered.
    ///
    /// # Errors
    /// When that cannot be kept.
    pub fn accept(&mut self) -> Result<()> {
        Ok(self.account.accept()?)
    }

    /// Sends a record, checks its receipt, and lets it wait no more.
    ///
    /// # Errors
    /// When the server has it not, or what it says cannot be believed. The record waits on.
    pub fn deliver(&self, record: &NewRecord) -> Result<Kept> {
        let sealed = STANDARD
            .decode(&record.sealed)
            .map_err(|_| ClientError::Receipt("what is to be sent is no Base64".to_owned()))?;
        let own = self.account.about().recipients.iter().map(|to| &to.recipient);
        if !own.eq(&record.recipients) {
            return Err(ClientError::Outdated);
        }
        let receipt: Receipt = match self.client.post("/api/v1/records", record, self.signer()) {
            Err(ClientError::Refused { code, .. }) if code == "recipients" => {
                return Err(ClientError::Recipients);
            }
            answer => answer?,
        };
        let (id, length) = measure(&sealed);
        self.believe(&receipt, &id, length)?;
        let kept = self.account.keep(record, &sealed, receipt)?;
        self.account.drop_waiting(record)?;
        Ok(kept)
    }

    /// Sends everything that waits, and says of each what came of it. Ends at what may pass by itself: the rest
    /// would fare no better now.
    ///
    /// # Errors
    /// When what waits cannot be read.
    pub fn deliver_all(&self) -> Result<Vec<(Waiting, Result<Kept>)>> {
        let mut done = Vec::new();
        for waiting in self.account.waiting()? {
            let result = self.deliver(&waiting.record);
            let ends = result.as_ref().is_err_and(ClientError::may_pass);
            done.push((waiting, result));
            if ends {
                break;
            }
        }
        Ok(done)
    }

    /// Asks for the receipt of a record again, and checks it.
    ///
    /// # Errors
    /// When the server does not have the record any more, or what it says cannot be believed.
    pub fn check(&self, kept: &Kept) -> Result<Receipt> {
        let id = unhex(&kept.receipt.record)
            .ok_or_else(|| ClientError::Receipt("the receipt that is kept here is damaged".to_owned()))?;
        let target = format!("/api/v1/records/{}/receipt", hex(&id));
        let receipt: Receipt = self.client.get(&target, Some(self.signer()))?;
        self.believe(&receipt, &id, kept.length)?;
        Ok(receipt)
    }

    /// Says what the drives are like now.
    ///
    /// # Errors
    /// When the server does not take it.
    pub fn check_in(&self, check_in: &CheckIn) -> Result<CheckedIn> {
        let answer: CheckedIn = self.client.post("/api/v1/check-ins", check_in, self.signer())?;
        let lines = |ids: &[String]| ids.iter().map(|id| one_line(id)).collect();
        Ok(CheckedIn { missing: lines(&answer.missing), stale: lines(&answer.stale) })
    }

    /// Checks a receipt, and that the log only grew. What is wrong with the log is kept as evidence.
    fn believe(&self, receipt: &Receipt, id: &[u8; 32], length: u64) -> Result<()> {
        let last = self.account.checkpoint()?;
        let about = self.account.about();
        let log =
            Log { server: about.server.clone(), log_key: &about.log_key, last: last.as_deref(), now: now() };
        let prove = |from: u64, to: u64| -> Result<Consistency> {
            self.client.get(&format!("/api/v1/audit/consistency?from={from}&to={to}"), None)
        };
        let note = &receipt.inclusion.checkpoint;
        let checked = log.check_receipt(receipt, id, length, about).and_then(|()| log.grow(note, prove));
        match checked {
            Ok(true) => Ok(self.account.keep_checkpoint(note)?),
            Ok(false) => Ok(()),
            Err(error) => {
                if let ClientError::Alarm(alarm) = &error {
                    self.account.keep_evidence(alarm)?;
                }
                Err(error)
            }
        }
    }

    fn signer(&self) -> Signer<'_> {
        Signer { key: self.account.key(), keyid: &self.account.about().device }
    }
}

/// Makes what a server says of recipients something that a terminal can show.
fn shown(recipients: &[Recipient]) -> Vec<Recipient> {
    let line = |to: &Recipient| Recipient { recipient: one_line(&to.recipient), name: one_line(&to.name) };
    recipients.iter().map(line).collect()
}

/// What the server calls things goes into paths: nothing that would lead elsewhere.
fn in_path(id: &str) -> String {
    id.chars().take(100).filter(|c| c.is_ascii_alphanumeric() || *c == '-').collect()
}

fn unhex(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    for (byte, at) in bytes.iter_mut().zip((0..64).step_by(2)) {
        *byte = u8::from_str_radix(text.get(at..at + 2)?, 16).ok()?;
    }
    Some(bytes)
}
