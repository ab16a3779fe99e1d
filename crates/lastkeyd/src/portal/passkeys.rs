//! Passkeys: what scripts ask for, and the list on the account's page.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::{Form, Json};
use serde::Deserialize;
use uuid::Uuid;

use super::account;
use super::page::Notice;
use super::welcome::{is_invited, try_once, unknown};
use crate::app::App;
use crate::audit::Entry;
use crate::error::Error;
use crate::gate::From;
use crate::sign_in::show::{self, Shown, Who};
use crate::sign_in::{Refused, SignedIn, passkey};
use crate::store::{accounts, openers, outbox};

/// Asks for any passkey.
pub async fn ask(State(app): State<App>, From(from): From) -> Result<Response, Error> {
    Ok(Json(passkey::ask(&app, from).await?).into_response())
}

/// Who wants a first passkey.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct First {
    invitation: String,
    name: String,
}

/// Asks for the passkey of an account that is being made.
pub async fn ask_first(
    State(app): State<App>,
    From(from): From,
    Form(form): Form<First>,
) -> Result<Response, Error> {
    let name = accounts::check_name(&form.name)?;
    try_once(&app, from).await?;
    if !is_invited(&app, &form.invitation).await? {
        return Err(unknown(&app, from).await);
    }
    Ok(Json(passkey::ask_new(&app, Uuid::new_v4(), &name, &[], from).await?).into_response())
}

/// Asks for one more passkey.
pub async fn ask_new(
    State(app): State<App>,
    From(from): From,
    signed_in: SignedIn,
) -> Result<Response, Error> {
    let SignedIn { account, .. } = signed_in;
    let known = app.store.openers(&account.id).await?;
    let id = account.id.parse().map_err(|_| Error::Internal("an account's ID is none".to_owned()))?;
    Ok(Json(passkey::ask_new(&app, id, &account.name, &known, from).await?).into_response())
}

/// What the form of a new passkey carries: the password or code that opens the key, and the passkey.
#[derive(Deserialize)]
pub struct Add {
    #[serde(default)]
    label: String,
    #[serde(default)]
    new_ceremony: String,
    #[serde(default)]
    new_passkey: String,
    #[serde(default)]
    new_prf: String,
    #[serde(flatten)]
    shown: Shown,
}

/// Adds a passkey.
pub async fn add(
    State(app): State<App>,
    From(from): From,
    signed_in: SignedIn,
    Form(form): Form<Add>,
) -> Result<Response, Error> {
    let done = try_add(&app, from, &signed_in, &form).await;
    account::after(&app, &signed_in, done).await
}

async fn try_add(
    app: &App,
    from: std::net::IpAddr,
    signed_in: &SignedIn,
    form: &Add,
) -> Result<Notice, Refused> {
    let id = signed_in.account.id.clone();
    if form.new_passkey.is_empty() {
        let why = "A passkey is made by the button \u{201c}Add a passkey\u{201d}, which needs JavaScript.";
        return Err(Refused::Wrong(why.to_owned()));
    }
    let key =
        show::check(app, Who::Account(&signed_in.account), &form.shown, from, "passkey.add").await?.key()?;
    let (asked_for, passkey) = passkey::take_new(app, &form.new_ceremony, &form.new_passkey).await?;
    if asked_for != id {
        return Err(Error::NotFound.into());
    }
    let label = accounts::check_name(if form.label.trim().is_empty() { "Passkey" } else { &form.label })?;
    let opener = show::new_passkey(&id, &key, &label, passkey, &form.new_prf)?;
    let opens = opener.wrapped.is_some();
    app.store
        .write(move |tx| {
            Box::pin(async move {
                openers::add(tx, opener).await?;
                let told = "A passkey was added to your account";
                outbox::tell(tx, &id, told, "If it was not you, sign in and remove it.").await?;
                Ok(((), vec![Entry::done("passkey.add").account(&id).from(from)]))
            })
        })
        .await?;
    Ok(Notice::good(if opens {
        "The passkey was added. It signs in and opens your keys."
    } else {
        "The passkey was added. It signs in; to see a key, the password or account code is asked for besides, because \
         this passkey or browser derives no key."
    }))
}

/// Which passkey.
#[derive(Deserialize)]
pub struct Remove {
    #[serde(default)]
    id: String,
    #[serde(flatten)]
    shown: Shown,
}

/// Removes a passkey.
pub async fn remove(
    State(app): State<App>,
    From(from): From,
    signed_in: SignedIn,
    Form(form): Form<Remove>,
) -> Result<Response, Error> {
    let done = try_remove(&app, from, &signed_in, form).await;
    account::after(&app, &signed_in, done).await
}

async fn try_remove(
    app: &App,
    from: std::net::IpAddr,
    signed_in: &SignedIn,
    form: Remove,
) -> Result<Notice, Refused> {
    show::check(app, Who::Account(&signed_in.account), &form.shown, from, "passkey.remove").await?;
    let (account, id) = (signed_in.account.id.clone(), form.id);
    let known = app.store.openers(&account).await?;
    let removed = known.into_iter().find(|opener| opener.id == id && opener.passkey.is_some());
    let name = removed.ok_or(Error::NotFound)?.name;
    let here = signed_in.session.opener == id;
    app.store
        .write(move |tx| {
            Box::pin(async move {
                openers::remove(tx, &account, &id).await?;
                let text = format!(
                    "The passkey {name} signs in and opens nothing any more, and where it was signed in that has ended. If \
                     it was not you, change your password and add the passkey again."
                );
                outbox::tell(tx, &account, "A passkey was removed from your account", &text).await?;
                Ok(((), vec![Entry::done("passkey.remove").account(&account).from(from).detail(name)]))
            })
        })
        .await?;
    Ok(Notice::good(if here {
        "The passkey was removed: it opens nothing here any more. You had signed in with it, so this session has ended: \
         sign in again."
    } else {
        "The passkey was removed: it opens nothing here any more, and the sessions that it began have ended."
    }))
}
