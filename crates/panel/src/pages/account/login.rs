//! Signing this device in: whose server it is, and whose device this is.

use std::sync::Arc;

use account::place::name_of;
use account::{
    Address, AddressError, Answered, Client, ClientError, Fingerprint, Login, Trust, device_name, presented,
};
use askama::Template;
use axum::extract::{Form, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use web::{Icon, Say};

use super::{Asked, show};
use crate::answer::Error;
use crate::app::App;
use crate::back::Back;
use crate::jobs::{Job, Outcome};
use crate::pages::back_up::client_error;
use crate::pages::jobs;
use crate::speech::Reader;
use crate::told::Told;

/// What a person says of the server and of this device.
#[derive(Clone, Deserialize)]
pub struct Wanted {
    server: String,
    #[serde(default)]
    device: String,
    /// The fingerprint that was compared.
    #[serde(default)]
    fingerprint: String,
    /// Where to go on afterwards.
    #[serde(default)]
    back: Back,
}

/// Begins.
pub async fn begin(
    State(app): State<App>,
    Reader(say): Reader,
    Form(wanted): Form<Wanted>,
) -> Result<Response, Error> {
    let address: Address = match wanted.server.trim().parse() {
        Ok(address) => address,
        Err(error) => {
            let why = match error {
                AddressError::Clear => "account-address-clear",
                _ => "account-address-wrong",
            };
            let asked = Asked { back: wanted.back, left: None };
            let page = show(app, say, asked, wanted.server, Some(say.of(why))).await?;
            return Ok((StatusCode::UNPROCESSABLE_ENTITY, page).into_response());
        }
    };
    let inner = app.clone();
    let job = app.jobs.begin("account-signing-in", move |job| -> Arc<dyn Outcome> {
        match sign_in(&inner, address, &wanted, job) {
            Ok(end) => Arc::new(end),
            Err(why) => {
                job.failed();
                Arc::new(End::Failed { why, back: wanted.back })
            }
        }
    })?;
    Ok(jobs::go_to(&job))
}

fn sign_in(app: &App, address: Address, wanted: &Wanted, job: &Job) -> Result<End, Told> {
    let accounts = app.accounts().ok_or_else(|| Told::quoted("there is no folder for accounts"))?;
    job.step("account-step-server", &[("server", address.authority())]);
    let trust = match trust(&address, wanted)? {
        Ok(trust) => trust,
        Err(fingerprint) => return Ok(End::Compare { fingerprint, wanted: wanted.clone() }),
    };
    let told = |error: ClientError| client_error(&error);
    let device = device_name(Some(&wanted.device).filter(|name| !name.trim().is_empty()).map(String::as_str));
    let mut login = Login::begin(address, trust, &device).map_err(told)?;
    let (code, portal) = (login.code().0.to_owned(), login.server().portal.clone());
    job.step("account-step-confirm", &[("portal", &portal), ("code", &code), ("device", &device)]);
    match login.wait(|| !job.is_stopped()).map_err(told)? {
        Answered::Confirmed => {}
        Answered::Refused => return Err(Told::new("account-refused")),
        Answered::Nobody => return Err(Told::new("account-nobody")),
        Answered::Stopped => return Err(Told::new("account-stopped")),
    }
    let (about, key) = login.finish();
    let broken = |error: account::place::PlaceError| Told::quoted(error.to_string());
    let names = accounts.names().map_err(broken)?;
    let name = name_of(&about.account);
    // The same name at two servers: the second one gets a number.
    let numbered = (2_u32..).map(|number| format!("{name}-{number}"));
    let free = std::iter::once(name.clone()).chain(numbered).find(|name| !names.contains(name));
    let account = accounts.add(&free.unwrap_or(name), &about, &key).map_err(broken)?;
    let recipients = about.recipients.iter().map(|to| (to.name.clone(), to.recipient.clone())).collect();
    Ok(End::SignedIn { place: account.place(), device, recipients, back: wanted.back.clone() })
}

/// Finds out how the server is to be known: by an authority, or by its own certificate, once a person has compared its
/// fingerprint. That is returned when it is still to be compared.
fn trust(address: &Address, wanted: &Wanted) -> Result<Result<Trust, String>, Told> {
    let expected: Option<Fingerprint> = wanted.fingerprint.parse().ok();
    if expected.is_none() {
        match Client::new(address.clone(), Trust::System).server() {
            Ok(_) => return Ok(Ok(Trust::System)),
            Err(ClientError::Untrusted { .. }) => {}
            Err(error) => return Err(client_error(&error)),
        }
    }
    let certificate = presented(address).map_err(|error| {
        let unreachable = Told::new("server-unreachable").with("server", address.to_string());
        unreachable.because(Told::quoted(error.to_string()))
    })?;
    let shown = Fingerprint::of(&certificate);
    match expected {
        Some(expected) if expected == shown => Ok(Ok(Trust::Pinned(certificate))),
        Some(_) => Err(Told::new("account-other-certificate")),
        None => Ok(Err(shown.to_string())),
    }
}

/// What came of it.
enum End {
    /// The server has a certificate of its own: a person compares its fingerprint.
    Compare { fingerprint: String, wanted: Wanted },
    /// The device is signed in.
    SignedIn { place: String, device: String, recipients: Vec<(String, String)>, back: Back },
    /// It is not.
    Failed { why: Told, back: Back },
}

impl Outcome for End {
    fn title(&self, say: Say<'_>) -> String {
        say.of(match self {
            Self::Compare { .. } => "account-compare-title",
            Self::SignedIn { .. } => "account-signed-in-title",
            Self::Failed { .. } => "account-failed-title",
        })
    }

    fn body(&self, say: Say<'_>) -> Result<String, askama::Error> {
        Body { say, title: self.title(say), end: self }.render()
    }
}

#[derive(Template)]
#[template(path = "account/end.html")]
struct Body<'b> {
    say: Say<'b>,
    title: String,
    end: &'b End,
}

impl Body<'_> {
    fn icon(&self, good: bool) -> Icon {
        if good { Icon::Good } else { Icon::Warning }
    }

    fn signed_in(&self, place: &str, device: &str) -> String {
        self.say.with("account-signed-in", &[("place", place), ("device", device)])
    }
}
