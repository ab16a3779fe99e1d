//! Which place of the decrypted volume comes from which place of the encrypted one.

use fve_crypto::SectorCipher;
use zerocopy::little_endian::U64;

use super::vista_patches;
use crate::conversion::{Conversion, Run, Stored};
use crate::error::Error;
use crate::metadata::{Metadata, VERSION_1};
use crate::volume::{State, Volume};

/// Vista leaves sectors 0 to 15 in place and in clear.
const VISTA_FRONT: u64 = 0x2000;
/// No file or device is larger: below it, no sum of a place and a length overflows.
const LARGEST: u64 = i64::MAX as u64;

/// The way from a place in the decrypted volume to how it is stored.
pub(super) struct Map {
    /// The size of the decrypted volume: whole sectors.
    pub(super) size: u64,
    /// Sorted, and whole sectors; each ends where the next starts.
    pieces: Vec<(u64, Option<Extent>)>,
    /// Bytes that take the place of what was read: a few of Vista's boot sector.
    overlays: Vec<(u64, Vec<u8>)>,
}

/// A part of the decrypted volume that is stored in one piece and in one way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Extent {
    /// Its first byte in the decrypted volume.
    pub(super) start: u64,
    /// Where that byte is stored.
    pub(super) physical: u64,
    /// How.
    pub(super) stored: Stored,
}

impl Map {
    pub(super) fn new(
        volume: &Volume,
        metadata: &Metadata,
        cipher: Option<&SectorCipher>,
    ) -> Result<Self, Error> {
        let sector = cipher.map_or(volume.sector_size(), SectorCipher::sector_size).bytes() as u64;
        let size = volume.source().size().min(LARGEST) / sector * sector;
        let vista = metadata.information.version.get() == VERSION_1;
        // On a decrypted volume the structures of its conversion only take room.
        let conversion = match cipher {
            Some(_) => volume.conversion()?,
            None => volume.conversion().unwrap_or_default(),
        };

        let mut runs = stored(volume, metadata, conversion.as_ref(), cipher, size)?;
        if let Some(run) = runs.iter().find(|run| !run.start.is_multiple_of(sector)) {
            return Err(geometry("border of the encrypted part", run.start, "must be at a whole sector"));
        }
        // What is stored behind the end is stored as what lies before it: reading there fails anyway.
        if let Some(last) = runs.last_mut() {
            last.end = u64::MAX;
        }
        let (boot_copy, boot_size) = if vista { (0, 0) } else { relocation(metadata, sector)? };
        let mut zeros = reserved(volume, metadata, conversion.as_ref(), sector)?;
        if boot_size != 0 {
            zeros.push((boot_copy, boot_size));
        }
        zeros.sort_unstable();

        let overlays = if vista { vista_patches(metadata).to_vec() } else { Vec::new() };
        let mut map = Self { size, pieces: Vec::new(), overlays };
        let front = boot_size.min(size);
        map.put(&runs, 0, boot_copy, front);
        let mut at = front;
        for (start, length) in zeros {
            let (start, end) = (start.clamp(at, size), start.saturating_add(length).clamp(at, size));
            map.put(&runs, at, at, start - at);
            if start < end {
                map.pieces.push((start, None));
            }
            at = end;
        }
        map.put(&runs, at, at, size - at);
        Ok(map)
    }

    /// Adds `length` bytes of the decrypted volume from `logical` on, which are stored at `physical`.
    fn put(&mut self, runs: &[Run], logical: u64, physical: u64, length: u64) {
        let end = physical + length;
        let first = runs.partition_point(|run| run.end <= physical);
        for run in runs.iter().skip(first).take_while(|run| run.start < end) {
            let from = run.start.max(physical);
            let start = logical + (from - physical);
            self.pieces.push((start, Some(Extent { start, physical: from, stored: run.stored })));
        }
    }

    /// Returns what is at `offset` (nothing: zeros) and where that ends.
    pub(super) fn at(&self, offset: u64) -> (Option<&Extent>, u64) {
        let next = self.pieces.partition_point(|(start, _)| *start <= offset);
        let end = self.pieces.get(next).map_or(self.size, |(start, _)| *start);
        (next.checked_sub(1).and_then(|n| self.pieces.get(n)?.1.as_ref()), end)
    }

    /// Lays the overlays over what was read at `offset`.
    pub(super) fn overlay(&self, offset: u64, buf: &mut [u8]) {
        let end = offset + buf.len() as u64;
        for (start, bytes) in &self.overlays {
            let (from, to) = ((*start).max(offset), (start + bytes.len() as u64).min(end));
            if from >= to {
                continue;
            }
            let source = &bytes[(from - start) as usize..(to - start) as usize];
            buf[(from - offset) as usize..(to - offset) as usize].copy_from_slice(source);
        }
    }
}

fn geometry(what: &'static str, found: u64, rule: &'static str) -> Error {
    Error::Geometry { what, found, rule }
}

/// Returns how the bytes of the volume are stored, from 0 to at least `size`.
fn stored(
    volume: &Volume,
    metadata: &Metadata,
    conversion: Option<&Conversion>,
    cipher: Option<&SectorCipher>,
    size: u64,
) -> Result<Vec<Run>, Error> {
    let run = |start, end, stored| Run { start, end, stored };
    let Some(cipher) = cipher else { return Ok(vec![run(0, size, Stored::Plain)]) };
    if let Some(conversion) = conversion {
        return conversion.runs(&**volume.source(), cipher, size);
    }
    let information = &metadata.information;
    let state = State::from(information.state.get());
    let vista = information.version.get() == VERSION_1;
    if let State::Unknown(code) = state {
        return Err(geometry("state of the volume", code.into(), "is unknown: so is what is encrypted"));
    }
    let watermark = match information.state_offset.get() {
        _ if vista && state == State::Encrypted => size,
        0 if state == State::Encrypted => size,
        offset => offset.min(size),
    };
    // A conversion log covers the sectors behind the watermark; how they are stored, it alone knows.
    let logged = match state {
        State::Logged => watermark.saturating_add(information.state_size.get().into()).min(size),
        _ => watermark,
    };
    let mut runs = vec![
        run(0, watermark, Stored::Encrypted),
        run(watermark, logged, Stored::Unknown),
        run(logged, size, Stored::Plain),
    ];
    if vista {
        let front = VISTA_FRONT.min(size);
        runs.iter_mut().for_each(|run| run.start = run.start.max(front));
        runs.insert(0, run(0, front, Stored::Plain));
    }
    runs.retain(|run| run.start < run.end);
    Ok(runs)
}

/// Returns place and length of the boot block that was moved to make room for BitLocker's.
fn relocation(metadata: &Metadata, sector: u64) -> Result<(u64, u64), Error> {
    let offset = metadata.information.boot_copy.get();
    let size = match u64::from(metadata.information.relocated_sectors.get()) * sector {
        0 => metadata.virtualization().map_or(0, |(_, size, _)| size),
        size => size,
    };
    if !offset.is_multiple_of(sector) || !size.is_multiple_of(sector) {
        return Err(geometry("place of the boot copy", offset, "must be whole sectors"));
    }
    offset.checked_add(size).filter(|&end| end <= LARGEST).ok_or(geometry(
        "place of the boot copy",
        offset,
        "is beyond any drive",
    ))?;
    Ok((offset, size))
}

/// Returns the areas that read as zeros: start and length.
fn reserved(
    volume: &Volume,
    metadata: &Metadata,
    conversion: Option<&Conversion>,
    sector: u64,
) -> Result<Vec<(u64, u64)>, Error> {
    let version = metadata.information.version.get();
    let region = Metadata::region_size(version) as u64;
    let region = match volume.boot_sector() {
        // Vista reserves whole clusters.
        Some(boot) if version == VERSION_1 => {
            region.next_multiple_of((sector * u64::from(boot.sectors_per_cluster)).max(sector))
        }
        _ => region.next_multiple_of(sector),
    };
    let places = metadata.information.metadata.map(U64::get);
    let mut areas: Vec<_> = places.map(|place| (place, region)).to_vec();
    areas.extend(conversion.into_iter().flat_map(|conversion| conversion.areas(sector)));
    match areas.iter().find(|(place, _)| !place.is_multiple_of(sector)) {
        Some((place, _)) => {
            Err(geometry("place of BitLocker's metadata", *place, "must be at a whole sector"))
        }
        None => Ok(areas),
    }
}
