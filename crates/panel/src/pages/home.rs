//! Home: the search box, and the way to everything.

use askama::Template;
use axum::extract::{Query, State};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use fve::Protection;
use recovery_key::KeyIdPrefix;
use serde::Deserialize;
use web::{Icon, Say};

use super::blocking;
use crate::answer::Error;
use crate::app::App;
use crate::inventory::Drive;
use crate::page;
use crate::routes::Route;
use crate::speech::Reader;
use crate::words;

/// The most drives and keys that a search shows.
const LIMIT: usize = 20;

/// Returns the routes.
pub fn routes() -> Vec<Route> {
    vec![
        Route::get("/", get(home)),
        Route::get("/search", get(search)),
        Route::get("/search/part", get(part)),
    ]
}

/// Something that a person may want to do: the message that names it, the one with other words for it, where it is.
const TASKS: [(&str, &str, Place); 9] = [
    ("task-back-up", "task-back-up-words", Place::Drive("back-up")),
    ("task-unlock", "task-unlock-words", Place::Drive("unlock")),
    ("task-files", "task-files-words", Place::Drive("files/")),
    ("task-find", "task-find-words", Place::Fixed("/find")),
    ("task-verify", "task-verify-words", Place::Fixed("/verify")),
    ("task-mend", "task-mend-words", Place::Fixed("/mend")),
    ("task-copies", "task-copies-words", Place::Fixed("/copies")),
    ("task-account", "task-account-words", Place::Fixed("/account")),
    ("drives-title", "drives-title-words", Place::Fixed("/drives")),
];

/// Where a task is done.
#[derive(Clone, Copy)]
enum Place {
    /// On a page of its own.
    Fixed(&'static str),
    /// On a page of a drive: that of the only one, else where the drive is chosen.
    Drive(&'static str),
}

/// Something that was found.
struct Hit {
    icon: Icon,
    text: String,
    details: String,
    path: String,
}

#[derive(Template)]
#[template(path = "home.html")]
struct Home<'s> {
    say: Say<'s>,
    query: String,
    search: Icon,
    part: String,
    tasks: Vec<Hit>,
}

#[derive(Template)]
#[template(path = "search_part.html")]
struct Part<'s> {
    say: Say<'s>,
    asked: bool,
    hits: Vec<Hit>,
}

#[derive(Default, Deserialize)]
struct Asked {
    #[serde(default)]
    q: String,
}

async fn home(State(app): State<App>, Reader(say): Reader) -> Result<Response, Error> {
    shown(app, say, String::new()).await
}

async fn search(
    State(app): State<App>,
    Reader(say): Reader,
    Query(asked): Query<Asked>,
) -> Result<Response, Error> {
    shown(app, say, asked.q).await
}

async fn part(
    State(app): State<App>,
    Reader(say): Reader,
    Query(asked): Query<Asked>,
) -> Result<Response, Error> {
    Ok(Html(blocking(move || part_of(&app, say, &asked.q)).await??).into_response())
}

async fn shown(app: App, say: Say<'static>, query: String) -> Result<Response, Error> {
    let home = blocking(move || {
        let part = part_of(&app, say, &query)?;
        let tasks = TASKS.iter().map(|task| hit(task, &app.inventory.drives(), say)).collect();
        Ok::<_, Error>(Home { say, query, search: Icon::Search, part, tasks })
    });
    page::page(say, &say.of("home-title"), "/", &home.await??)
}

fn part_of(app: &App, say: Say<'static>, query: &str) -> Result<String, Error> {
    let query: String = query.trim().chars().take(200).collect::<String>().to_lowercase();
    if query.is_empty() {
        return Ok(Part { say, asked: false, hits: Vec::new() }.render()?);
    }
    let drives = app.inventory.drives();
    let mut hits: Vec<Hit> = Vec::new();
    for task @ (name, more, _) in &TASKS {
        let words = format!("{} {}", say.of(name), say.of(more)).to_lowercase();
        if query.split_whitespace().all(|typed| words.split_whitespace().any(|word| word.starts_with(typed)))
        {
            hits.push(hit(task, &drives, say));
        }
    }
    let prefix: Option<KeyIdPrefix> =
        Some(&query).filter(|query| query.len() >= 4).and_then(|query| query.parse().ok());
    for drive in drives.iter() {
        let key = drive.facts().and_then(|facts| {
            let mut keys = facts.protectors.iter().map(|(id, _)| id);
            keys.find(|id| prefix.as_ref().is_some_and(|prefix| prefix.matches(id)))
        });
        let known = [words::title(drive), drive.name.clone(), words::model(&drive.attached)];
        if key.is_some() || known.iter().any(|text| text.to_lowercase().contains(&query)) {
            let details = match key {
                Some(key) => say.with("search-key", &[("id", &key.short())]),
                None => words::state(drive, app.desk.has(&drive.id), say),
            };
            let path = format!("/drives#drive-{}", drive.id);
            hits.push(Hit { icon: Icon::Drive, text: words::title(drive), details, path });
        }
    }
    if let (Some(prefix), Ok(Some(record))) = (&prefix, app.record()) {
        for seen in record.seen().unwrap_or_default() {
            let copies = record.copies(seen.volume).unwrap_or_default();
            for copy in copies.into_iter().filter(|copy| copy.key_id.is_some_and(|id| prefix.matches(&id))) {
                let kind = words::place(&copy.kind, say);
                let text = say.with("search-copy", &[("kind", &kind), ("place", &copy.place)]);
                let details = seen.label.clone().unwrap_or_else(|| seen.drive.clone());
                hits.push(Hit { icon: Icon::Key, text, details, path: "/copies".to_owned() });
            }
        }
    }
    hits.truncate(LIMIT);
    Ok(Part { say, asked: true, hits }.render()?)
}

fn hit(&(name, _, place): &(&'static str, &'static str, Place), drives: &[Drive], say: Say<'static>) -> Hit {
    let path = match place {
        Place::Fixed(path) => path.to_owned(),
        Place::Drive(page) => {
            let wanted =
                |drive: &&Drive| drive.facts().is_some_and(|facts| facts.protection != Protection::Off);
            let mut wanted = drives.iter().filter(wanted);
            match (wanted.next(), wanted.next()) {
                (Some(only), None) => format!("/drives/{}/{page}", only.id),
                _ => "/drives".to_owned(),
            }
        }
    };
    Hit { icon: Icon::Key, text: say.of(name), details: String::new(), path }
}
