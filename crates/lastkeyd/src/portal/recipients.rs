//! Who else can open an account's keys: the account of somebody who is trusted, or a key of age kept elsewhere.

use std::net::IpAddr;

use ::account::record::{Record, RecordError};
use axum::Form;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use sqlx::Row;

use super::account;
use super::page::Notice;
use super::reveal::open;
use crate::api::recipients;
use crate::app::App;
use crate::audit::Entry;
use crate::error::Error;
use crate::gate::From;
use crate::sign_in::account_key::AccountKey;
use crate::sign_in::show::{self, Shown, Who};
use crate::sign_in::{Refused, SignedIn, random};
use crate::store::accounts::{self, Account};
use crate::store::{Nonce, Stored, Upload, now, outbox};

/// How many an account may have besides its own key.
const LIMIT: usize = 10;

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
    let rows = sqlx::query(
        "SELECT recipient, name, other_account_id FROM recipients WHERE account_id = $1 \
         ORDER BY created, recipient LIMIT 100",
    )
    .bind(account)
    .fetch_all(app.store.readers())
    .await?;
    let other = |row: &sqlx::any::AnyRow| {
        Ok(Other {
            recipient: row.try_get("recipient")?,
            name: row.try_get("name")?,
            is_account: row.try_get::<Option<String>, _>("other_account_id")?.is_some(),
        })
    };
    rows.iter().map(other).collect()
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
    let (recipient, name, other) = whom(app, account, form).await?;
    if list(app, &account.id).await?.len() >= LIMIT {
        return Err(Refused::Wrong(format!("{LIMIT} others at most can open your keys.")));
    }
    let key = show::check(app, Who::Account(account), &form.shown, from, "recipient.add").await?.key()?;
    let (id, row) = (account.id.clone(), (recipient, name.clone()));
    let told = format!("From now on {name} can open the recovery keys of your account.");
    app.store
        .write(move |tx| {
            Box::pin(async move {
                let detail = format!("{} {}", row.1, row.0);
                let added = sqlx::query(
                    "INSERT INTO recipients (account_id, recipient, name, other_account_id, created) \
                     VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
                )
                .bind(id.clone())
                .bind(row.0)
                .bind(row.1)
                .bind(other)
                .bind(now())
                .execute(&mut *tx)
                .await?;
                if added.rows_affected() == 0 {
                    return Err(Error::Invalid("This one can open your keys already.".to_owned()));
                }
                outbox::tell(tx, &id, "Somebody more can open your recovery keys", &told).await?;
                Ok(((), vec![Entry::done("recipient.add").account(&id).from(from).detail(detail)]))
            })
        })
        .await?;
    let count = seal_anew(app, account, &key, from).await?;
    Ok(Notice::good(format!("{name} was added, and {count} keys that were here were sealed anew for them.")))
}

/// Finds out who is meant.
async fn whom(
    app: &App,
    account: &Account,
    form: &Whom,
) -> Result<(String, String, Option<String>), Refused> {
    let who = form.who.trim();
    if who.starts_with("age1") {
        let recipient = who.to_lowercase();
        sealed::Seal::to_recipients(&[&recipient]).map_err(|error| Refused::Wrong(format!("{error}.")))?;
        let name =
            accounts::check_name(if form.label.trim().is_empty() { "Offline key" } else { &form.label })?;
        if recipient == account.recipient {
            return Err(Refused::Wrong("This is your account's own key.".to_owned()));
        }
        return Ok((recipient, name, None));
    }
    match app.store.account_named(who).await? {
        Some(other) if other.id == account.id => {
            Err(Refused::Wrong("This is your own account: add somebody else.".to_owned()))
        }
        Some(other) => Ok((other.recipient, other.name, Some(other.id))),
        None => Err(Refused::Wrong(
            "There is no account with this name here, and a recipient of age begins with age1.".to_owned(),
        )),
    }
}

/// Seals the newest record of each key, and each drive's newest metadata, to all who may open it now.
async fn seal_anew(app: &App, account: &Account, key: &AccountKey, from: IpAddr) -> Result<usize, Error> {
    let recipients: Vec<String> =
        recipients::list(&app.store, &account.id).await?.into_iter().map(|other| other.recipient).collect();
    let opener = key.opener();
    let mut count = 0;
    for id in newest(app, &account.id).await? {
        let stored = app.store.record(&account.id, &id).await?;
        let record = match open(&stored, &opener) {
            Ok(record) => record,
            Err(why) => {
                // One that cannot be trusted stays as it is; showing it says so.
                tracing::error!(record = crate::store::hex(&id), why, "a record could not be sealed anew");
                continue;
            }
        };
        add_sealed(app, account, &stored, &record, &recipients, from).await?;
        count += 1;
    }
    Ok(count)
}

/// Returns an account's newest records: of each key one, of each volume's metadata one.
pub async fn newest(app: &App, account: &str) -> Result<Vec<Vec<u8>>, Error> {
    let rows = sqlx::query(
        "SELECT r.id FROM records r JOIN (SELECT MAX(leaf) AS leaf FROM records WHERE account_id = $1 \
         GROUP BY kind, volume_id, key_id) newest ON newest.leaf = r.leaf WHERE r.account_id = $1 ORDER BY r.leaf",
    )
    .bind(account)
    .fetch_all(app.store.readers())
    .await?;
    rows.iter().map(|row| Ok(row.try_get("id")?)).collect()
}

async fn add_sealed(
    app: &App,
    account: &Account,
    stored: &Stored,
    record: &Record,
    recipients: &[String],
    from: IpAddr,
) -> Result<(), Error> {
    let broken = |error: RecordError| Error::Internal(error.to_string());
    let sealed = record.seal(recipients).map_err(broken)?;
    // What was not read back is not kept.
    sealed.read_back(sealed.bytes()).map_err(broken)?;
    let listed = &stored.listed;
    let nonce = Nonce { device: listed.device_id.clone(), bytes: random::<16>()?.to_vec(), expires: now() };
    let upload = Upload {
        account: account.id.clone(),
        address: Some(from),
        nonce,
        kind: listed.kind,
        volume: listed.volume.clone(),
        key_id: listed.key_id.clone(),
        drive: listed.drive.clone(),
        proven: listed.proven,
        recipients: recipients.to_vec(),
        sealed: sealed.bytes().to_vec(),
        by_owner: true,
    };
    app.store.add_record(upload).await?;
    Ok(())
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
                let removed = sqlx::query("DELETE FROM recipients WHERE account_id = $1 AND recipient = $2")
                    .bind(id.clone())
                    .bind(recipient.clone())
                    .execute(&mut *tx)
                    .await?;
                if removed.rows_affected() == 0 {
                    return Err(Error::NotFound);
                }
                // What they were given they may have copied; here they see it no more.
                sqlx::query(
                    "UPDATE record_recipients SET account_id = NULL WHERE recipient = $1 \
                     AND record_id IN (SELECT id FROM records WHERE account_id = $2)",
                )
                .bind(recipient.clone())
                .bind(id.clone())
                .execute(&mut *tx)
                .await?;
                Ok(((), vec![Entry::done("recipient.remove").account(&id).from(from).detail(recipient)]))
            })
        })
        .await?;
    Ok(Notice::good(
        "Removed: new keys are not sealed to them, and those that are here are not shown to them. What they have seen \
         or exported before, they have: give the drive a new recovery key if that matters.",
    ))
}
