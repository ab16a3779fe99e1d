//! The files of an unlocked drive: folders to look through, files to download.

mod archive;
mod download;
mod name;

use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, Method, Uri};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use serde::Deserialize;
use unlocked::{Elsewhere, Entry, FileId, FileSystem, Kind, Name, Position, Stat};
use web::{Icon, Say};

use super::{blocking, drive};
use crate::answer::Error;
use crate::app::App;
use crate::desk::OpenDrive;
use crate::inventory::{Content, Drive};
use crate::page;
use crate::routes::Route;
use crate::speech::Reader;
use crate::words;

/// So many entries of a folder are on one page: memory is bounded, and so is the page.
const ENTRIES: usize = 500;
/// Deeper than any path that Windows makes.
const DEPTH: usize = 256;
/// Windows' bit for files that are encrypted once more, by EFS.
const ENCRYPTED: u32 = 0x4000;
/// Windows' bits for files whose content is in the cloud.
const IN_THE_CLOUD: u32 = 0x0044_0000;

/// Returns the routes.
pub fn routes() -> Vec<Route> {
    vec![
        Route::get("/drives/{id}/files", get(slash)),
        Route::get("/drives/{id}/files/", get(show)),
        Route::get("/drives/{id}/files/{*path}", get(show)),
    ]
}

async fn slash(Path(id): Path<String>) -> Redirect {
    Redirect::to(&format!("/drives/{id}/files/"))
}

#[derive(Deserialize)]
struct Wanted {
    /// Where in a huge folder the page begins.
    from: Option<u64>,
    /// `zip` for a folder with all that is in it.
    r#as: Option<String>,
}

/// Why a file cannot be had.
enum Trouble {
    /// The drive is not there any more.
    Gone,
    /// There is nothing of this name.
    NotFound,
    /// A message says why.
    Message(&'static str),
    /// The drive or its file system says why.
    Other(String),
}

impl From<unlocked::Error> for Trouble {
    fn from(error: unlocked::Error) -> Self {
        match error {
            unlocked::Error::NotFound(_) | unlocked::Error::NoFile(_) => Self::NotFound,
            unlocked::Error::Encrypted => Self::Message("file-encrypted"),
            unlocked::Error::Elsewhere(Elsewhere::Cloud) => Self::Message("file-in-cloud"),
            unlocked::Error::Elsewhere(_) => Self::Message("file-elsewhere"),
            error => Self::Other(error.to_string()),
        }
    }
}

/// What is at a path.
enum Found {
    Folder(Page),
    File(unlocked::File, Name),
    Archive(FileSystem, FileId, Name),
}

/// A page of a folder.
struct Page {
    rows: Vec<Row>,
    /// Where the next page begins.
    next: Option<u64>,
    /// How many entries of the page cannot be read, and why the first cannot.
    broken: Option<(u64, String)>,
}

/// An entry of a folder.
struct Row {
    name: String,
    /// None for what cannot be opened.
    link: Option<String>,
    kind: Kind,
    stat: Option<Stat>,
    /// The message that says what is the matter with it.
    remark: Option<&'static str>,
    /// Where a link leads.
    target: Option<String>,
}

impl Row {
    fn of(files: &FileSystem, entry: &Entry) -> Self {
        let stat = files.stat(entry.id).ok();
        let attributes = stat.as_ref().map_or(0, |stat| stat.attributes);
        let remark = match (entry.kind, &stat) {
            (_, None) => Some("file-broken"),
            (Kind::Link | Kind::Other, _) => Some("file-link"),
            (Kind::File, _) if attributes & IN_THE_CLOUD != 0 => Some("file-in-cloud-short"),
            (Kind::File, _) if attributes & ENCRYPTED != 0 => Some("file-encrypted-short"),
            _ => None,
        };
        let target = (entry.kind == Kind::Link).then(|| files.link(entry.id).ok()).flatten();
        let target =
            target.map(|link| if link.shown.is_empty() { link.target } else { link.shown }.to_string());
        let slash = if entry.kind == Kind::Folder { "/" } else { "" };
        let link = (remark.is_none() && name::can_be_in_a_path(&entry.name))
            .then(|| format!("{}{slash}", name::in_path(&entry.name)));
        Self { name: entry.name.to_string(), link, kind: entry.kind, stat, remark, target }
    }

    fn icon(&self) -> Icon {
        if self.kind == Kind::Folder { Icon::Folder } else { Icon::File }
    }

    fn size(&self, say: Say<'_>) -> String {
        let stat = self.stat.as_ref().filter(|_| self.kind == Kind::File);
        stat.map_or_else(String::new, |stat| words::size(stat.size, say.language()))
    }

    fn time(&self, say: Say<'_>) -> String {
        let time = self.stat.as_ref().and_then(|stat| stat.times.modified);
        time.map_or_else(String::new, |time| words::time(time.to_unix().0, say.language()))
    }
}

impl Page {
    /// Reads a part of a folder: folders come first, by name. Of a huge folder each page is sorted for itself.
    fn of(files: &FileSystem, folder: FileId, from: u64) -> Result<Self, Trouble> {
        let (mut entries, mut next, mut broken) = (Vec::with_capacity(ENTRIES), None, None::<(u64, String)>);
        for (place, entry) in files.list(folder, Position(from))?.enumerate() {
            if entries.len() == ENTRIES || place == 2 * ENTRIES {
                next = entries.last().map(|last: &Entry| last.next.0);
                break;
            }
            match entry {
                Ok(entry) => entries.push(entry),
                Err(error) => broken.get_or_insert((0, error.to_string())).0 += 1,
            }
        }
        let mut rows: Vec<_> = entries.iter().map(|entry| Row::of(files, entry)).collect();
        rows.sort_by_cached_key(|row| (row.kind != Kind::Folder, row.name.to_lowercase()));
        Ok(Self { rows, next, broken })
    }
}

/// A step of the way to a folder.
struct Crumb {
    name: String,
    path: String,
}

#[derive(Template)]
#[template(path = "files.html")]
struct Listing<'s> {
    say: Say<'s>,
    title: String,
    drive: Drive,
    crumbs: Vec<Crumb>,
    page: Page,
    first: bool,
    can_lock: bool,
    warning: Icon,
}

impl Listing<'_> {
    fn broken(&self, count: &u64, why: &str) -> String {
        self.say.with("files-broken", &[("count", &count.to_string()), ("why", why)])
    }
}

#[derive(Template)]
#[template(path = "files_trouble.html")]
struct Failure<'s> {
    say: Say<'s>,
    title: String,
    text: String,
    up: String,
    warning: Icon,
}

async fn show(
    State(app): State<App>,
    Reader(say): Reader,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    Query(wanted): Query<Wanted>,
) -> Result<Response, Error> {
    let mut parts = uri.path().trim_start_matches('/').splitn(4, '/').skip(1);
    let id = parts.next().unwrap_or_default().to_owned();
    let path = name::segments(parts.nth(1).unwrap_or_default());
    let found_drive = drive(&app, id.clone()).await.inspect_err(|_| app.desk.lock(&id))?;
    let Some(open) = opened(&app, &found_drive)? else {
        return Ok(Redirect::to(&format!("/drives/{id}/unlock")).into_response());
    };
    if path.len() > DEPTH {
        return Err(Error::NotFound);
    }
    let (names, from, zip) = (path.clone(), wanted.from, wanted.r#as.as_deref() == Some("zip"));
    let own = Arc::clone(&open);
    let found = blocking(move || look(&own, &names, from.unwrap_or(0), zip)).await?;
    let found = match found {
        // What cannot be read may be a drive that was pulled out a moment ago.
        Err(Trouble::Other(why)) => {
            let (computer, own) = (Arc::clone(app.inventory.computer()), found_drive.clone());
            if blocking(move || own.source(&*computer).is_err()).await? {
                Err(Trouble::Gone)
            } else {
                Err(Trouble::Other(why))
            }
        }
        found => found,
    };
    let trouble = match found {
        Ok(Found::File(file, name)) => return Ok(download::file(&method, &headers, open, file, &name)),
        Ok(Found::Archive(files, folder, name)) => {
            let name = if path.is_empty() { words::title(&found_drive) } else { name.to_string() };
            return Ok(archive::folder(&method, open, files, folder, &name, say.of("archive-left-out")));
        }
        Ok(Found::Folder(page)) => {
            // Links in the page are relative to the folder.
            if !uri.path().ends_with('/') {
                return Ok(Redirect::to(&format!("{}/", uri.path())).into_response());
            }
            let crumbs = crumbs(&found_drive, &path);
            let title = crumbs.last().map_or_else(String::new, |last| last.name.clone());
            let can_lock = app.desk.has(&id) && found_drive.facts().is_some();
            let listing = Listing {
                say,
                title,
                drive: found_drive,
                crumbs,
                page,
                first: from.is_none(),
                can_lock,
                warning: Icon::Warning,
            };
            return page::page(say, &listing.title, "/drives", &listing);
        }
        Err(trouble) => trouble,
    };
    let text = match trouble {
        Trouble::Gone => {
            app.desk.lock(&id);
            app.inventory.forget();
            return Err(Error::DriveGone);
        }
        Trouble::NotFound => return Err(Error::NotFound),
        Trouble::Message(message) => say.of(message),
        Trouble::Other(why) => say.with("files-unreadable", &[("why", &why)]),
    };
    let title = path.last().map_or_else(|| words::title(&found_drive), ToString::to_string);
    let up = match path.split_last() {
        Some((_, above)) => address(&id, above),
        None => "/drives".to_owned(),
    };
    let failure = Failure { say, title, text, up, warning: Icon::Warning };
    let mut response = page::page(say, &failure.title, "/drives", &failure)?;
    *response.status_mut() = axum::http::StatusCode::UNPROCESSABLE_ENTITY;
    Ok(response)
}

/// Returns the drive if it is unlocked.
fn opened(app: &App, drive: &Drive) -> Result<Option<Arc<OpenDrive>>, Error> {
    if !matches!(drive.content, Content::BitLocker(_)) {
        return Err(Error::NotFound);
    }
    Ok(app.desk.get(&drive.id))
}

/// Finds what is at a path.
fn look(open: &OpenDrive, path: &[Name], from: u64, zip: bool) -> Result<Found, Trouble> {
    let files = open.files().map_err(Trouble::Other)?;
    let mut at = files.root();
    for name in path {
        at = files.lookup(at, name)?.ok_or(Trouble::NotFound)?.id;
    }
    let name = path.last().cloned().unwrap_or_default();
    match files.stat(at)?.kind {
        Kind::Folder if zip => Ok(Found::Archive(files, at, name)),
        Kind::Folder => Page::of(&files, at, from).map(Found::Folder),
        Kind::File => Ok(Found::File(files.open_file(at)?, name)),
        Kind::Link | Kind::Other => Err(Trouble::Message("file-link-explain")),
    }
}

fn address(id: &str, path: &[Name]) -> String {
    path.iter().fold(format!("/drives/{id}/files/"), |address, name| address + &name::in_path(name) + "/")
}

fn crumbs(drive: &Drive, path: &[Name]) -> Vec<Crumb> {
    let root = Crumb { name: words::title(drive), path: address(&drive.id, &[]) };
    let steps = path.iter().enumerate();
    let steps = steps.map(|(place, name)| Crumb {
        name: name.to_string(),
        path: address(&drive.id, path.get(..=place).unwrap_or_default()),
    });
    std::iter::once(root).chain(steps).collect()
}
