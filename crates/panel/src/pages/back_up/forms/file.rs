//! To a file in a folder, as it is or sealed.

use askama::Template;
use axum::extract::{Form, Path, State};
use axum::response::Response;
use sealed::Seal;
use serde::Deserialize;
use web::Say;
use zeroize::Zeroizing;

use super::super::folders::{self, Offered};
use super::super::way::Way;
use super::super::{Ready, ready};
use super::{begin, refused, typed_twice};
use crate::answer::Error;
use crate::app::App;
use crate::page;
use crate::pages::blocking;
use crate::speech::Reader;
use crate::told::Told;

#[derive(Template)]
#[template(path = "back_up/file.html")]
struct Page<'s> {
    say: Say<'s>,
    id: &'s str,
    drive: String,
    problem: Option<String>,
    folders: Vec<Offered>,
    typed: String,
    recipients: String,
}

#[derive(Deserialize)]
pub struct Chosen {
    #[serde(flatten)]
    folder: folders::Chosen,
    /// How it is sealed: `passphrase`, `recipients`, or not.
    #[serde(default)]
    seal: String,
    #[serde(default)]
    passphrase: Zeroizing<String>,
    #[serde(default)]
    again: Zeroizing<String>,
    #[serde(default)]
    recipients: String,
}

impl Chosen {
    fn seal(&self) -> Result<Option<Seal>, Told> {
        let seal = match self.seal.as_str() {
            "passphrase" => Seal::with_passphrase(typed_twice(&self.passphrase, &self.again)?),
            "recipients" => {
                let recipients: Vec<_> = self.recipients.split_whitespace().collect();
                Seal::to_recipients(&recipients)
            }
            _ => return Ok(None),
        };
        seal.map(Some).map_err(|error| Told::new("file-seal-wrong").because(Told::quoted(error.to_string())))
    }
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
        typed: chosen.as_ref().map(|chosen| chosen.folder.typed()).unwrap_or_default(),
        recipients: chosen.map(|chosen| chosen.recipients).unwrap_or_default(),
    };
    page::page(say, &say.of("way-file"), "/drives", &body)
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
    let way = chosen.folder.path(&app).and_then(|folder| Ok(Way::File(folder, chosen.seal()?)));
    match way {
        Ok(way) => begin(&app, ready, way),
        Err(why) => Ok(refused(show(app, say, ready, Some((chosen, why))).await?)),
    }
}
