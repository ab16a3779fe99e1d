//! Nobody who has not come in gets anything, and no other site does.

use axum::body::Body;
use axum::http::{Request, StatusCode, header};

use crate::routes::{self, Access};
use crate::testing::Site;

/// A path as the table has it, with something in place of its parameters.
fn path(pattern: &str) -> String {
    let parts = pattern.split('/').map(|part| if part.starts_with('{') { "x" } else { part });
    parts.collect::<Vec<_>>().join("/")
}

#[tokio::test]
async fn strangers_get_nothing_but_the_door() {
    let site = Site::with_images(Vec::new());
    for route in routes::all() {
        let request = Request::builder().method(route.method.clone()).uri(path(route.path));
        let stale = format!("{}={}", crate::door::COOKIE, "0".repeat(64));
        for cookie in ["", &stale] {
            let request = Request::builder()
                .method(route.method.clone())
                .uri(path(route.path))
                .header(header::HOST, &site.app.host)
                .header("sec-fetch-site", "same-origin")
                .header(header::COOKIE, cookie);
            let answer = site.ask(request.body(Body::empty()).unwrap()).await;
            match route.access {
                Access::Anyone => assert_ne!(answer.status, StatusCode::UNAUTHORIZED, "{}", route.path),
                Access::Program => assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{}", route.path),
                Access::Inside => {
                    let sent_away = answer.location.as_deref() == Some("/start");
                    assert!(
                        sent_away || answer.status == StatusCode::UNAUTHORIZED,
                        "{} {}",
                        route.method,
                        route.path
                    );
                }
            }
        }
        // A name that points here is not ours, and neither is the bare address.
        for host in ["evil.example", "127.0.0.1:4849", "localhost:4849", "lastkey.localhost:4849"] {
            let mut own = site.request(route.method.as_str(), &path(route.path));
            own.headers_mut().unwrap().insert(header::HOST, host.parse().unwrap());
            let answer = site.ask(own.body(Body::empty()).unwrap()).await;
            assert_eq!(answer.status, StatusCode::MISDIRECTED_REQUEST, "{host} {}", route.path);
        }
        let answer = site.ask(request.body(Body::empty()).unwrap()).await;
        assert_eq!(answer.status, StatusCode::MISDIRECTED_REQUEST, "no host at all: {}", route.path);
    }
}

#[tokio::test]
async fn no_other_site_does_anything_with_our_cookie() {
    let site = Site::with_images(Vec::new());
    let origins = [
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
        ("origin", "null"),
        ("origin", "http://evil.example"),
        ("origin", "http://127.0.0.1:4849"),
    ];
    for route in routes::all().into_iter().filter(|route| route.access == Access::Inside) {
        for (name, value) in origins {
            let mut request = site.request(route.method.as_str(), &path(route.path));
            request.headers_mut().unwrap().remove("sec-fetch-site");
            let answer = site.ask(request.header(name, value).body(Body::empty()).unwrap()).await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{name}: {value} {}", route.path);
        }
    }
}
