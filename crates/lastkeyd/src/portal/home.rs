//! The first page: a search for who has a locked drive before them, the list of keys for who is signed in.

use account::wire::RecordKind;
use askama::Template;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use web::Icon;

use super::page::{Notice, day, inside, outside};
use crate::app::App;
use crate::error::Error;
use crate::sign_in::SignedIn;
use crate::store::{Drive, Listed, Protector};

const PAGE: u32 = 50;
/// How many drives are told of that want to be looked at.
const TOLD: usize = 20;
/// How many drives are looked through for them: an account has some, a fleet has more than a page can say.
const DRIVES: usize = 2000;
const DRIVES_PAGE: u32 = 200;

/// What is looked for.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Search {
    key: String,
    after: String,
}

#[derive(Template)]
#[template(path = "start.html")]
struct Start;

#[derive(Template)]
#[template(path = "keys.html")]
struct Keys<'k> {
    notice: Option<&'k Notice>,
    key: &'k str,
    rows: Vec<Row>,
    next: Option<String>,
    troubled: Vec<Troubled>,
    untold: usize,
    alone: bool,
    devices: bool,
}

struct Row {
    id: String,
    short: String,
    drive: String,
    device: String,
    kind: &'static str,
    uploaded: String,
    proven: String,
    gone: Option<String>,
    there: Option<String>,
    exposed: Option<String>,
    shared: Option<String>,
}

/// A drive that wants to be looked at, as it last checked in.
struct Troubled {
    drive: String,
    device: String,
    at: String,
    /// The recovery keys that are not kept here.
    missing: Option<String>,
    /// Whether it has no recovery key.
    keyless: bool,
    /// What is the matter with its protection.
    state: Option<&'static str>,
    bad: bool,
}

/// The first page.
pub async fn home(
    State(app): State<App>,
    signed_in: Option<SignedIn>,
    Query(search): Query<Search>,
) -> Result<Response, Error> {
    match signed_in {
        None => outside("Find a recovery key", None, &Start),
        Some(signed_in) => keys(&app, &signed_in, &search).await,
    }
}

async fn keys(app: &App, signed_in: &SignedIn, search: &Search) -> Result<Response, Error> {
    let id = &signed_in.account.id;
    let (key, after) = (search.key.trim(), Some(search.after.as_str()).filter(|after| !after.is_empty()));
    let (found, mut notice) =
        match app.store.records(id, Some(key).filter(|key| !key.is_empty()), after, PAGE).await {
            Ok(found) => (found, None),
            Err(Error::Invalid(why)) => {
                let why =
                    Notice::bad(StatusCode::UNPROCESSABLE_ENTITY, format!("\u{201c}{key}\u{201d}: {why}."));
                (app.store.records(id, None, after, PAGE).await?, Some(why))
            }
            Err(error) => return Err(error),
        };
    if found.records.is_empty() && !key.is_empty() && notice.is_none() {
        notice = Some(Notice::bad(
            StatusCode::OK,
            format!(
                "No recovery key here begins with {key}. Compare it with the blue screen once more: 0 and 8, B and 8 \
                 look alike. Or it was kept by somebody else."
            ),
        ));
    }
    // Who has found what they look for is kept waiting by nothing else.
    let mut troubled =
        if found.records.is_empty() || key.is_empty() { all_troubled(app, id).await? } else { Vec::new() };
    let untold = troubled.len().saturating_sub(TOLD);
    troubled.truncate(TOLD);
    let nothing = found.records.is_empty() && key.is_empty();
    let body = Keys {
        notice: notice.as_ref(),
        key,
        rows: found.records.into_iter().map(|record| row(record, id)).collect(),
        next: found.next,
        troubled,
        untold,
        alone: key.is_empty() && app.store.others(id).await?.is_empty(),
        devices: nothing && !crate::store::devices::list(&app.store, id).await?.is_empty(),
    };
    inside("Your recovery keys", "/", notice.as_ref(), &body)
}

/// Returns the drives that want to be looked at, those first that may not open one day.
async fn all_troubled(app: &App, account: &str) -> Result<Vec<Troubled>, Error> {
    let (mut all, mut seen, mut last): (Vec<Troubled>, usize, Option<(String, String)>) =
        (Vec::new(), 0, None);
    while seen < DRIVES {
        let after = last.as_ref().map(|(device, volume)| (device.as_str(), volume.as_str()));
        let drives = app.store.drives(account, after, DRIVES_PAGE).await?;
        seen += drives.len();
        let full = drives.len() == DRIVES_PAGE as usize;
        last = drives.last().map(|drive| (drive.device_id.clone(), drive.volume.clone()));
        all.extend(drives.into_iter().filter_map(troubled));
        if !full {
            break;
        }
    }
    all.sort_by_key(|drive| !drive.bad);
    Ok(all)
}

fn row(record: Listed, account: &str) -> Row {
    let (there, gone) = match record.protector {
        Protector::Unknown => (None, None),
        Protector::There(at) => (Some(day(at)), None),
        Protector::Gone(at) => (None, Some(day(at))),
    };
    let exposed = record.exposed().map(day);
    Row {
        id: crate::store::hex(&record.id),
        short: record.key_id.as_deref().and_then(|id| id.get(..8)).unwrap_or("none").to_owned(),
        drive: record.drive,
        device: record.device,
        kind: kind(record.kind),
        uploaded: day(record.uploaded),
        proven: day(record.proven),
        gone,
        there,
        exposed,
        shared: (record.account_id != account).then_some(record.account),
    }
}

fn troubled(drive: Drive) -> Option<Troubled> {
    let missing: Vec<_> =
        drive.keys.iter().filter(|key| !key.kept).map(|key| key.key_id.get(..8).unwrap_or("")).collect();
    let keyless = drive.keys.is_empty();
    let state = match drive.protection.as_str() {
        "suspended" => Some("is suspended: whoever has it opens it, until protection is resumed"),
        "decrypting" => Some("is being decrypted: when that is done, whoever has it reads it"),
        _ => None,
    };
    let bad = keyless || !missing.is_empty();
    (bad || state.is_some()).then(|| Troubled {
        missing: (!missing.is_empty()).then(|| missing.join(", ")),
        drive: drive.drive,
        device: drive.device,
        at: day(drive.at),
        keyless,
        state,
        bad,
    })
}

/// Says what a record is of.
pub fn kind(kind: RecordKind) -> &'static str {
    match kind {
        RecordKind::RecoveryKey => "Recovery key",
        RecordKind::ExternalKey => "Key file",
        RecordKind::Snapshot => "Metadata",
    }
}
