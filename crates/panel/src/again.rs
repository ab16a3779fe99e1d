//! Starting the program again while a panel runs: that one gives another way in.
//!
//! The two know each other by two secrets in the private folder. The one that asks sends the first; the panel answers with
//! the second, so that nobody who has taken the port of a panel that was killed is taken for it.

use std::io::Read;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use askama::Template;
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::routing::post;
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;
use ureq::Agent;
use web::{Language, Say};
use zeroize::Zeroizing;

use crate::answer::Error;
use crate::app::App;
use crate::door::random_id;
use crate::pages::blocking;
use crate::private::Private;
use crate::routes::Route;
use crate::speech::TEXTS;

const PATH: &str = "/again";
/// The header with the secret.
const SECRET: &str = "lastkey-secret";
/// How long the page that opens the browser may lie there.
const PAGE_LIFE: Duration = Duration::from_secs(2 * 60);
/// How long a panel that starts may take to say where it is, and one that runs to answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// The longest answer.
const LIMIT: u64 = 1 << 16;
/// The most image files that are shown.
const IMAGES: usize = 256;

/// The way in.
pub struct Invitation {
    /// The panel's address.
    pub url: String,
    /// The code to type there.
    pub code: Zeroizing<String>,
    /// A page that does so by itself; none when it was not wanted or cannot be written.
    pub page: Option<PathBuf>,
}

/// Why a panel that runs gives no way in.
#[derive(Debug, thiserror::Error)]
pub enum AgainError {
    /// It does not answer.
    #[error("a control panel runs already, and does not answer")]
    Silent,
    /// What answers is another program.
    #[error("a control panel runs already, but another program answers in its place")]
    Impostor,
    /// Its folder cannot be read.
    #[error("how the control panel that runs is found cannot be read: {0}")]
    Folder(#[from] std::io::Error),
}

/// How a panel that runs is found, and what it knows another start by.
#[derive(Serialize, Deserialize)]
pub(crate) struct Card {
    host: String,
    asked: Zeroizing<String>,
    answered: Zeroizing<String>,
}

/// What another start wants.
#[derive(Default, Serialize, Deserialize)]
struct Wish {
    images: Vec<PathBuf>,
    page: bool,
}

#[derive(Serialize, Deserialize)]
struct Welcome {
    answered: Zeroizing<String>,
    code: Zeroizing<String>,
    page: Option<PathBuf>,
}

impl Card {
    /// Makes new secrets for a panel.
    pub fn new(host: &str) -> Self {
        let secret = || Zeroizing::new(random_id() + &random_id());
        Self { host: host.to_owned(), asked: secret(), answered: secret() }
    }

    /// Returns it as it lies in the private folder.
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(serde_json::to_vec(self).unwrap_or_default())
    }

    /// Whether a request comes from another start of the program, and from no browser.
    pub fn is_shown(&self, headers: &HeaderMap) -> bool {
        let given = headers.get(SECRET).map(|secret| secret.as_bytes()).unwrap_or_default();
        let is_browser = headers.contains_key(header::ORIGIN) || headers.contains_key("sec-fetch-site");
        !is_browser && bool::from(self.asked.as_bytes().ct_eq(given))
    }

    fn ask(&self, wish: &Wish) -> Result<Invitation, AgainError> {
        let silent = |_| AgainError::Silent;
        let (_, port) = self.host.rsplit_once(':').ok_or(AgainError::Silent)?;
        let config = Agent::config_builder().proxy(None).timeout_global(Some(PATIENCE)).max_redirects(0);
        let agent = Agent::new_with_config(config.build());
        let request = agent.post(format!("http://127.0.0.1:{port}{PATH}"));
        let request = request.header(header::HOST, &self.host).header(SECRET, self.asked.as_str());
        let answer = request.send_json(wish).map_err(silent)?;
        let mut bytes = Zeroizing::new(Vec::new());
        let read = answer.into_body().into_reader().take(LIMIT).read_to_end(&mut bytes);
        read.map_err(|_| AgainError::Silent)?;
        let welcome: Welcome = serde_json::from_slice(&bytes).map_err(|_| AgainError::Impostor)?;
        if !bool::from(self.answered.as_bytes().ct_eq(welcome.answered.as_bytes())) {
            return Err(AgainError::Impostor);
        }
        Ok(Invitation { url: format!("http://{}/", self.host), code: welcome.code, page: welcome.page })
    }
}

/// Asks the panel that runs for a way in, and to show these image files too.
///
/// # Errors
/// When it gives none.
pub fn ask(folder: &Private, images: Vec<PathBuf>, page: bool) -> Result<Invitation, AgainError> {
    let wish = Wish { images, page };
    let until = Instant::now() + PATIENCE;
    loop {
        // It may just be starting, or ending.
        let card =
            folder.state()?.and_then(|bytes| serde_json::from_slice::<Card>(&Zeroizing::new(bytes)).ok());
        match card.ok_or(AgainError::Silent).and_then(|card| card.ask(&wish)) {
            Err(AgainError::Silent) if Instant::now() < until => thread::sleep(Duration::from_millis(50)),
            answer => return answer,
        }
    }
}

/// Returns the route.
pub fn routes() -> Vec<Route> {
    vec![Route::post(PATH, post(welcome)).for_programs()]
}

async fn welcome(State(app): State<App>, Json(wish): Json<Wish>) -> Result<Json<Welcome>, Error> {
    blocking(move || {
        app.inventory.show(wish.images, IMAGES);
        let Invitation { code, page, .. } = app.invite(wish.page);
        Json(Welcome { answered: app.card.answered.clone(), code, page })
    })
    .await
}

/// The page that brings the code to the panel: no code in an address, on a command line, in a history.
#[derive(Template)]
#[template(path = "bring.html")]
struct Bring<'s> {
    say: Say<'s>,
    host: &'s str,
    code: &'s str,
}

impl App {
    /// Makes a new code, and with `page` a page that brings it to the panel.
    #[must_use]
    pub fn invite(&self, page: bool) -> Invitation {
        let code = self.door.new_code();
        let page = if page { self.bring(&code) } else { None };
        Invitation { url: format!("http://{}/", self.host), code, page }
    }

    fn bring(&self, code: &Zeroizing<String>) -> Option<PathBuf> {
        let turn = self.settings.turn.as_ref()?;
        let language = ["LC_ALL", "LC_MESSAGES", "LANG"].iter().find_map(|name| std::env::var(name).ok());
        let language = language.as_deref().and_then(|tag| Language::tagged(tag.get(..2)?));
        let say = TEXTS.say(language.unwrap_or(Language::English));
        let html = Zeroizing::new(Bring { say, host: &self.host, code }.render().ok()?);
        let path = turn.write_page(html.as_bytes()).ok()?;
        let (app, code, taken) = (self.clone(), code.clone(), path.clone());
        let remove = move || {
            app.door.wait(&code, PAGE_LIFE);
            let _ = std::fs::remove_file(taken);
        };
        match thread::Builder::new().name("page".to_owned()).spawn(remove) {
            Ok(_) => Some(path),
            // Nobody would take it away.
            Err(_) => std::fs::remove_file(path).err().and(None),
        }
    }
}
