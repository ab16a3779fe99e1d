//! To a drive that people unplug.

use askama::Template;
use axum::extract::{Form, Path, State};
use axum::response::Response;
use backup::Destination as _;
use backup::{Stick, UsbDestination};
use serde::Deserialize;
use web::Say;

use super::super::way::Way;
use super::super::{Ready, ready, refusals, ways};
use super::{begin, refused};
use crate::answer::Error;
use crate::app::App;
use crate::inventory::device_id;
use crate::page;
use crate::pages::blocking;
use crate::speech::Reader;
use crate::told::Told;
use crate::words;

/// A drive, as it is offered.
struct Offered {
    id: String,
    title: String,
    /// Who made it, how large it is, what is free.
    about: String,
    /// Why nothing can be saved there.
    refused: Option<String>,
}

#[derive(Template)]
#[template(path = "back_up/usb.html")]
struct Page<'s> {
    say: Say<'s>,
    id: &'s str,
    drive: String,
    problem: Option<String>,
    sticks: Vec<Offered>,
}

impl Offered {
    fn of(stick: &Stick, ready: &Ready, say: Say<'_>) -> Self {
        let drive = &stick.drive;
        let mut about: Vec<String> = [&drive.vendor, &drive.model].into_iter().flatten().cloned().collect();
        about.extend(drive.content.map(|content| content.to_string()));
        about.push(words::size(drive.size, say.language()));
        about.extend(
            stick.free.map(|free| say.with("usb-free", &[("size", &words::size(free, say.language()))])),
        );
        let checked = UsbDestination::new(drive.clone()).check(&ready.open.drive.attached.path);
        Self {
            id: device_id(drive),
            title: backup::title(drive),
            about: about.join(", "),
            refused: checked.err().map(|error| refusals::refusal(&error).say(say)),
        }
    }
}

async fn show(app: App, say: Say<'static>, ready: Ready, problem: Option<Told>) -> Result<Response, Error> {
    let (ready, sticks) = blocking(move || {
        let sticks = ways::sticks(&app, &ready);
        let sticks: Vec<_> = sticks.iter().map(|stick| Offered::of(stick, &ready, say)).collect();
        (ready, sticks)
    })
    .await?;
    let problem = problem.map(|why| why.say(say));
    let body = Page { say, id: ready.id(), drive: ready.title(), problem, sticks };
    page::page(say, &say.of("way-usb"), "/drives", &body)
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
    stick: String,
}

/// Saves to it.
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
    let inner = app.clone();
    let (ready, sticks) = blocking(move || {
        let sticks = ways::sticks(&inner, &ready);
        (ready, sticks)
    })
    .await?;
    let stick = sticks.into_iter().find(|stick| device_id(&stick.drive) == chosen.stick);
    match stick {
        Some(stick) => begin(&app, ready, Way::Usb(stick.drive)),
        None => {
            let why = if chosen.stick.is_empty() { "usb-choose" } else { "usb-gone" };
            Ok(refused(show(app, say, ready, Some(Told::new(why))).await?))
        }
    }
}
