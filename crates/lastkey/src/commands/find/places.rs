//! Where to search: what was named, or where people keep such files.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;

use directory::DirectoryAddress;
use drives::Attached;

use crate::failure::{self, Failure, Kind};
use crate::output::Output;

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
        places.extend(home().map_or_else(Vec::new, |home| ::find::own_folders(&home)));
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
