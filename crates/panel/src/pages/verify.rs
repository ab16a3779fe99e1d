//! Checking a copy: does it open the drive?

mod work;

use std::path::PathBuf;
use std::sync::Arc;

use askama::Template;
use axum::extract::{Multipart, Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{get, post};
use serde::Deserialize;
use web::{Icon, Say};

use super::blocking;
use super::jobs::go_to;
use crate::answer::Error;
use crate::app::App;
use crate::inventory::Drive;
use crate::page;
use crate::routes::Route;
use crate::speech::Reader;
use crate::upload::Upload;
use crate::words;

use work::Work;

/// Returns the routes.
pub fn routes() -> Vec<Route> {
    vec![Route::get("/verify", get(ask)), Route::post("/verify", post(begin))]
}

/// A drive that can be chosen.
pub struct Choice {
    /// What stands for it in addresses.
    pub id: String,
    /// What it is called.
    pub name: String,
    /// The key IDs of its recovery keys.
    pub key_ids: String,
}

/// Returns the BitLocker drives that are there.
pub fn choices(drives: &[Drive]) -> Vec<Choice> {
    let locked = drives.iter().filter_map(|drive| Some((drive, drive.facts()?)));
    let choice = locked.map(|(drive, facts)| {
        let ids: Vec<_> = facts.recovery_keys().map(|id| id.short()).collect();
        Choice { id: drive.id.clone(), name: words::title(drive), key_ids: ids.join(", ") }
    });
    choice.collect()
}

#[derive(Template)]
#[template(path = "verify.html")]
struct Ask<'s> {
    say: Say<'s>,
    drives: Vec<Choice>,
    drive: String,
    path: String,
    problem: Option<&'static str>,
    warning: Icon,
}

impl Ask<'_> {
    fn page(&self) -> Result<Response, Error> {
        let mut response = page::page(self.say, &self.say.of("task-verify"), "/verify", self)?;
        if self.problem.is_some() {
            *response.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
        }
        Ok(response)
    }
}

#[derive(Deserialize)]
struct Which {
    drive: Option<String>,
}

async fn form<'s>(
    app: &App,
    say: Say<'s>,
    drive: String,
    path: String,
    problem: Option<&'static str>,
) -> Result<Ask<'s>, Error> {
    let own = app.clone();
    let drives = blocking(move || own.inventory.drives()).await?;
    Ok(Ask { say, drives: choices(&drives), drive, path, problem, warning: Icon::Warning })
}

async fn ask(
    State(app): State<App>,
    Reader(say): Reader,
    Query(which): Query<Which>,
) -> Result<Response, Error> {
    form(&app, say, which.drive.unwrap_or_default(), String::new(), None).await?.page()
}

async fn begin(State(app): State<App>, Reader(say): Reader, sent: Multipart) -> Result<Response, Error> {
    let upload = Upload::of(sent).await?;
    let path = upload.field("path").map(|path| path.trim().to_owned());
    let drive = upload.field("drive").map(str::to_owned);
    if upload.files.is_empty() && path.is_none() {
        return form(&app, say, drive.unwrap_or_default(), String::new(), Some("unlock-nothing"))
            .await?
            .page();
    }
    let work = Work { drive, path: path.map(PathBuf::from), upload };
    let own = app.clone();
    let job = app.jobs.begin("task-verify", move |job| Arc::new(work.run(&own, job)))?;
    Ok(go_to(&job))
}
