//! From what a person typed to the BitLocker volumes on it.

use std::ffi::OsStr;
use std::ops::ControlFlow;
use std::path::{MAIN_SEPARATOR, Path, PathBuf};
use std::sync::Arc;

use drives::{Attached, Part, Partition, ResolveError, Signature, Source};
use fve::{ReadAt, Volume};

use crate::cli::{Drive, Find};
use crate::failure::{Failure, Kind};
use crate::output::Output;
use crate::progress;

mod damaged;

pub use damaged::{Aids, Way, open_damaged, shows_files, was_converted};

/// A BitLocker volume on a drive.
pub struct Target {
    /// What the drive is called in messages.
    pub name: String,
    /// Where the drive is.
    pub path: PathBuf,
    /// The partition of a whole disk.
    pub partition: Option<Partition>,
    /// The boot sector was lost, and the volume was found by its metadata at this byte.
    pub found_at: Option<u64>,
    /// The volume.
    pub volume: Volume,
    /// It may start elsewhere, and under which start there are files, only a key tells: see
    /// [`keys::unlock`](crate::keys::unlock).
    pub or: Vec<Volume>,
}

/// What may be on a drive for a command that reads what is inside.
pub enum Found {
    /// A BitLocker volume.
    BitLocker(Box<Target>),
    /// A file system that is not encrypted.
    Plain(Plain),
}

/// A file system that is not encrypted.
pub struct Plain {
    /// What the drive is called in messages.
    pub name: String,
    /// Where the drive is.
    pub path: PathBuf,
    /// Its bytes.
    pub source: Arc<dyn ReadAt>,
}

/// Opens the only volume on the drive that a command names.
pub fn open(drive: &Drive, output: &Output) -> Result<Target, Failure> {
    only(open_all(&drive.drive, &drive.find)?, &drive.drive, output)
}

/// Opens the only volume on a drive, or the file system there when it is not encrypted.
pub fn find_one(drive: &OsStr, find: &Find, output: &Output) -> Result<Found, Failure> {
    let place = Place::open(resolve(drive)?, find)?;
    match place.look(find) {
        Ok(found) => only(found, drive, output).map(|target| Found::BitLocker(Box::new(target))),
        Err(failure) if failure.kind == Kind::NotBitLocker && place.has_file_system() => {
            Ok(Found::Plain(Plain { name: place.name, path: place.path, source: place.source }))
        }
        Err(failure) => Err(failure),
    }
}

fn only(mut found: Vec<Target>, drive: &OsStr, output: &Output) -> Result<Target, Failure> {
    if found.len() > 1 {
        let numbers: Vec<_> =
            found.iter().filter_map(|target| Some(target.partition.as_ref()?.index.to_string())).collect();
        let (list, options) = (numbers.join(", "), numbers.join(" or --partition "));
        return Err(Failure::new(
            Kind::Usage,
            format!("there are several BitLocker partitions on it: {list}"),
        )
        .about(&Path::new(drive).display().to_string())
        .hint(format!("choose one with --partition {options}")));
    }
    let target =
        found.pop().ok_or_else(|| Failure::new(Kind::NotBitLocker, "there is no BitLocker volume"))?;
    if let Some(at) = target.found_at {
        output.note(format!(
            "note: the boot sector is lost; the volume was found by its metadata, at byte {at}"
        ));
    }
    Ok(target)
}

/// Opens every volume on the drive that a person named; there is at least one.
pub fn open_all(drive: &OsStr, find: &Find) -> Result<Vec<Target>, Failure> {
    Place::open(resolve(drive)?, find)?.look(find)
}

/// Finds the drive that is called so. A path needs no list of the drives.
fn resolve(drive: &OsStr) -> Result<PathBuf, ResolveError> {
    let path = Path::new(drive);
    let Some(text) = drive.to_str() else {
        return Ok(path.into());
    };
    let is_file = text.contains(MAIN_SEPARATOR) && path.is_file();
    drives::resolve(text, &if is_file { Vec::new() } else { drives::attached() })
}

/// Returns whether an attached drive is called so.
pub fn is_attached(drive: &OsStr) -> bool {
    drive.to_str().is_some_and(|text| drives::resolve(text, &drives::attached()).is_ok())
}

/// Opens every volume on an attached drive, without searching it for what is lost.
pub fn open_attached(attached: &Attached) -> Result<Vec<Target>, Failure> {
    let everything = Find { partition: None, scan: false };
    Place::open(attached.path.clone(), &everything)?.volumes(false)
}

/// A drive, or a partition of it.
struct Place {
    name: String,
    path: PathBuf,
    source: Arc<dyn ReadAt>,
    disk: Arc<dyn ReadAt>,
    part: Option<Partition>,
}

impl Place {
    fn open(path: PathBuf, find: &Find) -> Result<Self, Failure> {
        let source = Arc::new(Source::open(&path)?);
        Self::over(source, path, find)
    }

    fn over(source: Arc<dyn ReadAt>, path: PathBuf, find: &Find) -> Result<Self, Failure> {
        let name = path.display().to_string();
        let whole = Self { name, path, source: source.clone(), disk: source, part: None };
        match find.partition {
            Some(number) => whole.partition(number),
            None => Ok(whole),
        }
    }

    /// Opens the volumes here as the command line says.
    fn look(&self, find: &Find) -> Result<Vec<Target>, Failure> {
        if find.scan { Ok(vec![self.search()?]) } else { self.volumes(true) }
    }

    fn has_file_system(&self) -> bool {
        unlocked::FileSystem::open(self.source.clone()).is_ok()
    }

    fn partition(&self, number: u32) -> Result<Self, Failure> {
        let part = drives::partitions(&*self.disk).into_iter().find(|part| part.index == number);
        let part = part.ok_or_else(|| {
            Failure::new(Kind::NotFound, format!("there is no partition {number}")).about(&self.name)
        })?;
        self.at(part)
    }

    fn at(&self, part: Partition) -> Result<Self, Failure> {
        let name = format!("{} partition {}", self.name, part.index);
        let window = Part::new(self.disk.clone(), part.offset, part.size);
        let window =
            window.ok_or_else(|| Failure::new(Kind::Truncated, "it lies beyond the end").about(&name))?;
        let (path, disk) = (self.path.clone(), self.disk.clone());
        Ok(Self { name, path, source: Arc::new(window), disk, part: Some(part) })
    }

    /// Opens the volume that begins here, or those in the partitions; searches if neither is there.
    fn volumes(&self, may_search: bool) -> Result<Vec<Target>, Failure> {
        match Volume::open(self.source.clone()) {
            Ok(volume) => return Ok(vec![self.target(volume, None)]),
            Err(fve::Error::NotBitLocker) => {}
            Err(error) => return Err(Failure::from(error).about(&self.name)),
        }
        if self.part.is_none() {
            let (found, failure) = self.in_partitions();
            match failure {
                _ if !found.is_empty() => return Ok(found),
                Some(failure) => return Err(failure),
                None => {}
            }
        }
        let signature =
            drives::signature(&*self.source).map_err(|error| Failure::from(error).about(&self.name))?;
        let may_be_lost =
            matches!(signature, Signature::Zeros | Signature::Unknown | Signature::Mbr | Signature::Gpt);
        if may_search && may_be_lost {
            match self.search() {
                Ok(target) => return Ok(vec![target]),
                Err(failure) if failure.kind == Kind::NotBitLocker => {}
                Err(failure) => return Err(failure),
            }
        }
        Err(self.is_something_else(signature, may_search && may_be_lost))
    }

    /// Returns the volumes in the partitions, and why one that may be BitLocker's could not be opened.
    fn in_partitions(&self) -> (Vec<Target>, Option<Failure>) {
        let (mut found, mut failure) = (Vec::new(), None);
        for part in drives::partitions(&*self.disk) {
            let volume = self.at(part).and_then(|place| match Volume::open(place.source.clone()) {
                Ok(volume) => Ok(Some(place.target(volume, None))),
                Err(fve::Error::NotBitLocker) => Ok(None),
                Err(error) => Err(Failure::from(error).about(&place.name)),
            });
            match volume {
                Ok(volume) => found.extend(volume),
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        (found, failure)
    }

    fn is_something_else(&self, signature: Signature, searched: bool) -> Failure {
        let what = match signature {
            Signature::TooShort => "this is too short to be a drive".to_owned(),
            Signature::Zeros => "this begins with nothing but zeros, as no BitLocker drive does".to_owned(),
            Signature::Unknown => "this is no BitLocker drive, nor anything else that is known".to_owned(),
            Signature::Mbr | Signature::Gpt => {
                format!("this is {signature}, and none of its partitions is a BitLocker drive")
            }
            other => format!("this is no BitLocker drive, but {other}"),
        };
        let failure = Failure::new(Kind::NotBitLocker, what).about(&self.name);
        match (searched, signature.advice()) {
            (true, _) => failure.hint("all of it was searched for BitLocker metadata, and there is none"),
            (false, Some(advice)) => failure.hint(advice),
            (false, None) if signature == Signature::TooShort => failure,
            (false, None) => failure
                .hint("if it was encrypted by BitLocker once, --scan searches it for what is left of that"),
        }
    }

    /// Searches all of it for metadata.
    fn search(&self) -> Result<Target, Failure> {
        let about = |failure: Failure| failure.about(&self.name);
        let found = watched(&*self.source, "searching for BitLocker metadata", |source, watch| {
            fve::scan(source, 0, watch)
        });
        let found = found.map_err(|error| about(error.into()))?.ok_or_else(|| {
            about(Failure::new(Kind::NotBitLocker, "there is no BitLocker metadata anywhere on it"))
        })?;
        let start = self.part.as_ref().map_or(0, |part| part.offset);
        let volume = self.converting(self.volume_at(start + found.start, &found)?)?;
        let others = found.or.into_iter().flatten();
        let or = others.filter_map(|other| self.volume_at(start + other, &found).ok()).collect();
        Ok(Target { or, ..self.target(volume, Some(start + found.start)) })
    }

    /// Opens the volume that was found, as if it started at this byte of the disk.
    fn volume_at(&self, at: u64, found: &fve::Found) -> Result<Volume, Failure> {
        let about = |failure: Failure| failure.about(&self.name);
        let end = self.part.as_ref().map_or(self.disk.size(), |part| part.offset.saturating_add(part.size));
        let rest = end.saturating_sub(at);
        let window = Part::new(self.disk.clone(), at, found.size.map_or(rest, |size| size.min(rest)));
        let window =
            window.ok_or_else(|| about(Failure::new(Kind::Truncated, "the volume lies beyond the end")))?;
        Volume::open_at(Arc::new(window), found.places).map_err(|error| about(error.into()))
    }

    fn target(&self, volume: Volume, found_at: Option<u64>) -> Target {
        let (name, path) = (self.name.clone(), self.path.clone());
        Target { name, path, partition: self.part.clone(), found_at, volume, or: Vec::new() }
    }
}

/// Runs a search with a progress bar.
fn watched<T>(
    source: &dyn ReadAt,
    what: &'static str,
    search: impl FnOnce(&dyn ReadAt, &mut dyn FnMut(u64) -> ControlFlow<()>) -> T,
) -> T {
    let bar = progress::bytes(source.size(), what);
    let found = search(source, &mut |at| {
        bar.set_position(at);
        ControlFlow::Continue(())
    });
    bar.finish_and_clear();
    found
}

impl Target {
    /// Returns how many bytes are missing at the end of an image, at the least.
    pub fn missing(&self) -> u64 {
        self.volume.least_size().saturating_sub(self.volume.source().size())
    }
}
