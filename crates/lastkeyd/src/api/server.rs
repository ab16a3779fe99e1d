//! Who the server is.

use std::sync::LazyLock;

use account::wire::Server;
use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;

use crate::app::App;
use crate::store::now;

/// Ask who the server is
#[utoipa::path(get, path = "/api/v1/server", tag = "server",
    responses((status = 200, description = "The server", body = Server)))]
pub async fn server(State(app): State<App>) -> Json<Server> {
    Json(Server {
        software: format!("lastkeyd {}", env!("CARGO_PKG_VERSION")),
        now: now(),
        portal: app.settings.url.clone(),
        log_key: app.store.log().verifier().to_string(),
    })
}

/// Whether the program runs.
pub async fn alive() -> &'static str {
    "ok\n"
}

/// The OpenAPI document.
pub async fn openapi() -> impl IntoResponse {
    static DOCUMENT: LazyLock<String> = LazyLock::new(super::document);
    ([(header::CONTENT_TYPE, "application/json")], DOCUMENT.as_str())
}
