//! The very page that would be printed, as a picture.

use axum::extract::{Path, Query, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use backup::Content;
use paper::Paper;
use serde::Deserialize;

use super::super::blocking;
use super::{Ready, ready};
use crate::answer::Error;
use crate::app::App;
use crate::speech::Reader;

/// How fine the picture is: enough to read every word.
const DPI: f32 = 96.0;

/// Which paper, in an address: `?paper=letter`.
#[derive(Deserialize)]
pub struct Format {
    paper: Option<String>,
}

impl Format {
    /// Returns the paper; A4 unless something else is said.
    pub fn paper(&self) -> Paper {
        paper_of(self.paper.as_deref().unwrap_or_default())
    }
}

/// Returns the paper of a name in a form.
pub fn paper_of(name: &str) -> Paper {
    if name == "letter" { Paper::Letter } else { Paper::A4 }
}

/// Shows a page: the number is that of the key. It is made of the PDF that would go to the printer, by the renderer that
/// reads pages back.
pub async fn picture(
    State(app): State<App>,
    Reader(say): Reader,
    Path((id, page)): Path<(String, usize)>,
    Query(format): Query<Format>,
) -> Result<Response, Error> {
    let ready = match ready(&app, say, &id).await? {
        Ok(ready) => ready,
        Err(page) => return Ok(page),
    };
    let paper = format.paper();
    let png = blocking(move || draw(&ready, page, paper)).await??;
    Ok(([(header::CONTENT_TYPE, "image/png")], png.expose().clone()).into_response())
}

fn draw(ready: &Ready, number: usize, paper: Paper) -> Result<recovery_key::Secret<Vec<u8>>, Error> {
    let internal = |why: String| Error::Internal(why);
    let found = ready.open.found().map_err(|error| internal(error.to_string()))?;
    let found = found.map_err(|_| Error::NotFound)?;
    let digits = |content: &Content| matches!(content, Content::RecoveryPassword { .. });
    let document = found.documents.iter().filter(|document| digits(&document.content)).nth(number);
    let document = document.ok_or(Error::NotFound)?;
    let pdf = backup::page(document, paper, "").map_err(|error| internal(error.to_string()))?;
    let pages = paper::rasterise(pdf.expose(), DPI).map_err(|error| internal(error.to_string()))?;
    let png = pages.first().and_then(paper::Gray::to_png);
    png.ok_or_else(|| internal("the page cannot be drawn".to_owned()))
}
