//! The arithmetic of BitLocker: sector ciphers and key stretching, in safe code and in SIMD.
//!
//! Nothing here knows what a volume looks like. [`SectorCipher`] turns the sectors of a volume from
//! ciphertext into plaintext and back, [`stretch`] turns a recovery password or a password into the
//! key that opens a protector, [`ccm`] opens and seals the small boxes that keys are kept in.
//!
//! Everything exists in safe code, which runs on any processor and is what the tests measure the rest
//! against. On x86-64 there are kernels for newer instructions besides; which one runs is decided
//! when a cipher is made, by what the processor has.

pub mod ccm;
mod method;
mod sector;
pub mod stretch;

pub use method::{Method, UnknownMethod};
#[doc(hidden)]
pub use sector::Kernel;
pub use sector::{BadSectorSize, KeyLength, SectorCipher, SectorSize};
