//! The table with which FAT and exFAT chain clusters: for each one the number of the next.

use std::collections::BTreeMap;
use std::sync::Arc;

use fve::ReadAt;

use crate::error::Result;
use crate::extents::{Extents, read};

/// The width of the table's entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Width {
    Bits12,
    Bits16,
    /// FAT32: the upper four of 32 bits mean nothing.
    Bits28,
    Bits32,
}

/// The first two numbers are not those of clusters.
pub(crate) const FIRST: u32 = 2;
/// How much of the table is read at once.
const BLOCK: u64 = 4096;
/// How much of it, where something cannot be read: no sector is smaller.
const SECTOR: u64 = 512;

/// Where the table and the clusters are.
#[derive(Clone)]
pub(crate) struct Clusters {
    pub(crate) source: Arc<dyn ReadAt>,
    pub(crate) width: Width,
    /// Where the copies of the table start, the one in use first.
    pub(crate) tables: Vec<u64>,
    /// Where the first cluster starts.
    pub(crate) heap: u64,
    /// Bytes in a cluster.
    pub(crate) size: u64,
    /// How many clusters there are.
    pub(crate) count: u32,
}

/// The clusters of a file.
#[derive(Default)]
pub(crate) struct Chain {
    pub(crate) extents: Extents,
    /// Why the chain ends where it must not.
    pub(crate) broken: Option<&'static str>,
}

/// A part of the table that was read.
#[derive(Default)]
struct Block {
    start: u64,
    bytes: Vec<u8>,
}

impl Clusters {
    /// Returns where a cluster is on the volume; `None` when there is none of this number.
    pub(crate) fn place(&self, cluster: u32) -> Option<u64> {
        let number = cluster.checked_sub(FIRST).filter(|&number| number < self.count)?;
        Some(self.heap + u64::from(number) * self.size)
    }

    /// Returns the cluster that a byte of the volume lies in.
    pub(crate) fn at(&self, place: u64) -> Option<u32> {
        let number = place.checked_sub(self.heap)? / self.size;
        u32::try_from(number).ok().filter(|&number| number < self.count).map(|number| number + FIRST)
    }

    /// Follows the chain from `first` on, as far as `bytes` reach. It ends early where it is broken.
    pub(crate) fn chain(&self, first: u32, bytes: u64) -> Result<Chain> {
        let mut chain = Chain::default();
        let mut block = Block::default();
        // The runs that the chain has come through, by their first cluster; each has its last one.
        let mut runs: BTreeMap<u32, u32> = BTreeMap::new();
        let mut run = first;
        let mut next = Some(first);
        let mut last = None;
        while chain.extents.end() < bytes {
            let Some(cluster) = next else { break };
            let Some(place) = self.place(cluster) else {
                chain.broken = Some("leads to a cluster that is not there");
                break;
            };
            if last != cluster.checked_sub(1) {
                if let Some(last) = last {
                    runs.insert(run, last);
                }
                run = cluster;
            }
            let seen = runs.range(..=cluster).next_back().is_some_and(|(_, &end)| cluster <= end);
            if seen {
                chain.broken = Some("leads in a circle");
                break;
            }
            if chain.extents.push(self.size, Some(place)).is_none() {
                break;
            }
            last = Some(cluster);
            next = self.next(cluster, &mut block)?;
        }
        Ok(chain)
    }

    /// Returns the clusters of a file that lies in one piece, without a chain.
    pub(crate) fn contiguous(&self, first: u32, bytes: u64) -> Chain {
        let mut chain = Chain::default();
        let Some(place) = self.place(first) else {
            chain.broken = Some("leads to a cluster that is not there").filter(|_| bytes > 0);
            return chain;
        };
        let left = u64::from(self.count - (first - FIRST)) * self.size;
        let length = bytes.div_ceil(self.size).saturating_mul(self.size);
        if chain.extents.push(length.min(left), Some(place)).is_none() || length > left {
            chain.broken = Some("leads to a cluster that is not there");
        }
        chain
    }

    /// Returns the cluster behind this one in its chain; `None` at the end.
    pub(crate) fn after(&self, cluster: u32) -> Result<Option<u32>> {
        self.next(cluster, &mut Block::default())
    }

    fn next(&self, cluster: u32, block: &mut Block) -> Result<Option<u32>> {
        let cluster = u64::from(cluster);
        let (at, length) = match self.width {
            Width::Bits12 => (cluster + cluster / 2, 2),
            Width::Bits16 => (cluster * 2, 2),
            Width::Bits28 | Width::Bits32 => (cluster * 4, 4),
        };
        let mut entry = [0; 4];
        for (at, byte) in (at..).zip(&mut entry[..length]) {
            *byte = self.table_byte(at, block)?;
        }
        let entry = u32::from_le_bytes(entry);
        let (entry, end) = match self.width {
            Width::Bits12 => (entry >> (cluster % 2 * 4) & 0xfff, 0xff8),
            Width::Bits16 => (entry, 0xfff8),
            Width::Bits28 => (entry & 0x0fff_ffff, 0x0fff_fff8),
            Width::Bits32 => (entry, 0xffff_fff8),
        };
        Ok(Some(entry).filter(|&entry| entry < end))
    }

    fn table_byte(&self, at: u64, block: &mut Block) -> Result<u8> {
        if !(block.start..block.start + block.bytes.len() as u64).contains(&at) {
            // A block may be unreadable for a sector that nobody asks for.
            let whole = self.table_block(at / BLOCK * BLOCK, BLOCK);
            *block = whole.or_else(|_| self.table_block(at / SECTOR * SECTOR, SECTOR))?;
        }
        Ok(block.bytes.get((at - block.start) as usize).copied().unwrap_or(0))
    }

    /// Reads a part of the table; where it is unreadable, from the other copy.
    fn table_block(&self, start: u64, length: u64) -> Result<Block> {
        let mut bytes = vec![0; length as usize];
        let mut result = Ok(());
        for table in &self.tables {
            let place = table + start;
            let left = self.source.size().saturating_sub(place).min(length) as usize;
            result = read(&self.source, "allocation table", place, &mut bytes[..left]);
            if result.is_ok() {
                break;
            }
        }
        result.map(|()| Block { start, bytes })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ten clusters of 512 bytes from 0x1000 on, chained by a table of 16-bit numbers at 0.
    fn clusters(table: &[u16]) -> Clusters {
        let mut bytes: Vec<u8> = table.iter().flat_map(|entry| entry.to_le_bytes()).collect();
        bytes.resize(0x3000, 0);
        let source = Arc::new(bytes);
        Clusters { source, width: Width::Bits16, tables: vec![0], heap: 0x1000, size: 512, count: 10 }
    }

    fn chain(table: &[u16], first: u32) -> (Vec<u64>, Option<&'static str>) {
        let chain = clusters(table).chain(first, u64::MAX).expect("a table that can be read");
        (chain.extents.as_slice().iter().map(|extent| extent.length / 512).collect(), chain.broken)
    }

    #[test]
    fn chains_have_an_end() {
        const END: u16 = 0xffff;
        assert_eq!(chain(&[0, 0, 3, 7, 5, END, 0, 4], 2), (vec![2, 1, 2], None));
        assert_eq!(chain(&[0, 0, END], 2), (vec![1], None));
    }

    #[test]
    fn circles_are_found_where_they_close() {
        let circle = Some("leads in a circle");
        assert_eq!(chain(&[0, 0, 2], 2), (vec![1], circle));
        assert_eq!(chain(&[0, 0, 3, 4, 2], 2), (vec![3], circle));
        assert_eq!(chain(&[0, 0, 6, 4, 5, 6, 3], 2), (vec![1, 1, 3], circle));
    }

    #[test]
    fn chains_stay_on_the_volume() {
        for end in [0, 1, 12, 0xfff0] {
            assert_eq!(chain(&[0, 0, 3, end], 2).1, Some("leads to a cluster that is not there"), "{end}");
        }
        let clusters = clusters(&[]);
        assert_eq!((clusters.place(1), clusters.place(11), clusters.place(12)), (None, Some(0x2200), None));
        assert_eq!((clusters.at(0x0fff), clusters.at(0x2200), clusters.at(0x2400)), (None, Some(11), None));
        assert!(clusters.contiguous(10, 1024).broken.is_none());
        assert!(clusters.contiguous(10, 1025).broken.is_some());
        assert!(clusters.contiguous(10, u64::MAX).broken.is_some());
        assert!(clusters.contiguous(0, 0).broken.is_none());
    }

    #[test]
    fn entries_of_12_bits_share_a_byte() {
        let mut clusters = clusters(&[]);
        clusters.source = Arc::new([&[0, 0, 0, 0x03, 0x40, 0x00, 0xff, 0x0f][..], &[0; 0x3000]].concat());
        clusters.width = Width::Bits12;
        let after = |cluster| clusters.after(cluster).expect("a table that can be read");
        assert_eq!((after(2), after(3), after(4)), (Some(3), Some(4), None));
    }
}
