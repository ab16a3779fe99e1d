//! What somebody shows to be let in, or to have their key opened, and what becomes of it.

use std::net::IpAddr;

use recovery_key::Secret;
use serde::Deserialize;

use super::account_key::{AccountKey, Lock, Place};
use super::code::AccountCode;
use super::totp::Codes;
use super::{passkey, work};
use crate::app::App;
use crate::audit::Entry;
use crate::error::Error;
use crate::store::accounts::Account;
use crate::store::attempts::{self, Bucket};
use crate::store::openers::{self, Kind, Opener};
use crate::store::{Whose, now};

/// What is said of every wrong password alike, whether there is such an account or not.
const WRONG: &str = "Name, password and one-time code do not go together. Check each of them and try again. If you \
                     use an app for one-time codes, its code is needed too.";
const WRONG_PASSWORD: &str =
    "This is not your password, or the one-time code of your app is missing or wrong.";
const WRONG_CODE: &str = "This account code opens nothing here. Only the newest one does: making a new one ends those \
                          before it.";
const USED: &str =
    "This one-time code was used already. Wait for the next one: it comes within half a minute.";

/// What the log says of a try that comes too early.
pub const TOO_MANY: &str = "too many tries";

/// What somebody shows, as a form carries it: a passkey, an account code or a password.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Shown {
    /// A password.
    pub password: String,
    /// The code of an app, where one is used.
    pub one_time: String,
    /// An account code.
    pub code: String,
    /// What was asked of the passkey.
    pub ceremony: String,
    /// What the passkey answered, as JSON.
    pub passkey: String,
    /// What the passkey derived, in URL-safe Base64.
    pub prf: String,
}

/// Who somebody says to be.
#[derive(Clone, Copy, Debug)]
pub enum Who<'w> {
    /// Somebody who wants in, by name; a passkey says itself whose it is.
    Named(&'w str),
    /// Who is signed in.
    Account(&'w Account),
}

/// What was shown is right.
pub struct Opened {
    /// Whose it is.
    pub account: Account,
    /// What opened it.
    pub opener: Opener,
    /// What it locks with; a passkey that derives no key has none.
    pub lock: Option<Lock>,
    /// The account's key, if there is a lock.
    pub key: Option<AccountKey>,
    /// The one-time codes, where they are used.
    pub codes: Option<Codes>,
}

impl Opened {
    /// Returns the account's key.
    ///
    /// # Errors
    /// When it was a passkey that derives none.
    pub fn key(self) -> Result<AccountKey, Refused> {
        self.key.ok_or_else(|| {
            Refused::Wrong(
                "This passkey shows who you are, but it cannot open keys: it, or this browser, derives none. Use your \
                 password or your account code."
                    .to_owned(),
            )
        })
    }
}

/// Why it is not enough.
#[derive(Debug)]
pub enum Refused {
    /// It is wrong; what to tell.
    Wrong(String),
    /// It is too early for another try: how many seconds.
    TooMany(u64),
    /// Something failed.
    Failed(Error),
}

impl<E: Into<Error>> From<E> for Refused {
    fn from(error: E) -> Self {
        match error.into() {
            Error::TooMany(seconds) => Self::TooMany(seconds),
            Error::Invalid(why) => Self::Wrong(why),
            error => Self::Failed(error),
        }
    }
}

/// Checks what somebody shows. `act` is what they want it for: that is what the log says of a wrong try.
///
/// # Errors
/// When it is wrong, or too early for another try.
pub async fn check(
    app: &App,
    who: Who<'_>,
    shown: &Shown,
    from: IpAddr,
    act: &'static str,
) -> Result<Opened, Refused> {
    let mut buckets = vec![Bucket::address(from)];
    let tried = if !shown.passkey.is_empty() {
        try_once(app, &buckets, who, from, act).await?;
        by_passkey(app, who, shown).await?
    } else if !shown.code.trim().is_empty() {
        let code = AccountCode::parse(&shown.code).map_err(Refused::Wrong)?;
        try_once(app, &buckets, who, from, act).await?;
        by_code(app, who, &code).await?
    } else {
        buckets.push(match who {
            Who::Named(name) => Bucket::account(name),
            Who::Account(account) => Bucket::signed_in(&account.id),
        });
        try_once(app, &buckets, who, from, act).await?;
        by_password(app, who, shown).await?
    };
    let (opened, change) = match tried {
        Tried::Right(opened, change) => (*opened, change),
        Tried::Wrong { account, why } => {
            let mut entry = Entry::refused(act, "what was shown is wrong").from(from);
            entry.account = account;
            app.store.note(entry).await?;
            return Err(Refused::Wrong(why));
        }
    };
    let id = opened.opener.id.clone();
    let fresh = app.store.write(move |tx| {
        Box::pin(async move {
            match change {
                Some(Change::Step(step)) if !openers::use_step(tx, &id, step).await? => {
                    return Err(Error::Invalid(USED.to_owned()));
                }
                Some(Change::Passkey(passkey)) => openers::renew_passkey(tx, &id, &passkey).await?,
                _ => {}
            }
            openers::used(tx, &id, now()).await?;
            attempts::right(tx, buckets).await?;
            Ok(((), Vec::new()))
        })
    });
    match fresh.await {
        Ok(()) => Ok(opened),
        Err(Error::Invalid(why)) => {
            app.store
                .note(Entry::refused(act, "one-time code used before").account(&opened.account.id).from(from))
                .await?;
            Err(Refused::Wrong(why))
        }
        Err(error) => Err(error.into()),
    }
}

/// Counts a try. That it comes too early stands in the log, too.
async fn try_once(
    app: &App,
    buckets: &[Bucket],
    who: Who<'_>,
    from: IpAddr,
    act: &'static str,
) -> Result<(), Refused> {
    let tried = app.store.try_once(buckets.to_vec(), now()).await;
    if matches!(tried, Err(Error::TooMany(_))) {
        let mut entry = Entry::refused(act, TOO_MANY).from(from);
        // Looked up and noted alike, whether there is such an account or not: the time that it takes tells nothing.
        entry.account = find(app, who).await?.map(|account| account.id);
        let whose = match who {
            Who::Named(_) => Whose::Stranger(from),
            Who::Account(account) => Whose::Known(&account.id),
        };
        app.store.note_refusal(whose, entry).await;
    }
    Ok(tried?)
}

/// What came of a try.
enum Tried {
    Right(Box<Opened>, Option<Change>),
    Wrong { account: Option<String>, why: String },
}

/// What a right try changes in its opener.
enum Change {
    Step(i64),
    Passkey(String),
}

async fn by_password(app: &App, who: Who<'_>, shown: &Shown) -> Result<Tried, Refused> {
    let account = find(app, who).await?;
    let opener = match &account {
        Some(account) => of_kind(app, account, Kind::Password).await?,
        None => None,
    };
    // Who is not here takes as long as who is.
    let salt = opener.as_ref().map_or(&[0; 16][..], |opener| &opener.salt);
    let password = shown.password.get(..super::PASSWORD_MAXIMUM).unwrap_or(&shown.password);
    let lock = Lock::new(work::stretch(password, salt).await?, salt);
    let why = if matches!(who, Who::Named(_)) { WRONG } else { WRONG_PASSWORD };
    let wrong = |account: &Option<Account>| Tried::Wrong {
        account: account.as_ref().map(|account| account.id.clone()),
        why: why.to_owned(),
    };
    let Some((owner, opener)) = account.clone().zip(opener) else { return Ok(wrong(&account)) };
    let Some(key) = unwrap(&lock, &opener) else { return Ok(wrong(&account)) };
    let (codes, step) = match &opener.totp {
        None => (None, None),
        Some(sealed) => {
            let codes = Codes::open(sealed, &lock, &place(&opener))
                .ok_or_else(|| Error::Internal("the one-time codes of a password do not open".to_owned()))?;
            let Some(step) = codes.check(&shown.one_time, now()) else { return Ok(wrong(&account)) };
            (Some(codes), Some(Change::Step(step)))
        }
    };
    Ok(Tried::Right(
        Box::new(Opened { account: owner, opener, lock: Some(lock), key: Some(key), codes }),
        step,
    ))
}

async fn by_code(app: &App, who: Who<'_>, code: &AccountCode) -> Result<Tried, Refused> {
    let account = find(app, who).await?;
    let wrong = Tried::Wrong {
        account: account.as_ref().map(|account| account.id.clone()),
        why: WRONG_CODE.to_owned(),
    };
    let Some(account) = account else { return Ok(wrong) };
    let Some(opener) = of_kind(app, &account, Kind::Code).await? else { return Ok(wrong) };
    let lock = Lock::new(code.material(), &opener.salt);
    Ok(match unwrap(&lock, &opener) {
        None => wrong,
        key => Tried::Right(Box::new(Opened { account, opener, lock: Some(lock), key, codes: None }), None),
    })
}

async fn by_passkey(app: &App, who: Who<'_>, shown: &Shown) -> Result<Tried, Refused> {
    let wrong = |account, why: &str| Ok(Tried::Wrong { account, why: why.to_owned() });
    let (opener, changed) = match passkey::verify(app, &shown.ceremony, &shown.passkey).await? {
        Ok(verified) => verified,
        Err(why) => return wrong(None, why),
    };
    let account = app.store.account(&opener.account).await?;
    if let Who::Account(signed_in) = who
        && signed_in.id != account.id
    {
        return wrong(Some(signed_in.id.clone()), "This passkey is another account's.");
    }
    let lock = passkey::material(&shown.prf).map(|material| Lock::new(material, &opener.salt));
    let key = lock.as_ref().and_then(|lock| unwrap(lock, &opener));
    let lock = lock.filter(|_| key.is_some());
    Ok(Tried::Right(
        Box::new(Opened { account, opener, lock, key, codes: None }),
        changed.map(Change::Passkey),
    ))
}

async fn find(app: &App, who: Who<'_>) -> Result<Option<Account>, Error> {
    match who {
        Who::Named(name) => app.store.account_named(name).await,
        Who::Account(account) => Ok(Some(account.clone())),
    }
}

async fn of_kind(app: &App, account: &Account, kind: Kind) -> Result<Option<Opener>, Error> {
    Ok(app.store.openers(&account.id).await?.into_iter().find(|opener| opener.kind == kind))
}

fn unwrap(lock: &Lock, opener: &Opener) -> Option<AccountKey> {
    lock.unwrap(opener.wrapped.as_ref()?, &place(opener))
}

fn place(opener: &Opener) -> Place<'_> {
    Place { account: &opener.account, opener: &opener.id, kind: opener.kind }
}

/// Makes an opener of a new password.
///
/// # Errors
/// When the password is too short.
pub async fn new_password(
    account: &str,
    key: &AccountKey,
    password: &str,
    codes: Option<&Codes>,
) -> Result<Opener, Error> {
    super::check_password(password)?;
    let mut opener = blank(account, Kind::Password, "Password")?;
    let lock = Lock::new(work::stretch(password, &opener.salt).await?, &opener.salt);
    opener.totp = codes.map(|codes| codes.seal(&lock, &place(&opener))).transpose()?;
    opener.wrapped = Some(lock.wrap(key, &place(&opener))?);
    Ok(opener)
}

/// Makes an opener of a new account code.
///
/// # Errors
/// When the system has no random numbers.
pub fn new_code(account: &str, key: &AccountKey) -> Result<(Opener, Secret<String>), Error> {
    let code = AccountCode::generate()?;
    let mut opener = blank(account, Kind::Code, "Account code")?;
    opener.wrapped = Some(Lock::new(code.material(), &opener.salt).wrap(key, &place(&opener))?);
    Ok((opener, code.text()))
}

/// Makes an opener of a passkey. One that derives no key only signs in.
///
/// # Errors
/// When the system has no random numbers.
pub fn new_passkey(
    account: &str,
    key: &AccountKey,
    name: &str,
    (credential, passkey): (Vec<u8>, String),
    prf: &str,
) -> Result<Opener, Error> {
    let mut opener = blank(account, Kind::Passkey, name)?;
    if let Some(material) = passkey::material(prf) {
        opener.wrapped = Some(Lock::new(material, &opener.salt).wrap(key, &place(&opener))?);
    }
    opener.passkey = Some((credential, passkey));
    Ok(opener)
}

fn blank(account: &str, kind: Kind, name: &str) -> Result<Opener, Error> {
    Ok(Opener {
        id: uuid::Uuid::new_v4().to_string(),
        account: account.to_owned(),
        kind,
        name: name.to_owned(),
        salt: super::random::<16>()?.to_vec(),
        wrapped: None,
        totp: None,
        passkey: None,
        created: now(),
        used: None,
    })
}
