//! Going through everything in a folder.

use std::collections::HashSet;
use std::vec::IntoIter;

use crate::error::{Error, damaged_file};
use crate::file_system::FileSystem;
use crate::name::Name;
use crate::node::{Entry, FileId, Kind, Position};

/// Goes through a folder and all the folders in it, each once: in a damaged file system a folder can lie in
/// itself, or in two others.
pub struct Walk {
    files: FileSystem,
    levels: Vec<Level>,
    seen: HashSet<FileId>,
    /// The folder to go into next.
    next: Option<(FileId, Name)>,
}

/// A folder that one is in.
struct Level {
    id: FileId,
    name: Name,
    entries: IntoIter<Entry>,
    problems: IntoIter<Error>,
}

/// What is met on the way.
#[derive(Debug)]
pub enum Step {
    /// An entry of the current folder. If it is a folder, what is in it follows, up to its [`Leave`](Self::Leave).
    Entry {
        /// The entry.
        entry: Entry,
        /// No other follows in this folder.
        last: bool,
    },
    /// The current folder, or an entry of it, cannot be read.
    Problem(Error),
    /// Everything in the current folder was given; the one around it is current again.
    Leave(FileId),
}

impl Walk {
    pub(crate) fn new(files: FileSystem, root: FileId) -> Self {
        Self { files, levels: Vec::new(), seen: HashSet::new(), next: Some((root, Name::default())) }
    }

    /// Returns the names of the folders from where the walk began to the current one.
    pub fn folders(&self) -> impl Iterator<Item = &Name> {
        self.levels.iter().skip(1).map(|level| &level.name)
    }

    /// Does not go into the folder that was given last.
    pub fn stay_out(&mut self) {
        self.next = None;
    }

    fn enter(&mut self, id: FileId, name: Name) {
        let (mut entries, mut problems) = (Vec::new(), Vec::new());
        if self.seen.insert(id) {
            match self.files.list(id, Position::default()) {
                Err(error) => problems.push(error),
                Ok(list) => {
                    for entry in list {
                        match entry {
                            Ok(entry) => entries.push(entry),
                            Err(error) => problems.push(error),
                        }
                    }
                }
            }
        } else {
            problems.push(damaged_file(
                "folder",
                id,
                "lies in two places, and was gone through at the first",
            ));
        }
        // As people look for names: capital letters beside small ones.
        entries.sort_by_cached_key(|entry| (entry.name.to_string().to_lowercase(), entry.name.clone()));
        let (entries, problems) = (entries.into_iter(), problems.into_iter());
        self.levels.push(Level { id, name, entries, problems });
    }
}

impl Iterator for Walk {
    type Item = Step;

    fn next(&mut self) -> Option<Step> {
        if let Some((id, name)) = self.next.take() {
            self.enter(id, name);
        }
        let level = self.levels.last_mut()?;
        if let Some(error) = level.problems.next() {
            return Some(Step::Problem(error));
        }
        let Some(entry) = level.entries.next() else {
            let id = level.id;
            self.levels.pop();
            return Some(Step::Leave(id));
        };
        if entry.kind == Kind::Folder {
            self.next = Some((entry.id, entry.name.clone()));
        }
        Some(Step::Entry { entry, last: level.entries.len() == 0 })
    }
}

impl std::fmt::Debug for Walk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Walk").field("level", &self.levels.len()).finish_non_exhaustive()
    }
}
