//! Drives that only an administrator may read, without the panel being one.
//!
//! A second process has the rights. It does two things, which is all that it is asked for over a socket: it says which drives
//! are BitLocker drives, and it opens one of those, to be read, and hands the open file over. It reads no more than the first
//! sector of a drive, and gets no key to see: decrypting is done here, without any rights. It ends when the socket closes.

mod client;
mod lend;
#[cfg_attr(not(target_os = "linux"), allow(dead_code))]
mod wire;

pub use client::Helper;
pub use lend::lend;
