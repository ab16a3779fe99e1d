//! A folder with all that is in it, as a ZIP archive that is made while it is sent.

use std::collections::HashSet;
use std::io::{self, Write};
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::http::Method;
use axum::response::Response;
use tokio::sync::mpsc::{Sender, channel};
use unlocked::{Error, FileId, FileSystem, Kind, Position};
use zip::CompressionMethod;
use zip::write::{SimpleFileOptions, ZipWriter};

use super::download::{AHEAD, PIECE, describe, stream};
use super::name;
use crate::desk::OpenDrive;

/// More folders in one another than this are a loop in a damaged file system.
const DEPTH: usize = 128;
/// So many of those that are left out are named.
const NAMED: usize = 1000;
/// The name of the file that says what was left out.
const LEFT_OUT: &str = "_LEFT OUT.txt";

/// Sends a folder. `left_out` stands above the names of what cannot be read.
pub fn folder(
    method: &Method,
    open: Arc<OpenDrive>,
    files: FileSystem,
    folder: FileId,
    name: &str,
    left_out: String,
) -> Response {
    let body = if method == Method::HEAD {
        Body::empty()
    } else {
        let (send, receive) = channel(AHEAD);
        tokio::task::spawn_blocking(move || {
            let _open = open;
            let pieces = Pieces { send: send.clone(), buffer: Vec::with_capacity(PIECE) };
            if let Err(error) = write(pieces, &files, folder, &left_out) {
                let _ = send.blocking_send(Err(error));
            }
        });
        stream(receive)
    };
    let mut response = Response::new(body);
    describe(response.headers_mut(), &format!("{}.zip", name::saved(name)), "application/zip");
    response
}

/// Collects what is written into pieces for the browser.
struct Pieces {
    send: Sender<io::Result<Bytes>>,
    buffer: Vec<u8>,
}

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= PIECE {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let piece = std::mem::replace(&mut self.buffer, Vec::with_capacity(PIECE));
        let gone = |_| io::Error::from(io::ErrorKind::BrokenPipe);
        self.send.blocking_send(Ok(piece.into())).map_err(gone)
    }
}

/// What is yet to be written: the names of folders, and where each goes on.
struct Level {
    path: String,
    entries: unlocked::Listing,
    /// The names that are taken: two that differ may be the same once they do no harm.
    taken: HashSet<String>,
}

impl Level {
    fn of(path: String, files: &FileSystem, folder: FileId) -> Result<Self, Error> {
        // The name of ours is nobody else's.
        let taken = HashSet::from([LEFT_OUT.to_lowercase()]);
        Ok(Self { path, entries: files.list(folder, Position::default())?, taken })
    }

    /// Returns the path of an entry in the archive.
    fn path_of(&mut self, name: &str) -> String {
        let name = name::saved(name);
        let mut path = name.clone();
        let mut number = 1_u32;
        while !self.taken.insert(path.to_lowercase()) {
            number += 1;
            path = format!("{name} ({number})");
        }
        format!("{}{path}", self.path)
    }
}

fn write(pieces: Pieces, files: &FileSystem, folder: FileId, explain: &str) -> io::Result<()> {
    let mut zip = ZipWriter::new_stream(pieces);
    // What is on a drive is mostly compressed already, and loopback is fast.
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored).large_file(true);
    let mut left_out = Vec::new();
    let mut levels = vec![Level::of(String::new(), files, folder).map_err(io::Error::other)?];
    while let Some(level) = levels.last_mut() {
        let entry = match level.entries.next() {
            None => {
                levels.pop();
                continue;
            }
            Some(Err(error)) => {
                leave_out(&mut left_out, &level.path, &readable(error)?);
                continue;
            }
            Some(Ok(entry)) => entry,
        };
        let path = level.path_of(&entry.name.to_string());
        match entry.kind {
            Kind::Folder if levels.len() == DEPTH => leave_out(&mut left_out, &path, "…"),
            Kind::Folder => {
                zip.add_directory(format!("{path}/"), options)?;
                match Level::of(format!("{path}/"), files, entry.id) {
                    Ok(level) => levels.push(level),
                    Err(error) => leave_out(&mut left_out, &path, &readable(error)?),
                }
            }
            Kind::File => match files.open_file(entry.id) {
                Ok(file) => {
                    zip.start_file(&path, options)?;
                    copy(&file, &mut zip)?;
                }
                Err(error) => leave_out(&mut left_out, &path, &readable(error)?),
            },
            Kind::Link | Kind::Other => leave_out(&mut left_out, &path, "→"),
        }
    }
    if !left_out.is_empty() {
        zip.start_file(LEFT_OUT, options)?;
        writeln!(zip, "{explain}\n\n{}", left_out.join("\n"))?;
    }
    zip.finish()?.into_inner().flush()
}

/// Of a drive that cannot be read nothing is made that looks whole.
fn readable(error: Error) -> io::Result<String> {
    match error {
        Error::Read { .. } => Err(io::Error::other(error)),
        error => Ok(error.to_string()),
    }
}

fn leave_out(left_out: &mut Vec<String>, path: &str, why: &str) {
    if left_out.len() < NAMED {
        left_out.push(format!("{path}: {why}"));
    }
}

fn copy(file: &unlocked::File, to: &mut impl Write) -> io::Result<()> {
    let (mut at, mut piece) = (0, vec![0; PIECE]);
    while at < file.size() {
        let read = file.read_at(at, &mut piece).map_err(io::Error::other)?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        to.write_all(piece.get(..read).unwrap_or_default())?;
        at += read as u64;
    }
    Ok(())
}
