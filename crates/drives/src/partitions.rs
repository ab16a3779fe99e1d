//! What a whole disk is cut into: the MBR and GPT partition tables.

mod gpt;
mod mbr;

use fve::ReadAt;

use crate::signature::{fat, in_first_sector};

pub(crate) use gpt::header as gpt_header;
pub(crate) use mbr::entries as mbr_entries;

/// The kind of the MBR entry that stands for a GPT.
pub(crate) const PROTECTIVE: u8 = 0xee;

/// A partition of a whole disk or of its image. It lies inside: `offset + size` is at most the disk's size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partition {
    /// Its number as Linux counts: from 1; logical partitions of an MBR disk from 5.
    pub index: u32,
    /// Where it starts, in bytes.
    pub offset: u64,
    /// Its length in bytes, as far as it lies on this disk.
    pub size: u64,
    /// How many bytes of it the table places past the end of the disk: not 0 when an image was cut short.
    pub missing: u64,
    /// What the table says is in it, for messages.
    pub kind: String,
    /// The name that the table gives it; only GPT has names.
    pub name: Option<String>,
}

impl Partition {
    /// Makes one from places in sectors; `None` when it lies nowhere on a disk of `disk` bytes.
    fn new(index: u32, first: u64, count: u64, sector: u64, disk: u64) -> Option<Self> {
        let offset = first.checked_mul(sector).filter(|&offset| offset < disk)?;
        let stated = count.checked_mul(sector).filter(|&stated| stated != 0)?;
        let size = stated.min(disk - offset);
        Some(Self { index, offset, size, missing: stated - size, kind: String::new(), name: None })
    }
}

/// Returns the partitions in the order of their numbers; none when there is no partition table.
///
/// Both tables are read for sectors of 512 and 4096 bytes. A GPT whose first copy is damaged is read
/// from its second at the end of the disk. An MBR without an entry for
/// the GPT wins over the remains of one.
/// However large its claims, a table gives at most 4 + 128 or 1024 partitions.
pub fn partitions(disk: &(impl ReadAt + ?Sized)) -> Vec<Partition> {
    let mut sector = [0; 512];
    if disk.read_at(0, &mut sector).is_err() {
        return gpt::partitions(disk);
    }
    match mbr::entries(&sector) {
        _ if in_first_sector(&sector).is_some() => Vec::new(),
        Some(table) if table.iter().any(|entry| entry.kind == PROTECTIVE) => gpt::partitions(disk),
        Some(table) => mbr::partitions(disk, table),
        None if fat(&sector).is_some() => Vec::new(),
        None => gpt::partitions(disk),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use proptest::prelude::*;

    use super::*;

    /// A disk of a terabyte with something in its first sectors, which counts what is read.
    struct Sparse {
        front: Vec<u8>,
        read: AtomicUsize,
    }

    impl ReadAt for Sparse {
        fn read_at(&self, offset: u64, buf: &mut [u8]) -> std::io::Result<()> {
            self.read.fetch_add(buf.len(), Ordering::Relaxed);
            // What lies further on repeats the front, so that chains of tables never end by themselves.
            for (byte, at) in buf.iter_mut().zip(offset..) {
                *byte = self.front[usize::try_from(at % self.front.len() as u64).expect("in front")];
            }
            Ok(())
        }

        fn size(&self) -> u64 {
            1 << 40
        }
    }

    proptest! {
        #[test]
        fn hostile_tables_are_bounded(
            mut front in proptest::collection::vec(any::<u8>(), 4096 + 512..9000),
            entries in proptest::collection::vec((any::<bool>(), 0u8..8, any::<u32>(), any::<u32>()), 4),
        ) {
            for (index, (extended, kind, start, count)) in entries.into_iter().enumerate() {
                let at = 446 + index * 16;
                front[at] = 0;
                front[at + 4] = if extended { 5 } else { kind };
                front[at + 8..at + 12].copy_from_slice(&start.to_le_bytes());
                front[at + 12..at + 16].copy_from_slice(&count.to_le_bytes());
            }
            front[510..512].copy_from_slice(&[0x55, 0xaa]);
            let disk = Sparse { front, read: AtomicUsize::new(0) };
            let found = partitions(&disk);
            prop_assert!(found.len() <= 132);
            prop_assert!(disk.read.into_inner() < 1 << 20);
            for partition in found {
                prop_assert!(partition.size > 0 && partition.offset + partition.size <= 1 << 40);
            }
        }

        #[test]
        fn any_bytes_are_a_disk(bytes in proptest::collection::vec(any::<u8>(), 0..2048)) {
            partitions(&bytes);
        }
    }
}
