//! Keys in files and on standard input, right and wrong; and what `protectors --reveal` shows.

use std::ffi::OsStr;
use std::fs;

use crate::support::{Said, file, folder, run, run_revealing, sample};

/// The recovery password of one of the real drives.
const OTHER: &str = "284867-596541-514998-422114-660297-261613-215424-199408";

fn reveal(option: &str, key: &dyn AsRef<OsStr>, input: &[u8]) -> Said {
    run_revealing(&[&"protectors", &sample().drive, &"--reveal", &option, key], input)
}

fn utf16(text: &str) -> Vec<u8> {
    [0xff, 0xfe].into_iter().chain(text.encode_utf16().flat_map(u16::to_le_bytes)).collect()
}

#[test]
fn every_kind_of_key_opens_the_drive_and_shows_the_recovery_key() {
    let sample = sample();
    let digits = fs::read_to_string(&sample.digits).expect("the digits");
    for (option, path) in [
        ("--password-file", &sample.password),
        ("--recovery-key-file", &sample.copy),
        ("--recovery-key-file", &sample.digits),
        ("--vmk-file", &sample.vmk),
    ] {
        reveal(option, path, b"").exits(0).says(&digits);
        let bytes = fs::read(path).expect("the key");
        reveal(option, &"-", &bytes).exits(0).says(&digits);
    }
    let said = reveal("--fvek-file", &sample.fvek, b"");
    said.exits(0).says("opened by its data key alone");
    said.assert_no_secret();
    let said = run_revealing(
        &[&"protectors", &sample.drive, &"--reveal", &"--json", &"--vmk-file", &sample.vmk],
        b"",
    );
    let protectors = &said.exits(0).json()["protectors"];
    let revealed: Vec<_> =
        protectors.as_array().expect("a list").iter().filter_map(|p| p["revealed"].as_str()).collect();
    assert_eq!(revealed, [digits]);
}

#[test]
fn nothing_is_revealed_that_was_not_asked_for() {
    let said = lastkey!("protectors", sample().drive);
    said.exits(0).says(&sample().key_id);
    assert!(!lastkey!("protectors", sample().drive, "--json").out.contains("revealed"));
}

#[test]
fn passwords_are_taken_from_what_editors_and_shells_write() {
    let folder = folder();
    let password = fs::read_to_string(&sample().password).expect("the password");
    let password = password.trim();
    for bytes in [
        password.as_bytes().to_vec(),
        format!("{password}\r\n").into_bytes(),
        format!("\u{feff}{password}\n").into_bytes(),
        utf16(&format!("{password}\r\n")),
    ] {
        reveal("--password-file", &file(&folder, "password", bytes), b"").exits(0);
    }
    for (bytes, why) in [
        (b"".as_slice(), "is empty"),
        (b"\r\n", "is empty"),
        (b"p\xe4ssword", "UTF-8 or UTF-16"),
        (b"wrong\n", "the key is wrong: it does not open"),
    ] {
        reveal("--password-file", &file(&folder, "password", bytes), b"").exits(4).says(why);
    }
}

#[test]
fn recovery_keys_are_found_among_others_and_under_a_wrong_key_id() {
    let sample = sample();
    let folder = folder();
    let digits = fs::read_to_string(&sample.digits).expect("the digits");
    let list = format!("key ID 3C116B76: {OTHER}\nkey ID {}: {digits}\n", sample.key_id);
    reveal("--recovery-key-file", &file(&folder, "list", &list), b"").exits(0);
    reveal("--recovery-key-file", &file(&folder, "list", utf16(&list)), b"").exits(0);
    let mislabelled = format!("Identifier: 11111111-2222-3333-4444-555555555555\n{digits}\n");
    reveal("--recovery-key-file", &file(&folder, "key", mislabelled), b"").exits(0);
}

#[test]
fn a_key_of_another_drive_is_named() {
    let folder = folder();
    let own = &sample().key_id[..8];
    let labelled = format!("Identifier: 3C116B76-C67B-484E-B439-CE2ED68B561E\nRecovery Key: {OTHER}\n");
    let said = reveal("--recovery-key-file", &file(&folder, "key", labelled), b"");
    said.exits(5).says("for another drive: it has key ID 3C116B76-C67B-484E-B439-CE2ED68B561E").says(own);
    let said = reveal("--recovery-key-file", &file(&folder, "key", OTHER), b"");
    said.exits(4).says(&format!("it does not open key ID {own}"));
    if let Some(images) = lastkey_tests::real_drives() {
        let bek = images.join("recovery_key.bek");
        reveal("--bek", &bek, b"").exits(4).says("no external key opens this drive");
        reveal("--recovery-key-file", &bek, b"").exits(4).says("give it with --bek");
        let drive = images.join("startup_key.bin");
        let said = lastkey!("protectors", drive, "--reveal", "--bek", bek);
        said.exits(5).says("the key file is for key ID 99B0081A, but this drive has key ID B3411A58");
    }
}

#[test]
fn wrong_files_are_told_apart() {
    let folder = folder();
    let sample = sample();
    let digits = fs::read_to_string(&sample.digits).expect("the digits");
    let last = if digits.ends_with('3') { '4' } else { '3' };
    let typo = format!("{}{last}", &digits[..digits.len() - 1]);
    for (option, bytes, why) in [
        ("--recovery-key-file", typo.as_bytes(), "group 8 is not divisible by 11"),
        ("--recovery-key-file", b"hello", "there is no recovery key in this file"),
        ("--recovery-key-file", b"", "there is no recovery key in this file"),
        ("--bek", b"hello, this is no key", "no external key file (.BEK)"),
        ("--bek", b"", "no external key file (.BEK)"),
        ("--vmk-file", b"", "written in hex digits"),
        ("--vmk-file", b"00112233", "64 hex digits, and here are 8"),
        ("--vmk-file", b"0x00", "written in hex digits"),
        ("--vmk-file", "7".repeat(64).as_bytes(), "the key is wrong: the drive does not open with it"),
        ("--fvek-file", b"00112233", "has 32 bytes, not 4"),
        ("--fvek-file", "7".repeat(64).as_bytes(), "first sector is no file system's"),
    ] {
        let path = file(&folder, "key", bytes);
        let said = run(&[&"protectors", &sample.drive, &"--reveal", &option, &path], b"");
        said.exits(4).says(why);
    }
    let missing = folder.path().join("missing");
    reveal("--password-file", &missing, b"").exits(12).says("there is no such file");
    reveal("--password-file", &folder.path(), b"").exits(1).says("this is a folder");
    let long = file(&folder, "long", vec![b'7'; 5 << 20]);
    reveal("--recovery-key-file", &long, b"").exits(4).says("too long to be a file with a key");
    let two = lastkey!("read", sample.drive, "--out", "x", "--bek", missing, "--vmk-file", missing);
    two.exits(2).says("cannot be used with");
}

#[test]
fn without_key_and_terminal_it_says_what_it_needs() {
    let said = lastkey!("protectors", sample().drive, "--reveal");
    said.exits(14).says("there is no terminal to ask").says("--recovery-key-file").says("password ");
    if let Some(images) = lastkey_tests::real_drives() {
        // Suspended: the key lies beside the lock.
        lastkey!("protectors", images.join("suspended.bin"), "--reveal").exits(0);
    }
}
