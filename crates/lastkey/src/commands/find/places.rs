//! Where to search: what was named, or where people keep such files.

use std::collections::BTreeSet;
use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use directory::DirectoryAddress;
use drives::Attached;

use crate::failure::{self, Failure, Kind};
use crate::output::Output;

/// The folders in a person's home, as they are called where nothing else is said.
const FOLDERS: [&str; 4] = ["Documents", "Desktop", "Downloads", "OneDrive"];

/// Where to search.
#[derive(Default)]
pub struct Places {
    /// Folders and files.
    pub paths: Vec<PathBuf>,
    /// Directories.
    pub directories: Vec<DirectoryAddress>,
}

/// Turns `--in` into places; without any, they are the person's own folders and the removable drives.
pub fn all(named: &[OsString], output: &Output) -> Result<Places, Failure> {
    let (mut places, mut directories) = (Vec::new(), Vec::new());
    for place in named {
        if let Some(address) = place.to_str().and_then(|place| place.strip_prefix("directory:")) {
            let address = DirectoryAddress::parse(address);
            directories.push(address.map_err(|error| Failure::new(Kind::Usage, error.to_string()))?);
        } else if place == "usb" {
            let sticks = sticks(output);
            if sticks.is_empty() {
                return Err(Failure::new(Kind::NotFound, "no removable drive is mounted")
                    .hint("plug it in and open it in the file manager first"));
            }
            places.extend(sticks);
        } else {
            let path = PathBuf::from(place);
            fs::metadata(&path).map_err(|error| failure::about(&path, &error))?;
            places.push(path);
        }
    }
    if named.is_empty() {
        places.extend(own_folders());
        places.extend(sticks(output));
        if places.is_empty() {
            return Err(Failure::new(Kind::Usage, "there are no folders of your own to search")
                .hint("say where with --in FOLDER"));
        }
    }
    Ok(Places { paths: places, directories })
}

/// Returns where the removable drives are mounted; names those that are not.
fn sticks(output: &Output) -> Vec<PathBuf> {
    let mut places = Vec::new();
    for drive in drives::attached().into_iter().filter(|drive| drive.removable) {
        if drive.mounted_at.is_empty() && drive.is_bitlocker == Some(false) {
            output
                .note(format!("note: the removable drive {} is not mounted, and not searched", name(&drive)));
        }
        places.extend(drive.mounted_at);
    }
    places
}

fn name(drive: &Attached) -> &str {
    drive.label.as_deref().or(drive.model.as_deref()).unwrap_or(&drive.name)
}

/// Returns the folders that are there, in the home of whoever sits at the computer.
fn own_folders() -> Vec<PathBuf> {
    let Some(home) = home() else { return Vec::new() };
    let settings = fs::read_to_string(home.join(".config/user-dirs.dirs")).unwrap_or_default();
    let mut folders: BTreeSet<_> = FOLDERS.iter().map(|name| home.join(name)).collect();
    folders.extend(settings.lines().filter_map(|line| user_folder(line, &home)));
    // Windows moves these folders into OneDrive.
    let moved = ["OneDrive", "OneDriveConsumer", "OneDriveCommercial"];
    folders.extend(moved.iter().filter_map(env::var_os).map(PathBuf::from));
    folders.into_iter().filter(|folder| folder.is_dir() && *folder != home).collect()
}

/// Reads `XDG_DOCUMENTS_DIR="$HOME/Dokumente"`.
fn user_folder(line: &str, home: &Path) -> Option<PathBuf> {
    let (name, value) = line.trim().split_once('=')?;
    if !["XDG_DOCUMENTS_DIR", "XDG_DESKTOP_DIR", "XDG_DOWNLOAD_DIR"].contains(&name) {
        return None;
    }
    let value = value.trim().trim_matches('"');
    match value.strip_prefix("$HOME/") {
        Some(rest) => Some(home.join(rest)),
        None => Some(PathBuf::from(value)).filter(|path| path.is_absolute()),
    }
}

/// Returns the home of the person, also when they run the program as root by sudo.
#[cfg(unix)]
fn home() -> Option<PathBuf> {
    let by_sudo = env::var("SUDO_USER").ok().filter(|user| user != "root").and_then(|user| {
        let users = fs::read_to_string("/etc/passwd").ok()?;
        let line = users.lines().find(|line| line.split(':').next() == Some(user.as_str()))?;
        line.split(':').nth(5).map(PathBuf::from)
    });
    by_sudo.or_else(|| env::var_os("HOME").map(PathBuf::from)).filter(|home| home.is_dir())
}

/// Returns the home of the person.
#[cfg(not(unix))]
fn home() -> Option<PathBuf> {
    env::var_os("USERPROFILE").map(PathBuf::from).filter(|home| home.is_dir())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_have_the_names_of_their_language() {
        let folder = |line| user_folder(line, Path::new("/home/me"));
        assert_eq!(folder("XDG_DOCUMENTS_DIR=\"$HOME/Dokumente\""), Some("/home/me/Dokumente".into()));
        #[cfg(unix)]
        assert_eq!(folder("XDG_DESKTOP_DIR=\"/srv/desk\""), Some("/srv/desk".into()));
        for other in ["", "# XDG_DESKTOP_DIR", "XDG_MUSIC_DIR=\"$HOME/Musik\"", "XDG_DESKTOP_DIR=\"x\""] {
            assert_eq!(folder(other), None);
        }
    }
}
