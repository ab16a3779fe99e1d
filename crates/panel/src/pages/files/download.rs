//! A file on its way to the browser, a piece after the other. If the drive goes, the connection is cut: a file that ends
//! early must never look whole.

use std::io;
use std::ops::Range;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use tokio::sync::mpsc::{Receiver, channel};
use unlocked::{File, Name};

use super::name;
use crate::desk::OpenDrive;

/// What is read at once.
pub const PIECE: usize = 256 << 10;
/// So many pieces are read ahead of a slow browser.
pub const AHEAD: usize = 4;
/// What is downloaded is never shown, and can do nothing if it is.
pub const POLICY: HeaderValue = HeaderValue::from_static("sandbox; default-src 'none'");

/// Sends a file, or the part of it that is asked for.
pub fn file(method: &Method, headers: &HeaderMap, open: Arc<OpenDrive>, file: File, name: &Name) -> Response {
    let size = file.size();
    // There is nothing by which a browser could tell that it is still the same file.
    let range = headers.get(header::RANGE).filter(|_| !headers.contains_key(header::IF_RANGE));
    let range = range.and_then(|value| value.to_str().ok()).and_then(|value| part(value, size));
    let mut response = match &range {
        Some(None) => StatusCode::RANGE_NOT_SATISFIABLE.into_response(),
        _ if method == Method::HEAD => Response::new(Body::empty()),
        Some(Some(part)) => Response::new(body(open, file, part.clone())),
        None => Response::new(body(open, file, 0..size)),
    };
    let mut set = |name, value: String| {
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().insert(name, value);
        }
    };
    match range {
        Some(None) => {
            set(header::CONTENT_RANGE, format!("bytes */{size}"));
            return response;
        }
        Some(Some(part)) => {
            set(header::CONTENT_RANGE, format!("bytes {}-{}/{size}", part.start, part.end - 1));
            set(header::CONTENT_LENGTH, (part.end - part.start).to_string());
            *response.status_mut() = StatusCode::PARTIAL_CONTENT;
        }
        None => set(header::CONTENT_LENGTH, size.to_string()),
    }
    let headers = response.headers_mut();
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    describe(headers, &name.to_string(), "application/octet-stream");
    response
}

/// Says what is sent, so that it is saved and not shown.
pub fn describe(headers: &mut HeaderMap, name: &str, kind: &'static str) {
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::CONTENT_SECURITY_POLICY, POLICY);
    if let Ok(value) = HeaderValue::from_str(&name::disposition(name)) {
        headers.insert(header::CONTENT_DISPOSITION, value);
    }
}

/// Reads `bytes=100-199`, `bytes=100-` or `bytes=-100`. `None`: the whole file; `Some(None)`: nothing of it.
fn part(value: &str, size: u64) -> Option<Option<Range<u64>>> {
    let (first, last) = value.strip_prefix("bytes=")?.split_once('-')?;
    let number = |text: &str| text.trim().parse::<u64>().ok();
    let range = match (first.trim(), last.trim()) {
        ("", "") => return None,
        ("", last) => size.saturating_sub(number(last)?)..size,
        (first, "") => number(first)?..size,
        (first, last) => {
            let (first, last) = (number(first)?, number(last)?);
            if last < first {
                return None;
            }
            first..size.min(last.saturating_add(1))
        }
    };
    Some((range.start < range.end).then_some(range))
}

fn body(open: Arc<OpenDrive>, file: File, range: Range<u64>) -> Body {
    let (send, receive) = channel(AHEAD);
    // The drive stays unlocked until the last piece is read.
    tokio::task::spawn_blocking(move || {
        let _open = open;
        let mut at = range.start;
        while at < range.end {
            let length = usize::try_from(range.end - at).map_or(PIECE, |left| left.min(PIECE));
            let mut piece = vec![0; length];
            let read = match file.read_at(at, &mut piece) {
                Ok(read) if read == length => Ok(Bytes::from(piece)),
                Ok(_) => Err(io::Error::from(io::ErrorKind::UnexpectedEof)),
                Err(error) => Err(io::Error::other(error)),
            };
            let failed = read.is_err();
            // Whoever has gone away wants no more.
            if send.blocking_send(read).is_err() || failed {
                return;
            }
            at += length as u64;
        }
    });
    stream(receive)
}

/// Makes a body of pieces; an error among them cuts the connection.
pub fn stream(receive: Receiver<io::Result<Bytes>>) -> Body {
    Body::from_stream(futures_util::stream::unfold(receive, async |mut receive| {
        receive.recv().await.map(|piece| (piece, receive))
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_a_file_are_those_that_were_asked_for() {
        assert_eq!(part("bytes=0-0", 10), Some(Some(0..1)));
        assert_eq!(part("bytes=3-", 10), Some(Some(3..10)));
        assert_eq!(part("bytes=-4", 10), Some(Some(6..10)));
        assert_eq!(part("bytes=-40", 10), Some(Some(0..10)));
        assert_eq!(part("bytes=5-99999999999999999", 10), Some(Some(5..10)));
        for nothing in ["bytes=10-", "bytes=10-12", "bytes=-0"] {
            assert_eq!(part(nothing, 10), Some(None), "{nothing}");
        }
        assert_eq!(part("bytes=0-", 0), Some(None));
        for whole in ["bytes=", "bytes=-", "bytes=5-4", "bytes=0-1,3-4", "lines=1-2", "bytes=a-b", ""] {
            assert_eq!(part(whole, 10), None, "{whole}");
        }
    }
}
