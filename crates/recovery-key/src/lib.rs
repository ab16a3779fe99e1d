//! BitLocker recovery keys: the 48 digits, key IDs, and the documents they are written in.

pub mod dataset;
mod secret;

pub use secret::Secret;
