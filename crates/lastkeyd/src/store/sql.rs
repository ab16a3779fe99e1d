//! SQL for many rows at once, as both databases take it.

use sqlx::any::{AnyArguments, AnyRow};
use sqlx::{Any, AnyConnection, AssertSqlSafe, Row};

use super::Tx;
use crate::error::Error;

/// A query that things are bound to.
pub(super) type Query<'q> = sqlx::query::Query<'q, Any, AnyArguments>;

/// The most rows of one statement.
const ROWS: usize = 64;

/// Makes a query of a text that was put together here, out of constants and placeholders alone.
pub(super) fn query<'q>(sql: String) -> Query<'q> {
    sqlx::query(AssertSqlSafe(sql))
}

/// Returns `($1, $2), ($3, $4)`: placeholders for so many rows of so many columns.
fn placeholders(rows: usize, columns: usize) -> String {
    let row = |row: usize| {
        let numbers = row * columns + 1..=(row + 1) * columns;
        let columns: Vec<_> = numbers.map(|number| format!("${number}")).collect();
        format!("({})", columns.join(", "))
    };
    (0..rows).map(row).collect::<Vec<_>>().join(", ")
}

/// Cuts rows into pieces whose lengths are powers of two or three times those: there are few different statements, and
/// a database keeps what it has prepared.
fn pieces<T>(mut rows: &[T]) -> impl Iterator<Item = &[T]> {
    std::iter::from_fn(move || {
        let power = 1 << rows.len().checked_ilog2()?;
        let length = if power + power / 2 <= rows.len() { power + power / 2 } else { power };
        let (piece, rest) = rows.split_at(length.min(ROWS));
        rows = rest;
        Some(piece)
    })
}

/// Inserts rows, and returns what `tail` lets the database return. `into` is `table (column, column)`.
pub(super) async fn insert<T>(
    tx: &mut Tx,
    into: &str,
    rows: &[T],
    tail: &str,
    bind: impl for<'q> Fn(Query<'q>, &T) -> Query<'q>,
) -> Result<Vec<AnyRow>, Error> {
    let columns = into.matches(',').count() + 1;
    let mut returned = Vec::new();
    for piece in pieces(rows) {
        let places = placeholders(piece.len(), columns);
        let statement = query(format!("INSERT INTO {into} VALUES {places} {tail}"));
        returned.extend(piece.iter().fold(statement, &bind).fetch_all(&mut *tx).await?);
    }
    Ok(returned)
}

/// Selects the rows that belong to some keys. In `select` stands `(VALUES)` where they go. Those of two columns are
/// joined with, first in a CROSS JOIN: SQLite finds pairs in a list only by reading the whole table. The last key is
/// asked for more than once, to make their number a power of two: so a join may give its rows more than once.
pub(super) async fn select_by<T>(
    connection: &mut AnyConnection,
    select: &str,
    columns: usize,
    keys: &[T],
    bind: impl for<'q> Fn(Query<'q>, &T) -> Query<'q>,
) -> Result<Vec<AnyRow>, Error> {
    let mut rows = Vec::new();
    for piece in keys.chunks(ROWS) {
        let length = piece.len().next_power_of_two();
        let values = format!("(VALUES {})", placeholders(length, columns));
        let statement = query(select.replace("(VALUES)", &values));
        let keys = piece.iter().chain(piece.last().into_iter().cycle()).take(length);
        rows.extend(keys.fold(statement, &bind).fetch_all(&mut *connection).await?);
    }
    Ok(rows)
}

/// Returns a column that holds a number from 0.
pub(super) fn number(row: &AnyRow, column: &str) -> Result<u64, Error> {
    let number: i64 = row.try_get(column)?;
    u64::try_from(number).map_err(|_| Error::Internal(format!("{column} is {number} in the database")))
}

/// Turns a number into what a database keeps.
pub(super) fn signed(number: u64) -> Result<i64, Error> {
    i64::try_from(number).map_err(|_| Error::Internal(format!("{number} is more than a database can count")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_have_few_lengths_and_leave_nothing_out() {
        let rows: Vec<usize> = (0..300).collect();
        let mut lengths = std::collections::BTreeSet::new();
        for count in 0..rows.len() {
            let cut: Vec<&[usize]> = pieces(&rows[..count]).collect();
            assert_eq!(cut.concat(), &rows[..count]);
            lengths.extend(cut.iter().map(|piece| piece.len()));
        }
        assert_eq!(lengths.into_iter().collect::<Vec<_>>(), [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64]);
    }
}
