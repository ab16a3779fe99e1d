//! The pages, as a browser without JavaScript asks for them.
#![allow(clippy::unwrap_used)]

mod kept;
mod told;
mod trusted;

use account::record::{Content, Record};
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode, header};
use fve::datum::{Body as DatumBody, Datum, Sealed, method, role};
use recovery_key::{KeyId, RecoveryPassword};
use tower::ServiceExt;
use uuid::Uuid;

use super::invite;
use crate::app::App;
use crate::routes::{self, Access};
use crate::sign_in::totp::Codes;
use crate::store::{Nonce, Of, Upload, devices, now};
use crate::tests::app;

const PASSWORD: &str = "correct horse battery";

/// A browser: it keeps its cookie.
struct Browser {
    app: App,
    cookie: Option<String>,
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: String,
}

impl Browser {
    fn new(app: &App) -> Self {
        Self { app: app.clone(), cookie: None }
    }

    async fn ask(&mut self, method: &str, path: &str, body: String) -> Answer {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, "localhost")
            .header("sec-fetch-site", "same-origin")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        if let Some(cookie) = &self.cookie {
            request = request.header(header::COOKIE, cookie);
        }
        let request = request.body(Body::from(body)).unwrap();
        let response = routes::router(&self.app).oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        if let Some(cookie) = parts.headers.get(header::SET_COOKIE) {
            self.cookie = cookie.to_str().unwrap().split(';').next().map(str::to_owned);
        }
        let body = to_bytes(body, 1 << 22).await.unwrap();
        Answer {
            status: parts.status,
            headers: parts.headers,
            body: String::from_utf8_lossy(&body).into_owned(),
        }
    }

    async fn get(&mut self, path: &str) -> Answer {
        self.ask("GET", path, String::new()).await
    }

    async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let plain = |text: &str| text.bytes().map(|byte| format!("%{byte:02X}")).collect::<String>();
        let fields: Vec<_> = fields.iter().map(|(name, value)| format!("{name}={}", plain(value))).collect();
        self.ask("POST", path, fields.join("&")).await
    }

    /// Makes an account, and returns its code.
    async fn sign_up(&mut self, name: &str) -> String {
        let invitation = invite(&self.app, 60).await.unwrap();
        let fields =
            [("invitation", invitation.as_str()), ("name", name), ("new", PASSWORD), ("again", PASSWORD)];
        let answer = self.post("/welcome/account", &fields).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        let (_, rest) = answer.body.split_once("<p class=\"code big\">").unwrap();
        rest.split_once('<').unwrap().0.to_owned()
    }

    async fn sign_in(&mut self, name: &str, password: &str, one_time: &str) -> Answer {
        let fields = [("name", name), ("password", password), ("one_time", one_time)];
        self.post("/sign-in/enter", &fields).await
    }
}

#[tokio::test]
async fn a_person_gets_in_by_password_and_by_code_and_out_again() {
    let (_folder, app, _) = app().await;
    let mut browser = Browser::new(&app);
    let code = browser.sign_up("Grace").await;
    assert!(browser.get("/").await.body.contains("Your recovery keys"));
    let left = browser.cookie.clone();
    assert_eq!(browser.post("/sign-out", &[]).await.status, StatusCode::SEE_OTHER);
    browser.cookie = left;
    let answer = browser.get("/account").await;
    assert_eq!(
        (answer.status, answer.headers["location"].to_str().unwrap()),
        (StatusCode::SEE_OTHER, "/sign-in?to=/account")
    );

    let wrong = browser.sign_in("grace", "not the password", "").await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    let nobody = browser.sign_in("nobody", "not the password", "").await;
    assert_eq!(wrong.body.replace("grace", "nobody"), nobody.body);
    assert_eq!(browser.sign_in(" GRACE", PASSWORD, "").await.headers["location"], "/");

    let mut other = Browser::new(&app);
    let entered = other.post("/sign-in/enter", &[("name", "grace"), ("code", &code.to_lowercase())]).await;
    assert_eq!(entered.headers["location"], "/account");
    let fields =
        [("new", "another password of hers"), ("again", "another password of hers"), ("code", &code)];
    let changed = other.post("/account/password", &fields).await;
    assert!(changed.body.contains("The password was changed"), "{}", changed.body);
    // That has ended the other session, and the password before it.
    assert_eq!(browser.get("/account").await.status, StatusCode::SEE_OTHER);
    assert_eq!(browser.sign_in("grace", PASSWORD, "").await.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(browser.sign_in("grace", "another password of hers", "").await.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn an_invitation_makes_one_account() {
    let (_folder, app, _) = app().await;
    let invitation = invite(&app, 60).await.unwrap();
    let make = async |name: &str| {
        let fields =
            [("invitation", invitation.as_str()), ("name", name), ("new", PASSWORD), ("again", PASSWORD)];
        Browser::new(&app).post("/welcome/account", &fields).await.status
    };
    assert_eq!(make("Ada").await, StatusCode::UNPROCESSABLE_ENTITY, "the name is taken");
    assert_eq!(make("Grace").await, StatusCode::OK);
    assert_eq!(make("Joan").await, StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn a_one_time_code_is_good_once() {
    let (_folder, app, _) = app().await;
    let mut browser = Browser::new(&app);
    browser.sign_up("Grace").await;
    let page = browser.post("/account/one-time", &[]).await.body;
    let (_, rest) = page.split_once("name=\"secret\" value=\"").unwrap();
    let secret = rest.split_once('"').unwrap().0;
    let codes = Codes::parse(secret).unwrap();
    let refused = [("secret", secret), ("first", "000000"), ("password", PASSWORD)];
    let step = now() / 30;
    let (first, next) = (codes.at(step), codes.at(step + 1));
    if first != "000000" && next != "000000" {
        let refused = browser.post("/account/one-time/confirm", &refused).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    }
    let fields = [("secret", secret), ("first", first.as_str()), ("password", PASSWORD)];
    let set = browser.post("/account/one-time/confirm", &fields).await;
    assert!(set.body.contains("One-time codes are set up"), "{}", set.body);
    let mut other = Browser::new(&app);
    assert_eq!(other.sign_in("grace", PASSWORD, "").await.status, StatusCode::UNPROCESSABLE_ENTITY);
    let used = other.sign_in("grace", PASSWORD, &first).await;
    assert!(used.status == StatusCode::UNPROCESSABLE_ENTITY && used.body.contains("used already"));
    assert_eq!(other.sign_in("grace", PASSWORD, &next).await.status, StatusCode::SEE_OTHER);
    assert_eq!(other.sign_in("grace", PASSWORD, &next).await.status, StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn guessing_is_slowed_down() {
    let (_folder, app, _) = app().await;
    let mut browser = Browser::new(&app);
    for _ in 0..5 {
        assert_eq!(browser.sign_in("ada", "x", "").await.status, StatusCode::UNPROCESSABLE_ENTITY);
    }
    let mut slow = browser.sign_in("ada", "x", "").await;
    // The first pause is a second, and the machine may have been slower.
    for _ in 0..8 {
        if slow.status == StatusCode::TOO_MANY_REQUESTS {
            break;
        }
        slow = browser.sign_in("ada", "x", "").await;
    }
    assert_eq!(slow.status, StatusCode::TOO_MANY_REQUESTS);
    assert!(slow.headers.contains_key(header::RETRY_AFTER) && slow.body.contains("too many wrong tries"));
}

#[tokio::test]
async fn nothing_of_the_inside_is_shown_to_who_is_not_signed_in() {
    let (_folder, app, _) = app().await;
    for route in super::routes().into_iter().filter(|route| route.access == Access::SignedIn) {
        let path = route.path.replace("{id}", &"0".repeat(64));
        let answer = Browser::new(&app).ask(route.method.as_str(), &path, String::new()).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{} {path}", route.method);
        assert!(answer.headers["location"].to_str().unwrap().starts_with("/sign-in"));
    }
}

const DIGITS: &str = "132858-327525-689172-680790-354607-080454-642268-377564";
const KEY_ID: &str = "AC9D5655-F7CA-4D1D-902F-1B6087118138";

/// A protector that nothing opens. Real ones are tried in the whole-program tests.
fn capsule(key_id: &str) -> fve::Capsule {
    let stretch = DatumBody::StretchKey {
        method: method::RECOVERY_PASSWORD,
        flags: 0,
        salt: [7; 16],
        nested: Vec::new().into(),
    };
    let sealed = DatumBody::AesCcm(Sealed { nonce: [1; 12], tag: [2; 16], ciphertext: vec![3; 44] });
    let nested = vec![Datum::new(role::PROPERTY, stretch), Datum::new(role::PROPERTY, sealed)];
    let id = key_id.parse::<KeyId>().unwrap().into();
    let vmk =
        DatumBody::Vmk { id, changed: fve::FileTime(0), hints: 0, protection: 0x800, nested: nested.into() };
    let mut bytes = Vec::new();
    Datum::new(role::VMK, vmk).write(&mut bytes);
    fve::Capsule::parse(&bytes).unwrap()
}

/// Adds a recovery key of an account, as its device does; returns the record's ID.
async fn add_key(app: &App, name: &str) -> String {
    add_keys(app, name, &[KEY_ID.to_owned()]).await.remove(0)
}

/// Adds some; returns the records' IDs.
async fn add_keys(app: &App, name: &str, key_ids: &[String]) -> Vec<String> {
    let account = app.store.account_named(name).await.unwrap().unwrap();
    let (login, ..) = devices::ask(&app.store, "laptop", [7; 32], "127.0.0.1", None).await.unwrap();
    let device = devices::confirm(&app.store, &account.id, &login).await.unwrap();
    let mut ids = Vec::new();
    for key_id in key_ids {
        let record = Record {
            account: name.to_owned(),
            device: device.clone(),
            device_name: "laptop".to_owned(),
            drive: "C: of the laptop".to_owned(),
            volume: Uuid::from_u128(1),
            made: 1_700_000_000,
            proven: 1_700_000_000,
            content: Content::RecoveryKey {
                password: RecoveryPassword::parse(DIGITS).unwrap(),
                capsule: capsule(key_id),
            },
        };
        let sealed = record.seal(&[&account.recipient]).unwrap();
        let upload = Upload {
            account: account.id.clone(),
            address: None,
            nonce: Nonce { device: device.clone(), bytes: key_id.clone().into_bytes(), expires: now() + 60 },
            kind: record.kind(),
            volume: record.volume.to_string().to_uppercase(),
            key_id: record.key_id().map(|id| id.to_string()),
            drive: record.drive.clone(),
            proven: record.proven,
            recipients: vec![account.recipient.clone()],
            sealed: sealed.bytes().to_vec(),
            exactly: false,
            by_owner: false,
        };
        ids.push(app.store.add_record(upload).await.unwrap().record);
    }
    ids
}

#[tokio::test]
async fn a_key_is_shown_to_its_owner_for_a_reason_and_to_nobody_else() {
    let (_folder, app, _) = app().await;
    let (mut grace, mut joan) = (Browser::new(&app), Browser::new(&app));
    grace.sign_up("Grace").await;
    joan.sign_up("Joan").await;
    let id = add_key(&app, "Grace").await;
    let (page, reveal) = (format!("/keys/{id}"), format!("/keys/{id}/reveal"));
    assert!(grace.get("/?key=ac9d5655").await.body.contains(&page));
    assert!(!joan.get("/?key=ac9d5655").await.body.contains(&page));
    let right = [("reason", "locked after an update"), ("password", PASSWORD)];
    assert_eq!(joan.get(&page).await.status, StatusCode::NOT_FOUND);
    assert_eq!(joan.post(&reveal, &right).await.status, StatusCode::NOT_FOUND);

    for wrong in [[("reason", "x"), ("password", "wrong")], [("reason", " "), ("password", PASSWORD)]] {
        let answer = grace.post(&reveal, &wrong).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(!answer.body.contains("132858"));
    }
    let shown = grace.post(&reveal, &right).await;
    assert_eq!(shown.status, StatusCode::OK, "{}", shown.body);
    assert!(
        DIGITS.split('-').all(|group| shown.body.contains(&format!("<span class=\"digits\">{group}</span>")))
    );
    // The lock that is kept with it is none of its own, and that is said.
    assert!(shown.body.contains("It does not fit"));
    assert_eq!(shown.headers[header::CACHE_CONTROL], "no-store");
    assert_eq!(shown.headers["refresh"].to_str().unwrap(), format!("300; url={page}"));
    let owner = app.store.account_named("grace").await.unwrap().unwrap().id;
    let history = app.store.history(Of::Account(owner), None, 10).await.unwrap();
    let details: Vec<_> = history.iter().filter(|entry| entry.act == "key.reveal").collect();
    assert_eq!(details.len(), 2, "the wrong password, and the right one");
    let detail = details[0].said.as_ref().unwrap().detail.clone().unwrap();
    assert_eq!(detail, format!("{KEY_ID}: locked after an update"));
}

#[tokio::test]
async fn a_row_that_was_changed_shows_nothing() {
    let (_folder, app, _) = app().await;
    let mut grace = Browser::new(&app);
    grace.sign_up("Grace").await;
    let id = add_key(&app, "Grace").await;
    let changed = app.store.write(|tx| {
        Box::pin(async move {
            sqlx::query("UPDATE records SET drive = 'D: of another'").execute(&mut *tx).await?;
            Ok(((), Vec::new()))
        })
    });
    changed.await.unwrap();
    let fields = [("reason", "x"), ("password", PASSWORD)];
    let answer = grace.post(&format!("/keys/{id}/reveal"), &fields).await;
    assert!(answer.body.contains("cannot be trusted") && !answer.body.contains("132858"), "{}", answer.body);
}

#[tokio::test]
async fn signing_in_leads_back_to_the_page_that_was_asked_for_and_nowhere_else() {
    let (_folder, app, _) = app().await;
    let mut grace = Browser::new(&app);
    grace.sign_up("Grace").await;
    grace.post("/sign-out", &[]).await;
    let asked = grace.get("/devices").await;
    assert_eq!(asked.headers[header::LOCATION], "/sign-in?to=/devices");
    assert!(grace.get("/sign-in?to=/devices").await.body.contains("name=\"to\" value=\"/devices\""));
    for (to, leads) in [("/devices", "/devices"), ("https://evil.example", "/"), ("//evil.example", "/")] {
        let fields = [("name", "grace"), ("password", PASSWORD), ("to", to)];
        let answer = grace.post("/sign-in/enter", &fields).await;
        assert_eq!(answer.headers[header::LOCATION], leads);
    }
}

#[tokio::test]
async fn a_deleted_account_is_gone() {
    let (_folder, app, _) = app().await;
    let mut grace = Browser::new(&app);
    grace.sign_up("Grace").await;
    add_key(&app, "Grace").await;
    let other = grace.post("/account/delete", &[("name", "ada"), ("password", PASSWORD)]).await;
    assert_eq!(other.status, StatusCode::UNPROCESSABLE_ENTITY);
    let gone = grace.post("/account/delete", &[("name", "grace"), ("password", PASSWORD)]).await;
    assert!(gone.body.contains("Your account is deleted"), "{}", gone.body);
    assert!(app.store.account_named("grace").await.unwrap().is_none());
    for table in ["records", "record_recipients", "devices", "openers", "sessions"] {
        let count: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(format!("SELECT COUNT(*) FROM {table}")))
            .fetch_one(app.store.readers())
            .await
            .unwrap();
        assert_eq!(count, 0, "{table}");
    }
}
