//! A BitLocker volume, seen from outside: everything that can be said without a key.

use std::cmp::Reverse;
use std::sync::Arc;

use fve_crypto::{Method, SectorSize};
use uuid::Uuid;
use zerocopy::little_endian::U64;

use crate::boot_sector::{self, BootSector};
use crate::conversion::Conversion;
use crate::error::{Error, MetadataError};
use crate::io::{self, ReadAt};
use crate::metadata::{Extended, Metadata, VERSION_1, VERSION_2};
use crate::protector::{Protector, ProtectorKind};

/// A volume whose metadata has been read.
pub struct Volume {
    source: Arc<dyn ReadAt>,
    boot: Option<BootSector>,
    /// Where the structures of a conversion lie, from the boot sector or found without it.
    conversion: Option<[u64; 2]>,
    copies: [MetadataCopy; 3],
    /// Metadata that was kept elsewhere.
    snapshot: Option<Metadata>,
    /// The copy in use; none when only the snapshot is left.
    current: Option<usize>,
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
    /// When a conversion was running, the boot sector alone knew where its structures lie: without
    /// [`with_conversion`](Self::with_conversion) such a volume unlocks, but cannot be read.
    ///
    /// # Errors
    /// [`Error::MetadataDestroyed`] when none of the three copies can be used.
    pub fn open_at(source: Arc<dyn ReadAt>, places: [u64; 3]) -> Result<Self, Error> {
        Self::with_places(source, None, places.map(Some))
    }

    /// Says where the two descriptors of a running conversion lie: see [`crate::scan_conversion`].
    #[must_use]
    pub fn with_conversion(self, places: [u64; 2]) -> Self {
        Self { conversion: Some(places), ..self }
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
            .map(|metadata| metadata.information.metadata.map(U64::get));
        for (copy, place) in copies.iter_mut().zip(listed.into_iter().flatten()) {
            if copy.metadata.is_err() && copy.offset != Some(place) {
                *copy = MetadataCopy::read(&*source, Some(place));
            }
        }
        let Some(current) = newest(&copies) else {
            return Err(Error::MetadataDestroyed(Box::new(
                copies.map(|copy| copy.metadata.err().unwrap_or(MetadataError::UnknownPlace)),
            )));
        };
        Self::around(source, boot, copies, None, Some(current))
    }

    pub(crate) fn around(
        source: Arc<dyn ReadAt>,
        boot: Option<BootSector>,
        copies: [MetadataCopy; 3],
        snapshot: Option<Metadata>,
        current: Option<usize>,
    ) -> Result<Self, Error> {
        let conversion = boot.and_then(|boot| boot.conversion);
        let sector_size = SectorSize::B512;
        let mut volume = Self { source, boot, conversion, copies, snapshot, current, sector_size };
        volume.sector_size = volume.sector_size_in(volume.metadata())?;
        Ok(volume)
    }

    /// Returns the sector size, from metadata where it says it, because that can be authentic.
    ///
    /// Vista's does not; and newer Windows writes 0 into the boot sector of exFAT volumes.
    pub(crate) fn sector_size_in(&self, metadata: &Metadata) -> Result<SectorSize, Error> {
        let relocated = u64::from(metadata.information.relocated_sectors.get());
        let (boot_block, extended) =
            metadata.virtualization().map_or((0, None), |(_, size, extended)| (size, extended));
        let found = [
            boot_block.checked_div(relocated).unwrap_or(0),
            extended.map_or(0, |extended| extended.sector_size.get().into()),
            self.boot.map_or(0, |boot| boot.bytes_per_sector.into()),
        ];
        let found = found.into_iter().find(|&bytes| bytes != 0).unwrap_or(512);
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

    /// Returns the newest copy that can be used; the snapshot when there is none.
    pub fn metadata(&self) -> &Metadata {
        let copy = self.current.and_then(|n| self.copies.get(n)?.metadata.as_ref().ok());
        copy.or(self.snapshot.as_ref()).expect("a volume is only made around a good copy or a snapshot")
    }

    /// Returns the usable copies, the newest first, those with the same bytes only once.
    pub(crate) fn distinct(&self) -> Vec<&Metadata> {
        let mut distinct = vec![self.metadata()];
        let copies = self.copies.iter().filter_map(|copy| copy.metadata.as_ref().ok());
        for metadata in copies.chain(&self.snapshot) {
            if !distinct.iter().any(|seen| seen.same_as(metadata)) {
                distinct.push(metadata);
            }
        }
        // The first stays the first: see `newest`.
        distinct[1..].sort_by_key(|metadata| Reverse(metadata.dataset.next_nonce.get()));
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
        protection(self.metadata())
    }

    /// Returns the size that the volume has when nothing is cut off, when the metadata knows it.
    pub fn expected_size(&self) -> Option<u64> {
        let information = &self.metadata().information;
        (self.state() == State::Encrypted && information.version.get() != VERSION_1)
            .then(|| information.state_offset.get())
            .filter(|&size| size != 0)
    }

    /// Returns the size that the volume has at the least: [`Self::expected_size`], or up to the end of
    /// BitLocker's own areas. A source that is shorter was cut off.
    pub fn least_size(&self) -> u64 {
        let metadata = self.metadata();
        let region = Metadata::region_size(metadata.information.version.get()) as u64;
        let places = metadata.information.metadata.map(|place| (place.get(), region));
        let boot_copy = metadata.virtualization().map(|(offset, size, _)| (offset, size));
        let ends = places.into_iter().chain(boot_copy).map(|(start, size)| start.saturating_add(size));
        ends.chain(self.expected_size()).max().unwrap_or(0)
    }

    /// Reads the structures of a conversion that runs while the volume is in use; `None` without one.
    ///
    /// # Errors
    /// [`Error::Conversion`] when what lists them is destroyed, or was listed in a lost boot sector.
    pub fn conversion(&self) -> Result<Option<Conversion>, Error> {
        if let Some(places) = self.conversion {
            return Conversion::read(&*self.source, places).map(Some);
        }
        let flags = self.extended().map_or(0, |extended| extended.flags.get());
        // To Go volumes carry the flag at rest too; their conversions are of the older kind.
        if self.boot.is_none()
            && flags & (Extended::FLAG_CONVERTING | Extended::FLAG_TO_GO) == Extended::FLAG_CONVERTING
        {
            return Err(Error::Conversion {
                what: "descriptor",
                offset: 0,
                problem: "is at a place that only the lost boot sector named",
            });
        }
        Ok(None)
    }

    /// Returns how many bytes are encrypted, and of how many.
    ///
    /// # Errors
    /// [`Error::Conversion`] when that is written in structures of which a part is damaged.
    pub fn progress(&self) -> Result<(u64, u64), Error> {
        let size = self.source.size();
        let information = &self.metadata().information;
        let watermark = information.state_offset.get();
        if self.state() == State::Decrypted {
            return Ok((0, size));
        }
        Ok(match (self.state(), self.conversion()?) {
            (State::Encrypted, Some(mut conversion)) => match conversion.damage.pop() {
                Some(damage) => return Err(damage),
                None => conversion.progress(),
            },
            (State::Encrypted, None) => (size, size),
            _ => (watermark.min(size), size),
        })
    }

    /// Returns which way a conversion goes that is running or paused.
    pub fn direction(&self) -> Option<Direction> {
        let metadata = self.metadata();
        let next = State::from(metadata.information.next_state.get());
        if self.conversion.is_some() && self.state() == State::Encrypted {
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
pub(crate) fn protection(metadata: &Metadata) -> Protection {
    if State::from(metadata.information.state.get()) == State::Decrypted {
        Protection::Off
    } else if protectors(metadata).iter().any(|protector| protector.kind == ProtectorKind::ClearKey) {
        Protection::Suspended
    } else {
        Protection::On
    }
}

pub(crate) fn protectors(metadata: &Metadata) -> Vec<Protector<'_>> {
    metadata.datums.iter().filter_map(Protector::from_datum).collect()
}

impl MetadataCopy {
    pub(crate) fn read(source: &dyn ReadAt, offset: Option<u64>) -> Self {
        let metadata = offset.ok_or(MetadataError::UnknownPlace).and_then(|offset| {
            // The end of a region is empty: a bad sector there costs nothing.
            let (region, mut damage) =
                io::read_before_damage(source, offset, Metadata::region_size(VERSION_2));
            if region.is_empty() && damage.is_none() {
                let end = "the drive or image ends before it";
                damage = Some(std::io::Error::new(std::io::ErrorKind::UnexpectedEof, end));
            }
            Metadata::parse(&region).map_err(|error| match damage {
                Some(source) => MetadataError::Unreadable { offset, source },
                None => error,
            })
        });
        Self { offset, metadata }
    }
}

/// Returns which copy was written last: of the volume that most copies belong to, as one of an earlier
/// volume may be left over, the one with the highest nonce counter, of several such the first.
pub(crate) fn newest(copies: &[MetadataCopy; 3]) -> Option<usize> {
    let guids = copies.each_ref().map(|copy| copy.metadata.as_ref().ok().map(|good| good.dataset.guid));
    let rank = |n: usize| {
        let good = copies.get(n)?.metadata.as_ref().ok()?;
        let alike = guids.iter().filter(|guid| **guid == Some(good.dataset.guid)).count();
        Some((alike, good.dataset.next_nonce.get(), Reverse(n)))
    };
    (0..3).filter(|&n| rank(n).is_some()).max_by_key(|&n| rank(n))
}
