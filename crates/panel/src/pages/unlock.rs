//! Unlocking a drive, as Windows' recovery screen asks for its key.

mod digits;
mod given;

use std::sync::Arc;

use askama::Template;
use axum::extract::{Form, Multipart, Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use drives::OpenError;
use fve::{Key, Protection, ProtectorKind, UnlockError, Volume};
use recovery_key::{KeyId, Secret};
use serde::Deserialize;
use web::{Icon, Say};
use zeroize::Zeroizing;

use super::{blocking, drive};
use crate::answer::Error;
use crate::app::App;
use crate::desk::OpenDrive;
use crate::inventory::{Content, Drive};
use crate::page;
use crate::routes::Route;
use crate::speech::Reader;
use crate::upload::Upload;
use crate::words;

pub use digits::{Boxes, Digits};
use given::Given;

/// Returns the routes.
pub fn routes() -> Vec<Route> {
    vec![
        Route::get("/drives/{id}/unlock", get(ask)),
        Route::post("/drives/{id}/unlock", post(without)),
        Route::post("/drives/{id}/unlock/digits", post(by_digits)),
        Route::post("/drives/{id}/unlock/password", post(by_password)),
        Route::post("/drives/{id}/unlock/file", post(by_file)),
        Route::post("/drives/{id}/lock", post(lock)),
    ]
}

/// What it is unlocked for, and where that is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Goal {
    Files,
    BackUp,
}

impl Goal {
    fn of(name: Option<&str>) -> Self {
        if name == Some("back-up") { Self::BackUp } else { Self::Files }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Files => "files",
            Self::BackUp => "back-up",
        }
    }

    fn path(self, id: &str) -> String {
        match self {
            Self::Files => format!("/drives/{id}/files/"),
            Self::BackUp => format!("/drives/{id}/back-up"),
        }
    }
}

/// Why a key does not open the drive.
enum Problem {
    /// The digits cannot be right; the boxes say where.
    Digits,
    /// A good key, and not this drive's; which one it opens, if that is known.
    WrongKey(Option<(String, String)>),
    /// It says itself that it is another one's.
    OtherKey(String, Option<(String, String)>),
    /// The password is wrong.
    Password,
    /// What was given holds no key.
    NoKey,
    /// What was given cannot be read.
    Unreadable(crate::upload::Unreadable),
    /// Sheets are missing.
    Sheets(String),
    /// Nothing was given.
    Nothing,
    /// No such key opens this drive.
    NoProtector,
    /// The drive asks for a key.
    Locked,
    /// The drive is damaged, or something else.
    Other(String),
}

#[derive(Template)]
#[template(path = "unlock.html")]
struct Ask<'s> {
    say: Say<'s>,
    /// The heading.
    title: String,
    path: String,
    id: String,
    goal: Goal,
    key_ids: Vec<KeyId>,
    boxes: Boxes<'s>,
    digits: Digits,
    problem: Option<Problem>,
    has_password: bool,
    asks: bool,
    warning: Icon,
}

impl<'s> Ask<'s> {
    fn new(
        say: Say<'s>,
        drive: &Drive,
        goal: Goal,
        digits: Digits,
        problem: Option<Problem>,
    ) -> Result<Self, Error> {
        let facts = drive.facts().ok_or(Error::NotFound)?;
        Ok(Self {
            say,
            title: say.with("unlock-title", &[("drive", &words::title(drive))]),
            path: format!("/drives/{}/unlock", drive.id),
            id: drive.id.clone(),
            goal,
            key_ids: facts.recovery_keys().collect(),
            boxes: Boxes { say, groups: digits.groups(), unknown: false },
            digits,
            problem,
            has_password: facts.protectors.iter().any(|(_, kind)| *kind == ProtectorKind::Password),
            asks: facts.protection == Protection::On,
            warning: Icon::Warning,
        })
    }

    fn problem_text(&self, problem: &Problem) -> String {
        let say = self.say;
        let other = |id: &str, drive: &str| say.with("unlock-opens-other", &[("drive", drive), ("id", id)]);
        match problem {
            Problem::Digits => say.of("unlock-digits-wrong"),
            Problem::WrongKey(None) => say.of("unlock-wrong-key"),
            Problem::WrongKey(Some((name, id))) => other(id, name),
            Problem::OtherKey(id, None) => say.with("unlock-other-key", &[("id", id)]),
            Problem::OtherKey(id, Some((name, _))) => other(id, name),
            Problem::Password => say.of("unlock-wrong-password"),
            Problem::NoKey => say.of("unlock-no-key"),
            Problem::Unreadable(why) => why.text(say),
            Problem::Sheets(why) => say.with("copy-sheets", &[("why", why)]),
            Problem::Nothing => say.of("unlock-nothing"),
            Problem::NoProtector => say.of("unlock-no-protector"),
            Problem::Locked => say.of("unlock-locked"),
            Problem::Other(why) => say.with("unlock-failed", &[("why", why)]),
        }
    }

    /// Whether what was typed may be mended.
    fn may_mend(&self) -> bool {
        let by_digits = matches!(self.problem, Some(Problem::Digits | Problem::WrongKey(None)));
        by_digits && !self.digits.is_empty() && !self.key_ids.is_empty()
    }

    fn first_key_id(&self) -> String {
        self.key_ids.first().map(KeyId::short).unwrap_or_default()
    }

    fn page(&self) -> Result<Response, Error> {
        let mut response = page::page(self.say, &self.title, "/drives", self)?;
        if self.problem.is_some() {
            *response.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
        }
        Ok(response)
    }
}

#[derive(Deserialize)]
struct For {
    r#for: Option<String>,
}

async fn ask(
    State(app): State<App>,
    Reader(say): Reader,
    Path(id): Path<String>,
    Query(query): Query<For>,
) -> Result<Response, Error> {
    let goal = Goal::of(query.r#for.as_deref());
    let drive = drive(&app, id).await?;
    match &drive.content {
        Content::Hidden => return Ok(ask_for_rights(&drive).into_response()),
        Content::Damaged(why) => {
            return Err(Error::Invalid(say.with("drive-damaged", &[("why", why)])));
        }
        Content::Other => return Err(Error::NotFound),
        Content::BitLocker(_) => {}
    }
    if app.desk.has(&drive.id) {
        return Ok(Redirect::to(&goal.path(&drive.id)).into_response());
    }
    Ask::new(say, &drive, goal, Digits::default(), None)?.page()
}

fn ask_for_rights(drive: &Drive) -> Redirect {
    Redirect::to(&format!("/rights?back=/drives/{}/unlock", drive.id))
}

/// What somebody wants to do, and on which drive.
struct Wish {
    app: App,
    say: Say<'static>,
    id: String,
    goal: Goal,
}

/// What came of trying keys.
enum Tried {
    Opened,
    RightsMissing,
    Gone,
    Not(Problem),
}

impl Wish {
    /// Tries keys, and goes on or asks again.
    async fn with(self, digits: Digits, given: Given) -> Result<Response, Error> {
        let drive = drive(&self.app, self.id.clone()).await?;
        if drive.facts().is_none() {
            return Ok(ask_for_rights(&drive).into_response());
        }
        let (app, own) = (self.app.clone(), drive.clone());
        let problem = match blocking(move || given.try_on(&app, own)).await? {
            Tried::Opened => return Ok(Redirect::to(&self.goal.path(&self.id)).into_response()),
            Tried::RightsMissing => return Ok(ask_for_rights(&drive).into_response()),
            Tried::Gone => return Err(Error::DriveGone),
            Tried::Not(problem) => problem,
        };
        Ask::new(self.say, &drive, self.goal, digits, Some(problem))?.page()
    }
}

#[derive(Deserialize)]
struct Password {
    r#for: Option<String>,
    password: Zeroizing<String>,
}

async fn without(
    State(app): State<App>,
    Reader(say): Reader,
    Path(id): Path<String>,
    Form(form): Form<For>,
) -> Result<Response, Error> {
    let wish = Wish { app, say, id, goal: Goal::of(form.r#for.as_deref()) };
    wish.with(Digits::default(), Given::None).await
}

async fn by_digits(
    State(app): State<App>,
    Reader(say): Reader,
    Path(id): Path<String>,
    Form(digits): Form<Digits>,
) -> Result<Response, Error> {
    let wish = Wish { app, say, id, goal: Goal::of(digits.goal()) };
    let given = match digits.password() {
        Ok(password) => Given::Digits(password),
        Err(nothing) => Given::Problem(if nothing { Problem::Nothing } else { Problem::Digits }),
    };
    wish.with(digits, given).await
}

async fn by_password(
    State(app): State<App>,
    Reader(say): Reader,
    Path(id): Path<String>,
    Form(form): Form<Password>,
) -> Result<Response, Error> {
    let wish = Wish { app, say, id, goal: Goal::of(form.r#for.as_deref()) };
    let given = if form.password.is_empty() {
        Given::Problem(Problem::Nothing)
    } else {
        Given::Password(Secret::new(form.password.to_string()))
    };
    wish.with(Digits::default(), given).await
}

async fn by_file(
    State(app): State<App>,
    Reader(say): Reader,
    Path(id): Path<String>,
    form: Multipart,
) -> Result<Response, Error> {
    let upload = Upload::of(form).await?;
    let wish = Wish { app, say, id, goal: Goal::of(upload.field("for")) };
    let given = if upload.files.is_empty() { Given::Problem(Problem::Nothing) } else { Given::Files(upload) };
    wish.with(Digits::default(), given).await
}

async fn lock(State(app): State<App>, Path(id): Path<String>) -> Redirect {
    app.desk.lock(&id);
    Redirect::to("/drives")
}

/// Opens a drive's volume.
///
/// # Errors
/// When it is gone, rights are missing, or it cannot be read.
pub fn volume(app: &App, drive: &Drive) -> Result<Volume, OpenFailure> {
    let source = drive.source(&**app.inventory.computer()).map_err(|error| match error {
        OpenError::NotPermitted { .. } => OpenFailure::RightsMissing,
        OpenError::NotFound { .. } => OpenFailure::Gone,
        error => OpenFailure::Other(error.to_string()),
    })?;
    Volume::open(source).map_err(|error| OpenFailure::Other(error.to_string()))
}

/// Why a drive's volume cannot be opened.
pub enum OpenFailure {
    /// Only an administrator may.
    RightsMissing,
    /// It was pulled out.
    Gone,
    /// It is damaged, or something else.
    Other(String),
}

/// Unlocks a drive and puts it on the desk.
///
/// # Errors
/// Why none of the keys opens it.
pub fn put(app: &App, drive: Drive, volume: Volume, keys: &[Key]) -> Result<Arc<OpenDrive>, UnlockError> {
    OpenDrive::open_with_any(drive, volume, keys).map(|open| app.desk.put(open))
}
