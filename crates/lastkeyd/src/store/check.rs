//! Checking everything that is in the database: every record's hash, the whole audit log.

use std::collections::HashMap;

use futures_util::TryStreamExt as _;
use sha2::{Digest, Sha256};
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Connection, Row};
use tlog::{Checkpoint, Edge, Hash, Node, NoteVerifier, leaf_hash};

use super::audit::read_node;
use super::connect::Place;
use super::sql::{number, signed};
use super::{Store, hex};
use crate::error::Error;

/// How many entries of the log are looked at together.
const STEP: u64 = 512;
/// The most findings that are written down.
const FINDINGS: usize = 100;

/// What a check has found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The records that were looked at.
    pub records: u64,
    /// The entries of the audit log.
    pub entries: u64,
    /// Those of them that were erased, of which only the hash is left.
    pub erased: u64,
    /// The log's signed checkpoint, if it has an entry.
    pub checkpoint: Option<String>,
    /// What is wrong, as sentences: nothing when all is well. The first hundred of them.
    pub findings: Vec<String>,
}

impl Report {
    /// Returns whether nothing is wrong.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.findings.is_empty()
    }

    fn add(&mut self, what: impl FnOnce() -> String) {
        if self.findings.len() < FINDINGS {
            self.findings.push(what());
        }
    }
}

impl Store {
    /// Checks everything, as it is at this moment: the database's own order, every record's hash, the audit log.
    /// `remembered` are checkpoints that somebody has kept: the log must still begin with what they are of.
    ///
    /// # Errors
    /// What the database says. What is wrong in it is no error, but in the report.
    pub async fn check(&self, remembered: &[Checkpoint]) -> Result<Report, Error> {
        let mut connection = self.readers.acquire().await?;
        let mut tx = connection.begin_with(self.place.begin_snapshot()).await?;
        check(&mut tx, &self.place, remembered).await
    }

    /// Checks the audit log alone.
    ///
    /// # Errors
    /// As [`Store::check`].
    pub async fn check_log(&self, remembered: &[Checkpoint]) -> Result<Report, Error> {
        let mut connection = self.readers.acquire().await?;
        let mut tx = connection.begin_with(self.place.begin_snapshot()).await?;
        let mut report = Report::default();
        check_log(&mut tx, remembered, &mut report).await?;
        Ok(report)
    }
}

pub(super) async fn check(
    connection: &mut AnyConnection,
    place: &Place,
    remembered: &[Checkpoint],
) -> Result<Report, Error> {
    let mut report = Report::default();
    if place.is_sqlite() {
        check_sqlite(connection, &mut report).await?;
    }
    check_records(connection, &mut report).await?;
    check_for_lost_records(connection, &mut report).await?;
    check_log(connection, remembered, &mut report).await?;
    Ok(report)
}

/// What SQLite knows of itself. PostgreSQL lets nothing in that its constraints forbid.
async fn check_sqlite(connection: &mut AnyConnection, report: &mut Report) -> Result<(), Error> {
    for row in sqlx::query("PRAGMA integrity_check(100)").fetch_all(&mut *connection).await? {
        let said: String = row.try_get(0)?;
        if said != "ok" {
            report.add(|| format!("SQLite: {said}"));
        }
    }
    for row in sqlx::query("PRAGMA foreign_key_check").fetch_all(&mut *connection).await? {
        let (table, other): (String, String) = (row.try_get("table")?, row.try_get("parent")?);
        report.add(|| format!("a row of {table} belongs to one of {other} that is not there"));
    }
    Ok(())
}

/// Every record is what its ID says, its owner sees it, and the log has an entry of it at the place that it names.
async fn check_records(connection: &mut AnyConnection, report: &mut Report) -> Result<(), Error> {
    let mut rows = sqlx::query(
        "SELECT r.id, r.sealed, r.leaf, e.record_id, e.act, (
             SELECT 1 FROM record_recipients p
             WHERE p.leaf = r.leaf AND p.account_id = r.account_id
                 AND (p.key_id = r.key_id OR (p.key_id IS NULL AND r.key_id IS NULL)) LIMIT 1) AS seen
         FROM records r LEFT JOIN audit_entries e ON e.leaf = r.leaf",
    )
    .fetch(connection);
    while let Some(row) = rows.try_next().await? {
        let (id, sealed): (Vec<u8>, Vec<u8>) = (row.try_get("id")?, row.try_get("sealed")?);
        report.records += 1;
        if Sha256::digest(&sealed)[..] != id {
            report.add(|| format!("the record {} was changed: its bytes have another hash", hex(&id)));
        }
        let (of, act): (Option<Vec<u8>>, Option<String>) = (row.try_get("record_id")?, row.try_get("act")?);
        if of.as_ref() != Some(&id) || !matches!(act.as_deref(), Some("record.add" | "record.reseal")) {
            report.add(|| format!("the audit log does not say where the record {} came from", hex(&id)));
        }
        if row.try_get::<Option<i64>, _>("seen")?.is_none() {
            report.add(|| format!("the record {} is in no list of its owner's", hex(&id)));
        }
    }
    Ok(())
}

/// Every record that the log says was added is there. Those of an account that was deleted are not in the log any more.
async fn check_for_lost_records(connection: &mut AnyConnection, report: &mut Report) -> Result<(), Error> {
    let mut rows = sqlx::query(
        "SELECT e.leaf, e.record_id FROM audit_entries e LEFT JOIN records r ON r.leaf = e.leaf AND r.id = e.record_id
         WHERE e.act IN ('record.add', 'record.reseal') AND e.record_id IS NOT NULL AND r.leaf IS NULL ORDER BY e.leaf",
    )
    .fetch(connection);
    while let Some(row) = rows.try_next().await? {
        let (leaf, id): (i64, Vec<u8>) = (row.try_get("leaf")?, row.try_get("record_id")?);
        report
            .add(|| format!("the record {} is gone, which the log's entry {leaf} says was added", hex(&id)));
    }
    Ok(())
}

/// The tree is computed anew from the entries, and compared with what is kept of it and with the checkpoints.
async fn check_log(
    connection: &mut AnyConnection,
    remembered: &[Checkpoint],
    report: &mut Report,
) -> Result<(), Error> {
    let row = sqlx::query("SELECT size, checkpoint FROM audit_head WHERE id = 1")
        .fetch_one(&mut *connection)
        .await?;
    let size = number(&row, "size")?;
    let note: Option<String> = row.try_get("checkpoint")?;
    let mut roots: HashMap<u64, Hash> = HashMap::new();
    let mut edge = Edge::default();
    while edge.size() < size {
        let end = size.min(edge.size() + STEP);
        check_step(connection, &mut edge, end, remembered, &mut roots, report).await?;
    }
    report.entries = size;
    for (table, expected) in
        [("audit_entries", size), ("audit_nodes", 2 * size - u64::from(size.count_ones()))]
    {
        let count = match table {
            "audit_entries" => sqlx::query("SELECT COUNT(*) AS count FROM audit_entries"),
            _ => sqlx::query("SELECT COUNT(*) AS count FROM audit_nodes"),
        };
        let count = number(&count.fetch_one(&mut *connection).await?, "count")?;
        if count != expected {
            report.add(|| format!("{table} has {count} rows; a log of {size} entries has {expected}"));
        }
    }
    check_checkpoints(connection, &edge, note, remembered, &roots, report).await
}

/// Looks at the entries up to `end`, and at the nodes that are complete with them.
async fn check_step(
    connection: &mut AnyConnection,
    edge: &mut Edge,
    end: u64,
    remembered: &[Checkpoint],
    roots: &mut HashMap<u64, Hash>,
    report: &mut Report,
) -> Result<(), Error> {
    let start = edge.size();
    let mut nodes: HashMap<Node, Hash> = HashMap::new();
    let mut level = 0_u8;
    while level < 63 && end >> level > start >> level {
        let rows = sqlx::query(
            "SELECT level, place, hash FROM audit_nodes WHERE level = $1 AND place >= $2 AND place < $3",
        )
        .bind(i64::from(level))
        .bind(signed(start >> level)?)
        .bind(signed(end >> level)?)
        .fetch_all(&mut *connection)
        .await?;
        for row in rows {
            let (node, hash) = read_node(&row)?;
            nodes.insert(node, hash);
        }
        level += 1;
    }
    let rows = sqlx::query(
        "SELECT leaf, at, act, account_id, device_id, record_id, body FROM audit_entries
         WHERE leaf >= $1 AND leaf < $2 ORDER BY leaf",
    )
    .bind(signed(start)?)
    .bind(signed(end)?)
    .fetch_all(&mut *connection)
    .await?;
    let entries: HashMap<u64, &AnyRow> =
        rows.iter().map(|row| Ok((number(row, "leaf")?, row))).collect::<Result<_, Error>>()?;
    for leaf in start..end {
        let kept = nodes.get(&Node { level: 0, place: leaf }).copied().unwrap_or_default();
        let hash = match entries.get(&leaf) {
            Some(row) => entry_hash(row, leaf, report)?.unwrap_or(kept),
            None => {
                report.add(|| format!("the log's entry {leaf} is missing"));
                kept
            }
        };
        edge.push(hash, |node, hash| {
            if nodes.get(&node) != Some(&hash) {
                report.add(|| format!("the tree says something else of {} than the entries", place(node)));
            }
        });
        if remembered.iter().any(|checkpoint| checkpoint.size == edge.size()) {
            roots.insert(edge.size(), edge.root());
        }
    }
    Ok(())
}

fn place(node: Node) -> String {
    let (start, length) = (node.place << node.level, 1_u64 << node.level);
    if length == 1 { format!("entry {start}") } else { format!("entries {start} to {}", start + length - 1) }
}

/// Returns the hash of an entry's body, if it still has one, and looks whether the columns say what the body says.
fn entry_hash(row: &AnyRow, leaf: u64, report: &mut Report) -> Result<Option<Hash>, Error> {
    let Some(body) = row.try_get::<Option<String>, _>("body")? else {
        report.erased += 1;
        return Ok(None);
    };
    let said: serde_json::Value = serde_json::from_str(&body).unwrap_or_default();
    let record: Option<Vec<u8>> = row.try_get("record_id")?;
    let columns = serde_json::json!({
        "time": row.try_get::<i64, _>("at")?,
        "act": row.try_get::<String, _>("act")?,
        "account": row.try_get::<Option<String>, _>("account_id")?,
        "device": row.try_get::<Option<String>, _>("device_id")?,
        "record": record.map(|record| hex(&record)),
    });
    let same =
        columns.as_object().is_some_and(|columns| columns.iter().all(|(name, value)| said[name] == *value));
    if !same {
        report
            .add(|| format!("the columns of the log's entry {leaf} say something else than what is hashed"));
    }
    Ok(Some(leaf_hash(body.as_bytes())))
}

async fn check_checkpoints(
    connection: &mut AnyConnection,
    edge: &Edge,
    note: Option<String>,
    remembered: &[Checkpoint],
    roots: &HashMap<u64, Hash>,
    report: &mut Report,
) -> Result<(), Error> {
    let size = edge.size();
    if let Some(note) = &note {
        let key =
            sqlx::query("SELECT value FROM server WHERE name = 'log_key'").fetch_optional(connection).await?;
        let key: String = key.map(|row| row.try_get(0)).transpose()?.unwrap_or_default();
        let opened = NoteVerifier::parse(&key).and_then(|verifier| Checkpoint::open(note, &verifier));
        match opened {
            Err(why) => report.add(|| format!("the log's checkpoint: {why}")),
            Ok(checkpoint) if checkpoint.size != size || checkpoint.root != edge.root() => report.add(|| {
                format!("the log was changed: its checkpoint of {} entries has another root", checkpoint.size)
            }),
            Ok(_) => {}
        }
    } else if size > 0 {
        report.add(|| "the log has entries but no checkpoint".to_owned());
    }
    for checkpoint in remembered {
        let root = match checkpoint.size {
            0 => Some(tlog::root_of_nothing()),
            size => roots.get(&size).copied(),
        };
        match root {
            None => {
                report.add(|| format!("the log has lost entries: it has {size}, and had {}", checkpoint.size))
            }
            Some(root) if root != checkpoint.root => report.add(|| {
                format!(
                    "the log was changed: its first {} entries are not those of the checkpoint",
                    checkpoint.size
                )
            }),
            Some(_) => {}
        }
    }
    report.checkpoint = note;
    Ok(())
}
