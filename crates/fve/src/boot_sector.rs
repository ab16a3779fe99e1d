//! The first sector of a BitLocker volume, which says where the metadata lies.
//!
//! | made by | bytes 3..11 | GUID | metadata places | conversion places |
//! |---|---|---|---|---|
//! | Vista | `-FVE-FS-` | none | cluster of copy 1 at 0x38 | |
//! | Windows 7 and later | `-FVE-FS-` | [`VOLUME`] at 0xa0 | 3 offsets at 0xb0 | |
//! | while converting (Windows 8 and later) | `-FVE-FS-` | [`CONVERTING`] at 0xa0 | 3 offsets at 0xb0 | 2 offsets at 0xc8 |
//! | BitLocker To Go | `MSWIN4.1` | [`VOLUME`] at 0x1a8 | 3 offsets at 0x1b8 | |
//!
//! A reader looks for the GUIDs anywhere in the sector; a writer uses the places above.

use uuid::{Uuid, uuid};

use crate::metadata::SIGNATURE;

/// The GUID of a volume at rest.
pub const VOLUME: Uuid = uuid!("4967d63b-2e29-4ad8-8399-f6a339e3d001");
/// The GUID of a volume that is converted while it is in use, and of a freshly decrypted one.
pub const CONVERTING: Uuid = uuid!("92a84d3b-dd80-4d0e-9e4e-b1e3284eaed8");
/// What stands in front of [`VOLUME`] on a To Go volume.
const TO_GO: Uuid = uuid!("b580060e-778a-4057-b39a-e3df8e81b1a1");

/// The bytes that the boot sector's fields lie in, whatever the sector size.
pub const LENGTH: usize = 512;

const STANDARD_GUID_AT: usize = 0xa0;
const TO_GO_GUID_AT: usize = 0x1a8;

/// Which kind of BitLocker boot sector it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Windows Vista.
    Vista,
    /// Windows 7 and later.
    Standard,
    /// Windows 8 and later, during a conversion and after a decryption.
    Converting,
    /// BitLocker To Go with a discovery volume in front.
    ToGo,
}

/// The fields of a boot sector that BitLocker uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BootSector {
    /// Which kind it is.
    pub kind: Kind,
    /// Bytes in a sector; 0 on exFAT volumes of newer Windows.
    pub bytes_per_sector: u16,
    /// Sectors in a cluster.
    pub sectors_per_cluster: u8,
    /// Where the three metadata copies lie; Vista says only where the first is.
    pub metadata: [Option<u64>; 3],
    /// Where the two descriptors of a running conversion lie.
    pub conversion: Option<[u64; 2]>,
}

impl BootSector {
    /// Reads a first sector; `None` when it carries no BitLocker signature.
    pub fn parse(sector: &[u8; LENGTH]) -> Option<Self> {
        let find = |guid: &Uuid| {
            sector.windows(16).position(|window| *window == guid.to_bytes_le()).map(|place| place + 16)
        };
        let offsets = |at: usize| {
            let at = |n: usize| u64_at(sector, at + n * 8);
            Some([Some(at(0)?), Some(at(1)?), Some(at(2)?)])
        };
        let own_name = sector[3..11] == SIGNATURE;
        let bytes_per_sector = u16::from_le_bytes([sector[0x0b], sector[0x0c]]);
        let sectors_per_cluster = sector[0x0d];
        let (kind, metadata, conversion) = if let Some(at) = find(&CONVERTING) {
            (Kind::Converting, offsets(at)?, Some([u64_at(sector, at + 24)?, u64_at(sector, at + 32)?]))
        } else if let Some(at) = find(&VOLUME) {
            (if own_name { Kind::Standard } else { Kind::ToGo }, offsets(at)?, None)
        } else if own_name {
            let cluster = u64::from(bytes_per_sector) * u64::from(sectors_per_cluster);
            (Kind::Vista, [u64_at(sector, 0x38)?.checked_mul(cluster), None, None], None)
        } else {
            return None;
        };
        Some(Self { kind, bytes_per_sector, sectors_per_cluster, metadata, conversion })
    }

    /// Writes the fields of a standard boot sector over zeros.
    ///
    /// There is no boot code: no reader uses it, and an encrypted drive cannot start from it.
    pub fn standard(bytes_per_sector: u16, sectors_per_cluster: u8, metadata: [u64; 3]) -> [u8; LENGTH] {
        let mut sector = [0; LENGTH];
        let mut put = |at: usize, bytes: &[u8]| sector[at..at + bytes.len()].copy_from_slice(bytes);
        put(0x00, &[0xeb, 0x58, 0x90]);
        put(0x03, &SIGNATURE);
        put(0x0b, &bytes_per_sector.to_le_bytes());
        put(0x0d, &[sectors_per_cluster]);
        put(0x15, &[0xf8]);
        put(0x18, &[0x3f, 0, 0xff, 0]);
        put(0x24, &[0xe0, 0x1f]);
        put(0x30, &[1, 0, 6, 0]);
        put(0x40, &[0x80, 0, 0x29]);
        put(0x47, b"NO NAME    FAT32   ");
        put(STANDARD_GUID_AT, &VOLUME.to_bytes_le());
        put(STANDARD_GUID_AT + 16, &le_bytes(metadata));
        put(0x1fe, &[0x55, 0xaa]);
        sector
    }

    /// Writes the fields of a volume in conversion, whose descriptors lie at `conversion`, over zeros.
    pub fn converting(
        bytes_per_sector: u16,
        sectors_per_cluster: u8,
        metadata: [u64; 3],
        conversion: [u64; 2],
    ) -> [u8; LENGTH] {
        let mut sector = Self::standard(bytes_per_sector, sectors_per_cluster, metadata);
        let mut put = |at: usize, bytes: &[u8]| sector[at..at + bytes.len()].copy_from_slice(bytes);
        put(STANDARD_GUID_AT, &CONVERTING.to_bytes_le());
        put(STANDARD_GUID_AT + 16 + 24, &le_bytes(conversion));
        sector
    }

    /// Writes the To Go fields into the FAT32 boot sector of a discovery volume.
    pub fn to_go(discovery: &[u8; LENGTH], metadata: [u64; 3]) -> [u8; LENGTH] {
        let mut sector = *discovery;
        let mut put = |at: usize, bytes: &[u8]| sector[at..at + bytes.len()].copy_from_slice(bytes);
        put(0x03, b"MSWIN4.1");
        put(TO_GO_GUID_AT - 16, &TO_GO.to_bytes_le());
        put(TO_GO_GUID_AT, &VOLUME.to_bytes_le());
        put(TO_GO_GUID_AT + 16, &le_bytes(metadata));
        put(0x1d0, b"rSvD\x02\0\0\0\0\0");
        put(0x1fe, &[0x55, 0xaa]);
        sector
    }
}

fn le_bytes<const N: usize>(offsets: [u64; N]) -> Vec<u8> {
    offsets.iter().flat_map(|offset| offset.to_le_bytes()).collect()
}

fn u64_at(sector: &[u8], at: usize) -> Option<u64> {
    sector.get(at..)?.first_chunk().copied().map(u64::from_le_bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PLACES: [u64; 3] = [0x210_0000, 0x2c1_d000, 0x373_a000];

    #[test]
    fn what_is_written_is_read() {
        let standard = BootSector::parse(&BootSector::standard(512, 8, PLACES)).expect("a signature");
        assert_eq!(
            standard,
            BootSector {
                kind: Kind::Standard,
                bytes_per_sector: 512,
                sectors_per_cluster: 8,
                metadata: PLACES.map(Some),
                conversion: None
            }
        );
        let converting = BootSector::parse(&BootSector::converting(512, 8, PLACES, [7, 8]));
        assert_eq!(
            converting,
            Some(BootSector { kind: Kind::Converting, conversion: Some([7, 8]), ..standard })
        );
        let to_go = BootSector::parse(&BootSector::to_go(&[0; LENGTH], PLACES)).expect("a signature");
        assert_eq!((to_go.kind, to_go.metadata), (Kind::ToGo, PLACES.map(Some)));
    }

    #[test]
    fn vista_says_only_where_the_first_copy_is() {
        let mut sector = [0; LENGTH];
        sector[3..11].copy_from_slice(&SIGNATURE);
        sector[0x0b..0x0e].copy_from_slice(&[0, 2, 8]);
        sector[0x38] = 3;
        let boot = BootSector::parse(&sector).expect("a signature");
        assert_eq!((boot.kind, boot.metadata), (Kind::Vista, [Some(3 * 4096), None, None]));
        sector[0x38..0x40].fill(0xff);
        assert_eq!(BootSector::parse(&sector).expect("a signature").metadata[0], None);
    }

    #[test]
    fn a_guid_at_the_very_end_has_no_room_for_offsets() {
        let mut sector = [0; LENGTH];
        sector[LENGTH - 16..].copy_from_slice(&VOLUME.to_bytes_le());
        assert_eq!(BootSector::parse(&sector), None);
    }

    proptest! {
        #[test]
        fn any_sector_is_survived(sector in prop::collection::vec(any::<u8>(), LENGTH)) {
            let sector: [u8; LENGTH] = sector.try_into().expect("512 bytes");
            BootSector::parse(&sector);
        }
    }
}
