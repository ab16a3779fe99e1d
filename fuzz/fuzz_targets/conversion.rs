//! The structures of a running conversion, with right checksums: geometry, then a bitmap, then a log.

#![no_main]

use fve::conversion::Conversion;
use fve::conversion::descriptor::Descriptor;
use lastkey_fuzz::{seal, u32_at};
use libfuzzer_sys::fuzz_target;

const GEOMETRY: usize = 16;
const BITMAP_AT: usize = 0x1000;
const LOG_AT: usize = 0x2000;

fuzz_target!(|bytes: &[u8]| {
    let Some((geometry, rest)) = bytes.split_at_checked(GEOMETRY) else { return };
    let descriptor = Descriptor {
        size: 0x200,
        sector: u32_at(geometry, 0) as u32,
        chunk: u32_at(geometry, 4) as u32,
        log_size: u32_at(geometry, 8) as u32,
        log_record_size: u32_at(geometry, 12) as u32,
        places: [0, 0],
        bitmaps: vec![BITMAP_AT as u64],
    };
    let mut drive = descriptor.to_bytes();
    drive.resize(BITMAP_AT, 0);
    drive.extend_from_slice(rest);
    seal_bitmap(&mut drive[BITMAP_AT..]);
    if let Some(log) = drive.get_mut(LOG_AT + 0x200..) {
        log.chunks_mut(descriptor.log_record_size.max(1) as usize).take(2).for_each(seal_record);
    }
    if let Ok(conversion) = Conversion::read(&drive, [0, 0]) {
        let (encrypted, total) = conversion.progress();
        assert!(encrypted <= total, "{encrypted} of {total} bytes are encrypted");
        let _ = conversion.areas(512);
    }
});

/// A bitmap has a checksum in its header and in each of its two records.
fn seal_bitmap(bitmap: &mut [u8]) {
    let size = u32_at(bitmap, 0x0c).min(bitmap.len());
    let bitmap = &mut bitmap[..size];
    for at in [u32_at(bitmap, 0x2c), u32_at(bitmap, 0x30)] {
        if let Some(record) = bitmap.get_mut(at..) {
            let size = u32_at(record, 0x0c).min(record.len());
            seal(&mut record[..size], 0x20);
        }
    }
    let first = u32_at(bitmap, 0x2c).min(bitmap.len());
    seal(&mut bitmap[..first], 0x38);
}

/// A record of the log: its header, 0x200 bytes with the checksums at 0x18 and 0x1c, then its body.
fn seal_record(record: &mut [u8]) {
    let Some((header, body)) = record.split_at_mut_checked(0x200) else { return };
    if let Some(body) = body.get(..u32_at(header, 0x14)) {
        header[0x18..0x1c].copy_from_slice(&crc32fast::hash(body).to_le_bytes());
    }
    let checksum = crc32fast::hash(&header[..0x1c]);
    header[0x1c..0x20].copy_from_slice(&checksum.to_le_bytes());
}
