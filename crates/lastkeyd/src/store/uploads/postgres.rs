//! Adding records to PostgreSQL. What costs is the way there and back, so each statement carries what belongs to all
//! uploads, as arrays: their text is always the same, and they are planned once.

use std::collections::BTreeSet;
use std::str::FromStr as _;

use sqlx::postgres::{PgConnectOptions, PgConnection, PgRow};
use sqlx::{ConnectOptions as _, Connection as _, Executor as _, Row as _};
use tlog::{Edge, Hash, Plan};
use tokio::time::timeout;

use super::{Done, Facts, Failed, Hashed, Kept, LIMIT, New, Reader, entries};
use crate::error::Error;
use crate::store::audit::{self, Growth, node};
use crate::store::connect::{PATIENCE, POSTGRES_WRITER};
use crate::store::log::Log;
use crate::store::now;

/// Whoever has the head's row is the only one who writes.
const BEGIN: &str = "BEGIN; SELECT size, checkpoint FROM audit_head WHERE id = 1 FOR UPDATE";

/// Who adds records to PostgreSQL.
pub(super) struct Postgres {
    options: PgConnectOptions,
    connection: Option<PgConnection>,
    /// The size that the log had when statements were planned.
    planned: u64,
}

impl Postgres {
    pub(super) fn new(url: &str) -> Result<Self, Error> {
        let options = PgConnectOptions::from_str(url)?.disable_statement_logging();
        Ok(Self { options, connection: None, planned: 0 })
    }

    /// Adds uploads in one transaction.
    pub(super) async fn add(
        &mut self,
        log: &Log,
        known: Option<Edge>,
        uploads: &[Hashed],
    ) -> Result<Done, Failed> {
        let (mut connection, head) = self.begin().await?;
        let done =
            timeout(LIMIT, add(&mut connection, log, head, known, uploads)).await.unwrap_or_else(|_| {
                let why = format!("the database did not answer for {} seconds", LIMIT.as_secs());
                Err(Failed::Uncertain(Error::Internal(why)))
            })?;
        self.connection = Some(connection);
        Ok(done)
    }

    /// Begins a transaction, and returns the log's size and checkpoint. A connection whose server is gone is found out
    /// before anything was done on it.
    async fn begin(&mut self) -> Result<(PgConnection, (u64, Option<String>)), Error> {
        if let Some(mut connection) = self.connection.take()
            && let Ok(Ok(head)) = timeout(LIMIT, lock(&mut connection)).await
        {
            // What was planned while the tables were small or empty may read the whole of them.
            if head.0 / 2 >= self.planned {
                connection.execute("DISCARD PLANS").await?;
                self.planned = head.0;
            }
            return Ok((connection, head));
        }
        let open = async {
            let mut connection = self.options.connect().await?;
            connection.execute(POSTGRES_WRITER).await?;
            Ok::<_, sqlx::Error>(connection)
        };
        let mut connection = timeout(PATIENCE, open).await.map_err(|_| sqlx::Error::PoolTimedOut)??;
        let head = lock(&mut connection).await?;
        self.planned = head.0;
        Ok((connection, head))
    }

    pub(super) async fn close(self) {
        if let Some(connection) = self.connection {
            // Whatever it says to its end, all is committed.
            let _ = timeout(PATIENCE, connection.close()).await;
        }
    }
}

async fn lock(connection: &mut PgConnection) -> Result<(u64, Option<String>), Error> {
    let rows = connection.fetch_all(BEGIN).await?;
    let row = rows.first().ok_or(sqlx::Error::RowNotFound)?;
    let size: i64 = row.try_get(0)?;
    let size = u64::try_from(size)
        .map_err(|_| Error::Internal(format!("the log's size is {size} in the database")))?;
    Ok((size, row.try_get(1)?))
}

/// Adds uploads in the transaction that was begun, and commits it.
async fn add(
    tx: &mut PgConnection,
    log: &Log,
    (size, note): (u64, Option<String>),
    known: Option<Edge>,
    uploads: &[Hashed],
) -> Result<Done, Failed> {
    let edge = match audit::still(known, log, size, note.as_deref()) {
        Some(edge) => edge,
        None => read_edge(tx, size).await?,
    };
    let mut facts = facts(tx, uploads).await?;
    let (outcomes, new) = facts.judge(uploads, edge.size())?;
    let (edge, head) = if new.is_empty() {
        (edge, None)
    } else {
        let growth = audit::grow(log, edge, entries(&outcomes))?;
        insert(tx, &new, &facts.readers(&new), &growth).await?;
        (growth.edge, Some(growth.head))
    };
    tx.execute("COMMIT").await.map_err(|error| Failed::Uncertain(error.into()))?;
    let added = match head {
        Some(head) => Some((head, read_back(tx, &new).await)),
        None => None,
    };
    Ok(Done { edge, outcomes, added })
}

/// Reads what was added. What cannot be read is left out: who waits for it is told by `records::answer`.
async fn read_back(connection: &mut PgConnection, new: &[New<'_>]) -> Vec<Kept> {
    let read = async {
        let select = sqlx::query(
            "SELECT id, sealed, uploaded, leaf, (SELECT body FROM audit_entries e WHERE e.leaf = r.leaf)
             FROM records r WHERE id = ANY($1)",
        );
        let ids: Vec<&[u8]> = new.iter().map(|(hashed, _)| hashed.id.as_slice()).collect();
        let rows = select.bind(ids).fetch_all(connection).await?;
        let kept = |row: &PgRow| {
            Ok(Kept {
                id: row.try_get(0)?,
                sealed: row.try_get(1)?,
                uploaded: row.try_get(2)?,
                leaf: row.try_get::<i64, _>(3)?.cast_unsigned(),
                body: row.try_get(4)?,
            })
        };
        rows.iter().map(kept).collect::<Result<Vec<_>, sqlx::Error>>()
    };
    read.await.unwrap_or_else(|error| {
        tracing::error!(%error, "records were added but could not be read back");
        Vec::new()
    })
}

async fn read_edge(tx: &mut PgConnection, size: u64) -> Result<Edge, Error> {
    let plan = Plan::root(size);
    let (levels, places): (Vec<i64>, Vec<i64>) =
        plan.nodes().map(|node| (i64::from(node.level), node.place.cast_signed())).unzip();
    let rows = sqlx::query(
        "SELECT (SELECT hash FROM audit_nodes n WHERE n.level = wanted.level AND n.place = wanted.place)
         FROM UNNEST($1::bigint[], $2::bigint[]) WITH ORDINALITY AS wanted (level, place, number)
         ORDER BY number",
    )
    .bind(levels)
    .bind(places)
    .fetch_all(tx)
    .await?;
    let hashes = rows.iter().map(|row| row.try_get(0)).collect::<Result<Vec<Hash>, _>>()?;
    Edge::new(size, hashes).ok_or_else(audit::missing)
}

/// Takes the nonces, and looks up what the uploads are judged by.
async fn facts(tx: &mut PgConnection, uploads: &[Hashed]) -> Result<Facts, sqlx::Error> {
    let all = || uploads.iter().map(|hashed| &hashed.upload);
    let mut facts = Facts::default();
    let found = sqlx::query(
        "WITH asked AS (
             SELECT * FROM UNNEST($1::text[], $2::bytea[], $3::bigint[], $4::bytea[]) AS
                 asked (device_id, nonce, expires, id)
         ), fresh AS (
             INSERT INTO nonces (expires, device_id, nonce) SELECT expires, device_id, nonce FROM asked
             ON CONFLICT DO NOTHING RETURNING expires, device_id, nonce
         )
         SELECT asked.device_id, fresh.nonce, asked.expires, d.account_id, d.revoked IS NOT NULL,
             r.id, r.account_id, r.kind, r.volume_id, r.key_id
         FROM asked LEFT JOIN fresh ON fresh.device_id = asked.device_id AND fresh.nonce = asked.nonce
             AND fresh.expires = asked.expires
         LEFT JOIN devices d ON d.id = asked.device_id LEFT JOIN records r ON r.id = asked.id",
    )
    .bind(all().map(|upload| upload.nonce.device.as_str()).collect::<Vec<_>>())
    .bind(all().map(|upload| upload.nonce.bytes.as_slice()).collect::<Vec<_>>())
    .bind(all().map(|upload| upload.nonce.expires).collect::<Vec<_>>())
    .bind(uploads.iter().map(|hashed| hashed.id.as_slice()).collect::<Vec<_>>());
    for row in found.fetch_all(&mut *tx).await? {
        let device: String = row.try_get(0)?;
        if let Some(nonce) = row.try_get(1)? {
            facts.fresh.insert((row.try_get(2)?, device.clone(), nonce));
        }
        if let Some(account) = row.try_get(3)? {
            facts.owners.insert(device, (account, row.try_get(4)?));
        }
        if let Some(id) = row.try_get(5)? {
            let particulars = (row.try_get(6)?, row.try_get(7)?, row.try_get(8)?, row.try_get(9)?);
            facts.known.insert(id, particulars);
        }
    }

    let recipients = sqlx::query(
        "SELECT id, recipient, id AS reader, -1::bigint AS since FROM accounts WHERE id = ANY($1)
         UNION ALL SELECT account_id, recipient, other_account_id, created FROM recipients
         WHERE account_id = ANY($1) ORDER BY since, recipient",
    );
    let accounts: BTreeSet<&str> = all().map(|upload| upload.account.as_str()).collect();
    for row in recipients.bind(Vec::from_iter(accounts)).fetch_all(&mut *tx).await? {
        facts.recipients.entry(row.try_get(0)?).or_default().push(row.try_get(1)?, row.try_get(2)?);
    }
    Ok(facts)
}

/// Adds new records, who can open them, and what the log has grown by; moves the log's head.
async fn insert(
    tx: &mut PgConnection,
    new: &[New<'_>],
    readers: &[Reader<'_>],
    growth: &Growth<'_>,
) -> Result<(), sqlx::Error> {
    let uploads = || new.iter().map(|(hashed, _)| &hashed.upload);
    let (entries, nodes) =
        (|| growth.rows.iter().map(|(_, entry, _)| *entry), || growth.nodes.iter().map(node));
    let added = sqlx::query(
        "WITH added AS (
             INSERT INTO records
             (id, account_id, device_id, kind, volume_id, key_id, drive, sealed, proven, leaf, uploaded)
             SELECT *, $11 FROM UNNEST($1::bytea[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[],
                 $7::text[], $8::bytea[], $9::bigint[], $10::bigint[])
         ), opened AS (
             INSERT INTO record_recipients (leaf, recipient, account_id, key_id)
             SELECT * FROM UNNEST($12::bigint[], $13::text[], $14::text[], $15::text[])
         ), said AS (
             INSERT INTO audit_entries (leaf, act, account_id, device_id, record_id, body, at)
             SELECT *, $22 FROM UNNEST($16::bigint[], $17::text[], $18::text[], $19::text[], $20::bytea[],
                 $21::text[])
         ), hashed AS (
             INSERT INTO audit_nodes (level, place, hash)
             SELECT * FROM UNNEST($23::bigint[], $24::bigint[], $25::bytea[])
         )
         UPDATE audit_head SET size = $26, checkpoint = $27 WHERE id = 1",
    )
    .bind(new.iter().map(|(hashed, _)| hashed.id.as_slice()).collect::<Vec<_>>())
    .bind(uploads().map(|upload| upload.account.as_str()).collect::<Vec<_>>())
    .bind(uploads().map(|upload| upload.nonce.device.as_str()).collect::<Vec<_>>())
    .bind(uploads().map(|upload| upload.kind.name()).collect::<Vec<_>>())
    .bind(uploads().map(|upload| upload.volume.as_str()).collect::<Vec<_>>())
    .bind(uploads().map(|upload| upload.key_id.as_deref()).collect::<Vec<_>>())
    .bind(uploads().map(|upload| upload.drive.as_str()).collect::<Vec<_>>())
    .bind(uploads().map(|upload| upload.sealed.as_slice()).collect::<Vec<_>>())
    .bind(uploads().map(|upload| upload.proven).collect::<Vec<_>>())
    .bind(new.iter().map(|&(_, leaf)| leaf).collect::<Vec<_>>())
    .bind(now())
    .bind(readers.iter().map(|reader| reader.leaf).collect::<Vec<_>>())
    .bind(readers.iter().map(|reader| reader.recipient).collect::<Vec<_>>())
    .bind(readers.iter().map(|reader| reader.account).collect::<Vec<_>>())
    .bind(readers.iter().map(|reader| reader.key_id).collect::<Vec<_>>())
    .bind(growth.rows.iter().map(|&(leaf, ..)| leaf).collect::<Vec<_>>())
    .bind(entries().map(|entry| entry.act).collect::<Vec<_>>())
    .bind(entries().map(|entry| entry.account.as_deref()).collect::<Vec<_>>())
    .bind(entries().map(|entry| entry.device.as_deref()).collect::<Vec<_>>())
    .bind(entries().map(|entry| entry.record.as_deref()).collect::<Vec<_>>())
    .bind(growth.rows.iter().map(|(.., body)| body.as_str()).collect::<Vec<_>>())
    .bind(growth.time)
    .bind(nodes().map(|(level, ..)| level).collect::<Vec<_>>())
    .bind(nodes().map(|(_, place, _)| place).collect::<Vec<_>>())
    .bind(nodes().map(|(.., hash)| hash).collect::<Vec<_>>())
    .bind(growth.head.size.cast_signed())
    .bind(&growth.head.note);
    added.execute(tx).await.map(drop)
}
