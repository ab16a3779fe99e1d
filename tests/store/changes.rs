//! Changes: many share a commit, and one that fails takes no other with it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use lastkeyd::audit::Entry;
use lastkeyd::error::Error;
use lastkeyd::store::{Store, now};
use sqlx::Row;

use crate::on_both_databases;
use crate::place::{Place, add_account, log, open, sound};

on_both_databases! {
    bytes_text_numbers_and_nothing_come_back_as_they_were_put
    a_change_that_fails_leaves_its_neighbours_as_they_are
    sixty_four_writers_at_once_lose_nothing
    a_change_that_nobody_waits_for_any_more_is_not_made
    a_change_sees_what_the_one_before_has_done
    two_servers_share_a_database
    reading_connections_cannot_write
    what_waits_is_written_before_the_store_closes
    a_database_of_a_newer_lastkeyd_is_refused
    a_database_whose_log_another_key_has_signed_is_refused
    connections_that_are_cut_are_made_anew
}

async fn add_session(store: &Store, id: Vec<u8>, account: &'static str) -> Result<(), Error> {
    let added = store.write(move |tx| {
        Box::pin(async move {
            sqlx::query("INSERT INTO sessions (id_hash, account_id, opener_id, agent, created, used, expires) VALUES ($1, $2, '', '', 0, 0, 0)")
                .bind(id)
                .bind(account)
                .execute(&mut *tx)
                .await?;
            Ok(((), vec![Entry::done("session").account(account)]))
        })
    });
    added.await
}

async fn count(store: &Store, of: &'static str) -> i64 {
    sqlx::query(of).fetch_one(store.readers()).await.unwrap().get(0)
}

async fn bytes_text_numbers_and_nothing_come_back_as_they_were_put(place: Place) {
    let store = place.store().await;
    let bytes: Vec<u8> = (0..=255).collect();
    for (id, totp) in [("with", Some(bytes.clone())), ("empty", Some(vec![])), ("without", None::<Vec<u8>>)] {
        let salt = bytes.clone();
        let put = store.write(move |tx| {
            Box::pin(async move {
                sqlx::query("INSERT INTO openers (id, account_id, kind, name, salt, totp, totp_step, passkey, created) VALUES ($1, 'a', 'code', $2, $3, $4, $5, $6, $7)")
                    .bind(id)
                    .bind("Größe Ж 🔑 '\"")
                    .bind(salt)
                    .bind(totp)
                    .bind(i64::MAX)
                    .bind(None::<String>)
                    .bind(i64::MIN)
                    .execute(&mut *tx)
                    .await?;
                Ok(((), vec![]))
            })
        });
        put.await.unwrap();
    }
    let rows =
        sqlx::query("SELECT name, salt, totp, totp_step, passkey, created, used FROM openers ORDER BY id")
            .fetch_all(store.readers())
            .await
            .unwrap();
    for (row, totp) in rows.iter().zip([Some(vec![]), Some(bytes.clone()), None]) {
        assert_eq!(row.get::<String, _>("name"), "Größe Ж 🔑 '\"");
        assert_eq!(row.get::<Vec<u8>, _>("salt"), bytes);
        assert_eq!(row.get::<Option<Vec<u8>>, _>("totp"), totp);
        assert_eq!(row.get::<i64, _>("totp_step"), i64::MAX);
        assert_eq!(row.get::<i64, _>("created"), i64::MIN);
        assert_eq!(row.get::<Option<String>, _>("passkey"), None);
        assert_eq!(row.get::<Option<i64>, _>("used"), None);
    }
    sound(&store, 1).await;
}

async fn a_change_that_fails_leaves_its_neighbours_as_they_are(place: Place) {
    let store = place.store().await;
    // They are asked at once, so that they share transactions.
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..60_u8 {
        let store = store.clone();
        let account = if number % 3 == 0 { "nobody" } else { "a" };
        tasks.spawn(async move { (number, add_session(&store, vec![number], account).await) });
    }
    while let Some(done) = tasks.join_next().await {
        let (number, done) = done.unwrap();
        assert_eq!(matches!(done, Err(Error::Database(_))), number % 3 == 0, "{number}: {done:?}");
    }
    assert_eq!(count(&store, "SELECT COUNT(*) FROM sessions").await, 40);
    assert_eq!(count(&store, "SELECT COUNT(*) FROM audit_entries WHERE act = 'session'").await, 40);
    // What a change did before it failed is undone too.
    let failed = store.write(|tx| {
        Box::pin(async move {
            sqlx::query("DELETE FROM sessions").execute(&mut *tx).await?;
            Err::<((), Vec<Entry>), _>(Error::Invalid("not so".to_owned()))
        })
    });
    assert!(matches!(failed.await, Err(Error::Invalid(why)) if why == "not so"));
    assert_eq!(count(&store, "SELECT COUNT(*) FROM sessions").await, 40);
    sound(&store, 41).await;
}

async fn sixty_four_writers_at_once_lose_nothing(place: Place) {
    let store = place.store().await;
    let mut tasks = tokio::task::JoinSet::new();
    for writer in 0..64_u8 {
        let store = store.clone();
        tasks.spawn(async move {
            for number in 0..16_u8 {
                add_session(&store, vec![writer, number], "a").await.unwrap();
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
    assert_eq!(count(&store, "SELECT COUNT(*) FROM sessions").await, 64 * 16);
    sound(&store, 1 + 64 * 16).await;
}

async fn a_change_that_nobody_waits_for_any_more_is_not_made(place: Place) {
    let store = place.store().await;
    let made = Arc::new(AtomicU32::new(0));
    let (enter, entered) = tokio::sync::oneshot::channel();
    let (leave, left) = tokio::sync::oneshot::channel::<()>();
    let first = tokio::spawn({
        let store = store.clone();
        async move {
            let change = store.write(move |_| {
                Box::pin(async move {
                    let _ = enter.send(());
                    let _ = left.await;
                    Ok(((), vec![]))
                })
            });
            change.await
        }
    });
    entered.await.unwrap();
    let gone = tokio::spawn({
        let (store, made) = (store.clone(), made.clone());
        async move {
            let change = store.write(move |_| {
                made.fetch_add(1, Ordering::SeqCst);
                Box::pin(async { Ok(((), vec![])) })
            });
            change.await
        }
    });
    tokio::task::yield_now().await;
    gone.abort();
    let _ = gone.await;
    leave.send(()).unwrap();
    first.await.unwrap().unwrap();
    store.note(Entry::done("later")).await.unwrap();
    assert_eq!(made.load(Ordering::SeqCst), 0);
}

async fn a_change_sees_what_the_one_before_has_done(place: Place) {
    let store = place.store().await;
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let store = store.clone();
        // Looks first, then acts on what it saw: two that do so at the same time would count wrong.
        tasks.spawn(async move {
            let change = store.write(|tx| {
                Box::pin(async move {
                    sqlx::query("INSERT INTO attempts (bucket, failures, since) VALUES ('x', 0, 0) ON CONFLICT DO NOTHING").execute(&mut *tx).await?;
                    let row = sqlx::query("SELECT failures FROM attempts WHERE bucket = 'x'").fetch_one(&mut *tx).await?;
                    let next = row.try_get::<i64, _>(0)? + 1;
                    sqlx::query("UPDATE attempts SET failures = $1 WHERE bucket = 'x'").bind(next).execute(&mut *tx).await?;
                    Ok((next, vec![]))
                })
            });
            change.await.unwrap()
        });
    }
    let mut seen = tasks.join_all().await;
    seen.sort_unstable();
    assert_eq!(seen, (1..=50).collect::<Vec<i64>>());
}

async fn two_servers_share_a_database(place: Place) {
    let url = place.database();
    let (one, other) = (open(&url).await.unwrap(), open(&url).await.unwrap());
    add_account(&one, "a", "laptop").await;
    let mut tasks = tokio::task::JoinSet::new();
    for writer in 0..16_u8 {
        let store = if writer % 2 == 0 { one.clone() } else { other.clone() };
        tasks.spawn(async move {
            for number in 0..8_u8 {
                add_session(&store, vec![writer, number], "a").await.unwrap();
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
    assert_eq!(count(&one, "SELECT COUNT(*) FROM sessions").await, 128);
    sound(&other, 129).await;
    assert_eq!(one.checkpoint().await.unwrap(), other.checkpoint().await.unwrap());
}

async fn reading_connections_cannot_write(place: Place) {
    let store = place.store().await;
    for _ in 0..8 {
        sqlx::query("DELETE FROM accounts").execute(store.readers()).await.unwrap_err();
    }
    assert_eq!(count(&store, "SELECT COUNT(*) FROM accounts").await, 1);
}

async fn what_waits_is_written_before_the_store_closes(place: Place) {
    let url = place.database();
    let store = open(&url).await.unwrap();
    add_account(&store, "a", "laptop").await;
    let waiting: Vec<_> = (0..40_u8)
        .map(|number| {
            let store = store.clone();
            tokio::spawn(async move { add_session(&store, vec![number], "a").await })
        })
        .collect();
    while count(&store, "SELECT COUNT(*) FROM sessions").await == 0 {
        tokio::task::yield_now().await;
    }
    store.close().await;
    let mut written = 0;
    for task in waiting {
        match task.await.unwrap() {
            Ok(()) => written += 1,
            Err(error) => assert!(error.to_string().contains("being stopped"), "{error}"),
        }
    }
    let refused = store.note(Entry::done("late")).await.unwrap_err();
    assert!(refused.to_string().contains("being stopped"), "{refused}");
    let store = open(&url).await.unwrap();
    assert_eq!(count(&store, "SELECT COUNT(*) FROM sessions").await, written);
    sound(&store, 1 + written.unsigned_abs()).await;
}

async fn a_database_of_a_newer_lastkeyd_is_refused(place: Place) {
    let url = place.database();
    open(&url).await.unwrap().close().await;
    sqlx::any::install_default_drivers();
    let pool = sqlx::AnyPool::connect(&url.replace(' ', "%20")).await.unwrap();
    sqlx::query("INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) VALUES (9999, 'later', TRUE, $1, 0)")
        .bind(vec![1_u8])
        .execute(&pool)
        .await
        .unwrap();
    pool.close().await;
    let refused = open(&url).await.err().unwrap().to_string();
    assert!(refused.contains("made by a newer lastkeyd: it has schema 9999"), "{refused}");
}

async fn a_database_whose_log_another_key_has_signed_is_refused(place: Place) {
    let url = place.database();
    open(&url).await.unwrap().close().await;
    let other = lastkeyd::store::Log::new("keys.example/log", &[6; 32]).unwrap();
    let refused = Store::open(&url, other).await.err().unwrap().to_string();
    assert!(refused.contains("another key") && refused.contains(&log().verifier().to_string()), "{refused}");
    open(&url).await.unwrap();
}

async fn connections_that_are_cut_are_made_anew(place: Place) {
    // SQLite has no connections that anybody could cut.
    let Some(postgres) = &place.postgres else { return };
    let url = place.database();
    let store = open(&url).await.unwrap();
    add_account(&store, "a", "laptop").await;
    let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'lastkeyd'";
    for round in 0..3_u8 {
        postgres.query(&url, cut);
        add_session(&store, vec![round], "a").await.unwrap();
    }
    // In the middle of a change it is an error, and the next one works.
    let lost = store.write(|tx| {
        Box::pin(async move {
            sqlx::query("UPDATE accounts SET created = $1").bind(now()).execute(&mut *tx).await?;
            sqlx::query("SELECT pg_terminate_backend(pg_backend_pid())").execute(&mut *tx).await?;
            Ok(((), vec![Entry::done("lost")]))
        })
    });
    lost.await.unwrap_err();
    add_session(&store, vec![9], "a").await.unwrap();
    // A connection that was read from a moment ago is taken without a try.
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    sound(&store, 5).await;
}
