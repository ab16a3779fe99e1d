//! Why a request is refused.

use axum::http::StatusCode;

/// What every handler returns when it does not do what it was asked.
///
/// Portal and API each make their own answer of it: a page, or a [`account::wire::Problem`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The request is not what it should be; what is wrong with it, as a sentence.
    #[error("{0}")]
    Invalid(String),
    /// Nobody is signed in, or the device's signature does not hold: the word for programs, and why.
    #[error("{1}")]
    Unauthorized(&'static str, String),
    /// What was asked does not go with how things stand now: the word for programs, and why.
    #[error("{1}")]
    Conflict(&'static str, String),
    /// There is no such thing, or not for the one who asks: both are answered alike.
    #[error("there is nothing here by that name")]
    NotFound,
    /// Too many tries; how many seconds to wait.
    #[error("too many tries: wait {0} seconds")]
    TooMany(u64),
    /// More than is allowed.
    #[error("{0}")]
    TooLarge(String),
    /// The server has as much to do as it can; how many seconds to wait.
    #[error("the server is busy: try again in {0} seconds")]
    Busy(u64),
    /// The request came from another site, or for another host.
    #[error("{0}")]
    Foreign(&'static str),
    /// The database.
    #[error("the database: {0}")]
    Database(#[from] sqlx::Error),
    /// The database, where it is asked without a detour.
    #[error("the database: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// Anything that should not happen. What it is goes to the log, not to whoever asked.
    #[error("{0}")]
    Internal(String),
}

impl Error {
    /// Returns the status that the answer has.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Invalid(_) => StatusCode::BAD_REQUEST,
            Self::Unauthorized(..) => StatusCode::UNAUTHORIZED,
            Self::Conflict(..) => StatusCode::CONFLICT,
            Self::Foreign(_) => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooMany(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::Busy(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Database(_) | Self::Sqlite(_) | Self::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// Whether the database has said no to what it was given, and would to nothing else.
    pub(crate) fn is_refusal(&self) -> bool {
        match self {
            // Data that it does not take, and rules that are broken (SQLSTATE).
            Self::Database(error) => error
                .as_database_error()
                .and_then(|error| error.code())
                .is_some_and(|code| code.starts_with("22") || code.starts_with("23")),
            Self::Sqlite(error) => {
                error.sqlite_error_code() == Some(rusqlite::ErrorCode::ConstraintViolation)
            }
            _ => false,
        }
    }

    /// Returns the word that programs know it by, as in [`account::wire::Problem::code`].
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unauthorized(code, _) | Self::Conflict(code, _) => code,
            Self::Invalid(_) => "invalid",
            Self::Foreign(_) => "foreign",
            Self::NotFound => "not-found",
            Self::TooLarge(_) => "too-large",
            Self::TooMany(_) => "too-many",
            Self::Busy(_) => "busy",
            Self::Database(_) | Self::Sqlite(_) | Self::Internal(_) => "internal",
        }
    }
}
