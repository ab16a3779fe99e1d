//! A qcow2 image (version 3) that is written in order. The format is QEMU's `docs/interop/qcow2.txt`.
//!
//! ```text
//! cluster 0   1 ..        then, for each 512 MiB that are not all zero      at the end
//! header      L1 table    L2 table, its data clusters                       refcount table, refcount blocks
//! ```
//!
//! Every cluster of the file is used exactly once, so no count needs to be kept: at the end all are 1.
//!
//! What is in the file when:
//!
//! 1. Until everything else is on the medium the header is zeros: no half-written file is taken for an image.
//! 2. Data lies in the order in which it comes, an L2 table before the data that it describes. L1 and the L2 table in
//!    work are written at each checkpoint, at their own places.
//! 3. Going on from a position, every entry of the tables for a place behind it is void: it may be from a later
//!    checkpoint that nobody heard of, and of which only parts have reached the medium. What is left must lead from
//!    the first table to the end that the file had.

use std::fs::File;
use std::io;

use crate::place;
use crate::raw::invalid;
use crate::zeros::BLOCK;

mod refcounts;
#[cfg(test)]
mod tests;

/// In bytes; QEMU's own choice.
const CLUSTER: u64 = BLOCK as u64;
/// Entries of 8 bytes in one cluster.
const ENTRIES: u64 = CLUSTER / 8;
/// What one L2 table describes.
const RANGE: u64 = ENTRIES * CLUSTER;
/// QEMU opens no image with a larger L1 table.
const L1_LIMIT: u64 = (32 << 20) / 8;
/// The refcount is one: the cluster may be written in place.
const COPIED: u64 = 1 << 63;
/// Where the header ends.
const HEADER: usize = 104;

/// The tables of an image that is being written.
#[derive(Debug)]
pub struct Qcow2 {
    length: u64,
    /// Where each L2 table lies; 0: all zeros.
    l1: Vec<u64>,
    /// Which range [`Self::l2`] is of.
    range: u64,
    /// Where each cluster of the range lies; 0: all zeros. Empty until the range has data.
    l2: Vec<u64>,
    /// Where the next cluster goes.
    end: u64,
}

impl Qcow2 {
    /// Begins an image in an empty file.
    pub fn create(file: &File, length: u64) -> io::Result<Self> {
        let image = Self::new(length)?;
        // Header and L1 table take their room now, so that a disk that fills up still takes them.
        place::write(file, 0, &vec![0; CLUSTER as usize + image.l1.len() * 8])?;
        Ok(image)
    }

    fn new(length: u64) -> io::Result<Self> {
        let ranges = length.div_ceil(RANGE).max(1);
        if ranges > L1_LIMIT {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "a qcow2 image cannot be so large"));
        }
        let l1 = vec![0; usize::try_from(ranges).unwrap_or(0)];
        let end = CLUSTER + (ranges * 8).next_multiple_of(CLUSTER);
        Ok(Self { length, l1, range: 0, l2: Vec::new(), end })
    }

    /// Goes on with an image from a position, where the file ended at `end`.
    pub fn resume(file: &File, length: u64, position: u64, end: u64) -> io::Result<Self> {
        let mut image = Self::new(length)?;
        // It may have been whole already.
        place::write(file, 0, &[0; HEADER])?;
        file.sync_data()?;
        let first = image.end;
        image.range = position / RANGE;
        read_entries(file, CLUSTER, &mut image.l1)?;
        for (range, entry) in (0..).zip(&mut image.l1) {
            let is_later = range * RANGE >= position || range == image.range && offset_of(*entry) >= end;
            *entry = if is_later { 0 } else { *entry };
        }
        if !are_sound(&image.l1, first, end) {
            return Err(invalid("the first table of the image is damaged"));
        }
        if let Some(last) = image.l1.iter().rposition(|&entry| entry != 0) {
            let (start, table) = (last as u64 * RANGE, offset_of(image.l1[last]));
            let mut l2 = vec![0; ENTRIES as usize];
            read_entries(file, table, &mut l2)?;
            for (n, entry) in (0..).zip(&mut l2) {
                *entry = if start + n * CLUSTER >= position { 0 } else { *entry };
            }
            if !are_sound(&l2, table + CLUSTER, end) {
                return Err(invalid("a table of the image is damaged"));
            }
            let entry = l2.iter().rfind(|&&entry| entry != 0).copied().unwrap_or(0);
            image.end = offset_of(entry) + CLUSTER;
            if last as u64 == image.range {
                image.l2 = l2;
            }
        }
        if image.end != end {
            return Err(invalid("the tables of the image do not lead to its end"));
        }
        Ok(image)
    }

    /// Returns how long the file is.
    pub fn end(&self) -> u64 {
        self.end
    }

    /// Stores whole clusters of data; the last one of the image may be a part.
    pub fn write(&mut self, file: &File, mut at: u64, mut data: &[u8]) -> io::Result<()> {
        while !data.is_empty() {
            let left = RANGE - at % RANGE;
            let (now, later) = data.split_at(usize::try_from(left).map_or(data.len(), |l| l.min(data.len())));
            self.write_in_range(file, at, now)?;
            at += now.len() as u64;
            data = later;
        }
        Ok(())
    }

    fn write_in_range(&mut self, file: &File, at: u64, data: &[u8]) -> io::Result<()> {
        if at / RANGE != self.range {
            self.write_l2(file)?;
            self.l2.clear();
            self.range = at / RANGE;
        }
        let is_first = self.l2.is_empty();
        let cluster = if is_first { self.end + CLUSTER } else { self.end };
        if is_first {
            // It, too, takes its room now.
            place::write(file, self.end, &[0; BLOCK])?;
        }
        place::write(file, cluster, data)?;
        // A write that failed has changed nothing.
        if is_first {
            self.l1[self.range as usize] = self.end | COPIED;
            self.l2 = vec![0; ENTRIES as usize];
        }
        self.end = cluster;
        let first = (at % RANGE / CLUSTER) as usize;
        for entry in &mut self.l2[first..first + data.len().div_ceil(BLOCK)] {
            *entry = self.end | COPIED;
            self.end += CLUSTER;
        }
        Ok(())
    }

    /// Writes the tables as they are now.
    pub fn checkpoint(&mut self, file: &File) -> io::Result<()> {
        self.write_l2(file)?;
        place::write(file, CLUSTER, &to_bytes(&self.l1))
    }

    fn write_l2(&self, file: &File) -> io::Result<()> {
        if self.l2.is_empty() {
            return Ok(());
        }
        place::write(file, offset_of(self.l1[self.range as usize]), &to_bytes(&self.l2))
    }

    /// Reads what was written before.
    pub fn read(&self, file: &File, mut at: u64, mut buf: &mut [u8]) -> io::Result<()> {
        while !buf.is_empty() {
            let within = at % CLUSTER;
            let length = usize::try_from(CLUSTER - within).map_or(buf.len(), |left| left.min(buf.len()));
            let (now, later) = buf.split_at_mut(length);
            match self.find(file, at)? {
                None => now.fill(0),
                Some(cluster) => place::read(file, cluster + within, now)?,
            }
            at += length as u64;
            buf = later;
        }
        Ok(())
    }

    /// Returns where in the file the cluster with a place lies; `None` when it is all zeros.
    fn find(&self, file: &File, at: u64) -> io::Result<Option<u64>> {
        let (range, n) = (at / RANGE, at % RANGE / CLUSTER);
        let entry = match self.l1.get(range as usize) {
            Some(&l2) if l2 != 0 && range != self.range => {
                let mut entry = [0];
                read_entries(file, offset_of(l2) + n * 8, &mut entry)?;
                entry[0]
            }
            Some(_) if range == self.range => self.l2.get(n as usize).copied().unwrap_or(0),
            _ => 0,
        };
        if entry == 0 {
            return Ok(None);
        }
        if !are_sound(&[entry], 0, self.end) {
            return Err(invalid("a table of the image is damaged"));
        }
        Ok(Some(offset_of(entry)))
    }

    /// Writes the tables, what counts them, and, when all of that is on the medium, the header.
    pub fn finish(mut self, file: &File) -> io::Result<()> {
        self.checkpoint(file)?;
        let refcounts = refcounts::write(file, self.end)?;
        file.set_len(refcounts.end)?;
        file.sync_all()?;
        place::write(file, 0, &self.header(&refcounts))
    }

    fn header(&self, refcounts: &refcounts::Refcounts) -> [u8; HEADER] {
        let mut header = [0; HEADER];
        let mut put = |at: usize, bytes: &[u8]| header[at..at + bytes.len()].copy_from_slice(bytes);
        put(0, b"QFI\xfb");
        put(4, &3_u32.to_be_bytes());
        put(20, &CLUSTER.ilog2().to_be_bytes());
        // A disk has whole sectors.
        put(24, &self.length.next_multiple_of(512).to_be_bytes());
        put(36, &(self.l1.len() as u32).to_be_bytes());
        put(40, &CLUSTER.to_be_bytes());
        put(48, &refcounts.table.to_be_bytes());
        put(56, &refcounts.table_clusters.to_be_bytes());
        // Counts of 1 << 4 bits.
        put(96, &4_u32.to_be_bytes());
        put(100, &(HEADER as u32).to_be_bytes());
        header
    }
}

/// Returns whether entries lie where this writer would have put them: whole clusters, in rising order, none before
/// `first` or past `end`.
fn are_sound(entries: &[u64], first: u64, end: u64) -> bool {
    let used = entries.iter().filter(|&&entry| entry != 0);
    let whole = |entry: u64| {
        let offset = offset_of(entry);
        entry & COPIED != 0 && offset.is_multiple_of(CLUSTER) && offset >= first && offset < end
    };
    used.clone().all(|&entry| whole(entry)) && used.is_sorted_by(|a, b| a < b)
}

fn offset_of(entry: u64) -> u64 {
    entry & !COPIED
}

fn to_bytes(entries: &[u64]) -> Vec<u8> {
    entries.iter().flat_map(|entry| entry.to_be_bytes()).collect()
}

fn read_entries(file: &File, offset: u64, entries: &mut [u64]) -> io::Result<()> {
    let mut bytes = vec![0; entries.len() * 8];
    place::read(file, offset, &mut bytes).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => invalid("the file ends before the tables of the image do"),
        _ => error,
    })?;
    for (entry, bytes) in entries.iter_mut().zip(bytes.as_chunks().0) {
        *entry = u64::from_be_bytes(*bytes);
    }
    Ok(())
}
