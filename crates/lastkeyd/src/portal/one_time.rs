//! One-time codes of an app, which the password needs besides.

use std::net::IpAddr;

use askama::Template;
use axum::Form;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;

use super::account;
use super::page::{Notice, inside};
use crate::app::App;
use crate::audit::Entry;
use crate::error::Error;
use crate::gate::From;
use crate::sign_in::account_key::Place;
use crate::sign_in::show::Shown;
use crate::sign_in::totp::Codes;
use crate::sign_in::{Refused, SignedIn};
use crate::store::openers::{self, Kind};
use crate::store::{now, outbox};

#[derive(Template)]
#[template(path = "one-time.html")]
struct OneTime<'o> {
    notice: Option<&'o Notice>,
    qr: Option<String>,
    secret: &'o str,
    groups: String,
}

/// Shows new one-time codes to be scanned. They count once the first is confirmed.
pub async fn show(State(app): State<App>, signed_in: SignedIn) -> Result<Response, Error> {
    page(&app, &signed_in, &Codes::generate()?, None)
}

fn page(app: &App, signed_in: &SignedIn, codes: &Codes, notice: Option<&Notice>) -> Result<Response, Error> {
    let (secret, link) = (codes.text(), codes.link(&signed_in.account.name, &app.settings.host));
    let groups: Vec<_> = secret.expose().as_bytes().chunks(4).map(String::from_utf8_lossy).collect();
    let body = OneTime {
        notice,
        qr: web::qr(link.expose(), "The secret of the one-time codes as a QR code"),
        secret: secret.expose(),
        groups: groups.join(" "),
    };
    inside("One-time codes", "/account", notice, &body)
}

/// The first code of an app.
#[derive(Deserialize)]
pub struct FirstCode {
    #[serde(default)]
    secret: String,
    #[serde(default)]
    first: String,
    #[serde(flatten)]
    shown: Shown,
}

/// Takes the first code of an app: from now on each sign-in by password needs one.
pub async fn confirm(
    State(app): State<App>,
    From(from): From,
    signed_in: SignedIn,
    Form(form): Form<FirstCode>,
) -> Result<Response, Error> {
    let codes = Codes::parse(&form.secret)
        .ok_or_else(|| Error::Invalid("start again from the account page".to_owned()))?;
    match try_confirm(&app, from, &signed_in, &form, &codes).await {
        Ok(notice) => account::page(&app, &signed_in, Some(&notice)).await,
        Err(refused) => page(&app, &signed_in, &codes, Some(&Notice::refused(refused)?)),
    }
}

async fn try_confirm(
    app: &App,
    from: IpAddr,
    signed_in: &SignedIn,
    form: &FirstCode,
    codes: &Codes,
) -> Result<Notice, Refused> {
    let wrong = "This is not the code that the app should show now. Check that the phone's clock is right, and type \
                 the code that it shows.";
    let step = codes.check(&form.first, now()).ok_or_else(|| Refused::Wrong(wrong.to_owned()))?;
    let opened = account::check(app, signed_in, &form.shown, from, "account.one-time").await?;
    let Some(lock) = opened.lock.filter(|_| opened.opener.kind == Kind::Password) else {
        return Err(Refused::Wrong("One-time codes are kept under the password: type it.".to_owned()));
    };
    let opener = opened.opener;
    let place = Place { account: &opener.account, opener: &opener.id, kind: opener.kind };
    let (sealed, id) = (codes.seal(&lock, &place)?, opener.id.clone());
    let account = signed_in.account.id.clone();
    app.store
        .write(move |tx| {
            Box::pin(async move {
                openers::set_totp(tx, &id, Some(sealed), step).await?;
                let text = "From now on the password needs a code of an app besides. If it was not you, sign in with a \
                            passkey or your account code and change your password.";
                outbox::tell(tx, &account, "One-time codes were set up", text).await?;
                Ok(((), vec![Entry::done("account.one-time").account(&account).from(from).detail("set up")]))
            })
        })
        .await?;
    Ok(Notice::good("One-time codes are set up. Each use of the password needs one from now on."))
}

/// Removes the one-time codes.
pub async fn remove(
    State(app): State<App>,
    From(from): From,
    signed_in: SignedIn,
    Form(shown): Form<Shown>,
) -> Result<Response, Error> {
    let done = try_remove(&app, from, &signed_in, &shown).await;
    account::after(&app, &signed_in, done).await
}

async fn try_remove(app: &App, from: IpAddr, signed_in: &SignedIn, shown: &Shown) -> Result<Notice, Refused> {
    account::check(app, signed_in, shown, from, "account.one-time").await?;
    let account = signed_in.account.id.clone();
    let known = app.store.openers(&account).await?;
    let ids: Vec<String> =
        known.into_iter().filter(|opener| opener.totp.is_some()).map(|opener| opener.id).collect();
    app.store
        .write(move |tx| {
            Box::pin(async move {
                for id in ids {
                    openers::set_totp(tx, &id, None, 0).await?;
                }
                let text = "From now on the password alone signs in. If it was not you, change it.";
                outbox::tell(tx, &account, "One-time codes were removed", text).await?;
                Ok(((), vec![Entry::done("account.one-time").account(&account).from(from).detail("removed")]))
            })
        })
        .await?;
    Ok(Notice::good("One-time codes were removed: the password alone signs in."))
}
