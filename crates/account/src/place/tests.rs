use std::fs;

use super::*;
use crate::log::{Alarm, hex};
use crate::wire::{Inclusion, NewRecord, Receipt, RecordKind};

fn accounts() -> (tempfile::TempDir, Accounts) {
    let folder = tempfile::tempdir().expect("a folder");
    let accounts = Accounts::at(folder.path().join("accounts"));
    (folder, accounts)
}

fn about() -> About {
    let server = "https://localhost:4848".parse().expect("a server");
    let mut about = About::new(&server, &Trust::Pinned(vec![1, 2, 3]), "log+00000000+AQ==");
    about.account = "ada".to_owned();
    about.account_id = "account-1".to_owned();
    about.recipients = vec![recipient("a")];
    about
}

fn recipient(name: &str) -> Recipient {
    Recipient { recipient: format!("age1{name}"), name: name.to_owned() }
}

fn record(key_id: Option<&str>, sealed: &[u8]) -> NewRecord {
    NewRecord {
        kind: RecordKind::RecoveryKey,
        volume: "4967D63B-2E29-4AD8-8399-F6A339E3D001".to_owned(),
        key_id: key_id.map(str::to_owned),
        drive: "C:".to_owned(),
        proven: 1,
        recipients: vec!["age1a".to_owned()],
        sealed: STANDARD.encode(sealed),
    }
}

fn account(accounts: &Accounts) -> Account {
    accounts.add("ada", &about(), &DeviceKey::from_bytes(&Secret::new([7; 32]))).expect("added")
}

#[test]
fn what_was_added_is_there_again() {
    let (_folder, accounts) = accounts();
    assert!(accounts.names().expect("looked").is_empty());
    assert!(accounts.open("ada").expect("looked").is_none());
    let added = account(&accounts);
    let again = accounts.open("ada").expect("read").expect("there");
    assert_eq!(again.about(), added.about());
    assert_eq!(again.trust(), &Trust::Pinned(vec![1, 2, 3]));
    assert_eq!(again.key().public(), added.key().public());
    assert_eq!((again.name(), again.place().as_str()), ("ada", "ada at https://localhost:4848"));
    assert_eq!(accounts.names().expect("looked"), ["ada"]);
    assert!(matches!(accounts.add("ada", &about(), again.key()), Err(PlaceError::Taken { .. })));
    for name in ["", "..", "a/b", "a b", "é", &"a".repeat(65)] {
        assert!(matches!(accounts.add(name, &about(), again.key()), Err(PlaceError::Name { .. })), "{name}");
        assert!(accounts.open(name).expect("looked").is_none(), "{name}");
    }
    accounts.remove(again).expect("removed");
    assert!(accounts.names().expect("looked").is_empty());
}

#[test]
fn names_are_made_that_folders_can_have() {
    assert_eq!(
        ["ada", "ada@example.org", "", "../x"].map(name_of),
        ["ada", "ada-example-org", "account", "---x"]
    );
}

/// Lets a record wait, as one does that was read back and proven.
fn wait(account: &Account, record: &NewRecord) {
    account.lay_down(record).expect("written");
    account.wait(record).expect("it waits");
}

fn waiting(account: &Account) -> Vec<NewRecord> {
    let mut all: Vec<_> =
        account.waiting().expect("read").into_iter().map(|waiting| waiting.record).collect();
    all.sort_by_key(|record| record.key_id.clone());
    all
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").file_name());
    entries.map(|name| name.to_string_lossy().into_owned()).collect()
}

#[test]
fn what_is_proven_waits_until_it_is_delivered() {
    let (_folder, accounts) = accounts();
    let account = account(&accounts);
    let (key, snapshot) = (record(Some("AC9D5655"), b"one"), record(None, b"two"));
    wait(&account, &key);
    wait(&account, &snapshot);
    let newer = record(Some("AC9D5655"), b"three");
    account.lay_down(&newer).expect("written");
    assert_eq!(account.read_back(&newer).expect("read"), b"three");
    assert_eq!(waiting(&account), [snapshot.clone(), key.clone()], "the newer one is not proven yet");
    account.take_up(&newer).expect("taken away");
    assert!(account.wait(&newer).is_err(), "it does not lie there any more");
    assert_eq!(waiting(&account), [snapshot.clone(), key.clone()]);
    account.lay_down(&key).expect("written");
    assert!(account.wait(&newer).is_err(), "another one lies there");
    wait(&account, &newer);
    account.drop_waiting(&key).expect("it is not there any more");
    assert_eq!(waiting(&account), [snapshot.clone(), newer.clone()]);
    account.drop_waiting(&newer).expect("dropped");
    assert_eq!(waiting(&account), [snapshot]);
}

#[test]
fn a_crash_leaves_nothing_behind() {
    let (_folder, accounts) = accounts();
    let account = account(&accounts);
    wait(&account, &record(None, b"two"));
    account.lay_down(&record(Some("AC9D5655"), b"one")).expect("written");
    for half in ["waiting/.new-abc", "kept/.new-abc", ".new-abc"] {
        fs::write(account.folder().join(half), "{\"rec").expect("written");
    }
    assert_eq!(waiting(&account), [record(None, b"two")]);
    account.sweep();
    assert_eq!(waiting(&account), [record(None, b"two")]);
    assert_eq!(
        [names(&account.folder().join("waiting")).len(), names(&account.folder().join("kept")).len()],
        [1, 0]
    );
    assert!(!names(account.folder()).contains(&".new-abc".to_owned()));
}

#[test]
fn a_damaged_file_keeps_none_of_the_others_back() {
    let (_folder, accounts) = accounts();
    let account = account(&accounts);
    let path = |name: &str| account.folder().join(name);
    wait(&account, &record(None, b"two"));
    wait(&account, &record(Some("AC9D5655"), b"one"));
    let rotten = names(&path("waiting")).into_iter().find(|name| name.contains("AC9D5655")).expect("there");
    let rotten = path("waiting").join(rotten);
    let text = fs::read_to_string(&rotten).expect("text");
    // What can be read and is not what was proven is damaged as well.
    fs::write(&rotten, text.replace(&STANDARD.encode("one"), &STANDARD.encode("0ne"))).expect("written");
    fs::write(path("waiting/other.json"), "{\"rec").expect("written");
    fs::write(path("kept/other.json"), "").expect("written");
    fs::create_dir(path("kept/folder.json")).expect("made");
    assert_eq!(waiting(&account), [record(None, b"two")]);
    assert!(account.kept().expect("read").is_empty());
    let mut damaged: Vec<_> = account
        .damaged()
        .expect("read")
        .iter()
        .map(|error| error.path().expect("a file").to_owned())
        .collect();
    damaged.sort();
    let mut expected =
        vec![path("kept/folder.json"), path("kept/other.json"), rotten, path("waiting/other.json")];
    expected.sort();
    assert_eq!(damaged, expected);
    assert!(expected.iter().all(|file| file.exists()), "they are left as they are");
    // The same key backed up again takes the place of what is damaged.
    wait(&account, &record(Some("AC9D5655"), b"one"));
    assert_eq!(waiting(&account).len(), 2);
}

#[test]
fn damaged_evidence_is_an_alarm() {
    let (_folder, accounts) = accounts();
    let account = account(&accounts);
    fs::write(account.folder().join("evidence/0123.json"), "{").expect("written");
    let [alarm] = &account.evidence().expect("read")[..] else { panic!("one alarm") };
    assert!(alarm.why.contains("0123.json is damaged"), "{}", alarm.why);
}

#[test]
fn what_a_cut_off_logout_left_is_not_taken_over() {
    let (_folder, accounts) = accounts();
    let old = account(&accounts);
    old.keep_checkpoint("of another server").expect("kept");
    wait(&old, &record(None, b"two"));
    fs::write(old.folder().join("evidence/0123.json"), "{").expect("written");
    fs::remove_file(old.folder().join(ABOUT)).expect("removed");
    let new = account(&accounts);
    assert_eq!(new.checkpoint().expect("read"), None);
    assert!(waiting(&new).is_empty() && new.evidence().expect("read").is_empty());
}

#[test]
fn a_damaged_account_is_forgotten_unread() {
    let (_folder, accounts) = accounts();
    let folder = account(&accounts).folder().to_owned();
    fs::write(folder.join(ABOUT), "{").expect("written");
    assert!(matches!(accounts.open("ada"), Err(PlaceError::Damaged { .. })));
    accounts.remove_unread("ada").expect("removed");
    assert!(!folder.exists() && accounts.names().expect("looked").is_empty());
    assert!(matches!(accounts.remove_unread("../ada"), Err(PlaceError::Name { .. })));
}

#[test]
fn who_waited_for_the_lock_sees_what_the_other_has_done() {
    let (_folder, accounts) = accounts();
    let waits = account(&accounts);
    let mut other = accounts.open("ada").expect("read").expect("there");
    other.offer(vec![recipient("a"), recipient("bob")]).expect("kept");
    other.accept().expect("kept");
    let (account, _lock) = waits.lock().expect("nobody has it");
    assert_eq!(account.about().recipients.len(), 2);
}

#[test]
fn other_recipients_wait_for_the_person() {
    let (_folder, accounts) = accounts();
    let mut one = account(&accounts);
    assert!(one.offer(vec![recipient("a")]).expect("kept"));
    let more = vec![recipient("a"), recipient("mallory")];
    assert!(!one.offer(more.clone()).expect("kept"));
    let mut again = accounts.open("ada").expect("read").expect("there");
    assert_eq!(again.about().recipients, [recipient("a")]);
    assert_eq!(again.about().offered.as_ref(), Some(&more));
    again.accept().expect("kept");
    let mut again = accounts.open("ada").expect("read").expect("there");
    assert_eq!((again.about().recipients.as_slice(), &again.about().offered), (more.as_slice(), &None));
    assert!(again.offer(more.clone()).expect("kept"));
    let renamed = vec![Recipient { name: "Ada".to_owned(), ..more[0].clone() }, more[1].clone()];
    assert!(again.offer(renamed.clone()).expect("kept"));
    assert_eq!(again.about().recipients, renamed);
}

#[test]
fn receipts_and_evidence_are_kept() {
    let (_folder, accounts) = accounts();
    let account = account(&accounts);
    let inclusion = Inclusion { leaf: 1, hash: String::new(), path: Vec::new(), checkpoint: String::new() };
    let receipt = Receipt { record: hex(&[1; 32]), length: 3, uploaded: 9, entry: String::new(), inclusion };
    account.keep(&record(None, b"one"), b"one", receipt).expect("kept");
    let kept = account.kept().expect("read");
    assert_eq!((kept.len(), kept[0].length, kept[0].record.sealed.as_str()), (1, 3, ""));
    let alarm = Alarm {
        why: "it shrank".to_owned(),
        server: "https://localhost".to_owned(),
        seen: 5,
        log_key: String::new(),
        before: Some("1".to_owned()),
        after: "2".to_owned(),
        proof: None,
    };
    account.keep_evidence(&alarm).expect("kept");
    account.keep_evidence(&Alarm { seen: 6, ..alarm.clone() }).expect("kept");
    assert_eq!(account.evidence().expect("read"), [alarm]);
}

#[cfg(unix)]
#[test]
fn it_is_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let (_folder, accounts) = accounts();
    let account = account(&accounts);
    wait(&account, &record(None, b"two"));
    let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
    assert_eq!(mode(account.folder()), 0o700);
    assert_eq!(mode(&account.folder().join("waiting")), 0o700);
    for file in ["account.json", "device.key"] {
        assert_eq!(mode(&account.folder().join(file)), 0o600, "{file}");
    }
}
