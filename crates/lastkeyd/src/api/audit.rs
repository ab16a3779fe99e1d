//! The audit log, for everybody who keeps checkpoints: hashes and signatures, never what an entry says.

use account::wire::{Consistency, Inclusion, Problem};
use axum::Json;
use axum::extract::{Query, State};
use axum::http::header;
use axum::response::IntoResponse;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::app::App;
use crate::error::Error;

/// Two sizes of the log.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Sizes {
    /// The size of the checkpoint that was kept
    #[param(maximum = 9_223_372_036_854_775_807_u64)]
    from: u64,
    /// The size of the newer one
    #[param(maximum = 9_223_372_036_854_775_807_u64)]
    to: u64,
}

/// A leaf of the log.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Leaf {
    /// Its place, from 0
    #[param(maximum = 9_223_372_036_854_775_807_u64)]
    leaf: u64,
}

/// Ask for the newest checkpoint
///
/// A signed note (C2SP tlog-checkpoint); /api/v1/server says with which key.
#[utoipa::path(get, path = "/api/v1/audit/checkpoint", tag = "server",
    responses((status = 200, description = "The checkpoint", body = String, content_type = "text/plain")))]
pub async fn checkpoint(State(app): State<App>) -> Result<impl IntoResponse, Error> {
    let checkpoint = app.store.checkpoint().await?;
    Ok(([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], checkpoint))
}

/// Ask for the proof that one log begins with another
#[utoipa::path(get, path = "/api/v1/audit/consistency", tag = "server", params(Sizes),
    responses(
        (status = 200, description = "The proof (RFC 6962)", body = Consistency),
        (status = 400, description = "Not two sizes", body = Problem),
        (status = 404, description = "The log was never of these sizes, in this order", body = Problem),
    ))]
pub async fn consistency(
    State(app): State<App>,
    sizes: Result<Query<Sizes>, axum::extract::rejection::QueryRejection>,
) -> Result<Json<Consistency>, Error> {
    let Query(Sizes { from, to }) = sizes.map_err(|error| Error::Invalid(error.body_text()))?;
    Ok(Json(app.store.consistency(from, to).await?))
}

/// Ask for the proof that a leaf is in the log
#[utoipa::path(get, path = "/api/v1/audit/inclusion", tag = "server", params(Leaf),
    responses(
        (status = 200, description = "The proof (RFC 6962), and the checkpoint that it is for", body = Inclusion),
        (status = 400, description = "Not a number", body = Problem),
        (status = 404, description = "No such leaf", body = Problem),
    ))]
pub async fn inclusion(
    State(app): State<App>,
    leaf: Result<Query<Leaf>, axum::extract::rejection::QueryRejection>,
) -> Result<Json<Inclusion>, Error> {
    let Query(Leaf { leaf }) = leaf.map_err(|error| Error::Invalid(error.body_text()))?;
    Ok(Json(app.store.inclusion(leaf).await?))
}
