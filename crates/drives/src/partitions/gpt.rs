//! The partition table of UEFI: a header in the second sector with its entries behind it, and a copy of
//! both at the end of the disk.
//!
//! | offset | bytes | what (UEFI specification, 5.3) |
//! |---|---|---|
//! | 0 | 8 | `EFI PART` |
//! | 12 | 4 | bytes in the header, 92 or more |
//! | 16 | 4 | CRC-32 of the header with this field 0 |
//! | 24 | 8 | sector of this header |
//! | 32 | 8 | sector of the other header |
//! | 72 | 8 | first sector of the entries |
//! | 80 | 4 | number of entries |
//! | 84 | 4 | bytes in an entry, 128 × a power of two |
//! | 88 | 4 | CRC-32 of the entries |
//!
//! An entry is kind GUID 16, partition GUID 16, first sector u64, last sector u64, flags u64, name
//! 36 × UTF-16. A GUID of zeros marks an unused one.

use fve::ReadAt;

use super::Partition;

/// Windows makes 128; a table that claims more than this is not believed.
const MOST_ENTRIES: u32 = 1024;
const LARGEST_ENTRY: u32 = 4096;

/// What a header says, its own checksum found right.
#[derive(Clone, Copy, Debug)]
pub struct Header {
    place: u64,
    other: u64,
    entries_at: u64,
    count: u32,
    entry_size: u32,
    crc: u32,
}

/// Returns the header that `bytes` start with.
pub fn header(bytes: &[u8]) -> Option<Header> {
    let u32_at = |at: usize| Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?));
    let u64_at = |at: usize| Some(u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?));
    bytes.starts_with(b"EFI PART").then_some(())?;
    let length = usize::try_from(u32_at(12)?).ok().filter(|length| (92..=512).contains(length))?;
    let mut checked = bytes.get(..length)?.to_vec();
    checked.get_mut(16..20)?.fill(0);
    (crc32fast::hash(&checked) == u32_at(16)?).then_some(())?;
    Some(Header {
        place: u64_at(24)?,
        other: u64_at(32)?,
        entries_at: u64_at(72)?,
        count: u32_at(80)?,
        entry_size: u32_at(84)?,
        crc: u32_at(88)?,
    })
}

/// Returns the partitions of the first copy of the table that is whole.
pub fn partitions(disk: &(impl ReadAt + ?Sized)) -> Vec<Partition> {
    [512, 4096].into_iter().find_map(|sector| whole_copy(disk, sector)).unwrap_or_default()
}

fn whole_copy(disk: &(impl ReadAt + ?Sized), sector: u64) -> Option<Vec<Partition>> {
    let first = header_at(disk, sector, 1);
    let at_end = (disk.size() / sector).checked_sub(1).and_then(|last| header_at(disk, sector, last));
    // Where the image has grown or the disk is larger than the table, only the first header tells.
    let told = || first.and_then(|header| header_at(disk, sector, header.other));
    let copies = [first, at_end].into_iter().chain(std::iter::once_with(told)).flatten();
    copies.filter_map(|header| entries(disk, sector, header)).next()
}

fn header_at(disk: &(impl ReadAt + ?Sized), sector: u64, place: u64) -> Option<Header> {
    let mut bytes = [0; 512];
    disk.read_at(place.checked_mul(sector)?, &mut bytes).ok()?;
    header(&bytes).filter(|header| header.place == place)
}

fn entries(disk: &(impl ReadAt + ?Sized), sector: u64, header: Header) -> Option<Vec<Partition>> {
    let Header { count, entry_size, .. } = header;
    let believable = (1..=MOST_ENTRIES).contains(&count)
        && (128..=LARGEST_ENTRY).contains(&entry_size)
        && entry_size.is_power_of_two();
    if !believable {
        return None;
    }
    let entry_size = usize::try_from(entry_size).ok()?;
    let mut bytes = vec![0; usize::try_from(count).ok()? * entry_size];
    disk.read_at(header.entries_at.checked_mul(sector)?, &mut bytes).ok()?;
    (crc32fast::hash(&bytes) == header.crc).then_some(())?;
    let entries = (1..).zip(bytes.chunks_exact(entry_size));
    Some(entries.filter_map(|(index, bytes)| entry(index, bytes, sector, disk.size())).collect())
}

fn entry(index: u32, bytes: &[u8], sector: u64, disk: u64) -> Option<Partition> {
    let (kind, rest) = bytes.split_first_chunk::<16>()?;
    (*kind != [0; 16]).then_some(())?;
    let first = u64::from_le_bytes(*rest.get(16..)?.first_chunk()?);
    let last = u64::from_le_bytes(*rest.get(24..)?.first_chunk()?);
    let count = last.checked_sub(first)?.checked_add(1)?;
    let units = rest.get(40..112)?.as_chunks().0.iter().map(|&unit| u16::from_le_bytes(unit));
    let name: String = char::decode_utf16(units.take_while(|&unit| unit != 0))
        .map(|char| char.unwrap_or(char::REPLACEMENT_CHARACTER))
        .map(|char| if char.is_control() { char::REPLACEMENT_CHARACTER } else { char })
        .collect();
    let partition = Partition::new(index, first, count, sector, disk)?;
    Some(Partition { kind: kind_name(kind), name: Some(name).filter(|name| !name.is_empty()), ..partition })
}

/// Names a kind by its GUID, which lies in the bytes with its first three fields turned round.
fn kind_name(guid: &[u8; 16]) -> String {
    let value = u128::from_be_bytes([
        guid[3], guid[2], guid[1], guid[0], guid[5], guid[4], guid[7], guid[6], guid[8], guid[9], guid[10],
        guid[11], guid[12], guid[13], guid[14], guid[15],
    ]);
    let name = match value {
        0xebd0a0a2_b9e5_4433_87c0_68b6b72699c7 => "Windows data",
        0xe3c9e316_0b5c_4db8_817d_f92df00215ae => "Windows reserved",
        0xde94bba4_06d1_4d40_a16a_bfd50179d6ac => "Windows recovery",
        0x5808c8aa_7e8f_42e0_85d2_e1e90434cfb3 | 0xaf9b60a0_1431_4f62_bc68_3311714a69ad => {
            "Windows dynamic disk"
        }
        0xe75caf8f_f680_4cee_afa3_b001e56efc2d => "Windows storage space",
        0xc12a7328_f81f_11d2_ba4b_00a0c93ec93b => "EFI system",
        0x0fc63daf_8483_4772_8e79_3d69d8477de4 => "Linux",
        0x0657fd6d_a4ab_43c4_84e5_0933c84b4f4f => "Linux swap",
        0xe6d6d379_f507_44c2_a23c_238f2a3df928 => "Linux LVM",
        0xa19d880f_05fc_4d3b_a006_743f0f84911e => "Linux RAID",
        0x48465300_0000_11aa_aa11_00306543ecac => "HFS+",
        0x7c3457ef_0000_11aa_aa11_00306543ecac => "APFS",
        _ => {
            let hex = format!("{value:032x}");
            return format!(
                "GPT kind {}-{}-{}-{}-{}",
                &hex[..8],
                &hex[8..12],
                &hex[12..16],
                &hex[16..20],
                &hex[20..]
            );
        }
    };
    name.into()
}

#[cfg(test)]
mod tests {
    use super::super::partitions;
    use super::*;

    const WINDOWS_DATA: [u8; 16] =
        [0xa2, 0xa0, 0xd0, 0xeb, 0xe5, 0xb9, 0x33, 0x44, 0x87, 0xc0, 0x68, 0xb6, 0xb7, 0x26, 0x99, 0xc7];
    const SECTORS: usize = 512;

    /// Writes one copy of the table into a disk of [`SECTORS`] sectors.
    fn put(disk: &mut [u8], sector: usize, place: usize, entries_at: usize, claims: (u32, u32)) {
        let mut entries = vec![0; 128 * 128];
        for (slot, (first, last)) in [(0, (64_u64, 127_u64)), (2, (128, 255))] {
            let entry = &mut entries[slot * 128..][..128];
            entry[..16].copy_from_slice(&WINDOWS_DATA);
            entry[32..40].copy_from_slice(&first.to_le_bytes());
            entry[40..48].copy_from_slice(&last.to_le_bytes());
            for (at, unit) in "Müller".encode_utf16().enumerate() {
                entry[56 + 2 * at..][..2].copy_from_slice(&unit.to_le_bytes());
            }
        }
        let mut header = [0; 92];
        header[..8].copy_from_slice(b"EFI PART");
        header[12..16].copy_from_slice(&92u32.to_le_bytes());
        header[24..32].copy_from_slice(&(place as u64).to_le_bytes());
        header[32..40].copy_from_slice(&((SECTORS - place) as u64).to_le_bytes());
        header[72..80].copy_from_slice(&(entries_at as u64).to_le_bytes());
        header[80..84].copy_from_slice(&claims.0.to_le_bytes());
        header[84..88].copy_from_slice(&claims.1.to_le_bytes());
        header[88..92].copy_from_slice(&crc32fast::hash(&entries).to_le_bytes());
        let crc = crc32fast::hash(&header);
        header[16..20].copy_from_slice(&crc.to_le_bytes());
        disk[place * sector..][..92].copy_from_slice(&header);
        disk[entries_at * sector..][..entries.len()].copy_from_slice(&entries);
    }

    fn disk(sector: usize) -> Vec<u8> {
        let mut disk = vec![0; SECTORS * sector];
        put(&mut disk, sector, 1, 2, (128, 128));
        put(&mut disk, sector, SECTORS - 1, SECTORS - 40, (128, 128));
        disk
    }

    fn places(disk: &[u8], sector: u64) -> Vec<(u32, u64, u64)> {
        partitions(disk).into_iter().map(|p| (p.index, p.offset / sector, p.size / sector)).collect()
    }

    const FOUND: [(u32, u64, u64); 2] = [(1, 64, 64), (3, 128, 128)];

    #[test]
    fn both_sector_sizes_are_read() {
        assert_eq!(places(&disk(512), 512), FOUND);
        assert_eq!(places(&disk(4096), 4096), FOUND);
        let first = &partitions(&disk(512))[0];
        assert_eq!((first.kind.as_str(), first.name.as_deref()), ("Windows data", Some("Müller")));
    }

    #[test]
    fn either_copy_is_enough() {
        for sector in [512, 4096] {
            for damaged in [0..sector * 64, sector..sector + 1, sector * 3..sector * 3 + 1] {
                let mut disk = disk(sector);
                disk[damaged].fill(0xa5);
                assert_eq!(places(&disk, sector as u64), FOUND);
            }
            let mut disk = disk(sector);
            disk[(SECTORS - 41) * sector..].fill(0);
            assert_eq!(places(&disk, sector as u64), FOUND);
            disk[2 * sector..3 * sector].fill(0);
            assert!(partitions(&disk).is_empty());
        }
    }

    #[test]
    fn the_second_copy_is_found_inside_an_image_that_has_grown() {
        let mut disk = disk(512);
        disk[2 * 512] ^= 1;
        disk.resize(disk.len() * 2, 0);
        assert_eq!(places(&disk, 512), FOUND);
    }

    #[test]
    fn absurd_claims_are_not_believed() {
        for claims in [(u32::MAX, 128), (128, u32::MAX), (1 << 16, 1 << 16), (0, 128), (128, 0), (128, 129)] {
            let mut disk = vec![0; SECTORS * 512];
            put(&mut disk, 512, 1, 2, claims);
            assert!(partitions(&disk).is_empty());
        }
    }

    #[test]
    fn an_unknown_kind_is_shown_as_the_guid_it_is() {
        let guid = std::array::from_fn(|i| i as u8);
        assert_eq!(kind_name(&guid), "GPT kind 03020100-0504-0706-0809-0a0b0c0d0e0f");
    }
}
