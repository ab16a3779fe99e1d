//! Somebody else who can open an account's keys.

use std::net::IpAddr;
use std::time::Duration;

use axum::http::StatusCode;

use super::{Browser, KEY_ID, PASSWORD, add_key, add_keys};
use crate::portal::recipients;
use crate::sign_in::show::{self, Shown, Who};
use crate::store::devices;
use crate::tests::app;

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
    let id = owner.id.clone();
    let added = app.store.write(move |tx| {
        Box::pin(async move {
            let query = "INSERT INTO recipients (account_id, recipient, name, other_account_id, created) \
                         VALUES ($1, $2, 'Joan', $3, 0)";
            sqlx::query(query).bind(id).bind(other.recipient).bind(other.id).execute(&mut *tx).await?;
            Ok(((), Vec::new()))
        })
    });
    added.await.unwrap();
    assert!(grace.get("/account").await.body.contains("70 of your keys were sealed before"));

    // A request that has no time does one piece all the same, so that each gets further.
    let shown = Shown { password: PASSWORD.to_owned(), ..Default::default() };
    let from = IpAddr::from([127, 0, 0, 1]);
    let who = Who::Account(&owner);
    let opened = show::check(&app, who, &shown, from, "record.reseal").await.unwrap();
    let key = opened.key().unwrap();
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
