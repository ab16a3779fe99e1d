//! To a password manager: into a database of KeePass, or a file that another one imports.

use std::path::PathBuf;

use askama::Template;
use axum::extract::{Form, Multipart, Path, State};
use axum::response::Response;
use backup::Manager;
use backup::keepass::Credentials;
use recovery_key::Secret;
use serde::Deserialize;
use web::Say;
use zeroize::Zeroizing;

use super::super::folders::{self, Offered, typed_path};
use super::super::way::Way;
use super::super::{Ready, ready};
use super::{begin, refused, secret, typed_twice};
use crate::answer::Error;
use crate::app::App;
use crate::page;
use crate::pages::blocking;
use crate::speech::Reader;
use crate::told::Told;

/// The most databases that are offered.
const LIMIT: usize = 12;
/// The largest key file of a database that is read; KeePass makes such of a few hundred bytes.
const KEY_FILE_LIMIT: usize = 1 << 20;

#[derive(Template)]
#[template(path = "back_up/passwords.html")]
struct Page<'s> {
    say: Say<'s>,
    id: &'s str,
    drive: String,
    problem: Option<String>,
    databases: Vec<String>,
    folders: Vec<Offered>,
    typed: String,
    /// Whether the key is one that can be imported: digits.
    digits: bool,
}

async fn show(
    app: App,
    say: Say<'static>,
    ready: Ready,
    typed: String,
    problem: Option<Told>,
) -> Result<Response, Error> {
    let (ready, databases, folders) = blocking(move || {
        let databases = databases(&app);
        let folders = folders::offered(&app, &ready, say);
        (ready, databases, folders)
    })
    .await?;
    let body = Page {
        say,
        id: ready.id(),
        drive: ready.title(),
        problem: problem.map(|why| why.say(say)),
        databases,
        folders,
        typed,
        digits: ready.digits,
    };
    page::page(say, &say.of("way-passwords"), "/drives", &body)
}

/// Returns the databases that lie where a person would put one.
fn databases(app: &App) -> Vec<String> {
    let folders = app.settings.home.iter().cloned().chain(folders::known(app));
    let mut found: Vec<String> = Vec::new();
    for folder in folders {
        let files = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
        let databases = files.filter(|path| path.extension().is_some_and(|ending| ending == "kdbx"));
        found.extend(databases.map(|path| path.display().to_string()));
    }
    found.sort();
    found.dedup();
    found.truncate(LIMIT);
    found
}

/// Asks which.
pub async fn ask(
    State(app): State<App>,
    Reader(say): Reader,
    Path(id): Path<String>,
) -> Result<Response, Error> {
    match ready(&app, say, &id).await? {
        Ok(ready) => show(app, say, ready, String::new(), None).await,
        Err(page) => Ok(page),
    }
}

/// What a form with a key file says.
#[derive(Default)]
struct KeePass {
    database: String,
    other: String,
    password: Zeroizing<String>,
    again: Zeroizing<String>,
    key_file: Option<Secret<Vec<u8>>>,
}

impl KeePass {
    async fn read(mut form: Multipart) -> Result<Self, Error> {
        let invalid = |error: axum::extract::multipart::MultipartError| Error::Invalid(error.body_text());
        let mut read = Self::default();
        while let Some(field) = form.next_field().await.map_err(invalid)? {
            let name = field.name().unwrap_or_default().to_owned();
            let bytes = Secret::new(field.bytes().await.map_err(invalid)?.to_vec());
            if name == "key-file" {
                if bytes.expose().len() > KEY_FILE_LIMIT {
                    return Err(Error::Invalid("the key file is too large".to_owned()));
                }
                read.key_file = Some(bytes).filter(|bytes| !bytes.expose().is_empty());
                continue;
            }
            let text = Zeroizing::new(String::from_utf8_lossy(bytes.expose()).into_owned());
            match name.as_str() {
                "database" => read.database = String::clone(&text),
                "other" => read.other = String::clone(&text),
                "password" => read.password = text,
                "again" => read.again = text,
                _ => {}
            }
        }
        Ok(read)
    }

    fn way(self, app: &App) -> Result<Way, Told> {
        let typed = if self.database.is_empty() { &self.other } else { &self.database };
        let mut path = typed_path(app, typed)?;
        if path.extension().is_none() {
            path.set_extension("kdbx");
        }
        // A new one is made with this password: it is typed twice.
        let password = if path.exists() {
            Some(secret(&self.password)).filter(|typed| !typed.expose().is_empty())
        } else if self.password.is_empty() && self.key_file.is_some() {
            None
        } else {
            Some(typed_twice(&self.password, &self.again)?)
        };
        if password.is_none() && self.key_file.is_none() {
            return Err(Told::new("form-empty-password"));
        }
        Ok(Way::KeePass(path, Credentials::new(password, self.key_file)))
    }
}

/// Saves to a database of KeePass.
pub async fn save_to_keepass(
    State(app): State<App>,
    Reader(say): Reader,
    Path(id): Path<String>,
    form: Multipart,
) -> Result<Response, Error> {
    let form = KeePass::read(form).await?;
    let ready = match ready(&app, say, &id).await? {
        Ok(ready) => ready,
        Err(page) => return Ok(page),
    };
    let typed = form.other.clone();
    match form.way(&app) {
        Ok(way) => begin(&app, ready, way),
        Err(why) => Ok(refused(show(app, say, ready, typed, Some(why)).await?)),
    }
}

#[derive(Deserialize)]
pub struct Import {
    #[serde(flatten)]
    folder: folders::Chosen,
    #[serde(default)]
    manager: String,
}

/// Saves a file that a password manager imports.
pub async fn save_to_import(
    State(app): State<App>,
    Reader(say): Reader,
    Path(id): Path<String>,
    Form(chosen): Form<Import>,
) -> Result<Response, Error> {
    let ready = match ready(&app, say, &id).await? {
        Ok(ready) => ready,
        Err(page) => return Ok(page),
    };
    let (manager, name) = match chosen.manager.as_str() {
        "1password" => (Manager::OnePassword, "1Password"),
        _ => (Manager::Bitwarden, "Bitwarden"),
    };
    let short = ready.keys.first().map(recovery_key::KeyId::short).unwrap_or_default();
    let file = PathBuf::from(format!("BitLocker key {short} for {name}.json"));
    match chosen.folder.path(&app) {
        Ok(folder) => begin(&app, ready, Way::Import(manager, folder.join(file))),
        Err(why) => Ok(refused(show(app, say, ready, chosen.folder.typed(), Some(why)).await?)),
    }
}
