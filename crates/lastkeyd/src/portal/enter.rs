//! Signing in and out.

use askama::Template;
use axum::Form;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::page::{Notice, outside};
use crate::app::App;
use crate::audit::Entry;
use crate::error::Error;
use crate::gate::From;
use crate::sign_in::show::{self, Shown, Who};
use crate::sign_in::{SignedIn, passkey, session};
use crate::store::accounts::Account;
use crate::store::openers::{Kind, Opener};
use crate::store::{outbox, sessions};

/// What was looked for before signing in, and the page that was asked for.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Before {
    key: String,
    to: String,
}

#[derive(Template)]
#[template(path = "sign-in.html")]
struct SignIn<'s> {
    notice: Option<&'s Notice>,
    name: &'s str,
    key: &'s str,
    to: &'s str,
    passkeys: bool,
}

/// What the form carries.
#[derive(Deserialize)]
pub struct Enter {
    #[serde(default)]
    name: String,
    #[serde(default)]
    key: String,
    #[serde(default)]
    to: String,
    #[serde(flatten)]
    shown: Shown,
}

/// The form.
pub async fn show(
    State(app): State<App>,
    signed_in: Option<SignedIn>,
    Query(before): Query<Before>,
) -> Result<Response, Error> {
    if signed_in.is_some() {
        return Ok(onward(&before.key, &before.to));
    }
    let passkeys = passkey::possible(&app.settings);
    let Before { key, to } = &before;
    outside("Sign in", None, &SignIn { notice: None, name: "", key, to, passkeys })
}

/// Lets somebody in.
pub async fn enter(
    State(app): State<App>,
    From(from): From,
    headers: HeaderMap,
    Form(form): Form<Enter>,
) -> Result<Response, Error> {
    match show::check(&app, Who::Named(&form.name), &form.shown, from, "sign-in").await {
        Ok(opened) => {
            let mut response =
                if opened.opener.kind == Kind::Code { to("/account") } else { onward(&form.key, &form.to) };
            let cookie = begin(&app, &opened.account, &opened.opener, from, &headers).await?;
            response.headers_mut().insert(header::SET_COOKIE, cookie);
            Ok(response)
        }
        Err(refused) => {
            let notice = Notice::refused(refused)?;
            let passkeys = passkey::possible(&app.settings);
            let Enter { name, key, to, .. } = &form;
            let body = SignIn { notice: Some(&notice), name, key, to, passkeys };
            outside("Sign in", Some(&notice), &body)
        }
    }
}

/// Begins a session, and returns its cookie.
pub async fn begin(
    app: &App,
    account: &Account,
    opener: &Opener,
    from: std::net::IpAddr,
    headers: &HeaderMap,
) -> Result<axum::http::HeaderValue, Error> {
    let (session, cookie) = session::new(&account.id, &opener.id, headers)?;
    let entry = Entry::done("sign-in").account(&account.id).from(from).detail(opener.kind.word());
    let told = (opener.kind == Kind::Code).then(|| account.id.clone());
    app.store
        .write(move |tx| {
            Box::pin(async move {
                sessions::begin(tx, session).await?;
                if let Some(account) = told {
                    let text = format!(
                        "Somebody signed in with your account code, from {from}. If it was not you, sign in, end all \
                         sessions, change your password and make a new account code."
                    );
                    outbox::tell(tx, &account, "Your account code was used to sign in", &text).await?;
                }
                Ok(((), vec![entry]))
            })
        })
        .await?;
    Ok(cookie)
}

/// Ends the session.
pub async fn leave(State(app): State<App>, From(from): From, signed_in: SignedIn) -> Result<Response, Error> {
    let SignedIn { account, session } = signed_in;
    app.store
        .write(move |tx| {
            Box::pin(async move {
                sessions::end(tx, &account.id, &session.hash).await?;
                Ok(((), vec![Entry::done("sign-out").account(&account.id).from(from)]))
            })
        })
        .await?;
    let mut response = to("/");
    response.headers_mut().insert(header::SET_COOKIE, session::no_cookie());
    Ok(response)
}

/// Goes where somebody was on the way to: to a page of ours, whatever the address says.
fn onward(key: &str, page: &str) -> Response {
    if session::RETURNS.contains(&page) {
        return to(page);
    }
    let key: String = key.chars().filter(|c| c.is_ascii_hexdigit() || *c == '-').take(40).collect();
    if key.is_empty() { to("/") } else { to(&format!("/?key={key}")) }
}

fn to(path: &str) -> Response {
    Redirect::to(path).into_response()
}
