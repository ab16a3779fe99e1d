#![allow(clippy::unwrap_used)]

use account::signature::{self, DeviceKey, Request as SignedRequest, SignedHeaders};
use account::wire::{
    CheckIn, CheckedIn, DeviceLogin, DeviceLoginState, DriveState, Problem, Protection, Receipt,
};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tower::ServiceExt;

use super::*;
use crate::app::App;
use crate::store::{devices, now};
use crate::tests::app;

const KEY_ID: &str = "3C116B76-C67B-484E-B439-CE2ED68B561E";
const VOLUME: &str = "4967D63B-2E29-4AD8-8399-F6A339E3D001";

/// A device, as it sees the server.
struct Device {
    router: Router,
    key: DeviceKey,
    id: String,
}

/// A request that can be spoilt before it is sent.
struct Sent {
    method: &'static str,
    target: String,
    body: Vec<u8>,
    headers: SignedHeaders,
}

impl Device {
    async fn of(app: &App, account: &str) -> Self {
        let key = DeviceKey::generate().unwrap();
        let router = crate::routes::router(app);
        let mut device = Self { router, id: STANDARD.encode(key.public()), key };
        let body = json!({ "name": "laptop", "public_key": device.id });
        let (status, login): (_, DeviceLogin) = device.ask("POST", "/api/v1/device-logins", &body).await;
        assert_eq!(status, StatusCode::CREATED);
        let path = format!("/api/v1/device-logins/{}", login.id);
        let (_, state): (_, DeviceLoginState) = device.ask("GET", &path, &Value::Null).await;
        assert_eq!(state, DeviceLoginState::Waiting);
        let waiting = devices::waiting(&app.store, &login.code).await.unwrap();
        devices::confirm(&app.store, account, &waiting.id).await.unwrap();
        let (_, state): (_, DeviceLoginState) = device.ask("GET", &path, &Value::Null).await;
        let DeviceLoginState::Confirmed { device: id, .. } = state else { panic!("{state:?}") };
        device.id = id;
        device
    }

    fn sign(&self, method: &'static str, target: &str, body: &Value, now: i64) -> Sent {
        let body = if body.is_null() { Vec::new() } else { serde_json::to_vec(body).unwrap() };
        let mut nonce = [0; 16];
        getrandom::fill(&mut nonce).unwrap();
        let request = SignedRequest { method, authority: "localhost:4848", target, body: &body };
        let headers = signature::sign(&self.key, &self.id, &request, now, nonce);
        Sent { method, target: target.to_owned(), body, headers }
    }

    async fn send<T: DeserializeOwned>(&self, sent: &Sent) -> (StatusCode, T) {
        let request = Request::builder()
            .method(sent.method)
            .uri(&sent.target)
            .header(header::HOST, "localhost:4848")
            .header("content-digest", &sent.headers.content_digest)
            .header("signature-input", &sent.headers.signature_input)
            .header("signature", &sent.headers.signature)
            .body(Body::from(sent.body.clone()))
            .unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        let status = response.status();
        let bytes = to_bytes(response.into_body(), 1 << 20).await.unwrap();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        (status, serde_json::from_slice(&bytes).unwrap_or_else(|error| panic!("{status} {error}: {text}")))
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        method: &'static str,
        target: &str,
        body: &Value,
    ) -> (StatusCode, T) {
        self.send(&self.sign(method, target, body, now())).await
    }

    async fn refused(&self, method: &'static str, target: &str, body: &Value) -> (StatusCode, String) {
        let (status, problem): (_, Problem) = self.ask(method, target, body).await;
        (status, problem.code)
    }
}

async fn record(app: &App, account: &str) -> Value {
    let recipients = recipients::list(&app.store, account).await.unwrap();
    let recipients: Vec<String> = recipients.into_iter().map(|known| known.recipient).collect();
    let sealed = sealed::Seal::to_recipients(&recipients).unwrap().seal(b"what is sealed").unwrap();
    json!({
        "kind": "recovery-key", "volume": VOLUME, "key_id": KEY_ID, "drive": "C:", "proven": now(),
        "recipients": recipients, "sealed": STANDARD.encode(sealed),
    })
}

#[tokio::test]
async fn a_record_is_added_and_its_receipt_holds() {
    let (_folder, app, account) = app().await;
    let device = Device::of(&app, &account).await;
    let record = record(&app, &account).await;
    let (status, receipt): (_, Receipt) = device.ask("POST", "/api/v1/records", &record).await;
    assert_eq!(status, StatusCode::CREATED);

    // The answer was lost on the way: the same again is the same.
    let (status, again): (_, Receipt) = device.ask("POST", "/api/v1/records", &record).await;
    assert_eq!(
        (status, &again.record, again.inclusion.leaf),
        (StatusCode::CREATED, &receipt.record, receipt.inclusion.leaf)
    );
    let target = format!("/api/v1/records/{}/receipt", receipt.record);
    let (status, later): (_, Receipt) = device.ask("GET", &target, &Value::Null).await;
    assert_eq!((status, &later.record, later.length), (StatusCode::OK, &receipt.record, receipt.length));
}

#[tokio::test]
async fn another_accounts_record_is_none() {
    let (_folder, app, account) = app().await;
    let (mine, other) = (Device::of(&app, &account).await, crate::tests::account(&app, "Bob").await);
    let theirs = Device::of(&app, &other).await;
    let record = record(&app, &account).await;
    let (_, receipt): (_, Receipt) = mine.ask("POST", "/api/v1/records", &record).await;
    let not_found = (StatusCode::NOT_FOUND, "not-found".to_owned());
    let target = format!("/api/v1/records/{}/receipt", receipt.record);
    assert_eq!(theirs.refused("GET", &target, &Value::Null).await, not_found);
    let nothing = format!("/api/v1/records/{}/receipt", "0".repeat(64));
    assert_eq!(theirs.refused("GET", &nothing, &Value::Null).await, not_found);
    // Nor can another device seal to recipients that are not its account's.
    let (status, code) = theirs.refused("POST", "/api/v1/records", &record).await;
    assert_eq!((status, code.as_str()), (StatusCode::CONFLICT, "recipients"));
}

#[tokio::test]
async fn what_was_said_once_cannot_be_said_again() {
    let (_folder, app, account) = app().await;
    let device = Device::of(&app, &account).await;
    let record = record(&app, &account).await;
    for (method, target, body) in [
        ("POST", "/api/v1/records", &record),
        ("GET", "/api/v1/recipients", &Value::Null),
        ("POST", "/api/v1/check-ins", &json!({ "drives": [] })),
    ] {
        let sent = device.sign(method, target, body, now());
        let (status, _): (_, Value) = device.send(&sent).await;
        assert!(status.is_success(), "{target} {status}");
        let (status, problem): (_, Problem) = device.send(&sent).await;
        assert_eq!((status, problem.code.as_str()), (StatusCode::UNAUTHORIZED, "replay"), "{target}");
    }
}

#[tokio::test]
async fn strangers_leave_nothing_behind_but_what_waits() {
    let (_folder, app, _) = app().await;
    let key = DeviceKey::generate().unwrap();
    let mut stranger = Device { router: crate::routes::router(&app), id: STANDARD.encode(key.public()), key };
    let nonces = async || -> i64 {
        let count = sqlx::query_scalar("SELECT COUNT(*) FROM nonces");
        count.fetch_one(app.store.readers()).await.unwrap()
    };
    let nowhere = format!("/api/v1/device-logins/{}", uuid::Uuid::new_v4());
    assert_eq!(stranger.refused("GET", &nowhere, &Value::Null).await.0, StatusCode::NOT_FOUND);
    let other = json!({ "name": "laptop", "public_key": STANDARD.encode([7; 32]) });
    assert_eq!(stranger.refused("POST", "/api/v1/device-logins", &other).await.0, StatusCode::BAD_REQUEST);
    assert_eq!(nonces().await, 0);

    // What leads to something is heard once.
    let own = json!({ "name": "laptop", "public_key": stranger.id });
    let sent = stranger.sign("POST", "/api/v1/device-logins", &own, now());
    let (status, login): (_, DeviceLogin) = stranger.send(&sent).await;
    assert_eq!((status, nonces().await), (StatusCode::CREATED, 1));
    let (_, again): (_, Problem) = stranger.send(&sent).await;
    assert_eq!(again.code, "replay");
    let target = format!("/api/v1/device-logins/{}", login.id);
    let sent = stranger.sign("GET", &target, &Value::Null, now());
    let (status, _): (_, Value) = stranger.send(&sent).await;
    assert_eq!((status, nonces().await), (StatusCode::OK, 2));
    let (_, again): (_, Problem) = stranger.send(&sent).await;
    assert_eq!(again.code, "replay");

    // And not without end.
    let asked = app.store.write(|tx| {
        Box::pin(async move {
            sqlx::query("UPDATE device_logins SET asked = 1199").execute(&mut *tx).await?;
            Ok(((), Vec::new()))
        })
    });
    asked.await.unwrap();
    let sent = stranger.sign("GET", &target, &Value::Null, now());
    assert_eq!(stranger.send::<Value>(&sent).await.0, StatusCode::OK);
    let refused = stranger.refused("GET", &target, &Value::Null).await;
    assert_eq!(refused, (StatusCode::TOO_MANY_REQUESTS, "too-many".to_owned()));
    stranger.id = "nobody".to_owned();
    assert_eq!(stranger.refused("GET", &target, &Value::Null).await.0, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn what_was_changed_on_the_way_is_refused() {
    let (_folder, app, account) = app().await;
    let device = Device::of(&app, &account).await;
    let sign = || device.sign("POST", "/api/v1/check-ins", &json!({ "drives": [] }), now());
    let mut spoilt: Vec<Sent> = (0..5).map(|_| sign()).collect();
    spoilt[0].body = br#"{"drives": [] }"#.to_vec();
    spoilt[1].target = "/api/v1/records".to_owned();
    spoilt[2].target.push_str("?x=1");
    spoilt[3].headers.signature = sign().headers.signature;
    spoilt[4].headers.signature_input =
        spoilt[4].headers.signature_input.replace(&device.id, &"0".repeat(36));
    for sent in &spoilt {
        let (status, problem): (_, Problem) = device.send(sent).await;
        assert_eq!(
            (status, problem.code.as_str()),
            (StatusCode::UNAUTHORIZED, "signature"),
            "{}",
            sent.target
        );
    }
    for apart in [-301, 301] {
        let late = device.sign("GET", "/api/v1/recipients", &Value::Null, now() + apart);
        let (status, problem): (_, Problem) = device.send(&late).await;
        assert_eq!((status, problem.code.as_str()), (StatusCode::UNAUTHORIZED, "clock"));
        assert!(problem.now.abs_diff(now()) < 5);
    }
}

#[tokio::test]
async fn a_device_that_was_shut_out_is_told_so() {
    let (_folder, app, account) = app().await;
    let device = Device::of(&app, &account).await;
    devices::revoke(&app.store, &account, &device.id).await.unwrap();
    let (status, code) = device.refused("GET", "/api/v1/recipients", &Value::Null).await;
    assert_eq!((status, code.as_str()), (StatusCode::UNAUTHORIZED, "revoked"));
}

#[tokio::test]
async fn a_device_that_another_server_shut_out_does_nothing_more() {
    let (_folder, app, account) = app().await;
    let device = Device::of(&app, &account).await;
    let (status, _): (_, Value) = device.ask("GET", "/api/v1/recipients", &Value::Null).await;
    assert_eq!(status, StatusCode::OK);
    // This server still remembers the device as one that may.
    let shut_out = app.store.write(|tx| {
        Box::pin(async move {
            sqlx::query("UPDATE devices SET revoked = 1").execute(&mut *tx).await?;
            Ok(((), Vec::new()))
        })
    });
    shut_out.await.unwrap();
    let record = record(&app, &account).await;
    for (method, target, body) in [
        ("GET", "/api/v1/recipients", &Value::Null),
        ("POST", "/api/v1/records", &record),
        ("POST", "/api/v1/check-ins", &json!({ "drives": [] })),
    ] {
        let (status, code) = device.refused(method, target, body).await;
        assert_eq!((status, code.as_str()), (StatusCode::UNAUTHORIZED, "revoked"), "{target}");
    }
}

#[tokio::test]
async fn a_check_in_says_what_is_missing_and_what_is_stale() {
    let (_folder, app, account) = app().await;
    let device = Device::of(&app, &account).await;
    let state = |key_id: &str| CheckIn {
        drives: vec![DriveState {
            volume: VOLUME.to_owned(),
            drive: "C:".to_owned(),
            protection: Protection::On,
            key_ids: vec![key_id.to_owned()],
        }],
    };
    let check_in = async |key_id| -> CheckedIn {
        let body = serde_json::to_value(state(key_id)).unwrap();
        device.ask("POST", "/api/v1/check-ins", &body).await.1
    };
    assert_eq!(check_in(KEY_ID).await, CheckedIn { missing: vec![KEY_ID.to_owned()], stale: Vec::new() });
    let record = record(&app, &account).await;
    let (_, _): (_, Receipt) = device.ask("POST", "/api/v1/records", &record).await;
    assert_eq!(check_in(KEY_ID).await, CheckedIn { missing: Vec::new(), stale: Vec::new() });
    let other = "00000000-0000-4000-8000-000000000001";
    assert_eq!(
        check_in(other).await,
        CheckedIn { missing: vec![other.to_owned()], stale: vec![KEY_ID.to_owned()] }
    );
}

#[tokio::test]
async fn a_record_that_is_not_what_it_should_be_is_refused() {
    let (_folder, app, account) = app().await;
    let device = Device::of(&app, &account).await;
    let right = record(&app, &account).await;
    let wrong = [
        ("kind", json!("password")),
        ("volume", json!(VOLUME.to_lowercase())),
        ("volume", json!(format!("{{{VOLUME}}}"))),
        ("key_id", Value::Null),
        ("key_id", json!("3C116B76")),
        ("drive", json!("")),
        ("drive", json!("a\u{1b}[31m")),
        ("drive", json!("x".repeat(201))),
        ("proven", json!(-1)),
        ("proven", json!(now() + 200_000)),
        ("sealed", json!("not Base64")),
        ("sealed", json!(STANDARD.encode("123456-123456"))),
        ("sealed", json!("")),
        ("surplus", json!(1)),
    ];
    for (field, value) in wrong {
        let mut record = right.clone();
        record[field] = value.clone();
        let (status, code) = device.refused("POST", "/api/v1/records", &record).await;
        assert_eq!((status, code.as_str()), (StatusCode::BAD_REQUEST, "invalid"), "{field} {value}");
    }
    let mut large = right.clone();
    large["sealed"] = json!("A".repeat(400 << 10));
    assert_eq!(device.refused("POST", "/api/v1/records", &large).await.0, StatusCode::PAYLOAD_TOO_LARGE);
}

#[test]
fn the_document_in_docs_is_this_one() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/openapi.json");
    let kept = std::fs::read_to_string(path).unwrap_or_default().replace("\r\n", "\n");
    assert!(kept == document(), "write it anew: lastkeyd openapi > docs/openapi.json");
}

#[test]
fn every_route_of_the_interface_is_in_the_document() {
    let document: serde_json::Value = serde_json::from_str(&document()).unwrap();
    for route in routes().iter().filter(|route| route.path.starts_with("/api/v1/")) {
        let method = route.method.as_str().to_lowercase();
        let known = document["paths"][route.path][&method].is_object();
        assert!(known || route.path.ends_with("openapi.json"), "{method} {}", route.path);
    }
}
