//! What an account sees.

use account::wire::{CheckedIn, DriveState, Protection, RecordKind};
use lastkeyd::audit::Entry;
use lastkeyd::error::Error;
use lastkeyd::store::{Listed, Protector, Store, Upload, check_in, now};

use crate::on_both_databases;
use crate::place::{Place, VOLUME, add, add_account, from_hex, key_id, nonce, sealed, upload};

on_both_databases! {
    another_device_and_another_account_stand_beside_a_key_and_not_in_its_place
    who_looks_for_a_key_sees_their_own_first
    what_a_device_kept_at_first_is_one_step_away
    what_others_share_is_not_kept_and_a_device_that_is_shut_out_says_nothing
    a_key_that_was_shown_is_exposed_until_the_drive_has_another
    pages_together_are_the_newest_of_each_key
    a_key_is_found_by_what_it_begins_with
    all_of_one_key_are_its_history
    a_record_that_is_not_mine_is_as_if_it_were_not_there
    what_was_sealed_to_a_trusted_account_is_in_its_list_too
    a_snapshot_is_found_by_its_volume
    a_check_in_tells_what_is_missing_and_what_is_stale
    drives_are_listed_with_the_keys_that_nobody_keeps
}

async fn pages_together_are_the_newest_of_each_key(place: Place) {
    let store = place.store().await;
    add_account(&store, "b", "tower").await;
    // Out of order, so that the order is the list's own.
    for number in [5, 1, 9, 3, 7, 0, 8, 2, 6, 4] {
        add(&store, number).await;
    }
    let newer = store.add_record(upload(4, b"newer")).await.unwrap();
    let mut seen = Vec::new();
    let mut after = None;
    loop {
        let page = store.records("a", None, after.as_deref(), 4).await.unwrap();
        assert!(page.records.len() <= 4);
        seen.extend(page.records);
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    let expected: Vec<_> = (0..10).map(|number| Some(key_id(number))).collect();
    assert_eq!(seen.iter().map(|record| record.key_id.clone()).collect::<Vec<_>>(), expected);
    assert_eq!(seen[4].id, from_hex(&newer.record));
    assert!(store.records("b", None, None, 10).await.unwrap().records.is_empty());
}

async fn a_key_is_found_by_what_it_begins_with(place: Place) {
    let store = place.store().await;
    for number in [0x3C11_6B75, 0x3C11_6B76, 0x3C11_6B77, u32::MAX] {
        add(&store, number).await;
    }
    let found = async |typed: &str| {
        let page = store.records("a", Some(typed), None, 10).await.unwrap();
        page.records.into_iter().map(|record| record.key_id.unwrap()).collect::<Vec<_>>()
    };
    for typed in
        ["3C116B76", "3c116b76", "{3C116B76-", "3C11 6B76", "3c116b76-29", "3C116B76292E4AD88399F6A339E3D001"]
    {
        assert_eq!(found(typed).await, [key_id(0x3C11_6B76)], "{typed}");
    }
    assert_eq!(found("FFFFFFFF").await, [key_id(u32::MAX)]);
    assert!(found("3C116B78").await.is_empty());
    assert!(found("3C116B76-30").await.is_empty());
    for typed in ["", "3C116B7", "3C116B7G", "3C116B76%", "________", &"A".repeat(33)] {
        let refused = store.records("a", Some(typed), None, 10).await;
        assert!(matches!(refused, Err(Error::Invalid(_))), "{typed}");
    }
}

async fn all_of_one_key_are_its_history(place: Place) {
    let store = place.store().await;
    let mut leaves = Vec::new();
    for round in 0..5_u8 {
        leaves.push(store.add_record(upload(1, &[round; 40])).await.unwrap().inclusion.leaf);
        add(&store, 100 + u32::from(round)).await;
    }
    leaves.reverse();
    let one = one(&store, 1).await;
    let of = async |before, limit| {
        let versions = store.versions("a", &one, before, limit).await.unwrap();
        versions.iter().map(|record| record.leaf).collect::<Vec<_>>()
    };
    assert_eq!(of(None, 10).await, leaves);
    assert_eq!(of(None, 2).await, leaves[..2]);
    assert_eq!(of(Some(leaves[1]), 2).await, leaves[2..4]);
    assert_eq!(store.first_version("a", &one).await.unwrap().map(|first| first.leaf), leaves.last().copied());
    assert!(store.versions("b", &one, None, 10).await.unwrap().is_empty());
}

/// Returns the newest record of the only key with a number.
async fn one(store: &Store, number: u32) -> Listed {
    let mut found = store.records("a", Some(&key_id(number)), None, 10).await.unwrap().records;
    assert_eq!(found.len(), 1);
    found.remove(0)
}

async fn change(store: &Store, sql: &'static str) {
    let changed = store.write(move |tx| {
        Box::pin(async move {
            sqlx::query(sql).execute(&mut *tx).await?;
            Ok(((), vec![]))
        })
    });
    changed.await.unwrap();
}

/// Lets another device into account `a`, and lets account `b` share what it has with `a`, whether `a` wants it or not.
async fn add_others(store: &Store) {
    add_account(store, "b", "tower").await;
    change(
        store,
        "INSERT INTO devices (id, account_id, name, public_key, created) VALUES ('evil', 'a', 'Another', '1', 0)",
    )
    .await;
    change(
        store,
        "INSERT INTO recipients (account_id, recipient, name, other_account_id, created)
         VALUES ('b', 'age1a', 'A', 'a', 0)",
    )
    .await;
}

/// Adds a record from the other device of the account.
async fn add_from_another(store: &Store, number: u32, version: u8) {
    let upload = Upload { nonce: nonce("evil"), ..upload(number, &[version, 1, number as u8]) };
    store.add_record(upload).await.unwrap();
}

/// Adds a record of account `b` that is sealed to `a` too.
async fn share(store: &Store, number: u32, version: u8) {
    let upload = Upload {
        account: "b".to_owned(),
        nonce: nonce("tower"),
        recipients: vec!["age1b".to_owned(), "age1a".to_owned()],
        ..upload(number, &[version, 2, number as u8])
    };
    store.add_record(upload).await.unwrap();
}

/// All pages together: account, device and key ID of each row.
async fn all_pages(store: &Store, prefix: Option<&str>, limit: u32) -> Vec<(String, String, String)> {
    let (mut rows, mut after) = (Vec::new(), None);
    loop {
        let page = store.records("a", prefix, after.as_deref(), limit).await.unwrap();
        let row = |record: Listed| (record.account_id, record.device_id, record.key_id.unwrap());
        rows.extend(page.records.into_iter().map(row));
        after = page.next;
        if after.is_none() {
            return rows;
        }
    }
}

fn rows(expected: &[(&str, &str, u32)]) -> Vec<(String, String, String)> {
    let row = |&(account, device, number): &(&str, &str, u32)| {
        (account.to_owned(), device.to_owned(), key_id(number))
    };
    expected.iter().map(row).collect()
}

async fn another_device_and_another_account_stand_beside_a_key_and_not_in_its_place(place: Place) {
    let store = place.store().await;
    add_others(&store).await;
    let own = from_hex(&add(&store, 1).await.record);
    add(&store, 2).await;
    for version in 0..30 {
        add_from_another(&store, 1, version).await;
        share(&store, 1, version).await;
    }
    share(&store, 0, 0).await;
    share(&store, 3, 0).await;
    let expected = rows(&[
        ("b", "tower", 0),
        ("a", "evil", 1),
        ("a", "laptop", 1),
        ("b", "tower", 1),
        ("a", "laptop", 2),
        ("b", "tower", 3),
    ]);
    for limit in [1, 2, 3, 5, 200] {
        assert_eq!(all_pages(&store, None, limit).await, expected, "{limit}");
        assert_eq!(all_pages(&store, Some(&key_id(1)), limit).await, expected[1..4], "{limit}");
    }
    let found = store.records("a", Some("00000001"), None, 10).await.unwrap().records;
    assert_eq!(found[1].id, own);
    let versions = async |of| store.versions("a", of, None, 200).await.unwrap();
    assert_eq!(versions(&found[1]).await, found[1..2]);
    assert_eq!((versions(&found[0]).await.len(), versions(&found[2]).await.len()), (30, 30));
    assert!(versions(&found[2]).await.iter().all(|record| record.device == "The tower"));
}

async fn who_looks_for_a_key_sees_their_own_first(place: Place) {
    let store = place.store().await;
    add_others(&store).await;
    // The same first eight digits, as somebody has them who wants to stand before it.
    let mut foreign = upload(1, b"foreign");
    foreign.key_id = Some("00000001-0000-0000-0000-000000000000".to_owned());
    (foreign.account, foreign.nonce) = ("b".to_owned(), nonce("tower"));
    foreign.recipients = vec!["age1b".to_owned(), "age1a".to_owned()];
    store.add_record(foreign).await.unwrap();
    add(&store, 1).await;
    for limit in [1, 2] {
        let found = all_pages(&store, Some("00000001"), limit).await;
        assert_eq!(found.iter().map(|row| row.0.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    }
    // What was not written by a page before is no place in the list.
    for after in ["", "x", "0", "0 1", "\u{0}"] {
        let page = store.records("a", Some("00000001"), Some(after), 9).await.unwrap();
        assert_eq!(page.records.len(), 2, "{after:?}");
    }
}

async fn what_a_device_kept_at_first_is_one_step_away(place: Place) {
    let store = place.store().await;
    add_others(&store).await;
    add_from_another(&store, 1, 0).await;
    let first = from_hex(&add(&store, 1).await.record);
    for version in 0..50_u8 {
        store.add_record(upload(1, &[version, 9])).await.unwrap();
    }
    let found = store.records("a", Some("00000001"), None, 10).await.unwrap().records;
    assert_ne!(found[1].id, first);
    assert_eq!(store.first_version("a", &found[1]).await.unwrap().unwrap().id, first);
    let (mut seen, mut before) = (Vec::new(), None);
    loop {
        let page = store.versions("a", &found[1], before, 20).await.unwrap();
        before = page.last().map(|last| last.leaf);
        if before.is_none() {
            break;
        }
        seen.extend(page);
    }
    assert_eq!((seen.len(), &seen[50].id), (51, &first));
}

async fn what_others_share_is_not_kept_and_a_device_that_is_shut_out_says_nothing(place: Place) {
    let store = place.store().await;
    add_others(&store).await;
    add(&store, 1).await;
    share(&store, 2, 0).await;
    let at = now() + 10;
    let said = say(&store, at, vec![drive(VOLUME, &[1, 2])]).await;
    assert_eq!((said.missing, said.stale), (vec![key_id(2)], vec![]));
    let drives = store.drives("a", None, 10).await.unwrap();
    assert_eq!(drives[0].keys.iter().map(|key| key.kept).collect::<Vec<_>>(), [true, false]);

    assert_eq!(one(&store, 1).await.protector, Protector::There(at));
    // The drive is told of by another device, later, and that device is shut out.
    let elsewhere = store.write(move |tx| {
        let drives = vec![drive(VOLUME, &[7])];
        Box::pin(async move { Ok((check_in(tx, "a", "evil", at + 10, &drives).await?, vec![])) })
    });
    elsewhere.await.unwrap();
    assert_eq!(one(&store, 1).await.protector, Protector::Gone(at + 10));
    change(&store, "UPDATE devices SET revoked = 1 WHERE id = 'evil'").await;
    assert_eq!(one(&store, 1).await.protector, Protector::There(at));
    change(&store, "UPDATE devices SET revoked = 1").await;
    assert_eq!(one(&store, 1).await.protector, Protector::Unknown);
}

async fn a_key_that_was_shown_is_exposed_until_the_drive_has_another(place: Place) {
    let store = place.store().await;
    add_others(&store).await;
    let first = from_hex(&add(&store, 1).await.record);
    add(&store, 2).await;
    let shown = async || {
        let records = store.records("a", None, None, 10).await.unwrap().records;
        records.iter().map(|record| record.exposed().is_some()).collect::<Vec<_>>()
    };
    let reveal = |outcome: Entry| store.note(outcome.account("a").record(&first));
    // One that was refused has shown nothing, whatever was typed as its reason.
    let refused = Entry::refused("key.reveal", "its bytes were changed");
    reveal(refused.detail("\"outcome\":\"done\"")).await.unwrap();
    reveal(Entry::done("other")).await.unwrap();
    assert_eq!(shown().await, [false, false]);
    reveal(Entry::done("key.reveal")).await.unwrap();
    assert_eq!(shown().await, [true, false]);
    // The same key sealed anew is the same key; another account's of that key ID is another.
    store.add_record(upload(1, b"sealed anew")).await.unwrap();
    share(&store, 1, 0).await;
    assert_eq!(shown().await, [true, false, false]);
    let at = now() + 10;
    say(&store, at, vec![drive(VOLUME, &[1, 2])]).await;
    assert_eq!(shown().await, [true, false, false]);
    say(&store, at + 10, vec![drive(VOLUME, &[2])]).await;
    assert_eq!(shown().await, [false, false, false]);
    assert!(store.records("a", None, None, 1).await.unwrap().records[0].shown.is_some());
}

async fn a_record_that_is_not_mine_is_as_if_it_were_not_there(place: Place) {
    let store = place.store().await;
    add_account(&store, "b", "tower").await;
    let id = from_hex(&add(&store, 1).await.record);
    store.record("a", &id).await.unwrap();
    for (account, id) in [("b", id.as_slice()), ("nobody", &id), ("", &id), ("a", &id[..31]), ("a", &[0; 32])]
    {
        assert!(matches!(store.record(account, id).await, Err(Error::NotFound)), "{account}");
    }
}

async fn what_was_sealed_to_a_trusted_account_is_in_its_list_too(place: Place) {
    let store = place.store().await;
    add_account(&store, "b", "tower").await;
    // A device names any key it likes; nobody sees it who is not trusted.
    let mut pushed = upload(1, &sealed(1));
    pushed.recipients.push("age1b".to_owned());
    store.add_record(pushed).await.unwrap();
    assert!(store.records("b", None, None, 10).await.unwrap().records.is_empty());

    let trust = store.write(|tx| {
        Box::pin(async move {
            sqlx::query("INSERT INTO recipients (account_id, recipient, name, other_account_id, created) VALUES ('a', 'age1b', 'B', 'b', 0)")
                .execute(&mut *tx)
                .await?;
            Ok(((), vec![]))
        })
    });
    trust.await.unwrap();
    let mut shared = upload(2, &sealed(2));
    shared.recipients.push("age1b".to_owned());
    let id = from_hex(&store.add_record(shared).await.unwrap().record);
    let seen = store.records("b", None, None, 10).await.unwrap().records;
    assert_eq!(seen.iter().map(|record| record.id.clone()).collect::<Vec<_>>(), std::slice::from_ref(&id));
    assert_eq!((seen[0].account.as_str(), seen[0].device.as_str()), ("Account a", "The laptop"));
    assert_eq!(store.record("b", &id).await.unwrap().sealed, sealed(2));
    assert_eq!(store.records("a", None, None, 10).await.unwrap().records.len(), 2);
}

async fn a_snapshot_is_found_by_its_volume(place: Place) {
    let store = place.store().await;
    add_others(&store).await;
    add(&store, 1).await;
    let key = one(&store, 1).await;
    assert_eq!(store.snapshot("a", &key).await.unwrap(), None);
    let snapshot = |bytes: &[u8]| Upload { kind: RecordKind::Snapshot, key_id: None, ..upload(0, bytes) };
    for bytes in [b"old".as_slice(), b"new"] {
        store.add_record(snapshot(bytes)).await.unwrap();
    }
    // What another device says is this drive's, and what is another drive's.
    store.add_record(Upload { nonce: nonce("evil"), ..snapshot(b"evil") }).await.unwrap();
    store.add_record(Upload { volume: "other".to_owned(), ..snapshot(b"other") }).await.unwrap();
    let found = store.snapshot("a", &key).await.unwrap().unwrap();
    assert_eq!(store.record("a", &found.id).await.unwrap().sealed, b"new");
    let versions = store.versions("a", &found, None, 10).await.unwrap();
    assert_eq!((versions.len(), &versions[0]), (2, &found));
    assert_eq!(store.snapshot("b", &key).await.unwrap(), None);
    // It is no key.
    assert_eq!(store.records("a", None, None, 10).await.unwrap().records.len(), 1);
}

fn drive(volume: &str, keys: &[u32]) -> DriveState {
    DriveState {
        volume: volume.to_owned(),
        drive: "C:".to_owned(),
        protection: Protection::On,
        key_ids: keys.iter().map(|&number| key_id(number)).collect(),
    }
}

async fn say(store: &Store, at: i64, drives: Vec<DriveState>) -> CheckedIn {
    let said = store.write(move |tx| {
        Box::pin(async move { Ok((check_in(tx, "a", "laptop", at, &drives).await?, vec![])) })
    });
    said.await.unwrap()
}

async fn a_check_in_tells_what_is_missing_and_what_is_stale(place: Place) {
    let store = place.store().await;
    let protectors = async || {
        let records = store.records("a", None, None, 10).await.unwrap().records;
        records.iter().map(|record| record.protector).collect::<Vec<_>>()
    };
    let before = now() - 1000;
    say(&store, before, vec![drive(VOLUME, &[9])]).await;
    for number in [1, 2] {
        add(&store, number).await;
    }
    let bek = Upload { kind: RecordKind::ExternalKey, ..upload(3, &sealed(3)) };
    store.add_record(bek).await.unwrap();
    // What was said before they came says nothing of them.
    assert_eq!(protectors().await, [Protector::Unknown; 3]);

    let at = now() + 10;
    let said = say(&store, at, vec![drive("other", &[5]), drive(VOLUME, &[2, 4])]).await;
    assert_eq!((said.missing, said.stale), (vec![key_id(4), key_id(5)], vec![key_id(1)]));
    // Devices do not tell of external keys.
    assert_eq!(protectors().await, [Protector::Gone(at), Protector::There(at), Protector::Unknown]);

    let later = at + 10;
    let said = say(&store, later, vec![drive(VOLUME, &[1])]).await;
    assert_eq!((said.missing, said.stale), (vec![], vec![key_id(2)]));
    assert_eq!(protectors().await, [Protector::There(later), Protector::Gone(later), Protector::Unknown]);
    // The drive was named twice: as it was named last. One without keys has none.
    let said = say(&store, later, vec![drive(VOLUME, &[1]), drive(VOLUME, &[])]).await;
    assert_eq!((said.missing, said.stale), (vec![], vec![key_id(1), key_id(2)]));
    assert_eq!(say(&store, later, vec![]).await, CheckedIn { missing: vec![], stale: vec![] });
}

async fn drives_are_listed_with_the_keys_that_nobody_keeps(place: Place) {
    let store = place.store().await;
    add_account(&store, "b", "tower").await;
    add(&store, 1).await;
    // Somebody else keeps the other one, which is nothing to this account.
    let mut foreign = upload(2, &sealed(2));
    (foreign.account, foreign.nonce) = ("b".to_owned(), nonce("tower"));
    foreign.recipients = vec!["age1b".to_owned()];
    store.add_record(foreign).await.unwrap();
    say(&store, 50, vec![drive("V1", &[1, 2]), drive("V2", &[]), drive("V3", &[2])]).await;

    let all = store.drives("a", None, 10).await.unwrap();
    let seen: Vec<_> = all
        .iter()
        .map(|drive| (drive.volume.as_str(), drive.keys.iter().map(|key| key.kept).collect::<Vec<_>>()))
        .collect();
    assert_eq!(seen, [("V1", vec![true, false]), ("V2", vec![]), ("V3", vec![false])]);
    assert_eq!((all[0].device.as_str(), all[0].at, all[0].protection.as_str()), ("The laptop", 50, "on"));
    assert_eq!(store.drives("a", None, 2).await.unwrap(), all[..2]);
    assert_eq!(store.drives("a", Some(("laptop", "V2")), 2).await.unwrap(), all[2..]);
    assert!(store.drives("b", None, 10).await.unwrap().is_empty());
}
