//! The forms: what each way needs to know. What is wrong with one stands above it, and nothing was done then.

pub mod account;
pub mod directory;
pub mod file;
pub mod passwords;
pub mod pdf;
pub mod print;
pub mod usb;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use zeroize::Zeroizing;

use recovery_key::Secret;

use super::way::Way;
use super::{Ready, work};
use crate::answer::Error;
use crate::app::App;
use crate::pages::jobs;
use crate::told::Told;

/// Begins to save, and shows how it goes.
fn begin(app: &App, ready: Ready, way: Way) -> Result<Response, Error> {
    let (inner, open) = (app.clone(), ready.open);
    let job = app.jobs.begin("back-up-saving", move |job| work::save(&inner, &open, way, job))?;
    Ok(jobs::go_to(&job))
}

/// Marks a page with a form that was not in order.
fn refused(page: Response) -> Response {
    (StatusCode::UNPROCESSABLE_ENTITY, page).into_response()
}

/// Takes a secret that was typed.
fn secret(typed: &Zeroizing<String>) -> Secret<String> {
    Secret::new(String::clone(typed))
}

/// Takes a new password that was typed twice: what is typed wrongly once could never be opened again.
fn typed_twice(first: &Zeroizing<String>, again: &Zeroizing<String>) -> Result<Secret<String>, Told> {
    if first.is_empty() {
        return Err(Told::new("form-empty-password"));
    }
    if first != again {
        return Err(Told::new("form-typed-differently"));
    }
    Ok(secret(first))
}
