//! What a device adds: records, and what it sees of its drives.

use account::wire::{
    CheckIn, CheckedIn, DriveState, NAME_LIMIT, NewRecord, Problem, Receipt, RecordKind, SEALED_LIMIT, text,
};
use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use uuid::Uuid;

use super::signed::{FromDevice, Unspent};
use crate::app::App;
use crate::audit::Entry;
use crate::error::Error;
use crate::store::{self, Upload, devices, now};

/// How many drives a device may have at a check-in.
const DRIVES: usize = 64;
/// How many recovery keys a drive may have. Windows stops at 200 for a device.
const KEYS: usize = 200;

/// Add a record
///
/// The same bytes twice are one record, and the second answer is the first one's receipt.
#[utoipa::path(post, path = "/api/v1/records", tag = "device", request_body = NewRecord,
    security(("device" = [])),
    responses(
        (status = 201, description = "The receipt", body = Receipt),
        (status = 400, description = "Not what it should be", body = Problem),
        (status = 401, description = "Not signed as it should be", body = Problem),
        (status = 409, description = "Sealed to others than those the account has now", body = Problem),
        (status = 413, description = "Too large", body = Problem),
    ))]
pub async fn add(
    State(app): State<App>,
    Unspent { device, nonce, from, body: Json(record) }: Unspent<Json<NewRecord>>,
) -> Result<(StatusCode, Json<Receipt>), Error> {
    let sealed = sealed_bytes(&record)?;
    let (volume, key_id) = (guid("the volume", &record.volume)?, key_id(&record)?);
    let drive = super::name("the drive", &record.drive, NAME_LIMIT)?.to_owned();
    if record.proven < 0 || record.proven > now().saturating_add(86_400) {
        return Err(Error::Invalid("the time of the proof is none, or in the future".to_owned()));
    }
    let upload = Upload {
        account: device.account,
        address: Some(from.0),
        nonce,
        kind: record.kind,
        volume,
        key_id,
        drive,
        proven: record.proven,
        recipients: record.recipients,
        sealed,
        exactly: true,
        by_owner: false,
    };
    Ok((StatusCode::CREATED, Json(app.store.add_record(upload).await?)))
}

/// Ask for a record's receipt
///
/// Its hash is taken of what the database gives back now.
#[utoipa::path(get, path = "/api/v1/records/{id}/receipt", tag = "device",
    security(("device" = [])),
    params(("id" = text::RecordId, Path, description = "The record's ID: SHA-256 in hex")),
    responses(
        (status = 200, description = "The receipt", body = Receipt),
        (status = 400, description = "Not what it should be", body = Problem),
        (status = 401, description = "Not signed as it should be", body = Problem),
        (status = 404, description = "This account has no such record", body = Problem),
    ))]
pub async fn receipt(
    State(app): State<App>,
    Path(id): Path<String>,
    FromDevice { device, .. }: FromDevice<()>,
) -> Result<Json<Receipt>, Error> {
    let id = store::from_hex(&id).filter(|id| id.len() == 32).ok_or(Error::NotFound)?;
    Ok(Json(app.store.receipt(&device.account, &id).await?))
}

/// Say what there is
///
/// The drives of this device and their recovery keys as they are now.
#[utoipa::path(post, path = "/api/v1/check-ins", tag = "device", request_body = CheckIn,
    security(("device" = [])),
    responses(
        (status = 200, description = "What is missing and what is stale", body = CheckedIn),
        (status = 400, description = "Not what it should be", body = Problem),
        (status = 401, description = "Not signed as it should be", body = Problem),
        (status = 413, description = "Too large", body = Problem),
    ))]
pub async fn check_in(
    State(app): State<App>,
    Unspent { device, nonce, from, body: Json(CheckIn { drives }) }: Unspent<Json<CheckIn>>,
) -> Result<Json<CheckedIn>, Error> {
    if drives.len() > DRIVES {
        return Err(Error::Invalid(format!("a device has {DRIVES} drives at most")));
    }
    let drives = drives.into_iter().map(drive_state).collect::<Result<Vec<_>, _>>()?;
    let checked = app
        .store
        .write(move |tx| {
            Box::pin(async move {
                devices::hear(tx, &nonce).await?;
                let at = now();
                let checked = store::check_in(tx, &device.account, &device.id, at, &drives).await?;
                let entry = Entry::done("check-in").account(&device.account).device(&device.id).from(from.0);
                Ok((checked, vec![entry.detail(format!("{} drives", drives.len()))]))
            })
        })
        .await?;
    Ok(Json(checked))
}

/// Takes what is sealed, as far as one can look at it from outside.
fn sealed_bytes(record: &NewRecord) -> Result<Vec<u8>, Error> {
    if record.sealed.len() > SEALED_LIMIT.div_ceil(3) * 4 {
        return Err(Error::TooLarge(format!("a sealed record has {SEALED_LIMIT} bytes at most")));
    }
    let sealed = STANDARD
        .decode(&record.sealed)
        .map_err(|error| Error::Invalid(format!("what is sealed is not Base64: {error}")))?;
    let header = sealed::inspect(&sealed)
        .map_err(|error| Error::Invalid(format!("what is sealed is of no use: {error}")))?;
    if header.recipients < record.recipients.len() {
        return Err(Error::Invalid("it is sealed to fewer recipients than it says".to_owned()));
    }
    Ok(sealed)
}

fn key_id(record: &NewRecord) -> Result<Option<String>, Error> {
    match (&record.key_id, record.kind) {
        (None, RecordKind::Snapshot) => Ok(None),
        (Some(id), RecordKind::RecoveryKey | RecordKind::ExternalKey) => guid("the key ID", id).map(Some),
        (Some(_), RecordKind::Snapshot) => Err(Error::Invalid("a snapshot has no key ID".to_owned())),
        (None, _) => Err(Error::Invalid("the key ID is missing".to_owned())),
    }
}

/// Takes a GUID in the one form that it is kept in.
fn guid(what: &str, text: &str) -> Result<String, Error> {
    let parsed = Uuid::try_parse(text).ok().map(|id| id.hyphenated().to_string().to_uppercase());
    parsed
        .filter(|upper| upper == text)
        .ok_or_else(|| Error::Invalid(format!("{what} is not a GUID in upper case without braces")))
}

fn drive_state(mut state: DriveState) -> Result<DriveState, Error> {
    guid("a volume", &state.volume)?;
    state.drive = super::name("a drive", &state.drive, NAME_LIMIT)?.to_owned();
    if state.key_ids.len() > KEYS {
        return Err(Error::Invalid(format!("a drive has {KEYS} recovery keys at most")));
    }
    for id in &state.key_ids {
        guid("a key ID", id)?;
    }
    Ok(state)
}
