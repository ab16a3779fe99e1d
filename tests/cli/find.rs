//! `lastkey find`: in which file is the key that opens this drive?

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Stdio;

use lastkey_tests::program;
use serde_json::Value;
use tempfile::TempDir;

use crate::support::{Said, file, folder, interrupt, run_revealing, sample};

/// Keys of real drives.
const OTHER: &str = "284867-596541-514998-422114-660297-261613-215424-199408";
const OTHER_ID: &str = "3C116B76-C67B-484E-B439-CE2ED68B561E";

fn digits() -> String {
    fs::read_to_string(&sample().digits).expect("the digits")
}

fn utf16(text: &str) -> Vec<u8> {
    format!("\u{feff}{text}").encode_utf16().flat_map(u16::to_le_bytes).collect()
}

/// A folder with the sample drive's key in three forms, another drive's, and much else.
fn full() -> TempDir {
    let folder = folder();
    let (sample, digits) = (sample(), digits());
    fs::create_dir(folder.path().join("in a folder")).expect("made");
    file(
        &folder,
        "in a folder/BitLocker-Schlüssel.TXT",
        utf16(&format!("{}\r\n\r\n\t{digits}\r\n", sample.key_id)),
    );
    file(
        &folder,
        "export.json",
        format!(r#"{{"id":"{}","deviceId":"{OTHER_ID}","key":"{digits}"}}"#, sample.key_id),
    );
    file(&folder, "note", digits.replace('-', " "));
    file(&folder, "list.csv", format!("Key ID,Key\n{OTHER_ID},{OTHER}\n"));
    for n in 0..50 {
        file(&folder, &format!("{n}.txt"), "nothing of the kind\n".repeat(n));
    }
    folder
}

/// Searches and returns the document.
fn find(folder: &Path, more: &[&str], code: i32) -> Value {
    let mut arguments: Vec<&dyn AsRef<std::ffi::OsStr>> = vec![&"find", &"--in", &folder, &"--json"];
    arguments.extend(more.iter().map(|argument| argument as &dyn AsRef<std::ffi::OsStr>));
    crate::support::run(&arguments, b"").exits(code).json()
}

fn path(text: &Path) -> &str {
    text.to_str().expect("a plain path")
}

#[test]
fn the_key_of_a_drive_is_found_in_every_form_and_proven() {
    let (folder, sample) = (full(), sample());
    let document = find(folder.path(), &["--drive", path(&sample.drive)], 0);
    let keys = document["keys"].as_array().expect("a list");
    assert_eq!((keys.len(), &document["other_keys"], &document["drives"]), (1, &1.into(), &1.into()));
    assert_eq!(keys[0]["key_id"], sample.key_id.as_str());
    let variant = &keys[0]["variants"][0];
    assert_eq!(variant["copies"].as_array().map(Vec::len), Some(3));
    assert_eq!(variant["opens"][0]["key_id"], sample.key_id.as_str());
    assert!(variant["revealed"].is_null());
    assert_eq!((&document["interrupted"], &document["files"]), (&false.into(), &54.into()));
    let said = lastkey!("find", sample.drive, "--in", folder.path());
    said.exits(0)
        .says("opens")
        .says("proven")
        .says("BitLocker-Schlüssel.TXT")
        .says("3 copies of the same key");
    let said = run_revealing(&[&"find", &sample.drive, &"--in", &folder.path(), &"--reveal"], b"");
    said.exits(0).says(&digits());
}

#[test]
fn a_key_id_is_looked_for_by_as_much_of_it_as_is_known() {
    let (folder, sample) = (full(), sample());
    for id in [&OTHER_ID[..8], &format!("{{{}}}", OTHER_ID.to_lowercase()), OTHER_ID] {
        let document = find(folder.path(), &[id], 0);
        assert_eq!(document["keys"].as_array().map(Vec::len), Some(1));
        assert_eq!(document["keys"][0]["key_id"], OTHER_ID);
        assert_eq!(document["keys"][0]["variants"][0]["opens"].as_array().map(Vec::len), Some(0));
    }
    find(folder.path(), &["DEADBEEF"], 12);
    let all = find(folder.path(), &[], 0);
    assert_eq!(all["keys"].as_array().map(Vec::len), Some(2));
    lastkey!("find", sample.key_id, "--in", folder.path()).exits(0).says(&sample.key_id[..8]);
    // A key that is another drive's is no key of this one.
    let lonely = crate::support::folder();
    file(&lonely, "other", format!("{OTHER_ID}\n{OTHER}\n"));
    lastkey!("find", sample.drive, "--in", lonely.path()).exits(12).says("The key was not found.");
}

#[test]
fn conflicts_mislabels_and_slips_are_told() {
    let (folder, sample, digits) = (folder(), sample(), digits());
    file(&folder, "good", format!("{}\n{digits}\n", sample.key_id));
    file(&folder, "bad", format!("{}\n{OTHER}\n", sample.key_id));
    file(&folder, "mislabelled", format!("{OTHER_ID}\n{digits}\n"));
    let last = if digits.ends_with('3') { '4' } else { '3' };
    file(&folder, "slip", format!("{}\n{}{last}\n", sample.key_id, &digits[..digits.len() - 1]));
    let drive = path(&sample.drive);
    let document = find(folder.path(), &["--drive", drive], 0);
    let key = &document["keys"][0];
    assert_eq!((&key["conflict"], key["variants"].as_array().map(Vec::len)), (&true.into(), Some(2)));
    let variants = key["variants"].as_array().expect("a list");
    let good = variants.iter().find(|variant| variant["opens"][0].is_object()).expect("one that opens");
    let bad = variants.iter().find(|variant| variant["fails"][0].is_object()).expect("one that does not");
    assert_eq!(bad["fails"][0]["error"]["kind"], "wrong-key");
    assert_eq!(good["also_under"][0], OTHER_ID);
    assert_eq!(document["wrong"][0]["problem"], "group 8 is not divisible by 11");
    // Under another key ID it is tried only when told to.
    assert_eq!(document["untried"], 1);
    let all = find(folder.path(), &["--drive", drive, "--try-all"], 0);
    assert_eq!((all["keys"].as_array().map(Vec::len), &all["untried"]), (Some(2), &0.into()));
    lastkey!("find", drive, "--in", folder.path(), "--try-all").exits(0).says("mislabelled").says("conflict");
}

#[test]
fn many_keys_without_key_id_are_tried_only_when_told_to() {
    let (folder, sample) = (folder(), sample());
    let others: String = (1..12_u8)
        .map(|n| {
            let bytes: [u8; 16] = std::array::from_fn(|at| n.wrapping_mul(17).wrapping_add(at as u8 * 13));
            let key = recovery_key::RecoveryPassword::from_bytes(recovery_key::Secret::new(bytes));
            format!("{}\n\n", key.digits().expose())
        })
        .collect();
    file(&folder, "list", format!("{others}{}\n", digits()));
    let drive = path(&sample.drive);
    assert_eq!(find(folder.path(), &["--drive", drive], 12)["untried"], 12);
    let document = find(folder.path(), &["--drive", drive, "--try-all"], 0);
    assert_eq!(document["keys"][0]["variants"][0]["opens"][0]["key_id"], sample.key_id.as_str());
    lastkey!("find", drive, "--in", folder.path()).exits(12).says("--try-all");
}

#[test]
fn external_keys_open_real_drives() {
    let Some(images) = lastkey_tests::real_drives() else { return };
    let folder = folder();
    for name in ["recovery_key", "startup_key"] {
        fs::copy(images.join(format!("{name}.bek")), folder.path().join(format!("{name}.renamed")))
            .expect("a copy");
    }
    let document = find(folder.path(), &["--drive", path(&images.join("recovery_key.bin"))], 0);
    assert_eq!(document["keys"][0]["kind"], "external-key");
    assert!(
        path(Path::new(document["keys"][0]["variants"][0]["copies"][0]["path"].as_str().expect("a path")))
            .ends_with("recovery_key.renamed")
    );
    assert_eq!(document["other_keys"], 1);
}

#[test]
fn what_is_not_searched_is_counted() {
    let folder = folder();
    file(&folder, "a.kdbx", b"\x03\xd9\xa2\x9a\x67\xfb\x4b\xb5\0\0\x04\0");
    file(&folder, "b.age", b"age-encryption.org/v1\n");
    file(&folder, "c.7z", b"7z\xbc\xaf\x27\x1c");
    std::os::unix::fs::symlink("..", folder.path().join("up")).expect("a link");
    let document = find(folder.path(), &[], 12);
    let mut why: Vec<_> = document["unread"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|u| u["why"].as_str().expect("a word"))
        .collect();
    why.sort();
    assert_eq!(why, ["archive", "link", "sealed-age", "sealed-keepass"]);
    lastkey!("find", "--in", folder.path()).exits(12).says("No recovery key was found.").says("KeePass");
    lastkey!("find", "--in", folder.path().join("missing")).exits(12).says("there is no such file or folder");
    lastkey!("find", "/no/such/drive", "--in", folder.path()).exits(12);
    // A name that is both is asked back.
    let said = std::process::Command::new(program::lastkey().get_program())
        .args(["find", "ABCDEF12", "--in", "."])
        .current_dir({
            file(&folder, "ABCDEF12", "");
            folder.path()
        })
        .output()
        .expect("the program");
    Said::of(said).exits(2).says("is a key ID, and also a file");
}

#[test]
fn a_folder_without_rights_is_counted_and_passed_over() {
    use std::os::unix::fs::PermissionsExt;
    let folder = folder();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("rights");
    let locked = folder.path().join("locked");
    fs::create_dir(&locked).expect("made");
    fs::set_permissions(&locked, fs::Permissions::from_mode(0o700)).expect("rights");
    file(&folder, "key", OTHER);
    let said = crate::support::as_nobody(&[&"find", &"--in", &folder.path(), &"--json"]);
    // Run by somebody who is not root, the folder is their own.
    if crate::support::is_root() {
        assert_eq!(said.exits(0).json()["unread"][0]["why"], "not-permitted");
    }
}

#[test]
fn ctrl_c_tells_what_was_found_so_far() {
    let folder = folder();
    // A key, and then nothing, for longer than anybody waits.
    let large = file(&folder, "large", format!("{OTHER_ID}\n{OTHER}\n"));
    fs::File::options().append(true).open(large).and_then(|large| large.set_len(1 << 40)).expect("a hole");
    let mut child = program::lastkey()
        .args(["find", "--largest", "9999999", "--in"])
        .arg(folder.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program");
    let mut lines = BufReader::new(child.stderr.take().expect("piped")).lines().map_while(Result::ok);
    assert!(lines.any(|line| line.starts_with("Searching")));
    interrupt(&child);
    let rest: Vec<_> = lines.collect();
    let said = Said::of(child.wait_with_output().expect("it ends"));
    said.exits(130).says(&OTHER_ID[..8]).assert_no_secret();
    assert!(rest.iter().any(|line| line.contains("interrupted")), "{rest:?}");
}
