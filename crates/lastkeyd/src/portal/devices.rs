//! Devices: letting one in by its short code, and shutting one out.

use askama::Template;
use axum::Form;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use web::Icon;

use super::page::{Notice, inside, time};
use crate::app::App;
use crate::audit::Entry;
use crate::error::Error;
use crate::gate::From;
use crate::sign_in::show::{self, Shown, Who};
use crate::sign_in::{SignedIn, passkey};
use crate::store::attempts::{self, Bucket};
use crate::store::devices::{self, Device, Waiting};
use crate::store::{Whose, now};

#[derive(Template)]
#[template(path = "devices.html")]
struct Devices<'d> {
    notice: Option<&'d Notice>,
    url: &'d str,
    list: Vec<Device>,
}

#[derive(Template)]
#[template(path = "device.html")]
struct Confirm<'c> {
    notice: Option<&'c Notice>,
    waiting: &'c Waiting,
    passkeys: bool,
}

impl Devices<'_> {
    fn icon(&self) -> Icon {
        Icon::Device
    }

    fn time(&self, seconds: &i64) -> String {
        time(*seconds)
    }
}

impl Confirm<'_> {
    fn until(&self) -> String {
        time(self.waiting.expires)
    }
}

/// The list.
pub async fn show(State(app): State<App>, signed_in: SignedIn) -> Result<Response, Error> {
    page(&app, &signed_in, None).await
}

async fn page(app: &App, signed_in: &SignedIn, notice: Option<&Notice>) -> Result<Response, Error> {
    let list = devices::list(&app.store, &signed_in.account.id).await?;
    inside("Devices", "/devices", notice, &Devices { notice, url: &app.settings.url, list })
}

/// What the device shows.
#[derive(Deserialize)]
pub struct Code {
    #[serde(default)]
    code: String,
}

/// Shows which device waits behind a code.
pub async fn code(
    State(app): State<App>,
    From(from): From,
    signed_in: SignedIn,
    Form(form): Form<Code>,
) -> Result<Response, Error> {
    let bucket = Bucket::address(from);
    app.store.try_once(vec![bucket.clone()], now()).await?;
    match devices::waiting(&app.store, &form.code).await {
        Ok(waiting) => {
            let right = app.store.write(|tx| {
                Box::pin(async move { attempts::right(tx, vec![bucket]).await.map(|()| ((), Vec::new())) })
            });
            right.await?;
            ask(&app, &waiting, None)
        }
        Err(Error::NotFound) => {
            let account = &signed_in.account.id;
            let entry = Entry::refused("device.confirm", "no device waits with this code");
            app.store.note_refusal(Whose::Known(account), entry.account(account).from(from)).await;
            let why = "No device waits with this code. A code is good for a few minutes: type the one that the device \
                       shows now.";
            let notice = Notice::bad(StatusCode::UNPROCESSABLE_ENTITY, why);
            page(&app, &signed_in, Some(&notice)).await
        }
        Err(error) => Err(error),
    }
}

/// Asks whether it is the right device, and who says so.
fn ask(app: &App, waiting: &Waiting, notice: Option<&Notice>) -> Result<Response, Error> {
    let body = Confirm { notice, waiting, passkeys: passkey::possible(&app.settings) };
    inside("Is this your device?", "/devices", notice, &body)
}

/// Which one, and what shows whose it shall be.
#[derive(Deserialize)]
pub struct LetIn {
    #[serde(default)]
    id: String,
    #[serde(flatten)]
    shown: Shown,
}

/// Lets a device in. A session alone is not enough: whoever has taken one could let in a device of theirs.
pub async fn confirm(
    State(app): State<App>,
    From(from): From,
    signed_in: SignedIn,
    Form(form): Form<LetIn>,
) -> Result<Response, Error> {
    let account = &signed_in.account;
    let waiting = devices::waiting_still(&app.store, &form.id).await?;
    match show::check(&app, Who::Account(account), &form.shown, from, "device.confirm").await {
        Ok(_) => {
            devices::confirm(&app.store, (account.id.as_str(), from), &waiting.id).await?;
            Ok(Redirect::to("/devices").into_response())
        }
        Err(refused) => ask(&app, &waiting, Some(&Notice::refused(refused)?)),
    }
}

/// Which one.
#[derive(Deserialize)]
pub struct Which {
    #[serde(default)]
    id: String,
}

/// Sends a device away.
pub async fn refuse(
    State(app): State<App>,
    From(from): From,
    signed_in: SignedIn,
    Form(form): Form<Which>,
) -> Result<Response, Error> {
    devices::refuse(&app.store, (signed_in.account.id.as_str(), from), &form.id).await?;
    Ok(Redirect::to("/devices").into_response())
}

/// Shuts a device out.
pub async fn revoke(
    State(app): State<App>,
    From(from): From,
    signed_in: SignedIn,
    Form(form): Form<Which>,
) -> Result<Response, Error> {
    devices::revoke(&app.store, (signed_in.account.id.as_str(), from), &form.id).await?;
    Ok(Redirect::to("/devices").into_response())
}
