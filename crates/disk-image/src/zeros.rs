//! Blocks of zeros.

use std::iter;

/// How many zeros in a row, at least, are left out: one cluster of a qcow2 image. Smaller holes would save little and
/// leave the file in many pieces.
pub const BLOCK: usize = 64 << 10;

/// Returns whether all bytes are zero.
pub fn are_all(bytes: &[u8]) -> bool {
    // Whole pieces without a way out are what a compiler makes vectors of; data shows itself in the first.
    bytes.chunks(512).all(|piece| piece.iter().fold(0, |all, byte| all | byte) == 0)
}

/// Returns the parts that are not zero, from whole blocks to whole blocks, and where each begins.
pub fn between(bytes: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    let mut at = 0;
    let while_zero = |from: usize, zero: bool| -> usize {
        let blocks = bytes.get(from..).unwrap_or_default().chunks(BLOCK);
        blocks.take_while(|block| are_all(block) == zero).map(<[u8]>::len).sum()
    };
    iter::from_fn(move || {
        let start = at + while_zero(at, true);
        at = start + while_zero(start, false);
        bytes.get(start..at).filter(|data| !data.is_empty()).map(|data| (start, data))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_single_bit_is_seen_wherever_it_is() {
        let mut bytes = vec![0; 1500];
        assert!(are_all(&bytes) && are_all(&[]));
        for at in 0..bytes.len() {
            bytes[at] = 0x80;
            assert!(!are_all(&bytes), "at {at}");
            bytes[at] = 0;
        }
    }

    #[test]
    fn what_lies_between_zeros_is_found_in_whole_blocks() {
        let mut bytes = vec![0; 5 * BLOCK + 7];
        let found = |bytes: &[u8]| between(bytes).map(|(at, data)| (at, data.len())).collect::<Vec<_>>();
        assert_eq!(found(&bytes), []);
        bytes[2 * BLOCK - 1] = 1;
        bytes[2 * BLOCK] = 1;
        bytes[5 * BLOCK + 6] = 1;
        assert_eq!(found(&bytes), [(BLOCK, 2 * BLOCK), (5 * BLOCK, 7)]);
    }
}
