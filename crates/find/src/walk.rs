//! A search through folders: every file is read once, on all processors.

mod file;
mod queue;

use std::collections::{HashMap, HashSet};
use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use recovery_key::document::FoundSecret;
use recovery_key::{DigitsError, KeyIdPrefix};

use crate::forms::{Contents, Form, Readers};
use crate::{Report, Unread, UnreadCount};
use file::{FileId, Files, How};
use queue::{Queue, Work};

/// More keys than this are counted, not kept: a directory of a very large company has fewer.
const KEY_LIMIT: usize = 2_000_000;
/// More wrong digits tell nobody anything.
const WRONG_LIMIT: usize = 1000;
/// The files that one worker takes at a time.
const BATCH: usize = 128;
/// More workers than this wait for one another.
const WORKER_LIMIT: usize = 32;

/// Where and how to search.
#[derive(Clone, Debug)]
pub struct Search {
    /// Folders and files.
    pub roots: Vec<PathBuf>,
    /// Follow links to folders and files; no folder is entered twice.
    pub follow_links: bool,
    /// Enter folders on other file systems than the one that the search began on.
    pub other_file_systems: bool,
    /// Leave out larger files than this, in bytes.
    pub largest: u64,
    /// What reads the forms that this crate does not know.
    pub readers: Readers,
}

impl Search {
    /// Files above this are images of drives and films: reading them takes longer than all else.
    pub const LARGEST: u64 = 1 << 30;

    /// A search below these folders, within their file systems.
    pub fn new(roots: Vec<PathBuf>) -> Self {
        let (follow_links, other_file_systems) = (false, false);
        Self { roots, follow_links, other_file_systems, largest: Self::LARGEST, readers: Readers::default() }
    }

    /// Searches. `watch` is told, from many threads, how many files have been read, and may stop it.
    pub fn run(&self, watch: &(dyn Fn(u64) -> ControlFlow<()> + Sync)) -> Findings {
        let queue = Queue::new();
        let (mut all, mut entered) = (Findings::default(), HashSet::new());
        for root in distinct(&self.roots) {
            match fs::metadata(&root) {
                Ok(data) if data.is_dir() => {
                    entered.extend(FileId::of(&root, &data));
                    queue.push(Work::Folder { device: file::device(&data), path: root });
                }
                Ok(_) => {
                    let (folder, name) = (root.parent().unwrap_or(Path::new("")), root.file_name());
                    let names = name.map(OsString::from).into_iter().collect();
                    queue.push(Work::Files { folder: folder.into(), names });
                }
                Err(error) => all.add_unread(Place::from(root), Unread::from(&error)),
            }
        }
        let shared = Shared {
            search: self,
            queue: &queue,
            watch,
            files: AtomicU64::new(0),
            entered: Mutex::new(entered),
            large: Mutex::new(()),
        };
        let workers = thread::available_parallelism().map_or(1, usize::from).min(WORKER_LIMIT);
        queue.expect(workers);
        let found = thread::scope(|scope| {
            let started: Vec<_> = (0..workers).map(|_| scope.spawn(|| Worker::new(&shared).work())).collect();
            started.into_iter().map(|worker| worker.join()).collect::<Vec<_>>()
        });
        for findings in found {
            match findings {
                Ok(findings) => all.merge(findings),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        all.stopped = queue.is_stopped();
        all.sort();
        all
    }
}

/// Returns the real paths, none of them inside another.
fn distinct(roots: &[PathBuf]) -> Vec<PathBuf> {
    let mut real: Vec<_> =
        roots.iter().map(|root| (fs::canonicalize(root).unwrap_or_else(|_| root.clone()), root)).collect();
    real.sort();
    real.dedup_by(|later, earlier| later.0.starts_with(&earlier.0));
    // As they were typed: on Windows real paths are hard to read.
    real.into_iter().map(|(_, root)| root.clone()).collect()
}

/// Where a key was found.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The file, or whatever else it was found in.
    pub path: Arc<Path>,
    /// Where in an archive.
    pub inside: Option<Arc<str>>,
}

impl From<PathBuf> for Place {
    fn from(path: PathBuf) -> Self {
        Self { path: path.into(), inside: None }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.path.display().fmt(f)?;
        self.inside.as_ref().map_or(Ok(()), |inside| write!(f, ": {inside}"))
    }
}

/// A key, and where it was found.
#[derive(Debug)]
pub struct Finding {
    /// Where.
    pub place: Place,
    /// The form of the document.
    pub form: Form,
    /// The key ID that stands with it, or as much of it as is left.
    pub key_id: Option<KeyIdPrefix>,
    /// The key.
    pub secret: FoundSecret,
    file: Option<FileId>,
}

/// Digits that look like a recovery key and are none.
#[derive(Debug)]
pub struct WrongDigits {
    /// Where.
    pub place: Place,
    /// The key ID that stands with them.
    pub key_id: Option<KeyIdPrefix>,
    /// What is wrong; its text shows no digits.
    pub error: DigitsError,
}

/// What a search found.
#[derive(Debug, Default)]
pub struct Findings {
    /// The keys, in the order of their places.
    pub keys: Vec<Finding>,
    /// Digits that look like a recovery key and are none.
    pub wrong: Vec<WrongDigits>,
    /// What was not searched, the most frequent reason first.
    pub unread: Vec<UnreadCount<Place>>,
    /// How many files were looked at.
    pub files: u64,
    /// How many bytes of them were read.
    pub bytes: u64,
    /// How many folders were entered.
    pub folders: u64,
    /// How many keys were found beyond those that are kept.
    pub more_keys: u64,
    /// Whether the search was stopped before its end.
    pub stopped: bool,
}

impl Findings {
    /// Adds what is in a document that was not on the way: from a directory, or a database that was opened.
    pub fn add(&mut self, place: &Place, name: &str, bytes: &[u8], readers: &Readers) {
        self.contents(&place.path, place.inside.as_deref(), None, crate::forms::read(name, bytes, readers));
        self.sort();
    }

    /// Takes a file back from those that were not read: it was opened, and what is in it was added.
    pub fn opened(&mut self, why: Unread, place: &Place) {
        let count = self.count_of(why);
        count.examples.retain(|example| example != place);
        count.count = count.count.saturating_sub(1);
        self.unread.retain(|count| count.count != 0);
    }

    /// Groups the keys by key ID.
    pub fn report(self) -> Report {
        Report::of(self.keys)
    }

    fn contents(&mut self, path: &Arc<Path>, outer: Option<&str>, file: Option<FileId>, contents: Contents) {
        let place = |inside: Option<Arc<str>>| Place {
            path: path.clone(),
            inside: match (outer, inside) {
                (Some(outer), Some(inside)) => Some(format!("{outer}: {inside}").into()),
                (outer, inside) => inside.or(outer.map(Arc::from)),
            },
        };
        for found in contents.keys {
            if self.keys.len() >= KEY_LIMIT {
                self.more_keys += 1;
                continue;
            }
            let (form, key_id, secret) = (found.form, found.key_id, found.secret);
            self.keys.push(Finding { place: place(found.inside), form, key_id, secret, file });
        }
        let room = WRONG_LIMIT.saturating_sub(self.wrong.len());
        self.wrong.extend(contents.wrong.into_iter().take(room).map(|wrong| WrongDigits {
            place: place(wrong.inside),
            key_id: wrong.key_id,
            error: wrong.error,
        }));
        for (inside, why) in contents.unread {
            self.add_unread(place(inside), why);
        }
    }

    /// Adds something that could not be read.
    pub fn add_unread(&mut self, place: Place, why: Unread) {
        self.count_of(why).add(place);
    }

    fn count_of(&mut self, why: Unread) -> &mut UnreadCount<Place> {
        let at = self.unread.iter().position(|count| count.why == why).unwrap_or_else(|| {
            self.unread.push(UnreadCount::new(why));
            self.unread.len() - 1
        });
        &mut self.unread[at]
    }

    fn merge(&mut self, other: Self) {
        self.keys.extend(other.keys);
        let room = WRONG_LIMIT.saturating_sub(self.wrong.len());
        self.wrong.extend(other.wrong.into_iter().take(room));
        other.unread.into_iter().for_each(|count| self.count_of(count.why).merge(count));
        self.files += other.files;
        self.bytes += other.bytes;
        self.folders += other.folders;
        self.more_keys += other.more_keys;
    }

    /// Brings everything into the order of places, and takes a file with two names as the one copy it is.
    fn sort(&mut self) {
        self.keys.sort_by(|a, b| a.place.cmp(&b.place));
        self.wrong.sort_by(|a, b| a.place.cmp(&b.place));
        self.unread.sort_by_key(|count| (std::cmp::Reverse(count.count), count.why));
        self.unread.iter_mut().for_each(|count| count.examples.sort());
        let mut first: HashMap<FileId, Arc<Path>> = HashMap::new();
        self.keys.retain(|key| {
            let Some(file) = key.file else { return true };
            *first.entry(file).or_insert_with(|| key.place.path.clone()) == key.place.path
        });
    }
}

/// What the workers share.
struct Shared<'s> {
    search: &'s Search,
    queue: &'s Queue,
    watch: &'s (dyn Fn(u64) -> ControlFlow<()> + Sync),
    files: AtomicU64,
    /// The folders that were entered, when links are followed.
    entered: Mutex<HashSet<FileId>>,
    /// Held while a large file is in memory: one at a time.
    large: Mutex<()>,
}

struct Worker<'s> {
    shared: &'s Shared<'s>,
    files: Files,
    findings: Findings,
}

impl<'s> Worker<'s> {
    fn new(shared: &'s Shared<'s>) -> Self {
        Self { shared, files: Files::new(), findings: Findings::default() }
    }

    fn work(mut self) -> Findings {
        while let Some(work) = self.shared.queue.next() {
            match work {
                Work::Folder { path, device } => self.folder(path, device),
                Work::Files { folder, names } => self.batch(&folder, names),
            }
        }
        self.findings
    }

    fn folder(&mut self, path: PathBuf, device: Option<u64>) {
        let entries = match fs::read_dir(&path) {
            Ok(entries) => entries,
            Err(error) => return self.findings.add_unread(path.into(), Unread::from(&error)),
        };
        self.findings.folders += 1;
        let folder: Arc<Path> = path.into();
        let mut names = Vec::new();
        for entry in entries {
            let entry = match entry {
                Ok(entry) => entry,
                Err(error) => {
                    self.findings.add_unread(folder.to_path_buf().into(), Unread::from(&error));
                    break;
                }
            };
            let Ok(kind) = entry.file_type() else { continue };
            if kind.is_symlink() {
                self.link(&entry.path(), device);
            } else if kind.is_dir() {
                self.enter(entry.path(), device);
            } else if kind.is_file() {
                if file::is_in_the_cloud(&entry) {
                    self.findings.add_unread(entry.path().into(), Unread::InTheCloud);
                    continue;
                }
                names.push(entry.file_name());
                if names.len() == BATCH {
                    let names = std::mem::take(&mut names);
                    // Where others have enough to do, nothing is put aside: the queue stays short.
                    if self.shared.queue.is_full() {
                        self.batch(&folder, names);
                    } else {
                        self.shared.queue.push(Work::Files { folder: folder.clone(), names });
                    }
                }
            }
            if self.shared.queue.is_stopped() {
                return;
            }
        }
        self.batch(&folder, names);
    }

    /// Enters a folder later, if it is to be entered.
    fn enter(&mut self, path: PathBuf, device: Option<u64>) {
        let search = self.shared.search;
        if search.follow_links || !search.other_file_systems && device.is_some() {
            let data = match fs::metadata(&path) {
                Ok(data) => data,
                Err(error) => return self.findings.add_unread(path.into(), Unread::from(&error)),
            };
            if !search.other_file_systems && device.is_some() && file::device(&data) != device {
                return self.findings.add_unread(path.into(), Unread::OtherFileSystem);
            }
            if search.follow_links && !self.is_new(&path, &data) {
                return;
            }
        }
        self.shared.queue.push(Work::Folder { path, device });
    }

    fn link(&mut self, path: &Path, device: Option<u64>) {
        if !self.shared.search.follow_links {
            return self.findings.add_unread(path.to_owned().into(), Unread::Link);
        }
        match fs::metadata(path) {
            Ok(data) if data.is_dir() => self.enter(path.to_owned(), device),
            Ok(data) if data.is_file() => {
                if let (Some(folder), Some(name)) = (path.parent(), path.file_name()) {
                    self.batch(&folder.into(), vec![name.to_owned()]);
                }
            }
            Ok(_) => {}
            // A link to nothing is nothing.
            Err(_) => {}
        }
    }

    fn is_new(&self, path: &Path, data: &fs::Metadata) -> bool {
        let Some(id) = FileId::of(path, data) else { return true };
        self.shared.entered.lock().unwrap_or_else(PoisonError::into_inner).insert(id)
    }

    fn batch(&mut self, folder: &Arc<Path>, names: Vec<OsString>) {
        for name in names {
            if self.shared.queue.is_stopped() {
                return;
            }
            self.one(&folder.join(&name), &name.to_string_lossy());
            let count = self.shared.files.fetch_add(1, Ordering::Relaxed) + 1;
            if (self.shared.watch)(count).is_break() {
                self.shared.queue.stop();
            }
        }
    }

    fn one(&mut self, path: &Path, name: &str) {
        self.findings.files += 1;
        let shared = self.shared;
        let go_on = || (shared.watch)(shared.files.load(Ordering::Relaxed)).is_continue();
        let (largest, readers) = (shared.search.largest, &shared.search.readers);
        let read =
            self.files.read(path, name, &How { largest, readers, large: &shared.large, go_on: &go_on });
        self.findings.bytes += read.bytes;
        match read.result {
            Ok(contents) if contents.is_empty() => {}
            Ok(contents) => self.findings.contents(&path.into(), None, read.id, contents),
            Err(why) => self.findings.add_unread(path.to_owned().into(), why),
        }
    }
}

#[cfg(test)]
mod tests;
