//! Metadata that somebody changed.

use fve::metadata::Metadata;
use fve::{FileTime, ReadAt};
use recovery_key::Secret;

/// Seals metadata anew after a change, as Windows would.
///
/// # Panics
/// When `region` is no metadata, or too long after the change.
pub fn changed(region: &[u8], vmk: &Secret<[u8; 32]>, change: impl FnOnce(&mut Metadata)) -> Vec<u8> {
    let mut metadata = Metadata::parse(region).unwrap_or_else(|e| panic!("no metadata: {e}"));
    change(&mut metadata);
    metadata.seal(vmk, FileTime(1 << 56)).unwrap_or_else(|e| panic!("too long: {e}"));
    metadata.to_bytes().expose().clone()
}

/// Changes metadata as one can who does not have its key: the checksum is right, the keyed hash is not.
pub fn tampered(region: &[u8], change: impl FnOnce(&mut Metadata)) -> Vec<u8> {
    changed(region, &Secret::new([0xee; 32]), change)
}

/// Returns the bytes of a part of a source.
///
/// # Panics
/// When they cannot be read.
pub fn bytes(source: &dyn ReadAt, from: u64, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    source.read_at(from, &mut bytes).unwrap_or_else(|e| panic!("reading at {from:#x}: {e}"));
    bytes
}
