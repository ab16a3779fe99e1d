//! The copy, and the map beside it.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use disk_image::Raw;
use drives::Source;
use fve::{ReadAt, WriteAt};
use indicatif::ProgressBar;
use rescue::{Map, Rescue, Status, Stopped, Watch};
use uuid::Uuid;

use crate::drive::Target;
use crate::failure::{self, Failure, Kind, kind_of, reason};
use crate::{interrupt, progress, words};

/// Where everything goes.
pub struct Paths {
    /// The copy.
    pub out: PathBuf,
    /// What of it was read.
    pub map: PathBuf,
    /// The files that are lost.
    pub list: PathBuf,
}

impl Paths {
    /// Names what lies beside the copy.
    pub fn new(out: &Path, map: Option<&Path>) -> Self {
        let map = map.map_or_else(|| with_ending(out, ".map"), Path::to_owned);
        Self { out: out.to_owned(), map, list: with_ending(out, ".lost.txt") }
    }

    /// Refuses what must not be written, before a key is asked for.
    pub fn check(&self) -> Result<(), Failure> {
        let no = |kind, path: &Path, message: &str| Err(Failure::new(kind, message).about(&shown(path)));
        if self.map == self.out {
            return no(Kind::Usage, &self.map, "the map cannot be where the copy is");
        }
        for path in [&self.out, &self.map] {
            if !backup::parent(path).is_dir() {
                return no(Kind::NotFound, path, "there is no such folder");
            }
            if fs::symlink_metadata(path).is_ok_and(|there| !there.is_file()) {
                return no(
                    Kind::AlreadyThere,
                    path,
                    "it is already there, and no file: a copy goes into a new file",
                );
            }
        }
        match (self.out.exists(), self.map.exists()) {
            (false, false) if self.list.exists() => {
                no(Kind::AlreadyThere, &self.list, "it is already there; it was left as it is")
            }
            (true, false) => {
                let message = format!(
                    "it is already there, without a map ({}); it was left as it is",
                    shown(&self.map)
                );
                Err(Failure::new(Kind::AlreadyThere, message)
                    .about(&shown(&self.out))
                    .hint("choose another name"))
            }
            _ => Ok(()),
        }
    }

    /// Refuses a copy on the drive itself, which would overwrite what is to be saved.
    pub fn check_is_elsewhere(&self, drive: &Path) -> Result<(), Failure> {
        for path in [&self.out, &self.map] {
            let layers = drives::lies_on(path);
            if layers.and_then(|layers| drives::same_drive(&layers, drive)).unwrap_or(false) {
                return Err(Failure::new(Kind::Refused, "this is on the drive that is to be rescued")
                    .about(&shown(path))
                    .hint("write to another drive"));
            }
        }
        Ok(())
    }
}

fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(ending);
    name.into()
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

/// A copy that is whole, or becomes so.
pub struct Copy {
    /// Where everything is.
    pub paths: Paths,
    /// What of it was read.
    pub map: Map,
    /// The copy itself.
    pub out: Arc<Out>,
    /// An earlier run began it.
    pub is_resumed: bool,
}

/// The file of a copy: where the volume is empty it takes no room. It is locked as long as it is open.
pub struct Out(Raw);

impl ReadAt for Out {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        self.0.read_at(offset, buf)
    }

    fn size(&self) -> u64 {
        self.0.length()
    }
}

impl WriteAt for Out {
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.0.write_at(offset, bytes)
    }

    fn flush(&self) -> io::Result<()> {
        self.0.sync()
    }
}

impl Copy {
    /// Makes a copy, or goes on with the one that is there if it is of this volume.
    pub fn open(paths: Paths, size: u64, volume: Uuid) -> Result<Self, Failure> {
        let own = format!("Volume: {volume}");
        let is_resumed = paths.map.exists();
        let map = if is_resumed { read(&paths.map, size, &own)? } else { new_map(size, own) };
        let about = |error: &io::Error| failure::about(&paths.out, error);
        let is_new = !paths.out.exists();
        if is_new && map.total(Status::Finished) > 0 {
            let message = "it is gone, but its map says that a part of the drive was copied into it";
            return Err(Failure::new(Kind::NotFound, message)
                .about(&shown(&paths.out))
                .hint(format!("bring it back, or delete {} to begin anew", shown(&paths.map))));
        }
        if !is_resumed {
            // The map first: a copy without one is taken for somebody else's file.
            keep(&paths.map, &map).map_err(|error| failure::about(&paths.map, &error))?;
        }
        let file = if is_new {
            create(&paths.out)
        } else {
            OpenOptions::new().read(true).write(true).open(&paths.out)
        };
        let file = file.map_err(|error| about(&error))?;
        if matches!(file.try_lock(), Err(TryLockError::WouldBlock)) {
            return Err(Failure::new(Kind::Other, "another lastkey is writing it").about(&shown(&paths.out)));
        }
        // One that became shorter afterwards has lost what its map says it has.
        let length = file.metadata().map_err(|error| about(&error))?.len();
        if length != size && (length != 0 || map.total(Status::Finished) != 0) {
            let message =
                format!("it is already there, with {length} bytes instead of {size}; it was left as it is");
            return Err(Failure::new(Kind::AlreadyThere, message).about(&shown(&paths.out)));
        }
        let out = Arc::new(Out(Raw::new(file, size).map_err(|error| about(&error))?));
        Ok(Self { paths, map, out, is_resumed })
    }

    /// Copies what is not there yet.
    pub fn fill(
        &mut self,
        view: &dyn ReadAt,
        sector: u64,
        retries: u32,
        target: &Target,
    ) -> Result<(), Failure> {
        let bar = progress::bytes(self.map.size(), "rescuing");
        bar.set_position(self.map.total(Status::Finished));
        bar.reset_eta();
        let mut watcher = Watcher { bar, map: &self.paths.map, drive: &target.path, unreadable: 0 };
        let rescue = Rescue { source: view, out: &*self.out, sector, retries };
        let result = rescue.run(&mut self.map, &mut watcher);
        watcher.bar.finish_and_clear();
        result.map_err(|stopped| self.stopped(&stopped, target))
    }

    fn stopped(&self, stopped: &Stopped, target: &Target) -> Failure {
        let read = words::percent(self.map.total(Status::Finished), self.map.size());
        let failure = match stopped {
            Stopped::Gone => Failure::new(Kind::Unreachable, "the drive is gone").about(&target.name),
            Stopped::Writing(error) => {
                Failure::new(kind_of(error), reason(error)).about(&shown(&self.paths.out))
            }
            Stopped::Keeping(error) => {
                Failure::new(kind_of(error), reason(error)).about(&shown(&self.paths.map))
            }
            _ => Failure::new(
                Kind::Interrupted,
                format!("interrupted: {read} read, and what is lost is in the map"),
            ),
        };
        failure.hint("the same command goes on where this one stopped")
    }

    /// Removes the list of an earlier run when there is no newer one.
    pub fn forget_old_list(&self, is_new: bool) {
        if self.is_resumed && !is_new && self.map.is_complete() {
            let _ = fs::remove_file(&self.paths.list);
        }
    }
}

fn new_map(size: u64, own: String) -> Map {
    let mut map = Map::new(size);
    map.comments = vec![
        format!("Mapfile. Created by lastkey {}", env!("CARGO_PKG_VERSION")),
        "Positions are those of the decrypted volume, not of the drive.".to_owned(),
        own,
    ];
    map
}

/// Reads the map of an earlier run.
fn read(path: &Path, size: u64, own: &str) -> Result<Map, Failure> {
    let bytes = fs::read(path).map_err(|error| failure::about(path, &error))?;
    let other = |why: String| {
        Err(Failure::new(Kind::AlreadyThere, format!("{why}; it was left as it is"))
            .about(&shown(path))
            .hint("choose another name for the copy, or another --map"))
    };
    match Map::parse(&bytes) {
        Err(error) => other(format!("it is already there, and no map: {error}")),
        Ok(map) if !map.comments.iter().any(|comment| comment == own) => {
            other("it is already there, and the map of something else".to_owned())
        }
        Ok(map) if map.size() != size => other(format!(
            "it is already there, and the map of {} bytes, but the volume has {size} (where is the rest?)",
            map.size()
        )),
        Ok(map) => Ok(map),
    }
}

/// Makes a file for what was secret, for its owner alone.
fn create(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Writes the map so that at any moment a whole one is there.
fn keep(path: &Path, map: &Map) -> io::Result<()> {
    replace(path, |out| write!(out, "{map}"))
}

/// Writes a file anew, and lets it take the place of the old one when it is on the medium.
pub fn replace(path: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let new = with_ending(path, ".lastkey-new");
    // What a killed process left.
    if let Err(error) = fs::remove_file(&new)
        && error.kind() != io::ErrorKind::NotFound
    {
        return Err(error);
    }
    let write = || {
        let mut out = io::BufWriter::new(create(&new)?);
        write(&mut out)?;
        out.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
        fs::rename(&new, path)
    };
    write().inspect_err(|_| _ = fs::remove_file(&new))
}

struct Watcher<'a> {
    bar: ProgressBar,
    map: &'a Path,
    drive: &'a Path,
    unreadable: u64,
}

impl Watch for Watcher<'_> {
    fn at(&mut self, map: &Map) -> ControlFlow<()> {
        self.bar.set_position(map.total(Status::Finished));
        if self.unreadable != map.unreadable() {
            self.unreadable = map.unreadable();
            self.bar.set_message(format!("rescuing, {} not readable so far", words::size(self.unreadable)));
        }
        if interrupt::asked() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    fn keep(&mut self, map: &Map) -> io::Result<()> {
        keep(self.map, map)
    }

    fn is_gone(&mut self) -> bool {
        Source::open(self.drive).is_err()
    }
}
