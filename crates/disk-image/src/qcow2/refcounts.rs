//! The counts of how often each cluster is used: here, once.

use std::fs::File;
use std::io;

use super::{CLUSTER, ENTRIES, to_bytes};
use crate::place;

/// Counts of two bytes in one cluster.
const COUNTS: u64 = CLUSTER / 2;

/// Where the counts lie.
pub struct Refcounts {
    /// Where their table begins.
    pub table: u64,
    /// How many clusters it has.
    pub table_clusters: u32,
    /// Where the last of them ends.
    pub end: u64,
}

/// Counts all clusters up to `end`, and the counts themselves, which it puts behind.
pub fn write(file: &File, end: u64) -> io::Result<Refcounts> {
    let used = end / CLUSTER;
    let (mut blocks, mut tables) = (0, 0);
    // Counts take clusters, which are counted: it settles within a few rounds.
    let all = loop {
        let all: u64 = used + blocks + tables;
        let needed = all.div_ceil(COUNTS);
        if needed == blocks {
            break all;
        }
        (blocks, tables) = (needed, needed.div_ceil(ENTRIES));
    };
    let first = end + tables * CLUSTER;
    let table: Vec<_> = (0..blocks).map(|n| first + n * CLUSTER).collect();
    place::write(file, end, &to_bytes(&table))?;
    let ones = 1_u16.to_be_bytes().repeat(COUNTS as usize);
    for (n, offset) in (0..).zip(table) {
        let mut block = ones.clone();
        let here = usize::try_from((all - n * COUNTS).min(COUNTS)).unwrap_or(0);
        block.get_mut(here * 2..).unwrap_or_default().fill(0);
        place::write(file, offset, &block)?;
    }
    let table_clusters = u32::try_from(tables).map_err(|_| io::ErrorKind::FileTooLarge)?;
    Ok(Refcounts { table: end, table_clusters, end: all * CLUSTER })
}
