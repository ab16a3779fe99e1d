//! What an account sees: its records, those that were sealed to it too, and its drives.

use account::wire::RecordKind;
use sqlx::any::AnyRow;
use sqlx::{AssertSqlSafe, Row};

use super::Store;
use super::check_ins::keys_with_records;
use super::records::kind_named;
use super::sql::signed;
use crate::error::Error;

/// The most rows of one page.
const PAGE: u32 = 200;

/// A record in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// The SHA-256 of what is sealed.
    pub id: Vec<u8>,
    /// What it is of.
    pub kind: RecordKind,
    /// The volume.
    pub volume: String,
    /// The key ID; a snapshot has none.
    pub key_id: Option<String>,
    /// The drive in words.
    pub drive: String,
    /// The device that sent it.
    pub device_id: String,
    /// Its name.
    pub device: String,
    /// The account that it belongs to.
    pub account_id: String,
    /// That account's name.
    pub account: String,
    /// When the device has proven it.
    pub proven: i64,
    /// When it came.
    pub uploaded: i64,
    /// The entry of the audit log that says so.
    pub leaf: u64,
    /// Whether the drive still has it.
    pub protector: Protector,
}

/// Whether a drive still has the protector that a record is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protector {
    /// The drive has not checked in since the record came.
    Unknown,
    /// It had it at this time.
    There(i64),
    /// It had others at this time: the record opens it no more.
    Gone(i64),
}

/// A page of records, one for each key, by key ID.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// The newest record of each key.
    pub records: Vec<Listed>,
    /// What to ask for the next page with, if there is one.
    pub next: Option<String>,
}

/// A record with what is sealed in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// What the lists say of it. What is sealed must say the same.
    pub listed: Listed,
    /// The age file.
    pub sealed: Vec<u8>,
}

/// A drive that has checked in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drive {
    /// The device that it is on.
    pub device_id: String,
    /// That device's name.
    pub device: String,
    /// The volume.
    pub volume: String,
    /// The drive in words.
    pub drive: String,
    /// `on`, `suspended`, `encrypting`, `decrypting`.
    pub protection: String,
    /// When it checked in.
    pub at: i64,
    /// Its recovery keys.
    pub keys: Vec<DriveKey>,
}

/// A recovery key of a drive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DriveKey {
    /// The key ID.
    pub key_id: String,
    /// Whether there is a record of it.
    pub kept: bool,
}

/// What a list says of a record, and what its volume's last check-in said: when, and its key IDs. A drive may have been on
/// several devices. SQLite looks things up in the order of a CROSS JOIN.
const COLUMNS: &str =
    "r.id, r.account_id, r.device_id, r.kind, r.volume_id, r.key_id, r.drive, r.proven, r.uploaded,
    r.leaf, a.name AS account, d.name AS device, (
        SELECT CAST(c.at AS TEXT) || ' ' || c.key_ids FROM check_ins c CROSS JOIN devices o
        WHERE c.volume_id = r.volume_id AND o.id = c.device_id AND o.account_id = r.account_id
        ORDER BY c.at DESC LIMIT 1) AS said";
/// Who may not see a record gets no row.
const TABLES: &str =
    "record_recipients p JOIN records r ON r.leaf = p.leaf JOIN accounts a ON a.id = r.account_id
    LEFT JOIN devices d ON d.id = r.device_id";

impl Store {
    /// Returns a page of what an account can open, the newest record of each key. `prefix` are at least 8 hex digits
    /// that the key ID begins with, or nothing; `after` is what the page before said.
    ///
    /// # Errors
    /// When the prefix is none, or what the database says.
    pub async fn records(
        &self,
        account: &str,
        prefix: Option<&str>,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Page, Error> {
        let prefix = prefix.map(key_id_prefix).transpose()?.unwrap_or_default();
        let limit = limit.clamp(1, PAGE);
        let mut connection = self.often.get().await?;
        // What key IDs are written with comes after a space and before G.
        let first = after.map_or(prefix.clone(), |after| prefix.clone().max(format!("{after} ")));
        // SQLite looks things up in the order of a CROSS JOIN: first the page, then the records that are on it. Were the
        // limit bound, it would plan anew each time, because another limit may want another plan.
        let rows = sqlx::query(AssertSqlSafe(format!(
            "SELECT {COLUMNS} FROM (
                 SELECT key_id, MAX(leaf) AS leaf FROM record_recipients
                 WHERE account_id = $1 AND key_id >= $2 AND key_id < $3
                 GROUP BY key_id ORDER BY key_id LIMIT {limit}
             ) newest CROSS JOIN {TABLES}
             WHERE p.account_id = $1 AND p.key_id = newest.key_id AND p.leaf = newest.leaf ORDER BY newest.key_id"
        )))
        .bind(account)
        .bind(first)
        .bind(format!("{prefix}G"))
        .fetch_all(&mut *connection)
        .await?;
        connection.done();
        let records = rows.iter().map(listed).collect::<Result<Vec<_>, _>>()?;
        let full = records.len() == limit as usize;
        let next = records.last().filter(|_| full).and_then(|record| record.key_id.clone());
        Ok(Page { records, next })
    }

    /// Returns all records of one key that an account can open, the newest first: those before the leaf `before`.
    ///
    /// # Errors
    /// What the database says.
    pub async fn versions(
        &self,
        account: &str,
        key_id: &str,
        before: Option<u64>,
        limit: u32,
    ) -> Result<Vec<Listed>, Error> {
        let mut connection = self.readers.acquire().await?;
        let rows = sqlx::query(AssertSqlSafe(format!(
            "SELECT {COLUMNS} FROM {TABLES} WHERE p.account_id = $1 AND p.key_id = $2 AND p.leaf < $3
             ORDER BY p.leaf DESC LIMIT $4"
        )))
        .bind(account)
        .bind(key_id)
        .bind(signed(before.unwrap_or(i64::MAX.unsigned_abs()))?)
        .bind(i64::from(limit.min(PAGE)))
        .fetch_all(&mut *connection)
        .await?;
        rows.iter().map(listed).collect()
    }

    /// Returns a record that an account can open.
    ///
    /// # Errors
    /// When there is none, or not for this account: both in the same way. What the database says.
    pub async fn record(&self, account: &str, id: &[u8]) -> Result<Stored, Error> {
        let query = format!("SELECT {COLUMNS}, r.sealed FROM {TABLES} WHERE p.account_id = $1 AND r.id = $2");
        self.stored(sqlx::query(AssertSqlSafe(query)).bind(account).bind(id.to_vec())).await
    }

    /// Returns the newest snapshot of a volume that an account can open.
    ///
    /// # Errors
    /// As [`Store::record`].
    pub async fn snapshot(&self, account: &str, volume: &str) -> Result<Stored, Error> {
        let query = format!(
            "SELECT {COLUMNS}, r.sealed FROM {TABLES}
             WHERE p.account_id = $1 AND p.key_id IS NULL AND r.kind = 'snapshot' AND r.volume_id = $2
             ORDER BY p.leaf DESC LIMIT 1"
        );
        self.stored(sqlx::query(AssertSqlSafe(query)).bind(account).bind(volume)).await
    }

    async fn stored(&self, query: super::sql::Query<'_>) -> Result<Stored, Error> {
        let mut connection = self.readers.acquire().await?;
        let row = query.fetch_optional(&mut *connection).await?.ok_or(Error::NotFound)?;
        Ok(Stored { listed: listed(&row)?, sealed: row.try_get("sealed")? })
    }

    /// Returns a page of the drives that an account's devices have told of: those after the device and volume
    /// `after`. One whose keys are not kept is on it too.
    ///
    /// # Errors
    /// What the database says.
    pub async fn drives(
        &self,
        account: &str,
        after: Option<(&str, &str)>,
        limit: u32,
    ) -> Result<Vec<Drive>, Error> {
        let (device, volume) = after.unwrap_or_default();
        let mut connection = self.readers.acquire().await?;
        let rows = sqlx::query(
            "SELECT c.device_id, d.name AS device, c.volume_id, c.drive, c.protection, c.key_ids, c.at
             FROM check_ins c JOIN devices d ON d.id = c.device_id
             WHERE d.account_id = $1 AND d.revoked IS NULL
                 AND (c.device_id > $2 OR (c.device_id = $2 AND c.volume_id > $3))
             ORDER BY c.device_id, c.volume_id LIMIT $4",
        )
        .bind(account)
        .bind(device)
        .bind(volume)
        .bind(i64::from(limit.min(PAGE)))
        .fetch_all(&mut *connection)
        .await?;
        let key_ids = rows.iter().map(key_ids).collect::<Result<Vec<_>, _>>()?;
        let kept = keys_with_records(&mut connection, account, key_ids.iter().flatten()).await?;
        let drive = |(row, key_ids): (&AnyRow, Vec<String>)| {
            let key = |key_id: String| DriveKey { kept: kept.contains(&key_id), key_id };
            Ok(Drive {
                device_id: row.try_get("device_id")?,
                device: row.try_get("device")?,
                volume: row.try_get("volume_id")?,
                drive: row.try_get("drive")?,
                protection: row.try_get("protection")?,
                at: row.try_get("at")?,
                keys: key_ids.into_iter().map(key).collect(),
            })
        };
        rows.iter().zip(key_ids).map(drive).collect()
    }
}

fn key_ids(row: &AnyRow) -> Result<Vec<String>, Error> {
    Ok(row.try_get::<String, _>("key_ids")?.split_whitespace().map(str::to_owned).collect())
}

fn listed(row: &AnyRow) -> Result<Listed, Error> {
    let kind = kind_named(row.try_get("kind")?)?;
    let key_id: Option<String> = row.try_get("key_id")?;
    let uploaded = row.try_get("uploaded")?;
    let said: Option<String> = row.try_get("said")?;
    let said = said.as_deref().and_then(|said| said.split_once(' '));
    let said = said.and_then(|(at, ids)| Some((at.parse::<i64>().ok()?, ids)));
    let protector = match (said, &key_id) {
        (Some((at, ids)), Some(key_id)) if ids.split(' ').any(|id| id == key_id) => Protector::There(at),
        // Devices tell of recovery keys alone, and what was said before the record came says nothing of it.
        (Some((at, _)), Some(_)) if kind == RecordKind::RecoveryKey && at > uploaded => Protector::Gone(at),
        _ => Protector::Unknown,
    };
    Ok(Listed {
        id: row.try_get("id")?,
        kind,
        volume: row.try_get("volume_id")?,
        key_id,
        drive: row.try_get("drive")?,
        device_id: row.try_get("device_id")?,
        device: row.try_get::<Option<String>, _>("device")?.unwrap_or_default(),
        account_id: row.try_get("account_id")?,
        account: row.try_get("account")?,
        proven: row.try_get("proven")?,
        uploaded,
        leaf: super::sql::number(row, "leaf")?,
        protector,
    })
}

/// Reads what a person typed of a key ID: at least 8 hex digits. Dashes, spaces and braces are read over.
fn key_id_prefix(text: &str) -> Result<String, Error> {
    let digits: Vec<char> = text
        .chars()
        .filter(|character| !matches!(character, '-' | '{' | '}' | ' '))
        .take(33)
        .map(|character| character.to_ascii_uppercase())
        .collect();
    if !(8..=32).contains(&digits.len()) || !digits.iter().all(char::is_ascii_hexdigit) {
        return Err(Error::Invalid("a key ID begins with 8 digits or letters from A to F".to_owned()));
    }
    let dashed = digits.iter().enumerate().flat_map(|(place, &digit)| {
        matches!(place, 8 | 12 | 16 | 20).then_some('-').into_iter().chain([digit])
    });
    Ok(dashed.collect())
}
