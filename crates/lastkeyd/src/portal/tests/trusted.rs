//! Somebody else who can open an account's keys.

use std::net::IpAddr;
use std::time::Duration;

use axum::http::StatusCode;

use super::{Browser, KEY_ID, PASSWORD, add_key, add_keys};
use crate::app::App;
use crate::portal::recipients;
use crate::sign_in::account_key::AccountKey;
use crate::sign_in::show::{self, Shown, Who};
use crate::store::accounts::Account;
use crate::store::recipients::{self as list, Other};
use crate::store::{Of, devices};
use crate::tests::app;

/// Opens an account's key, as its owner does.
async fn key_of(app: &App, account: &Account) -> AccountKey {
    let shown = Shown { password: PASSWORD.to_owned(), ..Default::default() };
    let from = IpAddr::from([127, 0, 0, 1]);
    let opened = show::check(app, Who::Account(account), &shown, from, "record.reseal").await.unwrap();
    opened.key().unwrap()
}

/// Puts a row into the list of who can open an account's records, as who can write to the database does.
async fn put(app: &App, account: &str, other: Other) {
    let account = account.to_owned();
    let added = app.store.write(move |tx| {
        Box::pin(async move {
            assert!(list::add(tx, &account, other, 0).await?);
            Ok(((), Vec::new()))
        })
    });
    added.await.unwrap();
}

#[tokio::test]
async fn somebody_trusted_opens_a_key_until_they_are_removed() {
    let (_folder, app, _) = app().await;
    let (mut grace, mut joan) = (Browser::new(&app), Browser::new(&app));
    grace.sign_up("Grace").await;
    joan.sign_up("Joan").await;
    add_key(&app, "Grace").await;
    let owner = app.store.account_named("grace").await.unwrap().unwrap().id;
    let device = devices::list(&app.store, &owner).await.unwrap().remove(0);
    // A device that was lost is no reason to lose its key.
    devices::revoke(&app.store, &device.account, &device.id).await.unwrap();
    let fields = [("who", "joan"), ("password", PASSWORD)];
    let added = grace.post("/account/recipients/add", &fields).await;
    assert!(added.body.contains("1 keys that were here were sealed anew"), "{}", added.body);
    let list = joan.get("/").await.body;
    let (_, rest) = list.split_once("href=\"/keys/").unwrap();
    let id = rest.split_once('"').unwrap().0.to_owned();
    let fields = [("reason", "she asked me to"), ("password", PASSWORD)];
    let shown = joan.post(&format!("/keys/{id}/reveal"), &fields).await;
    assert!(shown.body.contains("<span class=\"digits\">132858</span>"), "{}", shown.body);
    assert!(grace.get("/history").await.body.contains("by Joan: she asked me to"));

    let recipient = app.store.account_named("joan").await.unwrap().unwrap().recipient;
    let fields = [("who", recipient.as_str()), ("password", PASSWORD)];
    grace.post("/account/recipients/remove", &fields).await;
    assert_eq!(joan.get(&format!("/keys/{id}")).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn sealing_anew_goes_on_where_it_was_cut_off() {
    let (_folder, app, _) = app().await;
    let (mut grace, mut joan) = (Browser::new(&app), Browser::new(&app));
    grace.sign_up("Grace").await;
    joan.sign_up("Joan").await;
    let key_ids: Vec<_> = (0..70).map(|number| format!("{number:08X}{}", &KEY_ID[8..])).collect();
    add_keys(&app, "Grace", &key_ids).await;
    assert!(!grace.get("/account").await.body.contains("/account/recipients/seal"));
    let [owner, other] = ["grace", "joan"].map(|name| app.store.account_named(name));
    let (owner, other) = (owner.await.unwrap().unwrap(), other.await.unwrap().unwrap());
    let from = IpAddr::from([127, 0, 0, 1]);
    let key = key_of(&app, &owner).await;
    let mut joan =
        Other { recipient: other.recipient, name: "Joan".to_owned(), account: Some(other.id), vouched: None };
    joan.vouched = Some(recipients::vouch::vouch(&key, &owner.id, &joan).unwrap());
    put(&app, &owner.id, joan).await;
    assert!(grace.get("/account").await.body.contains("70 of your keys were sealed before"));

    // A request that has no time does one piece all the same, so that each gets further.
    let anew = recipients::seal_anew(&app, &owner, &key, from, Duration::ZERO).await.unwrap();
    assert_eq!((anew.sealed, anew.left, anew.broken), (32, 38, 0));
    assert!(grace.get("/account").await.body.contains("38 of your keys were sealed before"));

    let done = grace.post("/account/recipients/seal", &[("password", PASSWORD)]).await;
    assert!(done.body.contains("38 keys that were here were sealed anew."), "{}", done.body);
    assert!(!done.body.contains("/account/recipients/seal"));
    let again = grace.post("/account/recipients/seal", &[("password", PASSWORD)]).await;
    assert!(again.body.contains("0 keys that were here were sealed anew."), "{}", again.body);
    let list = app.store.records(&owner.id, None, None, 200).await.unwrap().records;
    let hers = app.store.account_named("joan").await.unwrap().unwrap().id;
    assert_eq!((list.len(), app.store.records(&hers, None, None, 200).await.unwrap().records), (70, list));
}

#[tokio::test]
async fn nothing_is_sealed_to_who_stands_in_the_database_and_was_not_added() {
    let (_folder, app, _) = app().await;
    let (mut grace, mut joan, mut eve) = (Browser::new(&app), Browser::new(&app), Browser::new(&app));
    for (browser, name) in [(&mut grace, "Grace"), (&mut joan, "Joan"), (&mut eve, "Eve")] {
        browser.sign_up(name).await;
    }
    add_key(&app, "Grace").await;
    let [owner, evil] = ["grace", "eve"].map(|name| app.store.account_named(name));
    let (owner, evil) = (owner.await.unwrap().unwrap(), evil.await.unwrap().unwrap());
    let key = key_of(&app, &owner).await;
    let mut row =
        Other { recipient: evil.recipient, name: "Eve".to_owned(), account: Some(evil.id), vouched: None };
    // What the key of another account says of them does not help them either.
    let theirs = key_of(&app, &app.store.account_named("eve").await.unwrap().unwrap()).await;
    row.vouched = Some(recipients::vouch::vouch(&theirs, &owner.id, &row).unwrap());
    put(&app, &owner.id, row.clone()).await;

    let password = ("password", PASSWORD);
    let add = [("who", "joan"), password];
    for (path, fields) in [("seal", &[password][..]), ("add", &add)] {
        let refused = grace.post(&format!("/account/recipients/{path}"), fields).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(refused.body.contains("was not added with your key"), "{}", refused.body);
    }
    assert_eq!(app.store.others(&owner.id).await.unwrap(), [row.clone()], "nor was Joan added");
    assert!(!eve.get("/").await.body.contains("/keys/"));
    let history = app.store.history(Of::Account(owner.id.clone()), None, 20).await.unwrap();
    assert!(history.iter().any(|entry| {
        let outcome = entry.said.as_ref().map(|said| said.outcome.as_str());
        entry.act == "record.reseal" && outcome.is_some_and(|outcome| outcome.starts_with("refused: a recip"))
    }));

    // As she is told: she removes them, and goes on.
    let fields = [("who", row.recipient.as_str()), password];
    grace.post("/account/recipients/remove", &fields).await;
    let added = grace.post("/account/recipients/add", &add).await;
    assert!(added.body.contains("1 keys that were here were sealed anew"), "{}", added.body);
    drop(key);
}

#[tokio::test]
async fn nothing_is_sealed_when_the_accounts_own_key_was_exchanged() {
    let (_folder, app, _) = app().await;
    let (mut grace, mut joan) = (Browser::new(&app), Browser::new(&app));
    grace.sign_up("Grace").await;
    joan.sign_up("Joan").await;
    add_key(&app, "Grace").await;
    let evil = AccountKey::generate().recipient();
    let exchanged = app.store.write(move |tx| {
        Box::pin(async move {
            let query = "UPDATE accounts SET recipient = $1 WHERE name = 'Grace'";
            sqlx::query(query).bind(evil).execute(&mut *tx).await?;
            Ok(((), Vec::new()))
        })
    });
    exchanged.await.unwrap();
    let refused = grace.post("/account/recipients/add", &[("who", "joan"), ("password", PASSWORD)]).await;
    assert!(refused.body.contains("another key than yours"), "{}", refused.body);
    assert!(!joan.get("/").await.body.contains("/keys/"));
}

#[tokio::test]
async fn who_is_removed_and_added_again_sees_the_keys_again() {
    let (_folder, app, _) = app().await;
    let (mut grace, mut joan, mut mary) = (Browser::new(&app), Browser::new(&app), Browser::new(&app));
    for (browser, name) in [(&mut grace, "Grace"), (&mut joan, "Joan"), (&mut mary, "Mary")] {
        browser.sign_up(name).await;
    }
    add_key(&app, "Grace").await;
    let password = ("password", PASSWORD);
    let recipient = app.store.account_named("joan").await.unwrap().unwrap().recipient;
    for _ in 0..2 {
        let added = grace.post("/account/recipients/add", &[("who", "joan"), password]).await;
        assert!(added.body.contains("1 keys that were here were sealed anew"), "{}", added.body);
        assert!(joan.get("/").await.body.contains("/keys/"));
        grace.post("/account/recipients/remove", &[("who", &recipient), password]).await;
        assert!(!joan.get("/").await.body.contains("/keys/"));
    }
    // Who deletes their account is out of the list, and the rest of it holds.
    for who in ["joan", "mary"] {
        grace.post("/account/recipients/add", &[("who", who), password]).await;
    }
    let gone = joan.post("/account/delete", &[("name", "joan"), password]).await;
    assert!(gone.body.contains("Your account is deleted"), "{}", gone.body);
    let sealed = grace.post("/account/recipients/seal", &[password]).await;
    assert!(sealed.body.contains("0 keys that were here were sealed anew."), "{}", sealed.body);
    assert!(mary.get("/").await.body.contains("/keys/"));
}
