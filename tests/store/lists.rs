//! What an account sees.

use account::wire::{CheckedIn, DriveState, Protection, RecordKind};
use lastkeyd::error::Error;
use lastkeyd::store::{Protector, Store, check_in, now};

use crate::on_both_databases;
use crate::place::{Place, VOLUME, add, add_account, from_hex, key_id, nonce, sealed, upload};

on_both_databases! {
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
    let of = async |before, limit| {
        let versions = store.versions("a", &key_id(1), before, limit).await.unwrap();
        versions.iter().map(|record| record.leaf).collect::<Vec<_>>()
    };
    assert_eq!(of(None, 10).await, leaves);
    assert_eq!(of(None, 2).await, leaves[..2]);
    assert_eq!(of(Some(leaves[1]), 2).await, leaves[2..4]);
    assert!(store.versions("b", &key_id(1), None, 10).await.unwrap().is_empty());
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
    add(&store, 1).await;
    for bytes in [b"old".as_slice(), b"new"] {
        let snapshot =
            lastkeyd::store::Upload { kind: RecordKind::Snapshot, key_id: None, ..upload(0, bytes) };
        store.add_record(snapshot).await.unwrap();
    }
    assert_eq!(store.snapshot("a", VOLUME).await.unwrap().sealed, b"new");
    assert!(matches!(store.snapshot("a", "other").await, Err(Error::NotFound)));
    assert!(matches!(store.snapshot("b", VOLUME).await, Err(Error::NotFound)));
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
    let bek = lastkeyd::store::Upload { kind: RecordKind::ExternalKey, ..upload(3, &sealed(3)) };
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
