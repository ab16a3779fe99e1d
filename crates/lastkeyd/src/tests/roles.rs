//! Every route, tried as everybody: made of the table of routes, so that none is forgotten.

use std::collections::BTreeMap;

use account::signature::{self, DeviceKey, Request as SignedRequest};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use sqlx::{Column, Row};

use super::{app, device, record, url_encoded};
use crate::app::App;
use crate::routes::{self, Access, Route};
use crate::store::{hex, now};
use crate::{portal, store};

const PASSWORD: &str = "correct horse battery staple";

/// Somebody with a browser.
struct Person {
    router: Router,
    cookie: String,
    account: String,
}

/// What came back.
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    text: String,
}

impl Answer {
    fn sends_to_sign_in(&self) -> bool {
        self.status == StatusCode::SEE_OTHER && {
            let to = self.headers[header::LOCATION].to_str().unwrap();
            to == "/sign-in" || to.starts_with("/sign-in?to=/")
        }
    }
}

async fn send(router: &Router, request: Request<Body>) -> Answer {
    use tower::ServiceExt;
    let response = router.clone().oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let bytes = to_bytes(body, 1 << 20).await.unwrap();
    Answer {
        status: parts.status,
        headers: parts.headers,
        text: String::from_utf8_lossy(&bytes).into_owned(),
    }
}

/// A request as a browser makes it from a page of ours.
fn browser(method: &Method, path: &str) -> axum::http::request::Builder {
    Request::builder()
        .method(method)
        .uri(path)
        .header(header::HOST, "localhost:4848")
        .header("sec-fetch-site", "same-origin")
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
}

impl Person {
    /// Makes an account as everybody does: by an invitation, in the portal.
    async fn new(app: &App, name: &str) -> Self {
        let router = routes::router(app);
        let code = portal::invite(app, 60).await.unwrap();
        let form =
            url_encoded(&[("invitation", &code), ("name", name), ("new", PASSWORD), ("again", PASSWORD)]);
        let request = browser(&Method::POST, "/welcome/account").body(Body::from(form.clone())).unwrap();
        let answer = send(&router, request).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
        let cookie = answer.headers[header::SET_COOKIE].to_str().unwrap();
        let cookie = cookie.split(';').next().unwrap().to_owned();
        let account = app.store.account_named(name).await.unwrap().unwrap().id;
        Self { router, cookie, account }
    }

    async fn ask(&self, method: &Method, path: &str, form: &str) -> Answer {
        let request = browser(method, path).header(header::COOKIE, &self.cookie);
        send(&self.router, request.body(Body::from(form.to_owned())).unwrap()).await
    }
}

/// Puts something into each parameter of a path.
fn filled(path: &str, with: &str) -> String {
    path.split('/').map(|part| if part.starts_with('{') { with } else { part }).collect::<Vec<_>>().join("/")
}

/// All that the database has of an account, as text.
async fn all_of(app: &App, account: &str) -> BTreeMap<String, Vec<String>> {
    let tables = ["openers", "sessions", "devices", "recipients", "records", "record_recipients", "outbox"];
    let mut all = BTreeMap::new();
    for (table, column) in tables.map(|table| (table, "account_id")).into_iter().chain([("accounts", "id")]) {
        let query = format!("SELECT * FROM {table} WHERE {column} = $1 ORDER BY 1, 2");
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

#[tokio::test]
async fn nobody_gets_further_than_the_table_says() {
    let (_folder, app, _) = app().await;
    let ada = Person::new(&app, "Ada L").await;
    let (key, id) = device(&app, &ada.account).await;
    for Route { method, path, access, .. } in routes::all() {
        let target = filled(path, &"0".repeat(64));
        let what = format!("{method} {target}");
        let nobody = send(&ada.router, browser(&method, &target).body(Body::empty()).unwrap()).await;
        let person = ada.ask(&method, &target, "").await;
        let signed = signed(&key, &id, &method, &target);
        let device = send(&ada.router, signed.body(Body::empty()).unwrap()).await;
        match access {
            Access::Anyone => {
                assert!(!nobody.sends_to_sign_in() && nobody.status != StatusCode::UNAUTHORIZED, "{what}");
            }
            Access::SignedIn => {
                assert!(nobody.sends_to_sign_in() && device.sends_to_sign_in(), "{what}");
                assert!(!person.sends_to_sign_in(), "{what} {}", person.text);
            }
            Access::Device => {
                assert_eq!(nobody.status, StatusCode::UNAUTHORIZED, "{what}");
                assert_eq!(person.status, StatusCode::UNAUTHORIZED, "{what}");
            }
        }
        for answer in [&nobody, &person, &device] {
            assert!(!answer.status.is_server_error(), "{what} {}", answer.text);
            let asset = path.starts_with("/assets/") && answer.status == StatusCode::OK;
            assert!(asset || answer.headers[header::CACHE_CONTROL] == "no-store", "{what}");
            assert!(answer.headers.contains_key(header::CONTENT_SECURITY_POLICY), "{what}");
        }
        // Signing out was one of them.
        if path == "/sign-out" {
            assert!(ada.ask(&Method::GET, "/account", "").await.sends_to_sign_in());
            return_to(&app, &ada).await;
        }
    }
}

/// Lets somebody back in who has signed out, with the same cookie.
async fn return_to(app: &App, person: &Person) {
    use sha2::{Digest, Sha256};
    let token = person.cookie.split_once('=').unwrap().1.to_owned();
    let session = store::sessions::Session {
        hash: Sha256::digest(token).to_vec(),
        account: person.account.clone(),
        opener: String::new(),
        agent: String::new(),
        created: now(),
        used: now(),
    };
    let begin = app.store.write(move |tx| {
        Box::pin(async move { store::sessions::begin(tx, session).await.map(|()| ((), Vec::new())) })
    });
    begin.await.unwrap();
}

fn signed(key: &DeviceKey, id: &str, method: &Method, target: &str) -> axum::http::request::Builder {
    let mut nonce = [0; 16];
    getrandom::fill(&mut nonce).unwrap();
    let request = SignedRequest { method: method.as_str(), authority: "localhost:4848", target, body: b"" };
    let headers = signature::sign(key, id, &request, now(), nonce);
    browser(method, target)
        .header("content-digest", headers.content_digest)
        .header("signature-input", headers.signature_input)
        .header("signature", headers.signature)
}

#[tokio::test]
async fn another_site_and_another_name_get_nowhere() {
    let (_folder, app, _) = app().await;
    let ada = Person::new(&app, "Ada L").await;
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

#[tokio::test]
async fn what_is_anothers_stays_as_it_is() {
    let (_folder, app, _) = app().await;
    let bob = Person::new(&app, "Bob").await;
    let (_, device) = device(&app, &bob.account).await;
    let record = record(&app, &bob.account, &device).await;
    let before = all_of(&app, &bob.account).await;
    assert!(["openers", "sessions", "devices", "records"].iter().all(|table| !before[*table].is_empty()));
    let session = app.store.sessions(&bob.account, now()).await.unwrap()[0].hash.clone();
    let openers = app.store.openers(&bob.account).await.unwrap();
    let mut ids = vec![device, hex(&record), hex(&session), bob.account.clone()];
    ids.extend(openers.into_iter().map(|opener| opener.id));

    for (number, Route { method, path, access, .. }) in routes::all().into_iter().enumerate() {
        if access != Access::SignedIn {
            continue;
        }
        // Some routes end the account, or the session: somebody new comes for each.
        let eve = Person::new(&app, &format!("Eve {number}")).await;
        for id in &ids {
            let name = format!("Eve {number}");
            let form = url_encoded(&[
                ("id", id),
                ("account", id),
                ("recipient", id),
                ("who", id),
                ("reason", "because"),
                ("name", &name),
                ("password", PASSWORD),
                ("typed", &name),
                ("new", PASSWORD),
                ("again", PASSWORD),
            ]);
            let target = filled(path, if id.len() == 64 { id } else { "0" });
            let answer = eve.ask(&method, &target, &form).await;
            assert!(!answer.status.is_server_error(), "{method} {target} {}", answer.text);
            let told =
                ["123456", "AGE-SECRET", "C: of Bob"].iter().any(|secret| answer.text.contains(secret));
            assert!(!told, "{method} {target} {}", answer.text);
            if path.starts_with("/keys/{id}") {
                assert!(answer.status == StatusCode::NOT_FOUND, "{method} {target} {}", answer.status);
            }
        }
        assert!(before == all_of(&app, &bob.account).await, "{method} {path} changed what is Bob's");
    }
}
