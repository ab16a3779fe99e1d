//! Copying a failing drive: first what is easy, and no place more often than it must be.
//!
//! | pass | reads | and after an error |
//! |---|---|---|
//! | copying, 1 | what was not tried, in blocks, forwards | leaves out ever more of what follows |
//! | copying, 2 | what that left out, backwards | the same |
//! | copying, 3 | the rest, forwards | goes on with the next block |
//! | trimming | blocks that failed, sector by sector, from both ends to the first bad one | |
//! | scraping | what is between those, sector by sector | |
//! | retrying | the bad sectors, as often as was asked for | |
//!
//! A block that fails is not halved: a drive can take seconds for each read of a bad sector, and wear itself out.
//! So each is hit twice, by the block that it is in and by itself.

use std::io;
use std::ops::{ControlFlow, Range};
use std::time::{Duration, Instant};

use fve::{ReadAt, WriteAt};

use crate::map::{Map, Phase, Status};

/// What is read at once where the drive is well.
const BLOCK: u64 = 256 << 10;
/// What is left out behind an error, at the most.
const FARTHEST: u64 = 1 << 30;
/// Zeros are looked for in pieces of this size, and not written.
const HOLE: usize = 64 << 10;
/// The map is kept so often, or more seldom where that takes long.
const EVERY: Duration = Duration::from_secs(5);

/// Somebody who follows the copying.
pub trait Watch {
    /// Hears where the copying is, before each read, and may stop it.
    fn at(&mut self, map: &Map) -> ControlFlow<()>;

    /// Keeps the map. All that it calls finished is on the medium.
    ///
    /// # Errors
    /// When that is impossible, which ends the copying.
    fn keep(&mut self, map: &Map) -> io::Result<()>;

    /// Says whether the drive as a whole has gone, when a part of it cannot be read.
    fn is_gone(&mut self) -> bool;
}

/// Why the copying stopped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Stopped {
    /// [`Watch::at`] said so.
    #[error("it was interrupted")]
    Interrupted,
    /// The drive is not there any more.
    #[error("the drive is gone")]
    Gone,
    /// The copy cannot be written.
    #[error("the copy cannot be written: {0}")]
    Writing(#[source] io::Error),
    /// The map cannot be kept.
    #[error("the map cannot be written: {0}")]
    Keeping(#[source] io::Error),
}

/// What is copied where.
pub struct Rescue<'a> {
    /// What is read.
    pub source: &'a dyn ReadAt,
    /// What is written, as long as the map: zeros where nothing was written.
    pub out: &'a dyn WriteAt,
    /// The smallest part that can be read or lost, in bytes.
    pub sector: u64,
    /// How often bad sectors are tried again.
    pub retries: u32,
}

impl Rescue<'_> {
    /// Copies what the map does not call finished or bad, and goes on where an earlier run stopped.
    ///
    /// # Errors
    /// When it had to stop. What is done by then is in the map, and kept where that is possible.
    pub fn run(&self, map: &mut Map, watch: &mut dyn Watch) -> Result<(), Stopped> {
        let readable = self.source.size().min(map.size());
        // A drive that is cut off has nothing there, which need not be read to be known.
        for missing in map.missing(readable..map.size()).collect::<Vec<_>>() {
            map.set(missing, Status::Bad);
        }
        let buf = vec![0; BLOCK.min(readable.max(self.sector)) as usize];
        let mut work = Work { what: self, readable, map, watch, buf, kept: Instant::now(), every: EVERY };
        let result = work.passes();
        work.keep().and(result)
    }
}

struct Work<'a, 'b> {
    what: &'a Rescue<'a>,
    /// The end of what can be read at all.
    readable: u64,
    map: &'b mut Map,
    watch: &'b mut dyn Watch,
    buf: Vec<u8>,
    kept: Instant,
    every: Duration,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    Forwards,
    Backwards,
}

use Direction::{Backwards, Forwards};

impl Work<'_, '_> {
    fn passes(&mut self) -> Result<(), Stopped> {
        for (pass, direction, skips) in [(1, Forwards, true), (2, Backwards, true), (3, Forwards, false)] {
            self.begin(Phase::Copying, pass);
            self.copy(direction, skips)?;
        }
        self.begin(Phase::Trimming, 1);
        self.trim()?;
        self.begin(Phase::Scraping, 1);
        self.each(Status::NonScraped, Forwards)?;
        for pass in 1..=self.what.retries {
            self.begin(Phase::Retrying, pass);
            self.each(Status::Bad, if pass % 2 == 1 { Forwards } else { Backwards })?;
        }
        self.begin(Phase::Finished, 1);
        Ok(())
    }

    fn begin(&mut self, phase: Phase, pass: u32) {
        (self.map.phase, self.map.pass) = (phase, pass);
    }

    /// Returns the next piece of what has this status, of at most `most` bytes and within a multiple of that.
    fn piece(&self, status: Status, direction: Direction, at: u64, most: u64) -> Option<Range<u64>> {
        if direction == Forwards {
            let part = self.map.next(status, at).filter(|part| part.start < self.readable)?;
            let end = (part.start / most + 1).saturating_mul(most);
            return Some(part.start..end.min(part.end).min(self.readable));
        }
        let part = self.map.previous(status, at.min(self.readable))?;
        let start = (part.end - 1) / most * most;
        Some(start.max(part.start)..part.end)
    }

    /// Reads blocks of what was not tried.
    fn copy(&mut self, direction: Direction, skips: bool) -> Result<(), Stopped> {
        let most = (self.readable / 100 / BLOCK * BLOCK).clamp(BLOCK, FARTHEST);
        let (mut at, mut skip) = (if direction == Forwards { 0 } else { self.readable }, BLOCK);
        while let Some(block) = self.piece(Status::NonTried, direction, at, BLOCK) {
            let is_good = self.read(block.clone())?;
            if !is_good {
                self.map.set(block.clone(), Status::NonTrimmed);
            }
            let left_out = if is_good || !skips { 0 } else { skip };
            skip = if is_good { BLOCK } else { (skip * 2).min(most) };
            at = match direction {
                Forwards => block.end.saturating_add(left_out),
                Backwards => block.start.saturating_sub(left_out),
            };
        }
        Ok(())
    }

    /// Looks for the first and the last bad sector of each part in which there is one.
    fn trim(&mut self) -> Result<(), Stopped> {
        let mut at = 0;
        while let Some(part) = self.map.next(Status::NonTrimmed, at) {
            for direction in [Forwards, Backwards] {
                let mut at = if direction == Forwards { part.start } else { part.end };
                while let Some(sector) = self.piece(Status::NonTrimmed, direction, at, self.what.sector)
                    && part.contains(&sector.start)
                {
                    if !self.read(sector.clone())? {
                        self.map.set(sector, Status::Bad);
                        break;
                    }
                    at = if direction == Forwards { sector.end } else { sector.start };
                }
            }
            let rest: Vec<_> = self.map.within(part.clone()).collect();
            for (rest, _) in rest.into_iter().filter(|(_, status)| *status == Status::NonTrimmed) {
                self.map.set(rest, Status::NonScraped);
            }
            at = part.end;
        }
        Ok(())
    }

    /// Reads each sector of this status once.
    fn each(&mut self, status: Status, direction: Direction) -> Result<(), Stopped> {
        let mut at = if direction == Forwards { 0 } else { self.readable };
        while let Some(sector) = self.piece(status, direction, at, self.what.sector) {
            if !self.read(sector.clone())? {
                self.map.set(sector.clone(), Status::Bad);
            }
            at = if direction == Forwards { sector.end } else { sector.start };
        }
        Ok(())
    }

    /// Reads a range and writes it to the copy; returns whether it could be read.
    fn read(&mut self, range: Range<u64>) -> Result<bool, Stopped> {
        self.map.position = range.start;
        if self.watch.at(self.map).is_break() {
            return Err(Stopped::Interrupted);
        }
        if self.kept.elapsed() >= self.every {
            self.keep()?;
        }
        let buf = &mut self.buf[..(range.end - range.start) as usize];
        if self.what.source.read_at(range.start, buf).is_err() {
            return if self.watch.is_gone() { Err(Stopped::Gone) } else { Ok(false) };
        }
        write(self.what.out, range.start, buf).map_err(Stopped::Writing)?;
        self.map.set(range, Status::Finished);
        Ok(true)
    }

    /// Puts the copy on the medium, then keeps the map.
    fn keep(&mut self) -> Result<(), Stopped> {
        let started = Instant::now();
        self.what.out.flush().map_err(Stopped::Writing)?;
        self.watch.keep(self.map).map_err(Stopped::Keeping)?;
        self.every = EVERY.max(started.elapsed() * 10);
        self.kept = Instant::now();
        Ok(())
    }
}

/// Writes bytes, but no zeros where there are zeros: so the copy takes no more room than it must.
fn write(out: &dyn WriteAt, offset: u64, bytes: &[u8]) -> io::Result<()> {
    static ZEROS: [u8; HOLE] = [0; HOLE];
    for (at, piece) in (offset..).step_by(HOLE).zip(bytes.chunks(HOLE)) {
        let zeros = &ZEROS[..piece.len()];
        if piece == zeros {
            let mut there = vec![0xff; piece.len()];
            if out.read_at(at, &mut there).is_ok() && there == zeros {
                continue;
            }
        }
        out.write_at(at, piece)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
