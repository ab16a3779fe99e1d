//! Who else can open an account's keys: the account of somebody who is trusted, or a key of age kept elsewhere.

mod anew;
pub(super) mod vouch;

use std::net::IpAddr;
use std::time::Duration;

use axum::Form;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;

use super::account;
use super::page::Notice;
use crate::app::App;
use crate::audit::Entry;
use crate::error::Error;
use crate::gate::From;
use crate::sign_in::show::{self, Shown, Who};
use crate::sign_in::{Refused, SignedIn};
use crate::store::accounts::{self, Account};
use crate::store::{now, outbox, recipients};

pub(super) use self::anew::seal_anew;

/// How many an account may have besides its own key.
const LIMIT: usize = 10;
/// How long one request seals anew: well below what a request may take, for the last records take time too.
const PORTION: Duration = Duration::from_secs(12);

/// Somebody else who can open an account's keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Other {
    /// The public key.
    pub recipient: String,
    /// Whose it is, in words.
    pub name: String,
    /// Whether it is an account here.
    pub is_account: bool,
}

/// Returns who else can open an account's keys.
pub async fn list(app: &App, account: &str) -> Result<Vec<Other>, Error> {
    let other = |other: recipients::Other| Other {
        recipient: other.recipient,
        name: other.name,
        is_account: other.account.is_some(),
    };
    Ok(app.store.others(account).await?.into_iter().map(other).collect())
}

/// Returns those of an account's newest records that were sealed before somebody was added.
pub async fn unsealed(app: &App, account: &str) -> Result<Vec<Vec<u8>>, Error> {
    app.store.unsealed(account).await
}

/// Who is to be added, or removed.
#[derive(Deserialize)]
pub struct Whom {
    /// An account's name, or a recipient of age.
    #[serde(default)]
    who: String,
    /// What to call a recipient of age.
    #[serde(default)]
    label: String,
    #[serde(flatten)]
    shown: Shown,
}

/// Adds somebody, and seals all records anew.
pub async fn add(
    State(app): State<App>,
    From(from): From,
    signed_in: SignedIn,
    Form(form): Form<Whom>,
) -> Result<Response, Error> {
    let done = try_add(&app, from, &signed_in, &form).await;
    account::after(&app, &signed_in, done).await
}

async fn try_add(app: &App, from: IpAddr, signed_in: &SignedIn, form: &Whom) -> Result<Notice, Refused> {
    let account = &signed_in.account;
    let mut other = whom(app, account, form).await?;
    if app.store.others(&account.id).await?.len() >= LIMIT {
        return Err(Refused::Wrong(format!("{LIMIT} others at most can open your keys.")));
    }
    let key = show::check(app, Who::Account(account), &form.shown, from, "recipient.add").await?.key()?;
    // Nobody is added to a list that the owner has not made.
    vouch::recipients(app, account, &key, from).await?;
    other.vouched = Some(vouch::vouch(&key, &account.id, &other)?);
    let (id, name) = (account.id.clone(), other.name.clone());
    let told = format!("From now on {name} can open the recovery keys of your account.");
    app.store
        .write(move |tx| {
            Box::pin(async move {
                let detail = format!("{} {}", other.name, other.recipient);
                if !recipients::add(tx, &id, other, now()).await? {
                    return Err(Error::Invalid("This one can open your keys already.".to_owned()));
                }
                outbox::tell(tx, &id, "Somebody more can open your recovery keys", &told).await?;
                Ok(((), vec![Entry::done("recipient.add").account(&id).from(from).detail(detail)]))
            })
        })
        .await?;
    let anew = seal_anew(app, account, &key, from, PORTION).await?;
    Ok(Notice::good(format!("{name} was added. {}", anew.say())))
}

/// Finds out who is meant.
async fn whom(app: &App, account: &Account, form: &Whom) -> Result<recipients::Other, Refused> {
    let who = form.who.trim();
    if who.starts_with("age1") {
        let recipient = who.to_lowercase();
        sealed::Seal::to_recipients(&[&recipient]).map_err(|error| Refused::Wrong(format!("{error}.")))?;
        let name =
            accounts::check_name(if form.label.trim().is_empty() { "Offline key" } else { &form.label })?;
        if recipient == account.recipient {
            return Err(Refused::Wrong("This is your account's own key.".to_owned()));
        }
        return Ok(recipients::Other { recipient, name, account: None, vouched: None });
    }
    match app.store.account_named(who).await? {
        Some(other) if other.id == account.id => {
            Err(Refused::Wrong("This is your own account: add somebody else.".to_owned()))
        }
        Some(other) => Ok(recipients::Other {
            recipient: other.recipient,
            name: other.name,
            account: Some(other.id),
            vouched: None,
        }),
        None => Err(Refused::Wrong(
            "There is no account with this name here, and a recipient of age begins with age1.".to_owned(),
        )),
    }
}

/// Goes on sealing where an earlier request has ended.
pub async fn seal(
    State(app): State<App>,
    From(from): From,
    signed_in: SignedIn,
    Form(shown): Form<Shown>,
) -> Result<Response, Error> {
    let done = try_seal(&app, from, &signed_in, &shown).await;
    account::after(&app, &signed_in, done).await
}

async fn try_seal(app: &App, from: IpAddr, signed_in: &SignedIn, shown: &Shown) -> Result<Notice, Refused> {
    let account = &signed_in.account;
    let key = show::check(app, Who::Account(account), shown, from, "record.reseal").await?.key()?;
    Ok(Notice::good(seal_anew(app, account, &key, from, PORTION).await?.say()))
}

/// Removes somebody: new records are not sealed to them any more.
pub async fn remove(
    State(app): State<App>,
    From(from): From,
    signed_in: SignedIn,
    Form(form): Form<Whom>,
) -> Result<Response, Error> {
    let done = try_remove(&app, from, &signed_in, form).await;
    account::after(&app, &signed_in, done).await
}

async fn try_remove(app: &App, from: IpAddr, signed_in: &SignedIn, form: Whom) -> Result<Notice, Refused> {
    show::check(app, Who::Account(&signed_in.account), &form.shown, from, "recipient.remove").await?;
    let (id, recipient) = (signed_in.account.id.clone(), form.who);
    app.store
        .write(move |tx| {
            Box::pin(async move {
                if !recipients::remove(tx, &id, &recipient).await? {
                    return Err(Error::NotFound);
                }
                let text = "New keys are not sealed to them any more. If it was not you, sign in, end all sessions and \
                            change your password.";
                outbox::tell(tx, &id, "Somebody less can open your recovery keys", text).await?;
                Ok(((), vec![Entry::done("recipient.remove").account(&id).from(from).detail(recipient)]))
            })
        })
        .await?;
    Ok(Notice::good(
        "Removed: new keys are not sealed to them, and those that are here are not shown to them. What they have seen \
         or exported before, they have: give the drive a new recovery key if that matters.",
    ))
}
