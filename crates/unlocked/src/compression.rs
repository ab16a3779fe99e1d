//! The compressions that Windows uses in files on NTFS.
//!
//! Each function fills `out`, whose length must be known from elsewhere, and returns `None` when the bytes
//! cannot be decompressed to so many; `out` may then have been written to. None allocates.

mod bits;
mod huffman;
mod lznt1;
mod lzx;
mod xpress;

pub use lznt1::decompress as lznt1;
pub use lzx::decompress as lzx;
pub use xpress::decompress as xpress;

/// Repeats what is `distance` bytes back, up to the end of `out`; returns where that ends.
#[inline]
fn repeat(out: &mut [u8], at: usize, distance: usize, length: usize) -> Option<usize> {
    let from = at.checked_sub(distance)?;
    let length = length.min(out.len() - at);
    if distance >= length {
        out.copy_within(from..from + length, at);
    } else if distance == 1 {
        let byte = out[from];
        out[at..at + length].fill(byte);
    } else {
        for place in at..at + length {
            out[place] = out[place - distance];
        }
    }
    Some(at + length)
}
