//! What is kept: keys from several devices and people, files, drives that want to be looked at, and the export.

use std::collections::BTreeMap;

use account::record::{Content, Record};
use account::wire::{DriveState, Protection};
use axum::http::{StatusCode, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use recovery_key::bek::Bek;
use recovery_key::{RecoveryPassword, Secret};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::{Browser, DIGITS, KEY_ID, PASSWORD, capsule};
use crate::app::App;
use crate::store::accounts::Account;
use crate::store::{Nonce, Upload, check_in, devices, now};
use crate::tests::app;

const OTHER_KEY: &str = "AC9D5655-0000-4D1D-902F-1B6087118138";

/// An account and one of its devices.
struct Place {
    app: App,
    account: Account,
    device: String,
    name: String,
}

impl Place {
    /// Lets a device into somebody's account.
    async fn new(app: &App, person: &str, name: &str) -> Self {
        let account = app.store.account_named(person).await.unwrap().unwrap();
        let (key, id) = (Uuid::new_v4().into_bytes(), "127.0.0.1");
        let key = [key, key].concat().try_into().unwrap();
        let (login, ..) = devices::ask(&app.store, name, key, id, None).await.unwrap();
        let device = devices::confirm(&app.store, &account.id, &login).await.unwrap();
        Self { app: app.clone(), account, device, name: name.to_owned() }
    }

    /// Adds a recovery key of drive number so many, as the device does.
    async fn add(&self, volume: u128, key_id: &str) -> String {
        let password = RecoveryPassword::parse(DIGITS).unwrap();
        self.put(volume, Content::RecoveryKey { password, capsule: capsule(key_id) }, &[]).await
    }

    async fn put(&self, volume: u128, content: Content, others: &[&str]) -> String {
        let record = Record {
            account: self.account.name.clone(),
            device: self.device.clone(),
            device_name: self.name.clone(),
            drive: format!("drive {volume} of {}", self.name),
            volume: Uuid::from_u128(volume),
            made: 1_700_000_000,
            proven: 1_700_000_000,
            content,
        };
        let mut recipients = vec![self.account.recipient.clone()];
        recipients.extend(others.iter().map(|&other| other.to_owned()));
        let nonce = Uuid::new_v4().into_bytes().to_vec();
        let upload = Upload {
            account: self.account.id.clone(),
            address: None,
            nonce: Nonce { device: self.device.clone(), bytes: nonce, expires: now() + 60 },
            kind: record.kind(),
            volume: record.volume.to_string().to_uppercase(),
            key_id: record.key_id().map(|id| id.to_string()),
            drive: record.drive.clone(),
            proven: record.proven,
            sealed: record.seal(&recipients).unwrap().bytes().to_vec(),
            recipients,
            exactly: false,
            by_owner: false,
        };
        self.app.store.add_record(upload).await.unwrap().record
    }

    /// Says what there is.
    async fn check_in(&self, drives: &[(u128, &[&str], Protection)]) {
        let drives = drives.iter().map(|&(volume, keys, protection)| DriveState {
            volume: Uuid::from_u128(volume).to_string().to_uppercase(),
            drive: format!("drive {volume}"),
            protection,
            key_ids: keys.iter().map(|&key| key.to_owned()).collect(),
        });
        let (drives, account, device) =
            (drives.collect::<Vec<_>>(), self.account.id.clone(), self.device.clone());
        let said = self.app.store.write(move |tx| {
            Box::pin(
                async move { Ok((check_in(tx, &account, &device, now() + 5, &drives).await?, Vec::new())) },
            )
        });
        said.await.unwrap();
    }
}

/// Where each piece of a text begins, in the order in which they are expected.
fn in_order(text: &str, pieces: &[&str]) -> bool {
    let mut rest = text;
    pieces.iter().all(|piece| {
        rest.split_once(piece).is_some_and(|(_, after)| {
            rest = after;
            true
        })
    })
}

#[tokio::test]
async fn what_somebody_else_adds_under_a_key_id_hides_no_key() {
    let (_folder, app, _) = app().await;
    let (mut grace, mut eve) = (Browser::new(&app), Browser::new(&app));
    grace.sign_up("Grace").await;
    eve.sign_up("Eve").await;
    let laptop = Place::new(&app, "Grace", "laptop").await;
    let own = laptop.add(1, KEY_ID).await;
    let phone = Place::new(&app, "Grace", "phone that was lost").await;
    // Eve shares what she has with Grace, who was not asked.
    eve.post("/account/recipients/add", &[("who", "grace"), ("password", PASSWORD)]).await;
    let tower = Place::new(&app, "Eve", "tower").await;
    for _ in 0..21 {
        phone.add(1, KEY_ID).await;
        let password = RecoveryPassword::parse(DIGITS).unwrap();
        let content = Content::RecoveryKey { password, capsule: capsule(KEY_ID) };
        tower.put(1, content, &[&laptop.account.recipient]).await;
    }
    let list = grace.get("/?key=AC9D5655").await.body;
    assert_eq!(list.matches("<li class=\"card\">").count(), 3, "{list}");
    assert!(list.contains(&format!("/keys/{own}")) && in_order(&list, &["<dd>laptop</dd>", "by Eve"]));

    let page = grace.get(&format!("/keys/{own}")).await.body;
    assert!(!page.contains(">Versions<"), "{page}");
    assert!(in_order(&page, &["From elsewhere", "phone that was lost", "Eve: tower"]), "{page}");
    // What the other device has added goes on, and its beginning is in reach.
    let (_, rest) = page.split_once("From elsewhere").unwrap();
    let other = rest.split_once("href=\"/keys/").unwrap().1.split_once('"').unwrap().0;
    let page = grace.get(&format!("/keys/{other}")).await.body;
    assert!(page.contains("The first one, uploaded") && page.contains("by phone that was lost, proven"));
    let (_, rest) = page.split_once(&format!("href=\"/keys/{other}?before=")).unwrap();
    let before = rest.split_once('#').unwrap().0;
    let more = grace.get(&format!("/keys/{other}?before={before}")).await.body;
    assert_eq!(more.matches("by phone that was lost, proven").count(), 1, "{more}");
    assert!(!more.contains(">More<"));
}

#[tokio::test]
async fn drives_that_want_to_be_looked_at_are_on_the_first_page() {
    let (_folder, app, _) = app().await;
    let (mut grace, mut joan) = (Browser::new(&app), Browser::new(&app));
    grace.sign_up("Grace").await;
    joan.sign_up("Joan").await;
    let laptop = Place::new(&app, "Grace", "laptop").await;
    laptop.add(1, KEY_ID).await;
    laptop.add(2, OTHER_KEY).await;
    // What is Joan's is shared with Grace, and still not Grace's own.
    joan.post("/account/recipients/add", &[("who", "grace"), ("password", PASSWORD)]).await;
    let tower = Place::new(&app, "Joan", "tower").await;
    let shared = "BC9D5655-F7CA-4D1D-902F-1B6087118138";
    let password = RecoveryPassword::parse(DIGITS).unwrap();
    let content = Content::RecoveryKey { password, capsule: capsule(shared) };
    tower.put(3, content, &[&laptop.account.recipient]).await;
    let nowhere = "CC9D5655-F7CA-4D1D-902F-1B6087118138";
    laptop
        .check_in(&[
            (1, &[KEY_ID], Protection::On),
            (2, &[KEY_ID], Protection::Encrypting),
            (3, &[shared, nowhere], Protection::On),
            (4, &[], Protection::On),
            (5, &[KEY_ID], Protection::Suspended),
            (6, &[KEY_ID], Protection::Decrypting),
        ])
        .await;
    let page = grace.get("/").await.body;
    let told = [
        "<strong>drive 3</strong> on laptop has a recovery key that is not kept here: BC9D5655, CC9D5655",
        "<strong>drive 4</strong> on laptop has no recovery key at all",
        "<strong>drive 5</strong> on laptop is suspended",
        "<strong>drive 6</strong> on laptop is being decrypted",
    ];
    assert!(in_order(&page, &told), "{page}");
    assert!(!page.contains("<strong>drive 1</strong> on") && !page.contains("<strong>drive 2</strong> on"));
    // The key of the second drive is not on it any more, the first one's is, and of Joan's nothing is known.
    let rows = [
        "<h2 class=\"typed\">",
        "drive 2 of laptop",
        "no longer has this key",
        "drive 1 of laptop",
        "still has this key",
        "drive 3 of tower",
        "by Joan",
    ];
    assert!(in_order(&page, &rows), "{page}");
    assert!(!joan.get("/").await.body.contains("drive 4"));

    // A device that is shut out says nothing any more.
    devices::revoke(&app.store, &laptop.account.id, &laptop.device).await.unwrap();
    let page = grace.get("/").await.body;
    assert!(!page.contains("no longer has") && !page.contains("still has") && !page.contains("drive 4"));
}

#[tokio::test]
async fn of_many_drives_the_worst_are_told_and_the_others_counted() {
    let (_folder, app, _) = app().await;
    let mut grace = Browser::new(&app);
    grace.sign_up("Grace").await;
    let laptop = Place::new(&app, "Grace", "laptop").await;
    laptop.add(1, KEY_ID).await;
    let drives: Vec<_> = (1..=230_u128)
        .map(|volume| match volume {
            229 => (volume, &[][..], Protection::On),
            _ => (volume, &[KEY_ID][..], Protection::Suspended),
        })
        .collect();
    laptop.check_in(&drives).await;
    let page = grace.get("/").await.body;
    assert!(in_order(&page, &["<strong>drive 229</strong> on laptop has no recovery key", "is suspended"]));
    assert!(page.contains("210 more drives want to be looked at"), "{page}");
}

#[tokio::test]
async fn a_key_that_was_shown_is_marked_until_the_drive_has_another() {
    let (_folder, app, _) = app().await;
    let mut grace = Browser::new(&app);
    grace.sign_up("Grace").await;
    let laptop = Place::new(&app, "Grace", "laptop").await;
    let id = laptop.add(1, KEY_ID).await;
    let (page, list) = (format!("/keys/{id}"), "and not replaced since");
    let wrong = [("reason", "x"), ("password", "not the password")];
    grace.post(&format!("{page}/reveal"), &wrong).await;
    assert!(!grace.get("/").await.body.contains(list));
    let right = [("reason", "x"), ("password", PASSWORD)];
    let shown = grace.post(&format!("{page}/reveal"), &right).await;
    assert!(shown.body.contains("Nobody is told: you have named no mail address"), "{}", shown.body);
    laptop.check_in(&[(1, &[KEY_ID], Protection::On)]).await;
    assert!(grace.get("/").await.body.contains(list));
    assert!(grace.get(&page).await.body.contains("was not seen with another since"));
    laptop.check_in(&[(1, &[OTHER_KEY], Protection::On)]).await;
    assert!(!grace.get("/").await.body.contains(list));
    assert!(!grace.get(&page).await.body.contains("was not seen with another since"));

    // Who wants to be told is.
    let told = app.store.write(|tx| {
        Box::pin(async move {
            sqlx::query("UPDATE accounts SET mail = 'g@example.org'").execute(&mut *tx).await?;
            Ok(((), Vec::new()))
        })
    });
    told.await.unwrap();
    let shown = grace.post(&format!("{page}/reveal"), &right).await;
    assert!(shown.body.contains("A notice of it was queued"), "{}", shown.body);
}

#[tokio::test]
async fn a_key_file_is_an_answer_of_its_own_and_in_no_page() {
    let (_folder, app, _) = app().await;
    let mut grace = Browser::new(&app);
    grace.sign_up("Grace").await;
    let laptop = Place::new(&app, "Grace", "laptop").await;
    let bek = || Bek::new(KEY_ID.parse().unwrap(), 1, 1, None, Secret::new([7; 32]));
    let id = laptop.put(1, Content::ExternalKey(bek()), &[]).await;
    let page = grace.get(&format!("/keys/{id}")).await.body;
    assert!(page.contains("<h1>Key file ") && page.contains(">Save the file</button>"), "{page}");
    assert!(!page.contains("Show the key") && !page.contains("data:application"));
    let reveal = format!("/keys/{id}/reveal");
    let wrong = grace.post(&reveal, &[("reason", "x"), ("password", "not the password")]).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(!wrong.headers.contains_key(header::CONTENT_DISPOSITION));
    let saved = grace.post(&reveal, &[("reason", "for the stick"), ("password", PASSWORD)]).await;
    assert_eq!(saved.status, StatusCode::OK);
    let says = |name: header::HeaderName| saved.headers[name].to_str().unwrap();
    assert_eq!(says(header::CONTENT_TYPE), "application/octet-stream");
    assert_eq!(says(header::CACHE_CONTROL), "no-store");
    assert_eq!(says(header::CONTENT_DISPOSITION), format!("attachment; filename=\"{KEY_ID}.BEK\""));
    assert_eq!(saved.body, String::from_utf8_lossy(bek().to_bytes().expose()));
    assert!(grace.get("/history").await.body.contains("for the stick"));
    // Devices do not tell of key files: so it is not known that it was replaced.
    assert!(grace.get(&format!("/keys/{id}")).await.body.contains("It was saved on"));
}

#[tokio::test]
async fn a_record_that_was_moved_to_somebody_else_shows_nothing() {
    let (_folder, app, _) = app().await;
    let (mut grace, mut joan) = (Browser::new(&app), Browser::new(&app));
    grace.sign_up("Grace").await;
    joan.sign_up("Joan").await;
    let hers = app.store.account_named("joan").await.unwrap().unwrap();
    grace.post("/account/recipients/add", &[("who", "joan"), ("password", PASSWORD)]).await;
    let laptop = Place::new(&app, "Grace", "laptop").await;
    let password = RecoveryPassword::parse(DIGITS).unwrap();
    let content = Content::RecoveryKey { password, capsule: capsule(KEY_ID) };
    let id = laptop.put(1, content, &[&hers.recipient]).await;
    let fields = [("reason", "x"), ("password", PASSWORD)];
    let reveal = format!("/keys/{id}/reveal");
    assert!(joan.post(&reveal, &fields).await.body.contains("132858"));
    // Joan would be told that it is her own, and Grace nothing.
    let moved = app.store.write(move |tx| {
        Box::pin(async move {
            sqlx::query("UPDATE records SET account_id = $1").bind(hers.id).execute(&mut *tx).await?;
            Ok(((), Vec::new()))
        })
    });
    moved.await.unwrap();
    let refused = joan.post(&reveal, &fields).await;
    assert!(refused.body.contains("its account is not the one"), "{}", refused.body);
    assert!(!refused.body.contains("132858"));
}

#[tokio::test]
async fn an_export_has_all_that_is_kept_and_its_history_is_the_logs() {
    let (_folder, app, _) = app().await;
    let mut grace = Browser::new(&app);
    grace.sign_up("Grace").await;
    let laptop = Place::new(&app, "Grace", "laptop").await;
    let ids = [laptop.add(1, KEY_ID).await, laptop.add(1, KEY_ID).await];
    laptop.check_in(&[(1, &[KEY_ID], Protection::Suspended)]).await;
    let fields = [("who", "ada"), ("password", PASSWORD)];
    grace.post("/account/recipients/add", &fields).await;
    let account = &laptop.account;
    let mut files = BTreeMap::new();
    for (name, bytes) in crate::portal::export::contents::gather(&app, account).await.unwrap() {
        assert!(files.insert(name.clone(), bytes).is_none(), "{name} is there twice");
    }
    for id in &ids {
        let bytes = &files[&format!("records/recovery-key-AC9D5655-{id}.age")];
        assert_eq!(crate::store::hex(&Sha256::digest(bytes)), *id);
    }
    let json = |name: &str| -> serde_json::Value { serde_json::from_slice(&files[name]).unwrap() };
    assert_eq!(json("index.json")["records"].as_array().unwrap().len(), 3, "one was sealed anew for Ada");
    let settings = json("account.json");
    assert_eq!((&settings["name"], &settings["recipients"][0]["name"]), (&"Grace".into(), &"Ada".into()));
    assert_eq!(settings["sign_in"].as_array().unwrap().len(), 2);
    assert_eq!(settings["log_key"], app.store.log().verifier().to_string());
    assert_eq!(json("devices.json")[0]["id"], laptop.device);
    assert_eq!(json("drives.json")[0]["protection"], "suspended");
    let history = std::str::from_utf8(&files["history.jsonl"]).unwrap();
    let mut acts = Vec::new();
    for line in history.lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        let (leaf, entry) = (line["leaf"].as_u64().unwrap(), line["entry"].as_str().unwrap());
        // As READ-ME says: what was hashed is in the log at its place.
        let hash = Sha256::new_with_prefix([0]).chain_update(entry).finalize();
        let inclusion = app.store.inclusion(leaf).await.unwrap();
        assert_eq!(STANDARD.encode(hash), inclusion.hash);
        let entry: serde_json::Value = serde_json::from_str(entry).unwrap();
        assert_eq!(entry["account"], account.id);
        acts.push(entry["act"].as_str().unwrap().to_owned());
    }
    for act in ["account.create", "device.confirm", "record.add", "recipient.add", "record.reseal"] {
        assert!(acts.iter().any(|known| known == act), "{act}: {acts:?}");
    }
    assert_eq!(files["checkpoint.txt"], app.store.checkpoint().await.unwrap().into_bytes());
}
