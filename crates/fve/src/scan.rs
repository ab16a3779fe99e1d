//! Finding a volume whose boot sector is lost, by its metadata.

use std::ops::ControlFlow;

use zerocopy::little_endian::U64;

use crate::error::Error;
use crate::io::ReadAt;
use crate::metadata::{Metadata, SIGNATURE, VERSION_2};

/// A volume that was found by its metadata.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// Where the volume starts, in bytes from the start of what was scanned.
    pub start: u64,
    /// Where its metadata lies, from the start of the volume.
    pub places: [u64; 3],
    /// The size of the volume, when the metadata knows it.
    pub size: Option<u64>,
    /// How many of the three copies were found at their places.
    pub copies: usize,
}

/// Metadata begins at a whole sector, and sectors have at least this many bytes.
const STEP: usize = 512;
const CHUNK: usize = 1 << 20;

/// Looks for the metadata of volumes and returns the first volume found from `from` on.
///
/// Metadata says where all three copies lie from the start of the volume, but not which of them it
/// is; the start that has most of the copies where they should be is taken, then 0, then one at a
/// whole MiB, where partitions begin. `progress` hears how many bytes were looked at, and may stop.
///
/// # Errors
/// When the source cannot be read. Sectors that cannot be read are passed over.
pub fn scan(
    source: &dyn ReadAt,
    from: u64,
    mut progress: impl FnMut(u64) -> ControlFlow<()>,
) -> Result<Option<Found>, Error> {
    let mut buf = vec![0; CHUNK];
    let mut at = from / STEP as u64 * STEP as u64;
    let (mut read_any, mut error) = (false, None);
    while at < source.size() {
        let length = usize::try_from(source.size() - at).map_or(CHUNK, |left| left.min(CHUNK));
        let chunk = &mut buf[..length];
        match source.read_at(at, chunk) {
            Ok(()) => {
                read_any = true;
                let hits =
                    chunk.chunks(STEP).enumerate().filter(|(_, sector)| sector.starts_with(&SIGNATURE));
                for (n, _) in hits {
                    if let Some(found) = identify(source, at + (n * STEP) as u64) {
                        return Ok(Some(found));
                    }
                }
            }
            Err(source) => error = error.or(Some(Error::Read { what: "drive", offset: at, source })),
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
        let region = crate::io::read_up_to(source, place, Metadata::region_size(VERSION_2)).ok()?;
        Metadata::parse(&region).ok()
    };
    let metadata = read(place)?;
    let places = metadata.information.metadata.map(U64::get);
    let guid = metadata.dataset.guid;
    let candidates = places.iter().filter_map(|own| place.checked_sub(*own)).map(|start| {
        let there = |own: &&u64| {
            start
                .checked_add(**own)
                .is_some_and(|at| at == place || read(at).is_some_and(|other| other.dataset.guid == guid))
        };
        (places.iter().filter(there).count(), start)
    });
    let (copies, start) =
        candidates.max_by_key(|(copies, start)| (*copies, *start == 0, start.is_multiple_of(1 << 20)))?;
    let size = Some(metadata.information.state_offset.get())
        .filter(|&size| metadata.information.state.get() == 4 && size != 0);
    Some(Found { start, places, size, copies })
}
