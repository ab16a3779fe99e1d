//! The drives that an account's devices have told of.

use sqlx::Row;
use sqlx::any::AnyRow;

use super::Store;
use super::check_ins::keys_with_records;
use super::lists::PAGE;
use crate::error::Error;

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
    /// Whether the account has a record of its own of it.
    pub kept: bool,
}

impl Store {
    /// Returns a page of the drives that an account's devices have told of: those after the device and volume
    /// `after`. One whose keys are not kept is on it too; those of devices that were shut out are not.
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
