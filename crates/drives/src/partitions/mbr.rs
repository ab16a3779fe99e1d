//! The partition table of BIOS: four entries in the first sector, and a chain of such tables for more.
//!
//! | offset | bytes | what |
//! |---|---|---|
//! | 446 | 4 × 16 | entries: boot flag u8, CHS 3, kind u8, CHS 3, first sector u32, sectors u32 |
//! | 510 | 2 | 55 aa |
//!
//! An *extended* entry spans the logical partitions. In each table of its chain the first entry is a
//! logical partition, placed from that table, and the second the next table, placed from the start of
//! the extended partition. Sector numbers do not say how long a sector is.

use fve::ReadAt;

use super::{PROTECTIVE, Partition};
use crate::signature::{fat, in_first_sector};

/// A disk may have more, but then Linux no longer has names for them either.
const MOST_LOGICAL: usize = 128;

/// One of the four entries.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// What is in the partition; 0 for an unused entry.
    pub kind: u8,
    first: u32,
    count: u32,
}

impl Entry {
    fn is_extended(self) -> bool {
        matches!(self.kind, 0x05 | 0x0f | 0x85)
    }

    fn is_used(self) -> bool {
        self.kind != 0 && self.count != 0
    }
}

/// Returns the entries of a first sector; `None` when it holds no table, or an empty one.
pub fn entries(sector: &[u8]) -> Option<[Entry; 4]> {
    table(sector).filter(|entries| entries.iter().any(|entry| entry.is_used()))
}

fn table(sector: &[u8]) -> Option<[Entry; 4]> {
    (sector.get(510..512)? == [0x55, 0xaa]).then_some(())?;
    let mut entries = [Entry { kind: 0, first: 0, count: 0 }; 4];
    for (entry, bytes) in entries.iter_mut().zip(sector.get(446..510)?.chunks_exact(16)) {
        let [flag, _, _, _, kind, _, _, _, first @ .., c0, c1, c2, c3] = bytes else { return None };
        // Boot code, or the boot sector of a file system, has other bytes where the flag would be.
        matches!(flag, 0 | 0x80).then_some(())?;
        let first = u32::from_le_bytes(*first.first_chunk()?);
        *entry = Entry { kind: *kind, first, count: u32::from_le_bytes([*c0, *c1, *c2, *c3]) };
    }
    Some(entries)
}

/// Returns the partitions of a disk with these entries in its first sector.
pub fn partitions(disk: &(impl ReadAt + ?Sized), entries: [Entry; 4]) -> Vec<Partition> {
    let sector = sector_size(disk, &entries);
    let make = |index, first, entry: Entry| {
        let partition = Partition::new(index, first, entry.count.into(), sector, disk.size())?;
        Some(Partition { kind: kind_name(entry.kind), ..partition })
    };
    let used = || (1..).zip(entries).filter(|(_, entry)| entry.is_used() && entry.kind != PROTECTIVE);
    let primary = used().filter(|(_, entry)| !entry.is_extended());
    let mut found: Vec<_> =
        primary.filter_map(|(index, entry)| make(index, entry.first.into(), entry)).collect();
    let extended = used().map(|(_, entry)| entry).filter(|entry| entry.is_extended());
    let logical = extended.flat_map(|entry| chain(disk, sector, entry.first)).take(MOST_LOGICAL);
    found.extend((5..).zip(logical).filter_map(|(index, (first, entry))| make(index, first, entry)));
    found
}

/// Follows the chain of tables from the start of an extended partition.
fn chain(disk: &(impl ReadAt + ?Sized), sector: u64, start: u32) -> Vec<(u64, Entry)> {
    let mut found = Vec::new();
    let mut seen = Vec::new();
    let mut at = u64::from(start);
    while seen.len() < MOST_LOGICAL && !seen.contains(&at) {
        seen.push(at);
        let mut bytes = [0; 512];
        let read = at.checked_mul(sector).map(|offset| disk.read_at(offset, &mut bytes));
        let (Some(Ok(())), Some(entries)) = (read, table(&bytes)) else { break };
        let used = || entries.into_iter().filter(|entry| entry.is_used());
        found.extend(
            used().find(|entry| !entry.is_extended()).map(|entry| (at + u64::from(entry.first), entry)),
        );
        let Some(next) = used().find(|entry| entry.is_extended()) else { break };
        at = u64::from(start) + u64::from(next.first);
    }
    found
}

/// Guesses the length of a sector: 4096 when that finds boot sectors at the partitions and 512 does not.
fn sector_size(disk: &(impl ReadAt + ?Sized), entries: &[Entry; 4]) -> u64 {
    let fits = |sector: u64| {
        entries.iter().filter(|entry| entry.is_used()).any(|entry| {
            let mut bytes = [0; 512];
            let there = disk.read_at(u64::from(entry.first) * sector, &mut bytes).is_ok();
            let known = || in_first_sector(&bytes).is_some() || fat(&bytes).is_some();
            there && if entry.is_extended() { table(&bytes).is_some() } else { known() }
        })
    };
    if !fits(512) && fits(4096) { 4096 } else { 512 }
}

fn kind_name(kind: u8) -> String {
    let name = match kind {
        0x01 | 0x11 => "FAT12",
        0x04 | 0x06 | 0x0e | 0x14 | 0x16 | 0x1e => "FAT16",
        0x07 | 0x17 => "NTFS or exFAT",
        0x0b | 0x0c | 0x1b | 0x1c => "FAT32",
        0x27 => "Windows recovery",
        0x42 => "Windows dynamic disk",
        0x82 => "Linux swap",
        0x83 => "Linux",
        0x8e => "Linux LVM",
        0xaf => "HFS+",
        0xef => "EFI system",
        0xfd => "Linux RAID",
        _ => return format!("MBR kind {kind:02x}"),
    };
    name.into()
}

#[cfg(test)]
mod tests {
    use super::super::partitions;

    fn put(disk: &mut [u8], sector: usize, slot: usize, kind: u8, first: u32, count: u32) {
        let at = sector + 446 + slot * 16;
        disk[at + 4] = kind;
        disk[at + 8..at + 12].copy_from_slice(&first.to_le_bytes());
        disk[at + 12..at + 16].copy_from_slice(&count.to_le_bytes());
        disk[sector + 510..sector + 512].copy_from_slice(&[0x55, 0xaa]);
    }

    fn places(disk: &[u8]) -> Vec<(u32, u64, u64)> {
        partitions(disk).into_iter().map(|p| (p.index, p.offset / 512, p.size / 512)).collect()
    }

    #[test]
    fn logical_partitions_are_followed_down_the_chain() {
        let mut disk = vec![0; 4096 * 512];
        put(&mut disk, 0, 0, 0x07, 64, 64);
        put(&mut disk, 0, 2, 0x0f, 1000, 2000);
        put(&mut disk, 1000 * 512, 0, 0x07, 10, 100);
        put(&mut disk, 1000 * 512, 1, 0x05, 200, 300);
        put(&mut disk, 1200 * 512, 0, 0x83, 10, 50);
        assert_eq!(places(&disk), [(1, 64, 64), (5, 1010, 100), (6, 1210, 50)]);
        assert_eq!(partitions(&disk)[0].kind, "NTFS or exFAT");
    }

    #[test]
    fn a_chain_that_bites_its_tail_ends() {
        let mut disk = vec![0; 4096 * 512];
        put(&mut disk, 0, 0, 0x05, 1000, 2000);
        put(&mut disk, 1000 * 512, 0, 0x07, 1, 10);
        put(&mut disk, 1000 * 512, 1, 0x05, 500, 100);
        put(&mut disk, 1500 * 512, 0, 0x07, 1, 10);
        put(&mut disk, 1500 * 512, 1, 0x05, 500, 100);
        assert_eq!(places(&disk), [(5, 1001, 10), (6, 1501, 10)]);
    }

    #[test]
    fn sectors_of_4096_bytes_are_seen_by_what_lies_there() {
        let mut disk = vec![0; 512 * 4096];
        put(&mut disk, 0, 0, 0x07, 256, 128);
        disk[256 * 4096 + 3..256 * 4096 + 11].copy_from_slice(b"-FVE-FS-");
        let found = partitions(&disk);
        assert_eq!((found[0].offset, found[0].size), (256 * 4096, 128 * 4096));
    }

    #[test]
    fn a_partition_past_the_end_is_cut_or_left_out() {
        let mut disk = vec![0; 1000 * 512];
        put(&mut disk, 0, 0, 0x07, 900, 500);
        put(&mut disk, 0, 1, 0x07, 1000, 500);
        let found = partitions(&disk);
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].size, found[0].missing), (100 * 512, 400 * 512));
    }

    #[test]
    fn a_file_system_in_the_first_sector_leaves_no_room_for_a_table() {
        let mut disk = vec![0; 1000 * 512];
        put(&mut disk, 0, 0, 0x07, 64, 64);
        assert_eq!(partitions(&disk).len(), 1);
        disk[3..11].copy_from_slice(b"-FVE-FS-");
        assert!(partitions(&disk).is_empty());
    }
}
