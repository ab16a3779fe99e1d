//! What is asked of an account's server: who the recipients are, and to take what waits.

use std::sync::Arc;

use account::{ClientError, Session};
use askama::Template;
use axum::extract::{Form, Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use web::{Icon, Say};

use super::{digest, open};
use crate::answer::Error;
use crate::app::App;
use crate::jobs::{Job, Outcome};
use crate::pages::back_up::client_error;
use crate::pages::{blocking, jobs};
use crate::told::Told;

/// Asks the server how it stands.
pub async fn look(State(app): State<App>, Path(name): Path<String>) -> Result<Response, Error> {
    begin(&app, name, "account-looking", |session, job, done| {
        job.step("account-step-look", &[]);
        match session.recipients() {
            Ok(()) => {}
            Err(ClientError::Recipients) => done.others = true,
            Err(error) => done.problem = Some(client_error(&error)),
        }
    })
}

/// Sends what waits.
pub async fn send(State(app): State<App>, Path(name): Path<String>) -> Result<Response, Error> {
    begin(&app, name, "account-sending", deliver)
}

#[derive(Deserialize)]
pub struct Seen {
    /// Stands for the recipients that the page has shown.
    seen: String,
}

/// Takes the recipients that the person has seen, and sends what waits.
pub async fn accept(
    State(app): State<App>,
    Path(name): Path<String>,
    Form(form): Form<Seen>,
) -> Result<Response, Error> {
    let (inner, own) = (app.clone(), name.clone());
    let accepted = blocking(move || -> Result<bool, Error> {
        let internal = |error: String| Error::Internal(error);
        let session = Session::begin(open(&inner, &own)?);
        let mut session = session.map_err(|error| internal(error.to_string()))?;
        // What somebody else has offered since then was not seen.
        let is_same =
            session.account().about().offered.as_deref().is_some_and(|now| digest(now) == form.seen);
        if is_same {
            session.accept().map_err(|error| internal(error.to_string()))?;
        }
        Ok(is_same)
    });
    if !accepted.await?? {
        return Ok(Redirect::to("/account").into_response());
    }
    begin(&app, name, "account-sending", deliver)
}

/// Does something with an account, and shows how it goes.
fn begin(
    app: &App,
    name: String,
    title: &'static str,
    work: impl FnOnce(&mut Session, &Job, &mut Done) + Send + 'static,
) -> Result<Response, Error> {
    // Whether there is such an account, before anything begins.
    open(app, &name)?;
    let inner = app.clone();
    let job = app.jobs.begin(title, move |job| -> Arc<dyn Outcome> {
        let mut done = Done::default();
        let session = open(&inner, &name).map_err(|error| Told::quoted(error.to_string()));
        let session =
            session.and_then(|account| Session::begin(account).map_err(|error| client_error(&error)));
        match session {
            Ok(mut session) => {
                work(&mut session, job, &mut done);
                done.place = session.account().place();
                done.waiting = session.account().waiting().map_or(0, |waiting| waiting.len() as u64);
                let alarms = session.account().evidence().unwrap_or_default();
                done.alarms = alarms.iter().map(ToString::to_string).collect();
            }
            Err(why) => done.problem = Some(why),
        }
        reconcile(&inner, &mut done);
        if done.problem.is_some() {
            job.failed();
        }
        Arc::new(done)
    })?;
    Ok(jobs::go_to(&job))
}

fn deliver(session: &mut Session, job: &Job, done: &mut Done) {
    job.step("account-step-send", &[]);
    match session.deliver_all() {
        Ok(sent) => {
            for (waiting, result) in sent {
                match result {
                    Ok(_) => done.sent.push(waiting.record.drive),
                    Err(error) => done.failed.push((waiting.record.drive, client_error(&error))),
                }
            }
        }
        Err(error) => done.problem = Some(client_error(&error)),
    }
}

/// Notes what has arrived.
fn reconcile(app: &App, done: &mut Done) {
    if let (Some(accounts), Ok(Some(mut record))) = (app.accounts(), app.open_record())
        && let Err(error) = record.reconcile(&accounts)
    {
        done.problem.get_or_insert(Told::quoted(error.to_string()));
    }
}

/// What came of it.
#[derive(Default)]
struct Done {
    place: String,
    sent: Vec<String>,
    failed: Vec<(String, Told)>,
    waiting: u64,
    /// The recipients are others now.
    others: bool,
    alarms: Vec<String>,
    problem: Option<Told>,
}

impl Done {
    fn is_good(&self) -> bool {
        self.problem.is_none() && self.failed.is_empty() && !self.others && self.alarms.is_empty()
    }
}

impl Outcome for Done {
    fn title(&self, say: Say<'_>) -> String {
        say.of(if self.is_good() { "account-done-title" } else { "account-not-done-title" })
    }

    fn body(&self, say: Say<'_>) -> Result<String, askama::Error> {
        Body { say, title: self.title(say), done: self }.render()
    }
}

#[derive(Template)]
#[template(path = "account/sent.html")]
struct Body<'b> {
    say: Say<'b>,
    title: String,
    done: &'b Done,
}

impl Body<'_> {
    fn icon(&self, good: bool) -> Icon {
        if good { Icon::Good } else { Icon::Warning }
    }
}
