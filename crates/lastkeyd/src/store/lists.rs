//! What an account sees: its records, and those that were sealed to it.
//!
//! A key ID is what devices say it is. So whoever adds records of a key that is not theirs stands beside it, under their
//! own name, and never in its place: the newest record counts of each key of each device of each account.

use account::wire::RecordKind;
use sqlx::any::AnyRow;
use sqlx::{AssertSqlSafe, Row};

use super::Store;
use super::records::kind_named;
use super::sql::signed;
use crate::error::Error;

/// The most rows of one page.
pub(super) const PAGE: u32 = 200;

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
    /// When this key of this account was last shown to a person.
    pub shown: Option<i64>,
}

impl Listed {
    /// Returns when the key was shown, if the drive was not seen without it since: until then it counts as exposed.
    #[must_use]
    pub fn exposed(&self) -> Option<i64> {
        self.shown.filter(|_| !matches!(self.protector, Protector::Gone(_)))
    }
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

/// A page of records, one for each key of each device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// The newest record of each.
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

/// What a list says of a record; what its volume's last check-in said, when and which key IDs, by a device that is not shut
/// out (a drive may have been on several); and when its key was last shown. SQLite looks things up in the order of a CROSS
/// JOIN, and uses the index of acts on records only for what repeats the index's own condition.
const COLUMNS: &str =
    "r.id, r.account_id, r.device_id, r.kind, r.volume_id, r.key_id, r.drive, r.proven, r.uploaded,
    r.leaf, a.name AS account, d.name AS device, (
        SELECT CAST(c.at AS TEXT) || ' ' || c.key_ids FROM check_ins c CROSS JOIN devices o
        WHERE c.volume_id = r.volume_id AND o.id = c.device_id AND o.account_id = r.account_id
            AND o.revoked IS NULL
        ORDER BY c.at DESC LIMIT 1) AS said, (
        SELECT MAX((SELECT MAX(e.at) FROM audit_entries e WHERE e.record_id = s.id AND e.act = 'key.reveal'
            AND e.act NOT IN ('record.add', 'record.reseal') AND e.body LIKE '%\"outcome\":\"done\"%'))
        FROM record_recipients q CROSS JOIN records s
        WHERE q.account_id = p.account_id AND q.key_id = p.key_id AND s.leaf = q.leaf
            AND s.account_id = r.account_id) AS shown";
/// Who may not see a record gets no row.
const TABLES: &str = "record_recipients p CROSS JOIN records r";
const NAMES: &str = "JOIN accounts a ON a.id = r.account_id LEFT JOIN devices d ON d.id = r.device_id";
/// What others have sealed to the account comes after its own.
const OTHERS: &str = "CASE WHEN r.account_id = p.account_id THEN 0 ELSE 1 END";

/// A row of a list, by which the next page begins.
struct Mark {
    others: i64,
    key_id: String,
    account: String,
    device: String,
}

impl Mark {
    /// Before all rows.
    fn none() -> Self {
        Self { others: -1, key_id: String::new(), account: String::new(), device: String::new() }
    }

    /// Reads what [`Mark::of`] has written; whatever else it is, the list begins anew.
    fn read(text: &str) -> Option<Self> {
        let mut parts = text.split(' ').map(str::to_owned);
        let others = parts.next()?.parse().ok()?;
        Some(Self { others, key_id: parts.next()?, account: parts.next()?, device: parts.next()? })
    }

    fn of(account: &str, record: &Listed) -> Option<String> {
        let Listed { key_id, account_id, device_id, .. } = record;
        let others = i64::from(account_id != account);
        Some(format!("{others} {} {account_id} {device_id}", key_id.as_ref()?))
    }
}

impl Store {
    /// Returns a page of the keys that an account can open, the newest record of each key of each device. `prefix` are at
    /// least 8 hex digits that the key ID begins with, or nothing; `after` is what the page before said. They come by
    /// key ID. Who looks for one sees all of their own first: nobody else can put theirs before them.
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
        let prefix = prefix.map(key_id_prefix).transpose()?;
        let after = after.and_then(Mark::read).unwrap_or_else(Mark::none);
        let limit = limit.clamp(1, PAGE);
        let (order, then) = match prefix {
            Some(_) => (format!("{OTHERS}, p.key_id, r.account_id, r.device_id"), "$4, $5, $6, $7"),
            None => (format!("p.key_id, {OTHERS}, r.account_id, r.device_id"), "$5, $4, $6, $7"),
        };
        let first = prefix.clone().unwrap_or_else(|| after.key_id.clone());
        let mut connection = self.often.get().await?;
        // First the page, then the records that are on it. Were the limit bound, SQLite would plan anew each time, because
        // another limit may want another plan.
        let rows = sqlx::query(AssertSqlSafe(format!(
            "SELECT {COLUMNS} FROM (
                 SELECT p.leaf, p.key_id FROM {TABLES}
                 WHERE p.account_id = $1 AND p.key_id >= $2 AND p.key_id < $3 AND r.leaf = p.leaf
                     AND ({order}) > ({then}) AND p.leaf = (
                         SELECT q.leaf FROM record_recipients q CROSS JOIN records s
                         WHERE q.account_id = p.account_id AND q.key_id = p.key_id AND s.leaf = q.leaf
                             AND s.account_id = r.account_id AND s.device_id = r.device_id
                         ORDER BY q.leaf DESC LIMIT 1)
                 ORDER BY {order} LIMIT {limit}
             ) newest CROSS JOIN {TABLES} {NAMES}
             WHERE p.account_id = $1 AND p.key_id = newest.key_id AND p.leaf = newest.leaf AND r.leaf = p.leaf
             ORDER BY {order}"
        )))
        .bind(account)
        .bind(first)
        // What key IDs are written with comes before G.
        .bind(format!("{}G", prefix.unwrap_or_default()))
        .bind(after.others)
        .bind(after.key_id)
        .bind(after.account)
        .bind(after.device)
        .fetch_all(&mut *connection)
        .await?;
        connection.done();
        let records = rows.iter().map(listed).collect::<Result<Vec<_>, _>>()?;
        let full = records.len() == limit as usize;
        let next = records.last().filter(|_| full).and_then(|record| Mark::of(account, record));
        Ok(Page { records, next })
    }

    /// Returns the records that an account can open of the same key, or of the same drive's metadata, from the same device
    /// as another, the newest first: those before the leaf `before`.
    ///
    /// # Errors
    /// What the database says.
    pub async fn versions(
        &self,
        account: &str,
        of: &Listed,
        before: Option<u64>,
        limit: u32,
    ) -> Result<Vec<Listed>, Error> {
        let before = signed(before.unwrap_or(i64::MAX.unsigned_abs()))?;
        self.like(account, of, of.key_id.as_deref(), ("<", before, "DESC"), limit).await
    }

    /// Returns the first of all [`Store::versions`]: whatever a device has added since, it is there.
    ///
    /// # Errors
    /// What the database says.
    pub async fn first_version(&self, account: &str, of: &Listed) -> Result<Option<Listed>, Error> {
        Ok(self.like(account, of, of.key_id.as_deref(), (">=", 0, "ASC"), 1).await?.pop())
    }

    /// Returns the newest snapshot of the metadata that came with a record: of its volume, from its device.
    ///
    /// # Errors
    /// What the database says.
    pub async fn snapshot(&self, account: &str, of: &Listed) -> Result<Option<Listed>, Error> {
        Ok(self.like(account, of, None, ("<", i64::MAX, "DESC"), 1).await?.pop())
    }

    /// Returns records of a device: those of a key, or the snapshots of the same volume as `of` is of.
    async fn like(
        &self,
        account: &str,
        of: &Listed,
        key_id: Option<&str>,
        (than, leaf, order): (&str, i64, &str),
        limit: u32,
    ) -> Result<Vec<Listed>, Error> {
        let (tables, which, what) = match key_id {
            Some(key_id) => (TABLES, "p.key_id = $2", key_id),
            // An account may have snapshots by the thousand, a volume has few.
            None => (
                "records r CROSS JOIN record_recipients p",
                "r.volume_id = $2 AND r.kind = 'snapshot'",
                of.volume.as_str(),
            ),
        };
        let mut connection = self.readers.acquire().await?;
        let rows = sqlx::query(AssertSqlSafe(format!(
            "SELECT {COLUMNS} FROM {tables} {NAMES}
             WHERE p.account_id = $1 AND {which} AND p.leaf {than} $3 AND r.leaf = p.leaf
                 AND r.account_id = $4 AND r.device_id = $5
             ORDER BY r.leaf {order} LIMIT $6"
        )))
        .bind(account)
        .bind(what)
        .bind(leaf)
        .bind(&of.account_id)
        .bind(&of.device_id)
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
        let mut connection = self.readers.acquire().await?;
        let row = sqlx::query(AssertSqlSafe(format!(
            "SELECT {COLUMNS}, r.sealed FROM records r CROSS JOIN record_recipients p {NAMES}
             WHERE p.account_id = $1 AND r.id = $2 AND p.leaf = r.leaf"
        )))
        .bind(account)
        .bind(id.to_vec())
        .fetch_optional(&mut *connection)
        .await?
        .ok_or(Error::NotFound)?;
        Ok(Stored { listed: listed(&row)?, sealed: row.try_get("sealed")? })
    }
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
        shown: row.try_get("shown")?,
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
