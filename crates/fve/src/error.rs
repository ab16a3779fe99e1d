//! What can be wrong with a volume, said with the place and what was found there.

use std::io;

use recovery_key::dataset::BadDatum;
use uuid::Uuid;

/// Why a volume could not be opened or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The device or file could not be read.
    #[error("cannot read the {what} at byte {offset:#x}: {source}")]
    Read {
        /// What was to be read.
        what: &'static str,
        /// Where it should be, from the start of the volume.
        offset: u64,
        /// What the operating system said.
        source: io::Error,
    },
    /// Sector 0 carries no BitLocker signature.
    #[error("this is not a BitLocker volume: its first sector carries no BitLocker signature")]
    NotBitLocker,
    /// None of the three metadata copies can be used.
    #[error(
        "all three copies of the BitLocker metadata are destroyed: \
         copy 1 {}; copy 2 {}; copy 3 {}", .0[0], .0[1], .0[2]
    )]
    MetadataDestroyed(Box<[MetadataError; 3]>),
    /// A snapshot was given for a volume whose own metadata is another's.
    #[error("the snapshot is of the volume {snapshot}, but this is the volume {drive}")]
    OtherSnapshot {
        /// The volume that the snapshot was made of.
        snapshot: Uuid,
        /// The volume that is there.
        drive: Uuid,
    },
    /// A snapshot was given for a volume that begins with a file system in clear.
    #[error("this begins with an {0} file system that is not encrypted (any more)")]
    Plain(&'static str),
    /// The volume has a geometry that no BitLocker volume has.
    #[error("the {what} is {found:#x}, which {rule}")]
    Geometry {
        /// Which value.
        what: &'static str,
        /// What it is.
        found: u64,
        /// What it must be.
        rule: &'static str,
    },
    /// The volume is encrypted by a method that this program does not know.
    #[error("the encryption method {0:#06x} is unknown (a drive that encrypts in hardware?)")]
    UnknownMethod(u16),
    /// A structure of a running conversion is damaged, so which sectors are encrypted is unknown.
    #[error("a conversion was running on this volume, and its {what} at byte {offset:#x} {problem}")]
    Conversion {
        /// Which structure.
        what: &'static str,
        /// Where it lies.
        offset: u64,
        /// What is wrong with it.
        problem: &'static str,
    },
}

/// Why one copy of the metadata cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MetadataError {
    /// The copy could not be read.
    #[error("at byte {offset:#x} cannot be read ({source})")]
    Unreadable {
        /// Where the copy should be, from the start of the volume.
        offset: u64,
        /// What the operating system said.
        source: io::Error,
    },
    /// The copy's place is unknown, because it is written in another copy that is lost.
    #[error("is at an unknown place")]
    UnknownPlace,
    /// There is no metadata at the place where the copy should be.
    #[error("does not start with the BitLocker signature")]
    NoSignature,
    /// The format version is neither 1 (Vista) nor 2 (Windows 7 and later).
    #[error("has the unknown version {0}")]
    Version(u16),
    /// A size in the headers contradicts another size or the length of the region.
    #[error("has the {what} {found:#x} at +{position:#x}, but {rule}")]
    Size {
        /// Which size.
        what: &'static str,
        /// Where it stands, from the start of the region.
        position: usize,
        /// What it is.
        found: u64,
        /// What it must be.
        rule: &'static str,
    },
    /// A datum does not fit.
    #[error("is cut off: {0}")]
    Datum(#[from] BadDatum),
    /// The checksum over the copy does not match.
    #[error("has the checksum {found:#010x}, but its bytes give {computed:#010x}")]
    Checksum {
        /// The CRC-32 that is stored.
        found: u32,
        /// The CRC-32 of the bytes.
        computed: u32,
    },
}
