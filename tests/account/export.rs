//! What is taken along opens without the server, and what is deleted is gone.

use std::io::{Cursor, Read};
use std::process::Command;

use lastkey_tests::lastkeyd::Lastkeyd;
use lastkey_tests::{known, real_drives, skip};
use recovery_key::Secret;

use crate::person::Computer;
use crate::visitor::{PASSWORD, Visitor};

const DRIVE: &str = "recovery_password.bin";
const PASSPHRASE: &str = "a passphrase for the drawer";

#[test]
fn stock_age_opens_what_was_exported_and_deleting_leaves_nothing() {
    let Some(drives) = real_drives() else { return };
    if Command::new("age").arg("--version").output().is_err() {
        return skip("age is not installed: apt-get install age");
    }
    let server = Lastkeyd::start(&[]);
    let (mut ada, computer) = (Visitor::new(&server), Computer::new());
    ada.make_account(&server, "Ada");
    ada.let_in(&computer, &server);
    computer.back_up(&drives.join(DRIVE)).exits(0);

    let refused = ada.post("/account/export", &[("passphrase", PASSPHRASE), ("password", "not my password")]);
    assert_eq!(refused.status, 422, "{}", refused.text());
    let file = ada.post("/account/export", &[("passphrase", PASSPHRASE), ("password", PASSWORD)]);
    assert_eq!(file.status, 200);
    let mut file = zip::ZipArchive::new(Cursor::new(file.bytes)).unwrap();
    let mut read = |name: &str| {
        let mut bytes = Vec::new();
        file.by_name(name).unwrap().read_to_end(&mut bytes).unwrap();
        bytes
    };
    let opener = sealed::Opener::Passphrase(Secret::new(PASSPHRASE.to_owned()));
    let identity = sealed::open(&read("identity.age"), &opener).unwrap();
    let identity = computer.file("identity", std::str::from_utf8(identity.expose()).unwrap());
    let index: serde_json::Value = serde_json::from_slice(&read("index.json")).unwrap();
    let lines = index["records"].as_array().unwrap();
    let digits = known::DRIVES.iter().find(|drive| drive.file == DRIVE).unwrap().recovery_passwords[0];
    let mut opened = Vec::new();
    for line in lines {
        let name = line["file"].as_str().unwrap();
        let sealed = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(sealed.path(), read(name)).unwrap();
        let said =
            Command::new("age").arg("-d").arg("-i").arg(&identity).arg(sealed.path()).output().unwrap();
        assert!(said.status.success(), "{name}: {}", String::from_utf8_lossy(&said.stderr));
        opened.push(String::from_utf8(said.stdout).unwrap());
    }
    // The key, as a person reads it, and the drive's metadata.
    assert_eq!(opened.len(), 2);
    assert!(opened.iter().any(|text| text.contains(digits)));

    // What is deleted is gone, and the log still holds.
    let wrong = ada.post("/account/delete", &[("name", "Bob"), ("password", PASSWORD)]);
    assert_eq!(wrong.status, 422, "{}", wrong.text());
    let gone = ada.post("/account/delete", &[("name", "Ada"), ("password", PASSWORD)]);
    assert!(gone.status == 200 || gone.status == 303, "{}", gone.text());
    assert_eq!(ada.get("/account").status, 303);
    let said = computer.back_up(&drives.join(DRIVE));
    assert!(said.code != 0 && !said.out.contains("proven"), "{}{}", said.out, said.err);
    let database = std::fs::read(server.data().join("lastkeyd.sqlite")).unwrap();
    assert!(memchr::memmem::find(&database, b"age-encryption.org").is_none());
    let checked = server.command(&["check"]);
    let said = String::from_utf8_lossy(&checked.stdout).into_owned();
    assert!(checked.status.success() && said.contains("erased"), "{said}");
}
