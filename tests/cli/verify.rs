//! `lastkey verify`: exit code 0 only when every copy is proven.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::TempDir;

use crate::support::{file, folder, run, sample};

/// Keys of real drives.
const OTHER: &str = "284867-596541-514998-422114-660297-261613-215424-199408";
const OTHER_ID: &str = "3C116B76-C67B-484E-B439-CE2ED68B561E";

fn digits() -> String {
    fs::read_to_string(&sample().digits).expect("the digits")
}

fn labelled(folder: &TempDir, name: &str, keys: &[(&str, &str)]) -> PathBuf {
    let entries = keys.iter().map(|(id, digits)| format!("Identifier: {id}\r\nRecovery Key: {digits}\r\n"));
    file(folder, name, entries.collect::<String>())
}

/// Verifies one copy, and returns its report.
fn verify(copy: &Path, proven: bool) -> Value {
    let code = if proven { 0 } else { 13 };
    let said = lastkey!("verify", sample().drive, copy);
    said.exits(code).says(if proven { "proven" } else { "not proven" });
    let document = lastkey!("verify", sample().drive, copy, "--json").exits(code).json();
    assert_eq!((&document["proven"], &document["copies"][0]["proven"]), (&proven.into(), &proven.into()));
    document["copies"][0].clone()
}

#[test]
fn a_good_copy_is_proven_in_any_form() {
    let folder = folder();
    let (sample, digits) = (sample(), digits());
    for copy in [
        sample.copy.clone(),
        sample.digits.clone(),
        labelled(&folder, "one", &[(&sample.key_id, &digits)]),
        // A list of many drives' keys.
        labelled(&folder, "many", &[(OTHER_ID, OTHER), (&sample.key_id, &digits)]),
        file(&folder, "unlabelled", format!("{OTHER}\n{digits}\n")),
    ] {
        let report = verify(&copy, true);
        let keys = report["keys"].as_array().expect("a list");
        let good: Vec<_> = keys.iter().filter(|key| key["proven"] == true).collect();
        assert_eq!(good.len(), 1);
        assert_eq!(
            (good[0]["opens"].as_str(), good[0]["kind"].as_str()),
            (Some(sample.key_id.as_str()), Some("recovery-key"))
        );
        assert!(good[0]["error"].is_null() && report["error"].is_null());
    }
    let bytes = fs::read(&sample.copy).expect("the copy");
    run(&[&"verify", &sample.drive, &"-"], &bytes).exits(0).says("standard input");
}

#[test]
fn a_bad_copy_says_what_is_wrong_with_it() {
    let folder = folder();
    let (sample, digits) = (sample(), digits());
    let last = if digits.ends_with('3') { '4' } else { '3' };
    let typo = format!("{}{last}", &digits[..digits.len() - 1]);
    for (copy, kind, why) in [
        (
            labelled(&folder, "typo", &[(&sample.key_id, &typo)]),
            "wrong-key",
            "group 8 is not divisible by 11",
        ),
        (labelled(&folder, "other", &[(OTHER_ID, OTHER)]), "other-drive", "this one has key ID"),
        (labelled(&folder, "false", &[(&sample.key_id, OTHER)]), "wrong-key", "does not open key ID"),
        (labelled(&folder, "label", &[(OTHER_ID, &digits)]), "not-proven", "nobody would find it"),
        (
            // One that claims to be this drive's, and is not, spoils the good one beside it.
            labelled(&folder, "both", &[(&sample.key_id, &digits), (&sample.key_id, OTHER)]),
            "wrong-key",
            "does not open key ID",
        ),
    ] {
        let report = verify(&copy, false);
        let errors = report["keys"].as_array().expect("a list").iter().map(|key| &key["error"]);
        let error = errors.clone().find(|error| !error.is_null()).expect("an error");
        assert_eq!(error["kind"], kind, "{}", copy.display());
        lastkey!("verify", sample.drive, copy).says(why);
    }
    for (copy, kind) in [
        (file(&folder, "empty", ""), "not-proven"),
        (file(&folder, "text", "hello"), "not-proven"),
        (file(&folder, "long", vec![b'7'; 65 << 20]), "wrong-key"),
        (folder.path().join("missing"), "not-found"),
    ] {
        assert_eq!(verify(&copy, false)["error"]["kind"], kind);
    }
}

#[test]
fn one_bad_copy_among_good_ones_fails_and_a_reader_that_leaves_changes_nothing() {
    let (sample, folder) = (sample(), folder());
    let bad = labelled(&folder, "other", &[(OTHER_ID, OTHER)]);
    let said = lastkey!("verify", sample.drive, sample.copy, bad, sample.digits);
    said.exits(13);
    assert_eq!(said.out.lines().filter(|line| line.starts_with("proven")).count(), 2);
    let mut child = lastkey_tests::program::lastkey()
        .args(["verify".as_ref(), sample.drive.as_os_str(), sample.copy.as_os_str(), bad.as_os_str()])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("the program");
    drop(child.stdout.take());
    assert_eq!(child.wait().expect("it ends").code(), Some(13));
    lastkey!("verify", sample.drive).exits(2).says("COPY");
}

#[test]
fn external_keys_are_proven_on_real_drives() {
    let Some(images) = lastkey_tests::real_drives() else { return };
    for name in ["recovery_key", "startup_key"] {
        let (drive, bek) = (images.join(format!("{name}.bin")), images.join(format!("{name}.bek")));
        let said = lastkey!("verify", drive, bek, "--json");
        assert_eq!(said.exits(0).json()["copies"][0]["keys"][0]["kind"], "external-key");
    }
    lastkey!("verify", images.join("startup_key.bin"), images.join("recovery_key.bek"))
        .exits(13)
        .says("it is another drive's: this one has key ID B3411A58");
}
