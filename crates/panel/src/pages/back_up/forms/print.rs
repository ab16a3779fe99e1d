//! To a printer, after a look at the very page.

use askama::Template;
use axum::extract::{Form, Path, Query, State};
use axum::response::Response;
use paper::Paper;
use serde::Deserialize;
use web::Say;

use super::super::preview::{Format, paper_of};
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
#[template(path = "back_up/print.html")]
struct Page<'s> {
    say: Say<'s>,
    id: &'s str,
    drive: String,
    problem: Option<String>,
    printers: Vec<String>,
    /// What the recovery screen shows of each key: one page for each.
    keys: Vec<String>,
    paper: &'static str,
}

impl Page<'_> {
    fn is_a4(&self) -> bool {
        self.paper == "a4"
    }

    fn alternative(&self, key: &str) -> String {
        self.say.with("print-preview-of", &[("key", key)])
    }
}

async fn show(say: Say<'_>, ready: Ready, paper: Paper, problem: Option<Told>) -> Result<Response, Error> {
    let printers = blocking(ways::printers).await?;
    let body = Page {
        say,
        id: ready.id(),
        drive: ready.title(),
        problem: problem.map(|why| why.say(say)),
        printers,
        keys: ready.keys.iter().map(recovery_key::KeyId::short).collect(),
        paper: if paper == Paper::Letter { "letter" } else { "a4" },
    };
    page::page(say, &say.of("way-print"), "/drives", &body)
}

/// Shows the page and asks which printer.
pub async fn ask(
    State(app): State<App>,
    Reader(say): Reader,
    Path(id): Path<String>,
    Query(format): Query<Format>,
) -> Result<Response, Error> {
    match ready(&app, say, &id).await? {
        Ok(ready) => show(say, ready, format.paper(), None).await,
        Err(page) => Ok(page),
    }
}

#[derive(Deserialize)]
pub struct Chosen {
    #[serde(default)]
    printer: String,
    /// A printer's own address.
    #[serde(default)]
    address: String,
    #[serde(default)]
    paper: String,
}

/// Prints.
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
    let paper = paper_of(&chosen.paper);
    let address = chosen.address.trim();
    let name = if address.is_empty() { chosen.printer } else { address.to_owned() };
    if name.is_empty() || !address.is_empty() && !address.contains("://") {
        let why = if name.is_empty() { "print-choose" } else { "print-address-wrong" };
        return Ok(refused(show(say, ready, paper, Some(Told::new(why))).await?));
    }
    begin(&app, ready, Way::Print(name, paper))
}
