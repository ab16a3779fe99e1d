//! `lastkey status`, and what becomes of drives that are none.

use std::fs::{self, File};
use std::io::{Seek, SeekFrom, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::Command;

use lastkey_tests::known::DRIVES;

use crate::support::{as_nobody, file, folder, is_root, sample};

#[test]
fn every_real_drive_is_described() {
    let Some(folder) = lastkey_tests::real_drives() else { return };
    for drive in &DRIVES {
        let said = lastkey!("status", folder.join(drive.file), "--json");
        let report = &said.exits(0).json()["drives"][0];
        assert_eq!(report["bitlocker"], true, "{}", drive.file);
        let volume = &report["volume"];
        let protection = match drive.file {
            "decrypted.bin" => "off",
            "suspended.bin" | "win7_partial.bin" => "suspended",
            _ => "on",
        };
        assert_eq!(volume["protection"], protection, "{}", drive.file);
        let kinds: Vec<_> =
            volume["protectors"].as_array().expect("a list").iter().map(|p| &p["kind"]).collect();
        let count = |kind: &str| kinds.iter().filter(|&&found| found == kind).count();
        assert_eq!(count("recovery-key"), drive.recovery_passwords.len(), "{}", drive.file);
        assert_eq!(count("password"), usize::from(drive.password.is_some()), "{}", drive.file);
        assert_eq!(count("clear-key"), usize::from(protection == "suspended"), "{}", drive.file);
        let text = lastkey!("status", folder.join(drive.file));
        for protector in volume["protectors"].as_array().expect("a list") {
            text.exits(0).says(&protector["key_id"].as_str().expect("an ID")[..8]);
        }
    }
}

#[test]
fn all_drives_of_the_computer_are_listed_with_and_without_rights() {
    let said = lastkey!("status", "--json");
    assert!(said.exits(0).json()["drives"].is_array());
    let said = lastkey!("status");
    said.exits(0);
    if is_root() {
        assert!(!said.err.contains("sudo"), "root is told to use sudo: {}", said.err);
    }
    let said = as_nobody(&[&"status"]);
    said.exits(0);
    if said.out.contains("rights are missing") {
        said.says("run this again with sudo");
    }
}

#[test]
fn what_is_no_bitlocker_drive_is_named() {
    let folder = folder();
    let at = |at: usize, magic: &[u8], size: usize| {
        let mut bytes = vec![0; size];
        bytes[at..at + magic.len()].copy_from_slice(magic);
        bytes
    };
    for (name, bytes, what) in [
        ("luks", at(0, b"LUKS\xba\xbe\0\x02", 1 << 20), "a LUKS2 encrypted drive"),
        ("ntfs", at(3, b"NTFS    ", 1 << 20), "an NTFS file system"),
        ("exfat", at(3, b"EXFAT   ", 1 << 20), "an exFAT file system"),
        ("qcow2", at(0, b"QFI\xfb\0\0\0\x03", 1 << 20), "qemu-img convert"),
        ("gzip", at(0, b"\x1f\x8b\x08", 1 << 20), "unpack it first"),
        ("zeros", vec![0; 1 << 20], "all of it was searched"),
        ("text", b"hello\n".repeat(1000), "nor anything else that is known"),
        ("short", b"hello".to_vec(), "too short to be a drive"),
        ("empty", Vec::new(), "too short to be a drive"),
    ] {
        let path = file(&folder, name, bytes);
        let said = lastkey!("status", path);
        said.exits(3).says(&path.display().to_string());
        assert!(said.err.to_lowercase().contains(&what.to_lowercase()), "{name}: {}", said.err);
        let document = lastkey!("status", path, "--json");
        let error = &document.exits(3).json()["error"];
        assert_eq!((&error["kind"], &error["exit_code"]), (&"not-bitlocker".into(), &3.into()));
        assert!(error["hints"].is_array() && error["message"].is_string());
    }
    lastkey!("status", folder.path()).exits(3).says("is a folder, and no drive is mounted there");
    lastkey!("status", "/dev/null").exits(3).says("neither a drive nor an image file");
}

#[test]
fn what_is_not_there_or_not_allowed_is_said_so() {
    lastkey!("status", "/no/such/drive.img").exits(12).says("/no/such/drive.img").says("lastkey status");
    lastkey!("status", "").exits(12);
    let folder = folder();
    fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("rights");
    let path = file(&folder, "mine.img", [0; 4096]);
    fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o000)).expect("rights");
    as_nobody(&[&"status", &path]).exits(8).says("does not let you open it").says("Ask the owner");
    let attached = lastkey!("status", "--json").json();
    if let Some(device) = attached["drives"][0]["drive"].as_str() {
        let said = as_nobody(&[&"status", &device]);
        said.exits(8).says("administrator rights").says("sudo");
    }
}

#[test]
fn several_drives_are_shown_also_when_one_of_them_fails() {
    let sample = sample();
    let said = lastkey!("status", "/no/such.img", sample.drive);
    said.exits(12).says("/no/such.img").says(&sample.key_id[..8]);
    let said = lastkey!("status", "/no/such.img", sample.drive, "--json");
    let document = said.exits(12).json();
    assert_eq!(document["drives"][0]["error"]["kind"], "not-found");
    assert_eq!(document["drives"][1]["volume"]["protection"], "on");
}

#[test]
fn a_cut_off_image_is_told_from_a_destroyed_drive() {
    let folder = folder();
    let drive = folder.path().join("drive.img");
    fs::copy(&sample().drive, &drive).expect("a copy");
    let volume = &lastkey!("status", drive, "--json").json()["drives"][0]["volume"];
    let places: Vec<_> = volume["metadata_copies"].as_array().expect("a list").iter().collect();
    let places: Vec<_> = places.iter().map(|copy| copy["offset"].as_u64().expect("a place")).collect();
    let image = File::options().write(true).open(&drive).expect("the copy");
    image.set_len(places[1] + 100).expect("shorter");
    let said = lastkey!("status", drive);
    said.exits(0).says("cut off: at least").says("metadata copy 2 of 3").says("metadata copy 3 of 3");
    image.set_len(places[0]).expect("shorter");
    lastkey!("status", drive).exits(6).says("cut off before the first copy of its BitLocker metadata");

    fs::copy(&sample().drive, &drive).expect("a copy");
    let mut image = File::options().write(true).open(&drive).expect("the copy");
    for place in places {
        image.seek(SeekFrom::Start(place)).expect("a place");
        image.write_all(&[0; 512]).expect("written");
    }
    let said = lastkey!("backup", drive, "--to", crate::support::to(folder.path()));
    said.exits(7).says("all three copies of the BitLocker metadata are destroyed").says("keep it unchanged");
}

#[test]
fn a_lost_boot_sector_in_the_middle_of_a_conversion_costs_nothing() {
    let Some(real) = lastkey_tests::real_drives() else { return };
    let folder = folder();
    let drive = folder.path().join("drive.img");
    // Sparse: the drive is 1 GiB long, and nearly all of it is zeros.
    let copied =
        Command::new("cp").arg("--sparse=always").arg(real.join("eow_partial.bin")).arg(&drive).status();
    assert!(copied.expect("cp runs").success());
    let image = File::options().write(true).open(&drive).expect("the copy");
    image.write_all_at(&[0; 512], 0).expect("written");
    let password = file(&folder, "password", "password12!@");
    let out = folder.path().join("out.img");
    let said = lastkey!("read", drive, "--out", out, "--length", "268435456", "--password-file", password);
    said.exits(0).says("the boot sector is lost");
    let intact = lastkey_tests::open(&real.join("eow_partial.bin"));
    let key = fve::Key::Password(recovery_key::Secret::new("password12!@".to_owned()));
    let view = intact.unlock(&key).expect("its password").view().expect("a view");
    let read = lastkey_tests::Image::open(&out).expect("the copy");
    let length = 268_435_456;
    assert_eq!(lastkey_tests::sha256(&*read, 0, length), lastkey_tests::sha256(&view, 0, length));
}

#[test]
fn a_destroyed_boot_sector_does_not_hide_a_drive() {
    let folder = folder();
    let drive = folder.path().join("drive.img");
    fs::copy(&sample().drive, &drive).expect("a copy");
    File::options().write(true).open(&drive).expect("the copy").write_all(&[0; 512]).expect("written");
    lastkey!("status", drive).exits(0).says("the boot sector is lost").says(&sample().key_id[..8]);
    let said = lastkey!("status", drive, "--json");
    assert_eq!(said.json()["drives"][0]["volume"]["boot_sector"], "lost");
    let said = lastkey!("verify", drive, sample().copy);
    said.exits(0).says("note: the boot sector is lost").says("proven");
}

#[test]
fn volumes_are_found_in_the_partitions_of_a_disk() {
    for label in ["gpt", "dos"] {
        let folder = folder();
        let disk = file(&folder, "disk.img", b"");
        let mut image = File::options().write(true).open(&disk).expect("the file");
        image.set_len(120 << 20).expect("longer");
        let kind = if label == "gpt" { "EBD0A0A2-B9E5-4433-87C0-68B6B72699C7" } else { "7" };
        let table = format!(
            "label: {label}\nstart=2048,size=98304,type={kind}\nstart=110000,size=98304,type={kind}\n"
        );
        let script = file(&folder, "table", table);
        let made =
            Command::new("sfdisk").arg("-q").arg(&disk).stdin(File::open(script).expect("it")).status();
        if !made.is_ok_and(|status| status.success()) {
            return lastkey_tests::skip("no sfdisk");
        }
        lastkey!("status", disk).exits(3).says("none of its partitions is a BitLocker drive");
        let bytes = fs::read(&sample().drive).expect("the sample");
        let mut put = |sector: u64| {
            image.seek(SeekFrom::Start(sector * 512)).expect("a place");
            image.write_all(&bytes).expect("written");
        };
        put(2048);
        let said = lastkey!("status", disk, "--json");
        assert_eq!(said.exits(0).json()["drives"][0]["partition"], 1);
        lastkey!("verify", disk, sample().copy).exits(0);
        put(110_000);
        assert_eq!(lastkey!("status", disk, "--json").json()["drives"].as_array().map(Vec::len), Some(2));
        lastkey!("verify", disk, sample().copy).exits(2).says("--partition 1 or --partition 2");
        lastkey!("verify", disk, sample().copy, "--partition", "2").exits(0);
        lastkey!("status", disk, "--partition", "3").exits(12).says("there is no partition 3");
        image.seek(SeekFrom::Start(2048 * 512)).expect("a place");
        image.write_all(&[0; 512]).expect("written");
        lastkey!("status", disk, "--partition", "1").exits(0).says("the boot sector is lost");
    }
}

#[test]
fn names_with_spaces_links_and_bytes_that_are_no_text_are_paths_like_others() {
    let folder = folder();
    for name in [b"a drive.img".as_slice(), b"\xff\xfe.img"] {
        let path = folder.path().join(std::ffi::OsStr::from_bytes(name));
        std::os::unix::fs::symlink(&sample().drive, &path).expect("a link");
        lastkey!("status", path).exits(0);
        lastkey!("status", path, "--json").exits(0).json();
        lastkey!("verify", path, sample().copy).exits(0);
    }
    let relative = Path::new("cli-sample/sample.img");
    let mut command = lastkey_tests::program::lastkey();
    let output = command.args(["status"]).arg(relative).current_dir(env!("CARGO_TARGET_TMPDIR")).output();
    assert!(output.expect("it runs").status.success());
}
