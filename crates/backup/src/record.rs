//! The record: which drives were seen, where the copies of their keys are, when each was proven.
//!
//! A small SQLite file without any secret: losing it loses no key, and reading it opens no drive. Every
//! change is one transaction, so that a kill leaves either all of it or nothing, and a second process
//! waits for its turn.

mod dependence;
mod reconcile;
mod schema;

use std::fs;
use std::path::Path;
use std::time::Duration;

use fve::{ProtectorKind, Volume};
use recovery_key::KeyId;
use rusqlite::{Connection, OpenFlags, Row, TransactionBehavior, params};
use uuid::Uuid;

pub use reconcile::ReconcileError;

use crate::{Backup, Document, Standing};

/// The record of this computer, or of a person on it.
#[derive(Debug)]
pub struct Record(Connection);

/// Why the record cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// The file cannot be made.
    #[error("its folder cannot be made: {0}")]
    Folder(std::io::Error),
    /// The file is another program's.
    #[error("it is no record of lastkey")]
    Foreign,
    /// A newer version of this program wrote it.
    #[error("a newer version of this program wrote it (format {0})")]
    Newer(i64),
    /// The database says no.
    #[error(transparent)]
    Database(#[from] rusqlite::Error),
}

type Result<T> = std::result::Result<T, RecordError>;

/// A copy that was made or found, and what is known of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copy {
    /// Its number in the record.
    pub id: i64,
    /// The volume that the key is for.
    pub volume: Uuid,
    /// The key ID; none for a snapshot of the metadata.
    pub key_id: Option<KeyId>,
    /// What the key opens, for programs: `recovery-key`, `external-key`, `snapshot`.
    pub content: String,
    /// What kind of place it is at: see [`crate::Destination::kind`].
    pub kind: String,
    /// Where it is.
    pub place: String,
    /// The file that it is, where it is one.
    pub path: Option<String>,
    /// The BitLocker volume that the place lies on, if it does.
    pub lies_on: Option<Uuid>,
    /// When it was saved, in seconds since 1970.
    pub saved: i64,
    /// When it last opened the drive.
    pub proven: Option<i64>,
    /// When it last failed to, later than that, and why.
    pub failed: Option<(i64, String)>,
    /// Why it is still on this computer and waits to be delivered.
    pub waiting: Option<String>,
    /// The drive was seen without the protector that this key opens.
    pub stale: bool,
}

/// A drive that was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The volume's GUID.
    pub volume: Uuid,
    /// The label that Windows gave it.
    pub label: Option<String>,
    /// What the drive was called when it was last seen: a device or an image file.
    pub drive: String,
    /// When it was last seen, in seconds since 1970.
    pub time: i64,
}

impl Record {
    /// Opens the record, and makes it where there is none.
    ///
    /// # Errors
    /// When it cannot be made, or is no record.
    pub fn open(path: &Path) -> Result<Self> {
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            fs::create_dir_all(folder).map_err(RecordError::Folder)?;
        }
        // Where keys are is nobody else's business. SQLite gives its other files the same rights.
        #[cfg(unix)]
        if !path.exists() {
            use std::os::unix::fs::OpenOptionsExt;
            let mut options = fs::OpenOptions::new();
            options.write(true).create(true).truncate(false).mode(0o600);
            options.open(path).map_err(RecordError::Folder)?;
        }
        schema::prepare(Connection::open(path)?).map(Self)
    }

    /// Opens the record to look into; `None` when there is none.
    ///
    /// # Errors
    /// When it cannot be read, or is no record.
    pub fn look(path: &Path) -> Result<Option<Self>> {
        if !path.try_exists().map_err(RecordError::Folder)? {
            return Ok(None);
        }
        // What a killed process left half written is undone first, and that takes writing.
        let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        connection.busy_timeout(PATIENCE)?;
        let is_there = schema::check(&connection)? != 0;
        is_there.then(|| schema::prepare(connection).map(Self)).transpose()
    }

    /// Notes that a drive was seen, and which protectors it has now.
    ///
    /// # Errors
    /// When the record cannot be written.
    pub fn see(&mut self, volume: &Volume, drive: &str, now: i64) -> Result<()> {
        let id = volume.id().to_string();
        let change = self.0.transaction_with_behavior(TransactionBehavior::Immediate)?;
        change.execute(
            "INSERT INTO volume (id, label, drive, seen) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (id) DO UPDATE SET label = ?2, drive = ?3, seen = ?4",
            params![id, volume.metadata().label(), drive, now],
        )?;
        change.execute("DELETE FROM protector WHERE volume = ?1", [&id])?;
        for protector in volume.protectors() {
            change.execute(
                "INSERT OR IGNORE INTO protector (volume, key_id, kind) VALUES (?1, ?2, ?3)",
                params![id, protector.id.to_string(), content(Some(protector.kind))],
            )?;
        }
        Ok(change.commit()?)
    }

    /// Notes a copy that was just made. `lies_on` is the BitLocker volume that the place lies on.
    ///
    /// # Errors
    /// When the record cannot be written.
    pub fn note(
        &mut self,
        document: &Document,
        kind: &str,
        backup: &Backup,
        lies_on: Option<Uuid>,
    ) -> Result<()> {
        let now = document.drive.now;
        let proven = matches!(backup.standing, Standing::Proven(_) | Standing::Intact).then_some(now);
        let waiting = match &backup.standing {
            Standing::Waiting(why) => Some(why),
            _ => None,
        };
        let path = backup.copy.path.as_ref().and_then(|path| std::path::absolute(path).ok());
        self.0.execute(
            "INSERT INTO copy (volume, key_id, content, kind, place, path, lies_on, saved, proven, waiting)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
             ON CONFLICT (volume, key_id, content, kind, place) DO UPDATE SET
             path = ?6, lies_on = ?7, saved = ?8, proven = ifnull(?9, iif(?10 IS NULL, NULL, proven)),
             waiting = ?10, failed = NULL, failure = NULL",
            params![
                document.drive.volume.to_string(),
                document.key_id().map(|id| id.to_string()).unwrap_or_default(),
                content(document.kind()),
                kind,
                backup.copy.place,
                path.and_then(|path| path.to_str().map(str::to_owned)),
                lies_on.map(|volume| volume.to_string()),
                now,
                proven,
                waiting,
            ],
        )?;
        Ok(())
    }

    /// Notes that a copy was tried again, and what came of it.
    ///
    /// # Errors
    /// When the record cannot be written.
    pub fn tried(&mut self, copy: i64, outcome: std::result::Result<(), &str>, now: i64) -> Result<()> {
        match outcome {
            Ok(()) => self.0.execute(
                "UPDATE copy SET proven = ?2, failed = NULL, failure = NULL WHERE id = ?1",
                params![copy, now],
            )?,
            Err(why) => self.0.execute(
                "UPDATE copy SET failed = ?2, failure = ?3 WHERE id = ?1",
                params![copy, now, why],
            )?,
        };
        Ok(())
    }

    /// Notes that a copy at a place which waited has been delivered, sealed and proven at a time. What is waiting
    /// there since then waits on.
    ///
    /// # Errors
    /// When the record cannot be written.
    pub fn delivered(
        &mut self,
        (volume, key_id, content): (Uuid, Option<KeyId>, &str),
        kind: &str,
        place: &str,
        proven: i64,
    ) -> Result<()> {
        self.0.execute(
            "UPDATE copy SET proven = ?6, waiting = NULL, failed = NULL, failure = NULL
             WHERE volume = ?1 AND key_id = ?2 AND content = ?3 AND kind = ?4 AND place = ?5
             AND waiting IS NOT NULL AND saved <= ?6",
            params![
                volume.to_string(),
                key_id.map(|id| id.to_string()).unwrap_or_default(),
                content,
                kind,
                place,
                proven
            ],
        )?;
        Ok(())
    }

    /// Forgets a copy: the person says that it is gone.
    ///
    /// # Errors
    /// When the record cannot be written.
    pub fn forget(&mut self, copy: i64) -> Result<()> {
        self.0.execute("DELETE FROM copy WHERE id = ?1", [copy])?;
        Ok(())
    }

    /// Returns the drives that were seen, the latest first.
    ///
    /// # Errors
    /// When the record cannot be read.
    pub fn seen(&self) -> Result<Vec<Seen>> {
        let mut query = self.0.prepare("SELECT id, label, drive, seen FROM volume ORDER BY seen DESC, id")?;
        let rows = query.query_map([], |row| {
            Ok(Seen {
                volume: guid(row, 0)?.unwrap_or_default(),
                label: row.get(1)?,
                drive: row.get(2)?,
                time: row.get(3)?,
            })
        })?;
        Ok(rows.collect::<std::result::Result<_, _>>()?)
    }

    /// Returns the copies of a volume's keys, the latest first.
    ///
    /// # Errors
    /// When the record cannot be read.
    pub fn copies(&self, volume: Uuid) -> Result<Vec<Copy>> {
        let mut query = self.0.prepare(
            "SELECT id, volume, key_id, content, kind, place, path, lies_on, saved, proven, failed, failure, waiting,
                    key_id != '' AND EXISTS (SELECT 1 FROM volume WHERE id = copy.volume)
                    AND NOT EXISTS (SELECT 1 FROM protector AS p
                                    WHERE p.volume = copy.volume AND p.key_id = copy.key_id)
             FROM copy WHERE volume = ?1 ORDER BY saved DESC, id DESC",
        )?;
        let rows = query.query_map([volume.to_string()], |row| {
            let failed: Option<i64> = row.get(10)?;
            Ok(Copy {
                id: row.get(0)?,
                volume: guid(row, 1)?.unwrap_or_default(),
                key_id: row.get::<_, String>(2)?.parse().ok(),
                content: row.get(3)?,
                kind: row.get(4)?,
                place: row.get(5)?,
                path: row.get(6)?,
                lies_on: guid(row, 7)?,
                saved: row.get(8)?,
                proven: row.get(9)?,
                failed: failed.zip(row.get(11)?),
                waiting: row.get(12)?,
                stale: row.get(13)?,
            })
        })?;
        Ok(rows.collect::<std::result::Result<_, _>>()?)
    }
}

const PATIENCE: Duration = Duration::from_secs(30);

fn guid(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Uuid>> {
    let text: Option<String> = row.get(column)?;
    Ok(text.and_then(|text| text.parse().ok()))
}

fn content(kind: Option<ProtectorKind>) -> &'static str {
    match kind {
        Some(ProtectorKind::RecoveryPassword) => "recovery-key",
        Some(ProtectorKind::ExternalKey) => "external-key",
        Some(_) => "other",
        None => "snapshot",
    }
}

#[cfg(test)]
mod tests;
