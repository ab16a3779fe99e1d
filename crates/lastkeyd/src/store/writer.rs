//! The one who writes: many changes in one transaction, so that many wait for the disk together.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use sqlx::{AnyConnection, AnyPool, Connection};
use tlog::Edge;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::{Duration, timeout};

use super::audit::{self, Head};
use super::connect::Place;
use super::log::Log;
use super::records::{self, Caller, Hashed, Outcome};
use super::{Change, Tx, now};
use crate::audit::Entry;
use crate::error::Error;

/// The most jobs that wait, and that go into one transaction.
pub(super) const BATCH: usize = 128;
/// How long a transaction may take before its connection is given up.
const LIMIT: Duration = Duration::from_secs(60);
/// How often nonces that have expired are deleted, in seconds.
const PRUNE: i64 = 60;

/// Something to write.
pub(super) enum Job {
    Change(Box<dyn Pending>),
    Upload(Box<Hashed>, Caller),
    /// No more; said when everything before is on the disk.
    Close(oneshot::Sender<()>),
}

/// A change that somebody waits for.
pub(super) trait Pending: Send {
    /// Makes it. `None` when it failed or nobody waits any more: what it did is to be undone.
    fn run<'c>(&'c mut self, tx: &'c mut Tx)
    -> Pin<Box<dyn Future<Output = Option<Vec<Entry>>> + Send + 'c>>;
    /// Tells the caller, once it is known whether the transaction is on the disk.
    fn answer(self: Box<Self>, committed: Result<(), &Error>);
}

/// A change, what came of it, and who waits.
pub(super) struct Waiting<T, F> {
    pub(super) change: Option<F>,
    pub(super) outcome: Option<Result<T, Error>>,
    pub(super) caller: oneshot::Sender<Result<T, Error>>,
}

impl<T, F> Pending for Waiting<T, F>
where
    T: Send,
    F: for<'c> FnOnce(&'c mut Tx) -> Change<'c, T> + Send,
{
    fn run<'c>(
        &'c mut self,
        tx: &'c mut Tx,
    ) -> Pin<Box<dyn Future<Output = Option<Vec<Entry>>> + Send + 'c>> {
        Box::pin(async move {
            let change = self.change.take().filter(|_| !self.caller.is_closed())?;
            match change(tx).await {
                Ok((value, entries)) => {
                    self.outcome = Some(Ok(value));
                    Some(entries)
                }
                Err(error) => {
                    self.outcome = Some(Err(error));
                    None
                }
            }
        })
    }

    fn answer(self: Box<Self>, committed: Result<(), &Error>) {
        let answer = match (self.outcome, committed) {
            (Some(Err(error)), _) => Err(error),
            (Some(Ok(value)), Ok(())) => Ok(value),
            (_, Err(error)) => Err(again(error)),
            (None, Ok(())) => return,
        };
        // Who has gone away needs no answer.
        let _ = self.caller.send(answer);
    }
}

/// Says an error once more, to the next one whom it concerns.
fn again(error: &Error) -> Error {
    Error::Internal(format!("it is not certain that the change was made: {error}"))
}

/// What a transaction did besides its changes.
struct Done {
    edge: Edge,
    head: Option<Head>,
    outcomes: Vec<Outcome>,
}

/// The one who writes.
pub(super) struct Writer {
    place: Arc<Place>,
    log: Arc<Log>,
    connections: AnyPool,
    readers: AnyPool,
    edge: Option<Edge>,
    pruned: i64,
    receipts: JoinSet<()>,
}

impl Writer {
    pub(super) fn new(place: Arc<Place>, log: Arc<Log>, connections: AnyPool, readers: AnyPool) -> Self {
        Self { place, log, connections, readers, edge: None, pruned: 0, receipts: JoinSet::new() }
    }

    /// Writes until nobody is left who could ask for it, or it is told to stop.
    pub(super) async fn run(mut self, mut jobs: mpsc::Receiver<Job>) {
        let mut waiting = Vec::with_capacity(BATCH);
        let mut closing = Vec::new();
        while jobs.recv_many(&mut waiting, BATCH).await > 0 {
            let mut changes = Vec::new();
            let (mut uploads, mut callers) = (Vec::new(), Vec::new());
            for job in waiting.drain(..) {
                match job {
                    Job::Change(change) => changes.push(change),
                    Job::Upload(upload, caller) => {
                        uploads.push(*upload);
                        callers.push(caller);
                    }
                    Job::Close(caller) => {
                        jobs.close();
                        closing.push(caller);
                    }
                }
            }
            if !changes.is_empty() || !uploads.is_empty() {
                self.write(changes, uploads, callers).await;
            }
            // Those that are done give their memory back.
            while self.receipts.try_join_next().is_some() {}
        }
        while self.receipts.join_next().await.is_some() {}
        self.connections.close().await;
        for caller in closing {
            let _ = caller.send(());
        }
    }

    async fn write(
        &mut self,
        mut changes: Vec<Box<dyn Pending>>,
        uploads: Vec<Hashed>,
        callers: Vec<Caller>,
    ) {
        match self.transact(&mut changes, &uploads).await {
            Ok(done) => {
                self.edge = Some(done.edge);
                changes.into_iter().for_each(|change| change.answer(Ok(())));
                if !callers.is_empty() {
                    let (readers, log) = (self.readers.clone(), self.log.clone());
                    self.receipts.spawn(async move {
                        records::answer(&readers, &log, done.head, uploads, done.outcomes, callers).await;
                    });
                }
            }
            Err(error) => {
                tracing::error!(%error, "a transaction failed");
                changes.into_iter().for_each(|change| change.answer(Err(&error)));
                for caller in callers {
                    let _ = caller.send(Err(again(&error)));
                }
            }
        }
    }

    async fn transact(
        &mut self,
        changes: &mut [Box<dyn Pending>],
        uploads: &[Hashed],
    ) -> Result<Done, Error> {
        let known = self.edge.take();
        let prune = now() - self.pruned >= PRUNE;
        let mut connection = self.connections.acquire().await?;
        let work = transaction(&mut connection, &self.place, &self.log, known, prune, changes, uploads);
        let done = timeout(LIMIT, work).await.unwrap_or_else(|_| {
            Err(Error::Internal(format!("the database did not answer for {} seconds", LIMIT.as_secs())))
        });
        if done.is_err() {
            // Whatever state it is in, the next transaction is not made on it.
            connection.close_on_drop();
        } else if prune {
            self.pruned = now();
        }
        done
    }
}

async fn transaction(
    connection: &mut AnyConnection,
    place: &Place,
    log: &Log,
    known: Option<Edge>,
    prune: bool,
    changes: &mut [Box<dyn Pending>],
    uploads: &[Hashed],
) -> Result<Done, Error> {
    let mut tx = connection.begin_with(place.begin()).await?;
    let edge = audit::lock(&mut tx, place, known).await?;
    if prune {
        sqlx::query("DELETE FROM nonces WHERE expires < $1").bind(now()).execute(&mut *tx).await?;
    }
    let mut entries = Vec::new();
    for change in changes {
        // One that fails is undone without the others.
        let mut point = tx.begin().await?;
        match change.run(&mut point).await {
            Some(more) => {
                point.commit().await?;
                entries.extend(more);
            }
            None => point.rollback().await?,
        }
    }
    let first = edge.size() + entries.len() as u64;
    let outcomes = records::add_all(&mut tx, uploads, first).await?;
    entries.extend(outcomes.iter().filter_map(|outcome| match outcome {
        Outcome::Added(entry) => Some(entry.clone()),
        _ => None,
    }));
    let (edge, head) = if entries.is_empty() {
        (edge, None)
    } else {
        let (edge, head) = audit::append(&mut tx, log, edge, &entries).await?;
        (edge, Some(head))
    };
    tx.commit().await?;
    Ok(Done { edge, head, outcomes })
}
