//! The audit log: entries, the tree of hashes over them, and what proves that they are in it.

use std::collections::HashMap;

use account::wire::{Consistency, Inclusion};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row};
use tlog::{Edge, Hash, Node, Plan, leaf_hash};

use super::connect::Place;
use super::log::Log;
use super::sql::{insert, number, select_by, signed};
use super::{Store, Tx, now};
use crate::audit::Entry;
use crate::error::Error;

/// The most entries of one page.
const PAGE: u32 = 200;

/// What is hashed of an entry.
#[derive(Serialize)]
struct Body<'e> {
    time: i64,
    /// Without it, the hash of an entry that was erased would let one guess what the entry said.
    salt: String,
    #[serde(flatten)]
    entry: &'e Entry,
}

/// An entry as it is read back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logged {
    /// Its place in the log, from 0.
    pub leaf: u64,
    /// When it was written.
    pub at: i64,
    /// What was done.
    pub act: String,
    /// What else it says. Nothing when it was erased.
    pub said: Option<Said>,
}

/// What an entry says besides time and act: as in [`Entry`].
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Said {
    /// `done`, or why not.
    pub outcome: String,
    /// The account.
    pub account: Option<String>,
    /// The device.
    pub device: Option<String>,
    /// The record: its SHA-256 in hex.
    pub record: Option<String>,
    /// The address.
    pub address: Option<String>,
    /// What else there is to say.
    pub detail: Option<String>,
}

/// Whose entries to read.
#[derive(Clone, Debug)]
pub enum Of {
    /// Those of an account.
    Account(String),
    /// Those of a record.
    Record(Vec<u8>),
}

/// How far the log is, and the hashes that are known without asking the database.
#[derive(Clone, Debug)]
pub(super) struct Head {
    pub(super) size: u64,
    pub(super) note: String,
    known: HashMap<Node, Hash>,
}

impl Store {
    /// Returns the signed checkpoint of the log as it is.
    ///
    /// # Errors
    /// What the database says.
    pub async fn checkpoint(&self) -> Result<String, Error> {
        Ok(self.head().await?.note)
    }

    /// Returns the proof that an entry is in the log.
    ///
    /// # Errors
    /// When there is no such entry, or what the database says.
    pub async fn inclusion(&self, leaf: u64) -> Result<Inclusion, Error> {
        let head = self.head().await?;
        let mut connection = self.readers.acquire().await?;
        let mut proofs = inclusions(&mut connection, &head, &[leaf]).await?;
        proofs.pop().ok_or(Error::NotFound)
    }

    /// Returns the proof that the log of `to` entries begins with that of `from`.
    ///
    /// # Errors
    /// When the log was never of these sizes in this order, or what the database says.
    pub async fn consistency(&self, from: u64, to: u64) -> Result<Consistency, Error> {
        if to > self.head().await?.size {
            return Err(Error::NotFound);
        }
        let plan = Plan::consistency(from, to).map_err(|_| Error::NotFound)?;
        let mut connection = self.readers.acquire().await?;
        let nodes = read_nodes(&mut connection, plan.nodes()).await?;
        Ok(Consistency { path: carry_out(&plan, |node| nodes.get(&node).copied())? })
    }

    /// Returns a page of entries, the newest first: those before `before`, at most `limit`.
    ///
    /// # Errors
    /// What the database says.
    pub async fn history(&self, of: Of, before: Option<u64>, limit: u32) -> Result<Vec<Logged>, Error> {
        let before = signed(before.unwrap_or(i64::MAX.unsigned_abs()))?;
        let limit = i64::from(limit.min(PAGE));
        let rows = match of {
            Of::Account(id) => sqlx::query(
                "SELECT leaf, at, act, body FROM audit_entries WHERE account_id = $1 AND leaf < $2
                 ORDER BY leaf DESC LIMIT $3",
            )
            .bind(id),
            Of::Record(id) => sqlx::query(
                "SELECT leaf, at, act, body FROM (
                     SELECT * FROM audit_entries WHERE leaf = (SELECT leaf FROM records WHERE id = $1)
                     UNION ALL SELECT * FROM audit_entries
                     WHERE record_id = $1 AND act NOT IN ('record.add', 'record.reseal')
                 ) said WHERE leaf < $2 ORDER BY leaf DESC LIMIT $3",
            )
            .bind(id),
        };
        let rows = rows.bind(before).bind(limit).fetch_all(&self.readers).await?;
        rows.iter().map(logged).collect()
    }

    pub(super) async fn head(&self) -> Result<Head, Error> {
        let mut connection = self.readers.acquire().await?;
        read_head(&mut connection, &self.log).await
    }
}

fn logged(row: &AnyRow) -> Result<Logged, Error> {
    let body: Option<String> = row.try_get("body")?;
    let said = body.map(|body| serde_json::from_str(&body)).transpose();
    let said = said.map_err(|why| Error::Internal(format!("an entry of the audit log is damaged: {why}")))?;
    Ok(Logged { leaf: number(row, "leaf")?, at: row.try_get("at")?, act: row.try_get("act")?, said })
}

/// Takes what was said by an account, and of its devices and records, out of the log. The hashes stay, so the log
/// still verifies; who or what it was cannot be told from them. To be called before the account is deleted.
///
/// # Errors
/// What the database says.
pub async fn erase(tx: &mut Tx, account: &str) -> Result<(), Error> {
    sqlx::query(
        "UPDATE audit_entries SET body = NULL, account_id = NULL, device_id = NULL, record_id = NULL
         WHERE account_id = $1 OR (account_id IS NULL AND (
             device_id IN (SELECT id FROM devices WHERE account_id = $1)
             OR record_id IN (SELECT id FROM records WHERE account_id = $1)))",
    )
    .bind(account)
    .execute(&mut *tx)
    .await?;
    Ok(())
}

/// Makes the caller the only one who writes, and returns the tree's edge: `known`, unless somebody else has written.
pub(super) async fn lock(tx: &mut Tx, place: &Place, log: &Log, known: Option<Edge>) -> Result<Edge, Error> {
    let select = if place.is_sqlite() {
        "SELECT size, checkpoint FROM audit_head WHERE id = 1"
    } else {
        "SELECT size, checkpoint FROM audit_head WHERE id = 1 FOR UPDATE"
    };
    let row = sqlx::query(select).fetch_one(&mut *tx).await?;
    let (size, note) = (number(&row, "size")?, row.try_get::<Option<String>, _>("checkpoint")?);
    match still(known, log, size, note.as_deref()) {
        Some(edge) => Ok(edge),
        None => read_edge(tx, size).await,
    }
}

/// Returns the edge that was known if it is still that of the log, which has `size` entries and the checkpoint `note`. The
/// size alone does not say so: a database that lost its newest entries, as when another takes its place, grows again.
pub(super) fn still(known: Option<Edge>, log: &Log, size: u64, note: Option<&str>) -> Option<Edge> {
    known.filter(|edge| {
        edge.size() == size && note.is_some_and(|note| *note == log.sign(edge.size(), edge.root()))
    })
}

async fn read_edge(connection: &mut AnyConnection, size: u64) -> Result<Edge, Error> {
    let plan = Plan::root(size);
    let nodes = read_nodes(connection, plan.nodes()).await?;
    let hashes = plan.nodes().map_while(|node| nodes.get(&node).copied()).collect();
    Edge::new(size, hashes).ok_or_else(missing)
}

/// What the log grows by.
pub(super) struct Growth<'e> {
    /// The tree's edge afterwards.
    pub(super) edge: Edge,
    /// The log's head afterwards.
    pub(super) head: Head,
    /// When.
    pub(super) time: i64,
    /// The entries, each with its leaf and what is hashed of it.
    pub(super) rows: Vec<(i64, &'e Entry, String)>,
    /// The subtrees that become complete.
    pub(super) nodes: Vec<(Node, Hash)>,
}

/// Says what the log becomes by some entries. The caller has [`lock`]ed it, and puts it into the database.
pub(super) fn grow<'e>(
    log: &Log,
    mut edge: Edge,
    entries: impl Iterator<Item = &'e Entry>,
) -> Result<Growth<'e>, Error> {
    let time = now();
    let mut known: HashMap<Node, Hash> = edge.nodes().collect();
    let (mut nodes, mut rows) = (Vec::new(), Vec::new());
    for entry in entries {
        let body = serde_json::to_string(&Body { time, salt: salt()?, entry })
            .map_err(|why| Error::Internal(why.to_string()))?;
        let hash = leaf_hash(body.as_bytes());
        rows.push((signed(edge.size())?, entry, body));
        edge.push(hash, |node, hash| nodes.push((node, hash)));
    }
    known.extend(nodes.iter().copied());
    let head = Head { size: edge.size(), note: log.sign(edge.size(), edge.root()), known };
    Ok(Growth { edge, head, time, rows, nodes })
}

/// Returns what the database has of a node: level, place, hash.
pub(super) fn node((node, hash): &(Node, Hash)) -> (i64, i64, &[u8]) {
    (i64::from(node.level), node.place.cast_signed(), hash)
}

/// Adds entries to the log, and moves its head. The caller has [`lock`]ed it.
pub(super) async fn append(tx: &mut Tx, log: &Log, edge: Edge, entries: &[Entry]) -> Result<Edge, Error> {
    let Growth { edge, head, time, rows, nodes } = grow(log, edge, entries.iter())?;
    let into = "audit_entries (leaf, at, act, account_id, device_id, record_id, body)";
    insert(tx, into, &rows, "", |query, (leaf, entry, body)| {
        query
            .bind(*leaf)
            .bind(time)
            .bind(entry.act)
            .bind(entry.account.clone())
            .bind(entry.device.clone())
            .bind(entry.record.clone())
            .bind(body.clone())
    })
    .await?;
    insert(tx, "audit_nodes (level, place, hash)", &nodes, "", |query, row| {
        let (level, place, hash) = node(row);
        query.bind(level).bind(place).bind(hash.to_vec())
    })
    .await?;
    sqlx::query("UPDATE audit_head SET size = $1, checkpoint = $2 WHERE id = 1")
        .bind(signed(edge.size())?)
        .bind(head.note)
        .execute(&mut *tx)
        .await?;
    Ok(edge)
}

fn salt() -> Result<String, Error> {
    let mut salt = [0; 16];
    getrandom::fill(&mut salt).map_err(|why| Error::Internal(format!("no random numbers: {why}")))?;
    Ok(STANDARD.encode(salt))
}

pub(super) async fn read_head(connection: &mut AnyConnection, log: &Log) -> Result<Head, Error> {
    let row =
        sqlx::query("SELECT size, checkpoint FROM audit_head WHERE id = 1").fetch_one(connection).await?;
    let note: Option<String> = row.try_get("checkpoint")?;
    let size = number(&row, "size")?;
    // Only a log without entries has none yet.
    let note = note.unwrap_or_else(|| log.sign(0, tlog::root_of_nothing()));
    Ok(Head { size, note, known: HashMap::new() })
}

/// Returns the proofs that leaves are in the log that `head` is of, in the order of `leaves`.
pub(super) async fn inclusions(
    connection: &mut AnyConnection,
    head: &Head,
    leaves: &[u64],
) -> Result<Vec<Inclusion>, Error> {
    let plans: Vec<_> = leaves
        .iter()
        .map(|&leaf| Plan::inclusion(leaf, head.size).map_err(|_| Error::NotFound))
        .collect::<Result<_, _>>()?;
    let mut wanted: Vec<_> =
        plans.iter().flat_map(Plan::nodes).chain(leaves.iter().map(|&leaf| leaf_node(leaf))).collect();
    wanted.retain(|node| !head.known.contains_key(node));
    wanted.sort_unstable();
    wanted.dedup();
    let read = read_nodes(connection, wanted.into_iter()).await?;
    plans.iter().zip(leaves).map(|(plan, &leaf)| head.carry_out(plan, leaf, &read)).collect()
}

impl Head {
    /// Returns the proof that a leaf is in the log, if the hashes for it are known without asking the database, as they
    /// are of leaves that came with this head.
    pub(super) fn inclusion(&self, leaf: u64) -> Option<Inclusion> {
        let plan = Plan::inclusion(leaf, self.size).ok()?;
        self.carry_out(&plan, leaf, &HashMap::new()).ok()
    }

    fn carry_out(&self, plan: &Plan, leaf: u64, read: &HashMap<Node, Hash>) -> Result<Inclusion, Error> {
        let hash = |node: Node| self.known.get(&node).or_else(|| read.get(&node)).copied();
        Ok(Inclusion {
            leaf,
            hash: STANDARD.encode(hash(leaf_node(leaf)).ok_or_else(missing)?),
            path: carry_out(plan, hash)?,
            checkpoint: self.note.clone(),
        })
    }
}

fn leaf_node(leaf: u64) -> Node {
    Node { level: 0, place: leaf }
}

fn carry_out(plan: &Plan, hash: impl Fn(Node) -> Option<Hash>) -> Result<Vec<String>, Error> {
    let path = plan.carry_out(hash).ok_or_else(missing)?;
    Ok(path.iter().map(|hash| STANDARD.encode(hash)).collect())
}

/// Returns the hashes of nodes, as far as there are any.
pub(super) async fn read_nodes(
    connection: &mut AnyConnection,
    nodes: impl Iterator<Item = Node>,
) -> Result<HashMap<Node, Hash>, Error> {
    let nodes: Vec<Node> = nodes.collect();
    // No join: PostgreSQL would plan it while the tree is empty, and then begin with the tree.
    let select = "SELECT * FROM (SELECT column1 AS level, column2 AS place, (SELECT hash FROM audit_nodes n
                      WHERE n.level = wanted.column1 AND n.place = wanted.column2) AS hash
                      FROM (VALUES) AS wanted) found WHERE hash IS NOT NULL";
    let rows = select_by(connection, select, 2, &nodes, |query, node| {
        query.bind(i64::from(node.level)).bind(node.place.cast_signed())
    })
    .await?;
    rows.iter().map(read_node).collect()
}

pub(super) fn read_node(row: &AnyRow) -> Result<(Node, Hash), Error> {
    let level = u8::try_from(number(row, "level")?).map_err(|_| missing())?;
    let hash: Vec<u8> = row.try_get("hash")?;
    let hash = hash.try_into().map_err(|_| missing())?;
    Ok((Node { level, place: number(row, "place")? }, hash))
}

pub(super) fn missing() -> Error {
    Error::Internal("the audit log's tree has lost a hash: run `lastkeyd check`".to_owned())
}
