//! Small files that are there whole or not at all, for their owner alone.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{FILE_LIMIT, PlaceError, Result};

/// What the names of files begin with that are not whole yet.
const UNFINISHED: &str = ".new-";

fn io_error(path: &Path) -> impl FnOnce(io::Error) -> PlaceError + '_ {
    |source| PlaceError::Io { path: path.to_owned(), source }
}

/// Makes a folder, with those above it, that nobody else may look into.
pub fn make_folder(path: &Path) -> Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt;
        builder.mode(0o700);
    }
    builder.create(path).map_err(io_error(path))
}

/// Returns the names in a folder; none when it is not there.
pub fn list(folder: &Path) -> Result<Vec<String>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(PlaceError::Io { path: folder.to_owned(), source }),
    };
    let names = entries.map(|entry| entry.map(|entry| entry.file_name().to_string_lossy().into_owned()));
    let names: Vec<_> = names.collect::<io::Result<_>>().map_err(io_error(folder))?;
    Ok(names.into_iter().filter(|name| !name.starts_with(UNFINISHED)).collect())
}

/// Writes a file in the place of what is there.
pub fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let write = || {
        let mut new = tempfile::Builder::new().prefix(UNFINISHED).tempfile_in(folder)?;
        new.write_all(bytes)?;
        new.as_file().sync_all()?;
        new.persist(path).map_err(|error| error.error)?;
        sync(folder)
    };
    write().map_err(io_error(path))
}

/// Removes a file that may be gone already.
pub fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(io_error(path)(error)),
        _ => sync(path.parent().unwrap_or(Path::new("."))).map_err(io_error(path)),
    }
}

/// Writes a file as JSON.
pub fn write_json(path: &Path, content: &impl Serialize) -> Result<()> {
    let json = serde_json::to_vec_pretty(content)
        .map_err(|error| PlaceError::Damaged { path: path.to_owned(), why: error.to_string() })?;
    write(path, &json)
}

/// Reads a file that is not longer than it can be.
pub fn read(path: &Path, limit: usize) -> Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(limit.min(FILE_LIMIT) + 1);
    let file = File::open(path).map_err(io_error(path))?;
    file.take(limit as u64 + 1).read_to_end(&mut bytes).map_err(io_error(path))?;
    if bytes.len() > limit {
        return Err(PlaceError::Damaged { path: path.to_owned(), why: "it is too long".to_owned() });
    }
    Ok(bytes)
}

/// Reads a file of JSON.
pub fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T> {
    serde_json::from_slice(&read(path, FILE_LIMIT)?)
        .map_err(|error| PlaceError::Damaged { path: path.to_owned(), why: error.to_string() })
}

/// Reads the files of a folder that end in `.json`, each as `read` says. One that cannot be read keeps none of the
/// others back.
pub fn read_each<T>(folder: &Path, read: impl Fn(&Path) -> Result<T>) -> Result<(Vec<T>, Vec<PlaceError>)> {
    let (mut whole, mut damaged) = (Vec::new(), Vec::new());
    for name in list(folder)?.iter().filter(|name| name.ends_with(".json")) {
        match read(&folder.join(name)) {
            Ok(content) => whole.push(content),
            // It was taken away in the meantime.
            Err(PlaceError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {}
            Err(error) => damaged.push(error),
        }
    }
    Ok((whole, damaged))
}

/// Gives a file another name in the same folder, in the place of what has that name.
pub fn rename(from: &Path, to: &Path) -> Result<()> {
    fs::rename(from, to).and_then(|()| sync(to.parent().unwrap_or(Path::new(".")))).map_err(io_error(to))
}

/// Removes a folder, with everything in it, that may be gone already.
pub fn remove_folder(path: &Path) -> Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(io_error(path)(error)),
        _ => Ok(()),
    }
}

/// Takes away what a crash left in a folder: files that are not whole, and those with an ending. What cannot be taken
/// away is in nobody's way.
pub fn sweep(folder: &Path, ending: &str) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with(UNFINISHED) || name.ends_with(ending) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

#[cfg(unix)]
fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(not(unix))]
fn sync(_: &Path) -> io::Result<()> {
    Ok(())
}
