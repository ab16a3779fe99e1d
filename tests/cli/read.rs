//! `lastkey read`: every byte, or no file.

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use lastkey_tests::known::DRIVES;
use lastkey_tests::{Image, program, sha256};

use crate::support::{Mounted, Said, file, folder, interrupt, is_root, names, sample};

fn read(out: &Path) -> Said {
    lastkey!("read", sample().drive, "--out", out, "--password-file", sample().password)
}

fn hash(path: &Path) -> String {
    let image = Image::open(path).expect("a file");
    let size = image.size();
    sha256(&*image, 0, size)
}

#[test]
fn every_kind_of_key_gives_the_same_bytes() {
    let folder = folder();
    let sample = sample();
    let first = folder.path().join("plain.img");
    read(&first).exits(0).says("48.0 MiB decrypted (FAT32) to").says("/s");
    assert_eq!(names(folder.path()), ["plain.img"]);
    let hash = hash(&first);
    for (option, key) in
        [("--recovery-key-file", &sample.copy), ("--vmk-file", &sample.vmk), ("--fvek-file", &sample.fvek)]
    {
        let out = folder.path().join(option);
        let said = lastkey!("read", sample.drive, "--out", out, option, key, "--json");
        let report = said.exits(0).json();
        assert_eq!((&report["bytes"], &report["file_system"]), (&(48 << 20).into(), &"FAT32".into()));
        assert_eq!(self::hash(&out), hash);
    }
    let plain = fs::read(&first).expect("the copy");
    let mut stream = program::lastkey();
    stream.arg("read").arg(&sample.drive).args(["--out", "-", "--password-file"]).arg(&sample.password);
    let output = stream.output().expect("the program");
    assert!(output.status.success() && output.stdout == plain);
    let part = folder.path().join("part");
    lastkey!(
        "read",
        sample.drive,
        "--out",
        part,
        "--offset",
        "1000",
        "--length",
        "70001",
        "--vmk-file",
        sample.vmk
    )
    .exits(0);
    assert!(fs::read(part).expect("the part") == plain[1000..71_001]);
}

#[test]
fn real_drives_are_read_as_their_publishers_say() {
    let Some(images) = lastkey_tests::real_drives() else { return };
    let folder = folder();
    for drive in &DRIVES {
        // The whole of drives that are whole; their keys are others' to test.
        let &[(0, 0, hash)] = drive.views else { continue };
        let out = folder.path().join(drive.file);
        let path = images.join(drive.file);
        let said = match (drive.password, drive.recovery_passwords) {
            (Some(password), _) => {
                let key = file(&folder, "password", password);
                lastkey!("read", path, "--out", out, "--password-file", key)
            }
            (None, [digits, ..]) => {
                let key = file(&folder, "key", digits);
                lastkey!("read", path, "--out", out, "--recovery-key-file", key)
            }
            (None, []) => lastkey!("read", path, "--out", out),
        };
        said.exits(0);
        assert_eq!(self::hash(&out), hash, "{}", drive.file);
        fs::remove_file(out).expect("removed");
    }
}

#[test]
fn what_is_there_is_left_as_it_is() {
    let folder = folder();
    let out = file(&folder, "mine", "mine");
    read(&out).exits(11).says("it is already there; it was left as it is");
    assert_eq!(fs::read(&out).expect("mine"), b"mine");
    read(folder.path()).exits(11);
    let dangling = folder.path().join("link");
    std::os::unix::fs::symlink("nowhere", &dangling).expect("a link");
    read(&dangling).exits(11);
    read(&sample().drive).exits(11);
    assert_eq!(names(folder.path()), ["link", "mine"]);
    read(&folder.path().join("missing/x")).exits(12).says("there is no such folder");
}

#[test]
fn a_full_destination_gets_no_file() {
    read(Path::new("/dev/full")).exits(9).says("no room left");
    let full = File::options().write(true).open("/dev/full").expect("a full device");
    let mut command = program::lastkey();
    command.arg("read").arg(&sample().drive).args(["--out", "-", "--password-file"]).arg(&sample().password);
    let said = Said::of(command.stdout(full).output().expect("the program"));
    said.exits(9).says("standard output: there is no room left");
    if !is_root() {
        return lastkey_tests::skip("only root can mount a small disk");
    }
    let folder = folder();
    let Some(_mounted) = Mounted::small(folder.path(), 256 << 10) else { return };
    read(&folder.path().join("plain.img")).exits(9).says("the copy needs 48.0 MiB").says("no room left");
    assert!(names(folder.path()).is_empty());
}

#[test]
fn a_disk_that_fills_up_on_the_way_gets_no_file() {
    let folder = folder();
    // No file may have more than 10,000 KiB, which nobody sees in advance, as on a disk that others fill.
    let script = "trap '' XFSZ; ulimit -f 10000; exec \"$0\" \"$@\"";
    let mut limited = Command::new("bash");
    limited.arg("-c").arg(script).arg(program::lastkey().get_program()).arg("read").arg(&sample().drive);
    limited.arg("--out").arg(folder.path().join("x")).arg("--vmk-file").arg(&sample().vmk);
    let said = Said::of(limited.output().expect("a shell"));
    said.exits(9).says("no file may be so large there");
    assert!(names(folder.path()).is_empty());
}

#[test]
fn a_cut_off_image_is_copied_only_when_that_is_asked_for() {
    let folder = folder();
    let cut = folder.path().join("cut.img");
    fs::copy(&sample().drive, &cut).expect("a copy");
    File::options().write(true).open(&cut).expect("the copy").set_len(20 << 20).expect("shorter");
    let out = folder.path().join("plain.img");
    let read = |more: &str| {
        lastkey!("read", cut, "--out", out, "--vmk-file", sample().vmk, format!("--length={more}"))
    };
    lastkey!("read", cut, "--out", out, "--vmk-file", sample().vmk)
        .exits(6)
        .says("20.0 MiB (20971520 bytes) of 48.0 MiB (50331648 bytes)")
        .says("--length 20971520 copies what is there");
    read("20971521").exits(6);
    assert!(!out.exists());
    read("20971520").exits(0);
    assert_eq!(fs::metadata(&out).expect("the copy").len(), 20 << 20);
    lastkey!("read", cut, "--out", "-", "--json").exits(2);
}

/// Starts a copy of the sample, seen as a drive of a tebibyte, and waits until it is on its way.
fn endless(out: &Path, folder: &tempfile::TempDir) -> std::process::Child {
    let large = folder.path().join("large.img");
    fs::copy(&sample().drive, &large).expect("a copy");
    File::options().write(true).open(&large).expect("the copy").set_len(64 << 30).expect("longer");
    let mut command = program::lastkey();
    command.arg("read").arg(&large).arg("--out").arg(out).arg("--vmk-file").arg(&sample().vmk);
    command.args(["--length", "34359738368"]).stderr(Stdio::null());
    let child = command.spawn().expect("the program");
    // What is empty is not written.
    let read = |pid: u32| {
        let io = fs::read_to_string(format!("/proc/{pid}/io")).unwrap_or_default();
        io.lines().find_map(|line| line.strip_prefix("rchar: ")?.parse::<u64>().ok()).unwrap_or(0)
    };
    let deadline = Instant::now() + Duration::from_secs(60);
    while read(child.id()) < 128 << 20 {
        assert!(Instant::now() < deadline, "nothing is decrypted");
        std::thread::sleep(Duration::from_millis(2));
    }
    child
}

#[test]
fn neither_ctrl_c_nor_a_kill_leaves_a_file() {
    let (drives, folder) = (folder(), folder());
    let mut child = endless(&folder.path().join("plain.img"), &drives);
    assert!(!fs::read(format!("/proc/{}/cmdline", child.id())).expect("the command").is_empty());
    interrupt(&child);
    assert_eq!(child.wait().expect("it ends").code(), Some(130));
    assert!(names(folder.path()).is_empty());

    let mut child = endless(&folder.path().join("plain.img"), &drives);
    child.kill().and_then(|()| child.wait()).expect("it ends");
    // Where files without a name are unknown, a hidden one is left; never one that looks whole.
    assert!(!folder.path().join("plain.img").exists());
}

#[test]
fn a_reader_that_stops_ends_it_quietly() {
    let mut command = program::lastkey();
    command.arg("read").arg(&sample().drive).args(["--out", "-", "--vmk-file"]).arg(&sample().vmk);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program");
    let mut start = [0; 512];
    child.stdout.take().expect("piped").read_exact(&mut start).expect("a sector");
    assert_eq!(start[510..], [0x55, 0xaa]);
    let said = Said::of(child.wait_with_output().expect("it ends"));
    said.exits(141);
    assert_eq!(said.err, "");
}
