//! `lastkey panel`: the control panel, in the browser.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::Arc;
use std::thread;

use panel::{AgainError, Invitation, Private, ServeError, Settings, ThisComputer};

use crate::cli::Panel;
use crate::failure::{Failure, Kind, about};
use crate::interrupt::{self, Critical};
use crate::output::Output;
use crate::{accounts, record, rights};

/// Serves the panel until it is enough, or lets the one that runs give a way in.
pub fn run(arguments: &Panel, output: &Output) -> Result<ExitCode, Failure> {
    let images = images(&arguments.images)?;
    let (folder, private) = private()?;
    let page = !arguments.no_browser && has_browser();
    let Some(turn) = private.begin().map_err(|error| about(&folder, &error))? else {
        greet(&panel::ask(&private, images, page).map_err(|error| again(&error))?, output)?;
        return Ok(ExitCode::SUCCESS);
    };

    let critical = Critical::begin();
    let panel = panel::Panel::new(Settings {
        computer: Arc::new(ThisComputer::default()),
        images,
        record: record::path(),
        accounts: accounts::folder(),
        home: env::home_dir().filter(|home| home.is_dir()),
        port: arguments.port,
        turn: Some(turn),
    })
    .map_err(|error| failure(&error))?;
    let app = panel.app().clone();
    interrupt::and_then(move || app.end.notify_one());
    greet(&panel.app().invite(page), output)?;
    output.say("It runs until you press Ctrl-C here, or Quit there.")?;
    let served = panel.serve();
    drop(critical);
    served.map_err(|error| failure(&error))?;
    output.note("stopped");
    Ok(ExitCode::SUCCESS)
}

/// Lends drives to the panel that started this process with an administrator's rights.
pub fn help() -> ExitCode {
    panel::lend()
}

/// Says where the panel is, and opens a browser there.
fn greet(invitation: &Invitation, output: &Output) -> Result<(), Failure> {
    if let Some(page) = &invitation.page {
        open(page);
        output.say("The control panel opens in your browser. If it does not, or asks for a code:")?;
    }
    output.say(format!("Open {} and type the code {}", invitation.url, *invitation.code))
}

/// Returns the images' whole paths: the panel that shows them may have begun in another folder.
fn images(images: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    images.iter().map(|path| path.canonicalize().map_err(|error| about(path, &error))).collect()
}

/// Opens the person's private folder: the one that ends with the session where there is one, else one beside the record.
fn private() -> Result<(PathBuf, Private), Failure> {
    let session = env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|path| path.is_absolute());
    // Under sudo it may be somebody else's.
    let session = session.filter(|path| Private::is(path)).and_then(|path| {
        let folder = path.join("lastkey");
        Private::open(&folder).ok().map(|private| (folder, private))
    });
    if let Some(found) = session {
        return Ok(found);
    }
    let beside = record::path().and_then(|path| Some(path.parent()?.join("panel")));
    let folder = beside.ok_or_else(|| {
        Failure::new(Kind::NotFound, "there is no folder for the control panel")
            .hint("set LASTKEY_RECORD to a file")
    })?;
    let private = Private::open(&folder).map_err(|error| about(&folder, &error))?;
    Ok((folder, private))
}

/// Whether there is a browser to open: none is run with all rights, and none in a terminal.
fn has_browser() -> bool {
    if cfg!(any(windows, target_os = "macos")) {
        return !rights::are_all();
    }
    let has_screen = ["DISPLAY", "WAYLAND_DISPLAY"].iter().any(|name| env::var_os(name).is_some());
    has_screen && !rights::are_all()
}

/// Opens the page with the program that the person likes for such. The page says the code; the command line does not.
fn open(page: &Path) {
    let program = match env::consts::OS {
        "windows" => "explorer",
        "macos" => "open",
        _ => "xdg-open",
    };
    let mut command = Command::new(program);
    command.arg(page).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    // The address and the code are said in any case.
    if let Ok(mut child) = command.spawn() {
        thread::spawn(move || child.wait());
    }
}

fn failure(error: &ServeError) -> Failure {
    let kind = match error {
        ServeError::Listen { source, .. } => crate::failure::kind_of(source),
        ServeError::Serve(source) => crate::failure::kind_of(source),
    };
    let failure = Failure::new(kind, error.to_string());
    match error {
        ServeError::Listen { .. } => failure.hint("without --port any port that is free is taken"),
        ServeError::Serve(_) => failure,
    }
}

fn again(error: &AgainError) -> Failure {
    Failure::new(Kind::Other, error.to_string())
        .hint("end the one that runs with Ctrl-C where it was started, or with Quit in its page")
}
