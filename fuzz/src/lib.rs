//! Checksums for the targets whose parsers would otherwise turn every input away at the door.

pub mod files;

/// Puts the CRC-32 behind a metadata region's checked part, whose length its header gives.
pub fn seal_metadata(region: &mut [u8]) {
    let Some(&[size_low, size_high, version, _]) = region.get(8..12).and_then(|part| part.first_chunk())
    else {
        return;
    };
    let size = usize::from(u16::from_le_bytes([size_low, size_high]));
    let size = if version == 1 { size } else { size << 4 };
    if let Some((checked, validation)) = region.split_at_mut_checked(size)
        && let Some(place) = validation.get_mut(4..8)
    {
        place.copy_from_slice(&crc32fast::hash(checked).to_le_bytes());
    }
}

/// Puts the CRC-32 of `bytes` at `place` in them, computed with zeros there.
pub fn seal(bytes: &mut [u8], place: usize) {
    if bytes.len() < place + 4 {
        return;
    }
    bytes[place..place + 4].fill(0);
    let checksum = crc32fast::hash(bytes);
    bytes[place..place + 4].copy_from_slice(&checksum.to_le_bytes());
}

/// Reads a number of four bytes, 0 when it is not there.
pub fn u32_at(bytes: &[u8], place: usize) -> usize {
    let number =
        bytes.get(place..).and_then(|rest| rest.first_chunk()).copied().map_or(0, u32::from_le_bytes);
    number as usize
}

/// Makes the checksums of a GPT right: that of the entries, then that of the header in the second sector.
pub fn seal_gpt(disk: &mut [u8]) {
    const HEADER_AT: usize = 0x200;
    let Some(header) = disk.get(HEADER_AT..HEADER_AT + 92) else { return };
    let size = u32_at(header, 0x0c).min(512);
    let start = u32_at(header, 0x48).saturating_mul(512);
    let length = u32_at(header, 0x50).saturating_mul(u32_at(header, 0x54));
    if let Some(entries) = disk.get(start..start.saturating_add(length)) {
        let checksum = crc32fast::hash(entries).to_le_bytes();
        disk[HEADER_AT + 0x58..HEADER_AT + 0x5c].copy_from_slice(&checksum);
    }
    if let Some(header) = disk.get_mut(HEADER_AT..HEADER_AT + size) {
        seal(header, 0x10);
    }
}
