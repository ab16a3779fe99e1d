//! Disk images, written: raw with holes, and qcow2.
//!
//! - [`Writer`] writes an image from its first byte to its last, and goes on with one that was broken off;
//! - [`Raw`] is a raw image of fixed length that is written at any place, as whoever reads around bad sectors must.
//!
//! Blocks of zeros are not stored: in a raw image they are holes, in a qcow2 image clusters that do not exist. What
//! one reads there is the same. (On Windows, and on FAT, a file has no holes: there zeros take room in a raw image.)
//!
//! The libraries that know qcow2 serve images that a machine runs on: they keep every instant's file whole, and
//! pay for it. A copy wants the opposite: nothing that could be taken for an image before it is one.

mod place;
mod qcow2;
mod raw;
mod writer;
mod zeros;

pub use raw::Raw;
pub use writer::{Format, Mark, Writer};
pub use zeros::BLOCK;
