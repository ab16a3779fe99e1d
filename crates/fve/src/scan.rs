//! Finding a volume whose boot sector is lost, by its metadata.

use std::cmp::Reverse;
use std::ops::ControlFlow;

use zerocopy::little_endian::U64;

use crate::boot_sector::{self, BootSector};
use crate::conversion::descriptor::{self, Descriptor};
use crate::error::Error;
use crate::io::{self, ReadAt};
use crate::metadata::{Metadata, SIGNATURE, VERSION_2};

/// A volume that was found by its metadata.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// Where the volume starts, in bytes from the start of what was scanned.
    pub start: u64,
    /// Where it may start instead: with one copy of the metadata left, nobody knows which it was.
    pub or: [Option<u64>; 2],
    /// Where its metadata lies, from the start of the volume.
    pub places: [u64; 3],
    /// The size of the volume, when the metadata knows it.
    pub size: Option<u64>,
    /// How many of the three copies were found at their places.
    pub copies: usize,
}

/// What is looked for begins at a whole sector, and sectors have at least this many bytes.
const STEP: usize = 512;
const CHUNK: usize = 1 << 20;
/// What is passed over where the source cannot be read.
const UNREADABLE: usize = 4096;

/// Looks for the metadata of volumes and returns the first volume found from `from` on.
///
/// Metadata says where all three copies lie from the start of the volume, but not which of them it
/// is. The start that has most of the copies where they should be is taken; of several the one with a
/// BitLocker boot sector, then 0, then a whole MiB or track of 63 sectors, where partitions begin. A
/// key tells for sure: under the wrong start the view holds no file system. `progress` hears how
/// many bytes were looked at, and may stop.
///
/// # Errors
/// When the source cannot be read at all. Sectors that cannot be read are passed over.
pub fn scan(
    source: &dyn ReadAt,
    from: u64,
    progress: impl FnMut(u64) -> ControlFlow<()>,
) -> Result<Option<Found>, Error> {
    search(source, from, &SIGNATURE, |place| identify(source, place), progress)
}

/// Looks for the two descriptors of a running conversion from `from` on, and returns their places.
///
/// Needed besides [`scan`] when a conversion was running: see [`crate::Volume::with_conversion`].
/// `source` must begin where the volume begins, because places are counted from there.
///
/// # Errors
/// When the source cannot be read at all. Sectors that cannot be read are passed over.
pub fn scan_conversion(
    source: &dyn ReadAt,
    from: u64,
    progress: impl FnMut(u64) -> ControlFlow<()>,
) -> Result<Option<[u64; 2]>, Error> {
    let identify = |place| {
        let found = Descriptor::read(source, place)?;
        found.places.contains(&place).then_some(found.places)
    };
    search(source, from, &descriptor::SIGNATURE, identify, progress)
}

fn search<T>(
    source: &dyn ReadAt,
    from: u64,
    signature: &[u8],
    identify: impl Fn(u64) -> Option<T>,
    mut progress: impl FnMut(u64) -> ControlFlow<()>,
) -> Result<Option<T>, Error> {
    let mut buf = vec![0; CHUNK];
    let mut at = from / STEP as u64 * STEP as u64;
    let (mut read_any, mut error) = (false, None);
    while at < source.size() {
        let length = usize::try_from(source.size() - at).map_or(CHUNK, |left| left.min(CHUNK));
        let chunk = &mut buf[..length];
        match source.read_at(at, chunk) {
            Ok(()) => read_any = true,
            Err(first) => {
                for (place, piece) in (at..).step_by(UNREADABLE).zip(chunk.chunks_mut(UNREADABLE)) {
                    match source.read_at(place, piece) {
                        Ok(()) => read_any = true,
                        Err(_) => piece.fill(0),
                    }
                }
                error = error.or(Some(Error::Read { what: "drive", offset: at, source: first }));
            }
        }
        let hits = chunk.chunks(STEP).enumerate().filter(|(_, sector)| sector.starts_with(signature));
        for (n, _) in hits {
            if let Some(found) = identify(at + (n * STEP) as u64) {
                return Ok(Some(found));
            }
        }
        at += length as u64;
        if progress(at).is_break() {
            return Ok(None);
        }
    }
    match error {
        Some(error) if !read_any => Err(error),
        _ => Ok(None),
    }
}

/// Returns the volume that the metadata at `place` belongs to, if it is whole.
fn identify(source: &dyn ReadAt, place: u64) -> Option<Found> {
    let read = |place| {
        let (region, _) = io::read_before_damage(source, place, Metadata::region_size(VERSION_2));
        Metadata::parse(&region).ok()
    };
    let metadata = read(place)?;
    let information = &metadata.information;
    let places = information.metadata.map(U64::get);
    let guid = metadata.dataset.guid;
    let size = Some(information.state_offset.get()).filter(|&size| information.state.get() == 4 && size != 0);
    let mut starts: Vec<_> = places
        .iter()
        .filter_map(|own| place.checked_sub(*own))
        .map(|start| {
            let there = |own: &&u64| {
                start
                    .checked_add(**own)
                    .is_some_and(|at| at == place || read(at).is_some_and(|other| other.dataset.guid == guid))
            };
            (rank(source, start, size.unwrap_or(0), places.iter().filter(there).count()), start)
        })
        .collect();
    starts.sort_unstable_by_key(|(rank, start)| Reverse((*rank, *start)));
    starts.dedup_by_key(|(_, start)| *start);
    let (best, start) = *starts.first()?;
    let other = |n: usize| starts.get(n).filter(|(rank, _)| rank.copies == best.copies).map(|found| found.1);
    Some(Found { start, or: [other(1), other(2)], places, size, copies: best.copies })
}

/// How likely a start is, what counts most first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    copies: usize,
    boot_sector: bool,
    fits: bool,
    first: bool,
    aligned: bool,
    /// 63 sectors, where partitions began before Vista.
    track: bool,
}

fn rank(source: &dyn ReadAt, start: u64, size: u64, copies: usize) -> Rank {
    let sector = io::read_up_to(source, start, boot_sector::LENGTH).unwrap_or_default();
    Rank {
        copies,
        boot_sector: sector.first_chunk().is_some_and(|sector| BootSector::parse(sector).is_some()),
        fits: start.checked_add(size).is_some_and(|end| end <= source.size()),
        first: start == 0,
        aligned: start.is_multiple_of(1 << 20),
        track: start.is_multiple_of(63 * 512),
    }
}
