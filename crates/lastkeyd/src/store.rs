//! The database: SQLite by default, PostgreSQL for fleets; the same SQL for both, with `$1` for what is bound, but where
//! records come in by the thousand (`store/uploads`).
//!
//! Every change but a new record ([`Store::add_record`]) goes through [`Store::write`], together with what the audit log says of it: both are on the disk
//! before it returns, or neither. Changes are made one after the other, each sees what the one before has done, and
//! many share one commit. Reading needs none of that and takes a connection of [`Store::readers`].

pub mod accounts;
pub mod attempts;
mod audit;
pub mod ceremonies;
mod check;
mod check_ins;
mod connect;
mod copy;
pub mod devices;
mod drives;
mod export;
mod lists;
mod log;
pub mod openers;
pub mod outbox;
mod readers;
pub mod recipients;
mod records;
mod refusals;
pub mod sessions;
mod sql;
mod uploads;
mod writer;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{SystemTime, UNIX_EPOCH};

use sqlx::{AnyConnection, AnyPool, Row};
use tokio::sync::{mpsc, oneshot};

use self::connect::Place;
use self::readers::Readers;
use self::writer::{BATCH, Job, Waiting, Writer};
use crate::audit::Entry;
use crate::error::Error;

pub use self::audit::{Logged, Of, Said, erase};
pub use self::check::Report;
pub use self::check_ins::check_in;
pub use self::copy::{backup, restore};
pub use self::drives::{Drive, DriveKey};
pub use self::export::{Exported, Known, Written};
pub use self::lists::{Listed, Page, Protector, Stored};
pub use self::log::Log;
pub use self::records::{Nonce, Upload, take_nonce};
pub use self::refusals::Whose;

/// What a change is given: the connection, inside of a transaction.
pub type Tx = AnyConnection;

/// What a change returns.
pub type Change<'c, T> = Pin<Box<dyn Future<Output = Result<(T, Vec<Entry>), Error>> + Send + 'c>>;

/// The database.
#[derive(Clone)]
pub struct Store {
    place: Arc<Place>,
    log: Arc<Log>,
    readers: AnyPool,
    often: Arc<Readers>,
    jobs: mpsc::Sender<Job>,
    devices: Arc<devices::Lately>,
    refusals: Arc<refusals::Refusals>,
    mails: Arc<AtomicBool>,
}

impl Store {
    /// Opens a database, and makes or renews its tables: `sqlite:FILE`, `postgres://...`.
    ///
    /// # Errors
    /// When it cannot be reached, was made by a newer lastkeyd, or has a log that another key has signed.
    pub async fn open(url: &str, log: Log) -> Result<Self, Error> {
        let (place, log) = (Arc::new(Place::parse(url)?), Arc::new(log));
        let connections = place.pool(false).await?;
        place.migrate(&connections).await?;
        keep_log_key(&connections, &log.verifier().to_string()).await?;
        let readers = place.pool(true).await?;
        let (jobs, received) = mpsc::channel(BATCH);
        let often = Arc::new(Readers::new(readers.clone()));
        let writer = Writer::new(place.clone(), log.clone(), connections, readers.clone())?;
        tokio::spawn(writer.run(received));
        Ok(Self {
            place,
            log,
            readers,
            often,
            jobs,
            devices: Arc::default(),
            refusals: Arc::default(),
            mails: Arc::default(),
        })
    }

    /// Returns the connections for reading. They cannot write.
    #[must_use]
    pub fn readers(&self) -> &AnyPool {
        &self.readers
    }

    /// Returns who signs the audit log.
    #[must_use]
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// Makes a change, and adds what it returns to the audit log.
    ///
    /// A change that fails is undone, and nothing of it is in the log: who wants the failure there writes it with
    /// [`Store::note`]. Changes are made one after the other, so none should wait for anything but the database.
    ///
    /// # Errors
    /// What the change returns, or what the database says.
    pub async fn write<T, F>(&self, change: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(&'c mut Tx) -> Change<'c, T> + Send + 'static,
    {
        let (caller, answer) = oneshot::channel();
        self.ask(Job::Change(Box::new(Waiting { change: Some(change), outcome: None, caller }))).await?;
        answer.await.map_err(|_| stopped())?
    }

    /// Adds an entry to the audit log.
    ///
    /// # Errors
    /// What the database says.
    pub async fn note(&self, entry: Entry) -> Result<(), Error> {
        self.write(move |_| Box::pin(async move { Ok(((), vec![entry])) })).await
    }

    /// Writes what waits, and closes the database. Whatever is asked of it later is refused.
    pub async fn close(&self) {
        let (caller, answer) = oneshot::channel();
        if self.jobs.send(Job::Close(caller)).await.is_ok() {
            // Nothing is left to wait for when the writer has ended by itself.
            let _ = answer.await;
        }
        self.often.close().await;
        self.readers.close().await;
    }

    async fn ask(&self, job: Job) -> Result<(), Error> {
        self.jobs.send(job).await.map_err(|_| stopped())
    }
}

fn stopped() -> Error {
    Error::Internal("the server is being stopped".to_owned())
}

/// Keeps whose log it is, and refuses another's.
async fn keep_log_key(connections: &AnyPool, key: &str) -> Result<(), Error> {
    sqlx::query("INSERT INTO server (name, value) VALUES ('log_key', $1) ON CONFLICT (name) DO NOTHING")
        .bind(key)
        .execute(connections)
        .await?;
    let row = sqlx::query("SELECT value FROM server WHERE name = 'log_key'").fetch_one(connections).await?;
    let kept: String = row.try_get("value")?;
    if kept == key {
        return Ok(());
    }
    Err(Error::Invalid(format!(
        "the audit log of this database is signed with another key, {kept}; the one that is here is {key}. Put the \
         audit.key back that belongs to it"
    )))
}

/// Returns the seconds since 1970.
#[must_use]
pub fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

/// Writes bytes in hex.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Reads what [`hex`] writes.
#[must_use]
pub fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let pair = |pair: &[u8]| match pair {
        [high, low] => Some(digit(*high)? << 4 | digit(*low)?),
        _ => None,
    };
    text.as_bytes().chunks(2).map(pair).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn hex_is_read_as_it_is_written() {
        assert_eq!(from_hex(&hex(&[0, 1, 0xab, 0xff])), Some(vec![0, 1, 0xab, 0xff]));
        assert_eq!((from_hex("0"), from_hex("AB"), from_hex("zz")), (None, None, None));
    }
}
