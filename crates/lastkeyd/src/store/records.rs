//! Records that come, and the receipts of those that are there.

use std::collections::HashMap;
use std::net::IpAddr;

use account::wire::{Inclusion, Receipt, RecordKind};
use sha2::{Digest, Sha256};
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, AnyPool, Row};
use tokio::sync::oneshot;

use super::audit::{Head, inclusions, read_head};
use super::log::Log;
use super::sql::{number, select_by};
use super::uploads::{Hashed, Kept, Outcome};
use super::writer::Job;
use super::{Store, Tx, hex, stopped};
use crate::error::Error;

/// What a device says once, so that what it signed is not taken twice.
#[derive(Clone, Debug)]
pub struct Nonce {
    /// The device.
    pub device: String,
    /// What it said.
    pub bytes: Vec<u8>,
    /// When its signature is too old to be taken anyway.
    pub expires: i64,
}

/// A record that a device sends.
#[derive(Clone, Debug)]
pub struct Upload {
    /// The account.
    pub account: String,
    /// From where it came.
    pub address: Option<IpAddr>,
    /// The nonce that it came with, and the device.
    pub nonce: Nonce,
    /// What it is of.
    pub kind: RecordKind,
    /// The volume.
    pub volume: String,
    /// The key ID; a snapshot has none.
    pub key_id: Option<String>,
    /// The drive in words.
    pub drive: String,
    /// When the device has proven what it sealed.
    pub proven: i64,
    /// To whom it is sealed.
    pub recipients: Vec<String>,
    /// The age file.
    pub sealed: Vec<u8>,
    /// Whether the recipients must be just those that the account has, in their order: what a device knows may be old.
    pub exactly: bool,
    /// Whether the owner has sealed it anew in the portal. Then the device that sent it first may be shut out by now.
    pub by_owner: bool,
}

/// Who waits for a receipt.
pub(super) type Caller = oneshot::Sender<Result<Receipt, Error>>;

impl Store {
    /// Adds a record, and returns what the database has of it. The same record twice is one: the receipt is that of
    /// the first.
    ///
    /// # Errors
    /// `replay` when the nonce was used before, `revoked` when the device is not the account's any more; when the
    /// record is not sealed to the account; what the database says.
    pub async fn add_record(&self, upload: Upload) -> Result<Receipt, Error> {
        let id = Sha256::digest(&upload.sealed).into();
        let (caller, answer) = oneshot::channel();
        self.ask(Job::Upload(Box::new(Hashed { id, upload }), caller)).await?;
        answer.await.map_err(|_| stopped())?
    }

    /// Returns what the database has of a record of an account.
    ///
    /// # Errors
    /// When the account has no such record, or what the database says.
    pub async fn receipt(&self, account: &str, id: &[u8]) -> Result<Receipt, Error> {
        let mut connection = self.readers.acquire().await?;
        sqlx::query("SELECT leaf FROM records WHERE id = $1 AND account_id = $2")
            .bind(id.to_vec())
            .bind(account)
            .fetch_optional(&mut *connection)
            .await?
            .ok_or(Error::NotFound)?;
        let mut receipts = receipts(&mut connection, &self.log, &[id.to_vec()]).await?;
        receipts.remove(id).ok_or(Error::NotFound)
    }
}

/// Takes a nonce.
///
/// # Errors
/// `replay` when it was used before; what the database says.
pub async fn take_nonce(tx: &mut Tx, nonce: &Nonce) -> Result<(), Error> {
    let taken = sqlx::query(
        "INSERT INTO nonces (expires, device_id, nonce) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
    )
    .bind(nonce.expires)
    .bind(&nonce.device)
    .bind(nonce.bytes.clone())
    .execute(&mut *tx)
    .await?;
    if taken.rows_affected() == 1 { Ok(()) } else { Err(replay()) }
}

pub(super) fn replay() -> Error {
    Error::Unauthorized("replay", "this request was made before: a device signs each one anew".to_owned())
}

/// Gives everybody the receipt, once what it is of is on the disk.
pub(super) async fn answer(
    readers: &AnyPool,
    log: &Log,
    uploads: &[Hashed],
    outcomes: Vec<Outcome>,
    added: Option<(Head, Vec<Kept>)>,
    callers: Vec<Caller>,
) {
    let mut made = HashMap::new();
    if let Some((head, kept)) = added {
        let receipt = |kept: Kept| Some((kept.id.clone(), receipt(&kept, head.inclusion(kept.leaf)?)));
        made.extend(kept.into_iter().filter_map(receipt));
    }
    let missing = |(hashed, outcome): (&Hashed, &Outcome)| {
        let refused = matches!(outcome, Outcome::Refused(_));
        (!refused && !made.contains_key(hashed.id.as_slice())).then(|| hashed.id.to_vec())
    };
    let mut ids: Vec<_> = uploads.iter().zip(&outcomes).filter_map(missing).collect();
    ids.sort_unstable();
    ids.dedup();
    let read = async {
        if !ids.is_empty() {
            made.extend(receipts(&mut *readers.acquire().await?, log, &ids).await?);
        }
        Ok::<_, Error>(())
    };
    let read = read.await.map_err(|error| {
        tracing::error!(%error, "records were added but could not be read back");
        error.to_string()
    });
    for ((hashed, outcome), caller) in uploads.iter().zip(outcomes).zip(callers) {
        let receipt = match (outcome, made.get(hashed.id.as_slice()), &read) {
            (Outcome::Refused(why), ..) => Err(why),
            (_, Some(receipt), _) => Ok(receipt.clone()),
            (_, None, Ok(())) => Err(Error::NotFound),
            (_, None, Err(why)) => Err(Error::Internal(format!("the record could not be read back: {why}"))),
        };
        // Who has gone away asks again.
        let _ = caller.send(receipt);
    }
}

/// Returns the receipts of records, by ID. Those that are not there have none, nor those whose entry is gone from the
/// log, which only who changes the database behind the server's back can do.
async fn receipts(
    connection: &mut AnyConnection,
    log: &Log,
    ids: &[Vec<u8>],
) -> Result<HashMap<Vec<u8>, Receipt>, Error> {
    // No join: PostgreSQL would plan it while the log is empty, and then begin with the log.
    let select = "SELECT * FROM (SELECT id, sealed, uploaded, leaf,
                      (SELECT body FROM audit_entries e WHERE e.leaf = r.leaf) AS body
                      FROM records r WHERE id IN (VALUES)) found WHERE body IS NOT NULL";
    let rows = select_by(connection, select, 1, ids, |query, id| query.bind(id.clone())).await?;
    let kept = |row: &AnyRow| {
        Ok(Kept {
            id: row.try_get("id")?,
            sealed: row.try_get("sealed")?,
            uploaded: row.try_get("uploaded")?,
            leaf: number(row, "leaf")?,
            body: row.try_get("body")?,
        })
    };
    let kept = rows.iter().map(kept).collect::<Result<Vec<_>, Error>>()?;
    // Read after the records: it has their leaves.
    let head = read_head(connection, log).await?;
    let leaves: Vec<_> = kept.iter().map(|kept| kept.leaf).collect();
    let inclusions = inclusions(connection, &head, &leaves).await?;
    let receipt = |(kept, inclusion): (&Kept, _)| (kept.id.clone(), receipt(kept, inclusion));
    Ok(kept.iter().zip(inclusions).map(receipt).collect())
}

fn receipt(kept: &Kept, inclusion: Inclusion) -> Receipt {
    Receipt {
        record: hex(&Sha256::digest(&kept.sealed)),
        length: kept.sealed.len() as u64,
        uploaded: kept.uploaded,
        entry: kept.body.clone(),
        inclusion,
    }
}

/// Returns the kind that the database calls so, as it is called on the wire.
pub(super) fn kind_named(name: &str) -> Result<RecordKind, Error> {
    [RecordKind::RecoveryKey, RecordKind::ExternalKey, RecordKind::Snapshot]
        .into_iter()
        .find(|kind| kind.name() == name)
        .ok_or_else(|| Error::Internal(format!("a record in the database is of the kind {name}")))
}
