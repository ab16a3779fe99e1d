//! What is taken along opens without the server, and what is deleted is gone.

use std::io::{Cursor, Read};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lastkey_tests::browser::{DESKTOP, What, browser};
use lastkey_tests::lastkeyd::Lastkeyd;
use lastkey_tests::visitor::{PASSWORD, Visitor};
use lastkey_tests::{known, open, real_drives, skip};
use recovery_key::Secret;

use crate::person::{Computer, Person, assert_kept_to_itself, assert_quiet};

const DRIVE: &str = "recovery_password.bin";
const PASSPHRASE: &str = "a passphrase for the drawer";
/// How long what was deleted may still be there.
const PATIENCE: Duration = Duration::from_secs(30);

#[test]
fn stock_age_opens_what_was_exported_and_deleting_leaves_nothing() {
    let Some(drives) = real_drives() else { return };
    if Command::new("age").arg("--version").output().is_err() {
        return skip("age is not installed: apt-get install age");
    }
    let server = Lastkeyd::start(&[]);
    let (mut ada, computer) = (Visitor::new(&server), Computer::new());
    ada.make_account(&server, "Ada");
    computer.sign_in(&server, &mut ada);
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

    // All that is in the file is explained in it.
    let names: Vec<String> = file.file_names().map(|name| name.unwrap().into_owned()).collect();
    let mut read_me = String::new();
    file.by_name("READ-ME.txt").unwrap().read_to_string(&mut read_me).unwrap();
    for name in names.iter().filter(|name| !name.starts_with("records/") && *name != "READ-ME.txt") {
        assert!(read_me.contains(&format!("\n  {name} ")), "{name} is not in READ-ME");
    }
    assert_eq!(names.len(), 8 + lines.len(), "{names:?}");

    // What is deleted is gone, and the log still holds.
    let wrong = ada.post("/account/delete", &[("name", "Bob"), ("password", PASSWORD)]);
    assert_eq!(wrong.status, 422, "{}", wrong.text());
    let gone = ada.post("/account/delete", &[("name", "Ada"), ("password", PASSWORD)]);
    assert!(gone.status == 200 || gone.status == 303, "{}", gone.text());
    assert_eq!(ada.get("/account").status, 303);
    let said = computer.back_up(&drives.join(DRIVE));
    assert!(said.code != 0 && !said.out.contains("proven"), "{}{}", said.out, said.err);
    let key_id = lines.iter().find_map(|line| line["key_id"].as_str()).unwrap();
    // It is overwritten when the server has nothing else to do.
    let begun = Instant::now();
    while let Some(found) = left(&server.data(), &["age-encryption.org", "Ada's laptop", key_id]) {
        assert!(begun.elapsed() < PATIENCE, "{found}");
        std::thread::sleep(Duration::from_millis(100));
    }
    let checked = server.command(&["check"]);
    let said = String::from_utf8_lossy(&checked.stdout).into_owned();
    assert!(checked.status.success() && said.contains("erased"), "{said}");
}

/// Says which of some texts is still in a file of a folder.
fn left(folder: &Path, texts: &[&str]) -> Option<String> {
    let files = files(folder);
    assert!(files.iter().any(|file| file.ends_with("lastkeyd.sqlite")), "{files:?}");
    files.iter().find_map(|file| {
        let bytes = std::fs::read(file).unwrap_or_default();
        let found = texts.iter().find(|text| memchr::memmem::find(&bytes, text.as_bytes()).is_some());
        found.map(|text| format!("{text} is in {}", file.display()))
    })
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

#[test]
fn the_metadata_of_a_drive_is_found_beside_its_key_and_comes_as_a_file() {
    let Some(drives) = real_drives() else { return };
    let server = Lastkeyd::start(&[]);
    let (mut ada, computer) = (Visitor::new(&server), Computer::new());
    ada.make_account(&server, "Ada");
    computer.sign_in(&server, &mut ada);
    let drive = drives.join(DRIVE);
    computer.back_up(&drive).exits(0);
    let key = ada.first_record();
    let page = ada.get(&format!("/keys/{key}")).text();
    let (before, _) = page.split_once("\">The drive\u{2019}s metadata</a>").unwrap();
    let metadata = before.rsplit_once("/keys/").unwrap().1.to_owned();
    assert_ne!(metadata, key);
    let page = ada.get(&format!("/keys/{metadata}")).text();
    assert!(page.contains("<h1>Metadata ") && page.contains("--snapshot FILE"), "{page}");
    let saved = ada.reveal(&metadata);
    assert_eq!(saved.status, 200, "{}", saved.text());
    let snapshot = fve::Snapshot::parse(&saved.bytes).unwrap();
    assert_eq!(snapshot, open(&drive).snapshot().unwrap());
    // No page has it: only the answer to who has shown once more who they are.
    let encoded = STANDARD.encode(&saved.bytes[..300]);
    for page in [format!("/keys/{metadata}"), format!("/keys/{key}"), "/".to_owned(), "/history".to_owned()] {
        let text = ada.get(&page).text();
        assert!(!text.contains("data:application") && !text.contains(&encoded), "{page}");
    }
    assert!(ada.get("/history").text().contains("metadata of "));
}

#[test]
fn a_passkey_saves_a_file_and_the_page_is_ready_for_another() {
    let Some(drives) = real_drives() else { return };
    let server = Lastkeyd::start(&[]);
    let Some(browser) = browser(&[(&server.host(), &server.fingerprint())]) else { return };
    let mut ada = Person::new(browser.page(DESKTOP), "Ada", PASSWORD);
    ada.page.authenticator(true);
    ada.page.open(&server.welcome());
    ada.make_account();
    ada.page.click(What::Role("link", "I have it on paper"));
    ada.go_to("Account");
    ada.page.click(What::Css("summary:text-is('Add a passkey')"));
    ada.page.fill("What to call it", "My phone");
    ada.type_password();
    ada.page.click(What::Role("button", "Add a passkey"));
    ada.page.wait(What::Css("strong:text-is('My phone')"));
    let computer = Computer::new();
    let login = computer.log_in(&server);
    ada.let_in(&login.code, |_| {});
    login.wait();
    computer.back_up(&drives.join(DRIVE)).exits(0);

    ada.page.open(&server.url("/"));
    ada.page.click(What::Css("h2 a"));
    ada.page.click(What::Role("link", "The drive\u{2019}s metadata"));
    ada.page.wait(What::Role("button", "Save the file"));
    let page = ada.page.url();
    for reason in ["once", "once more"] {
        ada.page.fill("Why is it needed?", reason);
        let file = computer.file("saved", "");
        let passkey = What::Role("button", "Use a passkey instead of the password");
        let name = ada.page.download(passkey, &file);
        assert!(name.starts_with("BitLocker Metadata ") && name.ends_with(".fve"), "{name}");
        fve::Snapshot::parse(&std::fs::read(file).unwrap()).unwrap();
        // What was shown is gone from the page as soon as it was sent.
        ada.page.wait(What::Css("button[data-show]:not([disabled])"));
        assert_eq!((ada.page.url(), ada.page.evaluate(SHOWN)), (page.clone(), "".into()));
    }
    ada.go_to("History");
    for reason in ["once", "once more"] {
        assert!(ada.page.text().contains(&format!(": {reason}")), "{}", ada.page.text());
    }
    assert_quiet(&ada);
    assert_kept_to_itself(&ada, &server);
}

/// What the form still has of a passkey.
const SHOWN: &str = "['ceremony', 'passkey', 'prf'].map((name) => document.querySelector(`form [name=${name}]`).value).join('')";
