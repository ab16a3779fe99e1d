//! The files that pages name.

use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use web::{Asset, STYLE};

use crate::page;
use crate::routes::Route;

/// Returns a route for each file.
pub fn routes() -> Vec<Route> {
    // The page at the door has the same look.
    [&*STYLE, &*page::STYLE, &*page::SCRIPT].map(|asset| route(asset).for_anyone()).into()
}

fn route(asset: &'static Asset) -> Route {
    Route::get(asset.path(), get(move || async move { file(asset) }))
}

fn file(asset: &'static Asset) -> Response {
    let headers =
        [(header::CONTENT_TYPE, asset.content_type()), (header::CACHE_CONTROL, Asset::CACHE_CONTROL)];
    (headers, asset.bytes()).into_response()
}
