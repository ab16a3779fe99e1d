//! Ways to a volume of which the boot sector, the metadata or any sector is destroyed.

use std::sync::Arc;

use drives::Source;
use fve::{Error, ReadAt, Snapshot, Unlocked, Volume};
use rescue::{Holes, Map};
use unlocked::{FileId, FileSystem};

use super::{Place, Target, only, resolve, watched};
use crate::cli::Drive;
use crate::failure::{Failure, Kind};
use crate::output::Output;

/// What helps to open a damaged drive.
#[derive(Default)]
pub struct Aids {
    /// Metadata that was saved, and what it is called in messages.
    pub snapshot: Option<(Snapshot, String)>,
    /// The snapshot was not named but found, and may be another drive's.
    pub is_found: bool,
    /// The drive is a copy, and this says what of it was read.
    pub source_map: Option<Map>,
}

/// How a volume was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Way {
    /// By its boot sector.
    BootSector,
    /// By its metadata alone: the boot sector is lost.
    Metadata,
    /// By a snapshot of its metadata.
    Snapshot,
}

/// Opens the only volume on a drive by what is left of it: the boot sector and any copy of the metadata, else the
/// snapshot, which knows where copies may be left, else all of the drive is searched for a copy.
pub fn open_damaged(drive: &Drive, aids: Aids, output: &Output) -> Result<(Target, Way), Failure> {
    let path = resolve(&drive.drive)?;
    let source: Arc<dyn ReadAt> = Arc::new(Source::open_failing(&path)?);
    let source = match aids.source_map {
        Some(map) => Arc::new(Holes::new(source, Arc::new(map))),
        None => source,
    };
    let place = Place::over(source, path, &drive.find)?;
    let failure = if drive.find.scan {
        None
    } else {
        match place.volumes(false) {
            Ok(found) => {
                let named = aids.snapshot.as_ref().filter(|_| !aids.is_found);
                return by_boot_sector(only(found, &drive.drive, output)?, named);
            }
            Err(failure) => Some(failure),
        }
    };
    if let Some((snapshot, name)) = &aids.snapshot {
        match place.with_snapshot(snapshot) {
            Ok(target) => return Ok((target, Way::Snapshot)),
            Err(_) if aids.is_found => {}
            Err(failure) => return Err(failure.about(name)),
        }
    }
    // What is plainly something else is not searched.
    let found = match &failure {
        Some(failure) if failure.kind == Kind::NotBitLocker => place.volumes(true),
        _ => place.search().map(|target| vec![target]),
    };
    match (found, failure) {
        (Ok(found), _) => Ok((only(found, &drive.drive, output)?, Way::Metadata)),
        (Err(found), Some(failure)) if found.kind == Kind::NotBitLocker => {
            Err(if failure.kind == found.kind {
                found.hint(
                    "if it is one whose metadata is destroyed: --snapshot FILE opens it with what \
                     `lastkey backup` saved of that",
                )
            } else {
                failure
            })
        }
        (Err(failure), _) => Err(failure),
    }
}

fn by_boot_sector(target: Target, snapshot: Option<&(Snapshot, String)>) -> Result<(Target, Way), Failure> {
    let own = target.volume.id();
    if let Some((snapshot, name)) = snapshot.filter(|(snapshot, _)| snapshot.volume() != own) {
        let error = Error::OtherSnapshot { snapshot: snapshot.volume(), drive: own };
        return Err(Failure::from(error).about(name));
    }
    let way = if target.found_at.is_some() { Way::Metadata } else { Way::BootSector };
    Ok((target, way))
}

impl Place {
    /// Opens the volume here, or any that the partitions may be, with metadata that was saved.
    fn with_snapshot(&self, snapshot: &Snapshot) -> Result<Target, Failure> {
        let mut places = Vec::new();
        if self.part.is_none() {
            let parts = drives::partitions(&*self.disk).into_iter();
            places.extend(parts.filter_map(|part| self.at(part).ok()));
        }
        let (mut found, mut first_error): (Option<Target>, _) = (None, None);
        for place in places.iter().chain([self]) {
            match Volume::open_with(place.source.clone(), snapshot) {
                Ok(volume) => match &mut found {
                    Some(found) => found.or.push(volume),
                    None => found = Some(place.target(place.converting(volume)?, None)),
                },
                Err(error) => first_error = first_error.or(Some(error)),
            }
        }
        found.ok_or_else(|| {
            first_error.map_or_else(|| Failure::new(Kind::Damaged, "it does not fit"), Failure::from)
        })
    }

    /// Looks for the state of a conversion, when there was one and only the lost boot sector knew where it is.
    pub(super) fn converting(&self, volume: Volume) -> Result<Volume, Failure> {
        if volume.conversion().is_ok() {
            return Ok(volume);
        }
        let source = volume.source().clone();
        let places = watched(&*source, "searching for the state of its conversion", |source, watch| {
            fve::scan_conversion(source, 0, watch)
        });
        let places = places.map_err(|error| Failure::from(error).about(&self.name))?;
        Ok(match places {
            Some(places) => volume.with_conversion(places),
            None => volume,
        })
    }
}

/// Returns whether a volume that was opened by a snapshot is stored in another way than the snapshot says: it was
/// being converted, then or later. What a running conversion knows of itself is asked elsewhere.
pub fn was_converted(unlocked: &Unlocked<'_>) -> bool {
    /// The table of all files of NTFS, and how many of its records are looked at.
    const TABLE: FileId = FileId(1 << 48);
    const LOOKS: u64 = 1000;
    let volume = unlocked.volume();
    if matches!(volume.conversion(), Ok(Some(_))) {
        return false;
    }
    if volume.direction().is_some() {
        return true;
    }
    let Ok(view) = unlocked.view() else { return false };
    let end = view.file_system().and_then(|found| found.size);
    let raw_is = |place: u64, expected: &[u8]| {
        let mut bytes = vec![0; expected.len()];
        volume.source().read_at(place, &mut bytes).is_ok() && bytes == expected
    };
    // The copy of the boot sector is the last that is encrypted, or the first that is decrypted.
    if end.is_some_and(|end| raw_is(end.saturating_sub(512).saturating_add(3), b"NTFS    ")) {
        return true;
    }
    let table = FileSystem::open(Arc::new(view)).and_then(|files| files.open_file(TABLE));
    let extents = table.map(|table| table.extents().to_vec()).unwrap_or_default();
    let length: u64 = extents.iter().map(|extent| extent.length).sum();
    let step = (length / LOOKS).next_multiple_of(4096).max(4096) as usize;
    let places = extents.iter().filter_map(|extent| Some((extent.place?, extent.length)));
    places
        .flat_map(|(place, length)| (place..place.saturating_add(length)).step_by(step))
        .any(|place| raw_is(place, b"FILE"))
}

/// Returns whether an open volume begins with a file system, or ends with the backup of one.
pub fn shows_files(unlocked: &Unlocked<'_>) -> bool {
    unlocked.view().is_ok_and(|view| view.file_system().is_some() || FileSystem::open(Arc::new(view)).is_ok())
}
