//! What is inside an open volume, as a file system of this computer: its files, or one file with all its
//! decrypted bytes.
//!
//! [`mount`] goes through Linux' FUSE, so an ordinary user can do it where `fusermount3` is installed. Nothing
//! can be written. A mount whose process dies is dead, not gone: [`is_dead`] tells, and [`unmount`] with
//! [`Busy::Detach`] takes it away.
//!
//! Elsewhere than on Linux the crate is empty.

#![cfg(target_os = "linux")]

mod files;
mod names;
mod raw;
mod session;

pub use session::{Busy, Content, KIND, Mount, Options, is_dead, mount, unmount};
