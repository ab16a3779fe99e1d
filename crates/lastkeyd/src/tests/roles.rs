//! Every route, tried as everybody: made of the table of routes, so that none is forgotten.

mod callers;

use std::collections::BTreeMap;

use axum::body::Body;
use axum::http::{Method, Request, StatusCode, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use sqlx::{Column, Row};

use self::callers::{Person, Signer, browser, send};
use super::{account, app, device, record, url_encoded};
use crate::app::App;
use crate::portal;
use crate::routes::{self, Access, Route};
use crate::store::sessions::{IDLE, LONGEST};
use crate::store::{Of, devices, hex, now};

const PASSWORD: &str = "correct horse battery staple";
const VOLUME: &str = "4967D63B-2E29-4AD8-8399-F6A339E3D001";
const KEY_ID: &str = "3C116B76-C67B-484E-B439-CE2ED68B561E";

/// Puts something into each parameter of a path.
fn filled(path: &str, with: &str) -> String {
    path.split('/').map(|part| if part.starts_with('{') { with } else { part }).collect::<Vec<_>>().join("/")
}

/// All that the database has of an account, as text.
async fn all_of(app: &App, account: &str) -> BTreeMap<String, Vec<String>> {
    let tables = ["openers", "sessions", "devices", "recipients", "records", "record_recipients", "outbox"];
    let mut all = BTreeMap::new();
    let of_devices = "device_id IN (SELECT id FROM devices WHERE account_id = $1)";
    let others = [("accounts", "id = $1"), ("check_ins", of_devices)];
    for (table, of) in tables.map(|table| (table, "account_id = $1")).into_iter().chain(others) {
        let query = format!("SELECT * FROM {table} WHERE {of} ORDER BY 1, 2");
        let rows = sqlx::query(sqlx::AssertSqlSafe(query))
            .bind(account)
            .fetch_all(app.store.readers())
            .await
            .unwrap();
        let text = rows.iter().map(|row| {
            let cell = |index: usize| {
                row.try_get::<Option<Vec<u8>>, _>(index)
                    .map(|bytes| format!("{bytes:?}"))
                    .or_else(|_| row.try_get::<Option<String>, _>(index).map(|text| format!("{text:?}")))
                    .or_else(|_| row.try_get::<Option<i64>, _>(index).map(|number| format!("{number:?}")))
                    .unwrap()
            };
            row.columns()
                .iter()
                .map(|column| format!("{}={}", column.name(), cell(column.ordinal())))
                .collect()
        });
        all.insert(table.to_owned(), text.collect());
    }
    all
}

/// What somebody shows of who they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Nobody,
    Person,
    /// Somebody whose session was not used for too long.
    Idle,
    /// Somebody whose session is over, however much it was used.
    Over,
    Device,
    /// A device that was shut out.
    Revoked,
    /// A device of another account: it gets in, and to what is its own.
    OthersDevice,
    Stranger,
}

impl Role {
    fn may(self, access: Access) -> bool {
        match access {
            Access::Anyone => true,
            Access::SignedIn => self == Self::Person,
            Access::Device => matches!(self, Self::Device | Self::OthersDevice),
            Access::Stranger => self == Self::Stranger,
        }
    }
}

#[tokio::test]
async fn nobody_gets_further_than_the_table_says() {
    let (_folder, app, _) = app().await;
    let ada = Person::new(&app, "Ada L", PASSWORD).await;
    let idle = Person::new(&app, "Idle", PASSWORD).await;
    let over = Person::new(&app, "Over", PASSWORD).await;
    let bob = account(&app, "Bob").await;
    let revoked = Signer::device(&app, &ada.account).await;
    devices::revoke(&app.store, &ada.account, &revoked.id).await.unwrap();
    let signers = [
        (Role::Device, Signer::device(&app, &ada.account).await),
        (Role::OthersDevice, Signer::device(&app, &bob).await),
        (Role::Revoked, revoked),
        (Role::Stranger, Signer::stranger(&app)),
    ];
    for Route { method, path, access, .. } in routes::all() {
        let target = filled(path, &"0".repeat(64));
        ada.set_session(&app, now(), now() + LONGEST).await;
        idle.set_session(&app, now() - IDLE - 1, now() + LONGEST).await;
        over.set_session(&app, now(), now() - 1).await;
        let nobody = send(&ada.router, browser(&method, &target).body(Body::empty()).unwrap()).await;
        let mut answers = vec![(Role::Nobody, nobody)];
        for (role, person) in [(Role::Person, &ada), (Role::Idle, &idle), (Role::Over, &over)] {
            answers.push((role, person.ask(&method, &target, "").await));
        }
        for (role, signer) in &signers {
            answers.push((*role, signer.ask(&method, &target, &Value::Null).await));
        }
        for (role, answer) in answers {
            let what = format!("{role:?} {method} {target}: {} {}", answer.status, answer.text);
            let refused = answer.sends_to_sign_in() || answer.status == StatusCode::UNAUTHORIZED;
            assert_eq!(refused, !role.may(access), "{what}");
            if refused {
                assert_eq!(answer.sends_to_sign_in(), access == Access::SignedIn, "{what}");
            }
            assert!(!answer.status.is_server_error(), "{what}");
            let asset = path.starts_with("/assets/") && answer.status == StatusCode::OK;
            assert!(asset || answer.headers[header::CACHE_CONTROL] == "no-store", "{what}");
            assert!(answer.headers.contains_key(header::CONTENT_SECURITY_POLICY), "{what}");
        }
        if path == "/sign-out" {
            assert!(ada.ask(&Method::GET, "/account", "").await.sends_to_sign_in());
        }
    }
}

#[tokio::test]
async fn another_site_and_another_name_get_nowhere() {
    let (_folder, app, _) = app().await;
    let ada = Person::new(&app, "Ada L", PASSWORD).await;
    for Route { method, path, .. } in routes::all() {
        let target = filled(path, "0");
        let build = |host: &str, site: Option<(&'static str, &str)>| {
            let request = Request::builder().method(&method).uri(&target).header(header::HOST, host);
            let request = request.header(header::COOKIE, &ada.cookie);
            let request =
                site.into_iter().fold(request, |request, (name, value)| request.header(name, value));
            request.body(Body::empty()).unwrap()
        };
        let rebound = send(&ada.router, build("evil.example", None)).await;
        assert_eq!(rebound.status, StatusCode::FORBIDDEN, "{method} {target}");
        if method == Method::POST && !path.starts_with("/api/") {
            let sites = [
                None,
                Some(("sec-fetch-site", "cross-site")),
                Some(("sec-fetch-site", "same-site")),
                Some(("origin", "https://evil.example")),
                Some(("origin", "null")),
            ];
            for site in sites {
                let foreign = send(&ada.router, build("localhost:4848", site)).await;
                assert_eq!(foreign.status, StatusCode::FORBIDDEN, "{method} {target} {site:?}");
            }
        }
    }
}

/// What Eve's device says that is Bob's: his record as hers, one that is sealed to him, and his drive as hers.
fn of_bobs(path: &str, sealed: &[u8], recipient: &str, hers: &str) -> Vec<Value> {
    let record = |recipient: &str| {
        json!({
            "kind": "recovery-key", "volume": VOLUME, "key_id": KEY_ID, "drive": "D:", "proven": now(),
            "recipients": [recipient], "sealed": STANDARD.encode(sealed),
        })
    };
    match path {
        "/api/v1/records" => vec![record(recipient), record(hers)],
        "/api/v1/check-ins" => {
            let drive = json!({ "volume": VOLUME, "drive": "D:", "protection": "on", "key_ids": [KEY_ID] });
            vec![json!({ "drives": [drive] })]
        }
        _ => vec![Value::Null],
    }
}

#[tokio::test]
async fn what_is_anothers_stays_as_it_is() {
    let (_folder, app, _) = app().await;
    let bob = Person::new(&app, "Bob", "a password that only he knows").await;
    let (_, his_device) = device(&app, &bob.account).await;
    let record = record(&app, &bob.account, &his_device).await;
    let before = all_of(&app, &bob.account).await;
    assert!(["openers", "sessions", "devices", "records"].iter().all(|table| !before[*table].is_empty()));
    let session = app.store.sessions(&bob.account, now()).await.unwrap()[0].hash.clone();
    let openers = app.store.openers(&bob.account).await.unwrap();
    let recipient = app.store.account(&bob.account).await.unwrap().recipient;
    let sealed = app.store.record(&bob.account, &record).await.unwrap().sealed;
    let (login, ..) = devices::ask(&app.store, "laptop", [7; 32], "192.0.2.1", None).await.unwrap();
    let mut ids = vec![hex(&record), his_device, hex(&session), bob.account.clone()];
    ids.extend(openers.into_iter().map(|opener| opener.id));

    for (number, Route { method, path, access, .. }) in routes::all().into_iter().enumerate() {
        let name = format!("Eve {number}");
        let mut answers = Vec::new();
        match access {
            Access::SignedIn | Access::Anyone => {
                // Some routes end the account, or the session: somebody new comes for each.
                let eve = Person::new(&app, &name, PASSWORD).await;
                // Who is not signed in calls himself Bob; more often than this he would be slowed down.
                let (who, ids) =
                    if access == Access::Anyone { ("Bob", &ids[..2]) } else { (&*name, &ids[..]) };
                for id in ids {
                    let invitation = portal::invite(&app, 60).await.unwrap();
                    let form = url_encoded(&[
                        ("invitation", &invitation),
                        ("id", id),
                        ("account", id),
                        ("recipient", id),
                        ("who", id),
                        ("reason", "because"),
                        ("name", who),
                        ("password", PASSWORD),
                        ("typed", &name),
                        ("new", PASSWORD),
                        ("again", PASSWORD),
                    ]);
                    let target = filled(path, if id.len() == 64 { id } else { "0" });
                    answers.push(eve.ask(&method, &target, &form).await);
                    if access == Access::Anyone {
                        let request = browser(&method, &target).body(Body::from(form)).unwrap();
                        answers.push(send(&eve.router, request).await);
                    }
                }
            }
            Access::Device => {
                let hers = account(&app, &name).await;
                let device = Signer::device(&app, &hers).await;
                let hers = app.store.account(&hers).await.unwrap().recipient;
                for body in of_bobs(path, &sealed, &recipient, &hers) {
                    answers.push(device.ask(&method, &filled(path, &ids[0]), &body).await);
                }
                // That she has a drive of his helps her to nothing of his: not even to know that its key is kept.
                let fits = match path {
                    "/api/v1/records" => StatusCode::is_client_error as fn(&StatusCode) -> bool,
                    "/api/v1/records/{id}/receipt" => |status: &StatusCode| *status == StatusCode::NOT_FOUND,
                    _ => StatusCode::is_success,
                };
                assert!(answers.iter().all(|answer| fits(&answer.status)), "{method} {path}");
                if path == "/api/v1/check-ins" {
                    let said: Value = serde_json::from_str(&answers[0].text).unwrap();
                    assert_eq!(said["missing"], json!([KEY_ID]));
                }
            }
            Access::Stranger => {
                let stranger = Signer::stranger(&app);
                let body = json!({ "name": "D:", "public_key": STANDARD.encode([7; 32]) });
                let body = if method == Method::POST { body } else { Value::Null };
                answers.push(stranger.ask(&method, &filled(path, &login), &body).await);
                assert!(answers[0].status.is_client_error(), "{method} {path}");
            }
        }
        for answer in &answers {
            let what = format!("{method} {path}: {} {}", answer.status, answer.text);
            assert!(!answer.status.is_server_error(), "{what}");
            assert_ne!(answer.status, StatusCode::TOO_MANY_REQUESTS, "{what}");
            let told =
                ["123456", "AGE-SECRET", "C: of Bob"].iter().any(|secret| answer.text.contains(secret));
            assert!(!told, "{what}");
            if path.starts_with("/keys/{id}") {
                assert_eq!(answer.status, StatusCode::NOT_FOUND, "{what}");
            }
        }
        assert!(before == all_of(&app, &bob.account).await, "{method} {path} changed what is Bob's");
    }
}

#[tokio::test]
async fn what_is_refused_to_somebody_who_is_known_stands_in_their_history() {
    let (_folder, app, _) = app().await;
    let ada = Person::new(&app, "Ada L", PASSWORD).await;
    let (device, lost) = (Signer::device(&app, &ada.account).await, Signer::device(&app, &ada.account).await);
    devices::revoke(&app.store, &ada.account, &lost.id).await.unwrap();
    let heard = Signer::device(&app, &ada.account).await;
    let post = Method::POST;
    for _ in 0..3 {
        lost.ask(&post, "/api/v1/check-ins", &json!({ "drives": [] })).await;
        device.ask(&post, "/api/v1/check-ins", &json!({ "drives": "of 123456" })).await;
        device.ask(&post, "/api/v1/records", &json!({})).await;
        device.ask(&Method::GET, &format!("/api/v1/records/{}/receipt", "0".repeat(64)), &Value::Null).await;
        ada.ask(&Method::GET, &format!("/keys/{}", "0".repeat(64)), "").await;
        heard.ask_twice(&post, "/api/v1/check-ins", &json!({ "drives": [] })).await;
        heard.ask_twice(&Method::GET, "/api/v1/recipients", &Value::Null).await;
        ada.ask(&post, "/devices/code", "code=BCDF-GHJK").await;
        ada.ask(&post, "/devices/revoke", "id=0").await;
        // Nobody in particular: it stands in the log, and in no account's history.
        lost.ask(&Method::GET, "/account", &Value::Null).await;
    }
    let history = app.store.history(Of::Account(ada.account.clone()), None, 50).await.unwrap();
    let mut refused: Vec<_> = history
        .into_iter()
        .filter_map(|entry| {
            let said = entry.said.filter(|said| said.outcome != "done")?;
            assert!(said.address.is_some() && !said.outcome.contains("123456"));
            let who = match said.device {
                Some(id) if id == lost.id => "lost",
                Some(id) if id == heard.id => "heard",
                Some(_) => "device",
                None => "person",
            };
            Some(format!("{} {who} {}", entry.act, said.outcome))
        })
        .collect();
    refused.sort_unstable();
    let wanted = [
        "check-in device refused: invalid",
        "check-in heard refused: replay",
        "check-in lost refused: revoked",
        "device.confirm person refused: no device waits with this code",
        "device.request device refused: not-found",
        "device.request heard refused: replay",
        "device.revoke person refused: not-found",
        "key.ask person refused: not-found",
        "record.add device refused: invalid",
    ];
    assert_eq!(refused, wanted);
}
