//! Looking for keys: in folders, on sticks.

mod result;

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;

use ::find::{Search, own_folders};
use askama::Template;
use axum::extract::{Form, Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{get, post};
use backup::{READERS, Trying};
use fve::Volume;
use recovery_key::KeyIdPrefix;
use serde::Deserialize;
use web::{Icon, Say};

use super::blocking;
use super::jobs::go_to;
use super::unlock::volume;
use crate::answer::Error;
use crate::app::App;
use crate::inventory::Drive;
use crate::jobs::{Job, Outcome};
use crate::page;
use crate::routes::Route;
use crate::speech::Reader;

use result::Result as Found;

/// Fewer digits of a key ID can be anything.
const KEY_ID_DIGITS: usize = 8;

/// Returns the routes.
pub fn routes() -> Vec<Route> {
    vec![Route::get("/find", get(ask)), Route::post("/find", post(begin))]
}

/// What to look for, and where.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Wanted {
    key: String,
    home: Option<String>,
    sticks: Option<String>,
    folder: String,
}

#[derive(Template)]
#[template(path = "find.html")]
struct Ask<'s> {
    say: Say<'s>,
    wanted: Wanted,
    /// The message that says what is wrong.
    problem: Option<&'static str>,
    /// Where sticks are mounted.
    sticks: Vec<String>,
    home: Option<String>,
    warning: Icon,
}

impl Ask<'_> {
    fn page(&self) -> Result<Response, Error> {
        let mut response = page::page(self.say, &self.say.of("task-find"), "/find", self)?;
        if self.problem.is_some() {
            *response.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
        }
        Ok(response)
    }
}

/// Returns where removable drives are mounted.
fn sticks(drives: &[Drive]) -> Vec<PathBuf> {
    let removable = drives.iter().filter(|drive| drive.attached.removable);
    removable.flat_map(|drive| drive.attached.mounted_at.clone()).collect()
}

async fn form<'s>(
    app: &App,
    say: Say<'s>,
    wanted: Wanted,
    problem: Option<&'static str>,
) -> Result<Ask<'s>, Error> {
    let own = app.clone();
    let drives = blocking(move || own.inventory.drives()).await?;
    let sticks = sticks(&drives).iter().map(|path| path.display().to_string()).collect();
    let home = app.settings.home.as_ref().map(|home| home.display().to_string());
    Ok(Ask { say, wanted, problem, sticks, home, warning: Icon::Warning })
}

async fn ask(
    State(app): State<App>,
    Reader(say): Reader,
    Query(mut wanted): Query<Wanted>,
) -> Result<Response, Error> {
    let on = Some("on".to_owned());
    (wanted.home, wanted.sticks) = (on.clone(), on);
    form(&app, say, wanted, None).await?.page()
}

async fn begin(
    State(app): State<App>,
    Reader(say): Reader,
    Form(wanted): Form<Wanted>,
) -> Result<Response, Error> {
    let own = app.clone();
    let (home, with_sticks, folder) =
        (wanted.home.is_some(), wanted.sticks.is_some(), wanted.folder.trim().to_owned());
    let places = blocking(move || {
        let mut places = Vec::new();
        if let Some(home) = own.settings.home.as_ref().filter(|_| home) {
            // Windows and the desktop may have moved the folders of a person elsewhere.
            places.push(home.clone());
            places.extend(own_folders(home));
        }
        if with_sticks {
            places.extend(sticks(&own.inventory.drives()));
        }
        if !folder.is_empty() {
            let folder = PathBuf::from(folder);
            std::fs::metadata(&folder).map_err(|_| "find-no-folder")?;
            places.push(folder);
        }
        if places.is_empty() { Err("find-nowhere") } else { Ok(places) }
    });
    let key_id = match wanted.key.trim() {
        "" => Ok(None),
        text => text
            .parse()
            .ok()
            .filter(|id: &KeyIdPrefix| id.digits() >= KEY_ID_DIGITS)
            .map(Some)
            .ok_or("find-no-key-id"),
    };
    let (places, key_id) = match (places.await?, key_id) {
        (Ok(places), Ok(key_id)) => (places, key_id),
        (Err(problem), _) | (_, Err(problem)) => return form(&app, say, wanted, Some(problem)).await?.page(),
    };
    let own = app.clone();
    let job = app.jobs.begin("task-find", move |job| look(&own, job, places, key_id))?;
    Ok(go_to(&job))
}

/// Searches, and tries what was found on the drives.
fn look(app: &App, job: &Job, places: Vec<PathBuf>, key_id: Option<KeyIdPrefix>) -> Arc<dyn Outcome> {
    let go_on = || if job.is_stopped() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
    let mut search = Search::new(places);
    search.readers = READERS;
    let said = |files: u64| {
        let rate = files as f64 / job.elapsed().as_secs_f64().max(0.1);
        (files.to_string(), format!("{rate:.0}"))
    };
    let (files, rate) = said(0);
    job.step("find-searching", &[("files", &files), ("rate", &rate)]);
    let findings = search.run(&|files| {
        // Whoever looks sees it twice a second.
        if files.is_multiple_of(16) {
            let (files, rate) = said(files);
            job.update(&[("files", &files), ("rate", &rate)]);
        }
        go_on()
    });
    let (files, rate) = said(findings.files);
    job.update(&[("files", &files), ("rate", &rate)]);
    job.step("find-trying", &[]);
    let drives = app.inventory.drives();
    let locked = drives.iter().filter(|drive| drive.facts().is_some());
    let opened: Vec<(&Drive, Volume)> =
        locked.filter_map(|drive| Some((drive, volume(app, drive).ok()?))).collect();
    let volumes: Vec<&Volume> = opened.iter().map(|(_, volume)| volume).collect();
    let (wrong, unread, files) = (findings.wrong.len(), result::unread(&findings), findings.files);
    let wrong_places =
        findings.wrong.iter().take(result::SHOWN).map(|wrong| wrong.place.to_string()).collect();
    let report = findings.report();
    let entries = report.entries.len() as u64;
    let tries = Trying::default().run(&volumes, report.entries, &|done| {
        job.part(done as u64, entries);
        go_on()
    });
    let drives: Vec<&Drive> = opened.iter().map(|&(drive, _)| drive).collect();
    let mut found = Found::of(tries, &drives, key_id);
    (found.job, found.files, found.stopped) = (job.id().to_owned(), files, job.is_stopped());
    (found.wrong, found.wrong_places, found.unread) = (wrong, wrong_places, unread);
    Arc::new(found)
}
