//! The folders of FAT and exFAT: rows of records of 32 bytes.

use std::sync::Arc;

use fve::{FileTime, ReadAt};

use crate::clusters::Chain;
use crate::error::{Result, damaged_file};
use crate::node::FileId;

/// The length of a record.
pub(crate) const RECORD: usize = 32;
/// How much of a folder is read at once.
const BLOCK: u64 = 16 << 10;
/// How much of it, where something cannot be read: no sector is smaller.
const SECTOR: u64 = 512;

/// A record, where it is in the folder and where on the volume.
#[derive(Clone, Copy)]
pub(crate) struct Record {
    pub(crate) bytes: [u8; RECORD],
    pub(crate) offset: u64,
    pub(crate) place: u64,
}

/// Goes through the records of a folder. Where it cannot be read, there is one error, and what follows.
pub(crate) struct Records {
    source: Arc<dyn ReadAt>,
    chain: Chain,
    folder: FileId,
    at: u64,
    block: Vec<u8>,
    block_start: u64,
    /// Up to here the folder is read sector by sector.
    careful_to: u64,
}

impl Records {
    /// Starts at the record at `from` bytes of a folder that lies in the clusters of `chain`.
    pub(crate) fn new(source: Arc<dyn ReadAt>, chain: Chain, folder: FileId, from: u64) -> Self {
        let at = from & !(RECORD as u64 - 1);
        Self { source, chain, folder, at, block: Vec::new(), block_start: 0, careful_to: 0 }
    }

    /// Reads the next piece of the folder.
    fn load(&mut self) -> Option<Result<()>> {
        let Some(extent) = self.chain.extents.from(self.at).first() else {
            let problem = self.chain.broken.take()?;
            return Some(Err(damaged_file("chain of a folder", self.folder, problem)));
        };
        let unit = if self.at < self.careful_to { SECTOR } else { BLOCK };
        let length = (extent.end() - self.at).min(unit - self.at % unit);
        self.block.resize(length as usize, 0);
        self.block_start = self.at;
        let result = self.chain.extents.read(&self.source, "folder", self.at, &mut self.block);
        if result.is_err() {
            self.block.clear();
            if unit > SECTOR {
                self.careful_to = self.at + length;
                return self.load();
            }
            self.at += length;
        }
        Some(result)
    }
}

impl Iterator for Records {
    type Item = Result<Record>;

    fn next(&mut self) -> Option<Self::Item> {
        // Clusters, and so pieces, are whole sectors: no record is in two of them.
        if self.at >= self.block_start + self.block.len() as u64
            && let Err(error) = self.load()?
        {
            return Some(Err(error));
        }
        let within = (self.at - self.block_start) as usize;
        let bytes = *self.block.get(within..)?.first_chunk()?;
        let (offset, place) = (self.at, self.chain.extents.place_of(self.at)?);
        self.at += RECORD as u64;
        Some(Ok(Record { bytes, offset, place }))
    }
}

/// Returns the time that MS-DOS' date and time mean in a zone so many minutes ahead of UTC; `None` for
/// dates that no calendar has. `hundredths` go up to 199, because a time counts every second second.
pub(crate) fn time(date: u16, time: u16, hundredths: u8, zone: i32) -> Option<FileTime> {
    let (year, month, day) =
        (1980 + i64::from(date >> 9), i64::from(date >> 5 & 0xf), i64::from(date & 0x1f));
    let (hour, minute, second) =
        (i64::from(time >> 11), i64::from(time >> 5 & 0x3f), i64::from(time & 0x1f) * 2);
    if !(1..=12).contains(&month) || day == 0 || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    // Years that start in March have their odd day at the end.
    let (years, months) = if month < 3 { (year - 1, month + 9) } else { (year, month - 3) };
    let days = years * 365 + years / 4 - years / 100 + years / 400 + (months * 153 + 2) / 5 + day - 1;
    const DAYS_TO_1970: i64 = 719_468;
    let minutes = ((days - DAYS_TO_1970) * 24 + hour) * 60 + minute - i64::from(zone);
    let hundredths = u32::from(hundredths.min(199));
    let seconds = minutes * 60 + second + i64::from(hundredths / 100);
    Some(FileTime::from_unix(seconds, hundredths % 100 * 10_000_000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        // 2024-02-29 13:37:58.55, two hours ahead of UTC
        let found = time(44 << 9 | 2 << 5 | 29, 13 << 11 | 37 << 5 | 29, 55, 120).expect("a leap day");
        assert_eq!(found.to_unix(), (1_709_206_678, 550_000_000));
        assert_eq!(time(1 << 5 | 1, 0, 199, 0).map(FileTime::to_unix), Some((315_532_801, 990_000_000)));
        assert_eq!(time(127 << 9 | 12 << 5 | 31, 0, 0, 0).map(FileTime::to_unix), Some((4_354_732_800, 0)));
        for (date, clock) in [(0, 0), (1 << 5, 0), (13 << 5 | 1, 0), (1 << 5 | 1, 24 << 11), (1 << 5 | 1, 30)]
        {
            assert_eq!(time(date, clock, 0, 0), None, "{date:x} {clock:x}");
        }
    }
}
