//! Memory, however large the drive; and where no key must ever be.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use lastkey_tests::program;

use crate::support::{folder, sample, to};

const LIMIT: u64 = 64 << 20;

/// Runs a command to its end, and returns the most memory that it has used at once.
fn peak(command: &mut Command) -> u64 {
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the program");
    let mut peak = 0;
    let code = loop {
        peak = peak.max(so_far(&child));
        match child.try_wait().expect("a child") {
            Some(status) => break status.code(),
            None => std::thread::sleep(Duration::from_millis(1)),
        }
    };
    assert_eq!(code, Some(0), "{command:?}");
    peak
}

fn so_far(child: &Child) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.strip_suffix("kB"));
    line.and_then(|kib| kib.trim().parse::<u64>().ok()).unwrap_or(0) << 10
}

#[test]
fn no_command_needs_64_mib_on_a_drive_of_8_tib() {
    let sample = sample();
    let folder = folder();
    let drive = folder.path().join("large.img");
    fs::copy(&sample.drive, &drive).expect("a copy");
    let image = File::options().write(true).open(&drive).expect("the copy");
    if let Err(error) = image.set_len(8 << 40) {
        return lastkey_tests::skip(&format!("no sparse file of 8 TiB: {error}"));
    }
    let lost = folder.path().join("lost.img");
    fs::copy(&sample.drive, &lost).expect("a copy");
    File::options().write(true).open(&lost).expect("the copy").write_all_at(&[0; 512], 0).expect("written");
    let run = |arguments: &[&dyn AsRef<std::ffi::OsStr>]| {
        let mut command = program::lastkey();
        command.args(arguments.iter().map(|argument| argument.as_ref()));
        let peak = peak(&mut command);
        println!("{:>6} KiB  {command:?}", peak >> 10);
        assert!(peak < LIMIT, "{peak} bytes: {command:?}");
    };
    let out = folder.path().join("plain.img");
    run(&[&"status", &drive]);
    run(&[&"status", &lost]);
    run(&[&"status"]);
    run(&[&"protectors", &drive, &"--reveal", &"--password-file", &sample.password]);
    run(&[&"backup", &drive, &"--to", &to(folder.path()), &"--password-file", &sample.password]);
    run(&[&"verify", &drive, &sample.copy, &sample.digits]);
    run(&[&"read", &drive, &"--out", &out, &"--vmk-file", &sample.vmk, &"--length", &"268435456"]);
    let out = folder.path().join("plain.qcow2");
    run(&[
        &"read",
        &drive,
        &"--out",
        &out,
        &"--vmk-file",
        &sample.vmk,
        &"--format",
        &"qcow2",
        &"--resume",
        &"--length",
        &"268435456",
    ]);
    run(&[
        &"read",
        &drive,
        &"--out",
        &"/dev/null",
        &"--vmk-file",
        &sample.vmk,
        &"--offset",
        &"8796000000000",
    ]);
    run(&[&"try"]);
    run(&[&"completions", &"bash"]);
    run(&[&"man", &folder.path()]);
}

#[test]
fn no_key_is_among_arguments_environment_and_files_that_are_left() {
    let sample = sample();
    let folder = folder();
    let mut command = program::lastkey();
    command.env("TMPDIR", folder.path()).current_dir(folder.path());
    command.arg("read").arg(&sample.drive).args(["--out", "-", "--recovery-key-file", "-"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().expect("the program");
    let key = fs::read(&sample.copy).expect("the copy");
    std::io::Write::write_all(&mut child.stdin.take().expect("piped"), &key).expect("it listens");
    // Nobody takes what it decrypts: it stays as it is, with the keys in its memory.
    std::thread::sleep(Duration::from_millis(1500));
    let digits = fs::read_to_string(&sample.digits).expect("the digits");
    for name in ["cmdline", "environ"] {
        let path = format!("/proc/{}/{name}", child.id());
        // Only root may look at the environment of a process that protects its memory.
        let Ok(bytes) = fs::read(path) else { continue };
        let text = String::from_utf8_lossy(&bytes).replace(['-', '\0'], "");
        assert!(!text.is_empty() && !text.contains(&digits.replace('-', "")));
    }
    assert!(crate::support::names(folder.path()).is_empty());
    if !crate::support::is_root() {
        assert!(fs::read(format!("/proc/{}/mem", child.id())).is_err(), "others may read its memory");
    }
    child.kill().and_then(|()| child.wait()).expect("it ends");
}
