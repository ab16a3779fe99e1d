//! Files and folders that only the server's user reads.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

/// Makes a folder, and those above it, for this user alone.
///
/// # Errors
/// What the system says.
pub fn folder(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Writes a file that is not there yet: whole, or not at all.
///
/// # Errors
/// When it is there, or cannot be written.
pub fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    // Linking fails where something is, renaming would take its place.
    put(path, bytes, |part| fs::hard_link(part, path))
}

/// Writes a file in the place of what may be there: whole, or not at all.
///
/// # Errors
/// When it cannot be written.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    put(path, bytes, |part| fs::rename(part, path))
}

fn put(path: &Path, bytes: &[u8], name: impl FnOnce(&Path) -> io::Result<()>) -> io::Result<()> {
    let mut unfinished = path.file_name().unwrap_or_default().to_owned();
    unfinished.push(format!(".{}", uuid::Uuid::new_v4().simple()));
    let part = path.with_file_name(unfinished);
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let written = options.open(&part).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()?;
        name(&part)
    });
    let _ = fs::remove_file(&part);
    written?;
    // Its name too must last.
    #[cfg(unix)]
    if let Some(folder) = path.parent() {
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        fs::File::open(folder)?.sync_all()?;
    }
    Ok(())
}
