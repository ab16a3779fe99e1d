//! What a drive looks like from its first bytes, to find BitLocker and to name everything else.

use std::{fmt, io};

use fve::ReadAt;

use crate::partitions::{PROTECTIVE, gpt_header, mbr_entries};

/// What the first bytes of a drive or image look like.
///
/// Only [`BitLocker`](Self::BitLocker) is a claim with consequences; the others are names for messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Signature {
    /// BitLocker: drives of Vista and later, conversions under way, To Go.
    BitLocker,
    /// An encrypted volume of Linux, first version of the format.
    Luks1,
    /// An encrypted volume of Linux, second version of the format.
    Luks2,
    /// File system of Windows.
    Ntfs,
    /// File system of memory cards.
    ExFat,
    /// FAT with 12-bit entries.
    Fat12,
    /// FAT with 16-bit entries.
    Fat16,
    /// FAT with 32-bit entries.
    Fat32,
    /// File system of Windows servers.
    ReFs,
    /// File system of Linux, without journal.
    Ext2,
    /// File system of Linux, with journal.
    Ext3,
    /// File system of Linux, with extents.
    Ext4,
    /// File system of Linux.
    Xfs,
    /// File system of Linux.
    Btrfs,
    /// File system of Macs.
    Apfs,
    /// Older file system of Macs.
    HfsPlus,
    /// File system of CDs and DVDs.
    Iso9660,
    /// A physical volume of the Linux volume manager.
    Lvm2,
    /// Swap space of Linux.
    Swap,
    /// A member of a Linux software RAID.
    MdRaid,
    /// A whole disk with an MBR partition table.
    Mbr,
    /// A whole disk with a GUID partition table.
    Gpt,
    /// Disk image of Hyper-V and Virtual PC that grows; a fixed one looks like the disk in it.
    Vhd,
    /// Disk image of Hyper-V.
    Vhdx,
    /// Disk image of VMware.
    Vmdk,
    /// Disk image of VirtualBox.
    Vdi,
    /// Disk image of QEMU.
    Qcow2,
    /// Disk image of EnCase (E01, Ex01).
    Ewf,
    /// Compressed.
    Xz,
    /// Compressed.
    Gzip,
    /// Compressed.
    Bzip2,
    /// Compressed.
    Zstd,
    /// Archive.
    Zip,
    /// Archive.
    SevenZip,
    /// Nothing but zeros in the first 68 KiB.
    Zeros,
    /// Shorter than one sector of 512 bytes.
    TooShort,
    /// None of these.
    Unknown,
}

/// Two of the GUIDs that mark a BitLocker boot sector, as they lie in it (seen on real drives):
/// 4967d63b-2e29-4ad8-8399-f6a339e3d001, and 92a84d3b-dd80-4d0e-9e4e-b1e3284eaed8 while a conversion
/// is under way and after it.
const BITLOCKER_GUIDS: [[u8; 16]; 2] = [
    [0x3b, 0xd6, 0x67, 0x49, 0x29, 0x2e, 0xd8, 0x4a, 0x83, 0x99, 0xf6, 0xa3, 0x39, 0xe3, 0xd0, 0x01],
    [0x3b, 0x4d, 0xa8, 0x92, 0x80, 0xdd, 0x0e, 0x4d, 0x9e, 0x4e, 0xb1, 0xe3, 0x28, 0x4e, 0xae, 0xd8],
];

/// The last signature looked for is that of btrfs, at 64 KiB + 64.
const LOOKED_AT: u64 = 68 << 10;
const SECTOR: usize = 512;

/// Returns what `source` looks like from its first 68 KiB and, for some RAID members, its last 128.
///
/// # Errors
/// Only when the first sector cannot be read; a bad one further on hides what lies there.
pub fn signature(source: &(impl ReadAt + ?Sized)) -> io::Result<Signature> {
    let length = source.size().min(LOOKED_AT);
    let mut bytes = vec![0; usize::try_from(length).map_err(io::Error::other)?];
    if bytes.len() < SECTOR {
        return Ok(Signature::TooShort);
    }
    if source.read_at(0, &mut bytes).is_err() {
        bytes.truncate(SECTOR);
        source.read_at(0, &mut bytes)?;
    }
    let signature = in_first_sector(&bytes).or_else(|| beyond(&bytes)).or_else(|| raid_at_end(source));
    Ok(signature.unwrap_or_else(|| {
        if bytes.iter().all(|&byte| byte == 0) { Signature::Zeros } else { Signature::Unknown }
    }))
}

/// Returns whether a first sector is that of a BitLocker volume.
pub(crate) fn is_bitlocker(sector: &[u8]) -> bool {
    let sector = sector.get(..SECTOR).unwrap_or(sector);
    lies_at(sector, 3, b"-FVE-FS-")
        || sector.windows(16).any(|guid| BITLOCKER_GUIDS.iter().any(|known| known == guid))
}

/// Names what owns the drive from its very first sector, where no partition table can be then.
pub(crate) fn in_first_sector(bytes: &[u8]) -> Option<Signature> {
    let starts: [(usize, &[u8], Signature); 21] = [
        (3, b"NTFS    ", Signature::Ntfs),
        (3, b"EXFAT   ", Signature::ExFat),
        (3, b"ReFS\0\0\0\0", Signature::ReFs),
        (0, b"LUKS\xba\xbe\0\x01", Signature::Luks1),
        (0, b"LUKS\xba\xbe\0\x02", Signature::Luks2),
        (0, b"XFSB", Signature::Xfs),
        (32, b"NXSB", Signature::Apfs),
        (0, b"conectix", Signature::Vhd),
        (0, b"vhdxfile", Signature::Vhdx),
        (0, b"KDMV", Signature::Vmdk),
        (0, b"# Disk DescriptorFile", Signature::Vmdk),
        (0x40, b"\x7f\x10\xda\xbe", Signature::Vdi),
        (0, b"QFI\xfb", Signature::Qcow2),
        (0, b"EVF\x09\x0d\x0a\xff\x00", Signature::Ewf),
        (0, b"EVF2\x0d\x0a\x81\x00", Signature::Ewf),
        (0, b"\xfd7zXZ\0", Signature::Xz),
        (0, b"\x28\xb5\x2f\xfd", Signature::Zstd),
        (0, b"\x1f\x8b\x08", Signature::Gzip),
        (4, b"1AY&SY", Signature::Bzip2),
        (0, b"PK\x03\x04", Signature::Zip),
        (0, b"7z\xbc\xaf\x27\x1c", Signature::SevenZip),
    ];
    if is_bitlocker(bytes) {
        return Some(Signature::BitLocker);
    }
    let named = starts.iter().find(|(offset, magic, _)| lies_at(bytes, *offset, magic));
    named.map(|(.., signature)| *signature)
}

/// Names what shows itself further on; partition tables first, as stale file systems survive below them.
fn beyond(bytes: &[u8]) -> Option<Signature> {
    if let Some(table) = mbr_entries(bytes) {
        let protective = table.iter().any(|entry| entry.kind == PROTECTIVE);
        return Some(if protective { Signature::Gpt } else { Signature::Mbr });
    }
    if let Some(fat) = fat(bytes) {
        return Some(fat);
    }
    if [512, 4096].into_iter().any(|sector| bytes.get(sector..).and_then(gpt_header).is_some()) {
        return Some(Signature::Gpt);
    }
    let lvm = |sector: usize| {
        lies_at(bytes, sector * SECTOR, b"LABELONE") && lies_at(bytes, sector * SECTOR + 24, b"LVM2 001")
    };
    // Swap space ends its first page so; a page is 4 KiB on PCs, up to 64 KiB elsewhere.
    let swap = |page: usize| lies_at(bytes, page - 10, b"SWAPSPACE2");
    let found = |is: bool, signature| is.then_some(signature);
    found((0..4).any(lvm), Signature::Lvm2)
        .or(found([0, 4096].into_iter().any(|at| lies_at(bytes, at, &MD_MAGIC)), Signature::MdRaid))
        .or(found(lies_at(bytes, 0x1_0040, b"_BHRfS_M"), Signature::Btrfs))
        .or_else(|| ext(bytes))
        .or(found(lies_at(bytes, 1024, b"H+\0\x04") || lies_at(bytes, 1024, b"HX\0\x05"), Signature::HfsPlus))
        .or(found(lies_at(bytes, 0x8001, b"CD001"), Signature::Iso9660))
        .or(found([4096, 8192, 16384, 65536].into_iter().any(swap), Signature::Swap))
}

/// A FAT boot sector has no magic of its own: it is known by numbers that make sense together.
pub(crate) fn fat(bytes: &[u8]) -> Option<Signature> {
    let per_sector = u32::from(u16_at(bytes, 11)?);
    let per_cluster = u32::from(*bytes.get(13)?);
    let reserved = u32::from(u16_at(bytes, 14)?);
    let tables = u32::from(*bytes.get(16)?);
    let roots = u32::from(u16_at(bytes, 17)?);
    let sectors = Some(u32::from(u16_at(bytes, 19)?)).filter(|&n| n != 0).or(u32_at(bytes, 32))?;
    let short_table = u32::from(u16_at(bytes, 22)?);
    let table = Some(short_table).filter(|&n| n != 0).or(u32_at(bytes, 36))?;
    let sensible = matches!(bytes.first(), Some(0xeb | 0xe9))
        && (512..=4096).contains(&per_sector)
        && per_sector.is_power_of_two()
        && per_cluster.is_power_of_two()
        && reserved != 0
        && (1..=2).contains(&tables)
        && *bytes.get(21)? >= 0xf0
        && table != 0;
    if !sensible {
        return None;
    }
    let overhead = u64::from(reserved) + u64::from(tables) * u64::from(table);
    let root = u64::from(roots * 32).div_ceil(u64::from(per_sector));
    let clusters = u64::from(sectors).checked_sub(overhead + root)? / u64::from(per_cluster);
    Some(match clusters {
        _ if short_table == 0 => Signature::Fat32,
        // The two limits are Microsoft's.
        0..4085 => Signature::Fat12,
        4085.. => Signature::Fat16,
    })
}

fn ext(bytes: &[u8]) -> Option<Signature> {
    const HAS_JOURNAL: u32 = 0x4;
    // Extents, 64-bit, flexible groups; huge files, group checksums, many links, large inodes, metadata checksums.
    const EXT4: (u32, u32) = (0x40 | 0x80 | 0x200, 0x8 | 0x10 | 0x20 | 0x40 | 0x400);
    lies_at(bytes, 0x438, &0xef53_u16.to_le_bytes()).then_some(())?;
    let (compatible, incompatible, read_only) =
        (u32_at(bytes, 0x45c)?, u32_at(bytes, 0x460)?, u32_at(bytes, 0x464)?);
    Some(if incompatible & EXT4.0 != 0 || read_only & EXT4.1 != 0 {
        Signature::Ext4
    } else if compatible & HAS_JOURNAL != 0 {
        Signature::Ext3
    } else {
        Signature::Ext2
    })
}

const MD_MAGIC: [u8; 4] = 0xa92b_4efc_u32.to_le_bytes();

/// Two of the four places of an md superblock are near the end, where a file system in front hides them.
fn raid_at_end(source: &(impl ReadAt + ?Sized)) -> Option<Signature> {
    let size = source.size();
    let old = (size & !0xffff).checked_sub(0x1_0000)?;
    let new = (size & !0x1ff).checked_sub(0x2000)? & !0xfff;
    let mut magic = [0; 4];
    let found = [old, new].into_iter().any(|at| source.read_at(at, &mut magic).is_ok() && magic == MD_MAGIC);
    found.then_some(Signature::MdRaid)
}

fn lies_at(bytes: &[u8], offset: usize, magic: &[u8]) -> bool {
    bytes.get(offset..).is_some_and(|rest| rest.starts_with(magic))
}

fn u16_at(bytes: &[u8], offset: usize) -> Option<u16> {
    Some(u16::from_le_bytes(*bytes.get(offset..)?.first_chunk()?))
}

fn u32_at(bytes: &[u8], offset: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(offset..)?.first_chunk()?))
}

impl Signature {
    /// Returns what a person can do to get at a drive inside, when this is only a wrapping of one.
    pub fn advice(self) -> Option<&'static str> {
        match self {
            Self::Vhd | Self::Vhdx | Self::Vmdk | Self::Vdi | Self::Qcow2 => {
                Some("convert it to raw first: qemu-img convert -O raw IMAGE IMAGE.raw")
            }
            Self::Ewf => Some("convert it to raw first: ewfexport -f raw IMAGE"),
            Self::Xz | Self::Gzip | Self::Bzip2 | Self::Zstd | Self::Zip | Self::SevenZip => {
                Some("unpack it first")
            }
            Self::Mbr | Self::Gpt => Some("name one of its partitions"),
            _ => None,
        }
    }
}

/// Names it with its article, to stand after "this is".
impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BitLocker => "a BitLocker drive",
            Self::Luks1 => "a LUKS1 encrypted drive",
            Self::Luks2 => "a LUKS2 encrypted drive",
            Self::Ntfs => "an NTFS file system",
            Self::ExFat => "an exFAT file system",
            Self::Fat12 => "a FAT12 file system",
            Self::Fat16 => "a FAT16 file system",
            Self::Fat32 => "a FAT32 file system",
            Self::ReFs => "a ReFS file system",
            Self::Ext2 => "an ext2 file system",
            Self::Ext3 => "an ext3 file system",
            Self::Ext4 => "an ext4 file system",
            Self::Xfs => "an XFS file system",
            Self::Btrfs => "a btrfs file system",
            Self::Apfs => "an APFS container",
            Self::HfsPlus => "an HFS+ file system",
            Self::Iso9660 => "an ISO 9660 file system",
            Self::Lvm2 => "an LVM2 physical volume",
            Self::Swap => "Linux swap space",
            Self::MdRaid => "a member of a Linux RAID",
            Self::Mbr => "a whole disk with an MBR partition table",
            Self::Gpt => "a whole disk with a GUID partition table",
            Self::Vhd => "a VHD disk image",
            Self::Vhdx => "a VHDX disk image",
            Self::Vmdk => "a VMDK disk image",
            Self::Vdi => "a VDI disk image",
            Self::Qcow2 => "a qcow2 disk image",
            Self::Ewf => "an EnCase disk image",
            Self::Xz => "an xz compressed file",
            Self::Gzip => "a gzip compressed file",
            Self::Bzip2 => "a bzip2 compressed file",
            Self::Zstd => "a Zstandard compressed file",
            Self::Zip => "a ZIP archive",
            Self::SevenZip => "a 7z archive",
            Self::Zeros => "all zeros where a drive begins",
            Self::TooShort => "too short to be a drive",
            Self::Unknown => "nothing that is known here",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(bytes: &[u8]) -> Signature {
        signature(bytes).expect("memory can be read")
    }

    #[test]
    fn both_guids_count_wherever_they_lie_in_the_first_sector() {
        for guid in BITLOCKER_GUIDS {
            for offset in [0xa0, 0x1a8, 512 - 16] {
                let mut disk = vec![0; 8192];
                disk[offset..offset + 16].copy_from_slice(&guid);
                assert_eq!(of(&disk), Signature::BitLocker);
            }
            let mut disk = vec![0; 8192];
            disk[600..616].copy_from_slice(&guid);
            assert_eq!(of(&disk), Signature::Unknown);
        }
    }

    #[test]
    fn the_oem_name_alone_is_enough() {
        let mut disk = vec![0; 512];
        disk[3..11].copy_from_slice(b"-FVE-FS-");
        assert_eq!(of(&disk), Signature::BitLocker);
    }

    #[test]
    fn nothing_there_has_its_own_names() {
        assert_eq!(of(&[]), Signature::TooShort);
        assert_eq!(of(&[1; 511]), Signature::TooShort);
        assert_eq!(of(&[0; 512]), Signature::Zeros);
        assert_eq!(of(&[0; 1 << 20]), Signature::Zeros);
        assert_eq!(of(&[9; 1 << 20]), Signature::Unknown);
    }

    #[test]
    fn a_raid_superblock_at_the_end_is_found() {
        for at in [(1 << 20) - 0x1_0000, (1 << 20) - 0x2000] {
            let mut disk = vec![0; 1 << 20];
            disk[at..at + 4].copy_from_slice(&MD_MAGIC);
            assert_eq!(of(&disk), Signature::MdRaid);
        }
    }

    #[test]
    fn a_bad_sector_behind_the_first_hides_only_what_lies_there() {
        struct Dying;
        impl ReadAt for Dying {
            fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
                let end = offset + buf.len() as u64;
                if end > 512 {
                    Err(io::Error::other("bad sector"))
                } else {
                    b"-FVE-FS-".repeat(64).read_at(5, &mut buf[..500])
                }
            }
            fn size(&self) -> u64 {
                1 << 30
            }
        }
        assert_eq!(signature(&Dying).expect("the first sector"), Signature::BitLocker);
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_have_a_signature(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..2048)) {
            let _ = of(&bytes).to_string();
        }
    }
}
