//! The one who writes: many changes in one transaction, so that many wait for the disk together.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use sqlx::{AnyConnection, AnyPool, Connection};
use tlog::Edge;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::audit;
use super::connect::Place;
use super::log::Log;
use super::records::{self, Caller};
use super::uploads::{Adder, Failed, Hashed, LIMIT};
use super::{Change, Tx, now};
use crate::audit::Entry;
use crate::error::Error;

/// The most jobs that wait, and that go into one transaction.
pub(super) const BATCH: usize = 128;
/// After how long without a job it is time to tidy up.
const PAUSE: Duration = Duration::from_secs(1);
/// How often nonces that have expired are deleted, in seconds.
const PRUNE: i64 = 60;

/// What is said of a change whose commit nobody has heard of.
const UNCERTAIN: &str = "it is not certain that the change was made";

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
            (_, Err(error)) => Err(Error::Internal(format!("{UNCERTAIN}: {error}"))),
            (None, Ok(())) => return,
        };
        // Who has gone away needs no answer.
        let _ = self.caller.send(answer);
    }
}

/// The one who writes.
pub(super) struct Writer {
    place: Arc<Place>,
    log: Arc<Log>,
    connections: AnyPool,
    adder: Adder,
    readers: AnyPool,
    edge: Option<Edge>,
    pruned: i64,
    receipts: JoinSet<()>,
}

impl Writer {
    pub(super) fn new(
        place: Arc<Place>,
        log: Arc<Log>,
        connections: AnyPool,
        readers: AnyPool,
    ) -> Result<Self, Error> {
        let adder = Adder::new(&place)?;
        let receipts = JoinSet::new();
        Ok(Self { place, log, connections, adder, readers, edge: None, pruned: 0, receipts })
    }

    /// Writes until nobody is left who could ask for it, or it is told to stop.
    pub(super) async fn run(mut self, mut jobs: mpsc::Receiver<Job>) {
        let mut waiting = Vec::with_capacity(BATCH);
        let mut closing = Vec::new();
        let mut tidy = true;
        loop {
            let next = jobs.recv_many(&mut waiting, BATCH);
            let count = if tidy {
                next.await
            } else {
                match timeout(PAUSE, next).await {
                    Ok(count) => count,
                    Err(_) => {
                        tidy = self.adder.tidy().await;
                        continue;
                    }
                }
            };
            if count == 0 {
                break;
            }
            tidy = false;
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
            if !changes.is_empty() || now() - self.pruned >= PRUNE {
                self.change(changes).await;
            }
            if !uploads.is_empty() {
                self.add(uploads, callers).await;
            }
            // Those that are done give their memory back.
            while self.receipts.try_join_next().is_some() {}
        }
        while self.receipts.join_next().await.is_some() {}
        self.adder.close().await;
        self.connections.close().await;
        for caller in closing {
            let _ = caller.send(());
        }
    }

    /// Makes changes, and tells who asked for them.
    async fn change(&mut self, mut changes: Vec<Box<dyn Pending>>) {
        match self.transact(&mut changes).await {
            Ok(edge) => {
                self.edge = Some(edge);
                changes.into_iter().for_each(|change| change.answer(Ok(())));
            }
            Err(error) => {
                tracing::error!(%error, "a transaction failed");
                changes.into_iter().for_each(|change| change.answer(Err(&error)));
            }
        }
    }

    /// Adds records, and has receipts sent for them while it goes on.
    async fn add(&mut self, uploads: Vec<Hashed>, callers: Vec<Caller>) {
        let uploads = Arc::new(uploads);
        match self.adder.add(&self.log, self.edge.take(), &uploads).await {
            Ok(done) => {
                self.edge = Some(done.edge);
                let (readers, log) = (self.readers.clone(), self.log.clone());
                self.receipts.spawn(async move {
                    records::answer(&readers, &log, &uploads, done.outcomes, done.added, callers).await;
                });
            }
            Err(failed) => {
                let (error, what) = match failed {
                    Failed::Undone(error) => (error, "the change was not made"),
                    Failed::Uncertain(error) => (error, UNCERTAIN),
                };
                tracing::error!(%error, "a transaction failed");
                for caller in callers {
                    let _ = caller.send(Err(Error::Internal(format!("{what}: {error}"))));
                }
            }
        }
    }

    async fn transact(&mut self, changes: &mut [Box<dyn Pending>]) -> Result<Edge, Error> {
        let known = self.edge.take();
        let prune = now() - self.pruned >= PRUNE;
        let mut connection = self.connections.acquire().await?;
        let work = transaction(&mut connection, &self.place, &self.log, known, prune, changes);
        let edge = timeout(LIMIT, work).await.unwrap_or_else(|_| {
            Err(Error::Internal(format!("the database did not answer for {} seconds", LIMIT.as_secs())))
        });
        if edge.is_err() {
            // Whatever state it is in, the next transaction is not made on it.
            connection.close_on_drop();
        } else if prune {
            self.pruned = now();
        }
        edge
    }
}

async fn transaction(
    connection: &mut AnyConnection,
    place: &Place,
    log: &Log,
    known: Option<Edge>,
    prune: bool,
    changes: &mut [Box<dyn Pending>],
) -> Result<Edge, Error> {
    let mut tx = connection.begin_with(place.begin()).await?;
    let edge = audit::lock(&mut tx, place, log, known).await?;
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
    let edge = if entries.is_empty() { edge } else { audit::append(&mut tx, log, edge, &entries).await? };
    tx.commit().await?;
    Ok(edge)
}
