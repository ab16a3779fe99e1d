//! The door: the code that the program showed, exchanged for a cookie.

use askama::Template;
use axum::extract::{Form, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde::Deserialize;
use web::Say;
use zeroize::Zeroizing;

use crate::answer::Error;
use crate::app::App;
use crate::door::{COOKIE, Wrong};
use crate::page;
use crate::routes::Route;
use crate::speech::Reader;

/// Returns the routes.
pub fn routes() -> Vec<Route> {
    // The code may come from a file that the program opened in the browser, which is another origin.
    vec![Route::get("/start", get(ask)).for_anyone(), Route::post("/start", post(enter)).for_anyone()]
}

#[derive(Template)]
#[template(path = "start.html")]
struct Ask<'s> {
    say: Say<'s>,
    problem: &'static str,
}

async fn ask(Reader(say): Reader) -> Result<Response, Error> {
    page::outside(say, &say.of("start-title"), &Ask { say, problem: "" })
}

#[derive(Deserialize)]
struct Code {
    code: Zeroizing<String>,
}

#[derive(Template)]
#[template(path = "entered.html")]
struct Entered<'s> {
    say: Say<'s>,
}

async fn enter(
    State(app): State<App>,
    Reader(say): Reader,
    Form(form): Form<Code>,
) -> Result<Response, Error> {
    match app.door.enter(&form.code) {
        Ok(cookie) => {
            // A redirect would still count as the other origin's, which gets no cookie: a page of our own goes on.
            let cookie = Zeroizing::new(format!("{COOKIE}={}; Path=/; HttpOnly; SameSite=Strict", *cookie));
            let body = Entered { say }.render()?;
            Ok(([(header::SET_COOKIE, cookie.as_str())], axum::response::Html(body)).into_response())
        }
        Err(wrong) => {
            let problem = match wrong {
                Wrong::Code => "start-wrong",
                Wrong::None => "start-none",
            };
            let page = page::outside(say, &say.of("start-title"), &Ask { say, problem })?;
            Ok((StatusCode::UNPROCESSABLE_ENTITY, page).into_response())
        }
    }
}
