//! How a device comes to an account: it shows a short code, a person confirms it in the portal.

use account::wire::{self, DeviceLogin, DeviceLoginState, NewDeviceLogin, Problem, text};
use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::recipients;
use super::signed::FromStranger;
use crate::app::App;
use crate::error::Error;
use crate::store::devices::{self, Login};

/// Ask to be let in
///
/// Signed with the key that it shows; keyid is that key in Base64.
#[utoipa::path(post, path = "/api/v1/device-logins", tag = "device", request_body = NewDeviceLogin,
    security(("device" = [])),
    responses(
        (status = 201, description = "The code to show to the person", body = DeviceLogin),
        (status = 400, description = "Not what it should be", body = Problem),
        (status = 401, description = "Not signed as it should be", body = Problem),
        (status = 413, description = "Too large", body = Problem),
        (status = 429, description = "Too many wait", body = Problem),
    ))]
pub async fn ask(
    State(app): State<App>,
    FromStranger { public_key, nonce, from, body: Json(asked) }: FromStranger<Json<NewDeviceLogin>>,
) -> Result<(StatusCode, Json<DeviceLogin>), Error> {
    if STANDARD.decode(&asked.public_key).ok().as_deref() != Some(&public_key) {
        return Err(Error::Invalid("the key that signed is not the one in the body".to_owned()));
    }
    let name = super::name("the device's name", &asked.name, wire::NAME_LIMIT)?;
    let (id, code, expires) =
        devices::ask(&app.store, name, public_key, &from.0.to_string(), Some(nonce)).await?;
    Ok((StatusCode::CREATED, Json(DeviceLogin { id, code, expires })))
}

/// Ask how it went
///
/// Signed with the same key.
#[utoipa::path(get, path = "/api/v1/device-logins/{id}", tag = "device",
    security(("device" = [])),
    params(("id" = text::Id, Path, description = "The login's ID")),
    responses(
        (status = 200, description = "How it stands", body = DeviceLoginState),
        (status = 400, description = "Not what it should be", body = Problem),
        (status = 401, description = "Not signed as it should be", body = Problem),
        (status = 404, description = "It is over, or another's", body = Problem),
        (status = 429, description = "Asked too often", body = Problem),
    ))]
pub async fn state(
    State(app): State<App>,
    Path(id): Path<String>,
    FromStranger { public_key, nonce, .. }: FromStranger<()>,
) -> Result<Json<DeviceLoginState>, Error> {
    let login = devices::login(&app.store, &id, public_key).await?;
    devices::take_nonce(&app.store, id, nonce).await?;
    Ok(Json(match login {
        Login::Waiting => DeviceLoginState::Waiting,
        Login::Refused => DeviceLoginState::Refused,
        Login::Confirmed(device) => DeviceLoginState::Confirmed {
            account: recipients::account_name(&app.store, &device.account).await?,
            account_id: device.account.clone(),
            recipients: recipients::list(&app.store, &device.account).await?,
            device: device.id,
        },
    }))
}
