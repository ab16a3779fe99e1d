//! Copying what can be read of a failing drive, and naming the files that are lost.
//!
//! [`Rescue`] copies a source into a file, first what is easy, then around the bad places, and keeps account in a
//! [`Map`], in the format of GNU ddrescue. [`Holes`] reads such a copy, and fails where it has nothing: what was
//! lost is never taken for zeros. [`lost_files`] goes through the file system in it.
//!
//! The crate opens no files and asks nobody: it takes [`fve::ReadAt`] and [`fve::WriteAt`], and tells a [`Watch`].

mod copy;
mod holes;
mod lost;
mod map;

pub use copy::{Rescue, Stopped, Watch};
pub use holes::Holes;
pub use lost::{Damage, Interrupted, LostFile, Summary, lost_files};
pub use map::{Map, MapError, Phase, Status};
