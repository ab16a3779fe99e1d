//! Boot sector and metadata are destroyed: any copy that is left, or a snapshot, opens the drive.

use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use fve::{METADATA_REGION, Method, WriteAt};
use lastkey_tests::peers::{Found, Opener, Peer, installed};
use lastkey_tests::said::Said;
use lastkey_tests::whole::{self, Whole};
use lastkey_tests::{Image, program, sha256};

use crate::support::{assert_same, destroyed, drive, rescue};

const BOOT: Range<u64> = 0..512;

fn copy(whole: &Whole, n: usize) -> Range<u64> {
    whole.layout.metadata[n]..whole.layout.metadata[n] + METADATA_REGION
}

fn all(whole: &Whole) -> [Range<u64>; 3] {
    [0, 1, 2].map(|n| copy(whole, n))
}

/// Lets `lastkey backup` save key and snapshot into a folder; returns the snapshot.
fn backed_up(whole: &Whole, folder: &Path) -> PathBuf {
    let mut backup = program::lastkey();
    let to = format!("file:{}", folder.display());
    backup.arg("backup").arg(&whole.path).args(["--to", &to]).arg("--bek").arg(&whole.bek);
    Said::of(backup.output().expect("the program")).exits(0);
    let files = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    files.into_iter().find(|path| path.extension().is_some_and(|e| e == "fve")).expect("a snapshot")
}

#[test]
fn one_copy_is_enough_also_without_the_boot_sector() {
    let Some(drive) = drive() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    for left in 0..3 {
        let mut gone: Vec<_> = (0..3).filter(|&n| n != left).map(|n| copy(&drive.whole, n)).collect();
        for without_boot in [false, true] {
            if without_boot {
                gone.push(BOOT);
            }
            let damaged = destroyed(&drive.whole, folder.path(), &gone);
            let out = folder.path().join(format!("{left} {without_boot}"));
            let said = rescue(&drive.whole, &damaged, &out, &["--json"]);
            let report = said.exits(0).json();
            assert_eq!(report["opened_by"], if without_boot { "metadata" } else { "boot-sector" });
            assert_eq!(report["complete"], true);
            assert_same(&out, &drive.whole.plain);
            fs::remove_file(&out).expect("removed");
        }
        // Of the other readers dislocker alone looks further than the first copy that it finds destroyed.
        let with_boot = destroyed(&drive.whole, folder.path(), &gone[..2]);
        if installed().contains(&Peer::Dislocker) {
            let key = fs::read_to_string(&drive.whole.recovery_key_file).expect("digits");
            let found = Peer::Dislocker.open(&with_boot, &Opener::RecoveryPassword(key), 1 << 20);
            let plain = Image::open(&drive.whole.plain).expect("an image");
            assert_eq!(found, Ok(Found::Inside(sha256(&*plain, 0, 1 << 20))), "copy {left}");
        }
    }
}

#[test]
fn a_volume_in_a_disk_is_found_by_its_last_copy_and_its_key() {
    let Some(drive) = drive() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    // No place where partitions begin, so that the copy which is left could as well be another of the three.
    const START: u64 = (80 << 20) + 7 * 512;
    let mut elsewhere = 0;
    for left in 0..3 {
        let gone = (0..3).filter(|&n| n != left).map(|n| copy(&drive.whole, n)).chain([BOOT]);
        let damaged = destroyed(&drive.whole, folder.path(), &gone.collect::<Vec<_>>());
        let bytes = fs::read(&damaged).expect("the image");
        let disk = folder.path().join(format!("disk {left}"));
        let room = START + bytes.len() as u64 + (80 << 20);
        Image::create(&disk, room).expect("a disk").write_at(START, &bytes).expect("written");
        let out = folder.path().join(format!("out {left}"));
        let said = rescue(&drive.whole, &disk, &out, &["--retries", "0"]);
        said.exits(0).says("everything was read");
        elsewhere += usize::from(said.err.contains("the volume starts elsewhere than it seemed"));
        assert_same(&out, &drive.whole.plain);
    }
    assert!((1..3).contains(&elsewhere), "{elsewhere}");
}

#[test]
fn a_snapshot_opens_what_has_no_metadata_left() {
    let Some(drive) = drive() else { return };
    let (folder, saved) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    let snapshot = backed_up(&drive.whole, saved.path());
    for without_boot in [false, true] {
        let mut gone = all(&drive.whole).to_vec();
        if without_boot {
            gone.push(BOOT);
        }
        let damaged = destroyed(&drive.whole, folder.path(), &gone);
        let out = folder.path().join(format!("{without_boot}.out"));
        let said = rescue::<&str>(&drive.whole, &damaged, &out, &[]);
        said.exits(if without_boot { 3 } else { 7 }).says("--snapshot");
        assert!(!out.exists());
        let snapshot = snapshot.to_str().expect("a plain path");
        let said = rescue(&drive.whole, &damaged, &out, &["--snapshot", snapshot, "--json"]);
        let report = said.exits(0).json();
        assert_eq!((&report["opened_by"], &report["snapshot"]), (&"snapshot".into(), &snapshot.into()));
        assert_same(&out, &drive.whole.plain);

        // Beside the key that `lastkey backup` saved it is found without being named.
        let out = folder.path().join(format!("{without_boot}.found"));
        let keys = fs::read_dir(saved.path()).expect("a folder").map(|entry| entry.expect("an entry").path());
        let key = keys.into_iter().find(|path| path.extension().is_some_and(|e| e == "TXT")).expect("a key");
        let mut command = program::lastkey();
        command.arg("rescue").arg(&damaged).arg(&out).arg("--recovery-key-file").arg(key);
        Said::of(command.output().expect("the program")).exits(0).says("opening it by the snapshot");
        assert_same(&out, &drive.whole.plain);
    }
}

#[test]
fn a_snapshot_that_does_not_fit_gives_no_bytes() {
    let Some(drive) = drive() else { return };
    let folder = || tempfile::tempdir().expect("a folder");
    let (place, saved, other) = (folder(), folder(), folder());
    let snapshot = backed_up(&drive.whole, saved.path());
    let snapshot = snapshot.to_str().expect("a plain path");
    let out = place.path().join("out");
    let try_on = |image: &Path| rescue(&drive.whole, image, &out, &["--snapshot", snapshot]);
    // Decrypted since.
    try_on(&drive.whole.plain).exits(3).says("not encrypted");
    // One that lies beside the key by chance does no harm to a drive that needs none.
    fs::copy(&drive.whole.recovery_key_file, saved.path().join("own.txt")).expect("a key");
    let Some(newer) = whole::ntfs(other.path(), Method::AesXts128, |_| ()) else { return };
    let mut command = program::lastkey();
    command.arg("rescue").arg(&newer.path).arg(place.path().join("fine"));
    command.arg("--recovery-key-file").arg(saved.path().join("own.txt"));
    Said::of(command.output().expect("the program")).exits(0);
    // Encrypted anew since, or another drive: without its metadata, and with it.
    try_on(&newer.path).exits(5).says("the snapshot is of the volume");
    let gone = [BOOT, all(&newer)[0].clone(), all(&newer)[1].clone(), all(&newer)[2].clone()];
    try_on(&destroyed(&newer, place.path(), &gone)).exits(15).says("no file system");
    // A wrong key proves nothing.
    let gone = destroyed(&drive.whole, place.path(), &all(&drive.whole));
    let wrong = place.path().join("wrong.txt");
    fs::write(&wrong, "471207-278498-422125-177177-561902-537405-468006-693451").expect("written");
    let mut command = program::lastkey();
    command
        .arg("rescue")
        .arg(&gone)
        .arg(&out)
        .args(["--snapshot", snapshot])
        .arg("--recovery-key-file")
        .arg(&wrong);
    Said::of(command.output().expect("the program")).exits(4);
    fs::write(&wrong, "no metadata").expect("written");
    rescue(&drive.whole, &gone, &out, &["--snapshot".as_ref(), wrong.as_os_str()])
        .exits(2)
        .says("no snapshot");
    assert!(!out.exists());
}

#[test]
fn a_snapshot_from_before_a_conversion_gives_no_bytes() {
    let Some(drive) = drive() else { return };
    let (folder, saved) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    let snapshot = backed_up(&drive.whole, saved.path());
    let plain = fs::read(&drive.whole.plain).expect("the plaintext");
    // Decrypted from the end down to somewhere, and from the beginning up: some of the table of files is in it.
    for part in [90 << 20..plain.len(), 16 << 10..8 << 20] {
        let damaged = destroyed(&drive.whole, folder.path(), &all(&drive.whole));
        let image = Image::open_to_write(&damaged).expect("the copy");
        image.write_at(part.start as u64, &plain[part]).expect("written");
        for area in all(&drive.whole) {
            image.write_at(area.start, &[0; METADATA_REGION as usize]).expect("written");
        }
        let out = folder.path().join("out");
        let options = ["--snapshot".as_ref(), snapshot.as_os_str()];
        rescue(&drive.whole, &damaged, &out, &options).exits(15).says("was being encrypted or decrypted");
        assert!(!out.exists());
    }
}
