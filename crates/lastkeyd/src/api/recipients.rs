//! To whom a device seals.

use account::wire::{Problem, Recipient};
use axum::Json;
use axum::extract::State;

use super::signed::FromDevice;
use crate::app::App;
use crate::error::Error;
use crate::store::Store;

/// Ask to whom records are sealed
///
/// The account's own key comes first. A device seals to those that its person has confirmed.
#[utoipa::path(get, path = "/api/v1/recipients", tag = "device",
    security(("device" = [])),
    responses(
        (status = 200, description = "The recipients", body = [Recipient]),
        (status = 400, description = "Not what it should be", body = Problem),
        (status = 401, description = "Not signed as it should be", body = Problem),
    ))]
pub async fn get(
    State(app): State<App>,
    FromDevice { device, .. }: FromDevice<()>,
) -> Result<Json<Vec<Recipient>>, Error> {
    Ok(Json(list(&app.store, &device.account).await?))
}

/// Returns an account's recipients, its own key first.
pub async fn list(store: &Store, account: &str) -> Result<Vec<Recipient>, Error> {
    store.recipients(account).await
}

/// Returns an account's name.
pub async fn account_name(store: &Store, account: &str) -> Result<String, Error> {
    Ok(store.account(account).await?.name)
}
