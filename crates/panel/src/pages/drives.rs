//! The drives, in the three groups of Windows' page and one for image files. They come and go by themselves.

use std::convert::Infallible;
use std::time::Duration;

use askama::Template;
use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use backup::record::{Copy, Record};
use futures_util::stream::{self, Stream};
use fve::Protection;
use web::{Icon, Say};

use super::blocking;
use crate::answer::Error;
use crate::app::App;
use crate::computer::Rights;
use crate::inventory::{Content, Drive};
use crate::page;
use crate::routes::Route;
use crate::speech::Reader;
use crate::standing::Standing;
use crate::words;

/// How often somebody who looks at the drives is told of changes.
const TICK: Duration = Duration::from_secs(1);
/// After how many ticks the drives are read again though none came or went: a conversion goes on.
const TICKS: u32 = 15;

/// Returns the routes.
pub fn routes() -> Vec<Route> {
    vec![
        Route::get("/drives", get(whole)),
        Route::get("/drives/part", get(part)),
        Route::get("/drives/changes", get(changes)),
    ]
}

#[derive(Template)]
#[template(path = "drives.html")]
struct Whole<'s> {
    say: Say<'s>,
    part: String,
}

#[derive(Template)]
#[template(path = "drives_part.html")]
struct Part<'s> {
    say: Say<'s>,
    groups: Vec<Group>,
    hidden: Option<Rights>,
    warning: Icon,
}

struct Group {
    title: String,
    rows: Vec<Row>,
}

/// A drive as it is shown.
struct Row {
    drive: Drive,
    icon: Icon,
    title: String,
    details: String,
    state: String,
    /// Whether it is unlocked here.
    open: bool,
    protectors: String,
    key_ids: String,
    /// `None` where nothing is to be backed up.
    standing: Option<Standing>,
}

impl Row {
    fn can_unlock(&self) -> bool {
        !self.open && self.drive.facts().is_some_and(|facts| facts.protection != Protection::Off)
    }

    fn can_back_up(&self) -> bool {
        self.standing.as_ref().is_some_and(|standing| !standing.has_no_key())
    }

    fn is_bitlocker(&self) -> bool {
        matches!(self.drive.content, Content::BitLocker(_))
    }

    fn copy(&self, copy: &Copy, say: &Say<'_>) -> String {
        let when = copy.proven.map(|proven| words::time(proven, say.language())).unwrap_or_default();
        let kind = words::place(&copy.kind, *say);
        say.with("drive-copy", &[("kind", &kind), ("place", &copy.place), ("when", &when)])
    }
}

async fn whole(State(app): State<App>, Reader(say): Reader) -> Result<Response, Error> {
    let part = blocking(move || part_of(&app, say)).await??;
    page::page(say, &say.of("drives-title"), "/drives", &Whole { say, part })
}

async fn part(State(app): State<App>, Reader(say): Reader) -> Result<Response, Error> {
    Ok(Html(blocking(move || part_of(&app, say)).await??).into_response())
}

fn part_of(app: &App, say: Say<'static>) -> Result<String, Error> {
    let drives = app.inventory.drives();
    app.desk.tidy(&drives);
    // A record that cannot be read knows of no copy; its own page says what is wrong with it.
    let record = app.record().ok().flatten();
    let mut groups: [Vec<Row>; 4] = Default::default();
    for drive in drives.iter() {
        groups[kind(drive) as usize].push(row(app, drive, record.as_ref(), say));
    }
    let titles = ["group-system", "group-fixed", "group-removable", "group-image"];
    let groups =
        titles.into_iter().zip(groups).filter(|(title, rows)| !rows.is_empty() || *title != "group-image");
    let groups = groups.map(|(title, rows)| Group { title: say.of(title), rows }).collect();
    let is_hidden = drives.iter().any(|drive| matches!(drive.content, Content::Hidden));
    let hidden = is_hidden.then(|| app.inventory.computer().rights());
    Ok(Part { say, groups, hidden, warning: Icon::Warning }.render()?)
}

/// Which group a drive belongs to.
#[derive(Clone, Copy)]
enum Kind {
    System,
    Fixed,
    Removable,
    Image,
}

fn kind(drive: &Drive) -> Kind {
    let starts_here = drive.attached.mounted_at.iter().any(|path| path.as_os_str() == "/");
    if drive.is_image {
        Kind::Image
    } else if starts_here || drive.facts().is_some_and(|facts| facts.starts_a_computer()) {
        Kind::System
    } else if drive.attached.removable {
        Kind::Removable
    } else {
        Kind::Fixed
    }
}

fn row(app: &App, drive: &Drive, record: Option<&Record>, say: Say<'static>) -> Row {
    let open = app.desk.has(&drive.id);
    let title = words::title(drive);
    let mut details = Vec::new();
    if title != drive.name {
        details.push(drive.name.clone());
    }
    if drive.attached.size != 0 {
        details.push(words::size(drive.attached.size, say.language()));
    }
    details.extend(Some(words::model(&drive.attached)).filter(|model| !model.is_empty()));
    details.extend(drive.facts().and_then(|facts| facts.method.clone()));
    let facts = drive.facts();
    let key_ids: Vec<_> = facts.iter().flat_map(|facts| facts.recovery_keys()).map(|id| id.short()).collect();
    let standing =
        facts.and_then(|facts| Standing::of(facts, record).ok()).filter(|standing| standing.needed);
    Row {
        icon: if drive.attached.removable { Icon::Stick } else { Icon::Drive },
        title,
        details: details.join(" · "),
        state: words::state(drive, open, say),
        open,
        protectors: facts.map(|facts| words::protectors(facts, say)).unwrap_or_default(),
        key_ids: key_ids.join(", "),
        standing,
        drive: drive.clone(),
    }
}

/// Tells a browser that it should ask for the list again.
async fn changes(State(app): State<App>) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let known = mark(&app).await;
    let events = stream::unfold((app, known, 0), |(app, known, mut ticks)| async move {
        loop {
            tokio::time::sleep(TICK).await;
            ticks += 1;
            let now = mark(&app).await;
            if now == known && ticks < TICKS {
                continue;
            }
            if now == known {
                app.inventory.forget();
            }
            return Some((Ok(Event::default().data("changed")), (app, now, 0)));
        }
    });
    Sse::new(events).keep_alive(KeepAlive::default())
}

async fn mark(app: &App) -> u64 {
    let computer = app.inventory.computer().clone();
    blocking(move || computer.mark()).await.unwrap_or_default()
}
