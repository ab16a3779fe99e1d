//! Structures cut out of bytes from outside.

use zerocopy::{FromBytes, Immutable, KnownLayout, Unaligned};

/// Reads a structure at a place; `None` when it is not all there.
pub(crate) fn structure<T: FromBytes + Immutable + KnownLayout + Unaligned>(
    bytes: &[u8],
    at: usize,
) -> Option<&T> {
    T::ref_from_prefix(bytes.get(at..)?).ok().map(|(structure, _)| structure)
}

/// Returns `length` bytes from a place on.
pub(crate) fn part(bytes: &[u8], at: usize, length: usize) -> Option<&[u8]> {
    bytes.get(at..at.checked_add(length)?)
}

/// Returns the UTF-16 units in little-endian bytes; an odd last byte is left out.
pub(crate) fn utf16(bytes: &[u8]) -> impl Iterator<Item = u16> + Clone {
    bytes.as_chunks::<2>().0.iter().map(|&unit| u16::from_le_bytes(unit))
}
