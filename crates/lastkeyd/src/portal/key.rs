//! One key: what is known of it, its history, and the form that reveals it.

use account::wire::RecordKind;
use askama::Template;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use serde::Deserialize;
use web::Icon;

use super::home::kind;
use super::page::{Notice, inside, time};
use crate::app::App;
use crate::error::Error;
use crate::sign_in::{SignedIn, passkey};
use crate::store::{Listed, Of, Protector, from_hex, hex};

/// How many versions are on a page, and how many of others' keys.
const PAGE: u32 = 20;

/// From which version on.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct From {
    before: Option<u64>,
}

#[derive(Template)]
#[template(path = "key-page.html")]
struct Key<'k> {
    notice: Option<&'k Notice>,
    record: &'k Listed,
    id: String,
    kind: &'static str,
    short: &'k str,
    shared: bool,
    reason: &'k str,
    passkeys: bool,
    /// The newest snapshot of the drive's metadata.
    metadata: Option<String>,
    versions: Vec<Version>,
    paged: bool,
    more: Option<u64>,
    first: Option<Version>,
    elsewhere: Vec<Version>,
    acts: Vec<Act>,
}

struct Version {
    id: String,
    uploaded: String,
    proven: String,
    device: String,
    shared: Option<String>,
    here: bool,
}

struct Act {
    at: String,
    text: String,
}

/// The page of a key.
pub async fn show(
    State(app): State<App>,
    signed_in: SignedIn,
    Path(id): Path<String>,
    Query(from): Query<From>,
) -> Result<Response, Error> {
    page(&app, &signed_in, &id, from.before, None, "").await
}

/// Makes the page of a key, with the versions before a leaf, and what was typed into its form.
pub async fn page(
    app: &App,
    signed_in: &SignedIn,
    id: &str,
    before: Option<u64>,
    notice: Option<&Notice>,
    reason: &str,
) -> Result<Response, Error> {
    let account = &signed_in.account.id;
    let record = app.store.record(account, &from_hex(id).ok_or(Error::NotFound)?).await?.listed;
    let versions = app.store.versions(account, &record, before, PAGE).await?;
    let more = versions.last().filter(|_| versions.len() == PAGE as usize).map(|last| last.leaf);
    // However many versions a device adds, what it kept at first is one step away.
    let first = match more {
        Some(last) => app.store.first_version(account, &record).await?.filter(|first| first.leaf < last),
        None => None,
    };
    let version = |version: Listed| Version {
        id: hex(&version.id),
        uploaded: time(version.uploaded),
        proven: time(version.proven),
        here: version.id == record.id,
        shared: (version.account_id != *account).then_some(version.account),
        device: version.device,
    };
    let body = Key {
        notice,
        id: hex(&record.id),
        kind: kind(record.kind),
        short: record.key_id.as_deref().and_then(|id| id.get(..8)).unwrap_or("of a drive"),
        shared: record.account_id != *account,
        reason,
        passkeys: passkey::possible(&app.settings),
        metadata: metadata(app, account, &record).await?,
        versions: versions.into_iter().map(version).collect(),
        paged: before.is_some(),
        more,
        first: first.map(version),
        elsewhere: elsewhere(app, account, &record).await?.into_iter().map(version).collect(),
        acts: acts(app, &record).await?,
        record: &record,
    };
    inside(kind(record.kind), "/", notice, &body)
}

/// Returns where the metadata is of the drive that a key is of.
async fn metadata(app: &App, account: &str, record: &Listed) -> Result<Option<String>, Error> {
    if record.kind == RecordKind::Snapshot {
        return Ok(None);
    }
    Ok(app.store.snapshot(account, record).await?.map(|snapshot| hex(&snapshot.id)))
}

/// Returns what other devices, and other accounts, have kept under the same key ID.
async fn elsewhere(app: &App, account: &str, record: &Listed) -> Result<Vec<Listed>, Error> {
    let Some(key_id) = &record.key_id else { return Ok(Vec::new()) };
    let mut found = app.store.records(account, Some(key_id), None, PAGE).await?.records;
    found.retain(|other| (&other.account_id, &other.device_id) != (&record.account_id, &record.device_id));
    Ok(found)
}

async fn acts(app: &App, record: &Listed) -> Result<Vec<Act>, Error> {
    let entries = app.store.history(Of::Record(record.id.clone()), None, 20).await?;
    let acts = entries.into_iter().map(|entry| Act {
        at: time(entry.at),
        text: super::history::words(&entry.act, entry.said.as_ref()),
    });
    Ok(acts.collect())
}

impl Key<'_> {
    fn good(&self) -> Icon {
        Icon::Good
    }

    fn warning(&self) -> Icon {
        Icon::Warning
    }

    fn is_key(&self) -> bool {
        self.record.kind == RecordKind::RecoveryKey
    }

    fn is_metadata(&self) -> bool {
        self.record.kind == RecordKind::Snapshot
    }

    fn proven(&self) -> String {
        time(self.record.proven)
    }

    fn uploaded(&self) -> String {
        time(self.record.uploaded)
    }

    fn exposed(&self) -> Option<String> {
        self.record.exposed().map(time)
    }

    fn there(&self) -> Option<String> {
        match self.record.protector {
            Protector::There(at) => Some(time(at)),
            _ => None,
        }
    }

    fn gone(&self) -> Option<String> {
        match self.record.protector {
            Protector::Gone(at) => Some(time(at)),
            _ => None,
        }
    }
}
