//! Backups: what was one database is restored as the other.

use std::fs;
use std::path::Path;

use lastkeyd::store::{Store, backup, restore};

use crate::on_both_databases;
use crate::place::{Place, add, add_account, open, sound};

on_both_databases! {
    a_backup_is_restored_into_the_same_and_into_the_other_database
    nothing_is_overwritten
    a_backup_that_is_damaged_leaves_the_database_empty
    a_backup_is_of_one_moment
}

/// A database with something in it.
async fn filled(place: &Place) -> Store {
    let store = place.store().await;
    for number in 0..150 {
        add(&store, number).await;
    }
    store
}

fn all_files(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| !name.starts_with("keys ")).collect()
}

async fn a_backup_is_restored_into_the_same_and_into_the_other_database(place: Place) {
    let store = filled(&place).await;
    let file = place.folder.path().join("backup file");
    let report = backup(&store, &file).await.unwrap();
    assert_eq!((report.findings.as_slice(), report.records, report.entries), (&[][..], 150, 151));
    assert_eq!(all_files(place.folder.path()), ["backup file"]);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    }
    let before = fs::read(&file).unwrap();
    let note = store.checkpoint().await.unwrap();

    let other = if place.postgres.is_some() { Some(Place::sqlite()) } else { Place::postgres() };
    for target in [Some(&place), other.as_ref()].into_iter().flatten() {
        let url = target.database();
        assert_eq!(restore(&url, &file).await.unwrap(), report);
        let restored = open(&url).await.unwrap();
        assert_eq!(restored.checkpoint().await.unwrap(), note);
        assert_eq!(
            restored.records("a", None, None, 200).await.unwrap(),
            store.records("a", None, None, 200).await.unwrap()
        );
        for record in store.records("a", None, None, 200).await.unwrap().records {
            assert_eq!(
                restored.record("a", &record.id).await.unwrap(),
                store.record("a", &record.id).await.unwrap()
            );
        }
        // It goes on where it was.
        add(&restored, 1000).await;
        add_account(&restored, "b", "tower").await;
        sound(&restored, 153).await;
        restored.close().await;
    }
    assert_eq!(fs::read(&file).unwrap(), before, "the backup itself is left alone");
}

async fn nothing_is_overwritten(place: Place) {
    let store = place.store().await;
    let file = place.folder.path().join("backup");
    fs::write(&file, "something else").unwrap();
    let refused = backup(&store, &file).await.unwrap_err().to_string();
    assert!(refused.contains("backup"), "{refused}");
    assert_eq!(fs::read(&file).unwrap(), b"something else");
    fs::remove_file(&file).unwrap();
    backup(&store, &file).await.unwrap();

    let url = place.database();
    let other = open(&url).await.unwrap();
    add_account(&other, "x", "tower").await;
    let refused = restore(&url, &file).await.unwrap_err().to_string();
    assert!(refused.contains("restore into a new one"), "{refused}");
    sound(&other, 1).await;
    assert_eq!(all_files(place.folder.path()), ["backup"]);
}

async fn a_backup_that_is_damaged_leaves_the_database_empty(place: Place) {
    let store = filled(&place).await;
    let file = place.folder.path().join("backup");
    backup(&store, &file).await.unwrap();
    let bytes = fs::read(&file).unwrap();
    let url = place.database();
    let empty = open(&url).await.unwrap();
    for damaged in [
        Vec::new(),
        b"no database".to_vec(),
        bytes[..bytes.len() / 2].to_vec(),
        // One sealed record has another byte.
        {
            let mut bytes = bytes.clone();
            let at =
                bytes.windows(22).rposition(|window| window.starts_with(b"age-encryption.org/v1")).unwrap();
            bytes[at + 40] ^= 1;
            bytes
        },
    ] {
        fs::write(&file, &damaged).unwrap();
        let refused = restore(&url, &file).await.unwrap_err().to_string();
        assert!(refused.contains("backup"), "{refused}");
        sound(&empty, 0).await;
        assert!(empty.records("a", None, None, 9).await.unwrap().records.is_empty());
        // Nor is anything left of a file that was made for it.
        let new = Place::sqlite();
        restore(&new.database(), &file).await.unwrap_err();
        assert_eq!(fs::read_dir(new.folder.path()).unwrap().count(), 0);
    }
    fs::write(&file, &bytes).unwrap();
    restore(&url, &file).await.unwrap();
}

#[tokio::test]
async fn a_backup_that_fails_leaves_nothing_behind() {
    let place = Place::sqlite();
    let url = place.database();
    let store = open(&url).await.unwrap();
    add_account(&store, "a", "laptop").await;
    for number in 0..50 {
        add(&store, number).await;
    }
    store.close().await;
    let database = place.folder.path().join("keys 0.db");
    let store = open(&url).await.unwrap();
    let half = fs::metadata(&database).unwrap().len() / 2;
    fs::OpenOptions::new().write(true).open(&database).unwrap().set_len(half).unwrap();
    let folder = tempfile::tempdir().unwrap();
    backup(&store, &folder.path().join("backup")).await.unwrap_err();
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

async fn a_backup_is_of_one_moment(place: Place) {
    let store = filled(&place).await;
    let writing = tokio::spawn({
        let store = store.clone();
        async move {
            for number in 1000.. {
                if store
                    .add_record(crate::place::upload(number, &crate::place::sealed(number)))
                    .await
                    .is_err()
                {
                    break;
                }
            }
        }
    });
    for round in 0..3 {
        let file = place.folder.path().join(format!("backup {round}"));
        let report = backup(&store, &file).await.unwrap();
        assert_eq!((report.findings.as_slice(), report.records + 1), (&[][..], report.entries));
        let url = Place::sqlite();
        assert_eq!(restore(&url.database(), &file).await.unwrap(), report);
    }
    writing.abort();
}
