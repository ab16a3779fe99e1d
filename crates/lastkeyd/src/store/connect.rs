//! Connections to the database, and its tables.

use std::fs;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr as _;
use std::time::Duration;

use sqlx::any::{AnyConnectOptions, AnyPoolOptions};
use sqlx::migrate::{MigrateError, Migrator};
use sqlx::postgres::PgConnectOptions;
use sqlx::{AnyConnection, AnyPool, Connection};

use crate::error::Error;

static SQLITE: Migrator = sqlx::migrate!("migrations/sqlite");
static POSTGRES: Migrator = sqlx::migrate!("migrations/postgres");

/// How long to wait for a connection, and for others' locks.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);
/// How many read at the same time.
pub(super) const READERS: u32 = 4;
/// After how long unused a reader's connection is tried before it is used: its server may have been started anew.
pub(super) const UNTRIED: Duration = Duration::from_millis(100);

/// Where a database is.
#[derive(Clone, Debug)]
pub(super) enum Place {
    Sqlite(PathBuf),
    Postgres(String),
}

impl Place {
    /// Reads `sqlite:FILE` or `postgres://...`.
    pub(super) fn parse(url: &str) -> Result<Self, Error> {
        if let Some(file) = url.strip_prefix("sqlite:") {
            let file = file.split_once('?').map_or(file, |(file, _)| file);
            let file = file.strip_prefix("//").unwrap_or(file);
            return Ok(Self::Sqlite(PathBuf::from(file)));
        }
        if url.starts_with("postgres:") || url.starts_with("postgresql:") {
            return Ok(Self::Postgres(over_tls(url)?));
        }
        // What was typed may hold a password: it is not repeated.
        Err(Error::Invalid("a database is named sqlite:FILE or postgres://USER@HOST/NAME".to_owned()))
    }

    pub(super) fn is_sqlite(&self) -> bool {
        matches!(self, Self::Sqlite(_))
    }

    fn migrations(&self) -> &'static Migrator {
        if self.is_sqlite() { &SQLITE } else { &POSTGRES }
    }

    /// What a transaction that writes begins with. There is one such at a time: on SQLite by this, on PostgreSQL by
    /// the lock on the audit log's head. So a change may look first and then act on what it saw.
    pub(super) fn begin(&self) -> &'static str {
        if self.is_sqlite() { "BEGIN IMMEDIATE" } else { "BEGIN" }
    }

    /// What a transaction begins with that sees the database as it is at one moment.
    pub(super) fn begin_snapshot(&self) -> &'static str {
        if self.is_sqlite() { "BEGIN" } else { "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY" }
    }

    fn options(&self) -> Result<AnyConnectOptions, Error> {
        let url = match self {
            Self::Sqlite(file) => {
                let file = file.to_str().ok_or_else(|| {
                    Error::Invalid(format!("{} has bytes in its name that are no text", file.display()))
                })?;
                format!("sqlite:{}", escaped(file))
            }
            Self::Postgres(url) => url.clone(),
        };
        Ok(url.parse()?)
    }

    /// Opens connections. Those for reading cannot write.
    pub(super) async fn pool(&self, readers: bool) -> Result<AnyPool, Error> {
        sqlx::any::install_default_drivers();
        if let Self::Sqlite(file) = self {
            private_file(file)?;
        }
        let settings = match (self.is_sqlite(), readers) {
            (true, true) => SQLITE_READER,
            (true, false) => SQLITE_WRITER,
            (false, true) => POSTGRES_READER,
            (false, false) => POSTGRES_WRITER,
        };
        let pool = AnyPoolOptions::new()
            .max_connections(if readers { READERS } else { 1 })
            .acquire_timeout(PATIENCE)
            .test_before_acquire(false)
            .before_acquire(move |connection, state| {
                Box::pin(async move {
                    // A page can be asked for again; a change that is cut off is not certain.
                    if readers && state.idle_for < UNTRIED {
                        return Ok(true);
                    }
                    Ok(connection.ping().await.is_ok())
                })
            })
            .after_connect(move |connection, _| {
                Box::pin(async move {
                    sqlx::raw_sql(settings).execute(&mut *connection).await?;
                    Ok(())
                })
            });
        Ok(pool.connect_with(self.options()?).await?)
    }

    /// Opens one connection with nothing set, to a database that somebody else may have made.
    pub(super) async fn plain(&self) -> Result<AnyConnection, Error> {
        sqlx::any::install_default_drivers();
        Ok(sqlx::ConnectOptions::connect(&self.options()?).await?)
    }

    /// Makes or renews the tables.
    pub(super) async fn migrate(&self, pool: &AnyPool) -> Result<(), Error> {
        let migrations = self.migrations();
        let known = migrations.iter().map(|migration| migration.version).max().unwrap_or(0);
        migrations.run(pool).await.map_err(|error| match error {
            MigrateError::VersionMissing(version) => Error::Invalid(format!(
                "the database was made by a newer lastkeyd: it has schema {version}, this lastkeyd knows those up \
                 to {known}. Use the newer lastkeyd, or restore a backup from before"
            )),
            MigrateError::Execute(error) => Error::Database(error),
            error => Error::Internal(format!("the database's tables cannot be made: {error}")),
        })
    }
}

/// A commit is on the disk when it returns. What was deleted is overwritten in the file, once the WAL was brought there:
/// that is done beside the work ([`super::uploads`]), all of it when there is a pause, and by a commit only when 64 MiB
/// have come together.
pub(super) const SQLITE_WRITER: &str =
    "PRAGMA busy_timeout = 10000; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
    PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF; PRAGMA secure_delete = ON;
    PRAGMA wal_autocheckpoint = 16000; PRAGMA journal_size_limit = 67108864";
const SQLITE_READER: &str =
    "PRAGMA busy_timeout = 10000; PRAGMA trusted_schema = OFF; PRAGMA query_only = ON";
/// Each statement is planned once: for most, to plan takes ten times as long as to find the few rows. It may be planned
/// while its tables are empty, and is to find by index all the same what is in them when they are full.
pub(super) const POSTGRES_WRITER: &str = "SET application_name = 'lastkeyd'; SET synchronous_commit = on;
    SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off; SET enable_hashjoin = off;
    SET enable_mergejoin = off; SET lock_timeout = '10s'; SET statement_timeout = '60s';
    SET idle_in_transaction_session_timeout = '60s'";
const POSTGRES_READER: &str = "SET application_name = 'lastkeyd'; SET default_transaction_read_only = on;
    SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off; SET enable_hashjoin = off;
    SET enable_mergejoin = off; SET statement_timeout = '60s'";

/// Asks for TLS, and for the server's own certificate, where a URL leaves open how a server that is elsewhere is reached:
/// sqlx would take plain text from whoever answers.
fn over_tls(url: &str) -> Result<String, Error> {
    let options = PgConnectOptions::from_str(url)?;
    let host = options.get_host().trim_start_matches('[').trim_end_matches(']');
    let here = options.get_socket().is_some()
        || host.starts_with('/')
        || host == "localhost"
        || host.parse().is_ok_and(|address: IpAddr| address.is_loopback());
    let said =
        url.contains("sslmode=") || url.contains("ssl-mode=") || std::env::var_os("PGSSLMODE").is_some();
    if here || said {
        return Ok(url.to_owned());
    }
    let sign = if url.contains('?') { '&' } else { '?' };
    Ok(format!("{url}{sign}sslmode=verify-full"))
}

/// Escapes what means something in a URL.
fn escaped(file: &str) -> String {
    file.chars().fold(String::with_capacity(file.len()), |mut text, character| {
        match character {
            '%' => text.push_str("%25"),
            '?' => text.push_str("%3f"),
            '#' => text.push_str("%23"),
            ' ' => text.push_str("%20"),
            _ => text.push(character),
        }
        text
    })
}

/// Makes a file that only its owner reads, if there is none; takes it away from others if there is. The files that
/// SQLite puts beside it get the same mode.
///
/// One that is there is not opened: to close it again would end all locks that this process has on the file, SQLite's
/// too, and the next program that looks at the database would take its WAL away.
fn private_file(file: &Path) -> Result<(), Error> {
    let mut options = fs::OpenOptions::new();
    options.create_new(true).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let made = match options.open(file) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => for_its_owner(file),
        made => made.map(drop),
    };
    made.map_err(|error| Error::Invalid(format!("the database {}: {error}", file.display())))
}

#[cfg(unix)]
fn for_its_owner(file: &Path) -> io::Result<()> {
    fs::set_permissions(file, std::os::unix::fs::PermissionsExt::from_mode(0o600))
}

#[cfg(not(unix))]
fn for_its_owner(_file: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_database_elsewhere_has_to_show_its_certificate() {
        let url = |url| match Place::parse(url).unwrap() {
            Place::Postgres(url) => url,
            Place::Sqlite(file) => panic!("{}", file.display()),
        };
        for here in [
            "postgres://a@localhost/b",
            "postgres://a@127.0.0.1/b",
            "postgres://a@[::1]:5433/b",
            "postgres://a@localhost/b?host=/run/postgresql",
            "postgres://a@db.example.org/b?sslmode=disable",
        ] {
            assert_eq!(url(here), here);
        }
        assert_eq!(url("postgres://a@db.example.org/b"), "postgres://a@db.example.org/b?sslmode=verify-full");
        let more = "postgresql://a@db.example.org/b?application_name=c";
        assert_eq!(url(more), format!("{more}&sslmode=verify-full"));
        assert!(Place::parse("postgres://a@h/b?sslmode=perhaps").is_err());
    }

    /// Another connection that opens and closes the database takes the WAL away when it believes to be the last one.
    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn a_database_that_is_open_keeps_its_locks() {
        let folder = tempfile::tempdir().unwrap();
        let place = Place::Sqlite(folder.path().join("database"));
        let writers = place.pool(false).await.unwrap();
        place.migrate(&writers).await.unwrap();
        let readers = place.pool(true).await.unwrap();
        sqlx::query("SELECT size FROM audit_head").fetch_one(&readers).await.unwrap();
        let file = fs::metadata(folder.path().join("database")).unwrap();
        let inode = format!(":{} ", std::os::unix::fs::MetadataExt::ino(&file));
        let locks = fs::read_to_string("/proc/locks").unwrap();
        assert!(locks.lines().any(|lock| lock.contains(&inode)), "no lock is on the database:\n{locks}");
    }
}
