//! The drives of this computer: what is attached, what is encrypted, what lies where.
//!
//! - [`Source`] opens an image file or a device for reading or writing at any place;
//! - [`signature()`] names what the first bytes look like, [`partitions()`] what a whole disk is cut into;
//! - [`attached()`] lists the drives, [`resolve()`] turns what a person typed into one of them,
//!   [`mark()`] tells whether it is worth while to list them anew;
//! - [`lies_on`] tells what a folder stands on, [`mounted`] whether a drive is in use.
//!
//! Nothing here changes a drive except [`Source::open_writable`] and what is then written through it.

mod attached;
mod layers;
mod part;
mod partitions;
mod resolve;
mod signature;
mod source;
mod uses;

#[cfg(not(any(target_os = "linux", windows)))]
mod elsewhere;
#[cfg(target_os = "linux")]
mod linux;
#[cfg(windows)]
mod windows;

#[cfg(not(any(target_os = "linux", windows)))]
use elsewhere as platform;
#[cfg(target_os = "linux")]
use linux as platform;
#[cfg(windows)]
use windows as platform;

pub use attached::{Attached, attached, mark};
pub use layers::{DeviceNumber, Layer, MountedAt, Opener, lies_on, opened_bitlocker, same_drive};
pub use part::Part;
pub use partitions::{Partition, partitions};
pub use resolve::{ResolveError, resolve};
pub use signature::{Signature, signature};
pub use source::{OpenError, Source, Window};
pub use uses::{Use, mounted, mounts_of};
