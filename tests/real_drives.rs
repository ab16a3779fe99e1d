//! Real Windows-made drives: every key opens, every byte is right, every other key comes back.

use std::fs;
use std::path::Path;

use fve::{Capsule, Key, Protection, ProtectorKind, UnlockError, Unlocked};
use lastkey_tests::known::{DRIVES, Drive};
use lastkey_tests::{open, real_drives, sha256};
use recovery_key::bek::Bek;
use recovery_key::{RecoveryPassword, Secret};

/// Every key that is published for a drive.
fn keys(folder: &Path, drive: &Drive) -> Vec<Key> {
    let mut keys = Vec::new();
    if drive.open {
        keys.push(Key::None);
    }
    keys.extend(drive.password.map(|text| Key::Password(Secret::new(text.to_owned()))));
    keys.extend(
        drive
            .recovery_passwords
            .iter()
            .map(|digits| Key::RecoveryPassword(RecoveryPassword::parse(digits).expect("published digits"))),
    );
    keys.extend(drive.bek.map(|name| {
        let bytes = fs::read(folder.join(name)).expect("published key file");
        Key::External(Bek::parse(&bytes).expect("a key file"))
    }));
    keys
}

fn each(mut check: impl FnMut(&Path, &Drive)) {
    if let Some(folder) = real_drives() {
        for drive in &DRIVES {
            eprintln!("{}", drive.file);
            check(folder, drive);
        }
    }
}

/// The 48 digits of every recovery password that comes out, sorted.
fn digits(unlocked: &Unlocked<'_>) -> Vec<String> {
    let mut digits: Vec<_> = unlocked
        .recovery_passwords()
        .into_iter()
        .map(|found| found.secret.expect("a whole copy under the VMK").digits().expose().clone())
        .collect();
    digits.sort();
    digits
}

#[test]
fn every_key_opens_and_brings_every_other_key_back() {
    each(|folder, drive| {
        let volume = open(&folder.join(drive.file));
        let mut expected: Vec<_> = drive.recovery_passwords.iter().map(ToString::to_string).collect();
        expected.sort();
        let keys = keys(folder, drive);
        assert!(!keys.is_empty());
        for key in keys {
            let unlocked = volume.unlock(&key).unwrap_or_else(|e| panic!("{}: {e}", drive.file));
            assert_eq!(unlocked.authentic(), Some(true), "{}", drive.file);
            assert_eq!(digits(&unlocked), expected, "{}", drive.file);
            for found in unlocked.external_keys() {
                let derived = found.secret.expect("a whole copy under the VMK");
                if let Some(name) = drive.bek {
                    let bytes = fs::read(folder.join(name)).expect("published key file");
                    let published = Bek::parse(&bytes).expect("a key file");
                    assert_eq!((derived.key_id, &derived.key), (published.key_id, &published.key));
                }
                assert!(volume.prove(&Key::External(derived)).is_ok(), "{}: derived key file", drive.file);
            }
        }
    });
}

#[test]
fn the_raw_keys_open_too() {
    each(|folder, drive| {
        let volume = open(&folder.join(drive.file));
        let key = keys(folder, drive).remove(0);
        let unlocked = volume.unlock(&key).expect("a published key");
        let (Some(vmk), Some(fvek)) = (unlocked.vmk(), unlocked.fvek()) else {
            assert_eq!(volume.protection(), Protection::Off);
            return;
        };
        let by_vmk = volume.unlock(&Key::Vmk(vmk.duplicate())).expect("the VMK");
        assert_eq!(digits(&by_vmk), digits(&unlocked));
        let by_fvek = volume.unlock(&Key::Fvek(fvek.duplicate())).expect("the FVEK");
        assert!(by_fvek.recovery_passwords().iter().all(|found| found.secret.is_none()));
        let (from, to, hash) = drive.views[0];
        let (view, to) = (by_fvek.view().expect("a view"), if to == 0 { 0x10_0000 } else { to });
        let same = sha256(&unlocked.view().expect("a view"), from, to);
        assert_eq!(sha256(&view, from, to), same, "{} {hash}", drive.file);
    });
}

#[test]
fn the_whole_plaintext_is_right() {
    each(|folder, drive| {
        let volume = open(&folder.join(drive.file));
        let unlocked = volume.unlock(&keys(folder, drive).remove(0)).expect("a published key");
        let view = unlocked.view().expect("a view");
        for (from, to, hash) in drive.views {
            let to = if *to == 0 { fve::ReadAt::size(&view) } else { *to };
            assert_eq!(sha256(&view, *from, to), *hash, "{} {from:#x}..{to:#x}", drive.file);
        }
    });
}

#[test]
fn metadata_is_written_back_byte_for_byte_and_its_hash_recomputes() {
    each(|folder, drive| {
        let path = folder.join(drive.file);
        let volume = open(&path);
        let source = volume.source();
        let mut whole_copies = 0;
        for copy in volume.copies() {
            let (Some(offset), Ok(metadata)) = (copy.offset, &copy.metadata) else { continue };
            let bytes = metadata.to_bytes();
            let mut stored = vec![0; bytes.expose().len()];
            source.read_at(offset, &mut stored).expect("what was just parsed");
            assert!(*bytes.expose() == stored, "{} copy at {offset:#x}", drive.file);
            whole_copies += 1;
            let unlocked = volume.unlock(&keys(folder, drive).remove(0)).expect("a published key");
            if let Some(vmk) = unlocked.vmk() {
                assert!(metadata.hash_seal().is_some());
                assert_eq!(metadata.hash_seal(), metadata.compute_hash_seal(vmk), "{}", drive.file);
            }
        }
        let expected = if drive.file == "vista.bin" || drive.file == "win7_partial.bin" { 1 } else { 3 };
        assert_eq!(whole_copies, expected, "{}", drive.file);
    });
}

#[test]
fn every_recovery_password_is_proven_and_names_its_protector() {
    each(|folder, drive| {
        let volume = open(&folder.join(drive.file));
        let unlocked = volume.unlock(&keys(folder, drive).remove(0)).expect("a published key");
        for found in unlocked.recovery_passwords() {
            let password = found.secret.expect("a whole copy");
            let proof = volume.prove(&Key::RecoveryPassword(password)).expect("a proof");
            assert_eq!(proof.key_id(), found.id);
            assert_eq!(proof.kind(), ProtectorKind::RecoveryPassword);
            assert_eq!(proof.volume(), volume.id());
        }
    });
}

#[test]
fn a_wrong_key_is_said_to_be_wrong() {
    each(|folder, drive| {
        let volume = open(&folder.join(drive.file));
        if volume.protection() == Protection::Off {
            return;
        }
        let wrong = RecoveryPassword::parse(&"000011-".repeat(8)).expect("well-formed digits");
        match volume.unlock(&Key::RecoveryPassword(wrong)).map(|_| ()).expect_err("a wrong key") {
            UnlockError::WrongKey { tried } => {
                assert_eq!(tried.len(), drive.recovery_passwords.len(), "{}", drive.file);
            }
            UnlockError::NoProtector { wanted, .. } => {
                assert_eq!(wanted, ProtectorKind::RecoveryPassword);
                assert!(drive.recovery_passwords.is_empty(), "{}", drive.file);
            }
            other => panic!("{}: {other}", drive.file),
        }
        if !drive.open {
            assert!(matches!(volume.unlock(&Key::None), Err(UnlockError::Locked { .. })), "{}", drive.file);
        }
        assert!(volume.unlock(&Key::Vmk(Secret::new([7; 32]))).is_err());
        let length = volume.method().expect("a known method").expect("encrypted").key_len();
        let by_fvek = volume.unlock(&Key::Fvek(Secret::new(vec![7; length])));
        if drive.file == "eow_partial.bin" || drive.file == "vista.bin" {
            // Its first sectors are stored in clear: nothing there can contradict a raw key.
            assert_eq!(by_fvek.expect("a key of the right length").authentic(), None);
        } else {
            assert!(matches!(by_fvek, Err(UnlockError::WrongDataKey)), "{}", drive.file);
        }
    });
}

#[test]
fn a_capsule_tells_the_right_digits_from_wrong_ones_without_the_drive() {
    let mut capsules = 0;
    each(|folder, drive| {
        let volume = open(&folder.join(drive.file));
        let unlocked = volume.unlock(&keys(folder, drive).remove(0)).expect("a published key");
        let other = RecoveryPassword::from_bytes(Secret::new([1; 16]));
        for found in unlocked.recovery_passwords() {
            let bytes = volume.capsule(&found.id).expect("a capsule").to_bytes();
            let kept = Capsule::parse(&bytes).expect("its own bytes");
            assert_eq!((kept.key_id(), kept.to_bytes()), (found.id, bytes));
            assert!(kept.opens(&found.secret.expect("a whole copy")), "{}", drive.file);
            assert!(!kept.opens(&other), "{}", drive.file);
            capsules += 1;
        }
        let others = volume.protectors().into_iter();
        for protector in others.filter(|protector| protector.kind != ProtectorKind::RecoveryPassword) {
            assert!(volume.capsule(&protector.id).is_none(), "{}: {}", drive.file, protector.kind);
        }
    });
    assert!(capsules > 0 || real_drives().is_none());
}
