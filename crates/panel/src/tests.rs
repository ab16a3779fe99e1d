//! The whole site, without a socket.

#![allow(clippy::unwrap_used)]

mod account;
mod catalogues;
mod home;
mod keep;
mod keys;
mod sample;
#[cfg(target_os = "linux")]
mod stick;
mod strangers;
mod way;
