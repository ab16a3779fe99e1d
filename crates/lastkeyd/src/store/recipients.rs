//! Who can open an account's records besides its owner.

use account::wire::Recipient;
use sqlx::Row;
use sqlx::any::AnyRow;

use super::{Store, Tx};
use crate::error::Error;

/// The most that are read of one account. It may have fewer.
const MOST: u32 = 100;

/// Somebody else who can open an account's records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Other {
    /// The public key.
    pub recipient: String,
    /// Whose it is, in words.
    pub name: String,
    /// The account here that it is, if it is one.
    pub account: Option<String>,
    /// What the owner's key says of it; nothing when it was not the owner who added it.
    pub vouched: Option<Vec<u8>>,
}

impl Store {
    /// Returns to whom an account's records are sealed, its own key first.
    ///
    /// # Errors
    /// When there is no such account, or what the database says.
    pub async fn recipients(&self, account: &str) -> Result<Vec<Recipient>, Error> {
        let own = self.account(account).await?;
        let others = self.others(account).await?.into_iter();
        let others = others.map(|Other { recipient, name, .. }| Recipient { recipient, name });
        Ok([Recipient { recipient: own.recipient, name: own.name }].into_iter().chain(others).collect())
    }

    /// Returns who else can open an account's records, in the order in which they were added.
    ///
    /// # Errors
    /// What the database says.
    pub async fn others(&self, account: &str) -> Result<Vec<Other>, Error> {
        let rows = sqlx::query(
            "SELECT recipient, name, other_account_id, vouched FROM recipients WHERE account_id = $1
             ORDER BY created, recipient LIMIT $2",
        )
        .bind(account)
        .bind(i64::from(MOST))
        .fetch_all(self.readers())
        .await?;
        let other = |row: &AnyRow| {
            Ok(Other {
                recipient: row.try_get("recipient")?,
                name: row.try_get("name")?,
                account: row.try_get("other_account_id")?,
                vouched: row.try_get("vouched")?,
            })
        };
        rows.iter().map(other).collect()
    }

    /// Returns those of an account's records that somebody cannot open who was added later, or see who was removed and
    /// added again: of each key, and each drive's metadata, of each device the newest.
    ///
    /// # Errors
    /// What the database says.
    pub async fn unsealed(&self, account: &str) -> Result<Vec<Vec<u8>>, Error> {
        let rows = sqlx::query(
            "SELECT r.id FROM records r JOIN (
                 SELECT MAX(leaf) AS leaf FROM records WHERE account_id = $1
                 GROUP BY kind, volume_id, key_id, device_id
             ) newest ON newest.leaf = r.leaf WHERE r.account_id = $1 AND EXISTS (
                 SELECT 1 FROM recipients q WHERE q.account_id = $1 AND NOT EXISTS (
                     SELECT 1 FROM record_recipients p WHERE p.leaf = r.leaf AND p.recipient = q.recipient
                         AND (q.other_account_id IS NULL OR p.account_id = q.other_account_id)))
             ORDER BY r.leaf",
        )
        .bind(account)
        .fetch_all(self.readers())
        .await?;
        rows.iter().map(|row| Ok(row.try_get("id")?)).collect()
    }
}

/// Adds somebody. `false` when they are there already.
///
/// # Errors
/// What the database says.
pub async fn add(tx: &mut Tx, account: &str, other: Other, at: i64) -> Result<bool, Error> {
    let added = sqlx::query(
        "INSERT INTO recipients (account_id, recipient, name, other_account_id, created, vouched)
         VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING",
    )
    .bind(account)
    .bind(other.recipient)
    .bind(other.name)
    .bind(other.account)
    .bind(at)
    .bind(other.vouched)
    .execute(&mut *tx)
    .await?;
    Ok(added.rows_affected() == 1)
}

/// Removes somebody, and takes the account's records out of their list. `false` when they were not there.
///
/// # Errors
/// What the database says.
pub async fn remove(tx: &mut Tx, account: &str, recipient: &str) -> Result<bool, Error> {
    let removed = sqlx::query("DELETE FROM recipients WHERE account_id = $1 AND recipient = $2")
        .bind(account)
        .bind(recipient)
        .execute(&mut *tx)
        .await?;
    if removed.rows_affected() == 0 {
        return Ok(false);
    }
    // What they were given they may have copied; here they see it no more.
    sqlx::query(
        "UPDATE record_recipients SET account_id = NULL WHERE recipient = $1
         AND leaf IN (SELECT leaf FROM records WHERE account_id = $2)",
    )
    .bind(recipient)
    .bind(account)
    .execute(&mut *tx)
    .await?;
    Ok(true)
}
