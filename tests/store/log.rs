//! The audit log: what is in it stays in it, and whoever changes it is found out.

use std::fs;

use lastkeyd::audit::Entry;
use lastkeyd::error::Error;
use lastkeyd::store::{Log, Of, Store, erase};
use tlog::{Checkpoint, Hash};

use crate::on_both_databases;
use crate::place::{ORIGIN, Place, add, add_account, from_hex, key_id, log, sound};

on_both_databases! {
    every_two_sizes_of_the_log_are_consistent
    history_comes_in_pages
    what_was_erased_is_gone_and_the_log_still_verifies
    whoever_changes_the_database_is_found_out
    a_log_that_was_written_anew_is_found_out_by_who_remembers_the_old_one
}

fn checkpoint(note: &str) -> Checkpoint {
    Checkpoint::open(note, log().verifier()).unwrap()
}

async fn every_two_sizes_of_the_log_are_consistent(place: Place) {
    let store = crate::place::open(&place.database()).await.unwrap();
    let mut roots = vec![checkpoint(&store.checkpoint().await.unwrap()).root];
    for number in 1..=20_u64 {
        store.note(Entry::done("test")).await.unwrap();
        let now = checkpoint(&store.checkpoint().await.unwrap());
        assert_eq!(now.size, number);
        roots.push(now.root);
    }
    let hash = |text: &String| -> Hash {
        use base64::Engine as _;
        base64::engine::general_purpose::STANDARD.decode(text).unwrap().try_into().unwrap()
    };
    for to in 0..=20 {
        for from in 0..=to {
            let proof = store.consistency(from, to).await.unwrap();
            let path: Vec<Hash> = proof.path.iter().map(hash).collect();
            let (old, new) = (&roots[from as usize], &roots[to as usize]);
            tlog::verify_consistency(from, old, to, new, &path).unwrap();
        }
    }
    for leaf in 0..20 {
        let proof = store.inclusion(leaf).await.unwrap();
        let path: Vec<Hash> = proof.path.iter().map(hash).collect();
        tlog::verify_inclusion(&hash(&proof.hash), leaf, 20, &path, &roots[20]).unwrap();
    }
    assert!(matches!(store.inclusion(20).await, Err(Error::NotFound)));
    assert!(matches!(store.inclusion(u64::MAX).await, Err(Error::NotFound)));
    assert!(matches!(store.consistency(3, 21).await, Err(Error::NotFound)));
    assert!(matches!(store.consistency(9, 8).await, Err(Error::NotFound)));
    assert!(matches!(store.consistency(u64::MAX, u64::MAX).await, Err(Error::NotFound)));
}

async fn history_comes_in_pages(place: Place) {
    let store = place.store().await;
    let id = from_hex(&add(&store, 1).await.record);
    for number in 0..5 {
        let entry = Entry::refused("key.reveal", "wrong password")
            .account("a")
            .record(&id)
            .from([192, 0, 2, number].into())
            .detail("locked out");
        store.note(entry).await.unwrap();
    }
    let page = store.history(Of::Account("a".to_owned()), None, 3).await.unwrap();
    assert_eq!(page.iter().map(|entry| entry.leaf).collect::<Vec<_>>(), [6, 5, 4]);
    let said = page[0].said.as_ref().unwrap();
    assert_eq!((page[0].act.as_str(), said.outcome.as_str()), ("key.reveal", "refused: wrong password"));
    assert_eq!((said.address.as_deref(), said.detail.as_deref()), (Some("192.0.2.4"), Some("locked out")));
    assert_eq!(said.record.as_deref(), Some(lastkeyd::store::hex(&id).as_str()));
    let rest = store.history(Of::Account("a".to_owned()), Some(4), 9).await.unwrap();
    assert_eq!(rest.iter().map(|entry| entry.leaf).collect::<Vec<_>>(), [3, 2, 1, 0]);
    let of_record = store.history(Of::Record(id), None, 100).await.unwrap();
    assert_eq!(of_record.last().unwrap().said.as_ref().unwrap().detail, Some(key_id(1)));
    assert_eq!(of_record.len(), 6);
    assert!(store.history(Of::Account("b".to_owned()), None, 9).await.unwrap().is_empty());
}

async fn what_was_erased_is_gone_and_the_log_still_verifies(place: Place) {
    let store = place.store().await;
    add_account(&store, "b", "tower").await;
    let id = from_hex(&add(&store, 1).await.record);
    store.note(Entry::done("device.seen").device("laptop")).await.unwrap();
    store.note(Entry::done("key.reveal").account("b").record(&id).detail("stays")).await.unwrap();
    let before = checkpoint(&store.checkpoint().await.unwrap());
    let erased = store.write(|tx| {
        Box::pin(async move {
            erase(tx, "a").await?;
            sqlx::query("DELETE FROM accounts WHERE id = 'a'").execute(&mut *tx).await?;
            Ok(((), vec![Entry::done("account.delete")]))
        })
    });
    erased.await.unwrap();
    assert!(store.history(Of::Account("a".to_owned()), None, 9).await.unwrap().is_empty());
    assert_eq!(store.history(Of::Account("b".to_owned()), None, 9).await.unwrap().len(), 2);
    assert!(matches!(store.record("a", &id).await, Err(Error::NotFound)));
    let report = store.check(std::slice::from_ref(&before)).await.unwrap();
    assert!(report.is_sound(), "{:?}", report.findings);
    assert_eq!((report.entries, report.erased, report.records), (6, 3, 0));
    // Nothing of it is left in the database's files.
    if place.postgres.is_none() {
        store.close().await;
        for entry in fs::read_dir(place.folder.path()).unwrap() {
            let bytes = fs::read(entry.unwrap().path()).unwrap();
            assert!(!bytes.windows(10).any(|window| window == b"The laptop"));
            assert!(!bytes.windows(8).any(|window| window == b"00000001"));
        }
    }
}

/// Changes something behind the server's back.
async fn tamper(url: &str, sql: &'static str) {
    let pool = sqlx::AnyPool::connect(&url.replace(' ', "%20")).await.unwrap();
    let done = sqlx::query(sql).execute(&pool).await.unwrap();
    assert!(done.rows_affected() > 0, "{sql}");
    pool.close().await;
}

async fn whoever_changes_the_database_is_found_out(place: Place) {
    for (sql, finding) in [
        ("UPDATE audit_entries SET body = REPLACE(body, 'done', 'nono') WHERE leaf = 3", "entry 3"),
        ("UPDATE audit_entries SET act = 'other' WHERE leaf = 3", "columns of the log's entry 3"),
        ("UPDATE audit_entries SET at = at + 1 WHERE leaf = 3", "columns of the log's entry 3"),
        ("UPDATE audit_entries SET account_id = 'b' WHERE leaf = 3", "columns of the log's entry 3"),
        ("DELETE FROM audit_entries WHERE leaf = 3", "entry 3 is missing"),
        ("DELETE FROM audit_nodes WHERE level = 1 AND place = 1", "entries 2 to 3"),
        ("DELETE FROM audit_nodes WHERE level = 0 AND place = 2", "entry 2"),
        (
            "UPDATE audit_nodes SET hash = (SELECT hash FROM audit_nodes WHERE level = 0 AND place = 0) WHERE level = 2",
            "entries 0 to 3",
        ),
        ("UPDATE audit_head SET size = size - 1", "checkpoint of 6 entries"),
        ("UPDATE audit_head SET checkpoint = NULL", "no checkpoint"),
        ("UPDATE audit_head SET checkpoint = REPLACE(checkpoint, '6', '5')", "signature"),
        ("UPDATE records SET sealed = id", "was changed"),
        ("UPDATE records SET leaf = 0", "where the record"),
        ("UPDATE records SET id = sealed", "was changed"),
    ] {
        // Nothing would forbid this but those that refer to a record by its leaf.
        let url = place.database();
        let store = tampered_with(&url).await;
        if sql.contains("SET leaf =") {
            tamper(&url, "DELETE FROM record_recipients").await;
        }
        tamper(&url, sql).await;
        let report = store.check(&[]).await.unwrap();
        assert!(report.findings.iter().any(|found| found.contains(finding)), "{sql}: {:?}", report.findings);
        store.close().await;
    }
}

/// A log of six entries, the second of which is a record's.
async fn tampered_with(url: &str) -> Store {
    let store = crate::place::open(url).await.unwrap();
    add_account(&store, "a", "laptop").await;
    add(&store, 1).await;
    for _ in 0..4 {
        store.note(Entry::done("test")).await.unwrap();
    }
    sound(&store, 6).await;
    store
}

async fn a_log_that_was_written_anew_is_found_out_by_who_remembers_the_old_one(place: Place) {
    // Two logs of the same key: one of them is what somebody with the key made of the other.
    let (store, other) = (place.store().await, place.store().await);
    for _ in 0..9 {
        store.note(Entry::done("test")).await.unwrap();
        other.note(Entry::done("test")).await.unwrap();
    }
    let remembered = checkpoint(&store.checkpoint().await.unwrap());
    for _ in 0..5 {
        store.note(Entry::done("test")).await.unwrap();
        other.note(Entry::done("test")).await.unwrap();
    }
    let nothing = Checkpoint { origin: ORIGIN.to_owned(), size: 0, root: tlog::root_of_nothing() };
    let remembered = [nothing, remembered];
    assert!(store.check_log(&remembered).await.unwrap().is_sound());
    let report = other.check_log(&remembered).await.unwrap();
    assert!(report.findings[0].contains("first 10 entries are not those"), "{:?}", report.findings);
    // Or one that was put back to an earlier day.
    let short = place.store().await;
    let report = short.check_log(&remembered).await.unwrap();
    assert!(report.findings[0].contains("lost entries: it has 1, and had 10"), "{:?}", report.findings);
}

#[test]
fn the_logs_key_is_made_once_for_its_owner_alone() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("audit.key");
    let made = Log::open(&file, ORIGIN).unwrap();
    // It keeps its name, whatever the server is called later.
    let read = Log::open(&file, "other.example/log").unwrap();
    assert_eq!(made.verifier(), read.verifier());
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    assert!(!format!("{made:?}").contains("PRIVATE"));
    fs::write(&file, "nothing").unwrap();
    let refused = Log::open(&file, ORIGIN).unwrap_err().to_string();
    assert!(refused.contains("audit.key") && refused.contains("PRIVATE+KEY+NAME"), "{refused}");
    assert!(Log::open(&folder.path().join("none/audit.key"), ORIGIN).is_err());
    assert!(Log::open(&folder.path().join("new.key"), "with space").is_err());
}
