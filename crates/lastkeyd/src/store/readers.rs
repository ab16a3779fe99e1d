//! Connections for what is asked at each request.
//!
//! sqlx's pool asks a connection that it gets back whether it is alive, each time: where one question is all that was to
//! be asked, that doubles what it costs. Here who has got an answer says so, and the connection is taken as it is.

use std::ops::{Deref, DerefMut};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use sqlx::{AnyConnection, AnyPool, Connection};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;

use super::connect::{PATIENCE, READERS, UNTRIED};
use crate::error::Error;

/// Some connections that cannot write.
pub(super) struct Readers {
    pool: AnyPool,
    turns: Semaphore,
    idle: Mutex<Vec<(Instant, AnyConnection)>>,
}

/// One of them, for a while. It is closed at the end unless all went well.
pub(super) struct Reader<'r> {
    readers: &'r Readers,
    connection: AnyConnection,
    _turn: SemaphorePermit<'r>,
}

impl Readers {
    /// Takes connections out of a pool, as they are needed.
    pub(super) fn new(pool: AnyPool) -> Self {
        Self { pool, turns: Semaphore::new(READERS as usize), idle: Mutex::default() }
    }

    /// Returns a connection, when there is one.
    pub(super) async fn get(&self) -> Result<Reader<'_>, Error> {
        let turn = timeout(PATIENCE, self.turns.acquire()).await.map_err(|_| sqlx::Error::PoolTimedOut)?;
        let turn = turn.map_err(|_| sqlx::Error::PoolClosed)?;
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let connection = match idle {
            Some((since, connection)) if since.elapsed() < UNTRIED => Some(connection),
            Some((_, mut connection)) => connection.ping().await.is_ok().then_some(connection),
            None => None,
        };
        let connection = match connection {
            Some(connection) => connection,
            None => self.pool.acquire().await?.detach(),
        };
        Ok(Reader { readers: self, connection, _turn: turn })
    }

    /// Closes all; none is given out any more.
    pub(super) async fn close(&self) {
        self.turns.close();
        let idle = std::mem::take(&mut *self.idle.lock().unwrap_or_else(PoisonError::into_inner));
        for (_, connection) in idle {
            // It has nothing to lose.
            let _ = connection.close().await;
        }
    }
}

impl Reader<'_> {
    /// Gives it back: all that was asked was answered.
    pub(super) fn done(self) {
        let Self { readers, connection, _turn } = self;
        if !readers.turns.is_closed() {
            readers.idle.lock().unwrap_or_else(PoisonError::into_inner).push((Instant::now(), connection));
        }
    }
}

impl Deref for Reader<'_> {
    type Target = AnyConnection;

    fn deref(&self) -> &AnyConnection {
        &self.connection
    }
}

impl DerefMut for Reader<'_> {
    fn deref_mut(&mut self) -> &mut AnyConnection {
        &mut self.connection
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::tests::app;

    async fn mark(reader: &mut Reader<'_>) -> i64 {
        sqlx::query_scalar("PRAGMA cache_size").fetch_one(&mut **reader).await.unwrap()
    }

    #[tokio::test]
    async fn a_connection_on_which_not_all_was_answered_is_not_used_again() {
        let (_folder, app, _) = app().await;
        let mut reader = app.store.often.get().await.unwrap();
        sqlx::raw_sql("PRAGMA cache_size = -1234").execute(&mut *reader).await.unwrap();
        reader.done();
        let mut again = app.store.often.get().await.unwrap();
        assert_eq!(mark(&mut again).await, -1234);
        drop(again);
        let mut other = app.store.often.get().await.unwrap();
        assert_ne!(mark(&mut other).await, -1234);
        other.done();
        app.store.close().await;
        assert!(app.store.often.get().await.is_err());
    }
}
