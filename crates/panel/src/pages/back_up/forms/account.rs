//! To an account at a server.

use account::place::About;
use askama::Template;
use axum::extract::{Form, Path, State};
use axum::response::Response;
use serde::Deserialize;
use web::Say;

use super::super::way::Way;
use super::super::{Ready, ready, ways};
use super::{begin, refused};
use crate::answer::Error;
use crate::app::App;
use crate::page;
use crate::pages::blocking;
use crate::speech::Reader;
use crate::told::Told;

#[derive(Template)]
#[template(path = "back_up/account.html")]
struct Page<'s> {
    say: Say<'s>,
    id: &'s str,
    drive: String,
    problem: Option<String>,
    accounts: Vec<(String, About)>,
}

impl Page<'_> {
    fn opens(&self, about: &About) -> String {
        let names: Vec<_> = about.recipients.iter().map(|to| to.name.as_str()).collect();
        self.say.with("account-opens", &[("names", &names.join(", "))])
    }
}

async fn show(app: App, say: Say<'_>, ready: Ready, problem: Option<Told>) -> Result<Response, Error> {
    let accounts = blocking(move || {
        let accounts = app.accounts();
        let open = |name: String| {
            let account = accounts.as_ref()?.open(&name).ok()??;
            Some((name, account.about().clone()))
        };
        ways::accounts(&app).into_iter().filter_map(open).collect()
    });
    let accounts = accounts.await?;
    let problem = problem.map(|why| why.say(say));
    let body = Page { say, id: ready.id(), drive: ready.title(), problem, accounts };
    page::page(say, &say.of("way-account"), "/drives", &body)
}

/// Asks which.
pub async fn ask(
    State(app): State<App>,
    Reader(say): Reader,
    Path(id): Path<String>,
) -> Result<Response, Error> {
    match ready(&app, say, &id).await? {
        Ok(ready) => show(app, say, ready, None).await,
        Err(page) => Ok(page),
    }
}

#[derive(Deserialize)]
pub struct Chosen {
    #[serde(default)]
    account: String,
}

/// Saves there.
pub async fn save(
    State(app): State<App>,
    Reader(say): Reader,
    Path(id): Path<String>,
    Form(chosen): Form<Chosen>,
) -> Result<Response, Error> {
    let ready = match ready(&app, say, &id).await? {
        Ok(ready) => ready,
        Err(page) => return Ok(page),
    };
    if chosen.account.is_empty() {
        return Ok(refused(show(app, say, ready, Some(Told::new("account-choose"))).await?));
    }
    begin(&app, ready, Way::Account(chosen.account))
}
