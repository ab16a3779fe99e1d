//! BitLocker (FVE) volumes on disk: metadata, protectors, reading, proving, creating.
//!
//! ```text
//! key --stretch--> 32 bytes --AES-CCM--> VMK --AES-CCM--> FVEK --> sectors
//!                                         VMK --AES-CCM--> SHA-256 of the metadata
//!                                         VMK --AES-CCM--> every recovery password and external key
//! ```
//! [`Volume::open`] reads what can be known without a key; [`Volume::unlock`] takes a [`Key`] and gives
//! an [`Unlocked`] volume with its keys and its decrypted [`View`]; [`Volume::prove`] does the same and
//! returns a [`Proof`]. [`RecoveryLocks`] tries many recovery passwords, a [`Capsule`] one without
//! the drive. [`scan`] finds a volume whose boot sector is lost.
//!
//! The crate opens no files and asks nobody: it takes [`ReadAt`] and gives values.

pub mod boot_sector;
mod candidates;
mod capsule;
pub mod conversion;
mod create;
pub mod datum;
mod error;
mod io;
pub mod metadata;
mod new_protector;
mod protector;
mod prove;
mod scan;
mod sealed;
mod snapshot;
mod time;
mod unlock;
mod unlocked;
mod view;
mod volume;

pub use candidates::RecoveryLocks;
pub use capsule::{Capsule, CapsuleError};
pub use create::{
    BOOT_BLOCK, CreateError, Created, Front, Layout, METADATA_REGION, NewVolume, RESERVED_AREA,
};
pub use error::{Error, MetadataError};
pub use fve_crypto::{Method, SectorSize};
pub use io::{ReadAt, WriteAt};
pub use new_protector::NewProtector;
pub use protector::{BackupInformation, Protector, ProtectorKind};
pub use prove::{Proof, ProofError};
pub use scan::{Found, scan, scan_conversion};
pub use snapshot::{Snapshot, SnapshotError};
pub use time::FileTime;
pub use unlock::{Key, UnlockError};
pub use unlocked::{Recovered, Unlocked};
pub use view::{FileSystem, View};
pub use volume::{Direction, MetadataCopy, Protection, State, Volume};
