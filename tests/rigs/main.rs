//! The rigs themselves: what the account's tests stand on does what they take it to do.

#![allow(clippy::unwrap_used)]

mod browser;
mod judges;
mod lastkeyd;
mod postgres;
