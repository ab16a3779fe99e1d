//! The chain in safe code, on the `sha2` crate: what runs where no kernel fits.

use sha2::block_api::compress256;
use zeroize::Zeroizing;

use super::{Chain, START};

pub(super) fn run(chain: &mut Chain, rounds: u32) {
    let mut blocks = Zeroizing::new([[0; 64]; 2]);
    write_words(&mut blocks[0][32..], &chain.initial);
    for count in 0..rounds {
        write_words(&mut blocks[0], &chain.last);
        write_words(&mut blocks[1], &chain.second_block(count));
        chain.last = START;
        compress256(&mut chain.last, &*blocks);
    }
}

fn write_words(bytes: &mut [u8], words: &[u32]) {
    for (bytes, word) in bytes.as_chunks_mut().0.iter_mut().zip(words) {
        *bytes = word.to_be_bytes();
    }
}
