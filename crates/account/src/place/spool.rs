//! What waits to be sent, the receipts of what was, and the evidence against a log.

use std::cmp::Reverse;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::{Account, EVIDENCE, KEPT, PlaceError, Result, WAITING, WAITING_LIMIT, files};
use crate::client::now;
use crate::log::{Alarm, hex, measure};
use crate::wire::{NewRecord, Receipt};

/// What the names of files end in that are not proven yet: nobody who looks for what waits sees them.
const UNPROVEN: &str = ".unproven";

/// A sealed record that is proven, and that the server does not have yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    /// What is to be sent.
    pub record: NewRecord,
    /// Since when it waits.
    pub since: i64,
    /// SHA-256 of the sealed bytes: what is sent is what was proven, however long it has lain here.
    sha256: String,
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
    /// Lays a sealed record down on the medium, to be read back and proven. It does not wait yet: if the proof fails,
    /// or the computer goes off, nobody ever sends it, and an earlier one of the same key or drive is still there.
    ///
    /// # Errors
    /// When it cannot be written, or too much waits.
    pub fn lay_down(&self, record: &NewRecord) -> Result<()> {
        let waiting = files::list(&self.folder.join(WAITING))?;
        let full = waiting.iter().filter(|name| name.ends_with(".json")).count() >= WAITING_LIMIT;
        if full && !self.path_of(record, ".json").exists() {
            return Err(PlaceError::Full);
        }
        let sealed = STANDARD.decode(&record.sealed).unwrap_or_default();
        let waiting = Waiting { record: record.clone(), since: now(), sha256: hex(&measure(&sealed).0) };
        files::write_json(&self.path_of(record, UNPROVEN), &waiting)
    }

    /// Reads a record that was laid down again, from the medium.
    ///
    /// # Errors
    /// When it is not there, or damaged.
    pub fn read_back(&self, record: &NewRecord) -> Result<Vec<u8>> {
        Ok(read_waiting(&self.path_of(record, UNPROVEN))?.1)
    }

    /// Lets a record wait that was laid down, read back and proven. It takes the place of an earlier one of the same
    /// key or drive, which is not needed any more.
    ///
    /// # Errors
    /// When it was not laid down, or the folder cannot be written. The earlier one is still there then.
    pub fn wait(&self, record: &NewRecord) -> Result<()> {
        let path = self.path_of(record, UNPROVEN);
        if read_waiting(&path)?.0.record != *record {
            return Err(PlaceError::Damaged { path, why: "another record lies there".to_owned() });
        }
        files::rename(&path, &self.path_of(record, ".json"))
    }

    /// Takes a record away that was laid down and is not proven.
    ///
    /// # Errors
    /// When it is still there.
    pub fn take_up(&self, record: &NewRecord) -> Result<()> {
        files::remove(&self.path_of(record, UNPROVEN))
    }

    /// Lets a record wait no more.
    ///
    /// # Errors
    /// When it is still there.
    pub fn drop_waiting(&self, record: &NewRecord) -> Result<()> {
        let path = self.path_of(record, ".json");
        let same = read_waiting(&path).is_ok_and(|(there, _)| there.record == *record);
        // A newer one may have taken its place.
        if same { files::remove(&path) } else { Ok(()) }
    }

    /// Returns what waits, the oldest first. What is damaged is left out: [`Self::damaged`] names it.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn waiting(&self) -> Result<Vec<Waiting>> {
        let (mut all, _) = self.read_spool()?;
        all.sort_by_key(|waiting| waiting.since);
        Ok(all)
    }

    fn read_spool(&self) -> Result<(Vec<Waiting>, Vec<PlaceError>)> {
        files::read_each(&self.folder.join(WAITING), |path| Ok(read_waiting(path)?.0))
    }

    fn read_receipts(&self) -> Result<(Vec<Kept>, Vec<PlaceError>)> {
        files::read_each(&self.folder.join(KEPT), files::read_json)
    }

    /// Returns which files of what waits and of the receipts cannot be read, and why. They are left as they are.
    ///
    /// # Errors
    /// When a folder cannot be read.
    pub fn damaged(&self) -> Result<Vec<PlaceError>> {
        let (mut waiting, receipts) = (self.read_spool()?.1, self.read_receipts()?.1);
        waiting.extend(receipts);
        Ok(waiting)
    }

    /// Takes away what a crash left half written or unproven. Nobody else may be at work with the account.
    pub(crate) fn sweep(&self) {
        let folders = [WAITING, KEPT, EVIDENCE].map(|inside| self.folder.join(inside));
        folders.iter().chain([&self.folder]).for_each(|folder| files::sweep(folder, UNPROVEN));
    }

    /// Keeps a receipt.
    pub(crate) fn keep(&self, record: &NewRecord, sealed: &[u8], receipt: Receipt) -> Result<Kept> {
        let (id, length) = measure(sealed);
        let record = NewRecord { sealed: String::new(), ..record.clone() };
        let kept = Kept { record, length, receipt };
        files::write_json(&self.folder.join(KEPT).join(format!("{}.json", hex(&id))), &kept)?;
        Ok(kept)
    }

    /// Returns the receipts, the latest first. What is damaged is left out: [`Self::damaged`] names it.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn kept(&self) -> Result<Vec<Kept>> {
        let (mut all, _) = self.read_receipts()?;
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

    /// Returns what was wrong with the log, the latest last. Evidence that cannot be read is an alarm as well: whoever
    /// damages a file does not end one.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn evidence(&self) -> Result<Vec<Alarm>> {
        let (mut all, damaged) = files::read_each::<Alarm>(&self.folder.join(EVIDENCE), files::read_json)?;
        all.extend(damaged.iter().map(|error| Alarm {
            why: format!("there was an alarm, and its evidence cannot be read: {error}"),
            server: self.about.server.clone(),
            seen: self.about.since,
            log_key: self.about.log_key.clone(),
            before: None,
            after: String::new(),
            proof: None,
        }));
        all.sort_by_key(|alarm| alarm.seen);
        Ok(all)
    }

    fn path_of(&self, record: &NewRecord, ending: &str) -> PathBuf {
        let what = record.key_id.as_deref().unwrap_or("metadata");
        self.folder.join(WAITING).join(format!("{} {what}{ending}", record.volume))
    }
}

/// Reads a record, and that it is the one that was laid down.
fn read_waiting(path: &Path) -> Result<(Waiting, Vec<u8>)> {
    let damaged = |why: &str| PlaceError::Damaged { path: path.to_owned(), why: why.to_owned() };
    let waiting: Waiting = files::read_json(path)?;
    let sealed =
        STANDARD.decode(&waiting.record.sealed).map_err(|_| damaged("what is sealed is no Base64"))?;
    if hex(&measure(&sealed).0) != waiting.sha256 {
        return Err(damaged("what is sealed is not what was proven"));
    }
    Ok((waiting, sealed))
}
