//! The first sector of FAT12, FAT16 and FAT32: how large things are and where they start.

use zerocopy::little_endian::{U16, U32};
use zerocopy::{FromBytes, Immutable, KnownLayout, Unaligned};

use crate::bytes::structure;
use crate::clusters::Width;
use crate::error::{Error, Result};
use crate::records::RECORD;

/// The fields that all have.
#[derive(FromBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct BootSector {
    jump_and_name: [u8; 11],
    bytes_per_sector: U16,
    sectors_per_cluster: u8,
    reserved: U16,
    tables: u8,
    root_records: U16,
    sectors_16: U16,
    media: u8,
    table_16: U16,
    unused: [u8; 8],
    sectors_32: U32,
}

/// What follows on FAT32.
#[derive(FromBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct Fat32 {
    table_32: U32,
    /// Bit 7: only one table is kept up to date, the one with the number in the lower four bits.
    mirroring: U16,
    version: U16,
    root: U32,
    unused: [u8; 16],
}

/// What follows then, or at once where it is not FAT32.
#[derive(FromBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct Volume {
    drive: u8,
    /// Bit 0: Windows did not unmount it.
    state: u8,
    /// 0x29 when the serial number and the label are there.
    signature: u8,
    serial: U32,
    label: [u8; 11],
}

const VOLUME: usize = size_of::<BootSector>();
const VOLUME_32: usize = VOLUME + size_of::<Fat32>();
/// From so many clusters on, entries have more bits.
const FEWEST_16: u64 = 4085;
const FEWEST_32: u64 = 65_525;
const MOST: u64 = 0x0fff_fff5;
const DIRTY: u8 = 1;
const EXTENDED: u8 = 0x29;

/// The sizes and places that the boot sector gives, in bytes, checked.
#[derive(Clone, Debug)]
pub(crate) struct Geometry {
    pub(crate) width: Width,
    /// Where the tables start, the one in use first.
    pub(crate) tables: Vec<u64>,
    pub(crate) heap: u64,
    pub(crate) cluster: u64,
    pub(crate) clusters: u32,
    pub(crate) root: Root,
    pub(crate) size: u64,
    pub(crate) serial: u32,
    pub(crate) label: [u8; 11],
    pub(crate) dirty: bool,
}

/// Where the root folder is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Root {
    /// At a fixed place, and so long.
    Fixed(u64, u64),
    /// In clusters like any other.
    Cluster(u32),
}

impl Geometry {
    pub(crate) fn parse(sector: &[u8; 512]) -> Result<Self> {
        let wrong = Error::NoFileSystem;
        let boot: &BootSector = structure(sector, 0).ok_or(wrong("the boot sector is too short"))?;
        let bytes = u64::from(boot.bytes_per_sector.get());
        let per_cluster = u64::from(boot.sectors_per_cluster);
        if sector[510..] != [0x55, 0xaa] || !matches!(bytes, 512 | 1024 | 2048 | 4096) {
            return Err(wrong("the first sector is that of none of them"));
        }
        if !per_cluster.is_power_of_two() || boot.reserved.get() == 0 || boot.tables == 0 {
            return Err(wrong("the first sector gives no sizes that FAT can have"));
        }
        let fat32: &Fat32 = structure(sector, VOLUME).ok_or(wrong("the boot sector is too short"))?;
        let is_fat32 = boot.table_16.get() == 0;
        let either = |small: U16, large: U32| if small.get() == 0 { large.get() } else { small.get().into() };
        let sectors = u64::from(either(boot.sectors_16, boot.sectors_32));
        let table = u64::from(either(boot.table_16, fat32.table_32));
        let reserved = u64::from(boot.reserved.get());
        let root = (u64::from(boot.root_records.get()) * RECORD as u64).div_ceil(bytes);
        let root_start = reserved + table * u64::from(boot.tables);
        let heap = root_start + root;
        let clusters = sectors.saturating_sub(heap) / per_cluster;
        let width = match clusters {
            _ if is_fat32 => Width::Bits28,
            FEWEST_32.. => return Err(wrong("the first sector gives more clusters than FAT16 can have")),
            FEWEST_16.. => Width::Bits16,
            _ => Width::Bits12,
        };
        let bits = if is_fat32 {
            32
        } else if width == Width::Bits16 {
            16
        } else {
            12
        };
        let chained = (table * bytes * 8 / bits).saturating_sub(2);
        let clusters = clusters.min(chained).min(MOST);
        if clusters == 0 || (root == 0) != is_fat32 {
            return Err(wrong("the first sector gives no sizes that FAT can have"));
        }
        let mut tables: Vec<_> =
            (0..u64::from(boot.tables)).map(|n| (reserved + n * table) * bytes).collect();
        if is_fat32 && fat32.mirroring.get() & 0x80 != 0 {
            let used = usize::from(fat32.mirroring.get() & 0xf);
            tables =
                vec![*tables.get(used).ok_or(wrong("the first sector names a table that is not there"))?];
        }
        let volume: Option<&Volume> = structure(sector, if is_fat32 { VOLUME_32 } else { VOLUME });
        let named = volume.filter(|volume| volume.signature == EXTENDED);
        Ok(Self {
            width,
            tables,
            heap: heap * bytes,
            cluster: per_cluster * bytes,
            clusters: clusters as u32,
            root: if is_fat32 {
                Root::Cluster(fat32.root.get())
            } else {
                Root::Fixed(root_start * bytes, root * bytes)
            },
            size: sectors * bytes,
            serial: named.map_or(0, |volume| volume.serial.get()),
            label: named.map_or([b' '; 11], |volume| volume.label),
            dirty: volume.is_some_and(|volume| volume.state & DIRTY != 0),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sector(fields: &[(usize, u16)]) -> [u8; 512] {
        let mut sector = [0; 512];
        let standard = [(0x0b, 512), (0x0d, 0x101), (0x0f, 0x200), (0x11, 224), (0x13, 2880), (0x16, 9)];
        for &(at, value) in standard.iter().chain(fields) {
            sector[at..at + 2].copy_from_slice(&value.to_le_bytes());
        }
        sector[510..].copy_from_slice(&[0x55, 0xaa]);
        sector
    }

    #[test]
    fn the_number_of_clusters_decides() {
        let parse = |fields: &[_]| Geometry::parse(&sector(fields));
        let floppy = parse(&[]).expect("a floppy disk");
        assert_eq!((floppy.width, floppy.clusters, floppy.heap), (Width::Bits12, 2847, 33 * 512));
        assert_eq!(floppy.root, Root::Fixed(19 * 512, 14 * 512));
        assert_eq!(parse(&[(0x13, 60_000), (0x16, 250)]).expect("FAT16").width, Width::Bits16);
        let fat32 = parse(&[(0x11, 0), (0x16, 0), (0x24, 20), (0x2c, 2)]).expect("a small FAT32");
        assert_eq!((fat32.width, fat32.root), (Width::Bits28, Root::Cluster(2)));
        assert_eq!(fat32.clusters, 20 * 128 - 2);
    }

    #[test]
    fn other_sectors_are_refused() {
        for field in [(0x0b, 500), (0x0d, 0x103), (0x0d, 0x100), (0x0e, 0), (0x11, 0), (0x13, 20)] {
            assert!(Geometry::parse(&sector(&[field])).is_err(), "{field:?}");
        }
        let mut unsigned = sector(&[]);
        unsigned[511] = 0;
        assert!(Geometry::parse(&unsigned).is_err());
    }
}
