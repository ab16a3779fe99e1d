//! The log: to standard error, lines for people or objects for programs. It says which route was asked and how it
//! went, never a query, a form or a header.

use tracing_subscriber::EnvFilter;

use crate::cli::LogForm;
use crate::error::Error;

/// Starts the log.
///
/// # Errors
/// When the level is none.
pub fn start(form: LogForm, level: &str) -> Result<(), Error> {
    let filter = EnvFilter::try_new(level)
        .map_err(|error| Error::Internal(format!("{level:?} is no log level: {error}")))?;
    let log =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false);
    match form {
        // What others send us must not steer the terminal.
        LogForm::Text => log.with_ansi(false).init(),
        LogForm::Json => log.json().flatten_event(true).init(),
    }
    Ok(())
}
