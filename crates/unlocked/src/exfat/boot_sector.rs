//! The first sector: where everything is, in sectors and clusters.

use zerocopy::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, KnownLayout, Unaligned};

use crate::bytes::structure;
use crate::error::{Error, Result};

#[derive(FromBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct BootSector {
    jump_and_name: [u8; 11],
    zeros: [u8; 53],
    partition: U64,
    sectors: U64,
    table: U32,
    table_length: U32,
    heap: U32,
    clusters: U32,
    root: U32,
    serial: U32,
    revision: U16,
    /// Bit 0: the second table is in use; bit 1: not unmounted.
    flags: U16,
    bytes_per_sector_shift: u8,
    sectors_per_cluster_shift: u8,
    tables: u8,
}

const SECOND_TABLE: u16 = 1;
const DIRTY: u16 = 2;
const LARGEST_CLUSTER_SHIFT: u8 = 25;

/// The sizes and places that the boot sector gives, in bytes, checked.
#[derive(Clone, Debug)]
pub(crate) struct Geometry {
    /// Where the tables start, the one in use first.
    pub(crate) tables: Vec<u64>,
    pub(crate) heap: u64,
    pub(crate) cluster: u64,
    pub(crate) clusters: u32,
    pub(crate) root: u32,
    pub(crate) size: u64,
    pub(crate) serial: u32,
    pub(crate) dirty: bool,
}

impl Geometry {
    pub(crate) fn parse(sector: &[u8; 512]) -> Result<Self> {
        let wrong = Error::NoFileSystem;
        let boot: &BootSector = structure(sector, 0).ok_or(wrong("the boot sector is too short"))?;
        let (sector, cluster) = (boot.bytes_per_sector_shift, boot.sectors_per_cluster_shift);
        if !(9..=12).contains(&sector) || cluster > LARGEST_CLUSTER_SHIFT - sector {
            return Err(wrong("exFAT's boot sector gives no sizes that exFAT can have"));
        }
        let bytes = |sectors: U32| u64::from(sectors.get()) << sector;
        let size = boot.sectors.get().checked_mul(1 << sector);
        let size = size.ok_or(wrong("exFAT's boot sector gives no size"))?;
        let chained = (bytes(boot.table_length) / 4).saturating_sub(2);
        let heap = bytes(boot.heap);
        let there = size.saturating_sub(heap) >> (sector + cluster);
        let clusters = u64::from(boot.clusters.get()).min(chained).min(there);
        if clusters == 0 || boot.table.get() == 0 {
            return Err(wrong("exFAT's boot sector gives no clusters"));
        }
        let (first, second) = (bytes(boot.table), bytes(boot.table) + bytes(boot.table_length));
        let tables = match (boot.tables, boot.flags.get() & SECOND_TABLE) {
            (2, 0) => vec![first, second],
            (2, _) => vec![second, first],
            _ => vec![first],
        };
        Ok(Self {
            tables,
            heap,
            cluster: 1 << (sector + cluster),
            clusters: clusters as u32,
            root: boot.root.get(),
            size,
            serial: boot.serial.get(),
            dirty: boot.flags.get() & DIRTY != 0,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(field: (usize, u8)) -> Result<Geometry> {
        let mut sector = [0; 512];
        let standard = [
            (0x49, 0x80),
            (0x50, 24),
            (0x54, 8),
            (0x58, 32),
            (0x5c, 0xff),
            (0x60, 4),
            (0x6c, 9),
            (0x6d, 3),
            (0x6e, 1),
        ];
        for (at, value) in standard.into_iter().chain([field]) {
            sector[at] = value;
        }
        Geometry::parse(&sector)
    }

    #[test]
    fn sizes_are_powers_of_two() {
        let found = parse((0x6a, DIRTY as u8)).expect("a good boot sector");
        assert_eq!(
            (found.tables, found.heap, found.cluster, found.dirty),
            (vec![0x3000], 0x4000, 4096, true)
        );
        assert_eq!((found.clusters, found.root), (255, 4));
        for field in [(0x6c, 8), (0x6c, 13), (0x6d, 17), (0x5c, 0), (0x50, 0), (0x54, 0), (0x4f, 0xff)] {
            assert!(parse(field).is_err(), "{field:x?}");
        }
        // More clusters than the table has entries
        assert_eq!(parse((0x5e, 0xff)).expect("a good boot sector").clusters, 1024 - 2);
    }

    #[test]
    fn the_table_in_use_comes_first() {
        let mut sector = [0; 512];
        for (at, value) in
            [(0x49, 0x80), (0x50, 24), (0x54, 8), (0x58, 40), (0x5c, 9), (0x6a, 1), (0x6c, 9), (0x6e, 2)]
        {
            sector[at] = value;
        }
        assert_eq!(Geometry::parse(&sector).expect("a good boot sector").tables, [0x4000, 0x3000]);
    }
}
