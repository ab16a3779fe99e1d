//! Why there is no page, and the page that says so.

use std::sync::Arc;

use askama::Template;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use web::Say;

use crate::jobs::TooMany;
use crate::page;
use crate::speech::Reader;

/// Why there is no page.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is nothing at this address.
    #[error("there is nothing here")]
    NotFound,
    /// The drive was taken out, or another one is in its place.
    #[error("the drive is gone")]
    DriveGone,
    /// Who asks has not come in.
    #[error("who asks has not come in")]
    Outside,
    /// Another site asks.
    #[error("the request came from another site")]
    Foreign,
    /// What was sent makes no sense. A page of the panel sends no such thing.
    #[error("what was sent makes no sense: {0}")]
    Invalid(String),
    /// Too much goes on already.
    #[error("too much goes on already")]
    TooMany,
    /// Something of the program is broken.
    #[error("{0}")]
    Internal(String),
}

impl Error {
    fn status(&self) -> StatusCode {
        match self {
            Self::NotFound | Self::DriveGone => StatusCode::NOT_FOUND,
            Self::Outside => StatusCode::UNAUTHORIZED,
            Self::Foreign => StatusCode::FORBIDDEN,
            Self::Invalid(_) => StatusCode::BAD_REQUEST,
            Self::TooMany => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    fn message(&self) -> &'static str {
        match self {
            Self::NotFound => "error-not-found",
            Self::DriveGone => "error-drive-gone",
            Self::Outside => "error-outside",
            Self::Foreign => "error-foreign",
            Self::Invalid(_) => "error-invalid",
            Self::TooMany => "error-too-many",
            Self::Internal(_) => "error-internal",
        }
    }
}

impl From<askama::Error> for Error {
    fn from(error: askama::Error) -> Self {
        Self::Internal(format!("a page could not be made: {error}"))
    }
}

impl From<TooMany> for Error {
    fn from(_: TooMany) -> Self {
        Self::TooMany
    }
}

#[derive(Template)]
#[template(path = "error.html")]
struct Failure {
    message: String,
    detail: String,
    back: String,
}

/// [`present`] makes the page, which knows the reader's language.
impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let mut response = self.status().into_response();
        response.extensions_mut().insert(Arc::new(self));
        response
    }
}

/// Makes pages of errors.
pub async fn present(reader: Reader, request: Request, next: Next) -> Response {
    let response = next.run(request).await;
    match response.extensions().get::<Arc<Error>>() {
        Some(error) => error.page(reader.0),
        None => response,
    }
}

impl Error {
    /// Returns the page that says so.
    fn page(&self, say: Say<'_>) -> Response {
        let detail = match self {
            Self::Invalid(why) | Self::Internal(why) => why.clone(),
            _ => String::new(),
        };
        let body = Failure { message: say.of(self.message()), detail, back: say.of("error-back") };
        let page = page::outside(say, &say.of("error-title"), &body);
        let mut response = page.unwrap_or_else(|_| self.status().into_response());
        *response.status_mut() = self.status();
        response
    }
}
