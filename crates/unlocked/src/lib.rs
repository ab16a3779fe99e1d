//! What one can do with an open volume: its files, read straight from the drive, nothing mounted.
//!
//! [`FileSystem`] reads NTFS, exFAT and FAT over any [`fve::ReadAt`], a decrypted [`fve::View`] for one.
//! It never writes, opens no files of this computer and asks nobody. What it reads may have been made by
//! somebody who means harm: every length is checked, every walk ends, and what is broken is an
//! [`Error`] that says where.
//!
//! | | read | named, and refused when read |
//! |---|---|---|
//! | NTFS | compressed (LZNT1), sparse, fragmented files; files that Windows packed by WOF (XPRESS, LZX); streams, links; with its boot sector or the first records of `$MFT` lost | EFS, files in the cloud, deduplicated files, WIMBoot |
//! | exFAT | all, the second allocation table of TexFAT too | |
//! | FAT12, FAT16, FAT32 | long names, short names in code page 437 | |
//!
//! A damaged folder can have itself in it: [`FileSystem::walk`] goes through everything and into each folder once.
//!
//! The journal of NTFS (`$LogFile`) is not replayed: after an unclean shutdown the files are those on the
//! drive, as they are when Windows' own journal is lost.

mod bytes;
mod case;
mod clusters;
pub mod compression;
mod error;
mod exfat;
mod extents;
mod fat;
mod file;
mod file_system;
mod name;
mod node;
mod ntfs;
mod records;
mod walk;

pub use error::{At, Elsewhere, Error};
pub use extents::Extent;
pub use file::File;
pub use file_system::{About, FileSystem, Format, Found, Listing, Records};
pub use name::Name;
pub use node::{Entry, FileId, FullName, Kind, Link, LinkKind, Part, Position, Stat, Stored, Stream, Times};
pub use walk::{Step, Walk};
