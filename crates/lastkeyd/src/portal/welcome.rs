//! Making an account, by an invitation.

use std::net::IpAddr;

use askama::Template;
use axum::Form;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::Response;
use serde::Deserialize;

use super::page::{Notice, outside};
use crate::app::App;
use crate::audit::Entry;
use crate::error::Error;
use crate::gate::From;
use crate::sign_in::account_key::AccountKey;
use crate::sign_in::code::{invitation, invitation_hash};
use crate::sign_in::{PASSWORD_MINIMUM, Refused, check_password, passkey, show};
use crate::store::accounts::{self, Account};
use crate::store::attempts::{self, Bucket};
use crate::store::{Whose, now, openers};

/// How long the first invitation is good, in seconds.
const FIRST: i64 = 3600;
const UNKNOWN: &str =
    "This invitation is not known here. It is good once, and only for a time: ask for a new one.";

#[derive(Template)]
#[template(path = "welcome.html")]
struct Welcome<'w> {
    notice: Option<&'w Notice>,
    invitation: &'w str,
    name: &'w str,
    minimum: usize,
    passkeys: bool,
    /// A passkey that was made and waits for a password beside it.
    ceremony: &'w str,
    passkey: &'w str,
}

#[derive(Template)]
#[template(path = "code.html")]
pub(super) struct Code<'c> {
    pub name: &'c str,
    pub url: &'c str,
    pub code: &'c str,
    pub made: String,
    pub first: bool,
    /// Whether there is a passkey that opens no keys.
    pub weak: bool,
}

/// What the form carries.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Make {
    invitation: String,
    name: String,
    new: String,
    again: String,
    ceremony: String,
    passkey: String,
    prf: String,
}

impl Make {
    /// Says what is wrong, as far as that is seen without asking anybody.
    fn check(&self) -> Result<(), Refused> {
        accounts::check_name(&self.name)?;
        let wrong = |why: &str| Err(Refused::Wrong(why.to_owned()));
        if self.new != self.again {
            return wrong("The two passwords are not the same. Type them again.");
        }
        if !self.new.is_empty() {
            return Ok(check_password(&self.new)?);
        }
        if self.passkey.is_empty() {
            return wrong("Choose a password, or make a passkey.");
        }
        if passkey::material(&self.prf).is_none() {
            return wrong(
                "This passkey shows who you are, but it cannot open keys: it, or this browser, derives none. With it alone, \
                 the printed account code would be all that opens your keys. So choose a password too: type it twice below, \
                 and the account is made with both.",
            );
        }
        Ok(())
    }
}

/// Returns the code by which the first account is made, while there is none.
///
/// # Errors
/// What the database says.
pub async fn first_invitation(app: &App) -> Result<Option<String>, Error> {
    if app.store.has_accounts().await? { Ok(None) } else { invite(app, FIRST).await.map(Some) }
}

/// Returns a code by which one more account is made within so many seconds.
///
/// # Errors
/// What the database says.
pub async fn invite(app: &App, seconds: i64) -> Result<String, Error> {
    let code = invitation()?;
    let hash = invitation_hash(&code);
    app.store
        .write(move |tx| {
            Box::pin(async move {
                accounts::invite(tx, hash, now().saturating_add(seconds)).await?;
                Ok(((), vec![Entry::done("account.invite")]))
            })
        })
        .await?;
    Ok(code)
}

/// The form.
pub async fn show(State(app): State<App>) -> Result<Response, Error> {
    page(&app, None, &Make::default())
}

fn page(app: &App, notice: Option<&Notice>, form: &Make) -> Result<Response, Error> {
    let body = Welcome {
        notice,
        invitation: &form.invitation,
        name: &form.name,
        minimum: PASSWORD_MINIMUM,
        passkeys: passkey::possible(&app.settings),
        ceremony: &form.ceremony,
        passkey: &form.passkey,
    };
    outside("Make an account", notice, &body)
}

/// Makes the account, signs its owner in, and shows the account code.
pub async fn make(
    State(app): State<App>,
    From(from): From,
    headers: HeaderMap,
    Form(form): Form<Make>,
) -> Result<Response, Error> {
    if let Err(refused) = form.check() {
        // A passkey that was made is still good: it waits in the form.
        return page(&app, Some(&Notice::refused(refused)?), &form);
    }
    match try_make(&app, from, &form).await {
        Ok((account, opener, code)) => {
            let cookie = super::enter::begin(&app, &account, &opener, from, &headers).await?;
            let body = Code {
                name: &account.name,
                url: &app.settings.url,
                code: code.expose(),
                made: super::page::day(account.created),
                first: true,
                weak: !form.passkey.is_empty() && passkey::material(&form.prf).is_none(),
            };
            let mut response = super::page::inside("Print your account code", "", None, &body)?;
            response.headers_mut().insert(header::SET_COOKIE, cookie);
            Ok(response)
        }
        Err(refused) => {
            let notice = Notice::refused(refused)?;
            page(&app, Some(&notice), &Make { passkey: String::new(), ceremony: String::new(), ..form })
        }
    }
}

type Made = (Account, openers::Opener, recovery_key::Secret<String>);

async fn try_make(app: &App, from: IpAddr, form: &Make) -> Result<Made, Refused> {
    let name = accounts::check_name(&form.name)?;
    let bucket = try_once(app, from).await?;

    let key = AccountKey::generate();
    let mut id = uuid::Uuid::new_v4().to_string();
    let mut ways = Vec::new();
    if !form.passkey.is_empty() {
        let (asked_for, passkey) = passkey::take_new(app, &form.ceremony, &form.passkey).await?;
        id = asked_for;
        ways.push(show::new_passkey(&id, &key, "Passkey", passkey, &form.prf)?);
    }
    if !form.new.is_empty() {
        ways.push(show::new_password(&id, &key, &form.new, None).await?);
    }
    let (opener, code) = show::new_code(&id, &key)?;
    let first = ways.first().cloned().ok_or(Error::NotFound)?;
    ways.push(opener);
    let account = Account { id, name, recipient: key.recipient(), mail: None, webhook: None, created: now() };
    let (row, hash) = (account.clone(), invitation_hash(&form.invitation));
    let made = app
        .store
        .write(move |tx| {
            Box::pin(async move {
                if !accounts::use_invitation(tx, hash).await? {
                    return Ok((false, Vec::new()));
                }
                attempts::right(tx, vec![bucket]).await?;
                accounts::add(tx, &row).await?;
                for way in ways {
                    openers::add(tx, way).await?;
                }
                Ok((true, vec![Entry::done("account.create").account(&row.id).from(from)]))
            })
        })
        .await?;
    if made { Ok((account, first, code)) } else { Err(unknown(app, from).await.into()) }
}

/// Counts a try of an invitation. That it comes too early stands in the log, too.
pub(super) async fn try_once(app: &App, from: IpAddr) -> Result<Bucket, Error> {
    let bucket = Bucket::address(from);
    let tried = app.store.try_once(vec![bucket.clone()], now()).await;
    if matches!(tried, Err(Error::TooMany(_))) {
        let entry = Entry::refused("account.create", show::TOO_MANY).from(from);
        app.store.note_refusal(Whose::Stranger(from), entry).await;
    }
    tried.map(|()| bucket)
}

/// Whether somebody may be asked for their first passkey: whoever has an invitation.
pub(super) async fn is_invited(app: &App, code: &str) -> Result<bool, Error> {
    app.store.is_invited(invitation_hash(code)).await
}

/// Says that there is no such invitation, to who asks and in the log.
pub(super) async fn unknown(app: &App, from: IpAddr) -> Error {
    let entry = Entry::refused("account.create", "no such invitation").from(from);
    app.store.note_refusal(Whose::Stranger(from), entry).await;
    Error::Invalid(UNKNOWN.to_owned())
}
