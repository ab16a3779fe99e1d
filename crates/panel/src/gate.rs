//! What every request passes before a page sees it, and every answer afterwards.

use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::MethodRouter;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::limit::RequestBodyLimitLayer;
use tower_http::timeout::RequestBodyTimeoutLayer;

use crate::answer::{self, Error};
use crate::app::App;
use crate::routes::Access;

/// The largest body: a photo of a page.
pub const BODY_LIMIT: usize = 64 << 20;
/// How long a body may make one wait.
const PATIENCE: Duration = Duration::from_secs(30);
/// Nothing from anywhere but here, and no style or script that stands in a page. A preview is a picture of ours.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data: blob:; \
                      connect-src 'self'; font-src 'self'; media-src 'self' blob:; form-action 'self'; \
                      base-uri 'none'; frame-ancestors 'none'";

/// Puts before a route who may use it.
pub fn guard(handler: MethodRouter<App>, access: Access, app: &App) -> MethodRouter<App> {
    match access {
        Access::Anyone => handler,
        Access::Program => handler.route_layer(from_fn_with_state(app.clone(), program)),
        Access::Inside => handler.route_layer(from_fn_with_state(app.clone(), inside)),
    }
}

/// Puts the gate before all routes.
pub fn before(router: Router, app: &App) -> Router {
    router
        .layer(DefaultBodyLimit::disable())
        .layer(RequestBodyLimitLayer::new(BODY_LIMIT))
        .layer(RequestBodyTimeoutLayer::new(PATIENCE))
        .layer(from_fn_with_state(app.clone(), admit))
        .layer(CatchPanicLayer::new())
        .layer(from_fn(answer::present))
        .layer(from_fn(headers))
}

/// Lets through what is meant for this panel. A name that a stranger made point here (DNS rebinding) is not its own, and
/// neither is a bare address: all programs on this computer share the cookies of that.
async fn admit(State(app): State<App>, request: Request, next: Next) -> Response {
    let host = request.headers().get(header::HOST).map(HeaderValue::as_bytes);
    let named = request.uri().authority().map(|authority| authority.as_str().as_bytes());
    if named.or(host) != Some(app.host.as_bytes()) {
        let text = "This is the control panel of lastkey. It is reached by the address that it has shown.\n";
        return (StatusCode::MISDIRECTED_REQUEST, text).into_response();
    }
    next.run(request).await
}

/// Lets through who has come in, and of what changes something only what a page of this panel sent.
async fn inside(State(app): State<App>, request: Request, next: Next) -> Response {
    let headers = request.headers();
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|cookie| cookie.to_str().ok());
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    if !cookies.into_iter().any(|cookie| app.door.knows(cookie)) {
        if reads && !is_fetched(headers) {
            return Redirect::to("/start").into_response();
        }
        return Error::Outside.into_response();
    }
    if !is_own(headers, &app.host, reads) {
        return Error::Foreign.into_response();
    }
    next.run(request).await
}

/// Lets through another start of the program by the same person.
async fn program(State(app): State<App>, request: Request, next: Next) -> Response {
    if !app.card.is_shown(request.headers()) {
        return Error::Outside.into_response();
    }
    next.run(request).await
}

/// Whether a page of this panel sent it. Browsers say so themselves; old ones name the origin at least. What is only
/// read may also be an address that somebody typed.
fn is_own(headers: &HeaderMap, host: &str, reads: bool) -> bool {
    if let Some(site) = headers.get("sec-fetch-site") {
        return site == "same-origin" || (reads && site == "none");
    }
    match headers.get(header::ORIGIN).map(|origin| origin.to_str().unwrap_or_default()) {
        Some(origin) => origin.strip_prefix("http://") == Some(host),
        None => reads,
    }
}

/// Whether a script asks, which would take a page for what it asked for.
fn is_fetched(headers: &HeaderMap) -> bool {
    headers.get("sec-fetch-mode").is_some_and(|mode| mode != "navigate")
}

async fn headers(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(HeaderValue::from_static(POLICY));
    let fixed = [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (HeaderName::from_static("permissions-policy"), "camera=(self), geolocation=(), microphone=()"),
    ];
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}
