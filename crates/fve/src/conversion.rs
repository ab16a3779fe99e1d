//! Conversions that run while the volume is in use (Windows 8 and later, "encrypt on write").
//!
//! A descriptor lists regions that tile the volume. Each region has a bitmap, one bit for a chunk of
//! it counted from the region's start: 1 is ciphertext, 0 plaintext. Each region also has a log: before
//! a chunk is converted, it takes the first 16 bytes of each of the chunk's sectors, so that after a
//! crash one can tell sector by sector what has been converted. (Seen on a real drive that was being
//! decrypted: re-encrypting the chunk's sectors gives the log's bytes.)
//!
//! Where a structure is damaged, only what it speaks of is [`Stored::Unknown`]: the rest of the volume
//! can still be read. These structures are valid only while the boot sector carries
//! [`crate::boot_sector::CONVERTING`].

use fve_crypto::SectorCipher;

use crate::Error;
use crate::io::ReadAt;

pub mod bitmap;
pub mod descriptor;
pub mod log;

use bitmap::Bitmap;
use descriptor::Descriptor;
use log::LogRecord;

/// More chunks than any volume has: 16 million of 8 MiB are 128 TiB.
const MAX_CHUNKS: u64 = 1 << 24;
/// More borders between ciphertext and plaintext than real conversions make; each takes memory.
const MAX_RUNS: usize = 1 << 20;
/// What the logs may hold together: one chunk is 256 KiB, and one is in flight at a time.
const MAX_IN_FLIGHT: usize = 64 << 20;

/// The structures of a conversion.
#[derive(Debug)]
pub struct Conversion {
    /// What lists the regions.
    pub descriptor: Descriptor,
    /// The regions, sorted by their place; without those of which not even the place is known.
    pub regions: Vec<Region>,
    /// What is destroyed.
    pub damage: Vec<Error>,
}

/// A region and the state of its chunks.
#[derive(Debug)]
pub struct Region {
    /// Where the bitmap lies, in bytes from the start of the volume.
    pub bitmap_at: u64,
    /// The bitmap.
    pub bitmap: Bitmap,
    /// Chunks that may have been in conversion when the volume was last written: the one that the
    /// log's newest record names, and when half of the bitmap is destroyed also the one before it.
    pub in_flight: Vec<LogRecord>,
    /// Whether bitmap and log are whole enough to say how each chunk is stored.
    pub known: bool,
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
    ///
    /// # Errors
    /// [`Error::Conversion`] when both descriptors are destroyed, or speak of what cannot be.
    pub fn read(source: &dyn ReadAt, places: [u64; 2]) -> Result<Self, Error> {
        let descriptor = places.iter().find_map(|&place| Descriptor::read(source, place));
        let descriptor = descriptor.ok_or(Error::Conversion {
            what: "descriptor",
            offset: places[0],
            problem: "is destroyed in both copies",
        })?;
        let (mut regions, mut damage) = (Vec::new(), Vec::new());
        let (mut chunks, mut in_flight) = (0, 0);
        for &bitmap_at in &descriptor.bitmaps {
            match Bitmap::read(source, bitmap_at, descriptor.chunk) {
                Ok(bitmap) => {
                    let region = Region::read(source, bitmap_at, bitmap, &descriptor)?;
                    chunks += u64::from(region.bitmap.bits);
                    in_flight += region.in_flight.iter().map(|flight| flight.before.len()).sum::<usize>();
                    if chunks > MAX_CHUNKS || in_flight > MAX_IN_FLIGHT {
                        return Err(region.damaged("counts more chunks than a volume has"));
                    }
                    damage.extend(region.damage());
                    regions.push(region);
                }
                Err(problem) => {
                    damage.push(Error::Conversion { what: "conversion bitmap", offset: bitmap_at, problem });
                }
            }
        }
        regions.sort_by_key(|region| region.bitmap.start);
        if let Some([_, second]) =
            regions.array_windows().find(|[first, second]| first.bitmap.end() > second.bitmap.start)
        {
            return Err(second.damaged("overlaps the region before it"));
        }
        Ok(Self { descriptor, regions, damage })
    }

    /// Returns the areas that the structures themselves occupy: start and length in bytes, whole sectors.
    pub fn areas(&self, sector_size: u64) -> Vec<(u64, u64)> {
        let descriptor = &self.descriptor;
        let descriptors = descriptor.places.iter().map(|&place| (place, descriptor.size.into()));
        let own = self.regions.iter().flat_map(|region| {
            let Region { bitmap_at, bitmap, .. } = region;
            [(*bitmap_at, bitmap.size), (bitmap.log_at, descriptor.log_size)]
        });
        let areas = descriptors.chain(own);
        areas.map(|(start, length)| (start, u64::from(length).next_multiple_of(sector_size))).collect()
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
    /// Parts in no region (metadata lies there) count as encrypted, if no bitmap is lost. Chunks in
    /// flight are told apart sector by sector with the help of `cipher`.
    ///
    /// # Errors
    /// [`Error::Geometry`] when the structures are for sectors of another size, [`Error::Conversion`]
    /// when encrypted and not encrypted parts alternate more often than in any real volume.
    pub fn runs(&self, source: &dyn ReadAt, cipher: &SectorCipher, size: u64) -> Result<Vec<Run>, Error> {
        if self.descriptor.sector as usize != cipher.sector_size().bytes() {
            return Err(Error::Geometry {
                what: "sector size of the conversion",
                found: u64::from(self.descriptor.sector),
                rule: "is not the volume's",
            });
        }
        let all = self.regions.len() == self.descriptor.bitmaps.len();
        let between = if all { Stored::Encrypted } else { Stored::Unknown };
        let mut runs = Runs::default();
        let mut at = 0;
        for region in &self.regions {
            let (start, end) = (region.bitmap.start, region.bitmap.end());
            runs.push(Run { start: at, end: start, stored: between })?;
            if !region.known {
                runs.push(Run { start, end, stored: Stored::Unknown })?;
            }
            for chunk in region.chunks(self.descriptor.chunk).filter(|_| region.known) {
                match region.in_flight.iter().find(|flight| flight.offset == chunk.start) {
                    Some(flight) => flight.tell_apart(source, cipher, chunk, &mut runs)?,
                    None => runs.push(chunk)?,
                }
            }
            at = end;
        }
        runs.push(Run { start: at, end: size.max(at), stored: between })?;
        Ok(runs.0)
    }
}

impl Region {
    fn read(
        source: &dyn ReadAt,
        bitmap_at: u64,
        bitmap: Bitmap,
        descriptor: &Descriptor,
    ) -> Result<Self, Error> {
        let mut region = Self { bitmap_at, bitmap, in_flight: Vec::new(), known: true };
        let sector = u64::from(descriptor.sector);
        if !region.bitmap.start.is_multiple_of(sector) || !region.bitmap.length.is_multiple_of(sector) {
            return Err(region.damaged("has a region that is not whole sectors"));
        }
        let half = match region.bitmap.destroyed {
            0 if !region.bitmap.converting => return Ok(region),
            0 => false,
            1 => true,
            _ => return Ok(Self { known: false, ..region }),
        };
        // The lost half may have been the newer one. What it said anew was said of a chunk that one
        // of the log's two records still names; if none does, it cannot be known.
        let records: Vec<_> =
            log::read(source, region.bitmap.log_at, descriptor).take(if half { 2 } else { 1 }).collect();
        let named = records.iter().filter(|record| record.offset != 0).count();
        region.known = if half { named > 0 } else { !records.is_empty() };
        for record in records.into_iter().filter(|record| record.offset != 0) {
            let chunk = region.chunks(descriptor.chunk).find(|chunk| chunk.start == record.offset);
            let sectors = chunk.map_or(0, |chunk| (chunk.end - chunk.start) / sector);
            if sectors == 0 || record.before.len() as u64 != sectors * log::BYTES_PER_SECTOR as u64 {
                region.known = false;
                continue;
            }
            region.in_flight.push(record);
        }
        Ok(region)
    }

    fn chunks(&self, chunk: u32) -> impl Iterator<Item = Run> {
        let bitmap = &self.bitmap;
        (0..bitmap.bits).map(move |bit| {
            let start = bitmap.start.saturating_add(u64::from(bit) * u64::from(chunk)).min(bitmap.end());
            let end = start.saturating_add(u64::from(chunk)).min(bitmap.end());
            let stored = if bitmap.bit(bit) { Stored::Encrypted } else { Stored::Plain };
            Run { start, end, stored }
        })
    }

    fn damaged(&self, problem: &'static str) -> Error {
        Error::Conversion { what: "conversion bitmap", offset: self.bitmap_at, problem }
    }

    fn damage(&self) -> Option<Error> {
        match self.bitmap.destroyed {
            _ if self.known => None,
            2 => Some(self.damaged("is destroyed in both records")),
            _ => Some(Error::Conversion {
                what: "conversion log",
                offset: self.bitmap.log_at,
                problem: "does not say which chunk was being converted",
            }),
        }
    }
}

/// Runs in their order, each merged with the one before it when both are stored alike.
#[derive(Default)]
struct Runs(Vec<Run>);

impl Runs {
    fn push(&mut self, run: Run) -> Result<(), Error> {
        if run.start >= run.end {
            return Ok(());
        }
        let full = self.0.len() == MAX_RUNS;
        match self.0.last_mut().filter(|last| last.stored == run.stored && last.end == run.start) {
            Some(last) => last.end = run.end,
            None if !full => self.0.push(run),
            None => {
                return Err(Error::Conversion {
                    what: "conversion bitmap",
                    offset: run.start,
                    problem: "goes on and off more often than a volume has chunks",
                });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_that_are_stored_alike_are_one_and_too_many_are_none() {
        let mut runs = Runs::default();
        let run = |n: u64, stored| Run { start: n, end: n + 1, stored };
        for n in 0..MAX_RUNS as u64 {
            let stored = if n % 2 == 0 { Stored::Plain } else { Stored::Encrypted };
            runs.push(run(2 * n, stored)).expect("room");
            runs.push(run(2 * n + 1, stored)).expect("merged");
            runs.push(Run { start: n, end: n, stored: Stored::Unknown }).expect("nothing");
        }
        assert_eq!(runs.0.len(), MAX_RUNS);
        let n = 2 * MAX_RUNS as u64;
        assert!(matches!(runs.push(run(n, Stored::Unknown)), Err(Error::Conversion { .. })));
    }
}
