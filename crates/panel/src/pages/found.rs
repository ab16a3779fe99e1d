//! A key that a job found: it is shown only when that is asked for, and unlocks a drive without being shown.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Form, Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::post;
use backup::key_of;
use recovery_key::document::FoundSecret;
use serde::Deserialize;
use web::{KeyDigits, Say};

use super::unlock::{put, volume};
use super::{blocking, drive};
use crate::answer::Error;
use crate::app::App;
use crate::jobs::Outcome;
use crate::page;
use crate::routes::Route;
use crate::speech::Reader;

/// Returns the routes.
pub fn routes() -> Vec<Route> {
    vec![Route::post("/jobs/{id}/show", post(show)), Route::post("/jobs/{id}/unlock", post(unlock))]
}

#[derive(Deserialize)]
struct Which {
    key: usize,
    #[serde(default)]
    drive: String,
}

#[derive(Template)]
#[template(path = "shown.html")]
struct Shown<'s> {
    say: Say<'s>,
    key: KeyDigits<'s>,
    back: String,
}

fn outcome(app: &App, id: &str) -> Result<Arc<dyn Outcome>, Error> {
    app.jobs.get(id).and_then(|job| job.progress().outcome).ok_or(Error::NotFound)
}

async fn show(
    State(app): State<App>,
    Reader(say): Reader,
    Path(id): Path<String>,
    Form(which): Form<Which>,
) -> Result<Response, Error> {
    let outcome = outcome(&app, &id)?;
    let Some(FoundSecret::RecoveryPassword(password)) = outcome.key(which.key) else {
        return Err(Error::NotFound);
    };
    let digits = password.digits();
    let shown = Shown { say, key: KeyDigits::new(digits.expose()), back: format!("/jobs/{id}") };
    page::page(say, &say.of("shown-title"), "", &shown)
}

async fn unlock(
    State(app): State<App>,
    Path(id): Path<String>,
    Form(which): Form<Which>,
) -> Result<Response, Error> {
    let outcome = outcome(&app, &id)?;
    let key = outcome.key(which.key).and_then(key_of).ok_or(Error::NotFound)?;
    let drive = drive(&app, which.drive).await?;
    let path = format!("/drives/{}", drive.id);
    let own = app.clone();
    let opened = blocking(move || {
        let Ok(volume) = volume(&own, &drive) else { return false };
        put(&own, drive, volume, &[key]).is_ok()
    });
    // What does not open is asked for again.
    let to = if opened.await? { "files/" } else { "unlock" };
    Ok(Redirect::to(&format!("{path}/{to}")).into_response())
}
