//! To the directory of an organisation.

use askama::Template;
use axum::extract::{Form, Path, State};
use axum::response::Response;
use directory::DirectoryAddress;
use serde::Deserialize;
use web::Say;
use zeroize::Zeroizing;

use super::super::folders::typed_path;
use super::super::way::Way;
use super::super::{Ready, ready};
use super::{begin, refused, secret};
use crate::answer::Error;
use crate::app::App;
use crate::page;
use crate::speech::Reader;
use crate::told::Told;

#[derive(Template)]
#[template(path = "back_up/directory.html")]
struct Page<'s> {
    say: Say<'s>,
    id: &'s str,
    drive: String,
    problem: Option<String>,
    typed: Chosen,
}

#[derive(Default, Deserialize)]
pub struct Chosen {
    #[serde(default)]
    server: String,
    #[serde(default)]
    computer: String,
    #[serde(default)]
    user: String,
    #[serde(default)]
    password: Zeroizing<String>,
    /// A file with the certificates to trust instead of the system's.
    #[serde(default)]
    ca: String,
}

impl Chosen {
    fn way(&self, app: &App) -> Result<Way, Told> {
        let server = self.server.trim();
        let server = server.strip_prefix("ldaps://").unwrap_or(server).trim_end_matches('/');
        let computer = self.computer.trim();
        if server.is_empty() || computer.is_empty() {
            return Err(Told::new("directory-incomplete"));
        }
        let wrong = |why: String| Told::new("directory-address-wrong").because(Told::quoted(why));
        let address = format!("ldaps://{server}/{}", computer.replace('%', "%25"));
        let address = DirectoryAddress::parse(&address).map_err(|error| wrong(error.to_string()))?;
        let ca = (!self.ca.trim().is_empty()).then(|| typed_path(app, &self.ca)).transpose()?;
        let credentials =
            directory::Credentials { user: self.user.trim().to_owned(), password: secret(&self.password) };
        Ok(Way::Directory(address, credentials, ca))
    }
}

fn show(say: Say<'_>, ready: &Ready, typed: Chosen, problem: Option<Told>) -> Result<Response, Error> {
    let problem = problem.map(|why| why.say(say));
    let body = Page { say, id: ready.id(), drive: ready.title(), problem, typed };
    page::page(say, &say.of("way-directory"), "/drives", &body)
}

/// Asks which, and who signs in.
pub async fn ask(
    State(app): State<App>,
    Reader(say): Reader,
    Path(id): Path<String>,
) -> Result<Response, Error> {
    match ready(&app, say, &id).await? {
        Ok(ready) => {
            let computer = account::device_name(None);
            show(say, &ready, Chosen { computer, ..Chosen::default() }, None)
        }
        Err(page) => Ok(page),
    }
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
    match chosen.way(&app) {
        Ok(way) => begin(&app, ready, way),
        Err(why) => Ok(refused(show(say, &ready, chosen, Some(why))?)),
    }
}
