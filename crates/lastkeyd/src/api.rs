//! What devices talk to: JSON under `/api/v1`, signed.

mod audit;
mod logins;
pub mod recipients;
mod records;
mod server;
pub mod signed;

use axum::routing::{get, post};
use utoipa::OpenApi;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, SecurityScheme};

use crate::error::Error;
use crate::routes::{Access, Route};

/// Returns the routes of the interface.
#[must_use]
pub fn routes() -> Vec<Route> {
    vec![
        Route::get("/healthz", Access::Anyone, get(server::alive)),
        Route::get("/readyz", Access::Anyone, get(crate::serve::ready)),
        Route::get("/api/v1/openapi.json", Access::Anyone, get(server::openapi)),
        Route::get("/api/v1/server", Access::Anyone, get(server::server)),
        Route::get("/api/v1/audit/checkpoint", Access::Anyone, get(audit::checkpoint)),
        Route::get("/api/v1/audit/consistency", Access::Anyone, get(audit::consistency)),
        Route::get("/api/v1/audit/inclusion", Access::Anyone, get(audit::inclusion)),
        Route::post("/api/v1/device-logins", Access::Stranger, post(logins::ask)),
        Route::get("/api/v1/device-logins/{id}", Access::Stranger, get(logins::state)),
        Route::get("/api/v1/recipients", Access::Device, get(recipients::get)),
        Route::post("/api/v1/records", Access::Device, post(records::add)),
        Route::get("/api/v1/records/{id}/receipt", Access::Device, get(records::receipt)),
        Route::post("/api/v1/check-ins", Access::Device, post(records::check_in)),
    ]
}

#[derive(OpenApi)]
#[openapi(
    info(title = "lastkeyd", description = "How devices add sealed recovery keys to an account."),
    paths(
        server::server, audit::checkpoint, audit::consistency, audit::inclusion, logins::ask, logins::state,
        recipients::get, records::add, records::receipt, records::check_in,
    ),
    tags(
        (name = "server", description = "What everybody may ask"),
        (name = "device", description = "What a device may ask: each request is signed, RFC 9421"),
    ),
)]
struct Interface;

/// Returns the OpenAPI document.
#[must_use]
pub fn document() -> String {
    let mut document = Interface::openapi();
    document.info.version = env!("CARGO_PKG_VERSION").to_owned();
    let signature = ApiKeyValue::with_description(
        "Signature",
        "HTTP Message Signatures (RFC 9421) with Ed25519: Content-Digest, and a signature named sig over exactly \
         \"@method\" \"@authority\" \"@path\" \"@query\" \"content-digest\" with the parameters created, nonce, \
         keyid, alg.",
    );
    document
        .components
        .get_or_insert_default()
        .add_security_scheme("device", SecurityScheme::ApiKey(ApiKey::Header(signature)));
    document.to_pretty_json().unwrap_or_default() + "\n"
}

/// Takes a name that people are shown: something, not too long, in one line.
fn name<'n>(what: &str, name: &'n str, limit: usize) -> Result<&'n str, Error> {
    let name = name.trim();
    if name.is_empty() || name.chars().count() > limit || name.chars().any(char::is_control) {
        return Err(Error::Invalid(format!("{what} is a line of text of 1 to {limit} characters")));
    }
    Ok(name)
}

#[cfg(test)]
mod tests;
