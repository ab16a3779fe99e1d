//! Backups: one SQLite file with the same tables, whichever database it is of, so that what was one can be restored
//! as the other.

use std::io;
use std::path::Path;

use futures_util::TryStreamExt as _;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, AnyPool, Connection, Row};
use tempfile::{TempDir, TempPath};

use super::Store;
use super::check::{Report, check};
use super::connect::Place;
use super::sql::{Query, insert, query};
use crate::error::Error;

/// How many rows, and roughly how many bytes, are put in together.
const ROWS: usize = 64;
const BYTES: usize = 4 << 20;
/// What a database is called that is being made, in a folder of its own.
const UNFINISHED: &str = "unfinished";

/// A table, and what its columns hold.
struct Table {
    name: String,
    columns: Vec<(String, Holds)>,
}

#[derive(Clone, Copy, PartialEq)]
enum Holds {
    Text,
    Number,
    Bytes,
}

/// A value on its way from one database to the other.
enum Value {
    Text(Option<String>),
    Number(Option<i64>),
    Bytes(Option<Vec<u8>>),
}

/// Writes everything into one file, as it is at one moment, and checks the file. The server may run meanwhile. The
/// key of the audit log is not in it: `audit.key` is to be kept apart.
///
/// # Errors
/// When there is such a file already, it cannot be written, or what the database says. That something is wrong in
/// the database is no error: it is in the report, and the backup has it too.
pub async fn backup(store: &Store, file: &Path) -> Result<Report, Error> {
    let failed = |why: io::Error| Error::Invalid(format!("the backup {}: {why}", file.display()));
    if file.exists() {
        return Err(failed(io::ErrorKind::AlreadyExists.into()));
    }
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let (unfinished, place) = new_sqlite(folder).await?;
    let mut to = place.plain().await?;
    let tables = tables(&mut to).await?;
    let mut from = store.place.plain().await?;
    let mut snapshot = from.begin_with(store.place.begin_snapshot()).await?;
    let mut tx = to.begin().await?;
    copy(&mut snapshot, &mut tx, &tables).await?;
    tx.commit().await?;
    let report = check(&mut to, &place, &[]).await?;
    // Nothing but this one file is needed to read it.
    sqlx::query("PRAGMA journal_mode = DELETE").fetch_all(&mut to).await?;
    to.close().await?;
    let written = TempPath::try_from_path(unfinished.path().join(UNFINISHED)).map_err(failed)?;
    std::fs::File::open(&written).and_then(|written| written.sync_all()).map_err(failed)?;
    written.persist_noclobber(file).map_err(|why| failed(why.error))?;
    #[cfg(unix)]
    std::fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)?;
    Ok(report)
}

/// Puts a backup into an empty database, and checks it. When something is wrong with it the database stays empty, and a
/// file that was made for it is taken away again.
///
/// # Errors
/// When the backup cannot be read or is not sound, the database is not empty or cannot be written.
pub async fn restore(url: &str, file: &Path) -> Result<Report, Error> {
    let failed = |why: io::Error| Error::Invalid(format!("the backup {}: {why}", file.display()));
    // A copy, because one from an older lastkeyd has to learn what is new.
    let folder = tempfile::tempdir().map_err(failed)?;
    let copied = folder.path().join("backup");
    std::fs::copy(file, &copied).map_err(failed)?;
    let backup = Place::Sqlite(copied);
    has_tables(&backup).await.map_err(|why| not_a_backup(file, &why))?;
    let pool = backup.pool(false).await.map_err(|why| not_a_backup(file, &why))?;
    backup.migrate(&pool).await.map_err(|why| not_a_backup(file, &why))?;
    let place = Place::parse(url)?;
    let made = match &place {
        Place::Sqlite(target) if !target.exists() => Some(target),
        _ => None,
    };
    let filled = fill(&place, &pool, file).await;
    pool.close().await;
    if let (Err(_), Some(target)) = (&filled, made) {
        for end in ["", "-wal", "-shm"] {
            let mut name = target.clone().into_os_string();
            name.push(end);
            // It may not be there.
            let _ = std::fs::remove_file(name);
        }
    }
    filled
}

/// Fills a database from a backup, or leaves it empty.
async fn fill(place: &Place, backup: &AnyPool, file: &Path) -> Result<Report, Error> {
    // What tables there are is asked of a new file: nobody has had a hand in that.
    let (_scratch, scratch) = new_sqlite(&std::env::temp_dir()).await?;
    let tables = tables(&mut scratch.plain().await?).await?;

    let target = place.pool(false).await?;
    let filled = fill_tables(place, &target, backup, &tables, file).await;
    target.close().await;
    filled
}

async fn fill_tables(
    place: &Place,
    target: &AnyPool,
    backup: &AnyPool,
    tables: &[Table],
    file: &Path,
) -> Result<Report, Error> {
    place.migrate(target).await?;
    let (mut from, mut to) = (backup.acquire().await?, target.acquire().await?);
    let mut tx = to.begin_with(place.begin()).await?;
    if !is_empty(&mut tx).await? {
        return Err(Error::Invalid("there is something in this database: restore into a new one".to_owned()));
    }
    copy(&mut from, &mut tx, tables).await?;
    let report = check(&mut tx, place, &[]).await?;
    if let Some(finding) = report.findings.first() {
        return Err(Error::Invalid(format!("the backup {} is damaged: {finding}", file.display())));
    }
    tx.commit().await?;
    Ok(report)
}

/// An empty file would become a database without anything in it, and pass for the backup of one.
async fn has_tables(backup: &Place) -> Result<(), Error> {
    let mut connection = backup.plain().await?;
    sqlx::query("SELECT size FROM audit_head").fetch_one(&mut connection).await?;
    Ok(connection.close().await?)
}

fn not_a_backup(file: &Path, why: &Error) -> Error {
    Error::Invalid(format!("{} is not a backup that this lastkeyd can read: {why}", file.display()))
}

/// Makes a database with nothing in it, in a folder that ends with what is returned: with it all that SQLite puts beside
/// the database.
async fn new_sqlite(folder: &Path) -> Result<(TempDir, Place), Error> {
    let made = tempfile::Builder::new()
        .prefix(".lastkeyd-")
        .tempdir_in(folder)
        .map_err(|why| Error::Invalid(format!("the folder {}: {why}", folder.display())))?;
    let place = Place::Sqlite(made.path().join(UNFINISHED));
    let pool = place.pool(false).await?;
    place.migrate(&pool).await?;
    pool.close().await;
    Ok((made, place))
}

/// Returns whether nobody has done anything in a database yet.
async fn is_empty(connection: &mut AnyConnection) -> Result<bool, Error> {
    let row = sqlx::query("SELECT (SELECT COUNT(*) FROM accounts) + (SELECT size FROM audit_head) AS count")
        .fetch_one(connection)
        .await?;
    Ok(row.try_get::<i64, _>("count")? == 0)
}

/// Returns the tables of a SQLite database that was made just now, each after those that it refers to.
async fn tables(connection: &mut AnyConnection) -> Result<Vec<Table>, Error> {
    let rows = sqlx::query(
        "SELECT t.name AS name, c.name AS column_name, c.type AS type FROM sqlite_master t, pragma_table_info(t.name) c
         WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite%' AND t.name NOT LIKE '%sqlx%' ORDER BY t.rowid, c.cid",
    )
    .fetch_all(connection)
    .await?;
    let mut tables: Vec<Table> = Vec::new();
    for row in rows {
        let (name, column): (String, String) = (row.try_get("name")?, row.try_get("column_name")?);
        let holds = match row.try_get::<&str, _>("type")? {
            "TEXT" => Holds::Text,
            "BIGINT" | "INTEGER" => Holds::Number,
            "BLOB" => Holds::Bytes,
            other => return Err(Error::Internal(format!("{name}.{column} is of the type {other}"))),
        };
        match tables.last_mut() {
            Some(table) if table.name == name => table.columns.push((column, holds)),
            _ => tables.push(Table { name, columns: vec![(column, holds)] }),
        }
    }
    Ok(tables)
}

async fn copy(from: &mut AnyConnection, to: &mut AnyConnection, tables: &[Table]) -> Result<(), Error> {
    for table in tables {
        let names: Vec<_> = table.columns.iter().map(|(name, _)| name.as_str()).collect();
        let into = format!("{} ({})", table.name, names.join(", "));
        // Those that a new database begins with.
        query(format!("DELETE FROM {}", table.name)).execute(&mut *to).await?;
        let select = format!("SELECT {} FROM {}", names.join(", "), table.name);
        let mut rows = query(select).fetch(&mut *from);
        let (mut waiting, mut bytes) = (Vec::with_capacity(ROWS), 0);
        while let Some(row) = rows.try_next().await? {
            let values = values(table, &row)?;
            bytes += values.iter().map(size).sum::<usize>();
            waiting.push(values);
            if waiting.len() == ROWS || bytes > BYTES {
                insert(to, &into, &waiting, "", |query, values| bind(query, values)).await?;
                waiting.clear();
                bytes = 0;
            }
        }
        insert(to, &into, &waiting, "", |query, values| bind(query, values)).await?;
    }
    Ok(())
}

fn values(table: &Table, row: &AnyRow) -> Result<Vec<Value>, Error> {
    let value = |(place, (_, holds)): (usize, &(String, Holds))| {
        Ok(match holds {
            Holds::Text => Value::Text(row.try_get(place)?),
            Holds::Number => Value::Number(row.try_get(place)?),
            Holds::Bytes => Value::Bytes(row.try_get(place)?),
        })
    };
    table.columns.iter().enumerate().map(value).collect()
}

fn size(value: &Value) -> usize {
    match value {
        Value::Text(text) => text.as_ref().map_or(0, String::len),
        Value::Bytes(bytes) => bytes.as_ref().map_or(0, Vec::len),
        Value::Number(_) => 8,
    }
}

fn bind<'q>(query: Query<'q>, values: &[Value]) -> Query<'q> {
    values.iter().fold(query, |query, value| match value {
        Value::Text(text) => query.bind(text.clone()),
        Value::Number(number) => query.bind(*number),
        Value::Bytes(bytes) => query.bind(bytes.clone()),
    })
}
