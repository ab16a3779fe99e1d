//! What every request passes before a handler sees it, and every answer afterwards.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{HttpBody as _, to_bytes};
use axum::extract::{ConnectInfo, FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::limit::RequestBodyLimitLayer;
use tower_http::timeout::TimeoutLayer;

use crate::answer;
use crate::app::{App, Settings};
use crate::error::Error;

/// The largest body: a record of [`account::wire::SEALED_LIMIT`] in Base64, and what stands around it.
pub const BODY_LIMIT: usize = account::wire::SEALED_LIMIT / 3 * 4 + (64 << 10);
/// The largest body that is waited for before a request is looked at: every form's, and most records'.
const SMALL: usize = 64 << 10;
/// How long a request may take to arrive and be answered.
const TIME_LIMIT: Duration = Duration::from_secs(30);
/// Nothing from anywhere but here, and no style or script that stands in a page.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; \
                      connect-src 'self'; font-src 'self'; form-action 'self'; base-uri 'none'; \
                      frame-ancestors 'none'";

/// Puts the gate before all routes.
pub fn before(router: Router, app: &App) -> Router {
    router
        .layer(RequestBodyLimitLayer::new(BODY_LIMIT))
        .layer(from_fn_with_state(app.settings.clone(), admit))
        .layer(from_fn(arrive))
        .layer(TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, TIME_LIMIT))
        .layer(CatchPanicLayer::new())
        .layer(from_fn(answer::present))
        .layer(from_fn(measure))
        .layer(from_fn_with_state(app.settings.clone(), headers))
}

/// Lets a small body arrive before anybody looks at the request: who is refused while still sending it would be hung up on,
/// and might not see why.
async fn arrive(request: Request, next: Next) -> Response {
    let length = request.body().size_hint().exact();
    if !length.is_some_and(|length| (1..=SMALL as u64).contains(&length)) {
        return next.run(request).await;
    }
    let (parts, body) = request.into_parts();
    match to_bytes(body, SMALL).await {
        Ok(body) => next.run(Request::from_parts(parts, body.into())).await,
        Err(_) => StatusCode::BAD_REQUEST.into_response(),
    }
}

/// Lets through what is meant for this server, and what a page of this server sent.
async fn admit(State(settings): State<Arc<Settings>>, request: Request, next: Next) -> Response {
    let Some(host) = authority(&request) else {
        return Error::Foreign("the request does not say which host it is for").into_response();
    };
    // A name that an attacker made point here (DNS rebinding) is not among ours.
    if !settings.is_ours(host.host()) {
        return Error::Foreign("this server is not known by that name; its operator can add it: hosts")
            .into_response();
    }
    let changes = !matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    // Devices sign their requests and carry no cookie that another site could make use of.
    if changes && !request.uri().path().starts_with("/api/") && !same_site(request.headers(), &host) {
        return Error::Foreign("the request came from another site").into_response();
    }
    next.run(request).await
}

/// Returns the host that a request is for: of HTTP/2 from its address, of HTTP/1 from its header.
#[must_use]
pub fn authority<B>(request: &axum::http::Request<B>) -> Option<Authority> {
    if let Some(authority) = request.uri().authority() {
        return Some(authority.clone());
    }
    request.headers().get(header::HOST)?.to_str().ok()?.parse().ok()
}

/// Whether a page of this server sent it. Browsers say so themselves; old ones name the origin at least.
fn same_site(headers: &HeaderMap, host: &Authority) -> bool {
    if let Some(site) = headers.get("sec-fetch-site") {
        return site == "same-origin";
    }
    let origin = headers.get(header::ORIGIN).and_then(|origin| origin.to_str().ok());
    origin.and_then(|origin| origin.strip_prefix("https://")) == Some(host.as_str())
}

async fn headers(State(settings): State<Arc<Settings>>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    let fixed = [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (
            HeaderName::from_static("permissions-policy"),
            "camera=(), geolocation=(), microphone=(), publickey-credentials-create=(self), \
             publickey-credentials-get=(self)",
        ),
    ];
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if settings.lasting_tls {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000"));
    }
    response
}

/// Counts and times requests by route, never by what stands in their address.
async fn measure(request: Request, next: Next) -> Response {
    let start = std::time::Instant::now();
    // Figures are kept for each word that is met: those that a stranger invents are one.
    let method = match request.method().as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        _ => "other",
    };
    let response = next.run(request).await;
    let route = response.extensions().get::<RouteName>().map_or("none", |route| route.0);
    let status = response.status().as_u16().to_string();
    metrics::counter!("lastkeyd_requests_total", "method" => method, "route" => route, "status" => status)
        .increment(1);
    metrics::histogram!("lastkeyd_request_seconds", "method" => method, "route" => route)
        .record(start.elapsed().as_secs_f64());
    response
}

/// The route that answered, for the figures.
#[derive(Clone, Copy)]
pub struct RouteName(pub &'static str);

/// Where a request came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct From(pub IpAddr);

impl FromRequestParts<App> for From {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Self::Rejection> {
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        let peer = peer.map_or(IpAddr::from([0, 0, 0, 0]), |ConnectInfo(peer)| peer.ip().to_canonical());
        Ok(Self(app.settings.client(peer, &parts.headers)))
    }
}

impl Settings {
    /// Whether a host is a name of this server.
    fn is_ours(&self, host: &str) -> bool {
        let host = host.trim_end_matches('.');
        self.names().any(|name| name.eq_ignore_ascii_case(host))
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        let own = [self.host.as_str(), "localhost", "127.0.0.1", "[::1]"];
        own.into_iter().chain(self.hosts.iter().map(String::as_str))
    }

    /// Returns who stands before the proxies that are trusted.
    fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        if !self.proxies.contains(&peer) {
            return peer;
        }
        let lines: Vec<_> = headers.get_all("x-forwarded-for").iter().collect();
        let hops = lines.iter().rev().flat_map(|line| line.to_str().unwrap_or("?").rsplit(','));
        // Each proxy adds at the end whom it saw; what stands before an unknown one anybody may have written, and so may
        // what stands before one that cannot be read.
        for hop in hops {
            match hop_address(hop.trim()) {
                Some(address) if self.proxies.contains(&address) => {}
                Some(address) => return address,
                None => return peer,
            }
        }
        peer
    }
}

/// Returns the network that addresses are counted by: who has one address of IPv6 has 2^64 of them.
#[must_use]
pub fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into(),
        address => address,
    }
}

/// Reads an address as proxies write it: some add the port.
fn hop_address(hop: &str) -> Option<IpAddr> {
    let bare = hop.strip_prefix('[').and_then(|hop| hop.strip_suffix(']')).unwrap_or(hop);
    let address = bare.parse().ok().or_else(|| Some(hop.parse::<SocketAddr>().ok()?.ip()))?;
    Some(address.to_canonical())
}

#[cfg(test)]
pub(crate) mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    /// Those of a server behind two proxies.
    pub fn settings() -> Settings {
        Settings {
            url: "https://keys.example.org".to_owned(),
            host: "keys.example.org".to_owned(),
            hosts: vec!["alias.example.org".to_owned()],
            proxies: vec![IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2])],
            lasting_tls: true,
        }
    }

    #[test]
    fn only_our_names_are_ours() {
        let settings = settings();
        assert!(settings.is_ours("keys.example.org") && settings.is_ours("Alias.Example.ORG."));
        assert!(settings.is_ours("localhost") && settings.is_ours("[::1]"));
        assert!(!settings.is_ours("keys.example.org.evil.example") && !settings.is_ours("10.0.0.1"));
    }

    #[test]
    fn nobody_can_say_for_a_proxy_where_they_come_from() {
        let settings = settings();
        let mut headers = HeaderMap::new();
        headers.insert("x-forwarded-for", HeaderValue::from_static("1.2.3.4, 5.6.7.8, 10.0.0.2"));
        let client = |peer: [u8; 4]| settings.client(IpAddr::from(peer), &headers);
        assert_eq!(client([10, 0, 0, 1]), IpAddr::from([5, 6, 7, 8]));
        assert_eq!(client([9, 9, 9, 9]), IpAddr::from([9, 9, 9, 9]));

        let said = |lines: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append("x-forwarded-for", HeaderValue::from_static(line));
            }
            settings.client(IpAddr::from([10, 0, 0, 1]), &headers)
        };
        assert_eq!(said(&["1.2.3.4, 5.6.7.8:1234"]), IpAddr::from([5, 6, 7, 8]));
        assert_eq!(said(&["1.2.3.4", "[2001:db8::1]:1234, 10.0.0.2"]).to_string(), "2001:db8::1");
        assert_eq!(said(&["1.2.3.4, [2001:db8::1]"]).to_string(), "2001:db8::1");
        for unknown in ["1.2.3.4, unknown", "1.2.3.4, _hidden, 10.0.0.2", "1.2.3.4,"] {
            assert_eq!(said(&[unknown]), IpAddr::from([10, 0, 0, 1]), "{unknown}");
        }
    }

    #[test]
    fn another_site_is_another_site() {
        let host: Authority = "keys.example.org:4848".parse().unwrap();
        let with = |name: &'static str, value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(name, HeaderValue::from_static(value));
            same_site(&headers, &host)
        };
        assert!(with("sec-fetch-site", "same-origin") && with("origin", "https://keys.example.org:4848"));
        assert!(!with("sec-fetch-site", "same-site") && !with("sec-fetch-site", "cross-site"));
        assert!(!with("sec-fetch-site", "none") && !with("origin", "https://keys.example.org"));
        assert!(!with("origin", "null") && !with("origin", "http://keys.example.org:4848"));
        assert!(!same_site(&HeaderMap::new(), &host));
    }
}
