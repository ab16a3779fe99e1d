//! To a PDF of the page, for whoever prints it elsewhere.

use askama::Template;
use axum::extract::{Form, Path, State};
use axum::response::Response;
use serde::Deserialize;
use web::Say;

use super::super::folders::{self, Offered};
use super::super::preview::paper_of;
use super::super::way::Way;
use super::super::{Ready, ready};
use super::{begin, refused};
use crate::answer::Error;
use crate::app::App;
use crate::page;
use crate::pages::blocking;
use crate::speech::Reader;
use crate::told::Told;

#[derive(Template)]
#[template(path = "back_up/pdf.html")]
struct Page<'s> {
    say: Say<'s>,
    id: &'s str,
    drive: String,
    problem: Option<String>,
    folders: Vec<Offered>,
    typed: String,
}

#[derive(Deserialize)]
pub struct Chosen {
    #[serde(flatten)]
    folder: folders::Chosen,
    #[serde(default)]
    paper: String,
}

async fn show(
    app: App,
    say: Say<'static>,
    ready: Ready,
    chosen: Option<(Chosen, Told)>,
) -> Result<Response, Error> {
    let (ready, folders) = blocking(move || {
        let folders = folders::offered(&app, &ready, say);
        (ready, folders)
    })
    .await?;
    let (chosen, problem) = chosen.unzip();
    let body = Page {
        say,
        id: ready.id(),
        drive: ready.title(),
        problem: problem.map(|why| why.say(say)),
        folders,
        typed: chosen.map(|chosen| chosen.folder.typed()).unwrap_or_default(),
    };
    page::page(say, &say.of("way-pdf"), "/drives", &body)
}

/// Asks where to.
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

/// Saves it there.
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
    match chosen.folder.path(&app) {
        Ok(folder) => begin(&app, ready, Way::Pdf(folder, paper_of(&chosen.paper))),
        Err(why) => Ok(refused(show(app, say, ready, Some((chosen, why))).await?)),
    }
}
