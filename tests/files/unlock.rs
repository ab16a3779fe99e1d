//! `unlock`: the rescue stick. Many keys, many drives.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use lastkey_tests::known::DRIVES;
use lastkey_tests::makers::{Loop, run};
use lastkey_tests::{program, real_drives};
use serde_json::Value;

use crate::drive::{Mounted, is_mounted, said, small, until};

/// Puts every key of the real drives into a folder, in forms of several kinds, among other files.
fn keys(folder: &Path, drives: &Path) -> PathBuf {
    let keys = folder.join("keys");
    fs::create_dir_all(keys.join("more")).expect("folders");
    for (number, digits) in DRIVES.iter().flat_map(|drive| drive.recovery_passwords).enumerate() {
        fs::write(keys.join(format!("more/{number}.txt")), format!("Recovery Key: {digits}\r\n"))
            .expect("a file");
    }
    for bek in DRIVES.iter().filter_map(|drive| drive.bek) {
        fs::copy(drives.join(bek), keys.join(bek.to_uppercase())).expect("a copy");
    }
    fs::write(keys.join("holiday.txt"), "no key").expect("a file");
    keys
}

fn unlock(keys: &Path) -> Command {
    let mut unlock = program::lastkey();
    unlock.arg("unlock").arg("--with").arg(keys);
    unlock
}

#[test]
fn each_drive_gets_its_own_key_and_the_log_says_which() {
    let Some(drives) = real_drives() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let (keys, log) = (keys(folder.path(), drives), folder.path().join("log.jsonl"));
    let opens =
        ["recovery_password.bin", "recovery_key.bin", "startup_key.bin"].map(|name| drives.join(name));
    let said_first = said(unlock(&keys).args(&opens).args(["--no-mount", "--json", "--log"]).arg(&log));
    let report = said_first.exits(0).json();
    assert_eq!((report["opened"].as_u64(), report["total"].as_u64()), (Some(3), Some(3)));
    for row in report["drives"].as_array().expect("a list") {
        assert_eq!((&row["proven"], &row["problem"]), (&Value::Bool(true), &Value::Null));
        let id = row["key_id"].as_str().expect("a key ID");
        assert!(row["key_ids"].as_array().expect("a list").iter().any(|own| own == id));
        assert!(row["copy"].as_str().expect("a file").starts_with(keys.to_str().expect("text")));
    }
    // One without its key, which the log says too, behind the others
    let locked = said(unlock(&keys).arg(drives.join("vista.bin")).args(["--no-mount", "--log"]).arg(&log));
    let lines = fs::read_to_string(&log).expect("a log");
    let lines: Vec<Value> =
        lines.lines().map(|line| serde_json::from_str(line).expect("a document")).collect();
    assert_eq!(lines.len(), 4);
    assert_eq!(lines[3]["opened"], locked.code == 0);
    for digits in DRIVES.iter().flat_map(|drive| drive.recovery_passwords) {
        assert!(!fs::read_to_string(&log).expect("a log").contains(digits), "a key is in the log");
    }
}

#[test]
fn a_drive_without_its_key_says_what_to_look_for() {
    let Some(drives) = real_drives() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let keys = folder.path().join("keys");
    fs::create_dir(&keys).expect("a folder");
    let drive = drives.join("recovery_password.bin");
    let said_none = said(unlock(&keys).arg(&drive).arg("--no-mount").arg("--json"));
    let row = &said_none.exits(14).json()["drives"][0];
    assert_eq!(row["problem"], "none of the keys is its own");
    assert!(
        row["key_ids"]
            .as_array()
            .expect("a list")
            .iter()
            .any(|id| id.as_str().expect("text").starts_with("3C116B76"))
    );
    said(program::lastkey().args(["unlock", "--with"]).arg(folder.path().join("none")).arg(&drive)).exits(12);
    // The right key ID, and other digits
    let wrong = "Identifier: 3C116B76-C67B-484E-B439-CE2ED68B561E\n131450-120197-153989-250338-511368-495572-680944-381546";
    fs::write(keys.join("wrong.txt"), wrong).expect("a file");
    said(unlock(&keys).arg(&drive).arg("--no-mount")).exits(14).says("not opened");
}

#[test]
fn drives_are_mounted_each_in_its_folder_and_gone_with_ctrl_c() {
    let Some(drive) = small() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let (keys, at) = (folder.path().join("keys"), folder.path().join("at"));
    fs::create_dir(&keys).expect("a folder");
    fs::copy(&drive.recovery_key_file, keys.join("key.txt")).expect("a copy");
    let mut command = unlock(&keys);
    command.args([&drive.path, &drive.plain]).arg("--at").arg(&at);
    // What is not encrypted is no drive for this.
    said(&mut command).exits(3);
    assert!(!at.exists());

    let mut command = unlock(&keys);
    let mounted = Mounted::new(command.arg(&drive.path).arg("--at").arg(&at), &at.join("whole"));
    assert!(at.join("whole/Users/Anna/photo.jpg").exists());
    let said_last = mounted.end("-INT");
    said_last.exits(0);
    assert!(!at.exists(), "something is left");
}

#[test]
fn drives_that_are_plugged_in_later_are_opened_too() {
    let Some(drive) = small() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let (keys, at, log) = (folder.path().join("keys"), folder.path().join("at"), folder.path().join("log"));
    fs::create_dir(&keys).expect("a folder");
    fs::copy(&drive.recovery_key_file, keys.join("key.txt")).expect("a copy");
    let mut command = unlock(&keys);
    command.arg("--at").arg(&at).arg("--log").arg(&log).stdout(Stdio::null()).stderr(Stdio::null());
    let mut process = command.spawn().expect("the program");
    let lines = || fs::read_to_string(&log).unwrap_or_default().lines().count();
    until(|| at.is_dir());
    // As attached as any disk
    let Some(device) = Loop::of(&drive.path, &["--read-only"]) else {
        run("kill", ["-INT", &process.id().to_string()]);
        process.wait().expect("its end");
        return;
    };
    let whole = at.join("whole");
    until(|| is_mounted(&whole));
    assert!(whole.join("Users/Anna/photo.jpg").exists());
    assert!(lines() >= 1);
    assert!(run("kill", ["-INT", &process.id().to_string()]));
    assert_eq!(process.wait().expect("its end").code(), Some(0));
    assert!(!is_mounted(&whole) && !at.exists());
    drop(device);
}
