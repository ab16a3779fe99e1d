//! What is known of each place of a drive, in the format of GNU ddrescue's mapfile.
//!
//! ```text
//! # comments
//! 0x00120000     ?     1            where it is, what it does, the pass
//! 0x00000000  0x00117000  +         start, length and status of each part
//! 0x00117000  0x00000200  -
//! ```

use std::collections::BTreeMap;
use std::ops::Range;

mod text;

pub use text::MapError;

/// What is known of a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    /// Nothing: it was not read yet.
    NonTried,
    /// A large read failed; its borders are to be found.
    NonTrimmed,
    /// Both its ends are bad; what is between them was not read one by one.
    NonScraped,
    /// A sector that cannot be read.
    Bad,
    /// It was read, and written to the copy.
    Finished,
}

impl Status {
    /// All of them, and what each is in the file.
    const ALL: [(Self, char); 5] = [
        (Self::NonTried, '?'),
        (Self::NonTrimmed, '*'),
        (Self::NonScraped, '/'),
        (Self::Bad, '-'),
        (Self::Finished, '+'),
    ];
}

/// What the copying does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Phase {
    /// It reads what was not tried yet.
    #[default]
    Copying,
    /// It looks for the borders of bad places.
    Trimming,
    /// It reads bad places sector by sector.
    Scraping,
    /// It tries bad sectors again.
    Retrying,
    /// It writes something into bad places (GNU ddrescue's `--fill-mode`).
    Filling,
    /// It makes a map out of a copy (GNU ddrescue's `--generate-mode`).
    Generating,
    /// It is done.
    Finished,
}

impl Phase {
    const ALL: [(Self, char); 7] = [
        (Self::Copying, '?'),
        (Self::Trimming, '*'),
        (Self::Scraping, '/'),
        (Self::Retrying, '-'),
        (Self::Filling, 'F'),
        (Self::Generating, 'G'),
        (Self::Finished, '+'),
    ];
}

/// What is known of each place of a drive. Of what lies behind the end nothing is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Map {
    /// Lines for people and programs, without the `#`.
    pub comments: Vec<String>,
    /// Where the copying is.
    pub position: u64,
    /// What it does.
    pub phase: Phase,
    /// How often it has done so, from 1 on.
    pub pass: u32,
    /// Where each part starts. It ends where the next one does.
    parts: BTreeMap<u64, Status>,
    size: u64,
    /// How many bytes have each status.
    totals: [u64; Status::ALL.len()],
}

impl Map {
    /// Starts a map of a drive of so many bytes, of which nothing is known.
    pub fn new(size: u64) -> Self {
        let mut map = Self {
            comments: Vec::new(),
            position: 0,
            phase: Phase::default(),
            pass: 1,
            parts: BTreeMap::new(),
            size,
            totals: [0; Status::ALL.len()],
        };
        if size > 0 {
            map.parts.insert(0, Status::NonTried);
            map.totals[Status::NonTried as usize] = size;
        }
        map
    }

    /// Returns the size of the drive.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Returns how many bytes have this status.
    pub fn total(&self, status: Status) -> u64 {
        self.totals[status as usize]
    }

    /// Returns how many bytes could not be read so far, of those that were tried.
    pub fn unreadable(&self) -> u64 {
        [Status::NonTrimmed, Status::NonScraped, Status::Bad].map(|status| self.total(status)).iter().sum()
    }

    /// Returns whether everything was read.
    pub fn is_complete(&self) -> bool {
        self.total(Status::Finished) == self.size
    }

    /// Sets the status of a range; what lies behind the end is left out.
    pub fn set(&mut self, range: Range<u64>, status: Status) {
        let (start, end) = (range.start, range.end.min(self.size));
        if start >= end {
            return;
        }
        let before = start.checked_sub(1).and_then(|last| self.at(last));
        let behind = self.at(end);
        let replaced: Vec<_> = self.within(start..end).collect();
        for (part, old) in replaced {
            self.totals[old as usize] -= part.end - part.start;
            self.parts.remove(&part.start);
        }
        self.totals[status as usize] += end - start;
        self.parts.remove(&start);
        if before != Some(status) {
            self.parts.insert(start, status);
        }
        match behind {
            Some(behind) if behind != status => _ = self.parts.insert(end, behind),
            _ => _ = self.parts.remove(&end),
        }
    }

    /// Returns the status of a byte; `None` behind the end.
    pub fn at(&self, offset: u64) -> Option<Status> {
        if offset >= self.size {
            return None;
        }
        self.parts.range(..=offset).next_back().map(|(_, &status)| status)
    }

    /// Returns the parts of the map.
    pub fn parts(&self) -> impl Iterator<Item = (Range<u64>, Status)> {
        self.within(0..self.size)
    }

    /// Returns the parts of a range, cut to it.
    pub fn within(&self, range: Range<u64>) -> impl Iterator<Item = (Range<u64>, Status)> {
        let (start, end) = (range.start, range.end.min(self.size));
        let mut from = self.at(start).filter(|_| start < end).map(|status| (start, status));
        let mut rest = self.parts.range(start.saturating_add(1)..end.max(start.saturating_add(1)));
        std::iter::from_fn(move || {
            let (start, status) = from.take()?;
            from = rest.next().map(|(&start, &status)| (start, status));
            Some((start..from.map_or(end, |(next, _)| next), status))
        })
    }

    /// Returns the first part of this status from `from` on.
    pub fn next(&self, status: Status, from: u64) -> Option<Range<u64>> {
        self.within(from..self.size).find(|(_, found)| *found == status).map(|(part, _)| part)
    }

    /// Returns the last part of this status before `to`.
    pub fn previous(&self, status: Status, to: u64) -> Option<Range<u64>> {
        let mut end = to.min(self.size);
        for (&start, &found) in self.parts.range(..end).rev() {
            if found == status {
                return Some(start..end);
            }
            end = start;
        }
        None
    }

    /// Returns the parts of a range that were not read.
    pub fn missing(&self, range: Range<u64>) -> impl Iterator<Item = Range<u64>> {
        let behind = range.start.max(self.size)..range.end;
        let missing = self.within(range).filter(|(_, status)| *status != Status::Finished);
        missing.map(|(part, _)| part).chain(Some(behind).filter(|behind| behind.start < behind.end))
    }

    /// Returns whether all of a range was read.
    pub fn has(&self, range: Range<u64>) -> bool {
        self.missing(range).next().is_none()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SIZE: u64 = 60;

    fn status() -> impl Strategy<Value = Status> {
        proptest::sample::select(Status::ALL.map(|(status, _)| status).to_vec())
    }

    proptest! {
        /// A map is what an array of as many statuses as there are bytes would be.
        #[test]
        fn a_map_is_a_row_of_statuses(
            changes in proptest::collection::vec((0..SIZE + 9, 0..SIZE + 9, status()), 0..40),
            (from, to) in (0..SIZE + 9, 0..SIZE + 9),
        ) {
            let mut map = Map::new(SIZE);
            let mut row = vec![Status::NonTried; SIZE as usize];
            for (start, end, status) in changes {
                map.set(start..end, status);
                (start..end.min(SIZE)).for_each(|at| row[at as usize] = status);
            }
            for at in 0..SIZE + 3 {
                prop_assert_eq!(map.at(at), row.get(at as usize).copied());
            }
            for (status, _) in Status::ALL {
                let of = |at: &u64| row[*at as usize] == status;
                prop_assert_eq!(map.total(status), (0..SIZE).filter(of).count() as u64);
                prop_assert_eq!(map.next(status, from).map(|part| part.start), (from..SIZE).find(of));
                let last = (0..to.min(SIZE)).rev().find(of);
                prop_assert_eq!(map.previous(status, to).map(|part| part.end), last.map(|at| at + 1));
            }
            let parts: Vec<_> = map.parts().collect();
            prop_assert!(parts.windows(2).all(|two| two[0].0.end == two[1].0.start && two[0].1 != two[1].1));
            let missing: Vec<_> = map.missing(from..to).flatten().collect();
            let is_missing = |at: &u64| row.get(*at as usize).is_none_or(|status| *status != Status::Finished);
            prop_assert_eq!(missing, (from..to).filter(is_missing).collect::<Vec<_>>());
            prop_assert_eq!(Map::parse(map.to_string().as_bytes()).expect("its own text"), map);
        }
    }
}
