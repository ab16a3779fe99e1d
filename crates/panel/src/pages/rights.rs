//! Asking for an administrator's rights: why, for what, and how.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Form, Query, State};
use axum::response::Response;
use axum::routing::get;
use serde::Deserialize;
use web::{Icon, Say};

use super::blocking;
use crate::answer::Error;
use crate::app::App;
use crate::back::Back;
use crate::computer::{Denied, Rights};
use crate::jobs::{Job, Outcome};
use crate::page;
use crate::pages::jobs;
use crate::routes::Route;
use crate::speech::Reader;

/// Returns the routes.
pub fn routes() -> Vec<Route> {
    vec![Route::get("/rights", get(explain)), Route::post("/rights", axum::routing::post(ask))]
}

/// What somebody was at when rights were missing.
#[derive(Deserialize)]
struct Came {
    #[serde(default)]
    back: Back,
}

/// What there is to know before, and after.
#[derive(Template)]
#[template(path = "rights.html")]
struct Explain<'s> {
    say: Say<'s>,
    rights: Rights,
    denied: Option<&'s Denied>,
    back: &'s Back,
    icon: Icon,
}

impl Explain<'_> {
    fn problem(&self) -> Option<String> {
        Some(match self.denied? {
            Denied::Declined => self.say.of("rights-declined"),
            Denied::Nobody => self.say.of("rights-nobody"),
            Denied::Asking => self.say.of("rights-asking"),
            Denied::Failed(why) => self.say.with("rights-failed", &[("why", why)]),
        })
    }

    fn is_windows(&self) -> bool {
        cfg!(windows)
    }

    fn has_all(&self) -> bool {
        self.rights == Rights::All
    }

    fn may_ask(&self) -> bool {
        // Where nobody could be asked once, asking again is of no use.
        self.rights == Rights::CanAsk && self.denied != Some(&Denied::Nobody)
    }
}

async fn explain(
    State(app): State<App>,
    Reader(say): Reader,
    Query(Came { back }): Query<Came>,
) -> Result<Response, Error> {
    let rights = blocking(move || app.inventory.computer().rights()).await?;
    let body = Explain { say, rights, denied: None, back: &back, icon: icon(rights) };
    page::page(say, &say.of("rights-title"), "/drives", &body)
}

fn icon(rights: Rights) -> Icon {
    if rights == Rights::All { Icon::Good } else { Icon::Warning }
}

/// A person may take a while to find the password, so that a job waits for them.
async fn ask(State(app): State<App>, Form(Came { back }): Form<Came>) -> Result<Response, Error> {
    let panel = app.clone();
    let job = app.jobs.begin("rights-title", move |job: &Job| {
        job.step("rights-wait", &[]);
        let denied = panel.inventory.computer().ask_for_rights().err();
        match &denied {
            Some(_) => job.failed(),
            None => panel.inventory.forget(),
        }
        Arc::new(Asked { rights: panel.inventory.computer().rights(), denied, back }) as Arc<dyn Outcome>
    })?;
    Ok(jobs::go_to(&job))
}

/// What came of it.
struct Asked {
    rights: Rights,
    denied: Option<Denied>,
    back: Back,
}

impl Outcome for Asked {
    fn title(&self, say: Say<'_>) -> String {
        say.of("rights-title")
    }

    fn body(&self, say: Say<'_>) -> Result<String, askama::Error> {
        let Self { rights, denied, back } = self;
        Explain { say, rights: *rights, denied: denied.as_ref(), back, icon: icon(*rights) }.render()
    }
}
