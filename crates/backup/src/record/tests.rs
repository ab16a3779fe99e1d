use recovery_key::KeyId;
use tempfile::TempDir;

use super::*;

const DAY: i64 = 86_400;

fn record() -> (TempDir, Record) {
    let folder = tempfile::tempdir().expect("a folder");
    let record = Record::open(&folder.path().join("a/record.db")).expect("a record");
    (folder, record)
}

fn volume(n: u128) -> Uuid {
    Uuid::from_u128(n)
}

/// Notes a copy of a volume's key; it lies on another volume, or on none.
fn copy(record: &Record, of: u128, on: Option<u128>, proven: Option<i64>) {
    record
        .0
        .execute(
            "INSERT INTO copy (volume, key_id, content, kind, place, lies_on, saved, proven)
             VALUES (?1, ?2, 'recovery-key', 'file', ?3, ?4, 1, ?5)",
            params![
                volume(of).to_string(),
                KeyId::from(volume(of)).to_string(),
                format!("{on:?} {proven:?}"),
                on.map(|on| volume(on).to_string()),
                proven
            ],
        )
        .expect("noted");
}

#[test]
fn a_drive_whose_key_lies_elsewhere_opens() {
    let (_folder, record) = record();
    copy(&record, 2, None, Some(1));
    assert!(record.opens_without(volume(2), volume(1)).expect("read"));
    assert!(!record.opens_without(volume(3), volume(1)).expect("read"), "no copy is known");
}

#[test]
fn a_copy_that_was_never_proven_or_failed_later_opens_nothing() {
    let (_folder, mut record) = record();
    copy(&record, 2, None, None);
    assert!(!record.opens_without(volume(2), volume(1)).expect("read"));
    let id = record.copies(volume(2)).expect("read")[0].id;
    record.tried(id, Ok(()), DAY).expect("noted");
    assert!(record.opens_without(volume(2), volume(1)).expect("read"));
    record.tried(id, Err("gone"), 2 * DAY).expect("noted");
    assert!(!record.opens_without(volume(2), volume(1)).expect("read"));
    let copy = &record.copies(volume(2)).expect("read")[0];
    assert_eq!((copy.proven, copy.failed.clone()), (Some(DAY), Some((2 * DAY, "gone".to_owned()))));
}

#[test]
fn chains_and_cycles_are_followed_to_their_end() {
    let (_folder, record) = record();
    copy(&record, 2, Some(1), Some(1));
    assert!(!record.opens_without(volume(2), volume(1)).expect("read"), "only on the locked drive");
    copy(&record, 3, Some(2), Some(1));
    copy(&record, 2, Some(3), Some(1));
    assert!(!record.opens_without(volume(3), volume(1)).expect("read"), "2 and 3 keep each other's");
    copy(&record, 4, Some(3), Some(1));
    assert!(!record.opens_without(volume(4), volume(1)).expect("read"), "a chain into a cycle");
    copy(&record, 3, None, Some(1));
    for n in [2, 3, 4] {
        assert!(record.opens_without(volume(n), volume(1)).expect("read"), "{n}");
    }
}

#[test]
fn what_another_program_or_a_newer_version_wrote_is_left_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("other.db");
    Connection::open(&path).and_then(|other| other.execute_batch("CREATE TABLE x (y)")).expect("made");
    assert!(matches!(Record::open(&path), Err(RecordError::Foreign)));
    assert!(matches!(Record::look(&path), Err(RecordError::Foreign)));
    let (_folder, record) = record();
    record.0.pragma_update(None, "user_version", 99).expect("written");
    let path = record.0.path().expect("a path").to_owned();
    drop(record);
    assert!(matches!(Record::open(Path::new(&path)), Err(RecordError::Newer(99))));
    fs::write(&path, "not a database, but long enough to be looked at as one\n".repeat(99)).expect("written");
    assert!(matches!(Record::open(Path::new(&path)), Err(RecordError::Database(_))));
}

#[test]
fn what_waits_is_no_copy_until_it_is_delivered() {
    let (_folder, mut record) = record();
    let document = crate::Document {
        drive: crate::About { volume: volume(2), label: None, now: DAY },
        content: crate::Content::ExternalKey(recovery_key::bek::Bek::new(
            KeyId::from(volume(2)),
            0,
            0,
            None,
            recovery_key::Secret::new([7; 32]),
        )),
    };
    let place = || crate::SavedCopy { place: "ada at https://localhost".to_owned(), ..Default::default() };
    let waiting = Backup { copy: place(), standing: Standing::Waiting("nobody answers".to_owned()) };
    record.note(&document, "account", &waiting, None).expect("noted");
    let copy = |record: &Record| record.copies(volume(2)).expect("read").remove(0);
    assert_eq!((copy(&record).proven, copy(&record).waiting.as_deref()), (None, Some("nobody answers")));
    assert!(!record.opens_without(volume(2), volume(1)).expect("read"));
    let of = (volume(2), Some(KeyId::from(volume(2))), "external-key");
    record.delivered(of, "account", &place().place, DAY - 1).expect("an older one");
    assert!(copy(&record).waiting.is_some());
    record.delivered(of, "account", &place().place, DAY).expect("noted");
    assert_eq!((copy(&record).proven, copy(&record).waiting), (Some(DAY), None));
    // The server has the older one still.
    record.note(&document, "account", &waiting, None).expect("noted");
    assert_eq!((copy(&record).proven, copy(&record).waiting.is_some()), (Some(DAY), true));
}

#[test]
fn a_record_of_an_older_version_is_brought_up_to_date_by_a_look() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("record.db");
    schema::as_it_was(&Connection::open(&path).expect("made"), 1).expect("made");
    let record = Record::look(&path).expect("looked").expect("there");
    assert_eq!(record.copies(volume(2)).expect("read"), []);
}

#[test]
fn looking_makes_no_record() {
    let folder = tempfile::tempdir().expect("a folder");
    assert!(Record::look(&folder.path().join("none.db")).expect("looked").is_none());
    assert_eq!(fs::read_dir(folder.path()).expect("the folder").count(), 0);
}

#[test]
fn many_at_once_lose_nothing() {
    let (folder, record) = record();
    drop(record);
    let path = folder.path().join("a/record.db");
    std::thread::scope(|scope| {
        for n in 0..8 {
            let path = &path;
            scope.spawn(move || {
                for k in 0..10 {
                    copy(&Record::open(path).expect("opened"), n, None, Some(k));
                }
            });
        }
    });
    let record = Record::look(&path).expect("looked").expect("there");
    assert!((0..8).all(|n| record.copies(volume(n)).expect("read").len() == 10));
}

#[cfg(unix)]
#[test]
fn where_keys_are_is_for_the_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let (folder, _record) = record();
    let mode = fs::metadata(folder.path().join("a/record.db")).expect("the file").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}
