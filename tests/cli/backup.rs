//! `lastkey backup`: a proven copy, or nothing and the reason.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::Path;
use std::process::Command;

use crate::support::{Mounted, Said, as_nobody, folder, is_root, names, sample, to};

fn backup(folder: &Path) -> Said {
    lastkey!("backup", sample().drive, "--to", to(folder), "--password-file", sample().password)
}

fn file_name() -> String {
    format!("BitLocker Recovery Key {}.TXT", sample().key_id)
}

/// Returns the names in a folder but that of the metadata, which is there once beside the keys.
fn keys(folder: &Path) -> Vec<String> {
    let (snapshots, keys): (Vec<_>, _) = names(folder).into_iter().partition(|name| name.ends_with(".fve"));
    assert_eq!(snapshots.len(), usize::from(!keys.is_empty()), "{snapshots:?}");
    keys
}

#[test]
fn a_copy_is_saved_read_back_and_proven() {
    let folder = folder();
    backup(folder.path()).exits(0).says("backed up and proven").says(&sample().key_id[..8]);
    assert_eq!(keys(folder.path()), [file_name()]);
    let copy = folder.path().join(file_name());
    assert_eq!(fs::metadata(&copy).expect("the copy").permissions().mode() & 0o777, 0o600);
    lastkey!("verify", sample().drive, copy).exits(0);
}

#[test]
fn the_report_for_programs_says_where_each_copy_is() {
    let folders = [folder(), folder()];
    let [first, second] = folders.each_ref().map(|folder| to(folder.path()));
    let copies = |code| {
        let said = lastkey!(
            "backup",
            sample().drive,
            "--json",
            "--vmk-file",
            sample().vmk,
            "--to",
            first,
            "--to",
            second
        );
        said.exits(code).json()["copies"].as_array().expect("a list").clone()
    };
    let made = copies(0);
    let (snapshots, made): (Vec<_>, Vec<_>) = made.iter().partition(|copy| copy["kind"] == "snapshot");
    for snapshot in snapshots {
        assert_eq!((&snapshot["proven"], &snapshot["standing"]), (&false.into(), &"intact".into()));
    }
    for (copy, folder) in made.iter().zip(&folders) {
        assert_eq!((&copy["proven"], &copy["error"]), (&true.into(), &serde_json::Value::Null));
        assert_eq!(copy["destination"], *format!("file:{}", folder.path().display()));
        assert_eq!(copy["place"], *folder.path().join(file_name()).to_str().expect("text"));
        assert_eq!(
            (copy["kind"].as_str(), copy["key_id"].as_str()),
            (Some("recovery-key"), Some(sample().key_id.as_str()))
        );
    }
    // One that is there already does not keep the other from being made.
    fs::remove_file(folders[1].path().join(file_name())).expect("removed");
    let again = copies(11);
    assert_eq!((&again[0]["proven"], &again[0]["error"]["kind"]), (&false.into(), &"already-there".into()));
    assert_eq!(again[1]["standing"], "intact", "the metadata that is there already is the drive's");
    assert_eq!(again[2]["proven"], true);
}

#[test]
fn a_file_that_is_there_already_is_left_as_it_is_and_judged() {
    let folder = folder();
    backup(folder.path()).exits(0);
    let copy = folder.path().join(file_name());
    let before = fs::read(&copy).expect("the copy");
    backup(folder.path()).exits(11).says("is already there").says("That file is a good copy");
    assert_eq!(fs::read(&copy).expect("the copy"), before);
    fs::write(&copy, "mine").expect("written");
    backup(folder.path()).exits(11).says("does not open the drive");
    assert_eq!(fs::read(&copy).expect("the copy"), b"mine");
    assert_eq!(keys(folder.path()), [file_name()]);
}

#[test]
fn without_a_key_nothing_is_written() {
    let folder = folder();
    let wrong =
        lastkey!("backup", sample().drive, "--to", to(folder.path()), "--password-file", "/etc/hostname");
    wrong.exits(4);
    lastkey!("backup", sample().drive, "--to", to(folder.path())).exits(14);
    lastkey!("backup", sample().drive, "--to", to(folder.path()), "--fvek-file", sample().fvek)
        .exits(16)
        .says("does not show its recovery keys");
    assert!(names(folder.path()).is_empty());
}

#[test]
fn a_place_that_cannot_be_is_refused_before_a_key_is_asked_for() {
    let folder = folder();
    lastkey!("backup", sample().drive)
        .exits(2)
        .says("no terminal to ask where to save")
        .says("--to file:FOLDER");
    for place in ["stick:/media", "/media/stick", "file:", "printer"] {
        lastkey!("backup", sample().drive, "--to", place).exits(2).says("Write --to file:FOLDER");
    }
    let missing = to(&folder.path().join("missing"));
    lastkey!("backup", sample().drive, "--to", missing).exits(12).says("missing is not a folder that exists");
    let file = to(&sample().password);
    lastkey!("backup", sample().drive, "--to", file).exits(12).says("is not a folder that exists");
}

#[test]
fn a_folder_that_takes_nothing_is_said_so() {
    let folder = folder();
    fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o555)).expect("rights");
    let place = to(folder.path());
    // What a key file's owner may read, nobody else may: nobody gets copies of both.
    let own = tempfile::tempdir().expect("a folder");
    fs::set_permissions(own.path(), PermissionsExt::from_mode(0o755)).expect("rights");
    let [drive, password] =
        [(&sample().drive, "drive"), (&sample().password, "password")].map(|(from, name)| {
            let to = own.path().join(name);
            fs::copy(from, &to).expect("a copy");
            fs::set_permissions(&to, PermissionsExt::from_mode(0o644)).expect("rights");
            to
        });
    let said = as_nobody(&[&"backup", &drive, &"--to", &place, &"--password-file", &password]);
    said.exits(8).says("does not let you write there");
    assert!(names(folder.path()).is_empty());
}

#[test]
fn a_full_disk_gets_no_half_copy() {
    if !is_root() {
        return lastkey_tests::skip("only root can mount a small disk");
    }
    let folder = folder();
    let Some(_mounted) = Mounted::small(folder.path(), 8192) else { return };
    fs::write(folder.path().join("fill"), [0; 8192]).expect("written");
    backup(folder.path()).exits(9).says("no room left");
    assert_eq!(names(folder.path()), ["fill"]);
    fs::remove_file(folder.path().join("fill")).expect("removed");
    backup(folder.path()).exits(0).says("this folder is in memory").says("metadata was not saved");
    assert_eq!(names(folder.path()), [file_name()]);
}

#[test]
fn a_folder_on_the_drive_itself_or_on_another_locked_one_is_refused() {
    let folder = folder();
    let password = fs::read_to_string(&sample().password).expect("the password");
    let mut dislocker = Command::new("dislocker");
    dislocker
        .arg("-V")
        .arg(&sample().drive)
        .arg(format!("-u{}", password.trim()))
        .arg("--")
        .arg(folder.path());
    let Some(_opened) = Mounted::by(&mut dislocker, folder.path()) else { return };
    backup(folder.path()).exits(10).says("is on the drive itself").says("Choose a folder on a USB stick");
    let out = folder.path().join("plain.img");
    lastkey!("read", sample().drive, "--out", out, "--password-file", sample().password)
        .exits(10)
        .says("is on the drive that is to be read");
    if let Some(images) = lastkey_tests::real_drives() {
        let drive = images.join("bitlk-aes-xts-128-two-recovery.img");
        let said = lastkey!("backup", drive, "--to", to(folder.path()));
        said.exits(10).says("opened by dislocker").says("mostly locks the others too");
    }
}

#[test]
fn drives_without_a_recovery_key_say_so_or_give_their_external_key() {
    let Some(images) = lastkey_tests::real_drives() else { return };
    let folder = folder();
    let password = crate::support::file(&folder, "password", "password12!@\n");
    let place = tempfile::tempdir().expect("a folder");
    let backup = |name: &str, more: &[&str]| {
        let (drive, to) = (images.join(name), to(place.path()));
        let mut arguments: Vec<&dyn AsRef<std::ffi::OsStr>> =
            vec![&"backup", &drive, &"--to", &to, &"--password-file", &password];
        arguments.extend(more.iter().map(|argument| argument as &dyn AsRef<std::ffi::OsStr>));
        crate::support::run(&arguments, b"")
    };
    backup("aes-xts_128.bin", &[]).exits(16).says("no recovery key and no external key");
    let to = to(place.path());
    lastkey!("backup", images.join("decrypted.bin"), "--to", to).exits(16).says("is not encrypted");
    backup("recovery_key.bin", &[]).exits(0).says("external key  key ID 99B0081A");
    assert_eq!(keys(place.path()), ["99B0081A-60B6-47E4-8482-DEA46EE1891D.BEK"]);
    backup("recovery_password.bin", &["--external-keys"]).exits(0).says("key ID 3C116B76");
    assert_eq!(names(place.path()).iter().filter(|name| !name.ends_with(".fve")).count(), 2);
}

#[test]
fn folders_may_have_any_name() {
    let folder = folder();
    for name in [b"two words".as_slice(), b"\xff\xfe", b"file:x"] {
        let place = folder.path().join(std::ffi::OsStr::from_bytes(name));
        fs::create_dir(&place).expect("a folder");
        backup(&place).exits(0);
        assert_eq!(keys(&place), [file_name()]);
    }
    let link = folder.path().join("link");
    std::os::unix::fs::symlink(folder.path().join("two words"), &link).expect("a link");
    backup(&link).exits(11);
}

#[test]
fn the_metadata_is_kept_beside_the_key_byte_for_byte() {
    let Some(images) = lastkey_tests::real_drives() else { return };
    for known in &lastkey_tests::known::DRIVES {
        let (Some(password), [_, ..]) = (known.password, known.recovery_passwords) else { continue };
        let (place, drive) = (folder(), images.join(known.file));
        let password = crate::support::file(&place, "password", password);
        let folder = place.path().join("copies");
        fs::create_dir(&folder).expect("a folder");
        lastkey!("backup", drive, "--to", to(&folder), "--password-file", password).exits(0);
        let name = names(&folder).into_iter().find(|name| name.ends_with(".fve")).expect("a snapshot");
        let snapshot = fs::read(folder.join(&name)).expect("the snapshot");
        let volume = &lastkey!("status", drive, "--json").json()["drives"][0]["volume"];
        assert!(name.contains(&volume["id"].as_str().expect("an ID").to_uppercase()), "{name}");
        let at = volume["metadata_copies"][0]["offset"].as_u64().expect("a place");
        let mut region = vec![0; snapshot.len()];
        fs::File::open(&drive).and_then(|file| file.read_exact_at(&mut region, at)).expect("read");
        assert!(snapshot == region, "{}", known.file);
    }
}

#[test]
fn a_suspended_drives_metadata_is_not_kept() {
    let Some(images) = lastkey_tests::real_drives() else { return };
    let place = folder();
    let said = lastkey!("backup", images.join("win7_partial.bin"), "--to", to(place.path()));
    said.exits(0).says("its key lies in its metadata in clear");
    assert!(names(place.path()).iter().all(|name| !name.ends_with(".fve")), "{:?}", names(place.path()));
}
