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

#[test]
fn what_waits_is_read_again_until_it_is_delivered() {
    let (_folder, accounts) = accounts();
    let account = account(&accounts);
    let (key, snapshot) = (record(Some("AC9D5655"), b"one"), record(None, b"two"));
    account.wait(key.clone()).expect("written");
    account.wait(snapshot.clone()).expect("written");
    assert_eq!(account.read_waiting(&key).expect("read"), b"one");
    let newer = record(Some("AC9D5655"), b"three");
    account.wait(newer.clone()).expect("written");
    assert_eq!(account.read_waiting(&newer).expect("read"), b"three");
    account.drop_waiting(&key).expect("it is not there any more");
    let left = |account: &Account| -> Vec<NewRecord> {
        account.waiting().expect("read").into_iter().map(|waiting| waiting.record).collect()
    };
    let mut there = left(&account);
    there.sort_by_key(|record| record.key_id.clone());
    assert_eq!(there, [snapshot.clone(), newer.clone()]);
    account.drop_waiting(&newer).expect("dropped");
    assert_eq!(left(&account), [snapshot]);
}

#[test]
fn what_a_crash_left_half_written_is_not_seen() {
    let (_folder, accounts) = accounts();
    let account = account(&accounts);
    account.wait(record(None, b"two")).expect("written");
    fs::write(account.folder().join("waiting/.new-abc.json"), "{\"rec").expect("written");
    assert_eq!(account.waiting().expect("read").len(), 1);
    fs::write(account.folder().join("waiting/other.json"), "{\"rec").expect("written");
    assert!(matches!(account.waiting(), Err(PlaceError::Damaged { .. })));
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
    account.wait(record(None, b"two")).expect("written");
    let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
    assert_eq!(mode(account.folder()), 0o700);
    assert_eq!(mode(&account.folder().join("waiting")), 0o700);
    for file in ["account.json", "device.key"] {
        assert_eq!(mode(&account.folder().join(file)), 0o600, "{file}");
    }
}
