//! Where all copies are, as the record knows it. Drives without any stand first.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use backup::record::{Copy, Record, RecordError};
use uuid::Uuid;
use web::{Icon, Say};

use super::back_up::place;
use super::blocking;
use crate::answer::Error;
use crate::app::App;
use crate::inventory::Drive;
use crate::page;
use crate::routes::Route;
use crate::speech::Reader;
use crate::standing::Standing;
use crate::words;

/// Returns the routes.
pub fn routes() -> Vec<Route> {
    vec![Route::get("/copies", get(all))]
}

/// A drive, and the copies of its keys.
struct Kept {
    title: String,
    /// What stands for it in addresses, while it is attached.
    id: Option<String>,
    /// When it was last seen, and as what.
    seen: Option<(i64, String)>,
    copies: Vec<Copy>,
    /// How many copies have opened it.
    proven: u64,
    /// Whether somebody would lose it.
    exposed: bool,
    /// Whether it has a key at all.
    needed: bool,
}

/// Whether a copy was good when it was last tried, and still is of something that the drive has.
fn stands(copy: &Copy) -> bool {
    copy.proven.is_some() && copy.failed.is_none() && copy.waiting.is_none() && !copy.stale
}

/// Whether a copy opens the drive, as far as is known.
fn opens(copy: &Copy) -> bool {
    copy.key_id.is_some() && stands(copy)
}

/// Puts together what is attached and what was seen once.
fn kept(drives: &[Drive], record: Option<&Record>) -> Result<Vec<Kept>, RecordError> {
    let copies = |volume: Uuid| record.map_or(Ok(Vec::new()), |record| record.copies(volume));
    let mut seen = record.map_or(Ok(Vec::new()), Record::seen)?;
    let mut all: Vec<Kept> = Vec::new();
    let mut there = Vec::new();
    for drive in drives {
        let Some(facts) = drive.facts().filter(|facts| !there.contains(&facts.id)) else { continue };
        there.push(facts.id);
        let standing = Standing::of(facts, record)?;
        let copies = copies(facts.id)?;
        all.push(Kept {
            title: words::title(drive),
            id: Some(drive.id.clone()),
            seen: None,
            proven: copies.iter().filter(|copy| opens(copy)).count() as u64,
            copies,
            exposed: standing.is_exposed(),
            needed: standing.needed,
        });
    }
    seen.retain(|seen| !there.contains(&seen.volume));
    for seen in seen {
        let copies = copies(seen.volume)?;
        let proven = copies.iter().filter(|copy| opens(copy)).count() as u64;
        all.push(Kept {
            title: seen.label.unwrap_or_else(|| seen.drive.clone()),
            id: None,
            seen: Some((seen.time, seen.drive)),
            copies,
            proven,
            exposed: proven == 0,
            needed: true,
        });
    }
    all.sort_by_key(|kept| (!kept.exposed, kept.id.is_none(), !kept.needed));
    Ok(all)
}

#[derive(Template)]
#[template(path = "copies.html")]
struct Page<'s> {
    say: Say<'s>,
    drives: Vec<Kept>,
    exposed: u64,
    unreadable: Option<String>,
}

impl Page<'_> {
    fn icon(&self, good: bool) -> Icon {
        if good { Icon::Good } else { Icon::Warning }
    }

    fn time(&self, message: &str, seconds: i64) -> String {
        self.say.with(message, &[("time", &words::time(seconds, self.say.language()))])
    }

    fn absent(&self, seen: &(i64, String)) -> String {
        let time = words::time(seen.0, self.say.language());
        self.say.with("copies-absent", &[("time", &time), ("drive", &seen.1)])
    }

    fn caption(&self, kept: &Kept) -> String {
        self.say.with("copies-caption", &[("drive", &kept.title)])
    }

    fn what(&self, copy: &Copy) -> String {
        match copy.key_id {
            Some(id) => self.say.with("copy-key", &[("key", &id.short())]),
            None => self.say.of("copy-metadata"),
        }
    }

    fn place(&self, copy: &Copy) -> String {
        place(&copy.kind, &copy.place).say(self.say)
    }

    fn is_good(&self, copy: &Copy) -> bool {
        stands(copy)
    }

    /// How it stands: what was last found out.
    fn standing(&self, copy: &Copy) -> String {
        if let Some(why) = &copy.waiting {
            return format!("{} {why}", self.time("copies-waiting", copy.saved));
        }
        if let Some((time, why)) = &copy.failed {
            return format!("{} {why}", self.time("copies-failed", *time));
        }
        if copy.stale {
            return self.say.of("copies-stale");
        }
        match copy.proven {
            Some(time) => self.time("copies-proven", time),
            None => self.time("copies-never", copy.saved),
        }
    }

    fn class(&self, copy: &Copy) -> &'static str {
        match (&copy.failed, self.is_good(copy)) {
            (Some(_), _) => "bad",
            (None, true) => "good",
            (None, false) => "warn",
        }
    }

    fn saved(&self, copy: &Copy) -> String {
        self.time("copies-saved", copy.saved)
    }
}

async fn all(State(app): State<App>, Reader(say): Reader) -> Result<Response, Error> {
    let (drives, unreadable) = blocking(move || {
        let drives = app.inventory.drives();
        let read = app.record().and_then(|record| kept(&drives, record.as_ref()));
        match read {
            Ok(kept) => (kept, None),
            // Then nothing is known of any copy, and that is said.
            Err(error) => (kept(&drives, None).unwrap_or_default(), Some(error.to_string())),
        }
    })
    .await?;
    let exposed = drives.iter().filter(|kept| kept.exposed).count() as u64;
    page::page(say, &say.of("copies-title"), "/copies", &Page { say, drives, exposed, unreadable })
}
