//! The server's audit log, as a device watches it: it remembers the last checkpoint it saw, and whatever comes later
//! must grow out of that.

use std::borrow::Cow;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use tlog::{Checkpoint, Hash, NoteVerifier, leaf_hash, verify_consistency, verify_inclusion};

use crate::client::ClientError;
use crate::place::About;
use crate::record;
use crate::wire::{Consistency, Receipt};

/// A proof is never longer: one hash for each level of the largest tree, and one.
const PATH_LIMIT: usize = 65;
/// An entry of a record is never longer, in bytes.
const ENTRY_LIMIT: usize = 4096;

/// The log is not what it was: something that was done was taken back, or is told to others otherwise. It is the
/// evidence at once: both checkpoints are signed by the server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alarm {
    /// What is wrong.
    pub why: String,
    /// The server.
    pub server: String,
    /// When it was seen, in seconds since 1970.
    pub seen: i64,
    /// The key that signs the log, as it was when the device logged in.
    pub log_key: String,
    /// The checkpoint that was seen before.
    pub before: Option<String>,
    /// The checkpoint now.
    pub after: String,
    /// The proof that the server gave of what lies between them.
    pub proof: Option<Vec<String>>,
}

impl std::error::Error for Alarm {}

impl fmt::Display for Alarm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ALARM: the audit log of {} is not what it was: {}", self.server, self.why)
    }
}

impl Alarm {
    /// What any alarm may mean: a device cannot tell these two apart.
    pub const MEANING: &str = "either the server was restored from an older backup or set up anew, and what was done \
                               there since then is missing, records and all, whatever receipts this device has; or \
                               somebody has taken out what was done there, or shows you another log than others";
}

/// What the log says of a record, as far as it is looked at.
#[derive(Deserialize)]
struct Entry<'e> {
    #[serde(borrow)]
    act: Cow<'e, str>,
    #[serde(borrow)]
    outcome: Cow<'e, str>,
    #[serde(borrow)]
    account: Option<Cow<'e, str>>,
    #[serde(borrow)]
    device: Option<Cow<'e, str>>,
    #[serde(borrow)]
    record: Option<Cow<'e, str>>,
}

/// What a device knows of a log.
pub(crate) struct Log<'a> {
    pub server: String,
    /// The key as it was when the device logged in.
    pub log_key: &'a str,
    /// The last checkpoint, signed.
    pub last: Option<&'a str>,
    pub now: i64,
}

impl Log<'_> {
    /// Checks that a receipt is of these bytes, that its entry says that this device has added them to this account,
    /// and that the entry is in the log that its checkpoint is of. That this log grows out of the one that was seen
    /// before, [`Self::grow`] checks.
    pub fn check_receipt(
        &self,
        receipt: &Receipt,
        id: &[u8; 32],
        length: u64,
        about: &About,
    ) -> Result<(), ClientError> {
        let wrong = |why: &str| Err(ClientError::Receipt(why.to_owned()));
        if receipt.record != hex(id) {
            return wrong("the server keeps other bytes");
        }
        if receipt.length != length {
            return wrong("the server keeps another number of bytes");
        }
        let inclusion = &receipt.inclusion;
        let checkpoint = self.open(&inclusion.checkpoint)?;
        let (Some(hash), Some(path)) = (hash(&inclusion.hash), hashes(&inclusion.path)) else {
            return wrong("its proof is malformed");
        };
        if receipt.entry.len() > ENTRY_LIMIT || leaf_hash(receipt.entry.as_bytes()) != hash {
            return wrong("its entry is not the one that it proves");
        }
        let said = |entry: &Entry<'_>| {
            (entry.act == "record.add" && entry.outcome == "done")
                && entry.record.as_deref() == Some(hex(id).as_str())
                && entry.device.as_deref() == Some(about.device.as_str())
                && entry.account.as_deref() == Some(about.account_id.as_str())
        };
        if !serde_json::from_str(&receipt.entry).is_ok_and(|entry| said(&entry)) {
            return wrong("its entry does not say that this device has added this record to this account");
        }
        match verify_inclusion(&hash, inclusion.leaf, checkpoint.size, &path, &checkpoint.root) {
            Ok(()) => Ok(()),
            Err(error) => wrong(&format!("it is not in the audit log: {error}")),
        }
    }

    /// Checks that a checkpoint and the last one are of one log, and says whether it is the newer one. `prove` asks
    /// the server to prove that the log of one size begins with that of another.
    pub fn grow(
        &self,
        note: &str,
        prove: impl FnOnce(u64, u64) -> Result<Consistency, ClientError>,
    ) -> Result<bool, ClientError> {
        let new = self.open(note)?;
        let Some(last) = self.last.map(|last| self.open(last)).transpose()? else { return Ok(true) };
        if new.size == last.size {
            return match new.root == last.root {
                true => Ok(false),
                false => Err(self.alarm(
                    note,
                    &format!(
                        "it forked: there are two logs of {} entries that say different things",
                        new.size
                    ),
                    None,
                )),
            };
        }
        // An answer may be overtaken by another one: what counts is that both are of one log.
        let newer = new.size > last.size;
        let (short, long) = if newer { (&last, &new) } else { (&new, &last) };
        let proof = match prove(short.size, long.size) {
            Ok(proof) => proof.path,
            Err(ClientError::Refused { code, message, .. }) if code == "invalid" || code == "not-found" => {
                let why = if newer {
                    format!("the server does not prove that it only grew: {message}")
                } else {
                    format!("it shrank from {} entries to {}: {message}", last.size, new.size)
                };
                return Err(self.alarm(note, &why, None));
            }
            Err(error) => return Err(error),
        };
        let held = hashes(&proof).is_some_and(|path| {
            verify_consistency(short.size, &short.root, long.size, &long.root, &path).is_ok()
        });
        if held {
            return Ok(newer);
        }
        let why = format!(
            "it forked: what was in it when it had {} entries is not in it any more, now that it has {}",
            last.size, new.size
        );
        Err(self.alarm(note, &why, Some(proof.into_iter().take(PATH_LIMIT).collect())))
    }

    fn open(&self, note: &str) -> Result<Checkpoint, ClientError> {
        let verifier = NoteVerifier::parse(self.log_key);
        verifier.and_then(|verifier| Checkpoint::open(note, &verifier)).map_err(|error| {
            self.alarm(
                note,
                &format!(
                    "a checkpoint of it is not signed by the key that the server had at the login: {error}"
                ),
                None,
            )
        })
    }

    fn alarm(&self, note: &str, why: &str, proof: Option<Vec<String>>) -> ClientError {
        ClientError::Alarm(Box::new(Alarm {
            why: why.to_owned(),
            server: self.server.clone(),
            seen: self.now,
            log_key: self.log_key.to_owned(),
            before: self.last.map(str::to_owned),
            after: note.to_owned(),
            proof,
        }))
    }
}

fn hash(text: &str) -> Option<Hash> {
    STANDARD.decode(text).ok()?.try_into().ok()
}

fn hashes(path: &[String]) -> Option<Vec<Hash>> {
    (path.len() <= PATH_LIMIT).then(|| path.iter().map(|text| hash(text)).collect())?
}

/// Writes a record's ID.
pub(crate) fn hex(id: &[u8; 32]) -> String {
    id.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Returns ID and length of sealed bytes.
pub(crate) fn measure(sealed: &[u8]) -> ([u8; 32], u64) {
    (record::id(sealed), sealed.len() as u64)
}
