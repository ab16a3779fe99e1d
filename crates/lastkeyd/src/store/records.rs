//! Adding records: those that come at the same time go into the database together.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::net::IpAddr;

use account::wire::{Receipt, RecordKind};
use sha2::{Digest, Sha256};
use sqlx::{AnyConnection, AnyPool, Connection, Row};
use tokio::sync::oneshot;

use super::audit::{Head, inclusions, read_head};
use super::devices::shut_out;
use super::log::Log;
use super::sql::{insert, number, select_by, signed};
use super::writer::Job;
use super::{Store, Tx, hex, now, stopped};
use crate::audit::Entry;
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

/// An upload and its record's ID.
pub(super) struct Hashed {
    id: [u8; 32],
    upload: Upload,
}

/// What came of an upload.
#[derive(Debug)]
pub(super) enum Outcome {
    /// It is a new record, which the log says.
    Added(Entry),
    /// It was there already.
    Known,
    /// Why not.
    Refused(Error),
}

/// Who waits for a receipt.
pub(super) type Caller = oneshot::Sender<Result<Receipt, Error>>;

/// A record as far as another must be like it to be the same.
type Particulars = (String, String, String, Option<String>);

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
        let mut receipts = receipts(&mut connection, &self.log, None, &[id.to_vec()]).await?;
        receipts.remove(id).ok_or(Error::NotFound)
    }
}

/// Takes a nonce.
///
/// # Errors
/// `replay` when it was used before; what the database says.
pub async fn take_nonce(tx: &mut Tx, nonce: &Nonce) -> Result<(), Error> {
    let taken = sqlx::query(
        "INSERT INTO nonces (device_id, nonce, expires) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
    )
    .bind(&nonce.device)
    .bind(nonce.bytes.clone())
    .bind(nonce.expires)
    .execute(&mut *tx)
    .await?;
    if taken.rows_affected() == 1 { Ok(()) } else { Err(replay()) }
}

fn replay() -> Error {
    Error::Unauthorized("replay", "this request was made before: a device signs each one anew".to_owned())
}

/// Adds records; `first` is the leaf that the log has next. The database is asked the same few things however many
/// there are. Should it refuse them together, each is tried alone.
pub(super) async fn add_all(tx: &mut Tx, uploads: &[Hashed], first: u64) -> Result<Vec<Outcome>, Error> {
    if uploads.is_empty() {
        return Ok(Vec::new());
    }
    let mut point = tx.begin().await?;
    match add(&mut point, uploads, first).await {
        Ok(outcomes) => {
            point.commit().await?;
            return Ok(outcomes);
        }
        Err(_) => point.rollback().await?,
    }
    let mut outcomes = Vec::with_capacity(uploads.len());
    let mut next = first;
    for upload in uploads {
        let mut point = tx.begin().await?;
        match add(&mut point, std::slice::from_ref(upload), next).await {
            Ok(done) => {
                point.commit().await?;
                next += done.iter().filter(|outcome| matches!(outcome, Outcome::Added(_))).count() as u64;
                outcomes.extend(done);
            }
            Err(error) => {
                point.rollback().await?;
                outcomes.push(Outcome::Refused(error));
            }
        }
    }
    Ok(outcomes)
}

async fn add(tx: &mut Tx, uploads: &[Hashed], first: u64) -> Result<Vec<Outcome>, Error> {
    let mut fresh = take_nonces(tx, uploads).await?;
    let owners = owners(tx, uploads).await?;
    let mut known = known(tx, uploads).await?;
    let recipients = recipients(tx, uploads).await?;
    let mut added = Vec::new();
    let mut outcomes = Vec::with_capacity(uploads.len());
    for Hashed { id, upload } in uploads {
        let nonce = (upload.nonce.device.clone(), upload.nonce.bytes.clone());
        let account = recipients.get(&upload.account);
        let own = |recipient: &String| {
            account.is_some_and(|account| account.reader(recipient) == Some(&upload.account))
        };
        let same = account.is_some_and(|account| account.names().eq(&upload.recipients));
        let outcome = if !fresh.remove(&nonce) {
            Outcome::Refused(replay())
        } else if !owners
            .get(&upload.nonce.device)
            .is_some_and(|(account, revoked)| *account == upload.account && (!revoked || upload.by_owner))
        {
            Outcome::Refused(shut_out())
        } else if upload.exactly && !same {
            let why = "the account's recipients are others by now: ask for them, and seal anew".to_owned();
            Outcome::Refused(Error::Conflict("recipients", why))
        } else if !upload.recipients.iter().any(own) {
            Outcome::Refused(Error::Invalid(
                "the record is not sealed to the account's own key: ask for the recipients, and seal it to all of them"
                    .to_owned(),
            ))
        } else if let Some(particulars) = known.get(id.as_slice()) {
            if *particulars == particulars_of(upload) {
                Outcome::Known
            } else {
                Outcome::Refused(Error::Invalid("these very bytes are kept as another record".to_owned()))
            }
        } else {
            known.insert(id.to_vec(), particulars_of(upload));
            added.push((id, upload, signed(first + added.len() as u64)?));
            Outcome::Added(entry(id, upload))
        };
        outcomes.push(outcome);
    }
    insert_records(tx, &added, &recipients).await?;
    Ok(outcomes)
}

fn entry(id: &[u8; 32], upload: &Upload) -> Entry {
    let act = if upload.by_owner { "record.reseal" } else { "record.add" };
    let mut entry = Entry::done(act).account(&upload.account).device(&upload.nonce.device).record(id);
    entry.address = upload.address;
    entry.detail.clone_from(&upload.key_id);
    entry
}

async fn insert_records(
    tx: &mut Tx,
    added: &[(&[u8; 32], &Upload, i64)],
    recipients: &HashMap<String, Recipients>,
) -> Result<(), Error> {
    let uploaded = now();
    let into =
        "records (id, account_id, device_id, kind, volume_id, key_id, drive, sealed, proven, uploaded, leaf)";
    insert(tx, into, added, "", |query, (id, upload, leaf)| {
        query
            .bind(id.to_vec())
            .bind(upload.account.clone())
            .bind(upload.nonce.device.clone())
            .bind(kind_name(upload.kind))
            .bind(upload.volume.clone())
            .bind(upload.key_id.clone())
            .bind(upload.drive.clone())
            .bind(upload.sealed.clone())
            .bind(upload.proven)
            .bind(uploaded)
            .bind(*leaf)
    })
    .await?;
    let mut rows = Vec::new();
    for (id, upload, leaf) in added {
        let mut accounts = HashSet::new();
        for recipient in upload.recipients.iter().collect::<BTreeSet<_>>() {
            // An account has a record once, however many of its keys open it.
            let account = recipients.get(&upload.account).and_then(|known| known.reader(recipient));
            let account = account.filter(|&account| accounts.insert(account));
            rows.push((id, recipient, account, &upload.key_id, leaf));
        }
    }
    let into = "record_recipients (record_id, recipient, account_id, key_id, leaf)";
    insert(tx, into, &rows, "", |query, (id, recipient, account, key_id, leaf)| {
        query
            .bind(id.to_vec())
            .bind((*recipient).clone())
            .bind(account.cloned())
            .bind((*key_id).clone())
            .bind(**leaf)
    })
    .await?;
    Ok(())
}

/// Takes the nonces, and returns those that were not used before.
async fn take_nonces(tx: &mut Tx, uploads: &[Hashed]) -> Result<HashSet<(String, Vec<u8>)>, Error> {
    let tail = "ON CONFLICT DO NOTHING RETURNING device_id, nonce";
    let rows =
        insert(tx, "nonces (device_id, nonce, expires)", uploads, tail, |query, Hashed { upload, .. }| {
            let Nonce { device, bytes, expires } = &upload.nonce;
            query.bind(device.clone()).bind(bytes.clone()).bind(*expires)
        });
    rows.await?.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
}

/// Returns the account of each device, and whether it is revoked.
async fn owners(tx: &mut Tx, uploads: &[Hashed]) -> Result<HashMap<String, (String, bool)>, Error> {
    let devices = distinct(uploads, |upload| &upload.nonce.device);
    let select = "SELECT id, account_id, revoked FROM devices WHERE id IN (VALUES)";
    let rows = select_by(tx, select, 1, &devices, |query, id| query.bind(id.clone())).await?;
    let owner = |row: &sqlx::any::AnyRow| {
        Ok((row.try_get(0)?, (row.try_get(1)?, row.try_get::<Option<i64>, _>(2)?.is_some())))
    };
    rows.iter().map(owner).collect()
}

/// Returns those of the records that are there already.
async fn known(tx: &mut Tx, uploads: &[Hashed]) -> Result<HashMap<Vec<u8>, Particulars>, Error> {
    let select = "SELECT id, account_id, kind, volume_id, key_id FROM records WHERE id IN (VALUES)";
    let rows = select_by(tx, select, 1, uploads, |query, Hashed { id, .. }| query.bind(id.to_vec())).await?;
    let known = |row: &sqlx::any::AnyRow| {
        Ok((row.try_get(0)?, (row.try_get(1)?, row.try_get(2)?, row.try_get(3)?, row.try_get(4)?)))
    };
    rows.iter().map(known).collect()
}

fn particulars_of(upload: &Upload) -> Particulars {
    let kind = kind_name(upload.kind).to_owned();
    (upload.account.clone(), kind, upload.volume.clone(), upload.key_id.clone())
}

/// An account's recipients, its own key first, and which account each is.
#[derive(Default)]
struct Recipients(Vec<(String, Option<String>)>);

impl Recipients {
    fn names(&self) -> impl Iterator<Item = &String> {
        self.0.iter().map(|(name, _)| name)
    }

    /// Returns the account that a recipient is. Only the owner says whom it trusts: a device cannot put records before
    /// the eyes of others by naming their keys.
    fn reader(&self, recipient: &str) -> Option<&String> {
        self.0.iter().find(|(name, _)| name == recipient)?.1.as_ref()
    }
}

/// Returns the recipients of each account, as [`crate::api`] tells them to devices.
async fn recipients(tx: &mut Tx, uploads: &[Hashed]) -> Result<HashMap<String, Recipients>, Error> {
    let accounts = distinct(uploads, |upload| &upload.account);
    let select = "SELECT id, recipient, id AS reader, -1 AS since FROM accounts WHERE id IN (VALUES)
                  UNION ALL SELECT account_id, recipient, other_account_id, created FROM recipients
                  WHERE account_id IN (VALUES) ORDER BY since, recipient";
    let mut recipients: HashMap<String, Recipients> = HashMap::new();
    for row in select_by(tx, select, 1, &accounts, |query, id| query.bind(id.clone())).await? {
        recipients.entry(row.try_get(0)?).or_default().0.push((row.try_get(1)?, row.try_get(2)?));
    }
    Ok(recipients)
}

fn distinct(uploads: &[Hashed], of: impl Fn(&Upload) -> &String) -> Vec<String> {
    uploads.iter().map(|hashed| of(&hashed.upload)).collect::<BTreeSet<_>>().into_iter().cloned().collect()
}

/// Gives everybody the receipt, once what it is of is on the disk.
pub(super) async fn answer(
    readers: &AnyPool,
    log: &Log,
    head: Option<Head>,
    uploads: Vec<Hashed>,
    outcomes: Vec<Outcome>,
    callers: Vec<Caller>,
) {
    let kept = |(hashed, outcome): (&Hashed, &Outcome)| {
        (!matches!(outcome, Outcome::Refused(_))).then(|| hashed.id.to_vec())
    };
    let mut ids: Vec<_> = uploads.iter().zip(&outcomes).filter_map(kept).collect();
    ids.sort_unstable();
    ids.dedup();
    let read = async { receipts(&mut *readers.acquire().await?, log, head, &ids).await };
    let receipts = read.await.map_err(|error| {
        tracing::error!(%error, "records were added but could not be read back");
        error.to_string()
    });
    for ((hashed, outcome), caller) in uploads.iter().zip(outcomes).zip(callers) {
        let receipt = match (outcome, &receipts) {
            (Outcome::Refused(why), _) => Err(why),
            (_, Ok(receipts)) => receipts.get(hashed.id.as_slice()).cloned().ok_or(Error::NotFound),
            (_, Err(why)) => Err(Error::Internal(format!("the record could not be read back: {why}"))),
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
    head: Option<Head>,
    ids: &[Vec<u8>],
) -> Result<HashMap<Vec<u8>, Receipt>, Error> {
    let select = "SELECT r.id, r.sealed, r.uploaded, r.leaf, e.body FROM records r
                  JOIN audit_entries e ON e.leaf = r.leaf WHERE e.body IS NOT NULL AND r.id IN (VALUES)";
    let rows = select_by(connection, select, 1, ids, |query, id| query.bind(id.clone())).await?;
    // Read after the records: it has their leaves.
    let head = match head {
        Some(head) => head,
        None => read_head(connection, log).await?,
    };
    let leaves = rows.iter().map(|row| number(row, "leaf")).collect::<Result<Vec<_>, _>>()?;
    let inclusions = inclusions(connection, &head, &leaves).await?;
    let receipt = |(row, inclusion): (&sqlx::any::AnyRow, _)| {
        let (id, sealed): (Vec<u8>, Vec<u8>) = (row.try_get("id")?, row.try_get("sealed")?);
        let record = hex(&Sha256::digest(&sealed));
        let length = sealed.len() as u64;
        let (uploaded, entry) = (row.try_get("uploaded")?, row.try_get("body")?);
        Ok((id, Receipt { record, length, uploaded, entry, inclusion }))
    };
    rows.iter().zip(inclusions).map(receipt).collect()
}

/// Returns what the database calls a kind.
pub(super) fn kind_name(kind: RecordKind) -> &'static str {
    match kind {
        RecordKind::RecoveryKey => "recovery-key",
        RecordKind::ExternalKey => "external-key",
        RecordKind::Snapshot => "snapshot",
    }
}

/// Returns the kind that the database calls so.
pub(super) fn kind_named(name: &str) -> Result<RecordKind, Error> {
    [RecordKind::RecoveryKey, RecordKind::ExternalKey, RecordKind::Snapshot]
        .into_iter()
        .find(|&kind| kind_name(kind) == name)
        .ok_or_else(|| Error::Internal(format!("a record in the database is of the kind {name}")))
}
