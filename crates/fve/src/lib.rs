//! BitLocker (FVE) volumes on disk: metadata, protectors, reading, proving, creating.

mod io;

pub use io::{ReadAt, WriteAt};
