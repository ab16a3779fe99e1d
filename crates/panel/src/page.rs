//! How a body becomes a page.

use std::sync::LazyLock;

use askama::Template;
use axum::response::{Html, IntoResponse, Response};
use web::{Asset, Frame, Language, Link, Page, Say};

use crate::answer::Error;

/// What the panel adds to the look of all sites.
pub static STYLE: LazyLock<Asset> = LazyLock::new(|| {
    Asset::new("panel.css", "text/css; charset=utf-8", include_bytes!("../assets/panel.css"))
});
/// What pages can do without: drives that appear by themselves, jobs that go on, keys that are checked while typed.
pub static SCRIPT: LazyLock<Asset> = LazyLock::new(|| {
    Asset::new("panel.js", "text/javascript; charset=utf-8", include_bytes!("../assets/panel.js"))
});

/// The places that the menu leads to, and the messages that name them.
const MENU: [(&str, &str); 5] = [
    ("/drives", "menu-drives"),
    ("/find", "menu-find"),
    ("/verify", "menu-verify"),
    ("/copies", "menu-copies"),
    ("/account", "menu-account"),
];

/// Makes a page of a template. `here` is the place in the menu that it belongs to.
pub fn page(say: Say<'_>, title: &str, here: &str, body: &impl Template) -> Result<Response, Error> {
    page_of(say, title, here, &body.render()?)
}

/// Makes a page of a body.
pub fn page_of(say: Say<'_>, title: &str, here: &str, body: &str) -> Result<Response, Error> {
    let names = MENU.map(|(path, message)| (path, say.of(message)));
    let menu: Vec<_> = names.iter().map(|(path, text)| Link { path, text }).collect();
    framed(say, title, &menu, here, body)
}

/// Makes a page for who has not come in: there is nowhere to go from it.
pub fn outside(say: Say<'_>, title: &str, body: &impl Template) -> Result<Response, Error> {
    framed(say, title, &[], "", &body.render()?)
}

/// The languages that there are; a language is named in itself.
#[derive(Template)]
#[template(path = "languages.html")]
struct Languages<'l> {
    say: Say<'l>,
    here: &'l str,
}

impl Languages<'_> {
    fn others(&self) -> impl Iterator<Item = Language> {
        let own = self.say.language();
        Language::ALL.into_iter().filter(move |language| *language != own)
    }
}

fn framed(say: Say<'_>, title: &str, menu: &[Link<'_>], here: &str, body: &str) -> Result<Response, Error> {
    let (skip, menu_name, leave) = (say.of("page-skip"), say.of("page-menu"), say.of("page-quit"));
    let foot = Languages { say, here: if here.is_empty() { "/" } else { here } }.render()?;
    let frame = Frame {
        language: say.language(),
        skip: &skip,
        menu_name: &menu_name,
        menu,
        here,
        leave: (!menu.is_empty()).then_some(Link { path: "/quit", text: &leave }),
        foot: if menu.is_empty() { "" } else { &foot },
        styles: &[STYLE.path()],
        scripts: &[SCRIPT.path()],
    };
    Ok(Html(Page { title, frame, body }.render()?).into_response())
}
