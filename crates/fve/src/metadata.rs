//! One copy of the metadata: information header, dataset, datums, and the checks behind them.
//!
//! ```text
//! +0x00        information header  0x40 bytes
//! +0x40        dataset header      0x30 bytes
//! +0x70        datums, padded to 16 bytes
//! +info_size   validation: size, version, CRC-32 over all before it
//! +8           a datum with the SHA-256 of the same bytes, encrypted under the VMK
//! ```
//! The region is 64 KiB (Windows 7 and later) or 16 KiB (Vista) and the volume has three of them.

use std::fmt;

use recovery_key::Secret;
use recovery_key::dataset::{DATASET_HEADER, DatasetHeader};
use sha2::{Digest, Sha256};
use zerocopy::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::FileTime;
use crate::datum::{Body, Datum, Key, Sealed, method, role, utf16};
use crate::error::MetadataError;
use crate::sealed;

mod extended;

pub use extended::Extended;

/// What metadata and every BitLocker boot sector but that of To Go carry.
pub const SIGNATURE: [u8; 8] = *b"-FVE-FS-";
/// Vista.
pub const VERSION_1: u16 = 1;
/// Windows 7 and later.
pub const VERSION_2: u16 = 2;

/// The first 64 bytes of a metadata region.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct InformationHeader {
    /// [`SIGNATURE`].
    pub signature: [u8; 8],
    /// Length of the checked part: bytes in version 1, 16-byte units in version 2.
    pub size: U16,
    /// [`VERSION_1`] or [`VERSION_2`].
    pub version: U16,
    /// What the volume is: see [`crate::State`].
    pub state: U16,
    /// What it is on the way to; equal to `state` when it is there.
    pub next_state: U16,
    /// Up to where the volume is encrypted, in bytes; the volume's size when it is all encrypted.
    pub state_offset: U64,
    /// Length of the conversion log at `state_offset` in state 2, else 0.
    pub state_size: U32,
    /// How many sectors at the front of the volume were moved elsewhere.
    pub relocated_sectors: U32,
    /// Where the three metadata regions lie, in bytes.
    pub metadata: [U64; 3],
    /// Where the moved boot block lies, in bytes; Vista: the NTFS boot sector's `MFTMirr` cluster.
    pub boot_copy: U64,
}

/// The 8 bytes in front of the keyed hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct ValidationHeader {
    size: U16,
    version: U16,
    checksum: U32,
}

const INFORMATION_HEADER: usize = size_of::<InformationHeader>();
const DATUMS_AT: usize = INFORMATION_HEADER + DATASET_HEADER;
const VALIDATION_HEADER: usize = size_of::<ValidationHeader>();
/// The length of a SHA-256.
const HASH_BYTES: usize = 32;

/// One copy of the metadata.
pub struct Metadata {
    /// The information header.
    pub information: InformationHeader,
    /// The dataset header.
    pub dataset: DatasetHeader,
    /// The datums, in their order.
    pub datums: Vec<Datum>,
    padding: Vec<u8>,
    validation: ValidationHeader,
    /// What follows the validation header: the hash's datum, and zeros to the end of the region.
    rest: Vec<u8>,
    /// SHA-256 of the checked part, as it was read or last sealed.
    hash: [u8; HASH_BYTES],
}

impl Metadata {
    /// Returns the length of a region, from its version.
    pub fn region_size(version: u16) -> usize {
        if version == VERSION_1 { 0x4000 } else { 0x1_0000 }
    }

    /// Reads a region, whole or as much of it as there is, and checks its CRC.
    pub fn parse(region: &[u8]) -> Result<Self, MetadataError> {
        let (information, rest) =
            InformationHeader::read_from_prefix(region).map_err(|_| MetadataError::NoSignature)?;
        if information.signature != SIGNATURE {
            return Err(MetadataError::NoSignature);
        }
        let info_size = match information.version.get() {
            VERSION_1 => usize::from(information.size.get()),
            VERSION_2 => usize::from(information.size.get()) << 4,
            other => return Err(MetadataError::Version(other)),
        };
        let region = region.get(..Self::region_size(information.version.get())).unwrap_or(region);
        let size_error = |what, position, found: usize, rule| MetadataError::Size {
            what,
            position,
            found: found as u64,
            rule,
        };
        let checked = region
            .get(..info_size)
            .filter(|checked| checked.len() >= DATUMS_AT)
            .ok_or_else(|| size_error("information size", 8, info_size, "it does not fit its region"))?;
        let (dataset, _) = DatasetHeader::read_from_prefix(rest).map_err(|_| MetadataError::NoSignature)?;
        let end = dataset.end.get() as usize;
        if dataset.start.get() as usize != DATASET_HEADER {
            let found = dataset.start.get() as usize;
            return Err(size_error("start of datums", INFORMATION_HEADER + 8, found, "it is always 0x30"));
        }
        let datums = checked.get(DATUMS_AT..INFORMATION_HEADER.saturating_add(end)).ok_or_else(|| {
            size_error("end of datums", INFORMATION_HEADER + 12, end, "it does not fit the information size")
        })?;
        let behind = region.get(info_size..).unwrap_or_default();
        let (validation, rest) = ValidationHeader::read_from_prefix(behind)
            .map_err(|_| size_error("information size", 8, info_size, "no room is left for the checksum"))?;
        let computed = crc32fast::hash(checked);
        if computed != validation.checksum.get() {
            return Err(MetadataError::Checksum { found: validation.checksum.get(), computed });
        }
        Ok(Self {
            information,
            dataset,
            datums: Datum::parse_all(datums)?,
            padding: checked.get(INFORMATION_HEADER + end..).unwrap_or_default().to_vec(),
            validation,
            rest: rest.to_vec(),
            hash: Sha256::digest(checked).into(),
        })
    }

    /// Starts new metadata; [`seal`](Self::seal) completes it.
    pub fn new(information: InformationHeader, dataset: DatasetHeader, datums: Vec<Datum>) -> Self {
        Self {
            information,
            dataset,
            datums,
            padding: Vec::new(),
            validation: ValidationHeader::new_zeroed(),
            rest: Vec::new(),
            hash: [0; HASH_BYTES],
        }
    }

    /// Returns the region as it is stored.
    pub fn to_bytes(&self) -> Secret<Vec<u8>> {
        let mut out = self.checked_part();
        out.expose_mut().extend_from_slice(self.validation.as_bytes());
        out.expose_mut().extend_from_slice(&self.rest);
        out
    }

    /// Returns how many bytes of the region are in use: all up to the end of the hash's datum.
    pub(crate) fn used(&self) -> usize {
        let hash = self.rest.first_chunk().map_or(0, |&size| usize::from(u16::from_le_bytes(size)));
        self.checked_part().expose().len() + VALIDATION_HEADER + hash
    }

    fn checked_part(&self) -> Secret<Vec<u8>> {
        let mut out = Secret::new(Vec::with_capacity(Self::region_size(self.information.version.get())));
        let bytes = out.expose_mut();
        bytes.extend_from_slice(self.information.as_bytes());
        bytes.extend_from_slice(self.dataset.as_bytes());
        self.datums.iter().for_each(|datum| datum.write(bytes));
        bytes.extend_from_slice(&self.padding);
        out
    }

    /// Makes sizes, checksum and keyed hash agree with the rest.
    ///
    /// Takes one nonce counter, which the hash already covers, as Windows does it.
    pub fn seal(&mut self, vmk: &Secret<[u8; 32]>, now: FileTime) -> Result<(), MetadataError> {
        let version = self.information.version.get();
        let region = Self::region_size(version);
        let end = DATASET_HEADER + self.datums.iter().map(Datum::size).sum::<usize>();
        let info_size = (INFORMATION_HEADER + end).next_multiple_of(16);
        let room = region.saturating_sub(VALIDATION_HEADER + sealed::datum_size(HASH_BYTES));
        if info_size > room {
            return Err(MetadataError::Size {
                what: "information size",
                position: 8,
                found: info_size as u64,
                rule: "the datums do not fit the region",
            });
        }
        // Both fit: the region has at most 64 KiB.
        let as_u16 = |value: usize| U16::new(u16::try_from(value).unwrap_or(u16::MAX));
        let as_u32 = |value: usize| U32::new(u32::try_from(value).unwrap_or(u32::MAX));
        let counter = self.dataset.next_nonce.get();
        self.dataset.next_nonce = U32::new(counter.wrapping_add(1));
        self.dataset.size = as_u32(end);
        self.dataset.end = as_u32(end);
        self.information.size = as_u16(if version == VERSION_1 { info_size } else { info_size >> 4 });
        self.padding = vec![0; info_size - INFORMATION_HEADER - end];

        let checked = self.checked_part();
        self.hash = Sha256::digest(checked.expose()).into();
        let key = Key { method: method::HASH, flags: 0, bytes: Secret::new(self.hash.to_vec()) };
        let datum =
            Datum::new(role::PROPERTY, Body::AesCcm(sealed::seal(vmk, sealed::nonce(now, counter), key)));
        self.validation = ValidationHeader {
            size: as_u16(region - info_size),
            version: U16::new(version),
            checksum: U32::new(crc32fast::hash(checked.expose())),
        };
        self.rest.clear();
        datum.write(&mut self.rest);
        self.rest.resize(region - info_size - VALIDATION_HEADER, 0);
        Ok(())
    }

    /// Returns whether the stored hash, opened with the VMK, is the hash of these bytes.
    ///
    /// On a decrypted volume the hash is stored in clear, and `vmk` is not used.
    pub fn hash_holds(&self, vmk: Option<&Secret<[u8; 32]>>) -> bool {
        let Some(Ok(raw)) = recovery_key::dataset::datums(&self.rest).next() else { return false };
        match (Datum::parse(&raw).body, vmk) {
            (Body::Key(key), None) => key.method == method::HASH && *key.bytes.expose() == self.hash,
            (Body::AesCcm(sealed), Some(vmk)) => {
                sealed::open(vmk, &sealed, method::HASH).is_some_and(|hash| *hash.expose() == self.hash)
            }
            _ => false,
        }
    }

    /// Returns whether both were read from the same bytes.
    pub(crate) fn same_as(&self, other: &Self) -> bool {
        (self.hash, self.validation, &self.rest) == (other.hash, other.validation, &other.rest)
    }

    /// Returns the stored keyed hash: a blob that the VMK opens; `None` when it is stored in clear.
    pub fn hash_seal(&self) -> Option<Sealed> {
        let raw = recovery_key::dataset::datums(&self.rest).next()?.ok()?;
        match Datum::parse(&raw).body {
            Body::AesCcm(sealed) => Some(sealed),
            _ => None,
        }
    }

    /// Computes the keyed hash anew under the stored nonce: equal to [`Self::hash_seal`] on an intact copy.
    pub fn compute_hash_seal(&self, vmk: &Secret<[u8; 32]>) -> Option<Sealed> {
        let stored = self.hash_seal()?;
        let hash = Sha256::digest(self.checked_part().expose());
        let key = Key { method: method::HASH, flags: 0, bytes: Secret::new(hash.to_vec()) };
        Some(sealed::seal(vmk, stored.nonce, key))
    }

    /// Returns the drive label: computer, volume and date as Windows wrote them.
    pub fn label(&self) -> Option<String> {
        self.datums.iter().find(|datum| datum.role == role::DESCRIPTION).and_then(|datum| match &datum.body {
            Body::Unicode(bytes) => Some(utf16(bytes)),
            _ => None,
        })
    }

    /// Returns the encrypted FVEK.
    pub fn fvek(&self) -> Option<&Sealed> {
        self.datums.iter().find_map(|datum| match &datum.body {
            Body::AesCcm(sealed) if datum.role == role::FVEK => Some(sealed),
            _ => None,
        })
    }

    /// Returns place and length of the relocated boot block, and what Windows 8 and later adds.
    pub fn virtualization(&self) -> Option<(u64, u64, Option<Extended>)> {
        self.datums.iter().find_map(|datum| match &datum.body {
            Body::Virtualization { offset, size, extended } if datum.role == role::VIRTUALIZATION => {
                Some((*offset, *size, Extended::parse(extended)))
            }
            _ => None,
        })
    }
}

/// Shows the headers and which datums there are, but none of the bytes in them.
impl fmt::Debug for Metadata {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metadata")
            .field("information", &self.information)
            .field("dataset", &self.dataset)
            .field("datums", &self.datums)
            .finish_non_exhaustive()
    }
}
