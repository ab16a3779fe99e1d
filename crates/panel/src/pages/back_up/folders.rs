//! Folders that a person may mean, and what is known of each.

use std::path::{Path, PathBuf};

use backup::FileDestination;
use serde::Deserialize;
use web::Say;

use super::{Ready, refusals};
use crate::app::App;
use crate::told::Told;

/// Kinds of file systems that are on other computers.
const SHARES: [&str; 5] = ["cifs", "smb3", "nfs", "nfs4", "fuse.sshfs"];
/// Folders of a person where documents lie, in the languages that pages have.
const DOCUMENTS: [&str; 2] = ["Documents", "Dokumente"];
/// Where systems mount what people plug in.
const PLUGGED: [&str; 4] = ["/media", "/mnt", "/run/media", "/Volumes"];
/// The most that are offered.
const LIMIT: usize = 12;

/// A folder that is offered.
pub struct Offered {
    pub path: String,
    /// Why nothing can be saved there.
    pub refused: Option<String>,
    /// What to know about it.
    pub warnings: Vec<String>,
}

/// The part of a form in which a folder is chosen.
#[derive(Deserialize)]
pub struct Chosen {
    #[serde(default)]
    folder: String,
    #[serde(default)]
    other: String,
}

impl Chosen {
    /// Returns the folder that is meant.
    pub fn path(&self, app: &App) -> Result<PathBuf, Told> {
        let typed = if self.folder.is_empty() { &self.other } else { &self.folder };
        typed_path(app, typed)
    }

    /// Returns what was typed, to be shown again.
    pub fn typed(&self) -> String {
        self.other.clone()
    }
}

/// Returns the path that somebody has typed: a whole one, or one that begins with `~`.
pub fn typed_path(app: &App, typed: &str) -> Result<PathBuf, Told> {
    let typed = typed.trim();
    if typed.is_empty() {
        return Err(Told::new("back-up-choose-folder"));
    }
    let path = match (typed.strip_prefix('~'), &app.settings.home) {
        (Some(rest), Some(home)) if rest.is_empty() || rest.starts_with(['/', '\\']) => {
            home.join(rest.trim_start_matches(['/', '\\']))
        }
        _ => PathBuf::from(typed),
    };
    if path.is_absolute() { Ok(path) } else { Err(Told::new("back-up-whole-path").with("path", typed)) }
}

/// Returns folders that a person may mean; those that cannot be used come last, with the reason.
pub fn offered(app: &App, ready: &Ready, say: Say<'_>) -> Vec<Offered> {
    let record = app.record().ok().flatten();
    let (drive, volume) = (&ready.open.drive.attached.path, ready.open.volume().id());
    let mut all: Vec<_> = known(app)
        .into_iter()
        .map(|folder| {
            let place = FileDestination::new(folder.clone());
            let path = folder.display().to_string();
            match backup::check(&place, drive, volume, record.as_ref()) {
                Ok(checked) => {
                    let warnings = checked.warnings.iter();
                    let warnings = warnings.map(|warning| refusals::warning(warning).say(say)).collect();
                    Offered { path, refused: None, warnings }
                }
                Err(error) => {
                    Offered { path, refused: Some(refusals::refusal(&error).say(say)), warnings: Vec::new() }
                }
            }
        })
        .collect();
    all.sort_by_key(|folder| (folder.refused.is_some(), !folder.warnings.is_empty()));
    all
}

/// Returns the folders that there are: where something is plugged in, shares, and the person's documents.
pub fn known(app: &App) -> Vec<PathBuf> {
    let plugged = |folder: &Path| PLUGGED.iter().any(|above| folder.starts_with(above));
    let drives = app.inventory.drives();
    let mounted = drives.iter().flat_map(|drive| {
        let folders = drive.attached.mounted_at.iter();
        folders.filter(|folder| drive.attached.removable || cfg!(windows) || plugged(folder)).cloned()
    });
    let shares = SHARES.iter().flat_map(|kind| drives::mounts_of(kind)).map(|share| share.mount_point);
    let home = app.settings.home.iter();
    let documents = home.clone().flat_map(|home| DOCUMENTS.map(|name| home.join(name)));
    let mut all = Vec::new();
    for folder in mounted.chain(shares).chain(documents).filter(|folder| folder.is_dir()) {
        if !all.contains(&folder) && all.len() < LIMIT {
            all.push(folder);
        }
    }
    if all.is_empty() {
        all.extend(home.cloned());
    }
    all
}
