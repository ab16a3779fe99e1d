//! The files that pages name.

use std::sync::LazyLock;

use axum::extract::Path;
use axum::http::header;
use axum::response::IntoResponse;
use web::{Asset, STYLE};

use crate::error::Error;

/// What only a script can do: ask for passkeys, and take an invitation from behind the `#`.
pub static SCRIPT: LazyLock<Asset> = LazyLock::new(|| {
    Asset::new("portal.js", "text/javascript; charset=utf-8", include_bytes!("../../assets/portal.js"))
});

/// Gives a file. Its path has its hash, so browsers keep it for good.
pub async fn asset(Path((hash, name)): Path<(String, String)>) -> Result<impl IntoResponse, Error> {
    let path = format!("/assets/{hash}/{name}");
    let asset = [&*STYLE, &*SCRIPT].into_iter().find(|asset| asset.path() == path).ok_or(Error::NotFound)?;
    let headers =
        [(header::CONTENT_TYPE, asset.content_type()), (header::CACHE_CONTROL, Asset::CACHE_CONTROL)];
    Ok((headers, asset.bytes()))
}
