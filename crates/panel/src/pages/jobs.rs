//! How far something is, and what came of it.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use web::{Icon, Say};

use crate::answer::Error;
use crate::app::App;
use crate::jobs::{Job, Step};
use crate::page;
use crate::routes::Route;
use crate::speech::Reader;

/// Returns the routes.
pub fn routes() -> Vec<Route> {
    vec![
        Route::get("/jobs/{id}", get(whole)),
        Route::get("/jobs/{id}/part", get(part)),
        Route::post("/jobs/{id}/stop", post(stop)),
        Route::post("/jobs/{id}/leave", post(leave)),
    ]
}

/// Sends the browser to a job that has begun.
pub fn go_to(job: &Job) -> Response {
    Redirect::to(&format!("/jobs/{}", job.id())).into_response()
}

#[derive(Template)]
#[template(path = "job.html")]
struct Going<'s> {
    say: Say<'s>,
    title: String,
    path: String,
    part: String,
}

/// The part of the page that changes.
#[derive(Template)]
#[template(path = "job_part.html")]
struct Part<'s> {
    say: Say<'s>,
    steps: Vec<Step>,
    part: Option<(u64, u64)>,
    left: Option<u64>,
}

impl Part<'_> {
    fn text(&self, step: &Step) -> String {
        let arguments: Vec<_> = step.arguments.iter().map(|(name, value)| (*name, value.as_str())).collect();
        self.say.with(step.message, &arguments)
    }

    fn icon(&self, step: &Step) -> Option<Icon> {
        step.end.map(|well| if well { Icon::Good } else { Icon::Warning })
    }
}

fn part_of<'s>(job: &Job, say: Say<'s>) -> Part<'s> {
    let progress = job.progress();
    let left = progress.part.filter(|&(done, _)| done > 0).map(|(done, all)| {
        let elapsed = u128::from(job.elapsed().as_secs());
        u64::try_from(elapsed * u128::from(all.saturating_sub(done)) / u128::from(done)).unwrap_or(u64::MAX)
    });
    Part { say, steps: progress.steps, part: progress.part, left }
}

async fn whole(
    State(app): State<App>,
    Reader(say): Reader,
    Path(id): Path<String>,
) -> Result<Response, Error> {
    let job = app.jobs.get(&id).ok_or(Error::NotFound)?;
    if let Some(outcome) = job.progress().outcome {
        return page::page_of(say, &outcome.title(say), "", &outcome.body(say)?);
    }
    let title = say.of(job.title);
    let going = Going { say, path: format!("/jobs/{id}"), part: part_of(&job, say).render()?, title };
    page::page(say, &going.title, "", &going)
}

async fn part(
    State(app): State<App>,
    Reader(say): Reader,
    Path(id): Path<String>,
) -> Result<Response, Error> {
    let job = app.jobs.get(&id).ok_or(Error::NotFound)?;
    if job.progress().outcome.is_some() {
        // The whole page is another one now.
        return Ok(axum::http::StatusCode::RESET_CONTENT.into_response());
    }
    Ok(Html(part_of(&job, say).render()?).into_response())
}

async fn stop(State(app): State<App>, Path(id): Path<String>) -> Redirect {
    app.jobs.stop(&id);
    Redirect::to(&format!("/jobs/{id}"))
}

async fn leave(State(app): State<App>, Path(id): Path<String>) -> Redirect {
    app.jobs.forget(&id);
    Redirect::to("/drives")
}
