//! Back up your recovery key: where to, the saving as it happens, and what is proven in the end.

mod done;
mod folders;
mod forms;
mod preview;
mod refusals;
mod way;
mod ways;
mod work;

use std::sync::Arc;

use askama::Template;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use backup::{Found, NothingToSave};
use fve::{Key, Protection, Volume};
use recovery_key::KeyId;
use web::Say;

pub use refusals::{client_error, place};

use super::blocking;
use crate::answer::Error;
use crate::app::App;
use crate::desk::OpenDrive;
use crate::inventory::{Content, Drive};
use crate::page;
use crate::routes::Route;
use crate::told::Told;
use crate::words;

/// Returns the routes.
pub fn routes() -> Vec<Route> {
    vec![
        Route::get("/drives/{id}/back-up", get(ways::all)),
        Route::get("/drives/{id}/back-up/usb", get(forms::usb::ask)),
        Route::post("/drives/{id}/back-up/usb", post(forms::usb::save)),
        Route::get("/drives/{id}/back-up/file", get(forms::file::ask)),
        Route::post("/drives/{id}/back-up/file", post(forms::file::save)),
        Route::get("/drives/{id}/back-up/print", get(forms::print::ask)),
        Route::post("/drives/{id}/back-up/print", post(forms::print::save)),
        Route::get("/drives/{id}/back-up/print/{page}", get(preview::picture)),
        Route::get("/drives/{id}/back-up/pdf", get(forms::pdf::ask)),
        Route::post("/drives/{id}/back-up/pdf", post(forms::pdf::save)),
        Route::get("/drives/{id}/back-up/account", get(forms::account::ask)),
        Route::post("/drives/{id}/back-up/account", post(forms::account::save)),
        Route::get("/drives/{id}/back-up/directory", get(forms::directory::ask)),
        Route::post("/drives/{id}/back-up/directory", post(forms::directory::save)),
        Route::get("/drives/{id}/back-up/passwords", get(forms::passwords::ask)),
        Route::post("/drives/{id}/back-up/keepass", post(forms::passwords::save_to_keepass)),
        Route::post("/drives/{id}/back-up/import", post(forms::passwords::save_to_import)),
    ]
}

/// A drive whose keys can be saved.
struct Ready {
    open: Arc<OpenDrive>,
    /// The key IDs of what can be saved.
    keys: Vec<KeyId>,
    /// Whether there is a recovery key: paper and most vaults hold no others.
    digits: bool,
}

/// What stands before saving.
enum Stands {
    /// The drive is locked.
    Locked,
    /// Rights are missing to look into it.
    Rights,
    /// There is nothing that could be saved: of which drive, and why.
    Nothing(String, Told),
}

/// Returns a drive that is ready, or the page that has to be seen first.
async fn ready(app: &App, say: Say<'_>, id: &str) -> Result<Result<Ready, Response>, Error> {
    let (inner, own) = (app.clone(), id.to_owned());
    let stands = match blocking(move || look(&inner, &own)).await?? {
        Ok(ready) => return Ok(Ok(ready)),
        Err(stands) => stands,
    };
    Ok(Err(match stands {
        Stands::Locked => Redirect::to(&format!("/drives/{id}/unlock?for=back-up")).into_response(),
        Stands::Rights => Redirect::to(&format!("/rights?back=/drives/{id}/back-up")).into_response(),
        Stands::Nothing(drive, why) => {
            let body = Nothing { say, drive, why: why.say(say) };
            page::page(say, &say.of("back-up-nothing-title"), "/drives", &body)?
        }
    }))
}

#[derive(Template)]
#[template(path = "back_up/nothing.html")]
struct Nothing<'s> {
    say: Say<'s>,
    drive: String,
    why: String,
}

/// Looks at a drive. One that asks for no key is opened at once.
fn look(app: &App, id: &str) -> Result<Result<Ready, Stands>, Error> {
    let drive = app.inventory.drive(id).ok_or(Error::DriveGone)?;
    let open = match app.desk.get(id) {
        Some(open) => open,
        None => match open(app, drive.clone()) {
            Ok(open) => open,
            Err(stands) => return Ok(Err(stands)),
        },
    };
    let nothing = |why| Ok(Err(Stands::Nothing(words::title(&drive), why)));
    match open.found() {
        Ok(Ok(found)) => Ok(Ok(Ready::of(open, &found))),
        Ok(Err(why)) => nothing(match why {
            NothingToSave::NotEncrypted => Told::new("back-up-not-encrypted"),
            NothingToSave::DataKeyOnly => Told::new("back-up-data-key-only"),
            NothingToSave::NoKey => Told::new("back-up-no-key"),
        }),
        Err(error) => nothing(Told::new("back-up-unreadable").because(Told::quoted(error.to_string()))),
    }
}

fn open(app: &App, drive: Drive) -> Result<Arc<OpenDrive>, Stands> {
    match &drive.content {
        Content::Hidden => return Err(Stands::Rights),
        Content::Other => {
            return Err(Stands::Nothing(words::title(&drive), Told::new("back-up-not-bitlocker")));
        }
        Content::Damaged(why) => {
            let why = Told::new("back-up-damaged").because(Told::quoted(why.clone()));
            return Err(Stands::Nothing(words::title(&drive), why));
        }
        Content::BitLocker(facts) if facts.protection == Protection::On => return Err(Stands::Locked),
        Content::BitLocker(_) => {}
    }
    let unreadable = |why: String| {
        let why = Told::new("back-up-unreadable").because(Told::quoted(why));
        Stands::Nothing(words::title(&drive), why)
    };
    let source = drive.source(&**app.inventory.computer()).map_err(|error| unreadable(error.to_string()))?;
    let volume = Volume::open(source).map_err(|error| unreadable(error.to_string()))?;
    let opened = OpenDrive::open(drive.clone(), volume, &Key::None);
    opened.map(|open| app.desk.put(open)).map_err(|_| Stands::Locked)
}

impl Ready {
    fn of(open: Arc<OpenDrive>, found: &Found) -> Self {
        let digits = |content: &_| matches!(content, backup::Content::RecoveryPassword { .. });
        Self {
            open,
            keys: found.key_ids().collect(),
            digits: found.documents.iter().any(|document| digits(&document.content)),
        }
    }

    fn id(&self) -> &str {
        &self.open.drive.id
    }

    /// Returns what a person calls the drive.
    fn title(&self) -> String {
        words::title(&self.open.drive)
    }

    /// Returns the first characters of the key IDs, as the recovery screen shows them.
    fn key_ids(&self) -> String {
        self.keys.iter().map(KeyId::short).collect::<Vec<_>>().join(", ")
    }
}
