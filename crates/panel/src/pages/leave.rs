//! Ending the panel, and choosing the language.

use askama::Template;
use axum::extract::{Form, State};
use axum::http::header;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::post;
use serde::Deserialize;
use web::{Language, Say};

use crate::answer::Error;
use crate::app::App;
use crate::page;
use crate::routes::Route;
use crate::speech::{COOKIE, Reader};

/// Returns the routes.
pub fn routes() -> Vec<Route> {
    vec![Route::post("/quit", post(quit)), Route::post("/language", post(language))]
}

#[derive(Template)]
#[template(path = "ended.html")]
struct Ended<'s> {
    say: Say<'s>,
}

async fn quit(State(app): State<App>, Reader(say): Reader) -> Result<Response, Error> {
    let page = page::outside(say, &say.of("ended-title"), &Ended { say })?;
    tokio::spawn(async move {
        // The page is on its way first.
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        app.end.notify_one();
    });
    Ok(page)
}

#[derive(Deserialize)]
struct Chosen {
    language: String,
    /// Where to go back to: a path of this panel.
    back: String,
}

async fn language(Form(chosen): Form<Chosen>) -> Result<Response, Error> {
    let language = Language::tagged(&chosen.language).ok_or(Error::NotFound)?;
    let is_path = chosen.back.starts_with('/')
        && !chosen.back.starts_with("//")
        && chosen.back.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    let back = if is_path { &*chosen.back } else { "/" };
    let cookie = format!("{COOKIE}={}; Path=/; Max-Age=31536000; SameSite=Strict", language.tag());
    Ok(([(header::SET_COOKIE, cookie)], Redirect::to(back)).into_response())
}
