//! Which files are lost, in a copy that has holes.
//!
//! Content is not read but looked up: where it lies, and whether the map has that. Only what Windows packed must be
//! unpacked to know.

use std::collections::{HashMap, HashSet};
use std::ops::{ControlFlow, Range};

use unlocked::{Extent, FileId, FileSystem, FullName, Kind, Name, Part, Position, Stored};

use crate::map::Map;

/// A file or folder that is not whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LostFile {
    /// The path from the root, names between `/`, as [`Name::to_bytes`] gives them; `?` for a folder that nobody
    /// knows, and behind a `:` the name of a stream.
    pub path: Vec<u8>,
    /// What is lost.
    pub damage: Damage,
    /// The length of the content, when that is known.
    pub size: Option<u64>,
    /// How many bytes of it are lost, when that is known.
    pub lost: Option<u64>,
    /// No folder that can be read names it: its own record does.
    pub orphan: bool,
}

/// What of a file is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Damage {
    /// Some of its content.
    Content,
    /// What says where its content is.
    Record,
    /// Of a folder: some of the names in it.
    Names,
    /// Something besides the content, such as extended attributes or where a link leads.
    Attributes,
    /// Nothing but its place in a folder.
    Place,
}

/// What was looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Files that folders name.
    pub files: u64,
    /// Folders, the root among them.
    pub folders: u64,
    /// Files and folders that no folder names, but a record does.
    pub orphans: u64,
    /// Records of files or folders that cannot be read. Those that folders name are listed with their names.
    pub lost_records: u64,
}

/// The person stopped it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it was interrupted")]
pub struct Interrupted;

/// Goes through all files and folders, in folders first and then in the records, and hands on those that the
/// map does not have whole. `files` must read through [`Holes`](crate::Holes) with the same map.
///
/// `progress` hears how many were looked at, and may stop.
///
/// # Errors
/// When `progress` stopped it.
pub fn lost_files(
    files: &FileSystem,
    map: &Map,
    found: &mut dyn FnMut(LostFile),
    progress: &mut dyn FnMut(u64) -> ControlFlow<()>,
) -> Result<Summary, Interrupted> {
    let summary = Summary::default();
    let (folders, known, torn, seen) = Default::default();
    let mut walk = Walk { files, map, found, progress, summary, folders, known, torn, seen };
    walk.through_folders()?;
    walk.through_records()?;
    Ok(walk.summary)
}

/// A folder that was found, or is still to be listed.
struct Folder {
    id: FileId,
    /// The one that it is in, by its place in [`Walk::folders`]; the root is in itself.
    within: usize,
    name: Name,
}

struct Walk<'a> {
    files: &'a FileSystem,
    map: &'a Map,
    found: &'a mut dyn FnMut(LostFile),
    progress: &'a mut dyn FnMut(u64) -> ControlFlow<()>,
    summary: Summary,
    folders: Vec<Folder>,
    /// The place of each in the row of folders. A damaged folder can have itself in it.
    known: HashMap<FileId, usize>,
    /// Those of which not all names can be read.
    torn: HashSet<usize>,
    /// The files that folders name.
    seen: HashSet<FileId>,
}

/// No path has more names.
const DEEPEST: usize = 1000;

impl Walk<'_> {
    fn through_folders(&mut self) -> Result<(), Interrupted> {
        self.add_folder(self.files.root(), 0, Name::default());
        let mut next = 0;
        while next < self.folders.len() {
            self.list(next)?;
            next += 1;
        }
        Ok(())
    }

    fn add_folder(&mut self, id: FileId, within: usize, name: Name) -> bool {
        let is_new = !self.known.contains_key(&id);
        if is_new {
            self.known.insert(id, self.folders.len());
            self.folders.push(Folder { id, within, name });
            self.summary.folders += 1;
        }
        is_new
    }

    fn list(&mut self, folder: usize) -> Result<(), Interrupted> {
        let id = self.folders[folder].id;
        let Ok(listing) = self.files.list(id, Position::default()) else {
            self.torn.insert(folder);
            self.say(self.path(folder, Vec::new()), Damage::Record, None, false);
            return Ok(());
        };
        let mut is_whole = true;
        for entry in listing {
            self.go_on()?;
            let Ok(entry) = entry else {
                is_whole = false;
                continue;
            };
            if entry.kind == Kind::Folder {
                // That the record of a folder is lost is seen when it is listed.
                if self.add_folder(entry.id, folder, entry.name.clone())
                    && self.files.stored(entry.id).is_ok()
                {
                    self.look_at(entry.id, &|walk| walk.path(folder, vec![entry.name.to_bytes()]), false)?;
                }
            } else {
                if self.seen.insert(entry.id) {
                    self.summary.files += 1;
                }
                self.look_at(entry.id, &|walk| walk.path(folder, vec![entry.name.to_bytes()]), false)?;
            }
        }
        if !is_whole {
            self.torn.insert(folder);
            self.say(self.path(folder, Vec::new()), Damage::Names, None, false);
        }
        Ok(())
    }

    /// Finds what no folder names, because the part of it that did is lost.
    fn through_records(&mut self) -> Result<(), Interrupted> {
        for record in self.files.records() {
            self.go_on()?;
            let Ok(id) = record else {
                self.summary.lost_records += 1;
                continue;
            };
            if self.seen.contains(&id) || self.known.contains_key(&id) {
                continue;
            }
            if let Some(path) = self.path_by_records(id) {
                self.summary.orphans += 1;
                self.look_at(id, &|_| path.clone(), true)?;
            }
        }
        Ok(())
    }

    fn go_on(&mut self) -> Result<(), Interrupted> {
        let Summary { files, folders, orphans, .. } = self.summary;
        if (self.progress)(files + folders + orphans).is_break() { Err(Interrupted) } else { Ok(()) }
    }

    /// Says what is lost of a file.
    fn look_at(
        &mut self,
        id: FileId,
        path: &dyn Fn(&Self) -> Vec<u8>,
        orphan: bool,
    ) -> Result<(), Interrupted> {
        let Ok(stored) = self.files.stored(id) else {
            self.say(path(self), Damage::Record, None, orphan);
            return Ok(());
        };
        let mut is_whole = true;
        for stored in stored {
            let lost = self.lost_of(id, &stored)?;
            if lost == 0 {
                continue;
            }
            is_whole = false;
            if stored.part == Part::Other {
                self.say(path(self), Damage::Attributes, None, orphan);
                continue;
            }
            let mut path = path(self);
            let size = match stored.part {
                Part::Packed => self.files.stat(id).map_or(stored.size, |stat| stat.size),
                _ => stored.size,
            };
            if stored.part != Part::Packed && !stored.name.is_empty() {
                path.push(b':');
                path.extend(stored.name.to_bytes());
            }
            self.say(path, Damage::Content, Some((size, lost)), orphan);
        }
        if is_whole && orphan {
            let size = self.files.stat(id).ok().map(|stat| (stat.size, 0));
            self.say(path(self), Damage::Place, size, orphan);
        }
        Ok(())
    }

    fn say(&mut self, path: Vec<u8>, damage: Damage, size: Option<(u64, u64)>, orphan: bool) {
        let (size, lost) = size.unzip();
        (self.found)(LostFile { path, damage, size, lost, orphan });
    }

    /// Returns how many bytes of something stored are lost.
    fn lost_of(&mut self, id: FileId, stored: &Stored) -> Result<u64, Interrupted> {
        let unit = match stored.part {
            Part::Content { unit } => unit,
            Part::Packed | Part::Other => 1,
        };
        let mut lost = Lost { unit, limit: stored.written, end: 0, sum: 0 };
        for extent in &stored.extents {
            for missing in missing(self.map, extent) {
                lost.add(missing);
            }
        }
        // A chain that breaks off has lost what would come behind.
        lost.add(stored.extents.last().map_or(0, Extent::end)..stored.written);
        if lost.sum > 0 && stored.part == Part::Packed {
            return self.lost_of_packed(id);
        }
        Ok(lost.sum)
    }

    /// Unpacks a file to find out how many bytes of it are lost.
    fn lost_of_packed(&mut self, id: FileId) -> Result<u64, Interrupted> {
        /// Windows packs programs and libraries: none is longer.
        const LONGEST: u64 = 4 << 30;
        const STEP: usize = 32 << 10;
        let whole = || self.files.stat(id).map_or(0, |stat| stat.size);
        let Some(file) = self.files.open_file(id).ok().filter(|file| file.size() <= LONGEST) else {
            return Ok(whole());
        };
        let (mut lost, mut buf) = (0, vec![0; STEP]);
        for at in (0..file.size()).step_by(STEP) {
            self.go_on()?;
            if file.read_at(at, &mut buf).is_err() {
                lost += (file.size() - at).min(STEP as u64);
            }
        }
        Ok(lost)
    }

    /// Puts the names of folders in front of `names`, which are from the last to the first.
    fn path(&self, mut folder: usize, mut names: Vec<Vec<u8>>) -> Vec<u8> {
        while folder != 0 && names.len() < DEEPEST {
            let Some(found) = self.folders.get(folder) else { break };
            names.push(found.name.to_bytes());
            folder = found.within;
        }
        names.reverse();
        names.join(&b'/')
    }

    /// Returns the path of something that no folder names, as far as records know it; `None` when nothing is lost
    /// of the folder that should name it, so that it was deleted.
    fn path_by_records(&self, id: FileId) -> Option<Vec<u8>> {
        let (mut names, mut above) = (Vec::new(), id);
        while names.len() < DEEPEST {
            match self.files.names(above) {
                Ok(own) => {
                    let FullName { folder, name } = own.into_iter().next()?;
                    names.push(name.to_bytes());
                    above = folder;
                }
                Err(unlocked::Error::NoFile(_)) => return None,
                Err(_) => break,
            }
            if let Some(folder) = self.known.get(&above) {
                return self.torn.contains(folder).then(|| self.path(*folder, names));
            }
        }
        names.push(b"?".to_vec());
        Some(self.path(0, names))
    }
}

/// Returns the parts of an extent that are missing, by their places in the file.
fn missing<'a>(map: &'a Map, extent: &Extent) -> impl Iterator<Item = Range<u64>> + use<'a> {
    let Extent { offset, length, .. } = *extent;
    extent.place.into_iter().flat_map(move |place| {
        let parts = map.missing(place..place.saturating_add(length));
        parts.map(move |part| offset + (part.start - place)..offset + (part.end - place))
    })
}

/// A sum of lost bytes, in whole units; ranges come in order.
struct Lost {
    unit: u64,
    limit: u64,
    /// Up to here everything is counted.
    end: u64,
    sum: u64,
}

impl Lost {
    fn add(&mut self, range: Range<u64>) {
        let start = (range.start / self.unit * self.unit).max(self.end);
        let end = range.end.min(self.limit).div_ceil(self.unit).saturating_mul(self.unit).min(self.limit);
        if range.start < self.limit && start < end {
            self.sum += end - start;
            self.end = end;
        }
    }
}
