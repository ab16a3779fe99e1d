//! PDF: the text of its pages, by the glyphs that are drawn and the characters they stand for.
//!
//! A document without any text is a scan, and goes to whoever reads pictures; so does one that names a
//! key ID and has no key in its text.

use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use hayro::hayro_interpret::font::GlyphRun;
use hayro::hayro_interpret::hayro_cmap::BfString;
use hayro::hayro_interpret::hayro_syntax::{LoadPdfError, Pdf};
use hayro::hayro_interpret::util::TransformExt;
use hayro::hayro_interpret::{
    BlendMode, ClipPath, Context, Device, DrawMode, DrawProps, Image, ImageDrawProps, InterpreterCache,
    InterpreterSettings, SoftMask, interpret_page,
};
use hayro::kurbo::{BezPath, Point, Rect};
use recovery_key::{KeyId, Secret};

use super::{Form, Reader, shape};
use crate::{Seal, Unread};

/// No document of keys takes longer; one that was made to, does.
const TIME_LIMIT: Duration = Duration::from_secs(10);
/// Nobody scans more pages with keys into one document.
const SCAN_LIMIT: usize = 20;
/// The text of one page.
const PAGE_LIMIT: usize = 1 << 18;
/// Where the mark of a PDF file may stand at the latest.
const HEAD: usize = 1024;

/// Says whether bytes begin as a PDF file does.
pub(super) fn is_likely(bytes: &[u8]) -> bool {
    bytes.get(..HEAD.min(bytes.len())).is_some_and(|head| head.windows(5).any(|mark| mark == b"%PDF-"))
}

impl Reader {
    pub(super) fn pdf(&mut self, name: &str, bytes: &[u8]) {
        let (to, from) = mpsc::channel();
        let data = Arc::new(bytes.to_vec());
        // A thread of its own, so that it can be left behind when it does not come to an end.
        let started =
            thread::Builder::new().name("pdf".into()).stack_size(16 << 20).spawn(move || pages(data, &to));
        if started.is_err() {
            return self.unread(Unread::Failed);
        }
        let deadline = Instant::now() + TIME_LIMIT;
        let (mut empty, mut all, mut names_one) = (0, 0, false);
        let found = self.contents.keys.len() + self.contents.wrong.len();
        loop {
            match from.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(Page::Text(text)) => {
                    all += 1;
                    empty += usize::from(text.expose().trim().is_empty());
                    names_one |= names_key_id(text.expose());
                    if shape::may_hold_key(text.expose().as_bytes()) {
                        self.text(name, text.expose(), Form::Pdf);
                    }
                }
                Ok(Page::Unread(why)) => self.unread(why),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {
                    self.unread(Unread::TooSlow);
                    break;
                }
            }
        }
        let is_scan = empty > 0 && empty == all;
        let shows_none = names_one && self.contents.keys.len() + self.contents.wrong.len() == found;
        if (is_scan || shows_none) && all <= SCAN_LIMIT {
            self.picture(bytes);
        }
    }
}

fn names_key_id(text: &str) -> bool {
    text.split(|c: char| !c.is_ascii_hexdigit() && c != '-')
        .any(|word| word.len() == 36 && word.parse::<KeyId>().is_ok())
}

enum Page {
    Text(Secret<String>),
    Unread(Unread),
}

/// Sends the text of each page.
fn pages(data: Arc<Vec<u8>>, to: &Sender<Page>) {
    let pdf = match Pdf::new(data) {
        Ok(pdf) => pdf,
        Err(LoadPdfError::Decryption(_)) => return drop(to.send(Page::Unread(Unread::Sealed(Seal::Pdf)))),
        Err(LoadPdfError::Invalid) => return drop(to.send(Page::Unread(Unread::Damaged))),
    };
    let cache = InterpreterCache::new();
    for page in pdf.pages().iter() {
        let (width, height) = page.render_dimensions();
        let mut context = Context::new(
            page.initial_transform(true).to_kurbo(),
            Rect::new(0.0, 0.0, width.into(), height.into()),
            &cache,
            page.xref(),
            InterpreterSettings::default(),
        );
        let mut text = Text { out: Secret::new(String::with_capacity(PAGE_LIMIT)), last: None };
        interpret_page(page, &mut context, &mut text);
        if to.send(Page::Text(text.out)).is_err() {
            return;
        }
    }
}

/// Collects the characters of the glyphs, with line breaks and spaces where they are apart.
struct Text {
    out: Secret<String>,
    /// Where the last glyph was, and how large.
    last: Option<(Point, f64)>,
}

impl<'a> Device<'a> for Text {
    fn draw_glyph_run(&mut self, run: &GlyphRun<'_, 'a>, props: DrawProps<'a>, _: &DrawMode) {
        for glyph in run.glyphs() {
            let transform = props.transform * glyph.transform();
            let place = transform * Point::ORIGIN;
            // Glyphs are drawn in thousandths of the size of the font.
            let size = 1000.0 * transform.determinant().abs().sqrt();
            if let Some((last, last_size)) = self.last {
                let size = size.max(last_size);
                if (place.y - last.y).abs() > 0.5 * size {
                    self.put("\n");
                } else if place.x - last.x > 1.2 * size || place.x < last.x - 0.1 * size {
                    self.put(" ");
                }
            }
            self.last = Some((place, size));
            match glyph.as_unicode() {
                Some(BfString::Char(c)) => self.put(c.encode_utf8(&mut [0; 4])),
                Some(BfString::String(text)) => self.put(&text),
                // Something is there, and nobody knows what.
                None => self.put("\u{fffd}"),
            }
        }
    }

    fn draw_path(&mut self, _: &BezPath, _: DrawProps<'a>, _: &DrawMode) {}
    fn push_clip_path(&mut self, _: &ClipPath) {}
    fn push_transparency_group(&mut self, _: f32, _: Option<SoftMask<'a>>, _: BlendMode) {}
    fn draw_image(&mut self, _: Image<'a, '_>, _: ImageDrawProps<'a>) {}
    fn pop_clip(&mut self) {}
    fn pop_transparency_group(&mut self) {}
}

impl Text {
    fn put(&mut self, text: &str) {
        let out = self.out.expose_mut();
        if out.len() + text.len() <= PAGE_LIMIT {
            out.push_str(text);
        }
    }
}
