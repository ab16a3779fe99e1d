//! The first sector: how large things are, and where the table of all files starts.

use zerocopy::little_endian::{U16, U64};
use zerocopy::{FromBytes, Immutable, KnownLayout, Unaligned};

use crate::bytes::structure;
use crate::error::{Error, Result};

/// The fields that NTFS uses.
#[derive(FromBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct BootSector {
    jump_and_name: [u8; 11],
    bytes_per_sector: U16,
    /// A count up to 128; above, 256 less the binary logarithm of the count.
    sectors_per_cluster: u8,
    unused: [u8; 26],
    sectors: U64,
    mft_cluster: U64,
    mirror_cluster: U64,
    /// In clusters; negative: the binary logarithm of the bytes.
    record_size: i8,
    unused_2: [u8; 7],
    serial: U64,
}

/// The sizes and places that the boot sector gives, checked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Geometry {
    /// Bytes in a cluster: a power of two up to 2 MiB.
    pub(crate) cluster: u64,
    /// Bytes in a record of `$MFT`: a power of two from 512 to 4096.
    pub(crate) record: usize,
    /// Bytes that the volume should have.
    pub(crate) size: u64,
    /// Bytes that are there: fewer in an image that is cut off.
    pub(crate) available: u64,
    /// Where `$MFT` starts.
    pub(crate) mft: u64,
    /// Where the copy of its first four records starts.
    pub(crate) mirror: u64,
    pub(crate) serial: u64,
}

const LARGEST_CLUSTER: u64 = 2 << 20;
const LARGEST_RECORD: u64 = 4096;

impl Geometry {
    pub(crate) fn parse(sector: &[u8; 512], available: u64) -> Result<Self> {
        let wrong = Error::NoFileSystem;
        let boot: &BootSector = structure(sector, 0).ok_or(wrong("the boot sector is too short"))?;
        let bytes = u64::from(boot.bytes_per_sector.get());
        if !bytes.is_power_of_two() || !(256..=4096).contains(&bytes) {
            return Err(wrong("NTFS's boot sector gives no sector size"));
        }
        let count = match boot.sectors_per_cluster {
            count @ 0..=0x80 => u64::from(count),
            logarithm => 1 << (0x100 - u32::from(logarithm)).min(63),
        };
        let cluster =
            count.checked_mul(bytes).filter(|size| size.is_power_of_two() && *size <= LARGEST_CLUSTER);
        let cluster = cluster.ok_or(wrong("NTFS's boot sector gives no cluster size"))?;
        let record = match boot.record_size {
            clusters @ 1.. => Some(cluster * clusters.unsigned_abs() as u64),
            logarithm => 1_u64.checked_shl(logarithm.unsigned_abs().into()),
        };
        let record = record.filter(|size| size.is_power_of_two() && (512..=LARGEST_RECORD).contains(size));
        let record = record.ok_or(wrong("NTFS's boot sector gives no record size"))?;
        let size = boot.sectors.get().checked_mul(bytes).ok_or(wrong("NTFS's boot sector gives no size"))?;
        let place = |number: U64| number.get().checked_mul(cluster).filter(|&place| place < size);
        let (mft, mirror) = (place(boot.mft_cluster), place(boot.mirror_cluster));
        let (mft, mirror) = match (mft, mirror) {
            (None, None) => return Err(wrong("NTFS's boot sector puts $MFT outside the volume")),
            (mft, mirror) => (mft.or(mirror).unwrap_or(0), mirror.or(mft).unwrap_or(0)),
        };
        let (record, serial) = (record as usize, boot.serial.get());
        Ok(Self { cluster, record, size, available, mft, mirror, serial })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sector(cluster: u8, record: i8) -> [u8; 512] {
        let mut sector = [0; 512];
        sector[0x0b..0x0d].copy_from_slice(&512_u16.to_le_bytes());
        sector[0x0d] = cluster;
        sector[0x28] = 0xff;
        sector[0x30] = 4;
        sector[0x38] = 2;
        sector[0x40] = record.cast_unsigned();
        sector
    }

    #[test]
    fn sizes_come_in_two_notations() {
        let parse = |cluster, record| Geometry::parse(&sector(cluster, record), 1 << 30);
        let geometry = parse(8, -10).expect("what mkntfs writes");
        assert_eq!((geometry.cluster, geometry.record, geometry.mft), (4096, 1024, 0x4000));
        let geometry = parse(0xff, 2).expect("256 less the logarithm");
        assert_eq!((geometry.cluster, geometry.record), (1024, 2048));
        for (cluster, record) in [(0, -10), (3, -10), (0x81, -10), (8, 0), (8, -128), (8, -1), (8, 127)] {
            assert!(parse(cluster, record).is_err(), "{cluster} {record}");
        }
    }
}
