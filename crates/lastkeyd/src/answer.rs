//! From an [`Error`] to what the one who asked gets: a page for people, a [`Problem`] for devices.

use std::sync::Arc;

use account::wire::Problem;
use axum::Json;
use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::error::Error;
use crate::gate::RouteName;
use crate::store::now;

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let mut response = self.status().into_response();
        response.extensions_mut().insert(Arc::new(self));
        response
    }
}

/// Gives every refusal its form, and tells the log what is not told to whoever asked.
pub async fn present(request: Request, next: Next) -> Response {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let response = next.run(request).await;
    let status = response.status();
    if !status.is_client_error() && !status.is_server_error() {
        return response;
    }
    let error = response.extensions().get::<Arc<Error>>().cloned();
    if status.is_server_error() {
        let why = error.as_ref().map_or_else(|| status.to_string(), ToString::to_string);
        tracing::error!(%method, path, why, "a request failed");
    }
    // A page that a handler made itself, with what was typed still in its form.
    if error.is_none() && response.headers().contains_key(header::CONTENT_TYPE) && !path.starts_with("/api/")
    {
        return response;
    }
    let (code, message) = words(status, error.as_deref());
    let mut answer = if path.starts_with("/api/") {
        Json(Problem { code: code.to_owned(), message, now: now() }).into_response()
    } else {
        crate::portal::error_page(status, &message)
    };
    *answer.status_mut() = status;
    if let Some(route) = response.extensions().get::<RouteName>() {
        answer.extensions_mut().insert(*route);
    }
    if let Some(allow) = response.headers().get(header::ALLOW) {
        answer.headers_mut().insert(header::ALLOW, allow.clone());
    }
    if let Some(Error::TooMany(seconds) | Error::Busy(seconds)) = error.as_deref() {
        answer.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(*seconds));
    }
    if status == StatusCode::UNAUTHORIZED {
        // RFC 9110 wants a challenge; browsers ask no person for a signature.
        answer.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Signature"));
    }
    answer
}

fn words(status: StatusCode, error: Option<&Error>) -> (&'static str, String) {
    let internal =
        || ("internal", "the server could not do it; its log says why. Try again later".to_owned());
    match error {
        Some(Error::Database(_) | Error::Sqlite(_) | Error::Internal(_)) => internal(),
        Some(error) => (error.code(), error.to_string()),
        None => match status {
            StatusCode::NOT_FOUND => ("not-found", Error::NotFound.to_string()),
            StatusCode::METHOD_NOT_ALLOWED => ("invalid", "this cannot be done to that".to_owned()),
            StatusCode::PAYLOAD_TOO_LARGE => ("too-large", "that is more than is taken".to_owned()),
            StatusCode::REQUEST_TIMEOUT => ("invalid", "the request took too long to arrive".to_owned()),
            StatusCode::UNSUPPORTED_MEDIA_TYPE
            | StatusCode::UNPROCESSABLE_ENTITY
            | StatusCode::BAD_REQUEST => ("invalid", "the request is not what it should be".to_owned()),
            _ if status.is_server_error() => internal(),
            _ => ("invalid", status.canonical_reason().unwrap_or("refused").to_lowercase()),
        },
    }
}
