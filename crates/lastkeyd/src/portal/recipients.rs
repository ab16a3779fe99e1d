//! Who else can open an account's keys: the account of somebody who is trusted, or a key of age kept elsewhere.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use ::account::record::{Record, RecordError};
use axum::Form;
use axum::extract::State;
use axum::response::Response;
use futures_util::future::try_join_all;
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
/// How long one request seals anew: well below what a request may take, for the last records take time too.
const PORTION: Duration = Duration::from_secs(12);
/// How many records are added together: they share a commit.
const TOGETHER: usize = 32;

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
    let anew = seal_anew(app, account, &key, from, PORTION).await?;
    Ok(Notice::good(format!("{name} was added. {}", anew.say())))
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

/// What came of sealing anew.
pub(super) struct Anew {
    pub(super) sealed: usize,
    /// How many wait for the next request.
    pub(super) left: usize,
    /// How many could not be opened, and stay as they are.
    pub(super) broken: usize,
}

impl Anew {
    fn say(&self) -> String {
        let mut text = format!("{} keys that were here were sealed anew.", self.sealed);
        if self.left > 0 {
            text += &format!(" {} more wait: seal them with the button below.", self.left);
        }
        if self.broken > 0 {
            text +=
                &format!(" {} cannot be opened and stay as they are; showing them says why.", self.broken);
        }
        text
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

/// Seals what [`unsealed`] names to all who may open it now, for as long as a request may take. Each record that is
/// done is on the disk and not named again: whatever ends this, the next request goes on.
pub(super) async fn seal_anew(
    app: &App,
    account: &Account,
    key: &AccountKey,
    from: IpAddr,
    portion: Duration,
) -> Result<Anew, Error> {
    let end = Instant::now() + portion;
    let recipients: Vec<String> =
        recipients::list(&app.store, &account.id).await?.into_iter().map(|other| other.recipient).collect();
    let opener = key.opener();
    let ids = unsealed(app, &account.id).await?;
    let mut anew = Anew { sealed: 0, left: ids.len(), broken: 0 };
    for ids in ids.chunks(TOGETHER) {
        let mut uploads = Vec::with_capacity(ids.len());
        for id in ids {
            let stored = app.store.record(&account.id, id).await?;
            match open(&stored, &opener) {
                Ok(record) => uploads.push(upload(account, &stored, &record, &recipients, from)?),
                Err(why) => {
                    // One that cannot be trusted stays as it is; showing it says so.
                    tracing::error!(record = crate::store::hex(id), why, "a record could not be sealed anew");
                    anew.broken += 1;
                }
            }
        }
        let added = try_join_all(uploads.into_iter().map(|upload| app.store.add_record(upload))).await?;
        anew.sealed += added.len();
        anew.left -= ids.len();
        if Instant::now() >= end {
            break;
        }
    }
    Ok(anew)
}

/// Returns those of an account's newest records that were sealed before somebody was added.
pub async fn unsealed(app: &App, account: &str) -> Result<Vec<Vec<u8>>, Error> {
    let rows = sqlx::query(
        "SELECT r.id FROM records r JOIN (SELECT MAX(leaf) AS leaf FROM records WHERE account_id = $1 \
         GROUP BY kind, volume_id, key_id) newest ON newest.leaf = r.leaf WHERE r.account_id = $1 AND EXISTS (\
         SELECT 1 FROM recipients q WHERE q.account_id = $1 AND NOT EXISTS (\
         SELECT 1 FROM record_recipients p WHERE p.leaf = r.leaf AND p.recipient = q.recipient)) ORDER BY r.leaf",
    )
    .bind(account)
    .fetch_all(app.store.readers())
    .await?;
    rows.iter().map(|row| Ok(row.try_get("id")?)).collect()
}

fn upload(
    account: &Account,
    stored: &Stored,
    record: &Record,
    recipients: &[String],
    from: IpAddr,
) -> Result<Upload, Error> {
    let broken = |error: RecordError| Error::Internal(error.to_string());
    let sealed = record.seal(recipients).map_err(broken)?;
    // What was not read back is not kept.
    sealed.read_back(sealed.bytes()).map_err(broken)?;
    let listed = &stored.listed;
    Ok(Upload {
        account: account.id.clone(),
        address: Some(from),
        nonce: Nonce { device: listed.device_id.clone(), bytes: random::<16>()?.to_vec(), expires: now() },
        kind: listed.kind,
        volume: listed.volume.clone(),
        key_id: listed.key_id.clone(),
        drive: listed.drive.clone(),
        proven: listed.proven,
        recipients: recipients.to_vec(),
        sealed: sealed.bytes().to_vec(),
        exactly: false,
        by_owner: true,
    })
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
                     AND leaf IN (SELECT leaf FROM records WHERE account_id = $2)",
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
