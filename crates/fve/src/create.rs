//! Making a new volume around the plaintext of a file system.

use std::io;

use fve_crypto::{Method, SectorCipher, SectorSize};
use recovery_key::dataset::{DATASET_HEADER, DatasetHeader};
use recovery_key::{KeyId, Secret};
use uuid::Uuid;
use zerocopy::IntoBytes;

use crate::boot_sector::{self, BootSector};
use crate::datum::{Body, Datum, Key as KeyDatum, role};
use crate::error::MetadataError;
use crate::io::{ReadAt, WriteAt};
use crate::metadata::{Extended, InformationHeader, Metadata, SIGNATURE, VERSION_2};
use crate::new_protector::{NewProtector, Workshop};
use crate::{FileTime, sealed};

/// The boot block that every volume but To Go moves away: the first 8 KiB.
pub const BOOT_BLOCK: u64 = 0x2000;
/// The length of one metadata region.
pub const METADATA_REGION: u64 = 0x1_0000;
/// The length of the area that Windows 8 and later keeps behind the boot copy.
pub const RESERVED_AREA: u64 = 0x1_0000;

const CHUNK: usize = 1 << 20;

/// What a new volume shall be.
pub struct NewVolume<'a> {
    /// How it is encrypted.
    pub method: Method,
    /// Its sector size.
    pub sector_size: SectorSize,
    /// The label: computer, volume and date.
    pub label: &'a str,
    /// When it is made.
    pub now: FileTime,
    /// Where BitLocker's own areas lie. No file may lie there.
    pub layout: Layout,
    /// What stands at the front of the volume for those who have no key.
    pub front: Front<'a>,
    /// What opens it.
    pub protectors: &'a [NewProtector<'a>],
}

/// Where BitLocker's own areas lie, in bytes from the start of the volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Three regions of [`METADATA_REGION`] bytes.
    pub metadata: [u64; 3],
    /// The moved boot block, as long as the front.
    pub boot_copy: u64,
    /// [`RESERVED_AREA`] bytes.
    pub reserved: u64,
}

/// What stands at the front of a volume.
pub enum Front<'a> {
    /// A BitLocker boot sector.
    Standard {
        /// Sectors in a cluster of the file system inside.
        sectors_per_cluster: u8,
    },
    /// BitLocker To Go: the beginning of a FAT32 file system that any computer can read.
    Discovery(&'a [u8]),
}

impl Front<'_> {
    fn length(&self) -> u64 {
        match self {
            Self::Standard { .. } => BOOT_BLOCK,
            Self::Discovery(bytes) => bytes.len() as u64,
        }
    }
}

/// A volume that was made.
#[derive(Debug)]
pub struct Created {
    /// Its GUID.
    pub volume: Uuid,
    /// The key IDs of its protectors, in their order.
    pub protectors: Vec<KeyId>,
}

/// Why a volume could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CreateError {
    /// An area overlaps another, lies outside the volume, or is not whole sectors.
    #[error("the {0} overlaps another area, lies outside the volume or is not whole sectors")]
    Layout(&'static str),
    /// The datums do not fit.
    #[error("the metadata {0}")]
    Metadata(#[from] MetadataError),
    /// Reading the plaintext or writing the volume failed.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// The operating system gave no random numbers.
    #[error("the operating system gave no random numbers: {0}")]
    Random(#[from] getrandom::Error),
}

impl NewVolume<'_> {
    /// Writes the volume, with `plain` as its content, and flushes it.
    ///
    /// The boot sector is written last: a volume that was cut off is not one. `progress` hears how
    /// many bytes of the content have been written.
    ///
    /// # Errors
    /// Before anything is written when the layout is impossible; else when writing fails.
    pub fn write(
        &self,
        plain: &dyn ReadAt,
        out: &dyn WriteAt,
        mut progress: impl FnMut(u64),
    ) -> Result<Created, CreateError> {
        let sector = self.sector_size.bytes() as u64;
        let size = plain.size() / sector * sector;
        let areas = self.areas(size)?;
        let mut fvek = Secret::new(vec![0; self.method.key_len()]);
        getrandom::fill(fvek.expose_mut())?;
        let mut vmk = Secret::new([0; 32]);
        getrandom::fill(vmk.expose_mut())?;
        let (metadata, created) = self.metadata(size, &vmk, &fvek)?;
        let cipher = SectorCipher::new(self.method, fvek.expose(), self.sector_size)
            .map_err(|error| io::Error::other(error.to_string()))?;

        let mut buf = vec![0; CHUNK];
        let mut at = self.front.length();
        while at < size {
            let length = CHUNK.min(usize::try_from(size - at).unwrap_or(CHUNK));
            let chunk = &mut buf[..length];
            plain.read_at(at, chunk)?;
            // A file system's leftovers in BitLocker's own areas are nobody's: every reader sees zeros.
            let end = at + length as u64;
            for (start, length, _) in &areas {
                let (from, to) = ((*start).clamp(at, end), (start + length).clamp(at, end));
                chunk[(from - at) as usize..(to - at) as usize].fill(0);
            }
            cipher.encrypt(at, chunk);
            out.write_at(at, chunk)?;
            at += length as u64;
            progress(at);
        }
        let mut boot = vec![0; self.front.length() as usize];
        plain.read_at(0, &mut boot)?;
        // The moved block is encrypted as what lies where it is moved to.
        cipher.encrypt(self.layout.boot_copy, &mut boot);
        out.write_at(self.layout.boot_copy, &boot)?;
        for place in self.layout.metadata {
            out.write_at(place, metadata.to_bytes().expose())?;
        }
        let front = self.front_bytes()?;
        out.write_at(sector, &front[sector as usize..])?;
        out.flush()?;
        out.write_at(0, &front[..sector as usize])?;
        out.flush()?;
        Ok(created)
    }

    /// Returns BitLocker's areas, sorted: start, length, name.
    fn areas(&self, size: u64) -> Result<Vec<(u64, u64, &'static str)>, CreateError> {
        let sector = self.sector_size.bytes() as u64;
        let front = self.front.length();
        let [one, two, three] = self.layout.metadata;
        let mut areas = vec![
            (0, front, "front"),
            (one, METADATA_REGION, "metadata"),
            (two, METADATA_REGION, "metadata"),
            (three, METADATA_REGION, "metadata"),
            (self.layout.boot_copy, front, "boot copy"),
            (self.layout.reserved, RESERVED_AREA, "reserved area"),
        ];
        areas.sort_unstable();
        let mut end = 0;
        for (start, length, name) in &areas {
            let fits = *start >= end && start.is_multiple_of(sector) && length.is_multiple_of(sector);
            end = start
                .checked_add(*length)
                .filter(|&end| fits && end <= size)
                .ok_or(CreateError::Layout(name))?;
        }
        if front < BOOT_BLOCK {
            return Err(CreateError::Layout("front"));
        }
        Ok(areas)
    }

    fn metadata(
        &self,
        size: u64,
        vmk: &Secret<[u8; 32]>,
        fvek: &Secret<Vec<u8>>,
    ) -> Result<(Metadata, Created), CreateError> {
        let time = self.now.to_milliseconds();
        let mut workshop = Workshop { vmk, time, next_nonce: 1 };
        let mut datums = vec![Datum::new(role::DESCRIPTION, Body::text(self.label))];
        let mut ids = Vec::new();
        for protector in self.protectors {
            let (id, datum) = protector.make(&mut workshop)?;
            ids.push(id);
            datums.push(datum);
        }
        let key = KeyDatum { method: self.method.code(), flags: 0, bytes: fvek.duplicate() };
        datums.push(Datum::new(role::FVEK, Body::AesCcm(sealed::seal(vmk, workshop.nonce(), key))));
        let front = self.front.length();
        datums.push(Datum::new(
            role::VIRTUALIZATION,
            Body::Virtualization {
                offset: self.layout.boot_copy,
                size: front,
                extended: self.extended().as_bytes().to_vec(),
            },
        ));
        let mut guid = [0; 16];
        getrandom::fill(&mut guid)?;
        let volume = uuid::Builder::from_random_bytes(guid).into_uuid();
        let information = InformationHeader {
            signature: SIGNATURE,
            size: 0.into(),
            version: VERSION_2.into(),
            state: 4.into(),
            next_state: 4.into(),
            state_offset: size.into(),
            state_size: 0.into(),
            relocated_sectors: u32::try_from(front / self.sector_size.bytes() as u64)
                .unwrap_or(u32::MAX)
                .into(),
            metadata: self.layout.metadata.map(Into::into),
            boot_copy: self.layout.boot_copy.into(),
        };
        let dataset = DatasetHeader {
            size: 0.into(),
            version: 1.into(),
            start: (DATASET_HEADER as u32).into(),
            end: 0.into(),
            guid: volume.to_bytes_le(),
            next_nonce: workshop.next_nonce.into(),
            method: self.method.code().into(),
            preferred_method: 0.into(),
            created: self.now.0.into(),
        };
        let mut metadata = Metadata::new(information, dataset, datums);
        metadata.seal(vmk, self.now)?;
        Ok((metadata, Created { volume, protectors: ids }))
    }

    /// What a volume of Windows 10, version 22H2, says of itself: readers go by the numbers.
    fn extended(&self) -> Extended {
        let sector_size = self.sector_size.bytes() as u32;
        Extended {
            version: 5.into(),
            size: (size_of::<Extended>() as u16).into(),
            wipe_files: 0.into(),
            flags: match self.front {
                Front::Standard { .. } => Extended::FLAG_ALWAYS | Extended::FLAG_DATA,
                Front::Discovery(_) => Extended::FLAG_TO_GO | Extended::FLAG_CONVERTING | Extended::FLAG_DATA,
            }
            .into(),
            conversion_log: 0.into(),
            conversion_log_size: 0.into(),
            sector_size: sector_size.into(),
            native_sector_size: sector_size.into(),
            windows: [10, 0, 19_045, 2].map(Into::into),
            service_pack: [0, 0].map(Into::into),
            suite: 0x100.into(),
            product: 1,
            architecture: 2,
            reserved: self.layout.reserved.into(),
            reserved_size: RESERVED_AREA.into(),
        }
    }

    fn front_bytes(&self) -> Result<Vec<u8>, CreateError> {
        match &self.front {
            Front::Standard { sectors_per_cluster } => {
                // Windows leaves random bytes behind its boot sector.
                let mut front = vec![0; BOOT_BLOCK as usize];
                getrandom::fill(&mut front)?;
                front[..self.sector_size.bytes()].fill(0);
                front[..boot_sector::LENGTH].copy_from_slice(&BootSector::standard(
                    self.sector_size.bytes() as u16,
                    *sectors_per_cluster,
                    self.layout.metadata,
                ));
                Ok(front)
            }
            Front::Discovery(bytes) => {
                let mut front = bytes.to_vec();
                let (first, _) = front.split_first_chunk_mut().ok_or(CreateError::Layout("front"))?;
                *first = BootSector::to_go(first, self.layout.metadata);
                Ok(front)
            }
        }
    }
}
