//! Showing a key to a person: with a reason, after asking again, in the log, and told to its owner. A key is shown on a
//! page; what comes as a file is the answer itself, so that it is in no page and no address.

use std::net::IpAddr;

use account::record::{self, Content, Record, Row};
use account::wire::RecordKind;
use askama::Template;
use axum::Form;
use axum::extract::{Path, State};
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use recovery_key::{RecoveryPassword, Secret};
use serde::Deserialize;
use web::{Icon, KeyDigits};

use super::key::page;
use super::page::{Notice, inside, time};
use crate::app::App;
use crate::audit::Entry;
use crate::error::Error;
use crate::gate::From;
use crate::sign_in::show::{self, Shown, Who};
use crate::sign_in::{Refused, SignedIn, work};
use crate::store::{Listed, Stored, from_hex, now, outbox};

/// The longest reason, in bytes.
const REASON_LIMIT: usize = 300;
/// After how many seconds the page leaves.
const SHOWN_FOR: u32 = 300;

/// What the form carries.
#[derive(Deserialize)]
pub struct Reveal {
    #[serde(default)]
    reason: String,
    #[serde(flatten)]
    shown: Shown,
}

#[derive(Template)]
#[template(path = "reveal.html")]
struct Revealed<'r> {
    digits: KeyDigits<'r>,
    qr: Option<String>,
    right: Option<bool>,
    id: &'r str,
    key_id: &'r str,
    drive: &'r str,
    device: &'r str,
    proven: String,
    now: String,
    minutes: u32,
    told: &'static str,
}

impl Revealed<'_> {
    fn good(&self) -> Icon {
        Icon::Good
    }

    fn warning(&self) -> Icon {
        Icon::Warning
    }
}

/// Reveals a key.
pub async fn reveal(
    State(app): State<App>,
    From(from): From,
    signed_in: SignedIn,
    Path(id): Path<String>,
    Form(form): Form<Reveal>,
) -> Result<Response, Error> {
    let account = &signed_in.account.id;
    let stored = app.store.record(account, &from_hex(&id).ok_or(Error::NotFound)?).await?;
    match try_reveal(&app, from, &signed_in, &stored, &form).await {
        Ok((record, ways)) => {
            let told = told(stored.listed.account_id == *account, ways);
            give(&id, &stored.listed, record, told).await
        }
        Err(refused) => {
            let notice = Notice::refused(refused)?;
            page(&app, &signed_in, &id, None, Some(&notice), &form.reason).await
        }
    }
}

/// Opens the record, and returns it with the number of ways in which its owner is told.
async fn try_reveal(
    app: &App,
    from: IpAddr,
    signed_in: &SignedIn,
    stored: &Stored,
    form: &Reveal,
) -> Result<(Record, usize), Refused> {
    let reason = form.reason.trim().replace(char::is_control, " ");
    if reason.is_empty() || reason.len() > REASON_LIMIT {
        let why = format!(
            "Say in a line why the key is needed: 1 to {REASON_LIMIT} bytes. It goes into the history."
        );
        return Err(Refused::Wrong(why));
    }
    let listed = &stored.listed;
    let (actor, owner) = (&signed_in.account, listed.account_id.clone());
    let opened = show::check(app, Who::Account(actor), &form.shown, from, "key.reveal").await?;
    let key = opened.key()?;
    let record = match open(stored, &key.opener()) {
        Ok(record) => record,
        Err(why) => {
            let entry = Entry::refused("key.reveal", &why).account(&actor.id).record(&listed.id).from(from);
            app.store.note(entry).await?;
            tracing::error!(record = crate::store::hex(&listed.id), why, "a record is not what it should be");
            return Err(Refused::Wrong(format!(
                "This record cannot be trusted: {why}. It is not shown. Try an older version below, and tell whoever \
                 runs this server."
            )));
        }
    };
    drop(key);
    let what = listed.key_id.clone().unwrap_or_else(|| format!("metadata of {}", listed.volume));
    let entry = |account: &str, detail: String| {
        Entry::done("key.reveal").account(account).record(&listed.id).from(from).detail(detail)
    };
    let mut entries = vec![entry(&actor.id, format!("{what}: {reason}"))];
    if owner != actor.id {
        entries.push(entry(&owner, format!("{what}: by {}: {reason}", actor.name)));
    }
    let (subject, done, remedy) = notice(listed);
    let text = format!(
        "{} {done} of the drive {} ({what}) at {}, from {from}.\nReason: {reason}\n\nIf this should not have \
         happened, sign in, end all sessions, change your password{remedy}.",
        actor.name,
        listed.drive,
        time(now())
    );
    let ways = app
        .store
        .write(move |tx| {
            Box::pin(async move { Ok((outbox::tell(tx, &owner, &subject, &text).await?, entries)) })
        })
        .await?;
    Ok((record, ways))
}

/// Returns how a notice begins, what it says was done with what of the drive, and what helps.
fn notice(listed: &Listed) -> (String, &'static str, &'static str) {
    let short = listed.key_id.as_deref().unwrap_or(&listed.volume);
    let short = short.get(..8).unwrap_or(short);
    match listed.kind {
        RecordKind::RecoveryKey => (
            format!("A recovery key was shown: {short}"),
            "was shown the key",
            ", and give the drive a new recovery key",
        ),
        RecordKind::ExternalKey => (
            format!("A key file was saved: {short}"),
            "has saved the key file",
            ", and give the drive another key file",
        ),
        RecordKind::Snapshot => {
            (format!("The metadata of a drive was saved: {short}"), "has saved the metadata", "")
        }
    }
}

/// Opens a record, and checks that it is the one that the lists say. Says what is wrong, without a word of it.
pub(super) fn open(stored: &Stored, opener: &sealed::Opener) -> Result<Record, String> {
    let listed = &stored.listed;
    if record::id(&stored.sealed).as_slice() != listed.id {
        return Err("its bytes were changed where they are kept".to_owned());
    }
    let record = Record::open(&stored.sealed, opener).map_err(|error| error.to_string())?;
    let row = Row {
        account: &listed.account,
        device: &listed.device_id,
        kind: listed.kind,
        volume: &listed.volume,
        key_id: listed.key_id.as_deref(),
        drive: &listed.drive,
        proven: listed.proven,
    };
    record.agrees_with(&row).map_err(|error| error.to_string())?;
    Ok(record)
}

/// Says whether somebody is told.
fn told(own: bool, ways: usize) -> &'static str {
    match (own, ways) {
        (true, 0) => "Nobody is told: you have named no mail address or webhook under Account.",
        (true, _) => "A notice of it was queued, to where you have chosen under Account.",
        (false, 0) => {
            "Its owner has chosen no way to be told, and sees it in their history when they look there."
        }
        (false, _) => "A notice of it to its owner was queued.",
    }
}

async fn give(id: &str, listed: &Listed, record: Record, told: &'static str) -> Result<Response, Error> {
    let (record, right) = work::alone(move || {
        let right = record.is_right();
        (record, right)
    })
    .await?;
    let name = listed.key_id.as_deref().unwrap_or(&listed.volume);
    match &record.content {
        Content::RecoveryKey { password, .. } => {
            show_digits(id, listed, (&record.device_name, password), right, told)
        }
        Content::ExternalKey(key) => file(&format!("{name}.BEK"), key.to_bytes().expose().as_slice()),
        Content::Snapshot(snapshot) => file(&snapshot.file_name(), snapshot.bytes()),
    }
}

fn show_digits(
    id: &str,
    listed: &Listed,
    (device, password): (&str, &RecoveryPassword),
    right: Option<bool>,
    told: &'static str,
) -> Result<Response, Error> {
    let digits: Secret<String> = password.digits();
    let body = Revealed {
        qr: web::qr(digits.expose(), "The recovery key as a QR code"),
        digits: KeyDigits::new(digits.expose()),
        right,
        id,
        key_id: listed.key_id.as_deref().unwrap_or_default(),
        drive: &listed.drive,
        device,
        proven: time(listed.proven),
        now: time(now()),
        minutes: SHOWN_FOR / 60,
        told,
    };
    let mut response = inside("Recovery key", "/", None, &body)?;
    if let Ok(refresh) = HeaderValue::from_str(&format!("{SHOWN_FOR}; url=/keys/{id}")) {
        response.headers_mut().insert(HeaderName::from_static("refresh"), refresh);
    }
    Ok(response)
}

/// An answer that browsers save and show nowhere.
fn file(name: &str, bytes: &[u8]) -> Result<Response, Error> {
    let disposition = HeaderValue::from_str(&format!("attachment; filename=\"{name}\""))
        .map_err(|error| Error::Internal(format!("a file cannot be called {name:?}: {error}")))?;
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream")),
        (header::CONTENT_DISPOSITION, disposition),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    Ok((headers, bytes.to_vec()).into_response())
}
