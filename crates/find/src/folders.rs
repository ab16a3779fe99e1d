//! Where people keep such files.

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};

/// The folders in a person's home, as they are called where nothing else is said.
const FOLDERS: [&str; 4] = ["Documents", "Desktop", "Downloads", "OneDrive"];

/// Returns the folders of a person's home in which people keep such files, as far as they are there.
#[must_use]
pub fn own_folders(home: &Path) -> Vec<PathBuf> {
    let settings = fs::read_to_string(home.join(".config/user-dirs.dirs")).unwrap_or_default();
    let mut folders: BTreeSet<_> = FOLDERS.iter().map(|name| home.join(name)).collect();
    folders.extend(settings.lines().filter_map(|line| user_folder(line, home)));
    // Windows moves these folders into OneDrive.
    let moved = ["OneDrive", "OneDriveConsumer", "OneDriveCommercial"];
    folders.extend(moved.iter().filter_map(env::var_os).map(PathBuf::from));
    folders.into_iter().filter(|folder| folder.is_dir() && folder != home).collect()
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
