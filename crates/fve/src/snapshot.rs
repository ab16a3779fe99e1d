//! The metadata of a volume, kept for the day when all three copies on the drive are destroyed.

use std::fmt;
use std::sync::Arc;

use uuid::Uuid;

use crate::boot_sector::{self, BootSector};
use crate::error::{Error, MetadataError};
use crate::io::{self, ReadAt};
use crate::metadata::Metadata;
use crate::view::FileSystem;
use crate::volume::{MetadataCopy, Protection, Volume, newest, protection};

/// A metadata region as it is on the drive: 64 KiB, or 16 KiB on volumes of Vista.
///
/// No key lies in it in clear: each is encrypted under a protector. Only a suspended volume's metadata
/// holds the key beside its lock, so of such a volume there is no snapshot.
#[derive(Clone, PartialEq, Eq)]
pub struct Snapshot {
    region: Vec<u8>,
    volume: Uuid,
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshot").field("volume", &self.volume).finish_non_exhaustive()
    }
}

/// Why there is no snapshot.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SnapshotError {
    /// The bytes are no metadata.
    #[error(transparent)]
    Metadata(#[from] MetadataError),
    /// The key lies in the metadata.
    #[error("the drive is suspended, so its key lies in its metadata in clear")]
    ClearKey,
}

impl Volume {
    /// Returns the metadata that is used, to be kept elsewhere.
    ///
    /// # Errors
    /// [`SnapshotError::ClearKey`] when the key lies in it.
    pub fn snapshot(&self) -> Result<Snapshot, SnapshotError> {
        Snapshot::parse(self.metadata().to_bytes().expose())
    }

    /// Opens the volume that starts at the first byte of `source` with metadata that was kept elsewhere, also
    /// when its boot sector and all three copies are destroyed. Copies that are left are used too.
    ///
    /// What became of the volume after the snapshot was made, the snapshot does not know: whoever reads it should
    /// look whether the view shows a file system. A conversion that is running is known by the boot sector, as ever.
    ///
    /// # Errors
    /// [`Error::OtherSnapshot`] when copies are left and are another volume's, [`Error::Plain`] when the volume
    /// is encrypted no more.
    pub fn open_with(source: Arc<dyn ReadAt>, snapshot: &Snapshot) -> Result<Self, Error> {
        let metadata = snapshot.metadata();
        let sector = io::read_up_to(&*source, 0, boot_sector::LENGTH).unwrap_or_default();
        let sector = sector.first_chunk().copied().unwrap_or([0; boot_sector::LENGTH]);
        let boot = BootSector::parse(&sector);
        if boot.is_none()
            && let Some(found) = FileSystem::of(&sector)
        {
            return Err(Error::Plain(found.name));
        }
        let copies =
            metadata.information.metadata.map(|place| MetadataCopy::read(&*source, Some(place.get())));
        let left = newest(&copies);
        if let Some(other) = left.and_then(|n| copies.get(n)?.metadata.as_ref().ok())
            && other.dataset.guid != metadata.dataset.guid
        {
            let (snapshot, drive) = (snapshot.volume(), Uuid::from_bytes_le(other.dataset.guid));
            return Err(Error::OtherSnapshot { snapshot, drive });
        }
        Self::around(source, boot, copies, Some(metadata), left)
    }
}

impl Snapshot {
    /// No snapshot is longer.
    pub const SIZE_LIMIT: usize = 0x1_0000;

    /// Reads a snapshot, or a region of a drive.
    ///
    /// # Errors
    /// When the bytes are no metadata, or the key lies in it.
    pub fn parse(region: &[u8]) -> Result<Self, SnapshotError> {
        let metadata = Metadata::parse(region)?;
        if protection(&metadata) == Protection::Suspended {
            return Err(SnapshotError::ClearKey);
        }
        let mut region = metadata.to_bytes().expose().clone();
        // Windows leaves zeros there; whatever else it may be, it is none of the metadata.
        if let Some(unused) = region.get_mut(metadata.used()..) {
            unused.fill(0);
        }
        Ok(Self { region, volume: Uuid::from_bytes_le(metadata.dataset.guid) })
    }

    /// Returns the volume's GUID.
    pub fn volume(&self) -> Uuid {
        self.volume
    }

    /// Returns how many writes to the metadata went before: of two snapshots of a volume, the one with more is newer.
    pub fn writes(&self) -> u32 {
        self.metadata().dataset.next_nonce.get()
    }

    pub(crate) fn metadata(&self) -> Metadata {
        Metadata::parse(&self.region).expect("checked when the snapshot was made")
    }

    /// Returns the bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.region
    }

    /// Returns a name for its file: another state of the metadata has another name.
    pub fn file_name(&self) -> String {
        let sum = crc32fast::hash(&self.region);
        format!("BitLocker Metadata {} {sum:08X}.fve", self.volume.to_string().to_uppercase())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_are_no_metadata_are_no_snapshot() {
        for bytes in [&b""[..], b"-FVE-FS-", &[0; 0x1_0000]] {
            assert!(matches!(Snapshot::parse(bytes), Err(SnapshotError::Metadata(_))));
        }
    }
}
