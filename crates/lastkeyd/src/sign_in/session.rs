//! Sessions, as browsers carry them: 256 random bits in a cookie that only this host gets, only over TLS, only from
//! its own pages, and that no script can read.

use axum::extract::{FromRequestParts, OptionalFromRequestParts};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, header};
use axum::response::{IntoResponse, Redirect, Response};
use sha2::{Digest, Sha256};

use crate::app::App;
use crate::audit::Asker;
use crate::error::Error;
use crate::store::accounts::Account;
use crate::store::sessions::Session;
use crate::store::{hex, now};

const COOKIE: &str = "__Host-session";
const ATTRIBUTES: &str = "Secure; HttpOnly; SameSite=Strict; Path=/";
/// The longest name of a browser that is kept.
const AGENT_LIMIT: usize = 200;

/// The pages that one returns to after signing in.
pub const RETURNS: [&str; 3] = ["/devices", "/account", "/history"];

/// Who is signed in. It opens nothing.
#[derive(Clone, Debug)]
pub struct SignedIn {
    /// The account.
    pub account: Account,
    /// The session.
    pub session: Session,
}

/// Makes a session: what is kept of it, and the cookie.
///
/// # Errors
/// When the system has no random numbers.
pub fn new(account: &str, opener: &str, headers: &HeaderMap) -> Result<(Session, HeaderValue), Error> {
    let token = hex(&super::random::<32>()?);
    let cookie = HeaderValue::from_str(&format!("{COOKIE}={token}; {ATTRIBUTES}"))
        .map_err(|error| Error::Internal(error.to_string()))?;
    let agent = headers.get(header::USER_AGENT).and_then(|agent| agent.to_str().ok()).unwrap_or_default();
    let session = Session {
        hash: Sha256::digest(&token).to_vec(),
        account: account.to_owned(),
        opener: opener.to_owned(),
        agent: agent.chars().take(AGENT_LIMIT).collect(),
        created: now(),
        used: now(),
    };
    Ok((session, cookie))
}

/// The cookie of who is signed out.
#[must_use]
pub fn no_cookie() -> HeaderValue {
    HeaderValue::from_static("__Host-session=; Max-Age=0; Secure; HttpOnly; SameSite=Strict; Path=/")
}

fn token(headers: &HeaderMap) -> Option<&str> {
    let mut cookies = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
    cookies
        .find_map(|line| line.split(';').find_map(|pair| pair.trim().strip_prefix(COOKIE)?.strip_prefix('=')))
}

async fn signed_in(headers: &HeaderMap, app: &App) -> Result<Option<SignedIn>, Error> {
    let Some(token) = token(headers) else { return Ok(None) };
    let found = app.store.session(&Sha256::digest(token), now()).await?;
    Ok(found.map(|(session, account)| SignedIn { account, session }))
}

impl FromRequestParts<App> for SignedIn {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Response> {
        match signed_in(&parts.headers, app).await {
            Ok(Some(signed_in)) => {
                Asker::tell(&parts.extensions, &signed_in.account.id, None);
                Ok(signed_in)
            }
            Ok(None) => {
                let path = parts.uri.path();
                let back = parts.method == Method::GET && RETURNS.contains(&path);
                let way = if back { format!("/sign-in?to={path}") } else { "/sign-in".to_owned() };
                Err(Redirect::to(&way).into_response())
            }
            Err(error) => Err(error.into_response()),
        }
    }
}

impl OptionalFromRequestParts<App> for SignedIn {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Option<Self>, Error> {
        signed_in(&parts.headers, app).await
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn the_cookie_is_for_this_host_alone_and_the_database_does_not_have_it() {
        let (session, cookie) = new("account", "opener", &HeaderMap::new()).unwrap();
        let cookie = cookie.to_str().unwrap();
        assert!(cookie.starts_with("__Host-session=") && cookie.ends_with(ATTRIBUTES), "{cookie}");
        let mut headers = HeaderMap::new();
        let line = format!("a=b; {}; c=d", cookie.split(';').next().unwrap());
        headers.insert(header::COOKIE, line.parse().unwrap());
        let token = token(&headers).unwrap();
        assert_eq!(token.len(), 64);
        assert_eq!(session.hash, Sha256::digest(token).to_vec());
        assert!(!format!("{session:?}").contains(token));
    }

    #[test]
    fn another_cookie_is_no_session() {
        let mut headers = HeaderMap::new();
        headers.insert(
            header::COOKIE,
            HeaderValue::from_static("session=1; x__Host-session=2; __Host-sessions=3"),
        );
        assert_eq!(token(&headers), None);
    }
}
