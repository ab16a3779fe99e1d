//! Showing a key to a person: with a reason, after asking again, in the log, and told to its owner.

use std::net::IpAddr;

use account::record::{self, Content, Record, Row};
use askama::Template;
use axum::Form;
use axum::extract::{Path, State};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use recovery_key::Secret;
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
use crate::store::{Stored, from_hex, now, outbox};

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
    digits: Option<KeyDigits<'r>>,
    qr: Option<String>,
    file: Option<(String, Secret<String>)>,
    right: Option<bool>,
    id: &'r str,
    key_id: &'r str,
    drive: &'r str,
    device: &'r str,
    proven: String,
    now: String,
    minutes: u32,
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
    let stored = app.store.record(&signed_in.account.id, &from_hex(&id).ok_or(Error::NotFound)?).await?;
    match try_reveal(&app, from, &signed_in, &stored, &form).await {
        Ok(record) => show_record(&id, &stored, record).await,
        Err(refused) => {
            let notice = Notice::refused(refused)?;
            page(&app, &signed_in, &id, Some(&notice), &form.reason).await
        }
    }
}

async fn try_reveal(
    app: &App,
    from: IpAddr,
    signed_in: &SignedIn,
    stored: &Stored,
    form: &Reveal,
) -> Result<Record, Refused> {
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
    let what = listed.key_id.clone().unwrap_or_else(|| listed.volume.clone());
    let entry = |account: &str, detail: String| {
        Entry::done("key.reveal").account(account).record(&listed.id).from(from).detail(detail)
    };
    let mut entries = vec![entry(&actor.id, format!("{what}: {reason}"))];
    if owner != actor.id {
        entries.push(entry(&owner, format!("{what}: by {}: {reason}", actor.name)));
    }
    let subject = format!("A recovery key was shown: {}", what.get(..8).unwrap_or(&what));
    let text = format!(
        "{} was shown the key of the drive {} ({what}) at {}, from {from}.\nReason: {reason}\n\nIf this should not \
         have happened, sign in, end all sessions, change your password, and give the drive a new recovery key.",
        actor.name,
        listed.drive,
        time(now())
    );
    app.store
        .write(move |tx| {
            Box::pin(async move {
                outbox::tell(tx, &owner, &subject, &text).await?;
                Ok(((), entries))
            })
        })
        .await?;
    Ok(record)
}

/// Opens a record, and checks that it is the one that the lists say. Says what is wrong, without a word of it.
pub(super) fn open(stored: &Stored, opener: &sealed::Opener) -> Result<Record, String> {
    let listed = &stored.listed;
    if record::id(&stored.sealed).as_slice() != listed.id {
        return Err("its bytes were changed where they are kept".to_owned());
    }
    let record = Record::open(&stored.sealed, opener).map_err(|error| error.to_string())?;
    let row = Row {
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

async fn show_record(id: &str, stored: &Stored, record: Record) -> Result<Response, Error> {
    let (record, right) = work::alone(move || {
        let right = record.is_right();
        (record, right)
    })
    .await?;
    let listed = &stored.listed;
    let name = listed.key_id.as_deref().unwrap_or(&listed.volume);
    let (mut digits, mut qr, mut file) = (Secret::new(String::new()), None, None);
    match &record.content {
        Content::RecoveryKey { password, .. } => {
            digits = password.digits();
            qr = web::qr(digits.expose(), "The recovery key as a QR code");
        }
        Content::ExternalKey(key) => {
            file = Some((format!("{name}.BEK"), Secret::new(STANDARD.encode(key.to_bytes().expose()))));
        }
        Content::Snapshot(snapshot) => {
            file = Some((snapshot.file_name(), Secret::new(STANDARD.encode(snapshot.bytes()))));
        }
    }
    let body = Revealed {
        digits: (!digits.expose().is_empty()).then(|| KeyDigits::new(digits.expose())),
        qr,
        file,
        right,
        id,
        key_id: name,
        drive: &listed.drive,
        device: &record.device_name,
        proven: time(listed.proven),
        now: time(now()),
        minutes: SHOWN_FOR / 60,
    };
    let mut response = inside("Recovery key", "/", None, &body)?;
    *response.status_mut() = StatusCode::OK;
    if let Ok(refresh) = HeaderValue::from_str(&format!("{SHOWN_FOR}; url=/keys/{id}")) {
        response.headers_mut().insert(HeaderName::from_static("refresh"), refresh);
    }
    Ok(response)
}
