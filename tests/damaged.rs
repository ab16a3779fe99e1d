//! Real drives that were damaged: what is left must open them, and nothing that is read may be wrong.

use std::ops::ControlFlow;
use std::sync::Arc;

use fve::datum::{Body, Datum, role};
use fve::metadata::{InformationHeader, Metadata};
use fve::{Error, FileTime, ProofError, ProtectorKind, ReadAt, Volume, scan, scan_conversion};
use lastkey_tests::known::{DRIVES, Drive};
use lastkey_tests::metadata::{bytes, changed, tampered};
use lastkey_tests::overlay::{Numbers, Overlay, Window};
use lastkey_tests::real::{REGION, Real, each, named, typed};
use lastkey_tests::{real_drives, sha256};

/// The ways in which a copy of the metadata is destroyed.
fn destroy(real: &Real, overlay: Overlay, copy: usize, way: usize, numbers: &mut Numbers) -> Overlay {
    let place = real.places[copy];
    match way {
        0 => overlay.with(place, &[0; REGION]),
        1 => overlay.with(place, &numbers.bytes(REGION)),
        2 => {
            let header = bytes(&real.source, place, size_of::<InformationHeader>());
            let size = u64::from(u16::from_le_bytes([header[8], header[9]])) << 4;
            overlay.with_flipped(place + numbers.below(size), numbers.below(8) as u8)
        }
        3 => overlay.with(place + 0x40, &[0; REGION - 0x40]),
        _ => overlay.with_bad(place, 0x200),
    }
}

#[test]
fn one_copy_of_the_metadata_is_enough() {
    let mut numbers = Numbers::new(1);
    each(|real| {
        let whole = real.whole();
        for (which, way) in (1..8_usize).flat_map(|which| (0..5).map(move |way| (which, way))) {
            let what = format!("{}, copies {which:#05b}, way {way}", real.drive.file);
            let gone: Vec<_> = (0..3).filter(|n| which >> n & 1 == 1).collect();
            let damaged =
                gone.iter().fold(real.overlay(), |drive, &n| destroy(real, drive, n, way, &mut numbers));
            match Volume::open(damaged.source()) {
                Ok(volume) => {
                    assert!(gone.len() < 3, "{what}");
                    for (n, copy) in volume.copies().iter().enumerate() {
                        assert_eq!(copy.metadata.is_err(), gone.contains(&n), "{what}");
                        assert_eq!(copy.offset, Some(real.places[n]), "{what}");
                    }
                    assert!(!volume.copies_differ(), "{what}");
                    assert!(real.front(&volume) == whole, "{what}");
                }
                Err(Error::MetadataDestroyed(reasons)) => {
                    assert_eq!(gone.len(), 3, "{what}");
                    let text = Error::MetadataDestroyed(reasons).to_string();
                    assert!((1..4).all(|n| text.contains(&format!("copy {n} "))), "{text}");
                }
                Err(other) => panic!("{what}: {other}"),
            }
        }
    });
}

#[test]
fn a_bad_sector_in_the_empty_end_of_a_copy_costs_nothing() {
    each(|real| {
        let damaged =
            real.places.iter().fold(real.overlay(), |drive, place| drive.with_bad(place + 0xf000, 512));
        let volume = Volume::open(damaged.source()).expect("whole copies");
        assert!(volume.copies().iter().all(|copy| copy.metadata.is_ok()), "{}", real.drive.file);
        assert!(real.front(&volume) == real.whole(), "{}", real.drive.file);
    });
}

/// Opens the volume that a scan of the disk finds.
fn found(disk: &Arc<dyn ReadAt>, start: u64, copies: usize, what: &str) -> Volume {
    let found = scan(disk, 0, |_| ControlFlow::Continue(())).expect("a readable disk");
    let found = found.unwrap_or_else(|| panic!("{what}: nothing found"));
    assert_eq!((found.start, found.copies), (start, copies), "{what}");
    let window = Window::from(disk.clone(), start);
    let volume = Volume::open_at(window.clone(), found.places).unwrap_or_else(|e| panic!("{what}: {e}"));
    if what.starts_with("eow_partial") || what.starts_with("decrypted") {
        let places = scan_conversion(&*window, 0, |_| ControlFlow::Continue(())).expect("a readable disk");
        return volume.with_conversion(places.expect("the descriptor of a conversion"));
    }
    volume
}

#[test]
fn a_volume_without_its_boot_sector_is_found_and_read() {
    let mut numbers = Numbers::new(2);
    each(|real| {
        let (file, size) = (real.drive.file, real.source.size());
        let lost = |way: usize, numbers: &mut Numbers| {
            let sector = if way == 0 { vec![0; 512] } else { numbers.bytes(512) };
            real.overlay().with(0, &sector)
        };
        let whole = real.whole();
        for way in 0..2 {
            let drive = lost(way, &mut numbers).source();
            assert!(matches!(Volume::open(drive.clone()), Err(Error::NotBitLocker)), "{file}");
            let volume = found(&drive, 0, 3, file);
            assert!(real.front(&volume) == whole, "{file}");
            if way == 0 {
                let unlocked = volume.unlock(&real.key()).expect("its key");
                let view = unlocked.view().expect("a view");
                assert_eq!(sha256(&view, 0, view.size()), real.drive.views[0].2, "{file}");
            }
        }
        for start in [1 << 20, 63 * 512] {
            let disk = |drive: Overlay| drive.in_disk(start, start + size + (100 << 20)).source();
            let volume = found(&disk(lost(1, &mut numbers)), start, 3, file);
            assert!(real.front(&volume) == whole, "{file} at {start:#x}");
            for left in 0..3 {
                let others = (0..3).filter(|n| *n != left);
                let drive = others
                    .fold(lost(1, &mut numbers), |drive, n| destroy(real, drive, n, n % 2, &mut numbers));
                let volume = found(&disk(drive), start, 1, file);
                assert!(real.front(&volume) == whole, "{file} at {start:#x} with copy {left}");
            }
        }
    });
}

#[test]
fn where_the_start_is_ambiguous_the_scan_says_so() {
    let Some(real) = named("aes-xts_128.bin") else { return };
    // Not where any partition would begin, and one copy left: the second.
    let start = 0x6fe00;
    let drive = real.overlay().with(0, &[0; 512]);
    let drive = drive.with(real.places[0], &[0; REGION]).with(real.places[2], &[0; REGION]);
    let disk = drive.in_disk(start, start + real.source.size() + (100 << 20)).source();
    let found = scan(&disk, 0, |_| ControlFlow::Continue(())).expect("a readable disk").expect("a copy");
    assert_eq!(found.copies, 1);
    let candidates: Vec<_> = [Some(found.start)].into_iter().chain(found.or).flatten().collect();
    assert!(candidates.contains(&start), "{found:x?}");
    let fits: Vec<_> = candidates
        .into_iter()
        .filter(|&start| {
            let volume = Volume::open_at(Window::from(disk.clone(), start), found.places).expect("a copy");
            let unlocked = volume.unlock(&real.key()).expect("its key");
            unlocked.view().expect("a view").file_system().is_some()
        })
        .collect();
    assert_eq!(fits, [start], "the key tells which");
}

#[test]
fn a_running_conversion_without_its_boot_sector_is_not_guessed_at() {
    let Some(real) = named("eow_partial.bin") else { return };
    let drive = real.overlay().with(0, &[0; 512]).source();
    let volume = Volume::open_at(drive, real.places).expect("whole metadata");
    let unlocked = volume.unlock(&real.key()).expect("its key");
    assert!(matches!(unlocked.view().map(|_| ()), Err(Error::Conversion { .. })));
}

#[test]
fn a_scan_stops_when_it_is_told_to_and_passes_over_bad_sectors() {
    let Some(real) = named("aes-xts_128.bin") else { return };
    let drive = real.overlay().with(0, &[0; 512]).with_bad(real.places[0] - 0x2000, 0x1000).source();
    let volume = found(&drive, 0, 3, real.drive.file);
    assert!(real.front(&volume) == real.whole());
    assert_eq!(scan(&drive, 0, |_| ControlFlow::Break(())).expect("a readable disk"), None);
    let dead = real.overlay().with_bad(0, real.source.size()).source();
    assert!(matches!(scan(&dead, 0, |_| ControlFlow::Continue(())), Err(Error::Read { .. })));
}

/// Gives metadata another label.
fn relabel(text: &'static str) -> impl Fn(&mut Metadata) {
    move |metadata| {
        metadata.datums.retain(|datum| datum.role != role::DESCRIPTION);
        metadata.datums.insert(0, Datum::new(role::DESCRIPTION, Body::text(text)));
    }
}

#[test]
fn of_copies_that_differ_the_newest_is_used() {
    each(|real| {
        let Some(vmk) = &real.vmk else { return };
        let newer = changed(&real.region(), vmk, relabel("torn"));
        for n in 0..3 {
            let drive = real.overlay().with(real.places[n], &newer).source();
            let volume = Volume::open(drive).expect("three whole copies");
            assert!(volume.copies_differ(), "{}", real.drive.file);
            assert_eq!(volume.metadata().label().as_deref(), Some("torn"), "{}", real.drive.file);
            let unlocked = volume.unlock(&real.key()).expect("its key");
            assert_eq!(unlocked.authentic(), Some(true));
            assert_eq!(unlocked.metadata().label().as_deref(), Some("torn"), "{}", real.drive.file);
        }
    });
}

#[test]
fn a_leftover_of_an_earlier_volume_does_not_count_as_newest() {
    let (Some(real), Some(other)) = (named("aes-xts_128.bin"), named("aes-xts_256.bin")) else { return };
    let vmk = other.vmk.as_ref().expect("a key");
    let old = changed(&other.region(), vmk, |metadata| metadata.dataset.next_nonce = 5000.into());
    let drive = real.overlay().with(real.places[0], &old).source();
    let volume = Volume::open(drive).expect("whole copies");
    assert_eq!(volume.id(), Volume::open(real.source.clone()).expect("undamaged").id());
    assert!(volume.copies_differ());
    assert!(real.front(&volume) == real.whole());
}

#[test]
fn a_tampered_copy_is_known_by_its_keyed_hash() {
    each(|real| {
        if real.vmk.is_none() {
            return;
        }
        let file = real.drive.file;
        let forged = tampered(&real.region(), |metadata| {
            relabel("forged")(metadata);
            metadata.information.boot_copy = 0.into();
        });
        let whole = real.whole();
        let with = |copies: &[usize]| {
            let drive =
                copies.iter().fold(real.overlay(), |drive, &n| drive.with(real.places[n], &forged)).source();
            Volume::open(drive).expect("whole copies")
        };
        for copies in [&[0][..], &[1], &[2], &[0, 1], &[0, 2], &[1, 2]] {
            let volume = with(copies);
            // Without the key nobody can tell, and the forged copy is the newer one.
            assert_eq!(volume.metadata().label().as_deref(), Some("forged"), "{file}");
            let unlocked = volume.unlock(&real.key()).expect("its key");
            assert_eq!(unlocked.authentic(), Some(true), "{file} {copies:?}");
            assert_ne!(unlocked.metadata().label().as_deref(), Some("forged"), "{file} {copies:?}");
            assert!(real.front(&volume) == whole, "{file} {copies:?}");
        }
        let volume = with(&[0, 1, 2]);
        let unlocked = volume.unlock(&real.key()).expect("its key");
        assert_eq!(unlocked.authentic(), Some(false), "{file}");
    });
}

#[test]
fn only_what_is_authentic_is_proven() {
    let Some(real) = named("recovery_password.bin") else { return };
    let vmk = real.vmk.as_ref().expect("a key");
    let key = || typed(&Drive { password: None, ..DRIVES[9] });
    let prove = |copies: &[usize], region: &[u8]| {
        let drive = copies.iter().fold(real.overlay(), |drive, &n| drive.with(real.places[n], region));
        Volume::open(drive.source()).expect("whole copies").prove(&key())
    };
    assert_eq!(real.drive.file, DRIVES[9].file);
    let forged = tampered(&real.region(), relabel("forged"));
    assert!(prove(&[], &forged).is_ok());
    assert!(prove(&[0, 2], &forged).is_ok());
    assert!(matches!(prove(&[0, 1, 2], &forged), Err(ProofError::NotAuthentic)));
    // A protector that only older copies list was removed: its key is no backup any more.
    let removed = changed(&real.region(), vmk, |metadata| {
        metadata
            .datums
            .retain(|datum| !matches!(datum.body, Body::Vmk { protection, .. } if protection == 0x0800));
    });
    assert!(matches!(prove(&[0], &removed), Err(ProofError::OtherCopy)));
    assert!(matches!(prove(&[0, 1, 2], &removed), Err(ProofError::Unlock(_))));
    // A damaged keyed hash of all copies, all else whole.
    let region = real.region();
    let size = u64::from(u16::from_le_bytes([region[8], region[9]])) << 4;
    let drive = (0..3).fold(real.overlay(), |drive, n| drive.with_flipped(real.places[n] + size + 50, 1));
    let volume = Volume::open(drive.source()).expect("whole copies");
    assert!(matches!(volume.prove(&key()), Err(ProofError::NotAuthentic)));
    assert!(real.front(&volume) == real.whole());
}

#[test]
fn a_cut_off_image_is_read_up_to_the_cut_and_never_wrong() {
    let mut numbers = Numbers::new(3);
    each(|real| {
        let (file, size) = (real.drive.file, real.source.size());
        let volume = Volume::open(real.source.clone()).expect("undamaged");
        let unlocked = volume.unlock(&real.key()).expect("its key");
        let whole = unlocked.view().expect("a view");
        let boot_copy = volume.metadata().information.boot_copy.get();
        let mut cuts = vec![0, 1, 511, 512, 513, 4095, 0x2000, size - 1, size - 512, size - 4097];
        for place in real.places {
            cuts.extend([0, 1, 0x3f, 0x40, 0x70, 0x200, 0x333, 0x8000, 0xffff, 0x1_0000].map(|n| place + n));
        }
        cuts.extend([0, 1, 0x200, 0x1fff, 0x2000].map(|n| boot_copy + n));
        cuts.extend((0..20).map(|_| numbers.below(size)));
        for cut in cuts {
            let Ok(volume) = Volume::open(real.overlay().cut_to(cut).source()) else { continue };
            let Ok(unlocked) = volume.unlock(&real.key()) else { continue };
            let Ok(view) = unlocked.view() else { continue };
            assert!(view.size() <= cut, "{file} cut to {cut:#x}");
            assert!(view.read_at(view.size(), &mut [0]).is_err(), "{file} cut to {cut:#x}");
            let mut at = vec![0, 0x1ff0, view.size().saturating_sub(0x900)];
            at.extend((0..10).map(|_| numbers.below(cut)));
            for at in at {
                let mut read = vec![0; 1 + numbers.below(0x1000) as usize];
                if view.read_at(at, &mut read).is_ok() {
                    assert!(read == bytes(&whole, at, read.len()), "{file} cut to {cut:#x} at {at:#x}");
                }
            }
        }
    });
}

#[test]
fn a_boot_sector_that_does_not_say_the_sector_size_is_enough() {
    each(|real| {
        let size = Volume::open(real.source.clone()).expect("undamaged").sector_size();
        // 0 is what newer Windows writes on exFAT volumes; the others are damage.
        for stored in [0_u16, 1024, 0xffff] {
            let drive = real.overlay().with(0x0b, &stored.to_le_bytes()).source();
            let volume = Volume::open(drive).expect("a BitLocker volume");
            assert_eq!(volume.sector_size(), size, "{}", real.drive.file);
            assert!(real.front(&volume) == real.whole(), "{}", real.drive.file);
        }
    });
}

#[test]
fn what_is_unknown_is_listed_and_carried_over() {
    each(|real| {
        let Some(vmk) = &real.vmk else { return };
        let file = real.drive.file;
        let unknown = |kind: u16, bytes: &[u8]| Datum::new(0x77, Body::Other { kind, bytes: bytes.to_vec() });
        let region = changed(&real.region(), vmk, |metadata| {
            let nested = vec![unknown(0x1c, b"a new kind"), unknown(0x22, &[])];
            let protector = Body::Vmk {
                id: uuid::Uuid::from_u128(7),
                changed: FileTime(1),
                hints: 9,
                protection: 0x4001,
                nested: nested.into(),
            };
            metadata.datums.insert(1, Datum::new(role::VMK, protector));
            metadata.datums.push(unknown(0x1b, b"odd"));
        });
        let drive = real.places.iter().fold(real.overlay(), |drive, &place| drive.with(place, &region));
        let volume = Volume::open(drive.source()).expect("whole copies");
        let protectors = volume.protectors();
        assert!(protectors.iter().any(|own| own.kind == ProtectorKind::Unknown(0x4001)), "{file}");
        assert!(*volume.metadata().to_bytes().expose() == region, "{file}");
        assert_eq!(volume.unlock(&real.key()).expect("its key").authentic(), Some(true), "{file}");
        assert!(real.front(&volume) == real.whole(), "{file}");
    });
}

/// Parts of the view around everything that is stored in a way of its own.
fn parts(volume: &Volume, size: u64) -> Vec<(u64, u64)> {
    const AROUND: u64 = 0x10_0000;
    let information = &volume.metadata().information;
    let mut borders = information.metadata.map(|place| place.get()).to_vec();
    borders.extend([0, 0x50_3c00, information.boot_copy.get(), information.state_offset.get(), size]);
    if let Ok(Some(conversion)) = volume.conversion() {
        borders.extend(conversion.areas(512).iter().map(|area| area.0));
        borders.extend(conversion.regions.iter().map(|region| region.bitmap.start));
        borders.push(0xc20_2000);
    }
    let around = |border: u64| (border.saturating_sub(AROUND), border.saturating_add(AROUND).min(size));
    let mut parts: Vec<_> = borders.into_iter().map(around).filter(|(from, to)| from < to).collect();
    parts.sort_unstable();
    parts.dedup();
    parts
}

#[test]
fn any_read_is_a_piece_of_the_whole() {
    let Some(folder) = real_drives() else { return };
    for drive in &DRIVES {
        let volume = lastkey_tests::open(&folder.join(drive.file));
        let unlocked = volume.unlock(&typed(drive)).expect("a published key");
        let view = unlocked.view().expect("a view");
        for (part, (from, to)) in parts(&volume, view.size()).into_iter().enumerate() {
            // One read in whole sectors against many in pieces.
            let whole = bytes(&view, from, (to - from) as usize);
            let read = |thread: u64| {
                let mut numbers = Numbers::new(thread * 1000 + part as u64);
                for _ in 0..60 {
                    let at = numbers.below(to - from);
                    let most = (to - from - at).min(1 << numbers.below(19));
                    let length = (1 + numbers.below(most)) as usize;
                    let piece = bytes(&view, from + at, length);
                    assert!(piece == whole[at as usize..][..length], "{} {at:#x}+{length:#x}", drive.file);
                }
            };
            std::thread::scope(|scope| {
                (0..4).for_each(|thread| drop(scope.spawn(move || read(thread))));
            });
        }
    }
}
