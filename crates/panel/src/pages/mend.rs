//! A recovery key of which not everything can be read: what it may have been is tried on the drive.

mod outcome;
mod plan;

use std::sync::Arc;

use askama::Template;
use axum::extract::{Form, Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{get, post};
use fve::ProtectorKind;
use repair::{Candidates, Hints, HintsError, MOST_SLIPS, Plan};
use serde::Deserialize;
use web::{Icon, Say};

use super::jobs::go_to;
use super::unlock::{Boxes, Digits, OpenFailure, volume};
use super::verify::{Choice, choices};
use super::{blocking, drive};
use crate::answer::Error;
use crate::app::App;
use crate::inventory::Drive;
use crate::page;
use crate::routes::Route;
use crate::speech::{Reader, Sentence};
use crate::words;

/// Returns the routes.
pub fn routes() -> Vec<Route> {
    vec![
        Route::get("/mend", get(ask)),
        Route::post("/mend", post(ask_with)),
        Route::post("/mend/plan", post(consider)),
        Route::post("/mend/begin", post(begin)),
    ]
}

#[derive(Template)]
#[template(path = "mend.html")]
struct Ask<'s> {
    say: Say<'s>,
    drives: Vec<Choice>,
    drive: String,
    boxes: Boxes<'s>,
    problem: Option<Sentence>,
    warning: Icon,
}

async fn form(
    app: &App,
    say: Say<'_>,
    digits: &Digits,
    problem: Option<Sentence>,
) -> Result<Response, Error> {
    let own = app.clone();
    let drives = blocking(move || own.inventory.drives()).await?;
    let with_keys: Vec<Drive> = drives.iter().filter(|drive| has_recovery_key(drive)).cloned().collect();
    let mut groups = digits.groups();
    // What is wrong with a group is what is to be found out.
    groups.iter_mut().for_each(|group| group.problem = None);
    let ask = Ask {
        say,
        drives: choices(&with_keys),
        drive: digits.drive.clone(),
        boxes: Boxes { say, groups, unknown: true },
        problem,
        warning: Icon::Warning,
    };
    let mut response = page::page(say, &say.of("task-mend"), "", &ask)?;
    if ask.problem.is_some() {
        *response.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
    }
    Ok(response)
}

fn has_recovery_key(drive: &Drive) -> bool {
    let has = |facts: &crate::VolumeFacts| {
        facts.protectors.iter().any(|(_, kind)| *kind == ProtectorKind::RecoveryPassword)
    };
    drive.facts().is_some_and(has)
}

#[derive(Deserialize)]
struct Which {
    #[serde(default)]
    drive: String,
}

async fn ask(
    State(app): State<App>,
    Reader(say): Reader,
    Query(which): Query<Which>,
) -> Result<Response, Error> {
    form(&app, say, &Digits::for_drive(which.drive), None).await
}

async fn ask_with(
    State(app): State<App>,
    Reader(say): Reader,
    Form(digits): Form<Digits>,
) -> Result<Response, Error> {
    form(&app, say, &digits, None).await
}

/// Reads what can be read of the key.
fn hints(digits: &Digits) -> Result<Hints, Sentence> {
    Hints::parse(&digits.text("?")).map_err(|error| match error {
        HintsError::NoDigits => Sentence::new("mend-no-digits", &[]),
        HintsError::Foreign { .. } => Sentence::new("mend-foreign", &[]),
        HintsError::TooLong { .. } => Sentence::new("mend-too-long", &[]),
        _ => Sentence::new("mend-no-groups", &[]),
    })
}

/// How many candidates there are, and how long they take.
#[derive(Template)]
#[template(path = "mend_plan.html")]
struct Considered<'s> {
    say: Say<'s>,
    drive: Drive,
    digits: Digits,
    known: Vec<String>,
    plan: Plan,
    warning: Icon,
}

impl Considered<'_> {
    fn title(&self) -> String {
        words::title(&self.drive)
    }

    fn key_ids(&self) -> String {
        let ids =
            self.drive.facts().map(|facts| facts.recovery_keys().map(|id| id.short()).collect::<Vec<_>>());
        ids.unwrap_or_default().join(", ")
    }

    /// What can be searched: how many slips, what that means, how many candidates, how long.
    fn ways(&self) -> Vec<(u8, String, String)> {
        let say = self.say;
        let way = |slips: u8| {
            let what = match slips {
                0 => "mend-as-read",
                1 => "mend-one-slip",
                2 => "mend-two-slips",
                _ => "mend-three-slips",
            };
            let count = self.plan.count(slips);
            let time = plan::duration(self.plan.seconds(count), say);
            let many = plan::number(count, say.language());
            (slips, say.of(what), say.with("mend-takes", &[("count", &many), ("time", &time)]))
        };
        (0..=MOST_SLIPS).map(way).collect()
    }

    fn is_chosen(&self, slips: &u8) -> bool {
        *slips == self.plan.slips.unwrap_or(0)
    }

    fn rate(&self) -> String {
        let rate = plan::number(self.plan.rate.max(0.0) as u128, self.say.language());
        self.say.with("mend-rate", &[("rate", &rate)])
    }
}

async fn consider(
    State(app): State<App>,
    Reader(say): Reader,
    Form(digits): Form<Digits>,
) -> Result<Response, Error> {
    let hints = match hints(&digits) {
        Ok(hints) => hints,
        Err(problem) => return form(&app, say, &digits, Some(problem)).await,
    };
    if digits.drive.is_empty() {
        return form(&app, say, &digits, Some(Sentence::new("mend-no-drive", &[]))).await;
    }
    let drive = drive(&app, digits.drive.clone()).await?;
    let known = plan::known(&hints, say);
    let (own, chosen) = (app.clone(), drive.clone());
    let plan = blocking(move || {
        let volume = volume(&own, &chosen)?;
        let locks = volume.recovery_locks();
        let has_keys = !locks.key_ids().is_empty();
        Ok::<_, OpenFailure>(has_keys.then(|| Plan::make(&Candidates::new(&hints), &locks, None)))
    });
    let problem = match plan.await? {
        Ok(Some(plan)) => {
            let page = Considered { say, drive, digits, known, plan, warning: Icon::Warning };
            return page::page(say, &say.of("task-mend"), "", &page);
        }
        Ok(None) => Sentence::new("mend-no-key", &[]),
        Err(OpenFailure::Gone | OpenFailure::RightsMissing) => return Err(Error::DriveGone),
        Err(OpenFailure::Other(why)) => Sentence::new("unlock-failed", &[("why", &why)]),
    };
    form(&app, say, &digits, Some(problem)).await
}

async fn begin(
    State(app): State<App>,
    Reader(say): Reader,
    Form(digits): Form<Digits>,
) -> Result<Response, Error> {
    let hints = match hints(&digits) {
        Ok(hints) => hints,
        Err(problem) => return form(&app, say, &digits, Some(problem)).await,
    };
    let drive = drive(&app, digits.drive.clone()).await?;
    let own = app.clone();
    let job = app.jobs.begin("task-mend", move |job| {
        let slips = digits.slips.unwrap_or(0).min(MOST_SLIPS);
        Arc::new(outcome::search(&own, job, drive, &digits, &hints, slips))
    })?;
    Ok(go_to(&job))
}
