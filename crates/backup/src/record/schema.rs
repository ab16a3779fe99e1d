//! The tables, and the step from each version of them to the next.

use rusqlite::{Connection, TransactionBehavior};

use super::{PATIENCE, RecordError, Result};

/// Marks the file as a record of lastkey.
const APPLICATION: i64 = 0x4c4b_5259;

/// The steps, the first from nothing. What has been released is never changed, only added to.
const STEPS: [&str; 2] = [
    "
    CREATE TABLE volume (
        id TEXT PRIMARY KEY,
        label TEXT,
        drive TEXT NOT NULL,
        seen INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE protector (
        volume TEXT NOT NULL,
        key_id TEXT NOT NULL,
        kind TEXT NOT NULL,
        PRIMARY KEY (volume, key_id)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE copy (
        id INTEGER PRIMARY KEY,
        volume TEXT NOT NULL,
        key_id TEXT NOT NULL,
        content TEXT NOT NULL,
        kind TEXT NOT NULL,
        place TEXT NOT NULL,
        path TEXT,
        lies_on TEXT,
        saved INTEGER NOT NULL,
        proven INTEGER,
        failed INTEGER,
        failure TEXT,
        UNIQUE (volume, key_id, content, kind, place)
    ) STRICT;
",
    "ALTER TABLE copy ADD COLUMN waiting TEXT",
];

/// Brings a record up to date, or makes it.
pub fn prepare(mut connection: Connection) -> Result<Connection> {
    connection.busy_timeout(PATIENCE)?;
    // What is noted stays noted, also when the power goes a moment later.
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "trusted_schema", false)?;
    if check(&connection)? < STEPS.len() {
        let change = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        // Another process may have done it while this one waited.
        for step in &STEPS[steps(&change)?..] {
            change.execute_batch(step)?;
        }
        change.pragma_update(None, "application_id", APPLICATION)?;
        change.pragma_update(None, "user_version", STEPS.len() as i64)?;
        change.commit()?;
    }
    Ok(connection)
}

/// Returns how many steps the record has gone; 0 when it is empty.
pub fn check(connection: &Connection) -> Result<usize> {
    // All of it at one moment: another process may be making the record just now.
    steps(&*connection.unchecked_transaction()?)
}

fn steps(connection: &Connection) -> Result<usize> {
    let number = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let (application, version) = (number("application_id")?, number("user_version")?);
    let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    match (application, usize::try_from(version)) {
        (0, Ok(0)) if tables == 0 => Ok(0),
        (APPLICATION, Ok(steps)) if steps <= STEPS.len() => Ok(steps),
        (APPLICATION, _) => Err(RecordError::Newer(version)),
        _ => Err(RecordError::Foreign),
    }
}

/// Makes a record as an older version left it.
#[cfg(test)]
pub fn as_it_was(connection: &Connection, steps: usize) -> Result<()> {
    for step in &STEPS[..steps] {
        connection.execute_batch(step)?;
    }
    connection.pragma_update(None, "application_id", APPLICATION)?;
    Ok(connection.pragma_update(None, "user_version", steps as i64)?)
}
