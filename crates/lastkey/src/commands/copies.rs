//! Where the copies of a drive's keys are, as the record knows it.

use backup::record::{Copy, Record, RecordError};
use fve::{FileTime, Protection, ProtectorKind, Volume};
use recovery_key::KeyId;
use serde::Serialize;

use crate::commands::summary;
use crate::words::{self, BOLD, ERROR, GOOD, OFF};

/// The backups of a drive.
#[derive(Serialize)]
pub struct BackupSummary {
    /// Some recovery key of the drive (or external key, when it has none) has a proven copy.
    pub backed_up: bool,
    keys: Vec<KeySummary>,
    /// Copies of keys that the drive does not have any more.
    stale: Vec<CopySummary>,
    /// Copies of the drive's metadata.
    snapshots: Vec<CopySummary>,
}

#[derive(Serialize)]
struct KeySummary {
    key_id: String,
    kind: &'static str,
    backed_up: bool,
    copies: Vec<CopySummary>,
}

#[derive(Serialize)]
struct CopySummary {
    key_id: Option<String>,
    kind: String,
    place: String,
    saved: Option<String>,
    /// When it last opened the drive.
    proven: Option<String>,
    /// When it last failed to.
    failed: Option<String>,
    failure: Option<String>,
    /// Why it is still on this computer and waits to be delivered.
    waiting: Option<String>,
    #[serde(skip)]
    time: i64,
}

impl BackupSummary {
    /// Looks up a volume; `None` when it is not encrypted and needs no backup.
    ///
    /// # Errors
    /// When the record cannot be read.
    pub fn of(volume: &Volume, record: Option<&Record>) -> Result<Option<Self>, RecordError> {
        if volume.protection() == Protection::Off {
            return Ok(None);
        }
        let copies = record.map_or(Ok(Vec::new()), |record| record.copies(volume.id()))?;
        let protectors = volume.protectors();
        let has = |key_id: &KeyId| protectors.iter().any(|protector| protector.id == *key_id);
        let of_kind = |kind| {
            let of_kind = protectors.iter().filter(move |protector| protector.kind == kind);
            of_kind.map(|protector| KeySummary::of(protector.id, protector.kind, &copies)).collect()
        };
        let mut keys: Vec<_> = of_kind(ProtectorKind::RecoveryPassword);
        if keys.is_empty() {
            keys = of_kind(ProtectorKind::ExternalKey);
        }
        let summaries = |wanted: &dyn Fn(&Copy) -> bool| -> Vec<_> {
            copies.iter().filter(|copy| wanted(copy)).map(CopySummary::of).collect()
        };
        Ok(Some(Self {
            backed_up: keys.iter().any(|key| key.backed_up),
            keys,
            stale: summaries(&|copy| copy.key_id.is_some_and(|id| !has(&id))),
            snapshots: summaries(&|copy| copy.key_id.is_none()),
        }))
    }

    /// Returns it in lines for people.
    pub fn lines(&self, drive: &str) -> String {
        let mut lines = Vec::new();
        for key in &self.keys {
            let id = key.key_id.get(..8).unwrap_or(&key.key_id);
            for copy in &key.copies {
                lines.push(format!("  copy of      {BOLD}{id}{OFF}  {}", copy.words()));
            }
        }
        for copy in &self.snapshots {
            let waits = if copy.waiting.is_some() { ": waiting, not saved yet" } else { "" };
            lines.push(format!("  metadata     {}{waits}", copy.place));
        }
        for copy in &self.stale {
            let id = copy.key_id.as_deref().and_then(|id| id.get(..8)).unwrap_or_default();
            lines.push(format!(
                "  stale        {BOLD}{id}{OFF}  {}: the drive does not have this key any more",
                copy.place
            ));
        }
        if !self.backed_up {
            lines.push(format!(
                "  {ERROR}NOT BACKED UP{OFF}  no proven copy of its key is known: lastkey backup {drive}"
            ));
        }
        lines.join("\n")
    }
}

impl KeySummary {
    fn of(key_id: KeyId, kind: ProtectorKind, copies: &[Copy]) -> Self {
        let copies: Vec<_> =
            copies.iter().filter(|copy| copy.key_id == Some(key_id)).map(CopySummary::of).collect();
        let backed_up = copies.iter().any(|copy| copy.proven.is_some() && copy.failed.is_none());
        Self { key_id: key_id.to_string(), kind: summary::kind(kind), backed_up, copies }
    }
}

impl CopySummary {
    fn of(copy: &Copy) -> Self {
        let utc = |seconds| words::utc(FileTime::from_unix(seconds, 0));
        Self {
            key_id: copy.key_id.map(|id| id.to_string()),
            kind: copy.kind.clone(),
            place: copy.place.clone(),
            saved: utc(copy.saved),
            proven: copy.proven.and_then(utc),
            failed: copy.failed.as_ref().and_then(|(time, _)| utc(*time)),
            failure: copy.failed.as_ref().map(|(_, why)| why.clone()),
            waiting: copy.waiting.clone(),
            time: match (&copy.waiting, &copy.failed) {
                (Some(_), _) => copy.saved,
                (None, Some((time, _))) => *time,
                (None, None) => copy.proven.unwrap_or(copy.saved),
            },
        }
    }

    fn words(&self) -> String {
        let time = words::time(FileTime::from_unix(self.time, 0));
        if let Some(why) = &self.waiting {
            return format!("{}: {ERROR}waiting, not backed up yet{OFF}, since {time}: {why}", self.place);
        }
        match (&self.failure, &self.proven) {
            (Some(why), _) => format!("{}: {ERROR}failed{OFF} {time}: {why}", self.place),
            (None, Some(_)) => format!("{}: {GOOD}proven{OFF} {time}", self.place),
            (None, None) => format!("{}: {ERROR}never proven{OFF}, stored {time}", self.place),
        }
    }
}
