//! One key: what is known of it, its history, and the form that reveals it.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use web::Icon;

use super::home::kind;
use super::page::{Notice, inside, time};
use crate::app::App;
use crate::error::Error;
use crate::sign_in::{SignedIn, passkey};
use crate::store::{Listed, Of, Protector, from_hex, hex};

#[derive(Template)]
#[template(path = "key-page.html")]
struct Key<'k> {
    notice: Option<&'k Notice>,
    record: &'k Listed,
    id: String,
    kind: &'static str,
    shared: bool,
    reason: &'k str,
    passkeys: bool,
    versions: Vec<Version>,
    acts: Vec<Act>,
}

struct Version {
    id: String,
    uploaded: String,
    proven: String,
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
) -> Result<Response, Error> {
    page(&app, &signed_in, &id, None, "").await
}

/// Makes the page of a key, with what was typed into its form.
pub async fn page(
    app: &App,
    signed_in: &SignedIn,
    id: &str,
    notice: Option<&Notice>,
    reason: &str,
) -> Result<Response, Error> {
    let account = &signed_in.account.id;
    let record = app.store.record(account, &from_hex(id).ok_or(Error::NotFound)?).await?.listed;
    let versions = match &record.key_id {
        Some(key_id) => app.store.versions(account, key_id, None, 20).await?,
        None => Vec::new(),
    };
    let versions = versions.iter().map(|version| Version {
        id: hex(&version.id),
        uploaded: time(version.uploaded),
        proven: time(version.proven),
        here: version.id == record.id,
    });
    let body = Key {
        notice,
        id: hex(&record.id),
        kind: kind(record.kind),
        shared: record.account_id != *account,
        reason,
        passkeys: passkey::possible(&app.settings),
        versions: versions.collect(),
        acts: acts(app, &record).await?,
        record: &record,
    };
    inside(kind(record.kind), "/", notice, &body)
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

    fn proven(&self) -> String {
        time(self.record.proven)
    }

    fn uploaded(&self) -> String {
        time(self.record.uploaded)
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
