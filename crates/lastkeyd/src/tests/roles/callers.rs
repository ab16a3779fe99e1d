//! Those who call: people with a browser, and who signs.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};

use account::signature::{self, DeviceKey, Request as SignedRequest};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::ConnectInfo;
use axum::http::request::Builder;
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::app::App;
use crate::store::now;
use crate::tests::{device, url_encoded};
use crate::{portal, routes};

/// Somebody with a browser.
pub struct Person {
    pub router: Router,
    pub cookie: String,
    pub account: String,
}

/// What came back.
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub text: String,
}

impl Answer {
    pub fn sends_to_sign_in(&self) -> bool {
        self.status == StatusCode::SEE_OTHER && {
            let to = self.headers[header::LOCATION].to_str().unwrap();
            to == "/sign-in" || to.starts_with("/sign-in?to=/")
        }
    }
}

pub async fn send(router: &Router, request: Request<Body>) -> Answer {
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

/// A request as a browser makes it from a page of ours, each from another address: nobody is slowed down by others.
pub fn browser(method: &Method, path: &str) -> Builder {
    static ADDRESS: AtomicU32 = AtomicU32::new(10 << 24);
    let address = ADDRESS.fetch_add(1, Ordering::Relaxed).to_be_bytes();
    Request::builder()
        .method(method)
        .uri(path)
        .header(header::HOST, "localhost:4848")
        .header("sec-fetch-site", "same-origin")
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .extension(ConnectInfo(SocketAddr::from((address, 1))))
}

impl Person {
    /// Makes an account as everybody does: by an invitation, in the portal.
    pub async fn new(app: &App, name: &str, password: &str) -> Self {
        let router = routes::router(app);
        let code = portal::invite(app, 60).await.unwrap();
        let form =
            url_encoded(&[("invitation", &code), ("name", name), ("new", password), ("again", password)]);
        let request = browser(&Method::POST, "/welcome/account").body(Body::from(form.clone())).unwrap();
        let answer = send(&router, request).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
        let cookie = answer.headers[header::SET_COOKIE].to_str().unwrap();
        let cookie = cookie.split(';').next().unwrap().to_owned();
        let account = app.store.account_named(name).await.unwrap().unwrap().id;
        Self { router, cookie, account }
    }

    pub async fn ask(&self, method: &Method, path: &str, form: &str) -> Answer {
        let request = browser(method, path).header(header::COOKIE, &self.cookie);
        send(&self.router, request.body(Body::from(form.to_owned())).unwrap()).await
    }

    /// Lets the cookie be good again, or good no more.
    pub async fn set_session(&self, app: &App, used: i64, expires: i64) {
        let hash = Sha256::digest(self.cookie.split_once('=').unwrap().1).to_vec();
        let account = self.account.clone();
        let set = app.store.write(move |tx| {
            Box::pin(async move {
                sqlx::query(
                    "INSERT INTO sessions (id_hash, account_id, opener_id, agent, created, used, expires) \
                     VALUES ($1, $2, '', '', $3, $3, $4) ON CONFLICT (id_hash) DO UPDATE SET used = $3, expires = $4",
                )
                .bind(hash)
                .bind(account)
                .bind(used)
                .bind(expires)
                .execute(&mut *tx)
                .await?;
                Ok(((), Vec::new()))
            })
        });
        set.await.unwrap();
    }
}

/// Somebody who signs: a device, or one that is nobody's yet.
pub struct Signer {
    router: Router,
    key: DeviceKey,
    pub id: String,
}

impl Signer {
    pub async fn device(app: &App, account: &str) -> Self {
        let (key, id) = device(app, account).await;
        Self { router: routes::router(app), key, id }
    }

    pub fn stranger(app: &App) -> Self {
        let key = DeviceKey::generate().unwrap();
        Self { router: routes::router(app), id: STANDARD.encode(key.public()), key }
    }

    pub async fn ask(&self, method: &Method, target: &str, body: &Value) -> Answer {
        let request = self.sign(method, target, body);
        send(&self.router, request).await
    }

    /// Asks, and then says the very same once more; returns the second answer.
    pub async fn ask_twice(&self, method: &Method, target: &str, body: &Value) -> Answer {
        let request = self.sign(method, target, body);
        let (parts, body) = request.into_parts();
        let body = to_bytes(body, 1 << 20).await.unwrap();
        send(&self.router, Request::from_parts(parts.clone(), Body::from(body.clone()))).await;
        send(&self.router, Request::from_parts(parts, Body::from(body))).await
    }

    fn sign(&self, method: &Method, target: &str, body: &Value) -> Request<Body> {
        let body = if body.is_null() { Vec::new() } else { serde_json::to_vec(body).unwrap() };
        let mut nonce = [0; 16];
        getrandom::fill(&mut nonce).unwrap();
        let request =
            SignedRequest { method: method.as_str(), authority: "localhost:4848", target, body: &body };
        let headers = signature::sign(&self.key, &self.id, &request, now(), nonce);
        browser(method, target)
            .header("content-digest", headers.content_digest)
            .header("signature-input", headers.signature_input)
            .header("signature", headers.signature)
            .body(Body::from(body))
            .unwrap()
    }
}
