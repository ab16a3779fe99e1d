//! What a device does with a real server: one that was away, one whose account got other recipients, one that was
//! restored from an older copy, and one that is told of all kinds of drives.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::thread;

use account::Session;
use account::wire::{NewRecord, RecordKind};
use age::x25519::Identity;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fve::{BOOT_BLOCK, FileTime, Front, Layout, Method, NewProtector, NewVolume, SectorSize};
use lastkey_tests::lastkeyd::Lastkeyd;
use lastkey_tests::made::Form;
use lastkey_tests::visitor::Visitor;
use lastkey_tests::{Image, open};
use recovery_key::Secret;

use super::Computer;
use crate::support::{Said, file, folder, names, sample};

impl Computer {
    /// Signs in to a server, as the account `home`.
    fn log_in(&self, server: &Lastkeyd, owner: &mut Visitor) {
        let mut process = self
            .command()
            .args(["account", "login", &server.url(""), "--name", "home", "--device", "laptop"])
            .args(["--fingerprint", &server.fingerprint()])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let lines = BufReader::new(process.stderr.take().expect("piped")).lines();
        let mut lines = lines.map_while(Result::ok).map(|line| line.trim().to_owned());
        let is_code = |line: &String| line.len() == 9 && line.chars().nth(4) == Some('-');
        owner.confirm(&lines.find(is_code).expect("a code"));
        // It goes on talking.
        thread::spawn(move || lines.for_each(drop));
        Said::of(process.wait_with_output().expect("the program ends")).exits(0).says("signed in");
    }
}

/// A server, its owner, and a computer that is let in.
fn signed_in() -> (Lastkeyd, Visitor, Computer) {
    let (server, computer) = (Lastkeyd::start(&[]), Computer::new());
    let mut owner = Visitor::new(&server);
    owner.make_account(&server, "ada");
    computer.log_in(&server, &mut owner);
    (server, owner, computer)
}

fn account_status(computer: &Computer, code: i32) -> serde_json::Value {
    computer.run(&[&"account", &"status", &"--json"]).exits(code).json()["accounts"][0].clone()
}

#[test]
fn what_waited_is_a_backup_when_the_server_is_back_and_has_it() {
    let (mut server, _owner, computer) = signed_in();
    computer.run(&[&"account", &"status"]).exits(0).says("in reach").says("seals to").says("\"laptop\"");
    let fresh = account_status(&computer, 0);
    assert_eq!((&fresh["reachable"], &fresh["kept"]), (&true.into(), &0.into()));
    assert_eq!(fresh["fingerprint"], server.fingerprint());

    assert!(server.end(), "{}", server.log());
    let said = computer.back_up(&["account".as_ref()], false);
    said.exits(20).says("waiting, not backed up yet").says("nothing listens there");
    computer.run(&[&"account", &"send"]).exits(20).says("cannot be reached");
    computer.run(&[&"account", &"status"]).exits(20).says("waiting").says("nothing listens there");
    computer.run(&[&"status", &sample().drive, &"--check"]).exits(19).says("waiting, not backed up yet");

    server.start_again();
    let waits = account_status(&computer, 20);
    assert_eq!((&waits["reachable"], waits["waiting"].as_array().map(Vec::len)), (&true.into(), Some(2)));
    let sent = computer.run(&[&"account", &"send", &"--json"]).exits(0).json();
    let records = sent["records"].as_array().expect("records");
    assert!(records.len() == 2 && records.iter().all(|record| record["delivered"] == true), "{sent}");
    assert_eq!(sent["waiting"], 0);
    let there = account_status(&computer, 0);
    assert_eq!((&there["kept"], there["waiting"].as_array().map(Vec::len)), (&2.into(), Some(0)));
    assert!(there["log_size"].as_u64().is_some_and(|size| size >= 2), "{there}");
    assert_eq!(names(&computer.path("data/accounts/home/kept")).len(), 2);
    computer.run(&[&"status", &sample().drive, &"--check"]).exits(0);
    computer.run(&[&"account", &"send"]).exits(0).says("Nothing waits");
    Said::of(server.command(&["check"])).exits(0);
}

#[test]
fn nothing_is_sent_until_the_person_has_accepted_the_recipients() {
    let (mut server, mut owner, computer) = signed_in();
    assert!(server.end(), "{}", server.log());
    computer.back_up(&["account".as_ref()], false).exits(20);
    server.start_again();
    let safe = Identity::generate().to_public().to_string();
    owner.add_recipient(&safe, "paper in the safe");

    computer.run(&[&"account", &"send"]).exits(20).says("others now than those you confirmed");
    computer.back_up(&["account".as_ref()], false).exits(1).says("lastkey account accept");
    computer.run(&[&"account", &"status"]).exits(20).says("others now").says("lastkey account accept home");
    let offered = account_status(&computer, 20)["offered"].to_string();
    assert!(offered.contains(&safe), "{offered}");
    assert_eq!(names(&computer.path("data/accounts/home/kept")), Vec::<String>::new());

    computer.run(&[&"account", &"accept"]).exits(2).says(&safe).says("--yes");
    let accepted = computer.run(&[&"account", &"accept", &"--yes", &"--json"]).exits(0).json();
    assert_eq!(accepted["accepted"], true);
    assert!(accepted["recipients"].to_string().contains(&safe), "{accepted}");
    // What waits is sealed to those of before.
    computer.run(&[&"account", &"send"]).exits(20).says("back the drive up again");
    assert_eq!(names(&computer.path("data/accounts/home/kept")), Vec::<String>::new());
    computer.back_up(&["account".as_ref()], false).exits(0).says("backed up and proven");
    let there = account_status(&computer, 0);
    assert_eq!((&there["kept"], &there["offered"]), (&2.into(), &serde_json::Value::Null));
}

fn copy_files(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for name in names(from) {
        fs::copy(from.join(&name), to.join(&name)).expect("a copy");
    }
}

#[test]
fn a_server_that_was_restored_from_an_older_copy_is_an_alarm_until_a_new_login() {
    let (mut server, mut owner, computer) = signed_in();
    assert!(server.end(), "{}", server.log());
    let older = folder();
    copy_files(&server.data(), older.path());
    server.start_again();
    computer.back_up(&["account".as_ref()], false).exits(0);
    assert!(server.end(), "{}", server.log());
    fs::remove_dir_all(server.data()).expect("removed");
    copy_files(older.path(), &server.data());
    server.start_again();

    let said = computer.back_up(&["account".as_ref()], false);
    said.exits(21).says("ALARM").says("it shrank").says("restored from an older backup").says("the evidence");
    said.says("lastkey account logout home --force");
    said.says(&format!("lastkey account login {}", server.url("")));
    assert!(!said.out.contains("backed up and proven"), "{}", said.out);
    computer.run(&[&"account", &"send"]).exits(21).says("ALARM").says("logout home --force");
    computer.run(&[&"account", &"status"]).exits(21).says("ALARM").says("If it was not");
    let alarmed = account_status(&computer, 21);
    assert_eq!(alarmed["after_alarm"].as_array().map(Vec::len), Some(4), "{alarmed}");
    assert!(alarmed["alarms"].to_string().contains("it shrank"), "{alarmed}");
    computer.run(&[&"account", &"check-in", &sample().drive]).exits(21);

    // The way on that it names.
    computer.run(&[&"account", &"logout"]).exits(20).says("--force");
    computer.run(&[&"account", &"logout", &"home", &"--force"]).exits(0);
    computer.log_in(&server, &mut owner);
    computer.back_up(&["account".as_ref()], false).exits(0).says("backed up and proven");
    account_status(&computer, 0);
}

/// Makes a drive that its password alone opens.
fn without_recovery_key(like: &[u8], path: &Path) -> PathBuf {
    const BOOT_COPY: u64 = 0xb_0000;
    let password = Secret::new("a password".to_owned());
    let volume = NewVolume {
        method: Method::AesXts128,
        sector_size: SectorSize::B512,
        label: "KEYLESS",
        now: FileTime::from_unix(1_795_000_000, 0),
        layout: Layout {
            metadata: [0x3_0000, 0x6_0000, 0xa_0000],
            boot_copy: BOOT_COPY,
            reserved: BOOT_COPY + BOOT_BLOCK,
        },
        front: Front::Standard { sectors_per_cluster: 8 },
        protectors: &[NewProtector::Password(&password)],
    };
    let out = Image::create(path, like.len() as u64).expect("an image file");
    volume.write(&like.to_vec(), &out, |_| ()).expect("a volume");
    path.to_owned()
}

#[test]
fn a_check_in_says_what_is_kept_missing_stale_and_without_a_key() {
    let (_server, _owner, computer) = signed_in();
    computer.back_up(&["account".as_ref()], false).exits(0);
    let (drive, kept) = (&sample().drive, sample().key_id[..8].to_owned());
    computer.run(&[&"account", &"check-in", drive]).exits(0).says("kept").says(&kept);

    // A record of a key that the drive had once.
    let gone = "0BADCAFE-292E-4AD8-8399-F6A339E3D001";
    let session = Session::begin(computer.account("home")).expect("a session");
    let recipients: Vec<_> =
        session.account().about().recipients.iter().map(|to| to.recipient.clone()).collect();
    let sealed =
        sealed::Seal::to_recipients(&recipients).expect("recipients").seal(&[7; 300]).expect("sealed");
    let record = NewRecord {
        kind: RecordKind::RecoveryKey,
        volume: open(drive).id().to_string().to_uppercase(),
        key_id: Some(gone.to_owned()),
        drive: "C:".to_owned(),
        proven: 1_700_000_000,
        recipients,
        sealed: STANDARD.encode(sealed),
    };
    session.deliver(&record).expect("delivered");
    drop(session);
    computer.run(&[&"account", &"check-in", drive]).exits(0).says("kept").says("stale").says(&gone[..8]);
    let said = computer.run(&[&"account", &"check-in", drive, &"--json"]).exits(0).json();
    assert_eq!(said["stale"], serde_json::json!([gone]));
    assert_eq!((&said["missing"], &said["without_key"]), (&serde_json::json!([]), &serde_json::json!([])));
    assert_eq!(said["drives"][0]["protection"], "on");

    // Drives that the account knows nothing of.
    let place = folder();
    let form = Form {
        method: Method::AesXts128,
        sector_size: SectorSize::B512,
        to_go: false,
        inside: "NTFS",
        password: "another password",
    };
    let made = form.make(place.path());
    let keyless = without_recovery_key(&made.plain, &place.path().join("keyless"));
    computer.run(&[&"account", &"check-in", &made.path]).exits(19).says("missing").says("no record of it");
    computer.run(&[&"account", &"check-in", &keyless]).exits(19).says("no recovery key at all");
    let said =
        computer.run(&[&"account", &"check-in", drive, &made.path, &keyless, &"--json"]).exits(19).json();
    let missing = said["drives"][1]["key_ids"].clone();
    assert_eq!((missing.as_array().map(Vec::len), &said["missing"]), (Some(1), &missing));
    let volume = open(&keyless).id().to_string().to_uppercase();
    assert_eq!(said["without_key"], serde_json::json!([volume]));
    assert_eq!(said["stale"], serde_json::json!([gone]));
    // What was missing is kept after a backup, and the drive without a key is still one.
    let password = file(&place, "password", "another password");
    computer.run(&[&"backup", &made.path, &"--password-file", &password, &"--to", &"account"]).exits(0);
    computer.run(&[&"account", &"check-in", drive, &made.path]).exits(0).says("kept");
}
