//! All that is an account's own, page by page, to be taken along.

use sqlx::Row;
use sqlx::any::AnyRow;

use super::Store;
use super::sql::{number, signed};
use crate::error::Error;

/// How many rows come at once.
const PAGE: i64 = 100;

/// A record as it is taken along.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exported {
    /// Its entry in the audit log.
    pub leaf: u64,
    /// The SHA-256 of what is sealed.
    pub id: Vec<u8>,
    /// What it is of, as on the wire.
    pub kind: String,
    /// The drive in words.
    pub drive: String,
    /// The volume.
    pub volume: String,
    /// The key ID; a snapshot has none.
    pub key_id: Option<String>,
    /// The ID of the device that sent it.
    pub device_id: String,
    /// That device's name.
    pub device: String,
    /// When the device has proven it.
    pub proven: i64,
    /// When it came.
    pub uploaded: i64,
    /// The age file.
    pub sealed: Vec<u8>,
}

/// An entry of the audit log as it was hashed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// Its place in the log, from 0.
    pub leaf: u64,
    /// JSON, with the salt that is in it.
    pub body: String,
}

/// A device as it is taken along.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// Its ID.
    pub id: String,
    /// What it calls itself.
    pub name: String,
    /// The key that it signs with: Ed25519.
    pub public_key: Vec<u8>,
    /// When it was let in.
    pub created: i64,
    /// When it was last heard of.
    pub seen: Option<i64>,
    /// When it was shut out.
    pub revoked: Option<i64>,
}

impl Store {
    /// Returns a page of an account's own records, the oldest first: those after the leaf `after`.
    ///
    /// # Errors
    /// What the database says.
    pub async fn exported(&self, account: &str, after: Option<u64>) -> Result<Vec<Exported>, Error> {
        let rows = sqlx::query(
            "SELECT r.leaf, r.id, r.kind, r.drive, r.volume_id, r.key_id, r.device_id, d.name AS device, r.proven,
                 r.uploaded, r.sealed
             FROM records r LEFT JOIN devices d ON d.id = r.device_id
             WHERE r.account_id = $1 AND r.leaf > $2 ORDER BY r.leaf LIMIT $3",
        );
        let rows = rows.bind(account).bind(behind(after)?).bind(PAGE).fetch_all(self.readers()).await?;
        let exported = |row: &AnyRow| {
            Ok(Exported {
                leaf: number(row, "leaf")?,
                id: row.try_get("id")?,
                kind: row.try_get("kind")?,
                drive: row.try_get("drive")?,
                volume: row.try_get("volume_id")?,
                key_id: row.try_get("key_id")?,
                device_id: row.try_get("device_id")?,
                device: row.try_get::<Option<String>, _>("device")?.unwrap_or_default(),
                proven: row.try_get("proven")?,
                uploaded: row.try_get("uploaded")?,
                sealed: row.try_get("sealed")?,
            })
        };
        rows.iter().map(exported).collect()
    }

    /// Returns a page of the audit log's entries of an account as they were hashed, the oldest first: those after the
    /// leaf `after`.
    ///
    /// # Errors
    /// What the database says.
    pub async fn written(&self, account: &str, after: Option<u64>) -> Result<Vec<Written>, Error> {
        let rows = sqlx::query(
            "SELECT leaf, body FROM audit_entries
             WHERE account_id = $1 AND leaf > $2 AND body IS NOT NULL ORDER BY leaf LIMIT $3",
        );
        let rows = rows.bind(account).bind(behind(after)?).bind(PAGE).fetch_all(self.readers()).await?;
        let written = |row: &AnyRow| Ok(Written { leaf: number(row, "leaf")?, body: row.try_get("body")? });
        rows.iter().map(written).collect()
    }

    /// Returns all devices that an account ever let in.
    ///
    /// # Errors
    /// What the database says.
    pub async fn known_devices(&self, account: &str) -> Result<Vec<Known>, Error> {
        let rows = sqlx::query(
            "SELECT id, name, public_key, created, seen, revoked FROM devices WHERE account_id = $1
             ORDER BY created, id",
        );
        let rows = rows.bind(account).fetch_all(self.readers()).await?;
        let known = |row: &AnyRow| {
            Ok(Known {
                id: row.try_get("id")?,
                name: row.try_get("name")?,
                public_key: row.try_get("public_key")?,
                created: row.try_get("created")?,
                seen: row.try_get("seen")?,
                revoked: row.try_get("revoked")?,
            })
        };
        rows.iter().map(known).collect()
    }
}

fn behind(after: Option<u64>) -> Result<i64, Error> {
    after.map_or(Ok(-1), signed)
}
