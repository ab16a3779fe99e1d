//! The accounts of this device: where its keys are sealed to and sent.

mod login;
mod send;

use account::Trust;
use account::place::{Account, Accounts, PlaceError};
use account::wire::Recipient;
use account::{Alarm, Fingerprint};
use askama::Template;
use axum::extract::{Form, Path, Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use web::{Icon, Say};

use super::blocking;
use crate::answer::Error;
use crate::app::App;
use crate::back::Back;
use crate::page;
use crate::routes::Route;
use crate::speech::Reader;
use crate::words;

/// Returns the routes.
pub fn routes() -> Vec<Route> {
    vec![
        Route::get("/account", get(all)),
        Route::post("/account/login", post(login::begin)),
        Route::post("/account/{name}/look", post(send::look)),
        Route::post("/account/{name}/send", post(send::send)),
        Route::post("/account/{name}/accept", post(send::accept)),
        Route::get("/account/{name}/log-out", get(ask_to_leave)),
        Route::post("/account/{name}/log-out", post(leave)),
    ]
}

/// An account, as it is shown: what this device knows of it.
struct Shown {
    name: String,
    account: String,
    server: String,
    fingerprint: Option<String>,
    device: String,
    since: i64,
    recipients: Vec<Recipient>,
    /// Who is to come and who is to go, and what stands for that list.
    offered: Option<Offered>,
    /// What waits: the drive, and the key's ID.
    waiting: Vec<(String, Option<String>)>,
    kept: u64,
    /// What of that cannot be read.
    damaged: Vec<String>,
    alarms: Vec<Alarm>,
    evidence: String,
}

/// Other recipients than those that the person confirmed.
struct Offered {
    come: Vec<Recipient>,
    go: Vec<Recipient>,
    digest: String,
}

impl Shown {
    /// Whether something would be lost with the account that the server may not have, or that is evidence.
    fn is_risky(&self) -> bool {
        !self.waiting.is_empty() || !self.damaged.is_empty() || !self.alarms.is_empty()
    }

    fn of(account: &Account) -> Result<Self, PlaceError> {
        let about = account.about();
        let without = |some: &[Recipient], others: &[Recipient]| -> Vec<_> {
            some.iter().filter(|to| !others.contains(to)).cloned().collect()
        };
        let waiting = account.waiting()?.into_iter().map(|waiting| {
            let short = waiting.record.key_id.as_deref().and_then(|id| id.get(..8)).map(str::to_owned);
            (waiting.record.drive, short)
        });
        Ok(Self {
            name: account.name().to_owned(),
            account: about.account.clone(),
            server: about.server.clone(),
            fingerprint: match account.trust() {
                Trust::Pinned(certificate) => Some(Fingerprint::of(certificate).to_string()),
                Trust::System => None,
            },
            device: about.device_name.clone(),
            since: about.since,
            recipients: about.recipients.clone(),
            offered: about.offered.as_deref().map(|now| Offered {
                come: without(now, &about.recipients),
                go: without(&about.recipients, now),
                digest: digest(now),
            }),
            waiting: waiting.collect(),
            kept: account.kept()?.len() as u64,
            damaged: account.damaged()?.iter().map(ToString::to_string).collect(),
            alarms: account.evidence()?,
            evidence: account.folder().join("evidence").display().to_string(),
        })
    }
}

/// Stands for a list of recipients in a form, so that no other list is accepted than the one that was seen.
fn digest(recipients: &[Recipient]) -> String {
    let mut hash = Sha256::new();
    for to in recipients {
        for text in [&to.recipient, &to.name] {
            hash.update((text.len() as u64).to_le_bytes());
            hash.update(text);
        }
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Returns where the accounts are.
fn accounts(app: &App) -> Result<Accounts, Error> {
    app.accounts().ok_or_else(|| Error::Internal("there is no folder for accounts".to_owned()))
}

/// Opens an account that has to be there.
fn open(app: &App, name: &str) -> Result<Account, Error> {
    let account = accounts(app)?.open(name).map_err(|error| Error::Internal(error.to_string()))?;
    account.ok_or(Error::NotFound)
}

#[derive(Template)]
#[template(path = "account/all.html")]
struct Page<'s> {
    say: Say<'s>,
    accounts: Vec<Shown>,
    /// Accounts of which something cannot be read, and why.
    broken: Vec<(String, String)>,
    /// The server of the account that was just logged out of.
    left: Option<String>,
    device: String,
    server: String,
    back: Back,
    problem: Option<String>,
}

impl Page<'_> {
    fn warning(&self) -> Icon {
        Icon::Warning
    }

    fn since(&self, account: &Shown) -> String {
        words::time(account.since, self.say.language())
    }

    fn seen(&self, alarm: &Alarm) -> String {
        words::time(alarm.seen, self.say.language())
    }

    fn left_text(&self, server: &str) -> String {
        self.say.with("account-left", &[("server", server)])
    }

    fn evidence(&self, account: &Shown) -> String {
        self.say.with("account-evidence", &[("folder", &account.evidence)])
    }

    fn what(&self, key: &Option<String>) -> String {
        match key {
            Some(key) => self.say.with("copy-key", &[("key", key)]),
            None => self.say.of("copy-metadata"),
        }
    }
}

#[derive(Default, Deserialize)]
pub struct Asked {
    #[serde(default)]
    back: Back,
    left: Option<String>,
}

async fn all(
    State(app): State<App>,
    Reader(say): Reader,
    Query(asked): Query<Asked>,
) -> Result<Response, Error> {
    show(app, say, asked, String::new(), None).await
}

/// Shows the accounts, and the form to sign in.
async fn show(
    app: App,
    say: Say<'static>,
    asked: Asked,
    server: String,
    problem: Option<String>,
) -> Result<Response, Error> {
    let (shown, broken) = blocking(move || -> Result<_, Error> {
        let all = accounts(&app)?;
        let (mut shown, mut broken) = (Vec::new(), Vec::new());
        for name in all.names().map_err(|error| Error::Internal(error.to_string()))? {
            match all.open(&name).and_then(|account| account.as_ref().map(Shown::of).transpose()) {
                Ok(Some(account)) => {
                    broken.extend(account.damaged.iter().map(|why| (name.clone(), why.clone())));
                    shown.push(account);
                }
                Ok(None) => {}
                Err(error) => broken.push((name, error.to_string())),
            }
        }
        Ok((shown, broken))
    })
    .await??;
    let device = account::device_name(None);
    let Asked { back, left } = asked;
    let body = Page { say, accounts: shown, broken, left, device, server, back, problem };
    page::page(say, &say.of("menu-account"), "/account", &body)
}

#[derive(Template)]
#[template(path = "account/log_out.html")]
struct Leave<'s> {
    say: Say<'s>,
    account: Shown,
    missing: bool,
}

impl Leave<'_> {
    fn is_risky(&self) -> bool {
        self.account.is_risky()
    }

    fn warning(&self) -> Icon {
        Icon::Warning
    }

    fn waiting(&self) -> u64 {
        self.account.waiting.len() as u64
    }

    fn evidence(&self) -> String {
        self.say.with("account-evidence", &[("folder", &self.account.evidence)])
    }
}

fn leaving(say: Say<'_>, account: Shown, missing: bool) -> Result<Response, Error> {
    let body = Leave { say, account, missing };
    page::page(say, &say.of("account-log-out"), "/account", &body)
}

async fn ask_to_leave(
    State(app): State<App>,
    Reader(say): Reader,
    Path(name): Path<String>,
) -> Result<Response, Error> {
    let account =
        blocking(move || Shown::of(&open(&app, &name)?).map_err(|error| Error::Internal(error.to_string())));
    leaving(say, account.await??, false)
}

#[derive(Deserialize)]
struct Sure {
    sure: Option<String>,
}

async fn leave(
    State(app): State<App>,
    Reader(say): Reader,
    Path(name): Path<String>,
    Form(form): Form<Sure>,
) -> Result<Response, Error> {
    let done = blocking(move || -> Result<Result<String, Shown>, Error> {
        let internal = |error: String| Error::Internal(error);
        let session =
            account::Session::begin(open(&app, &name)?).map_err(|error| internal(error.to_string()))?;
        let shown = Shown::of(session.account()).map_err(|error| internal(error.to_string()))?;
        if form.sure.is_none() && shown.is_risky() {
            return Ok(Err(shown));
        }
        accounts(&app)?.remove(session.end()).map_err(|error| internal(error.to_string()))?;
        Ok(Ok(shown.server))
    });
    match done.await?? {
        Ok(server) => {
            let server: String = server.bytes().map(in_query).collect();
            Ok(Redirect::to(&format!("/account?left={server}")).into_response())
        }
        Err(account) => leaving(say, account, true),
    }
}

/// Writes a byte into a query.
fn in_query(byte: u8) -> String {
    match byte {
        b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'.' | b'-' | b'_' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    }
}
