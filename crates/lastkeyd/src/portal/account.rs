//! The account: what opens it, who else does, what is told, where it is open.

use std::net::IpAddr;

use askama::Template;
use axum::Form;
use axum::extract::State;
use axum::response::Response;
use recovery_key::Secret;
use serde::Deserialize;
use web::Icon;

use super::page::{Notice, day, inside, time};
use super::recipients::{self, Other};
use super::welcome::Code;
use crate::app::App;
use crate::audit::Entry;
use crate::error::Error;
use crate::gate::From;
use crate::sign_in::show::{self, Opened, Shown, Who};
use crate::sign_in::{PASSWORD_MINIMUM, Refused, SignedIn, passkey};
use crate::store::accounts::{self, Account};
use crate::store::openers::{self, Kind, Opener};
use crate::store::outbox::{self, Channel};
use crate::store::sessions::{self, Session};
use crate::store::{from_hex, hex, now};

#[derive(Template)]
#[template(path = "account.html")]
struct Page<'p> {
    notice: Option<&'p Notice>,
    account: &'p Account,
    openers: Vec<Opener>,
    others: Vec<Other>,
    unsealed: usize,
    sessions: Vec<Session>,
    here: &'p [u8],
    minimum: usize,
    passkeys: bool,
    mails: bool,
}

impl Page<'_> {
    /// Whether nothing but the account code opens the account's key.
    fn is_frail(&self) -> bool {
        !self.openers.iter().any(|opener| opener.kind != Kind::Code && opener.wrapped.is_some())
    }

    /// Whether anything that is told gets anywhere.
    fn is_told(&self) -> bool {
        self.account.webhook.is_some() || (self.mails && self.account.mail.is_some())
    }

    fn warning(&self) -> Icon {
        Icon::Warning
    }

    fn passkey_list(&self) -> impl Iterator<Item = &Opener> {
        self.openers.iter().filter(|opener| opener.kind == Kind::Passkey)
    }

    fn password(&self) -> Option<&Opener> {
        self.openers.iter().find(|opener| opener.kind == Kind::Password)
    }

    fn code(&self) -> Option<&Opener> {
        self.openers.iter().find(|opener| opener.kind == Kind::Code)
    }

    fn day(&self, seconds: &i64) -> String {
        day(*seconds)
    }

    fn time(&self, seconds: &i64) -> String {
        time(*seconds)
    }

    fn hex(&self, bytes: &[u8]) -> String {
        hex(bytes)
    }
}

/// The page.
pub async fn show(State(app): State<App>, signed_in: SignedIn) -> Result<Response, Error> {
    page(&app, &signed_in, None).await
}

/// Makes the page, with what it says of what was just tried.
pub async fn page(app: &App, signed_in: &SignedIn, notice: Option<&Notice>) -> Result<Response, Error> {
    let account = app.store.account(&signed_in.account.id).await?;
    let others = recipients::list(app, &account.id).await?;
    let unsealed = if others.is_empty() { 0 } else { recipients::unsealed(app, &account.id).await?.len() };
    let body = Page {
        notice,
        openers: app.store.openers(&account.id).await?,
        others,
        unsealed,
        sessions: app.store.sessions(&account.id, now()).await?,
        here: &signed_in.session.hash,
        minimum: PASSWORD_MINIMUM,
        passkeys: passkey::possible(&app.settings),
        mails: app.store.sends_mail(),
        account: &account,
    };
    inside("Account", "/account", notice, &body)
}

/// Shows the page after something was tried.
pub async fn after(
    app: &App,
    signed_in: &SignedIn,
    done: Result<Notice, Refused>,
) -> Result<Response, Error> {
    let notice = match done {
        Ok(notice) => notice,
        Err(refused) => Notice::refused(refused)?,
    };
    page(app, signed_in, Some(&notice)).await
}

/// Checks what the person shows once more.
pub async fn check(
    app: &App,
    signed_in: &SignedIn,
    shown: &Shown,
    from: IpAddr,
    act: &'static str,
) -> Result<Opened, Refused> {
    show::check(app, Who::Account(&signed_in.account), shown, from, act).await
}

/// A new password.
#[derive(Deserialize)]
pub struct NewPassword {
    #[serde(default)]
    new: String,
    #[serde(default)]
    again: String,
    #[serde(flatten)]
    shown: Shown,
}

/// Changes the password, and ends all other sessions.
pub async fn password(
    State(app): State<App>,
    From(from): From,
    signed_in: SignedIn,
    Form(form): Form<NewPassword>,
) -> Result<Response, Error> {
    let done = try_password(&app, from, &signed_in, &form).await;
    after(&app, &signed_in, done).await
}

async fn try_password(
    app: &App,
    from: IpAddr,
    signed_in: &SignedIn,
    form: &NewPassword,
) -> Result<Notice, Refused> {
    crate::sign_in::check_password(&form.new)?;
    if form.new != form.again {
        return Err(Refused::Wrong("The two new passwords are not the same. Type them again.".to_owned()));
    }
    let mut opened = check(app, signed_in, &form.shown, from, "account.password").await?;
    let codes = opened.codes.take();
    let had = app.store.openers(&signed_in.account.id).await?;
    let lost = codes.is_none() && had.iter().any(|opener| opener.totp.is_some());
    let account = signed_in.account.id.clone();
    let opener = show::new_password(&account, &opened.key()?, &form.new, codes.as_ref()).await?;
    let here = signed_in.session.hash.clone();
    app.store
        .write(move |tx| {
            Box::pin(async move {
                openers::remove_kind(tx, &account, Kind::Password).await?;
                openers::add(tx, opener).await?;
                sessions::end_others(tx, &account, &here).await?;
                let text = "If it was not you, sign in with your account code and set another.";
                outbox::tell(tx, &account, "Your password was changed", text).await?;
                Ok(((), vec![Entry::done("account.password").account(&account).from(from)]))
            })
        })
        .await?;
    Ok(Notice::good(if lost {
        "The password was changed, and all other sessions have ended. One-time codes were kept under the old password: \
         set them up again."
    } else {
        "The password was changed, and all other sessions have ended."
    }))
}

/// Makes a new account code, and shows it once.
pub async fn code(
    State(app): State<App>,
    From(from): From,
    signed_in: SignedIn,
    Form(shown): Form<Shown>,
) -> Result<Response, Error> {
    match try_code(&app, from, &signed_in, &shown).await {
        Ok(code) => {
            let (name, url) = (signed_in.account.name.as_str(), app.settings.url.as_str());
            let body = Code { name, url, code: code.expose(), made: day(now()), first: false, weak: false };
            inside("Print your account code", "/account", None, &body)
        }
        Err(refused) => after(&app, &signed_in, Err(refused)).await,
    }
}

async fn try_code(
    app: &App,
    from: IpAddr,
    signed_in: &SignedIn,
    shown: &Shown,
) -> Result<Secret<String>, Refused> {
    let key = check(app, signed_in, shown, from, "account.code").await?.key()?;
    let account = signed_in.account.id.clone();
    let (opener, code) = show::new_code(&account, &key)?;
    app.store
        .write(move |tx| {
            Box::pin(async move {
                openers::remove_kind(tx, &account, Kind::Code).await?;
                openers::add(tx, opener).await?;
                let text = "The one before opens nothing any more. If it was not you, change your password.";
                outbox::tell(tx, &account, "A new account code was made", text).await?;
                Ok(((), vec![Entry::done("account.code").account(&account).from(from)]))
            })
        })
        .await?;
    Ok(code)
}

/// Where notices go.
#[derive(Deserialize)]
pub struct Notices {
    #[serde(default)]
    mail: String,
    #[serde(default)]
    webhook: String,
    #[serde(flatten)]
    shown: Shown,
}

/// Changes where notices go. It is told to where they went before.
pub async fn notices(
    State(app): State<App>,
    From(from): From,
    signed_in: SignedIn,
    Form(form): Form<Notices>,
) -> Result<Response, Error> {
    let done = try_notices(&app, from, &signed_in, &form).await;
    after(&app, &signed_in, done).await
}

async fn try_notices(
    app: &App,
    from: IpAddr,
    signed_in: &SignedIn,
    form: &Notices,
) -> Result<Notice, Refused> {
    let (mail, webhook) = (form.mail.trim(), form.webhook.trim());
    let plain =
        |text: &str| text.len() <= 300 && !text.contains(|c: char| c.is_control() || c.is_whitespace());
    if !plain(mail) || !(mail.is_empty() || mail.split('@').filter(|part| !part.is_empty()).count() == 2) {
        return Err(Refused::Wrong("This is no mail address.".to_owned()));
    }
    if !plain(webhook) || !(webhook.is_empty() || webhook.starts_with("https://")) {
        return Err(Refused::Wrong("A webhook is a URL that begins with https://.".to_owned()));
    }
    let some = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    let (mail, webhook, before) = (some(mail), some(webhook), &signed_in.account);
    if mail.is_some() && mail != before.mail && !app.store.sends_mail() {
        return Err(Refused::Wrong(
            "This server sends no mail: whoever runs it has named no mail server. Give a webhook, and leave the mail \
             address empty."
                .to_owned(),
        ));
    }
    check(app, signed_in, &form.shown, from, "account.notices").await?;
    let ways = [(Channel::Mail, &mail, &before.mail), (Channel::Webhook, &webhook, &before.webhook)];
    let new = ways.map(|(channel, new, old)| Some((channel, new.clone().filter(|_| new != old)?)));
    let said = match (&mail, &webhook) {
        (None, None) => "You are told nothing from now on.",
        _ => "Notices go there from now on. The first is on its way: see that it arrives.",
    };
    let (id, name) = (before.id.clone(), before.name.clone());
    app.store
        .write(move |tx| {
            Box::pin(async move {
                let text =
                    "Notices go elsewhere from now on. If it was not you, sign in and change your password.";
                outbox::tell(tx, &id, "Where your notices go was changed", text).await?;
                accounts::set_notices(tx, &id, mail, webhook).await?;
                let text = format!("You are told here from now on what is done in the account {name}.");
                for (channel, target) in new.iter().flatten() {
                    outbox::tell_there(
                        tx,
                        &id,
                        (*channel, target),
                        "Notices of your account come here",
                        &text,
                    )
                    .await?;
                }
                Ok(((), vec![Entry::done("account.notices").account(&id).from(from)]))
            })
        })
        .await?;
    Ok(Notice::good(said))
}

/// Which session; none for all others.
#[derive(Deserialize)]
pub struct End {
    #[serde(default)]
    id: String,
}

/// Ends a session, or all but this one.
pub async fn end_session(
    State(app): State<App>,
    From(from): From,
    signed_in: SignedIn,
    Form(form): Form<End>,
) -> Result<Response, Error> {
    let (account, here) = (signed_in.account.id.clone(), signed_in.session.hash.clone());
    let one = if form.id.is_empty() { None } else { Some(from_hex(&form.id).ok_or(Error::NotFound)?) };
    app.store
        .write(move |tx| {
            Box::pin(async move {
                match one {
                    Some(hash) => sessions::end(tx, &account, &hash).await?,
                    None => sessions::end_others(tx, &account, &here).await?,
                }
                Ok(((), vec![Entry::done("session.end").account(&account).from(from)]))
            })
        })
        .await?;
    page(&app, &signed_in, Some(&Notice::good("Ended."))).await
}
