//! SQLite's WAL: what was committed is brought from there into the database's file beside the work. A commit that had to
//! do it would keep all those waiting who come after it.

use std::fmt::Display;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::Connection;
use tokio::task::{JoinHandle, spawn_blocking};

use crate::store::connect::PATIENCE;

/// After how many uploads the next part is brought over: some hundred pages. While the disk takes them, commits wait for
/// their turn; so each part is small.
const PART: usize = 128;
/// From how many pages on the WAL is to begin anew: 32 MiB.
const LONG: i64 = 8192;
/// How many of them may be left then for the one who writes to bring over: some milliseconds.
const REST: i64 = 512;

/// What waits beside a database's file.
pub(super) struct Wal {
    file: PathBuf,
    /// How many uploads were added since the last part.
    since: usize,
    part: Option<JoinHandle<Option<Pages>>>,
    /// The database's file once more, so that what was brought into it can be sent to the disk. It is never closed: that
    /// would end all locks that this process has on the file, SQLite's too.
    disk: Option<&'static File>,
}

/// How many pages are in the WAL, and how many of them not in the file yet.
struct Pages {
    all: i64,
    rest: i64,
}

impl Wal {
    pub(super) fn new(file: PathBuf) -> Self {
        Self { file, since: 0, part: None, disk: None }
    }

    /// Returns the database's file.
    pub(super) fn file(&self) -> &Path {
        &self.file
    }

    /// Brings over the next part when there is enough for one.
    pub(super) fn written(&mut self, uploads: usize) {
        self.since += uploads;
        if self.since < PART || self.part.is_some() {
            return;
        }
        self.since = 0;
        match self.disk() {
            Ok(disk) => {
                let file = self.file.clone();
                self.part = Some(spawn_blocking(move || warned(bring_over(&file, disk))));
            }
            Err(error) => warn(&error),
        }
    }

    fn disk(&mut self) -> io::Result<&'static File> {
        if let Some(disk) = self.disk {
            return Ok(disk);
        }
        let disk = Box::leak(Box::new(File::options().write(true).open(&self.file)?));
        Ok(self.disk.insert(disk))
    }

    /// Returns whether it has become long, and little of it is left to bring over: then who writes does that
    /// ([`begin_anew`]).
    pub(super) async fn is_long(&mut self) -> bool {
        match self.part.take_if(|part| part.is_finished()) {
            Some(part) => matches!(part.await, Ok(Some(Pages { all, rest })) if all > LONG && rest <= REST),
            None => false,
        }
    }

    pub(super) async fn close(self) {
        if let Some(part) = self.part {
            // What it has not done, whoever closes the database last does.
            let _ = part.await;
        }
    }
}

/// Brings over the rest, while nobody else writes: the file has all then, and the WAL begins anew instead of growing.
pub(super) fn begin_anew(writer: &Connection) {
    warned(checkpoint(writer));
}

/// Brings over all, and empties the WAL: what was deleted is neither in it nor in the file then. Waits for nobody; `false`
/// when somebody reads there.
pub(super) fn empty(writer: &Connection) -> bool {
    let emptied = || {
        writer.busy_timeout(Duration::ZERO)?;
        let busy: i64 = writer.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
        writer.busy_timeout(PATIENCE)?;
        Ok(busy == 0)
    };
    warned(emptied()).unwrap_or(false)
}

/// Brings over what is there, and waits until the disk has it: SQLite would wait for all of that at the end, when the WAL
/// has nothing more.
fn bring_over(file: &Path, disk: &File) -> Result<Pages, rusqlite::Error> {
    let pages = checkpoint(&Connection::open(file)?)?;
    // Whether it worked, SQLite finds out by itself.
    let _ = disk.sync_data();
    Ok(pages)
}

fn checkpoint(connection: &Connection) -> Result<Pages, rusqlite::Error> {
    let mut pragma = connection.prepare_cached("PRAGMA wal_checkpoint(PASSIVE)")?;
    pragma.query_row([], |row| {
        let (all, brought): (i64, i64) = (row.get(1)?, row.get(2)?);
        Ok(Pages { all, rest: all - brought })
    })
}

fn warned<T>(done: Result<T, rusqlite::Error>) -> Option<T> {
    done.inspect_err(|error| warn(error)).ok()
}

fn warn(error: &dyn Display) {
    tracing::warn!(%error, "what was written stays in the WAL for now");
}
