//! Conversions that run while the volume is in use (Windows 8 and later, "encrypt on write").
//!
//! A descriptor lists regions that tile the volume. Each region has a bitmap, one bit for a chunk of
//! it counted from the region's start: 1 is ciphertext, 0 plaintext. Each region also has a log: while a
//! chunk is being converted, it holds the first 16 bytes of each of the chunk's sectors as they were
//! before, so that after a crash one can tell sector by sector what has been converted. (Seen on a
//! real drive that was being decrypted: re-encrypting the chunk's sectors gives the log's bytes.)
//!
//! These structures exist only while the boot sector carries [`crate::boot_sector::CONVERTING`].

use fve_crypto::SectorCipher;

use crate::io::ReadAt;
use crate::{Error, io};

pub mod bitmap;
pub mod descriptor;
pub mod log;

use bitmap::Bitmap;
use descriptor::Descriptor;
use log::LogRecord;

/// More chunks than any volume has: 16 million of 8 MiB are 128 TiB.
const MAX_CHUNKS: u64 = 1 << 24;

/// The structures of a conversion.
#[derive(Debug)]
pub struct Conversion {
    /// What lists the regions.
    pub descriptor: Descriptor,
    /// The regions, sorted by their place.
    pub regions: Vec<Region>,
}

/// A region and the state of its chunks.
#[derive(Debug)]
pub struct Region {
    /// Where the bitmap lies, in bytes from the start of the volume.
    pub bitmap_at: u64,
    /// The bitmap.
    pub bitmap: Bitmap,
    /// The chunk that was being converted when the volume was last written, if any.
    pub in_flight: Option<LogRecord>,
}

/// How the sectors of a range of the volume are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stored {
    /// As ciphertext.
    Encrypted,
    /// As plaintext.
    Plain,
    /// Nobody can tell, so nobody shall read it.
    Unknown,
}

/// A range of the volume, in bytes, that is stored in one way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// Its first byte.
    pub start: u64,
    /// The byte behind its last.
    pub end: u64,
    /// How it is stored.
    pub stored: Stored,
}

impl Conversion {
    /// Reads the structures; `places` are the two descriptors' places from the boot sector.
    pub fn read(source: &dyn ReadAt, places: [u64; 2]) -> Result<Self, Error> {
        let descriptor = places
            .iter()
            .filter_map(|&place| {
                Descriptor::parse(&io::read_up_to(source, place, Descriptor::MAX_SIZE).ok()?)
            })
            .next()
            .ok_or(Error::Conversion {
                what: "descriptor",
                offset: places[0],
                problem: "is destroyed in both copies",
            })?;
        let mut regions = Vec::with_capacity(descriptor.bitmaps.len());
        let mut chunks = 0;
        for &bitmap_at in &descriptor.bitmaps {
            let region = Region::read(source, bitmap_at, &descriptor)?;
            chunks += u64::from(region.bitmap.bits);
            if chunks > MAX_CHUNKS {
                return Err(region.damaged("counts more chunks than a volume has"));
            }
            regions.push(region);
        }
        regions.sort_by_key(|region| region.bitmap.start);
        if let Some(pair) = regions.windows(2).find(|pair| pair[0].bitmap.end() > pair[1].bitmap.start) {
            return Err(pair[1].damaged("overlaps the region before it"));
        }
        Ok(Self { descriptor, regions })
    }

    /// Returns the areas that the structures themselves occupy: start and length in bytes.
    pub fn areas(&self, sector_size: u64) -> Vec<(u64, u64)> {
        let descriptor = u64::from(self.descriptor.size).next_multiple_of(sector_size);
        let mut areas: Vec<_> = self.descriptor.places.iter().map(|&place| (place, descriptor)).collect();
        for region in &self.regions {
            areas.push((region.bitmap_at, u64::from(region.bitmap.size)));
            areas.push((region.bitmap.log_at, u64::from(self.descriptor.log_size)));
        }
        areas
    }

    /// Returns how much of the regions is ciphertext, in bytes, and their total length.
    pub fn progress(&self) -> (u64, u64) {
        self.regions.iter().fold((0, 0), |(encrypted, total), region| {
            let own: u64 = region
                .chunks(self.descriptor.chunk)
                .filter(|run| run.stored == Stored::Encrypted)
                .map(|run| run.end - run.start)
                .sum();
            (encrypted + own, total + region.bitmap.length)
        })
    }

    /// Returns how each part of a volume of `size` bytes is stored, without gaps, merged.
    ///
    /// Parts in no region (metadata lies there) count as encrypted. Chunks in flight are told apart
    /// sector by sector with the help of `cipher`.
    pub fn runs(&self, source: &dyn ReadAt, cipher: &SectorCipher, size: u64) -> Result<Vec<Run>, Error> {
        if self.descriptor.sector as usize != cipher.sector_size().bytes() {
            return Err(Error::Geometry {
                what: "sector size of the conversion",
                found: u64::from(self.descriptor.sector),
                rule: "is not the volume's",
            });
        }
        let mut runs = Vec::new();
        let mut at = 0;
        for region in &self.regions {
            push(&mut runs, Run { start: at, end: region.bitmap.start, stored: Stored::Encrypted });
            for chunk in region.chunks(self.descriptor.chunk) {
                match region.in_flight.as_ref().filter(|flight| flight.offset == chunk.start) {
                    None => push(&mut runs, chunk),
                    Some(flight) => {
                        flight
                            .tell_apart(source, cipher, chunk)?
                            .into_iter()
                            .for_each(|run| push(&mut runs, run));
                    }
                }
            }
            at = region.bitmap.end();
        }
        push(&mut runs, Run { start: at, end: size.max(at), stored: Stored::Encrypted });
        Ok(runs)
    }
}

impl Region {
    fn read(source: &dyn ReadAt, bitmap_at: u64, descriptor: &Descriptor) -> Result<Self, Error> {
        let damaged = |what, offset, problem| Error::Conversion { what, offset, problem };
        let bytes = io::read_up_to(source, bitmap_at, Bitmap::MAX_SIZE).map_err(|source| Error::Read {
            what: "conversion bitmap",
            offset: bitmap_at,
            source,
        })?;
        let bitmap = Bitmap::parse(&bytes, descriptor.chunk)
            .map_err(|problem| damaged("conversion bitmap", bitmap_at, problem))?;
        let mut region = Self { bitmap_at, bitmap, in_flight: None };
        if region.bitmap.converting {
            let log_at = region.bitmap.log_at;
            let bytes = io::read_up_to(source, log_at, descriptor.log_size as usize)
                .map_err(|source| Error::Read { what: "conversion log", offset: log_at, source })?;
            let newest = log::newest(&bytes, descriptor.log_record_size as usize).ok_or(damaged(
                "conversion log",
                log_at,
                "has no readable record",
            ))?;
            if let Some(flight) = newest.in_flight() {
                let chunk = region.chunks(descriptor.chunk).find(|chunk| chunk.start == flight.offset);
                let sectors =
                    chunk.map_or(0, |chunk| (chunk.end - chunk.start) / u64::from(descriptor.sector));
                if chunk.is_none() || flight.before.len() as u64 != sectors * log::BYTES_PER_SECTOR as u64 {
                    return Err(damaged("conversion log", log_at, "speaks of a chunk that is not there"));
                }
                region.in_flight = Some(flight);
            }
        }
        Ok(region)
    }

    fn chunks(&self, chunk: u32) -> impl Iterator<Item = Run> {
        let bitmap = &self.bitmap;
        (0..bitmap.bits).map_while(move |bit| {
            let start = bitmap.start + u64::from(bit) * u64::from(chunk);
            let end = start.saturating_add(u64::from(chunk)).min(bitmap.end());
            let stored = if bitmap.bit(bit) { Stored::Encrypted } else { Stored::Plain };
            (start < end).then_some(Run { start, end, stored })
        })
    }

    fn damaged(&self, problem: &'static str) -> Error {
        Error::Conversion { what: "conversion bitmap", offset: self.bitmap_at, problem }
    }
}

/// Appends a run, merged with the one before it when both are stored alike.
fn push(runs: &mut Vec<Run>, run: Run) {
    match runs.last_mut() {
        _ if run.start >= run.end => {}
        Some(last) if last.stored == run.stored && last.end == run.start => last.end = run.end,
        _ => runs.push(run),
    }
}
