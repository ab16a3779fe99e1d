//! What no folder names any more, because the folder is damaged: found by the records of the files themselves.

use std::collections::HashSet;
use std::fs;
use std::path::Path;

use unlocked::{FileId, Kind, Name};

use super::copier::Copier;
use crate::failure::{self, Failure};

/// What file systems call the place for such files.
const FOLDER: &str = "lost+found";

impl Copier<'_> {
    /// Copies whatever was not met on the way through the folders.
    pub fn orphans(&mut self, to: &Path) -> Result<(), Failure> {
        let (mut folders, mut files) = (Vec::new(), Vec::new());
        // Records that cannot be read have no name either; those that folders name were told.
        for id in self.open.files.records().flatten().filter(|id| !self.seen.contains(id)) {
            match self.open.files.stat(id) {
                Ok(stat) if stat.kind == Kind::Folder => folders.push(id),
                Ok(_) => files.push(id),
                Err(_) => {}
            }
        }
        // First the uppermost, which bring along those that they name.
        let all: HashSet<_> = folders.iter().copied().collect();
        let (inner, upper): (Vec<_>, Vec<_>) = folders
            .into_iter()
            .partition(|&id| self.name_of(id).is_some_and(|(folder, _)| all.contains(&folder)));
        let to = to.join(FOLDER);
        for id in upper.into_iter().chain(inner).chain(files) {
            if self.seen.contains(&id) {
                continue;
            }
            fs::create_dir_all(&to).map_err(|error| failure::about(&to, &error))?;
            self.orphan(id, &to)?;
        }
        Ok(())
    }

    fn orphan(&mut self, id: FileId, to: &Path) -> Result<(), Failure> {
        let Ok(stat) = self.open.files.stat(id) else { return Ok(()) };
        let name = self.name_of(id).map_or_else(|| Name::from(format!("{id}").as_str()), |(_, name)| name);
        let safe = self.names.take(&name, id.0);
        let (shown, path) = (format!("/?/{name}"), to.join(safe));
        self.report.orphans += 1;
        match stat.kind {
            Kind::Folder => self.folder(&shown, &stat, path),
            Kind::File => self.file(&shown, &stat, to, &path),
            _ => Ok(()),
        }
    }

    fn name_of(&self, id: FileId) -> Option<(FileId, Name)> {
        let name = self.open.files.names(id).ok()?.into_iter().next()?;
        Some((name.folder, name.name))
    }
}
