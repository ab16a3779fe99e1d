//! Adding records to SQLite. There is nobody on the other side of a wire, so statements are many and small; what costs is
//! to hand them to another thread, and that is done once for all.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension as _, Transaction, TransactionBehavior, params};
use tlog::{Edge, Hash, Node, Plan};
use tokio::task::spawn_blocking;

use super::wal::{self, Wal};
use super::{Done, Facts, Failed, Hashed, Kept, New, Reader, entries};
use crate::error::Error;
use crate::store::audit::{self, Growth, node};
use crate::store::connect::SQLITE_WRITER;
use crate::store::log::Log;
use crate::store::now;
use crate::store::records::Nonce;

/// How many statements are kept prepared: all that are here.
const STATEMENTS: usize = 32;

/// Who adds records to SQLite.
pub(super) struct Sqlite {
    connection: Option<Box<Connection>>,
    wal: Wal,
}

impl Sqlite {
    pub(super) fn new(file: PathBuf) -> Self {
        Self { connection: None, wal: Wal::new(file) }
    }

    /// Adds some of `uploads` in one transaction.
    pub(super) async fn add(
        &mut self,
        log: &Arc<Log>,
        known: Option<Edge>,
        uploads: &Arc<Vec<Hashed>>,
        some: Range<usize>,
    ) -> Result<Done, Failed> {
        let (count, long) = (some.len(), self.wal.is_long().await);
        let (file, kept) = (self.wal.file().to_owned(), self.connection.take());
        let (log, uploads) = (log.clone(), uploads.clone());
        let work = spawn_blocking(move || {
            let mut connection = match kept {
                Some(connection) => connection,
                None => Box::new(open(&file)?),
            };
            if long {
                wal::begin_anew(&connection);
            }
            let done = add(&mut connection, &log, known, &uploads[some])?;
            Ok::<_, Failed>((connection, done))
        });
        let (connection, done) = work.await.map_err(|why| Error::Internal(why.to_string()))??;
        self.connection = Some(connection);
        self.wal.written(count);
        Ok(done)
    }

    /// Brings all over that is in the WAL, and empties it. `false` while somebody still reads there, or when it failed.
    pub(super) async fn tidy(&mut self) -> bool {
        let (file, kept) = (self.wal.file().to_owned(), self.connection.take());
        let work = spawn_blocking(move || {
            let connection = match kept {
                Some(connection) => connection,
                None => Box::new(open(&file)?),
            };
            Ok::<_, Error>((wal::empty(&connection), connection))
        });
        let (emptied, connection) = match work.await {
            Ok(Ok((emptied, connection))) => (emptied, Some(connection)),
            Ok(Err(_)) | Err(_) => (false, None),
        };
        self.connection = connection;
        emptied
    }

    pub(super) async fn close(self) {
        self.wal.close().await;
    }
}

fn open(file: &Path) -> Result<Connection, Error> {
    let connection = Connection::open(file)?;
    connection.execute_batch(SQLITE_WRITER)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    Ok(connection)
}

fn add(
    connection: &mut Connection,
    log: &Log,
    known: Option<Edge>,
    uploads: &[Hashed],
) -> Result<Done, Failed> {
    let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut head = tx.prepare_cached("SELECT size, checkpoint FROM audit_head WHERE id = 1")?;
    let (size, note): (u64, Option<String>) = head.query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    drop(head);
    let edge = match audit::still(known, log, size, note.as_deref()) {
        Some(edge) => edge,
        None => read_edge(&tx, size)?,
    };
    let mut facts = facts(&tx, uploads)?;
    let (outcomes, new) = facts.judge(uploads, edge.size())?;
    let (edge, head) = if new.is_empty() {
        (edge, None)
    } else {
        let growth = audit::grow(log, edge, entries(&outcomes))?;
        insert_records(&tx, &new)?;
        insert_readers(&tx, &facts.readers(&new))?;
        append(&tx, &growth)?;
        (growth.edge, Some(growth.head))
    };
    tx.commit().map_err(|error| Failed::Uncertain(error.into()))?;
    let added = head.map(|head| (head, read_back(connection, &new)));
    Ok(Done { edge, outcomes, added })
}

/// Reads what was added. What cannot be read is left out: who waits for it is told by `records::answer`.
fn read_back(connection: &Connection, new: &[New<'_>]) -> Vec<Kept> {
    let read = || -> Result<Vec<Kept>, rusqlite::Error> {
        let mut select = connection.prepare_cached(
            "SELECT id, sealed, uploaded, leaf, (SELECT body FROM audit_entries e WHERE e.leaf = r.leaf)
             FROM records r WHERE id = ?1",
        )?;
        let mut kept = Vec::with_capacity(new.len());
        for (Hashed { id, .. }, _) in new {
            let found = select.query_row([id], |row| {
                Ok(Kept {
                    id: row.get(0)?,
                    sealed: row.get(1)?,
                    uploaded: row.get(2)?,
                    leaf: row.get::<_, i64>(3)?.cast_unsigned(),
                    body: row.get(4)?,
                })
            });
            kept.extend(found.optional()?);
        }
        Ok(kept)
    };
    read().unwrap_or_else(|error| {
        tracing::error!(%error, "records were added but could not be read back");
        Vec::new()
    })
}

fn read_edge(tx: &Transaction<'_>, size: u64) -> Result<Edge, Error> {
    let mut select = tx.prepare_cached("SELECT hash FROM audit_nodes WHERE level = ?1 AND place = ?2")?;
    let mut read = |node: Node| select.query_row((node.level, node.place.cast_signed()), |row| row.get(0));
    let hashes = Plan::root(size).nodes().map(&mut read).collect::<Result<Vec<Hash>, _>>()?;
    Edge::new(size, hashes).ok_or_else(audit::missing)
}

/// Takes the nonces, and looks up what the uploads are judged by.
fn facts(tx: &Transaction<'_>, uploads: &[Hashed]) -> Result<Facts, rusqlite::Error> {
    let mut take = tx.prepare_cached(
        "INSERT INTO nonces (expires, device_id, nonce) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
    )?;
    let mut owner = tx.prepare_cached("SELECT account_id, revoked IS NOT NULL FROM devices WHERE id = ?1")?;
    let mut known =
        tx.prepare_cached("SELECT account_id, kind, volume_id, key_id FROM records WHERE id = ?1")?;
    let mut recipients = tx.prepare_cached(
        "SELECT recipient, id AS reader, -1 AS since FROM accounts WHERE id = ?1
         UNION ALL SELECT recipient, other_account_id, created FROM recipients WHERE account_id = ?1
         ORDER BY since, recipient",
    )?;
    let mut facts = Facts::default();
    for Hashed { id, upload } in uploads {
        let Nonce { device, bytes, expires } = &upload.nonce;
        if take.execute(params![expires, device, bytes])? == 1 {
            facts.fresh.insert((*expires, device.clone(), bytes.clone()));
        }
        if !facts.owners.contains_key(device) {
            let found = owner.query_row([device], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
            facts.owners.extend(found.map(|found| (device.clone(), found)));
        }
        let particulars =
            known.query_row([id], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)));
        facts.known.extend(particulars.optional()?.map(|found| (id.to_vec(), found)));
        if !facts.recipients.contains_key(&upload.account) {
            let all = facts.recipients.entry(upload.account.clone()).or_default();
            let mut rows = recipients.query([&upload.account])?;
            while let Some(row) = rows.next()? {
                all.push(row.get(0)?, row.get(1)?);
            }
        }
    }
    Ok(facts)
}

fn insert_records(tx: &Transaction<'_>, new: &[New<'_>]) -> Result<(), rusqlite::Error> {
    let uploaded = now();
    let mut insert = tx.prepare_cached(
        "INSERT INTO records
         (leaf, id, account_id, device_id, kind, volume_id, key_id, drive, sealed, proven, uploaded)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
    )?;
    for (Hashed { id, upload }, leaf) in new {
        insert.execute(params![
            leaf,
            id,
            upload.account,
            upload.nonce.device,
            upload.kind.name(),
            upload.volume,
            upload.key_id,
            upload.drive,
            upload.sealed,
            upload.proven,
            uploaded,
        ])?;
    }
    Ok(())
}

fn insert_readers(tx: &Transaction<'_>, readers: &[Reader<'_>]) -> Result<(), rusqlite::Error> {
    let mut insert = tx.prepare_cached(
        "INSERT INTO record_recipients (leaf, recipient, account_id, key_id) VALUES (?1, ?2, ?3, ?4)",
    )?;
    for Reader { leaf, recipient, account, key_id } in readers {
        insert.execute(params![leaf, recipient, account, key_id])?;
    }
    Ok(())
}

/// Adds what the log has grown by, and moves its head.
fn append(tx: &Transaction<'_>, growth: &Growth<'_>) -> Result<(), rusqlite::Error> {
    let mut insert = tx.prepare_cached(
        "INSERT INTO audit_entries (leaf, at, act, account_id, device_id, record_id, body)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?;
    for (leaf, entry, body) in &growth.rows {
        let what = params![leaf, growth.time, entry.act, entry.account, entry.device, entry.record, body];
        insert.execute(what)?;
    }
    let mut insert = tx.prepare_cached("INSERT INTO audit_nodes (level, place, hash) VALUES (?1, ?2, ?3)")?;
    for node in growth.nodes.iter().map(node) {
        insert.execute(node)?;
    }
    let mut update = tx.prepare_cached("UPDATE audit_head SET size = ?1, checkpoint = ?2 WHERE id = 1")?;
    update.execute(params![growth.head.size.cast_signed(), growth.head.note])?;
    Ok(())
}
