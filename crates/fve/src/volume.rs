//! A BitLocker volume, seen from outside: everything that can be said without a key.

use std::sync::Arc;

use fve_crypto::{Method, SectorSize};
use uuid::Uuid;

use crate::boot_sector::{self, BootSector};
use crate::conversion::Conversion;
use crate::error::{Error, MetadataError};
use crate::io::{self, ReadAt};
use crate::metadata::{Extended, Metadata, VERSION_1};
use crate::protector::{Protector, ProtectorKind};

/// A volume whose metadata has been read.
pub struct Volume {
    source: Arc<dyn ReadAt>,
    boot: Option<BootSector>,
    copies: [MetadataCopy; 3],
    current: usize,
    sector_size: SectorSize,
}

/// One of the three copies of the metadata.
#[derive(Debug)]
pub struct MetadataCopy {
    /// Where it lies, in bytes from the start of the volume, when that is known.
    pub offset: Option<u64>,
    /// What it says, or why it cannot be used.
    pub metadata: Result<Metadata, MetadataError>,
}

/// What the metadata says the volume is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum State {
    /// Not encrypted any more (1).
    Decrypted,
    /// Between two steps of the older kind of conversion, with a log (2).
    Logged,
    /// A paused conversion (3).
    Paused,
    /// Encrypted, or being converted in the newer way (4).
    Encrypted,
    /// Being converted in the older way (5).
    Switching,
    /// A number that no known Windows writes.
    Unknown(u16),
}

impl From<u16> for State {
    fn from(code: u16) -> Self {
        match code {
            1 => Self::Decrypted,
            2 => Self::Logged,
            3 => Self::Paused,
            4 => Self::Encrypted,
            5 => Self::Switching,
            other => Self::Unknown(other),
        }
    }
}

/// Which way a conversion goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Towards encrypted.
    Encrypting,
    /// Towards decrypted.
    Decrypting,
}

/// Whether the volume asks for a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protection {
    /// It does.
    On,
    /// It is encrypted, but its key lies beside the lock.
    Suspended,
    /// It is not encrypted.
    Off,
}

impl Volume {
    /// Opens the volume that starts at the first byte of `source`.
    ///
    /// # Errors
    /// [`Error::NotBitLocker`] when the first sector is something else (or destroyed: see
    /// [`crate::scan`]), [`Error::MetadataDestroyed`] when none of the three copies can be used.
    pub fn open(source: Arc<dyn ReadAt>) -> Result<Self, Error> {
        let mut sector = [0; boot_sector::LENGTH];
        if source.size() < sector.len() as u64 {
            return Err(Error::NotBitLocker);
        }
        source.read_at(0, &mut sector).map_err(|source| Error::Read {
            what: "boot sector",
            offset: 0,
            source,
        })?;
        let boot = BootSector::parse(&sector).ok_or(Error::NotBitLocker)?;
        Self::with_places(source, Some(boot), boot.metadata)
    }

    /// Opens a volume whose boot sector is lost, from the places of its metadata.
    ///
    /// # Errors
    /// [`Error::MetadataDestroyed`] when none of the three copies can be used.
    pub fn open_at(source: Arc<dyn ReadAt>, places: [u64; 3]) -> Result<Self, Error> {
        Self::with_places(source, None, places.map(Some))
    }

    fn with_places(
        source: Arc<dyn ReadAt>,
        boot: Option<BootSector>,
        places: [Option<u64>; 3],
    ) -> Result<Self, Error> {
        let mut copies = places.map(|place| MetadataCopy::read(&*source, place));
        // A good copy knows where the others lie, also where the boot sector does not (Vista).
        let listed = newest(&copies)
            .and_then(|n| copies.get(n)?.metadata.as_ref().ok())
            .map(|metadata| metadata.information.metadata.map(zerocopy::little_endian::U64::get));
        for (copy, place) in copies.iter_mut().zip(listed.unwrap_or_default()) {
            if copy.metadata.is_err() && listed.is_some() && copy.offset != Some(place) {
                *copy = MetadataCopy::read(&*source, Some(place));
            }
        }
        let Some(current) = newest(&copies) else {
            return Err(Error::MetadataDestroyed(Box::new(
                copies.map(|copy| copy.metadata.err().unwrap_or(MetadataError::UnknownPlace)),
            )));
        };
        let mut volume = Self { source, boot, copies, current, sector_size: SectorSize::B512 };
        volume.sector_size = volume.find_sector_size()?;
        Ok(volume)
    }

    /// Newer Windows writes 0 into the boot sector of exFAT volumes; the metadata knows it too.
    fn find_sector_size(&self) -> Result<SectorSize, Error> {
        let relocated = u64::from(self.metadata().information.relocated_sectors.get());
        let virtualization = self.metadata().virtualization();
        let found = self
            .boot
            .map(|boot| u64::from(boot.bytes_per_sector))
            .filter(|&bytes| bytes != 0)
            .or_else(|| virtualization.as_ref().and_then(|(_, size, _)| size.checked_div(relocated)))
            .filter(|&bytes| bytes != 0)
            .or_else(|| virtualization.and_then(|(.., extended)| Some(extended?.sector_size.get().into())))
            .filter(|&bytes| bytes != 0)
            .unwrap_or(512);
        u16::try_from(found).ok().and_then(|bytes| SectorSize::try_from(bytes).ok()).ok_or(Error::Geometry {
            what: "sector size",
            found,
            rule: "must be 512, 1024, 2048 or 4096",
        })
    }

    /// Returns what the volume is read from.
    pub fn source(&self) -> &Arc<dyn ReadAt> {
        &self.source
    }

    /// Returns the boot sector; `None` when it is lost.
    pub fn boot_sector(&self) -> Option<&BootSector> {
        self.boot.as_ref()
    }

    /// Returns the three copies of the metadata.
    pub fn copies(&self) -> &[MetadataCopy; 3] {
        &self.copies
    }

    /// Returns the newest copy that can be used.
    pub fn metadata(&self) -> &Metadata {
        let copy = self.copies.get(self.current).and_then(|copy| copy.metadata.as_ref().ok());
        copy.expect("a volume is only made around a good copy")
    }

    /// Returns the usable copies, the newest first, those with the same bytes only once.
    pub(crate) fn distinct(&self) -> Vec<&Metadata> {
        let mut distinct = vec![self.metadata()];
        for metadata in self.copies.iter().filter_map(|copy| copy.metadata.as_ref().ok()) {
            if distinct.iter().all(|seen| *seen.to_bytes().expose() != *metadata.to_bytes().expose()) {
                distinct.push(metadata);
            }
        }
        distinct.sort_by_key(|metadata| std::cmp::Reverse(metadata.dataset.next_nonce.get()));
        distinct
    }

    /// Returns whether usable copies say different things: a write to them was cut off.
    pub fn copies_differ(&self) -> bool {
        self.distinct().len() > 1
    }

    /// Returns the volume's GUID.
    pub fn id(&self) -> Uuid {
        Uuid::from_bytes_le(self.metadata().dataset.guid)
    }

    /// Returns what the metadata says the volume is.
    pub fn state(&self) -> State {
        self.metadata().information.state.get().into()
    }

    /// Returns how the volume is encrypted; `None` when it is not.
    ///
    /// # Errors
    /// [`Error::UnknownMethod`], such as for a drive that encrypts in hardware.
    pub fn method(&self) -> Result<Option<Method>, Error> {
        match self.metadata().dataset.method.get() {
            0 => Ok(None),
            code => Method::try_from(code).map(Some).map_err(|_| Error::UnknownMethod(code)),
        }
    }

    /// Returns the sector size.
    pub fn sector_size(&self) -> SectorSize {
        self.sector_size
    }

    /// Returns the key protectors.
    pub fn protectors(&self) -> Vec<Protector<'_>> {
        protectors(self.metadata())
    }

    /// Returns whether the volume asks for a key.
    pub fn protection(&self) -> Protection {
        if self.state() == State::Decrypted {
            Protection::Off
        } else if self.protectors().iter().any(|protector| protector.kind == ProtectorKind::ClearKey) {
            Protection::Suspended
        } else {
            Protection::On
        }
    }

    /// Returns the size that the volume has when nothing is cut off, when the metadata knows it.
    pub fn expected_size(&self) -> Option<u64> {
        let information = &self.metadata().information;
        (self.state() == State::Encrypted && information.version.get() != VERSION_1)
            .then(|| information.state_offset.get())
            .filter(|&size| size != 0)
    }

    /// Reads the structures of a conversion that runs while the volume is in use; `None` without one.
    ///
    /// # Errors
    /// [`Error::Conversion`] when they are damaged.
    pub fn conversion(&self) -> Result<Option<Conversion>, Error> {
        let places = self.boot.and_then(|boot| boot.conversion);
        places.map(|places| Conversion::read(&*self.source, places)).transpose()
    }

    /// Returns how many bytes are encrypted, and of how many.
    ///
    /// # Errors
    /// [`Error::Conversion`] when that is written in structures that are damaged.
    pub fn progress(&self) -> Result<(u64, u64), Error> {
        let size = self.source.size();
        let information = &self.metadata().information;
        let watermark = information.state_offset.get();
        Ok(match (self.state(), self.conversion()?) {
            (State::Decrypted, _) => (0, size),
            (State::Encrypted, Some(conversion)) => conversion.progress(),
            (State::Encrypted, None) => (size, size),
            _ => (watermark.min(size), size),
        })
    }

    /// Returns which way a conversion goes that is running or paused.
    pub fn direction(&self) -> Option<Direction> {
        let metadata = self.metadata();
        let next = State::from(metadata.information.next_state.get());
        if self.boot.is_some_and(|boot| boot.conversion.is_some()) && self.state() == State::Encrypted {
            let flags = self.extended().map_or(0, |extended| extended.flags.get());
            return Some(if flags & Extended::FLAG_DECRYPTING != 0 {
                Direction::Decrypting
            } else {
                Direction::Encrypting
            });
        }
        match next {
            _ if next == self.state() => None,
            State::Decrypted => Some(Direction::Decrypting),
            _ => Some(Direction::Encrypting),
        }
    }

    /// Returns what Windows 8 and later says about itself.
    pub fn extended(&self) -> Option<Extended> {
        self.metadata().virtualization().and_then(|(.., extended)| extended)
    }
}

/// Returns the key protectors that metadata lists.
pub(crate) fn protectors(metadata: &Metadata) -> Vec<Protector<'_>> {
    metadata.datums.iter().filter_map(Protector::from_datum).collect()
}

impl MetadataCopy {
    fn read(source: &dyn ReadAt, offset: Option<u64>) -> Self {
        let metadata = offset.ok_or(MetadataError::UnknownPlace).and_then(|offset| {
            let region = io::read_up_to(source, offset, Metadata::region_size(crate::metadata::VERSION_2))
                .map_err(|source| MetadataError::Unreadable { offset, source })?;
            if region.is_empty() {
                let source = std::io::Error::new(
                    std::io::ErrorKind::UnexpectedEof,
                    "the drive or image ends before it",
                );
                return Err(MetadataError::Unreadable { offset, source });
            }
            Metadata::parse(&region)
        });
        Self { offset, metadata }
    }
}

/// Returns which copy was written last: the one with the highest nonce counter.
fn newest(copies: &[MetadataCopy; 3]) -> Option<usize> {
    let counter = |n: usize| copies.get(n)?.metadata.as_ref().ok().map(|m| m.dataset.next_nonce.get());
    (0..3).rev().filter(|&n| counter(n).is_some()).max_by_key(|&n| counter(n))
}
