//! Drives made to do harm: their checksums are right, their numbers are not. Everything that can be
//! asked of them must end, in an answer or an error, soon and without much memory.

use std::ops::ControlFlow;
use std::sync::{Arc, OnceLock};

use fve::conversion::descriptor::Descriptor;
use fve::conversion::log::LogRecord;
use fve::metadata::Metadata;
use fve::{CreateError, FileTime, Front, Key, Method, NewVolume, ReadAt, SectorSize, Volume};
use lastkey_tests::conversion::{Converter, LAYOUT, SIZE, apply, key};
use lastkey_tests::metadata::{bytes, changed};
use lastkey_tests::overlay::Memory;
use proptest::prelude::*;
use recovery_key::Secret;

/// A structure on the drive whose fields are changed.
#[derive(Clone, Copy, Debug)]
enum Structure {
    BootSector,
    Information,
    Datums,
    Descriptor,
    Bitmap,
    BitmapRecord,
    Log,
}

/// A change of one field.
#[derive(Clone, Debug)]
struct Change {
    structure: Structure,
    at: usize,
    bytes: Vec<u8>,
}

fn changes() -> impl Strategy<Value = Vec<Change>> {
    use Structure::*;
    let structure =
        prop::sample::select(vec![BootSector, Information, Datums, Descriptor, Bitmap, BitmapRecord, Log]);
    // Numbers that are on the edge of something: nothing, everything, the drive's end, an area's.
    let number = prop_oneof![
        prop::sample::select(vec![0, 1, 2, 7, 15, 16, 511, 512, 513, 4096, 0x7fff, 0xffff]),
        prop::sample::select(vec![SIZE, SIZE - 1, SIZE + 1, 0x5_0000, 0x5_1000, 0x2000, 0xe_0000]),
        prop::sample::select(vec![u64::MAX, u64::MAX - 511, u64::MAX - 0xffff, 1 << 63, 1 << 32, 1 << 31]),
        any::<u64>(),
    ];
    let width = prop::sample::select(vec![1_usize, 2, 4, 8]);
    let change = (structure, 0_usize..0x200, number, width).prop_map(|(structure, at, number, width)| {
        Change { structure, at, bytes: number.to_le_bytes()[..width].to_vec() }
    });
    prop::collection::vec(change, 1..6)
}

/// A drive in the middle of a conversion, its structures and its key.
struct Victim {
    drive: Vec<u8>,
    descriptor: Descriptor,
    vmk: Secret<[u8; 32]>,
}

fn victim() -> &'static Victim {
    static VICTIM: OnceLock<Victim> = OnceLock::new();
    VICTIM.get_or_init(|| {
        let converter = Converter::new(Method::AesXts128, SectorSize::B512, false);
        let (mut drive, mut bitmaps) = converter.begin();
        let [record, sectors, _] = converter.convert(&mut bitmaps[2], 0, 1);
        record.iter().chain(&sectors[..9]).for_each(|write| apply(&mut drive, write));
        let volume = Volume::open(Arc::new(drive.clone())).expect("a volume");
        let conversion = volume.conversion().expect("whole structures").expect("a conversion");
        let vmk = volume.unlock(&key()).expect("its key").vmk().expect("a key").duplicate();
        Victim { drive, descriptor: conversion.descriptor, vmk }
    })
}

fn put(bytes: &mut [u8], at: usize, new: &[u8]) {
    if let Some(place) = bytes.get_mut(at..at + new.len()) {
        place.copy_from_slice(new);
    }
}

fn seal(bytes: &mut [u8], at: usize) {
    put(bytes, at, &[0; 4]);
    let checksum = crc32fast::hash(bytes);
    put(bytes, at, &checksum.to_le_bytes());
}

/// Changes fields and makes every checksum right again, and the keyed hash when `keyed`.
fn attack(changes: &[Change], keyed: bool) -> Vec<u8> {
    let victim = victim();
    let mut drive = victim.drive.clone();
    let bitmap = victim.descriptor.bitmaps[2] as usize;
    let log = 0xe_a000 + 2 * 0x8000;
    for Change { structure, at, bytes } in changes {
        let (start, length) = match structure {
            Structure::BootSector => (0, 0x200),
            Structure::Information => (LAYOUT.metadata[0] as usize, 0x70),
            Structure::Datums => (LAYOUT.metadata[0] as usize + 0x70, 0x200),
            Structure::Descriptor => (victim.descriptor.places[0] as usize, victim.descriptor.size.into()),
            Structure::Bitmap => (bitmap, 0x3c),
            Structure::BitmapRecord => (bitmap + 0x400, 0x40),
            Structure::Log => (log + 0x200 + victim.descriptor.log_record_size as usize, 0x20),
        };
        put(&mut drive, start + at % length, bytes);
    }
    let descriptor = victim.descriptor.places[0] as usize;
    let size = usize::from(u16::from_le_bytes([drive[descriptor + 10], drive[descriptor + 11]]));
    seal(&mut drive[descriptor..descriptor + size], 0x24);
    seal(&mut drive[bitmap + 0x400..bitmap + 0x600], 0x20);
    seal(&mut drive[bitmap..bitmap + 0x200], 0x38);
    let record = log + 0x200 + victim.descriptor.log_record_size as usize;
    let checksum = crc32fast::hash(&drive[record..record + 0x1c]);
    put(&mut drive, record + 0x1c, &checksum.to_le_bytes());

    let place = LAYOUT.metadata[0] as usize;
    let size = usize::from(u16::from_le_bytes([drive[place + 8], drive[place + 9]])) << 4;
    if let Some(checked) = drive.get(place..place + size) {
        let checksum = crc32fast::hash(checked);
        put(&mut drive, place + size + 4, &checksum.to_le_bytes());
    }
    let mut region = bytes(&drive, place as u64, 0x1_0000);
    if keyed && let Ok(metadata) = Metadata::parse(&region) {
        let counter = metadata.dataset.next_nonce.get();
        if counter < u32::MAX {
            region = changed(&region, &victim.vmk, |_| {});
        }
    }
    for place in LAYOUT.metadata {
        put(&mut drive, place as usize, &region);
    }
    drive
}

/// Asks everything that there is to ask.
fn ask(drive: Vec<u8>) {
    let source: Arc<dyn ReadAt> = Arc::new(drive);
    if let Ok(Some(found)) = fve::scan(&*source, 0, |_| ControlFlow::Continue(())) {
        let _ = Volume::open_at(source.clone(), found.places).map(|volume| volume.conversion().is_ok());
    }
    let _ = fve::scan_conversion(&*source, 0xd_0000, |_| ControlFlow::Continue(()));
    let Ok(volume) = Volume::open(source) else { return };
    let _ = (volume.state(), volume.method(), volume.protection(), volume.expected_size());
    let _ = (volume.progress(), volume.direction(), volume.copies_differ(), volume.conversion().is_ok());
    assert!(!format!("{:?} {:?}", volume.protectors(), volume.copies()).is_empty());
    for key in [Key::None, key(), Key::Vmk(victim().vmk.duplicate())] {
        let _ = volume.prove(&key);
        let Ok(unlocked) = volume.unlock(&key) else { continue };
        let _ = (unlocked.recovery_passwords(), unlocked.external_keys(), unlocked.authentic());
        let Ok(view) = unlocked.view() else { continue };
        let _ = view.file_system();
        let size = view.size();
        let mut buf = vec![0; 0x3000];
        let places = [0, 1, 0x1fff, 0x5_0000 - 7, 0x5_2000, 0x8_0000 - 0x1000, 0xc_0000, 0xe_0000, 0xe_9fff];
        for at in places.into_iter().chain([size.wrapping_sub(0x3000), size, size - size.min(1), u64::MAX]) {
            let _ = view.read_at(at, &mut buf);
            let _ = view.read_at(at, &mut buf[..1]);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_number_on_a_drive_does_harm(changes in changes(), keyed: bool) {
        ask(attack(&changes, keyed));
        assert!(peak_memory() < 256, "{changes:x?} took {} MiB", peak_memory());
    }
}

/// Returns the most memory that this process has ever had, in MiB.
fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0) / 1024
}

#[test]
fn the_unchanged_drive_is_read() {
    let volume = Volume::open(Arc::new(attack(&[], true))).expect("a volume");
    let unlocked = volume.unlock(&key()).expect("its key");
    assert_eq!(unlocked.authentic(), Some(true));
    assert!(unlocked.view().expect("a view").file_system().is_some());
    let conversion = volume.conversion().expect("whole structures").expect("a conversion");
    assert_eq!(conversion.damage.len(), 0);
    assert!(conversion.regions.iter().any(|region| !region.in_flight.is_empty()));
}

/// A drive that says it is as large as can be, and holds what it is told at a few places.
struct Huge(Vec<(u64, Vec<u8>)>);

impl ReadAt for Huge {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> std::io::Result<()> {
        buf.fill(0);
        for (place, bytes) in &self.0 {
            let (from, to) =
                (offset.max(*place), (place + bytes.len() as u64).min(offset + buf.len() as u64));
            if from < to {
                let part = &bytes[(from - place) as usize..(to - place) as usize];
                buf[(from - offset) as usize..(to - offset) as usize].copy_from_slice(part);
            }
        }
        Ok(())
    }

    fn size(&self) -> u64 {
        u64::MAX - 511
    }
}

#[test]
fn a_drive_of_sixteen_exabytes_is_opened_like_any_other() {
    let victim = victim();
    let source: Arc<dyn ReadAt> = Arc::new(Huge(vec![(0, victim.drive.clone())]));
    let volume = Volume::open(source).expect("a volume");
    let unlocked = volume.unlock(&key()).expect("its key");
    let view = unlocked.view().expect("a view");
    assert!(view.read_at(view.size() - 3, &mut [0; 3]).is_ok());
    assert!(view.read_at(view.size() - 3, &mut [0; 4]).is_err());
}

#[test]
fn a_record_that_names_no_chunk_makes_its_region_unknown_and_no_other() {
    let victim = victim();
    let mut drive = victim.drive.clone();
    let log = 0xe_a000 + 2 * 0x8000;
    for offset in [0x5_2000 + 1, 0x9000_0000, u64::MAX] {
        let record = LogRecord { sequence: 3, offset, before: vec![0; 0x400] };
        let at = log + record.place(&victim.descriptor) as usize;
        put(&mut drive, at, &record.to_bytes(&victim.descriptor));
        let volume = Volume::open(Arc::new(drive.clone())).expect("a volume");
        let conversion = volume.conversion().expect("whole structures").expect("a conversion");
        assert_eq!(conversion.damage.len(), 1);
        let view = volume.unlock(&key()).expect("its key").view().expect("a view");
        assert!(view.read_at(0x5_2000, &mut [0; 512]).is_err());
        assert!(view.read_at(0, &mut [0; 512]).is_ok());
    }
}

#[test]
fn a_label_that_does_not_fit_is_an_error() {
    let plain = vec![0; SIZE as usize];
    let out = Memory::zeros(plain.len());
    for (length, fits) in [(100, true), (0x7f00, true), (0x7fd0, false), (100_000, false)] {
        let label = "x".repeat(length);
        let made = NewVolume {
            method: Method::AesXts128,
            sector_size: SectorSize::B512,
            label: &label,
            now: FileTime(1 << 56),
            layout: LAYOUT,
            front: Front::Standard { sectors_per_cluster: 1 },
            protectors: &[],
        }
        .write(&plain, &out, |_| {});
        match made {
            Ok(_) => assert!(fits, "{length}"),
            Err(error) => assert!(!fits && matches!(error, CreateError::Metadata(_)), "{length}: {error}"),
        }
    }
}
