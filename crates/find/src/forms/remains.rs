//! Text that lies somewhere in a file of another form: a mail box, a database, an older Word document.
//!
//! Around each place where digits stand as in a recovery key, a window is cut out and read as a text.

use std::ops::Range;

use encoding_rs::UTF_16BE;
use recovery_key::Secret;
use recovery_key::document::{self, Reading};

use super::{shape, text};

/// How far before its digits a key ID may stand: twice the text between them in Windows' file, in UTF-16.
const BEFORE: usize = 1024;
/// How far the digits may reach beyond the part of them that was seen.
const AFTER: usize = 512;
/// Where so many windows are needed, it is a table of numbers.
const WINDOW_LIMIT: usize = 100_000;

/// Reads every window of a file.
pub(super) fn readings(bytes: &[u8]) -> impl Iterator<Item = Reading> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let window = next_window(bytes, &mut at)?;
        Some(read(bytes, window))
    })
    .take(WINDOW_LIMIT)
}

/// Finds the next window; windows that would touch are one, up to the length of a document.
fn next_window(bytes: &[u8], at: &mut usize) -> Option<(Range<usize>, usize)> {
    let hit = shape::find(bytes, *at)?;
    let (first, start) = (hit.start, hit.start.saturating_sub(BEFORE));
    let mut end = hit.end + AFTER;
    while end - start < document::SIZE_LIMIT / 4
        && let Some(next) = bytes.get(..end + BEFORE + AFTER).and_then(|near| shape::find(near, end))
    {
        end = next.end + AFTER;
    }
    *at = end;
    Some((start..end.min(bytes.len()), first))
}

/// Reads a window as what its digits are: bytes or UTF-16.
fn read(bytes: &[u8], (window, digit): (Range<usize>, usize)) -> Reading {
    let around = bytes.get(digit.saturating_sub(8)..(digit + 64).min(bytes.len())).unwrap_or_default();
    let Some(encoding) = text::wide(around) else {
        // Zeros part strings; as a text they would be nothing.
        let mut plain = Secret::new(bytes.get(window).unwrap_or_default().to_vec());
        plain.expose_mut().iter_mut().filter(|byte| **byte == 0).for_each(|byte| *byte = b'|');
        return document::read(None, plain.expose());
    };
    // The digit itself is the second byte of its character where the first is the higher one.
    let side = usize::from(encoding == UTF_16BE);
    let odd = (digit - side.min(digit)) % 2;
    let start = if window.start % 2 == odd { window.start } else { window.start + 1 };
    let wide = bytes.get(start..window.end).unwrap_or_default();
    let mut narrow = Secret::new(String::with_capacity(wide.len() * 2));
    let unit = if encoding == UTF_16BE { u16::from_be_bytes } else { u16::from_le_bytes };
    let units = wide.as_chunks().0.iter().map(|&pair| unit(pair));
    let parted = char::decode_utf16(units).map(|c| c.ok().filter(|&c| c != '\0').unwrap_or('|'));
    narrow.expose_mut().extend(parted);
    document::read(None, narrow.expose().as_bytes())
}
