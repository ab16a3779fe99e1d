//! The ways, each with what it protects against and what not, and which of them are open now.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use backup::Stick;
use paper::print::Spooler;
use web::{Icon, Say};

use super::super::blocking;
use super::{Ready, ready};
use crate::answer::Error;
use crate::app::App;
use crate::page;
use crate::speech::Reader;
use crate::told::Told;

/// A way, as it is offered.
struct Way {
    path: &'static str,
    icon: Icon,
    title: &'static str,
    /// What it protects against.
    good: &'static str,
    /// And what not.
    bad: &'static str,
    /// What is there, or why it is not open now and what to do.
    now: Told,
    is_open: bool,
}

#[derive(Template)]
#[template(path = "back_up/ways.html")]
struct Ways<'s> {
    say: Say<'s>,
    id: &'s str,
    drive: String,
    key_ids: String,
    count: u64,
    ways: Vec<Way>,
}

impl Ways<'_> {
    fn lead(&self) -> String {
        self.say.with("back-up-lead", &[("drive", &self.drive)])
    }

    fn ids(&self) -> String {
        self.say.with("back-up-key-ids", &[("keys", &self.key_ids)])
    }

    fn now(&self, way: &Way) -> String {
        way.now.say(self.say)
    }
}

/// Shows the ways.
pub async fn all(
    State(app): State<App>,
    Reader(say): Reader,
    Path(id): Path<String>,
) -> Result<Response, Error> {
    let ready = match ready(&app, say, &id).await? {
        Ok(ready) => ready,
        Err(page) => return Ok(page),
    };
    let (ready, ways) = blocking(move || {
        let ways = offered(&app, &ready);
        (ready, ways)
    })
    .await?;
    let count = ready.keys.len() as u64;
    let body = Ways { say, id: ready.id(), drive: ready.title(), key_ids: ready.key_ids(), count, ways };
    page::page(say, &say.of("back-up-title"), "/drives", &body)
}

/// Returns the drives that people unplug, without the one whose key is saved.
pub fn sticks(app: &App, ready: &Ready) -> Vec<Stick> {
    let mut sticks = backup::sticks_among(app.settings.computer.attached());
    sticks.retain(|stick| stick.drive.path != ready.open.drive.attached.path);
    sticks
}

/// Returns the printers that this computer knows.
pub fn printers() -> Vec<String> {
    let printers = Spooler::of_this_computer().printers().unwrap_or_default();
    let mut usable: Vec<_> = printers.into_iter().filter(|printer| printer.accepts_jobs).collect();
    usable.sort_by_key(|printer| !printer.is_default);
    usable.into_iter().map(|printer| printer.name).collect()
}

/// Returns the accounts that this device is signed in to.
pub fn accounts(app: &App) -> Vec<String> {
    app.accounts().and_then(|accounts| accounts.names().ok()).unwrap_or_default()
}

fn offered(app: &App, ready: &Ready) -> Vec<Way> {
    let there = |names: &[String], some: &'static str, none: &'static str| match names {
        [] => (Told::new(none), false),
        names => (Told::new(some).with("names", names.join(", ")), true),
    };
    let sticks: Vec<_> = sticks(app, ready).iter().map(|stick| backup::title(&stick.drive)).collect();
    let way =
        |path, icon, (title, good, bad), (now, is_open)| Way { path, icon, title, good, bad, now, is_open };
    let mut ways = vec![
        way(
            "account",
            Icon::Person,
            ("way-account", "way-account-good", "way-account-bad"),
            there(&accounts(app), "way-account-some", "way-account-none"),
        ),
        way(
            "usb",
            Icon::Stick,
            ("way-usb", "way-usb-good", "way-usb-bad"),
            there(&sticks, "way-usb-some", "way-usb-none"),
        ),
        way(
            "file",
            Icon::File,
            ("way-file", "way-file-good", "way-file-bad"),
            (Told::new("way-file-now"), true),
        ),
        way(
            "print",
            Icon::Paper,
            ("way-print", "way-print-good", "way-print-bad"),
            there(&printers(), "way-print-some", "way-print-none"),
        ),
        way(
            "directory",
            Icon::Building,
            ("way-directory", "way-directory-good", "way-directory-bad"),
            (Told::new("way-directory-now"), true),
        ),
        way(
            "passwords",
            Icon::Vault,
            ("way-passwords", "way-passwords-good", "way-passwords-bad"),
            (Told::new("way-passwords-now"), true),
        ),
    ];
    if !ready.digits {
        // Paper, directories and imports hold digits, and this drive's key is a file.
        ways.retain(|way| matches!(way.path, "account" | "usb" | "file" | "passwords"));
    }
    ways
}
