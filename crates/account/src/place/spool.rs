//! What waits to be sent, the receipts of what was, and the evidence against a log.

use std::cmp::Reverse;
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::{Account, EVIDENCE, KEPT, PlaceError, Result, WAITING, WAITING_LIMIT, files};
use crate::client::now;
use crate::log::{Alarm, hex, measure};
use crate::wire::{NewRecord, Receipt};

/// A sealed record that the server does not have yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    /// What is to be sent.
    pub record: NewRecord,
    /// Since when it waits.
    pub since: i64,
}

/// A record that the server has, and its receipt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// What was sent; `sealed` is empty.
    pub record: NewRecord,
    /// The length of what was sealed.
    pub length: u64,
    /// What the server said.
    pub receipt: Receipt,
}

impl Account {
    /// Lets a sealed record wait. One of the same key or drive that still waits is not needed any more.
    ///
    /// # Errors
    /// When it cannot be written, or too much waits.
    pub fn wait(&self, record: NewRecord) -> Result<Waiting> {
        let waiting = Waiting { record, since: now() };
        let path = self.path_of(&waiting.record);
        if !path.exists() && files::list(&self.folder.join(WAITING))?.len() >= WAITING_LIMIT {
            return Err(PlaceError::Full);
        }
        files::write_json(&path, &waiting)?;
        Ok(waiting)
    }

    /// Reads a record that waits again, from the medium.
    ///
    /// # Errors
    /// When it is not there, or damaged.
    pub fn read_waiting(&self, record: &NewRecord) -> Result<Vec<u8>> {
        let path = self.path_of(record);
        let waiting: Waiting = files::read_json(&path)?;
        let damaged = |_| PlaceError::Damaged { path, why: "its Base64 is none".to_owned() };
        STANDARD.decode(waiting.record.sealed).map_err(damaged)
    }

    /// Lets a record wait no more.
    ///
    /// # Errors
    /// When it is still there.
    pub fn drop_waiting(&self, record: &NewRecord) -> Result<()> {
        let path = self.path_of(record);
        let same = files::read_json::<Waiting>(&path).is_ok_and(|there| there.record == *record);
        // A newer one may have taken its place.
        if same { files::remove(&path) } else { Ok(()) }
    }

    /// Returns what waits, the oldest first.
    ///
    /// # Errors
    /// When the folder cannot be read, or a file in it is damaged.
    pub fn waiting(&self) -> Result<Vec<Waiting>> {
        let mut all: Vec<Waiting> = files::read_all(&self.folder.join(WAITING))?;
        all.sort_by_key(|waiting| waiting.since);
        Ok(all)
    }

    /// Keeps a receipt.
    pub(crate) fn keep(&self, record: &NewRecord, sealed: &[u8], receipt: Receipt) -> Result<Kept> {
        let (id, length) = measure(sealed);
        let record = NewRecord { sealed: String::new(), ..record.clone() };
        let kept = Kept { record, length, receipt };
        files::write_json(&self.folder.join(KEPT).join(format!("{}.json", hex(&id))), &kept)?;
        Ok(kept)
    }

    /// Returns the receipts, the latest first.
    ///
    /// # Errors
    /// When the folder cannot be read, or a file in it is damaged.
    pub fn kept(&self) -> Result<Vec<Kept>> {
        let mut all: Vec<Kept> = files::read_all(&self.folder.join(KEPT))?;
        all.sort_by_key(|kept| Reverse((kept.receipt.uploaded, kept.receipt.inclusion.leaf)));
        Ok(all)
    }

    /// Keeps what is wrong with the log. It is never taken away but by logging out.
    pub(crate) fn keep_evidence(&self, alarm: &Alarm) -> Result<()> {
        let (id, _) = measure(alarm.after.as_bytes());
        let name: String = hex(&id).chars().take(16).collect();
        let path = self.folder.join(EVIDENCE).join(format!("{name}.json"));
        // The first of its kind says when it began.
        if path.exists() { Ok(()) } else { files::write_json(&path, alarm) }
    }

    /// Returns what was wrong with the log, the latest last.
    ///
    /// # Errors
    /// When the folder cannot be read, or a file in it is damaged.
    pub fn evidence(&self) -> Result<Vec<Alarm>> {
        let mut all: Vec<Alarm> = files::read_all(&self.folder.join(EVIDENCE))?;
        all.sort_by_key(|alarm| alarm.seen);
        Ok(all)
    }

    fn path_of(&self, record: &NewRecord) -> PathBuf {
        let what = record.key_id.as_deref().unwrap_or("metadata");
        self.folder.join(WAITING).join(format!("{} {what}.json", record.volume))
    }
}
