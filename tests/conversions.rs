//! Conversions that were cut off: whatever a view shows is right, or it shows an error.

use std::sync::Arc;

use fve::conversion::bitmap::Bitmap;
use fve::datum::Body;
use fve::{Direction, Error, Key, Method, ReadAt, SectorSize, Volume};
use fve_crypto::SectorCipher;
use lastkey_tests::conversion::{CHUNK, Converter, LAYOUT, SIZE, Write, apply, key, volume};
use lastkey_tests::metadata::{self, bytes, changed};
use lastkey_tests::overlay::{Numbers, Overlay};
use lastkey_tests::{Image, real_drives};
use recovery_key::Secret;

const SIZES: [SectorSize; 2] = [SectorSize::B512, SectorSize::B4096];

/// Reads what was cut off; returns how many of the sectors in `from..to` were refused.
///
/// Panics when anything that is read differs from `plain`.
fn check(drive: &[u8], plain: &[u8], sector: usize, from: u64, to: u64, what: &str) -> usize {
    let volume = Volume::open(Arc::new(drive.to_vec())).unwrap_or_else(|e| panic!("{what}: {e}"));
    let unlocked = volume.unlock(&key()).unwrap_or_else(|e| panic!("{what}: {e}"));
    let view = unlocked.view().unwrap_or_else(|e| panic!("{what}: {e}"));
    let (start, end) = (from as usize, to as usize);
    let mut all = vec![0; end - start];
    if view.read_at(from, &mut all).is_ok() {
        assert!(all == plain[start..end], "{what}: wrong bytes in {from:#x}..{to:#x}");
        return 0;
    }
    let mut refused = 0;
    for at in (start..end).step_by(sector) {
        let mut bytes = vec![0; sector];
        match view.read_at(at as u64, &mut bytes) {
            Ok(()) => {
                assert!(bytes == plain[at..at + sector], "{what}: wrong bytes in the sector at {at:#x}")
            }
            Err(_) => refused += 1,
        }
    }
    refused
}

fn each(mut test: impl FnMut(&Converter, &str)) {
    for method in Method::ALL {
        for size in SIZES {
            for encrypting in [true, false] {
                let way = if encrypting { "encrypting" } else { "decrypting" };
                let what = format!("{method}, sectors of {}, {way}", size.bytes());
                test(&Converter::new(method, size, encrypting), &what);
            }
        }
    }
}

/// All writes of the conversion of the first `chunks` chunks of each region, then a pause.
fn writes(converter: &Converter, bitmaps: &mut [Bitmap], chunks: u32) -> Vec<Write> {
    let mut writes = Vec::new();
    for bitmap in bitmaps {
        let mut sequence = 1;
        for bit in 0..bitmap.bits.min(chunks) {
            writes.extend(converter.convert(bitmap, bit, sequence).concat());
            sequence += 1;
        }
        writes.extend(converter.idle(bitmap, sequence));
    }
    writes
}

#[test]
fn a_conversion_cut_off_after_any_write_reads_right_to_the_last_sector() {
    each(|converter, what| {
        let (mut drive, mut bitmaps) = converter.begin();
        let writes = writes(converter, &mut bitmaps, 3);
        // Where sectors are small there are too many writes to look at the drive after each.
        let step = if converter.sector() == 512 { 41 } else { 7 };
        for (n, write) in writes.iter().enumerate() {
            if n % step == 0 {
                let refused = check(&drive, &converter.plain, converter.sector(), 0, SIZE, what);
                assert_eq!(refused, 0, "{what}, cut off after {n} writes");
            }
            apply(&mut drive, write);
        }
        assert_eq!(check(&drive, &converter.plain, converter.sector(), 0, SIZE, what), 0);
    });
}

#[test]
fn a_conversion_that_ran_to_its_end_reads_right_and_says_so() {
    each(|converter, what| {
        let (mut drive, mut bitmaps) = converter.begin();
        let before = Volume::open(Arc::new(drive.clone())).expect("a volume");
        let encrypting = before.direction() == Some(Direction::Encrypting);
        let (encrypted, total) = before.progress().expect("whole structures");
        assert_eq!(encrypted, if encrypting { 0 } else { total }, "{what}");
        writes(converter, &mut bitmaps, u32::MAX).iter().for_each(|write| apply(&mut drive, write));
        let after = Volume::open(Arc::new(drive.clone())).expect("a volume");
        let (encrypted, total) = after.progress().expect("whole structures");
        assert_eq!(encrypted, if encrypting { total } else { 0 }, "{what}");
        assert_eq!(check(&drive, &converter.plain, converter.sector(), 0, SIZE, what), 0);
    });
}

/// The chunk that the tests below cut off, in the region that begins at 0x52000.
const BIT: u32 = 3;
const START: u64 = 0x5_2000 + BIT as u64 * CHUNK as u64;
const END: u64 = START + CHUNK as u64;

/// Brings the drive to where the chunk `BIT` of the third region is next.
fn up_to_the_chunk(converter: &Converter) -> (Vec<u8>, Bitmap, u64) {
    let (mut drive, mut bitmaps) = converter.begin();
    let mut bitmap = bitmaps.swap_remove(2);
    for bit in 0..BIT {
        let writes = converter.convert(&mut bitmap, bit, u64::from(bit) + 1).concat();
        writes.iter().for_each(|write| apply(&mut drive, write));
    }
    (drive, bitmap, u64::from(BIT) + 1)
}

#[test]
fn sectors_converted_in_any_order_are_told_apart() {
    each(|converter, what| {
        let mut numbers = Numbers::new(7);
        let (drive, mut bitmap, sequence) = up_to_the_chunk(converter);
        let [record, sectors, bits] = converter.convert(&mut bitmap, BIT, sequence);
        for round in 0..12 {
            let mut drive = drive.clone();
            record.iter().for_each(|write| apply(&mut drive, write));
            let share = round * 100 / 11;
            for sector in &sectors {
                if numbers.below(100) < share {
                    apply(&mut drive, sector);
                }
            }
            if share == 100 {
                bits.iter().for_each(|write| apply(&mut drive, write));
            }
            let refused = check(&drive, &converter.plain, converter.sector(), START, END, what);
            assert_eq!(refused, 0, "{what}: {share} % converted");
        }
    });
}

#[test]
fn a_torn_record_means_an_untouched_chunk() {
    each(|converter, what| {
        let mut numbers = Numbers::new(8);
        let (drive, mut bitmap, sequence) = up_to_the_chunk(converter);
        let [record, ..] = converter.convert(&mut bitmap, BIT, sequence);
        for round in 0..12 {
            let mut drive = drive.clone();
            for write in &record {
                match numbers.below(3) {
                    0 => apply(&mut drive, write),
                    1 if round % 2 == 0 => apply(&mut drive, &(write.0, numbers.bytes(write.1.len()))),
                    _ => {}
                }
            }
            let refused = check(&drive, &converter.plain, converter.sector(), 0, SIZE, what);
            assert_eq!(refused, 0, "{what}, round {round}");
        }
    });
}

#[test]
fn what_was_written_into_a_finished_chunk_is_read_or_refused() {
    each(|converter, what| {
        let (mut drive, mut bitmap, sequence) = up_to_the_chunk(converter);
        let [record, sectors, bits] = converter.convert(&mut bitmap, BIT, sequence);
        record.iter().chain(&sectors).for_each(|write| apply(&mut drive, write));
        // A file system writes to one sector, which is stored as the chunk now is.
        let at = sectors[1].0;
        let content = vec![0x77; converter.sector()];
        let mut plain = converter.plain.clone();
        apply(&mut plain, &(at, content.clone()));
        apply(&mut drive, &converter.stored(at, content));
        // Before the bitmap says that the chunk is done, nobody can tell how that sector is stored.
        assert_eq!(check(&drive, &plain, converter.sector(), START, END, what), 1, "{what}");
        bits.iter().for_each(|write| apply(&mut drive, write));
        assert_eq!(check(&drive, &plain, converter.sector(), START, END, what), 0, "{what}");
    });
}

#[test]
fn a_destroyed_bitmap_or_log_costs_what_it_spoke_of_and_no_more() {
    each(|converter, what| {
        let mut numbers = Numbers::new(9);
        let (mut drive, mut bitmap, sequence) = up_to_the_chunk(converter);
        let [record, sectors, bits] = converter.convert(&mut bitmap, BIT, sequence);
        record.iter().chain(&sectors[..sectors.len() / 2]).for_each(|write| apply(&mut drive, write));
        let half_way = drive.clone();
        sectors.iter().chain(&bits).for_each(|write| apply(&mut drive, write));
        let done = drive.clone();
        let idle = converter.idle(&bitmap, sequence + 1);
        idle.iter().for_each(|write| apply(&mut drive, write));

        let sector = converter.sector();
        for (state, drive) in [("half way", half_way), ("done", done), ("idle", drive)] {
            let bitmap_at = bits[0].0 & !0xfff;
            for (name, at, length) in [
                ("the first record of the bitmap", bitmap_at + 0x200, 0x200),
                ("the second record of the bitmap", bitmap_at + 0x400, 0x200),
                ("both records of the bitmap", bitmap_at + 0x200, 0x400),
                ("the head of the bitmap", bitmap_at, 0x40),
                ("the log's first record", bitmap.log_at, u64::from(CHUNK) / 8),
                ("the log", bitmap.log_at, 0x1400),
            ] {
                let what = format!("{what}, {state}: {name} is destroyed");
                let mut damaged = drive.clone();
                apply(&mut damaged, &(at, numbers.bytes(length as usize)));
                // Everything in other regions is there; with the bitmap's head its log's place is lost,
                // and with that what reads as zeros.
                let others = if name == "the head of the bitmap" { 0xe_0000 } else { SIZE };
                assert_eq!(check(&damaged, &converter.plain, sector, 0, 0x5_0000, &what), 0, "{what}");
                assert_eq!(check(&damaged, &converter.plain, sector, 0xc_0000, others, &what), 0, "{what}");
                let refused = check(&damaged, &converter.plain, sector, 0x5_2000, 0xc_0000, &what);
                if name.starts_with("the first record") || name.starts_with("the second record") {
                    assert_eq!(refused, 0, "{what}: the log says the rest");
                }
            }
        }
    });
}

#[test]
fn the_idle_logs_of_a_real_drive_are_idle() {
    let Some(folder) = real_drives() else { return };
    let volume = lastkey_tests::open(&folder.join("eow_partial.bin"));
    let conversion = volume.conversion().expect("whole structures").expect("a conversion");
    assert_eq!((conversion.regions.len(), conversion.damage.len()), (6, 0));
    assert!(conversion.regions.iter().all(|region| region.in_flight.is_empty() && region.known));
    let sequences: Vec<_> = conversion.regions.iter().map(|region| region.bitmap.sequence).collect();
    assert_eq!(sequences, [7, 3, 22, 2, 2, 2]);
    let (encrypted, total) = volume.progress().expect("whole structures");
    assert_eq!((total - encrypted, total), (0xc20_2000 - 0x2000, 0x3fef_0000 - 0x2000));
    assert_eq!(volume.direction(), Some(Direction::Decrypting));
}

#[test]
fn the_last_chunks_of_a_real_drive_are_told_apart_by_its_log() {
    let Some(folder) = real_drives() else { return };
    let source = Image::open(&folder.join("eow_partial.bin")).expect("a real drive");
    let volume = Volume::open(source.clone()).expect("a volume");
    let unlocked = volume.unlock(&Key::Password(Secret::new("password12!@".to_owned()))).expect("its key");
    let view = unlocked.view().expect("a view");
    let conversion = volume.conversion().expect("whole structures").expect("a conversion");
    // Without the idle record, the log says that the chunk before it is being converted.
    for (region, chunk, idle) in [(0, 0x200_2000_u64, 0), (1, 0x220_0000, 1), (2, 0xba0_2000, 0)] {
        let region = &conversion.regions[region];
        let record = u64::from(conversion.descriptor.log_record_size);
        let idle = region.bitmap.log_at + 0x200 + record * idle;
        let drive = Overlay::new(&source).with(idle, &vec![0; record as usize]);
        // The bitmap has the chunk done; take that back as well, so that the log alone can say it.
        let mut before = region.bitmap.clone();
        let bit = (chunk - region.bitmap.start) / u64::from(conversion.descriptor.chunk);
        before.set(bit as u32, true);
        let (at, bytes) = before.record_bytes();
        for (drive, bitmap) in [(drive.clone(), "new"), (drive.with(region.bitmap_at + at, &bytes), "old")] {
            let volume = Volume::open(drive.source()).expect("a volume");
            let conversion = volume.conversion().expect("whole structures").expect("a conversion");
            let in_flight: Vec<_> = conversion.regions.iter().flat_map(|region| &region.in_flight).collect();
            assert_eq!(in_flight.iter().map(|flight| flight.offset).collect::<Vec<_>>(), [chunk]);
            let again =
                volume.unlock(&Key::Vmk(unlocked.vmk().expect("a key").duplicate())).expect("its key");
            let again = again.view().expect("a view");
            for sector in (chunk..).step_by(512).take(in_flight[0].before.len() / 16) {
                let mut read = [0; 512];
                if again.read_at(sector, &mut read).is_ok() {
                    assert!(read[..] == metadata::bytes(&view, sector, 512), "{bitmap} bitmap, {sector:#x}");
                }
            }
            // Of these chunks the published image has only the moved boot block.
            if chunk == 0x220_0000 {
                assert!(
                    metadata::bytes(&again, 0, 0x2000) == metadata::bytes(&view, 0, 0x2000),
                    "{bitmap} bitmap"
                );
            }
        }
    }
}

#[test]
fn the_structures_of_a_real_drive_are_written_as_they_were_read() {
    let Some(folder) = real_drives() else { return };
    for file in ["eow_partial.bin", "decrypted.bin"] {
        let volume = lastkey_tests::open(&folder.join(file));
        let conversion = volume.conversion().expect("whole structures").expect("a conversion");
        let is_there = |at: u64, bytes: Vec<u8>, name: &str| {
            let mut stored = vec![0; bytes.len()];
            volume.source().read_at(at, &mut stored).expect("a part of the drive");
            assert!(stored == bytes, "{file}: the {name} at {at:#x}");
        };
        for place in conversion.descriptor.places {
            is_there(place, conversion.descriptor.to_bytes(), "descriptor");
        }
        for region in &conversion.regions {
            is_there(region.bitmap_at, region.bitmap.header_bytes(), "bitmap's header");
            let (at, bytes) = region.bitmap.record_bytes();
            is_there(region.bitmap_at + at, bytes, "bitmap's record");
        }
    }
}

/// The older way: up to a watermark the volume is encrypted, behind it is not.
fn watermark(state: u16, state_size: u32, at: u64, size: SectorSize) -> (Vec<u8>, Vec<u8>) {
    let (mut drive, mut plain) = volume(Method::AesXts128, size);
    let opened = Volume::open(Arc::new(drive.clone())).expect("the volume just made");
    let unlocked = opened.unlock(&key()).expect("its key");
    let region = bytes(&drive, LAYOUT.metadata[0], 0x1_0000);
    let region = changed(&region, unlocked.vmk().expect("a key"), |metadata| {
        metadata.information.state = state.into();
        metadata.information.state_offset = at.into();
        metadata.information.state_size = state_size.into();
    });
    drive[at as usize..].copy_from_slice(&plain[at as usize..]);
    for place in LAYOUT.metadata {
        plain[place as usize..][..0x1_0000].fill(0);
        apply(&mut drive, &(place, region.clone()));
    }
    plain[LAYOUT.boot_copy as usize..][..0x2000].fill(0);
    (drive, plain)
}

#[test]
fn the_older_conversions_read_right_on_both_sides_of_the_watermark() {
    for size in SIZES {
        for state in [3, 4, 5] {
            let (drive, plain) = watermark(state, 0, 0xa_0000, size);
            let what = format!("state {state}, sectors of {}", size.bytes());
            assert_eq!(check(&drive, &plain, size.bytes(), 0, SIZE, &what), 0, "{what}");
        }
    }
}

#[test]
fn what_an_older_conversion_has_in_its_log_is_refused() {
    for size in SIZES {
        let (drive, plain) = watermark(2, 0x4000, 0xa_0000, size);
        assert_eq!(check(&drive, &plain, size.bytes(), 0, 0xa_0000, "before the log"), 0);
        let all = 0x4000 / size.bytes();
        assert_eq!(check(&drive, &plain, size.bytes(), 0xa_0000, 0xa_4000, "in the log"), all);
        assert_eq!(check(&drive, &plain, size.bytes(), 0xa_4000, SIZE, "behind the log"), 0);
    }
}

#[test]
fn an_unknown_state_and_a_border_inside_a_sector_are_refused() {
    for (state, at) in [(6, 0xa_0000), (3, 0xa_0100)] {
        let (drive, _) = watermark(state, 0, at, SectorSize::B512);
        let opened = Volume::open(Arc::new(drive)).expect("a volume");
        let unlocked = opened.unlock(&key()).expect("its key");
        assert!(matches!(unlocked.view().map(|_| ()), Err(Error::Geometry { .. })), "state {state}");
    }
}

/// Vista's form: the boot sector patched in place, the first 8 KiB in clear, smaller metadata.
#[test]
fn vistas_conversions_read_right() {
    for (state, watermark) in [(4, 0), (3, 0xa_0000), (5, 0xa_0000)] {
        let method = Method::AesCbc128Diffuser;
        let (made, mut plain) = volume(method, SectorSize::B512);
        let opened = Volume::open(Arc::new(made.clone())).expect("the volume just made");
        let unlocked = opened.unlock(&key()).expect("its key");
        let cipher = SectorCipher::new(method, unlocked.fvek().expect("a key").expose(), SectorSize::B512);
        let region = bytes(&made, LAYOUT.metadata[0], 0x1_0000);
        let region = changed(&region, unlocked.vmk().expect("a key"), |metadata| {
            metadata.information.version = 1.into();
            metadata.information.state = state.into();
            metadata.information.state_offset = watermark.into();
            metadata.information.relocated_sectors = 0.into();
            metadata.information.boot_copy = 0x1234.into();
            metadata.datums.retain(|datum| !matches!(datum.body, Body::Virtualization { .. }));
        });
        plain[0x0b..0x0e].copy_from_slice(&[0, 2, 8]);
        plain[0x38..0x40].copy_from_slice(&0x1234_u64.to_le_bytes());
        let mut drive = plain.clone();
        cipher.expect("its own key").encrypt(0, &mut drive);
        drive[..0x2000].copy_from_slice(&plain[..0x2000]);
        drive[3..11].copy_from_slice(b"-FVE-FS-");
        drive[0x38..0x40].copy_from_slice(&(LAYOUT.metadata[0] / 0x1000).to_le_bytes());
        if watermark != 0 {
            drive[watermark as usize..].copy_from_slice(&plain[watermark as usize..]);
        }
        for place in LAYOUT.metadata {
            plain[place as usize..][..0x4000].fill(0);
            apply(&mut drive, &(place, region.clone()));
        }
        let what = format!("Vista, state {state}");
        assert_eq!(check(&drive, &plain, 512, 0, SIZE, &what), 0, "{what}");
    }
}
