//! Records: what a device sends, and the receipt that it gets.

use account::wire::{Inclusion, RecordKind};
use lastkeyd::error::Error;
use lastkeyd::store::{Of, Store, take_nonce};
use sha2::{Digest, Sha256};
use tlog::{Checkpoint, Hash};

use crate::on_both_databases;
use crate::place::{Place, add, add_account, from_hex, key_id, log, nonce, sealed, sound, upload};

on_both_databases! {
    a_record_comes_back_byte_for_byte_and_its_receipt_is_in_the_log
    records_of_a_batch_have_receipts_of_their_own
    the_same_record_twice_is_the_first_ones_receipt
    a_nonce_twice_is_a_replay
    nonces_end_with_their_time
    a_record_that_the_database_refuses_takes_no_other_with_it
    a_device_that_is_revoked_or_somebody_elses_adds_nothing
    a_record_that_is_not_sealed_to_the_account_is_refused
    the_very_bytes_of_another_record_are_refused
    what_the_owner_sealed_anew_is_sound_too
    a_receipt_is_only_for_the_account_that_sent_the_record
    a_record_that_is_gone_or_hidden_is_found_out
}

fn hash(base64: &str) -> Hash {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.decode(base64).unwrap().try_into().unwrap()
}

/// The proof holds, under a checkpoint that the log's key has signed.
fn proven(inclusion: &Inclusion) -> Checkpoint {
    let checkpoint = Checkpoint::open(&inclusion.checkpoint, log().verifier()).unwrap();
    let path: Vec<Hash> = inclusion.path.iter().map(|text| hash(text)).collect();
    tlog::verify_inclusion(&hash(&inclusion.hash), inclusion.leaf, checkpoint.size, &path, &checkpoint.root)
        .unwrap();
    checkpoint
}

fn code<T: std::fmt::Debug>(refused: Result<T, Error>) -> &'static str {
    match refused {
        Err(Error::Unauthorized(code, _)) => code,
        other => panic!("{other:?}"),
    }
}

async fn a_record_comes_back_byte_for_byte_and_its_receipt_is_in_the_log(place: Place) {
    let store = place.store().await;
    let receipt = add(&store, 7).await;
    assert_eq!(receipt.length, 5000);
    assert_eq!(from_hex(&receipt.record), Sha256::digest(sealed(7)).to_vec());
    assert_eq!(receipt.inclusion.leaf, 1);
    assert_eq!(proven(&receipt.inclusion).size, 2);

    let stored = store.record("a", &from_hex(&receipt.record)).await.unwrap();
    assert_eq!(stored.sealed, sealed(7));
    assert_eq!(stored.listed.drive, "Größe Ж C:");
    assert_eq!((stored.listed.device.as_str(), stored.listed.account.as_str()), ("The laptop", "Account a"));
    assert_eq!(stored.listed.key_id, Some(key_id(7)));
    assert_eq!(stored.listed.kind, RecordKind::RecoveryKey);
    assert_eq!((stored.listed.proven, stored.listed.leaf), (1_700_000_000, 1));
    sound(&store, 2).await;
}

async fn records_of_a_batch_have_receipts_of_their_own(place: Place) {
    let store = place.store().await;
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..200_u32 {
        let store = store.clone();
        tasks.spawn(async move { (number, add(&store, number).await) });
    }
    let mut leaves = Vec::new();
    while let Some(done) = tasks.join_next().await {
        let (number, receipt) = done.unwrap();
        assert_eq!(from_hex(&receipt.record), Sha256::digest(sealed(number)).to_vec());
        proven(&receipt.inclusion);
        let stored = store.record("a", &from_hex(&receipt.record)).await.unwrap();
        assert_eq!(stored.listed.leaf, receipt.inclusion.leaf);
        leaves.push(receipt.inclusion.leaf);
    }
    leaves.sort_unstable();
    assert_eq!(leaves, (1..=200).collect::<Vec<u64>>());
    sound(&store, 201).await;
}

async fn the_same_record_twice_is_the_first_ones_receipt(place: Place) {
    let store = place.store().await;
    // At once, so that they may meet in one batch, and again later.
    let (one, two) = tokio::join!(add(&store, 1), add(&store, 1));
    add(&store, 2).await;
    let three = add(&store, 1).await;
    let again = store.receipt("a", &from_hex(&one.record)).await.unwrap();
    for other in [&two, &three, &again] {
        assert_eq!((&other.record, other.uploaded), (&one.record, one.uploaded));
        assert_eq!(other.inclusion.leaf, one.inclusion.leaf);
        assert_eq!(other.inclusion.hash, one.inclusion.hash);
        proven(&other.inclusion);
    }
    assert_eq!(proven(&three.inclusion).size, 3);
    sound(&store, 3).await;
}

async fn a_nonce_twice_is_a_replay(place: Place) {
    let store = place.store().await;
    let first = upload(1, &sealed(1));
    let again = first.clone();
    let mut other = upload(2, &sealed(2));
    other.nonce = first.nonce.clone();
    // Of two that are there at once, one is taken.
    let (one, two) = tokio::join!(store.add_record(first), store.add_record(again.clone()));
    assert_eq!(u8::from(one.is_ok()) + u8::from(two.is_ok()), 1);
    assert_eq!(code(if one.is_ok() { two } else { one }), "replay");
    assert_eq!(code(store.add_record(other.clone()).await), "replay");
    assert_eq!(code(store.add_record(again).await), "replay");
    // Another device may say the same.
    add_account(&store, "b", "tower").await;
    let same = lastkeyd::store::Nonce { device: "tower".to_owned(), ..other.nonce.clone() };
    take(&store, same.clone()).await.unwrap();
    assert_eq!(code(take(&store, same).await), "replay");
    assert_eq!(code(take(&store, other.nonce).await), "replay");
    sound(&store, 3).await;
}

async fn take(store: &Store, nonce: lastkeyd::store::Nonce) -> Result<(), Error> {
    store
        .write(move |tx| {
            Box::pin(async move {
                take_nonce(tx, &nonce).await?;
                Ok(((), vec![]))
            })
        })
        .await
}

async fn nonces_end_with_their_time(place: Place) {
    let url = place.database();
    let store = crate::place::open(&url).await.unwrap();
    let mut old = nonce("laptop");
    old.expires = lastkeyd::store::now() - 1;
    let new = nonce("laptop");
    take(&store, old.clone()).await.unwrap();
    take(&store, new.clone()).await.unwrap();
    store.close().await;
    // A new start looks at once, then every minute.
    let store = crate::place::open(&url).await.unwrap();
    take(&store, old).await.unwrap();
    assert_eq!(code(take(&store, new).await), "replay");
}

async fn a_record_that_the_database_refuses_takes_no_other_with_it(place: Place) {
    let store = place.store().await;
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..20_u32 {
        let store = store.clone();
        let mut upload = upload(number, &sealed(number));
        if number == 7 {
            // PostgreSQL takes no zero in text. SQLite takes it.
            upload.drive = "C\0".to_owned();
        }
        tasks.spawn(async move { (number, store.add_record(upload).await) });
    }
    let mut added = 0;
    while let Some(done) = tasks.join_next().await {
        let (number, receipt) = done.unwrap();
        if number != 7 || place.postgres.is_none() {
            proven(&receipt.unwrap().inclusion);
            added += 1;
        } else {
            assert!(matches!(receipt, Err(Error::Database(_))), "{receipt:?}");
        }
    }
    sound(&store, 1 + added).await;
}

async fn a_device_that_is_revoked_or_somebody_elses_adds_nothing(place: Place) {
    let store = place.store().await;
    add_account(&store, "b", "tower").await;
    let mut foreign = upload(1, &sealed(1));
    foreign.nonce = nonce("tower");
    assert_eq!(code(store.add_record(foreign).await), "revoked");
    let mut unknown = upload(1, &sealed(1));
    unknown.nonce = nonce("nowhere");
    assert_eq!(code(store.add_record(unknown).await), "revoked");
    let revoke = store.write(|tx| {
        Box::pin(async move {
            sqlx::query("UPDATE devices SET revoked = 1 WHERE id = 'laptop'").execute(&mut *tx).await?;
            Ok(((), vec![]))
        })
    });
    revoke.await.unwrap();
    assert_eq!(code(store.add_record(upload(1, &sealed(1))).await), "revoked");
    sound(&store, 2).await;
}

async fn a_record_that_is_not_sealed_to_the_account_is_refused(place: Place) {
    let store = place.store().await;
    add_account(&store, "b", "tower").await;
    for recipients in [vec![], vec!["age1b".to_owned()]] {
        let mut upload = upload(1, &sealed(1));
        upload.recipients = recipients;
        assert!(
            matches!(store.add_record(upload).await, Err(Error::Invalid(why)) if why.contains("own key"))
        );
    }
    sound(&store, 2).await;
}

async fn the_very_bytes_of_another_record_are_refused(place: Place) {
    let store = place.store().await;
    add_account(&store, "b", "tower").await;
    add(&store, 1).await;
    let other_key = upload(2, &sealed(1));
    let mut other_account = upload(1, &sealed(1));
    other_account.account = "b".to_owned();
    other_account.nonce = nonce("tower");
    other_account.recipients = vec!["age1b".to_owned()];
    for upload in [other_key, other_account] {
        assert!(
            matches!(store.add_record(upload).await, Err(Error::Invalid(why)) if why.contains("another record"))
        );
    }
    sound(&store, 3).await;
}

async fn a_receipt_is_only_for_the_account_that_sent_the_record(place: Place) {
    let store = place.store().await;
    add_account(&store, "b", "tower").await;
    let id = from_hex(&add(&store, 1).await.record);
    assert!(matches!(store.receipt("b", &id).await, Err(Error::NotFound)));
    assert!(matches!(store.receipt("a", &[0; 32]).await, Err(Error::NotFound)));
    assert!(matches!(store.receipt("a", &[]).await, Err(Error::NotFound)));
}

async fn a_record_that_is_gone_or_hidden_is_found_out(place: Place) {
    let store = place.store().await;
    let lost = add(&store, 1).await;
    let mut anew = upload(2, &sealed(2));
    anew.by_owner = true;
    let also = store.add_record(anew).await.unwrap();
    let hidden = add(&store, 3).await;
    add(&store, 4).await;
    let leaves = [lost.inclusion.leaf, also.inclusion.leaf, hidden.inclusion.leaf].map(u64::cast_signed);
    // Nothing of it says so but the log.
    let tampered = store.write(move |tx| {
        Box::pin(async move {
            for (sql, leaf) in [
                ("DELETE FROM record_recipients WHERE leaf = $1", leaves[0]),
                ("DELETE FROM records WHERE leaf = $1", leaves[0]),
                ("DELETE FROM record_recipients WHERE leaf = $1", leaves[1]),
                ("DELETE FROM records WHERE leaf = $1", leaves[1]),
                ("UPDATE record_recipients SET account_id = NULL WHERE leaf = $1", leaves[2]),
            ] {
                sqlx::query(sql).bind(leaf).execute(&mut *tx).await?;
            }
            Ok(((), vec![]))
        })
    });
    tampered.await.unwrap();
    let gone = |receipt: &account::wire::Receipt| {
        let (id, leaf) = (&receipt.record, receipt.inclusion.leaf);
        format!("the record {id} is gone, which the log's entry {leaf} says was added")
    };
    let hidden = format!("the record {} is in no list of its owner's", hidden.record);
    let expected = [hidden, gone(&lost), gone(&also)];
    assert_eq!(store.check(&[]).await.unwrap().findings, expected);

    let file = place.folder.path().join("backup");
    assert_eq!(lastkeyd::store::backup(&store, &file).await.unwrap().findings, expected);
    let refused = lastkeyd::store::restore(&place.database(), &file).await.unwrap_err().to_string();
    assert!(refused.contains(&expected[0]), "{refused}");
}

async fn what_the_owner_sealed_anew_is_sound_too(place: Place) {
    let store = place.store().await;
    add(&store, 1).await;
    let mut anew = upload(1, &sealed(2));
    anew.by_owner = true;
    let receipt = store.add_record(anew).await.unwrap();
    proven(&receipt.inclusion);
    sound(&store, 3).await;
    let history = store.history(Of::Record(from_hex(&receipt.record)), None, 9).await.unwrap();
    assert_eq!(history.iter().map(|entry| entry.act.as_str()).collect::<Vec<_>>(), ["record.reseal"]);
}

#[tokio::test]
async fn what_waits_beside_sqlites_file_does_not_pile_up() {
    let place = Place::sqlite();
    let store = place.store().await;
    for batch in 0..40_u32 {
        let mut tasks = tokio::task::JoinSet::new();
        for number in 0..64 {
            let store = store.clone();
            tasks.spawn(async move { add(&store, batch * 64 + number).await });
        }
        tasks.join_all().await;
    }
    let wal = std::fs::metadata(place.folder.path().join("keys 0.db-wal")).unwrap().len();
    // All of them take about 100 MiB there.
    assert!(wal < 48 << 20, "{wal}");
    sound(&store, 2561).await;
}
