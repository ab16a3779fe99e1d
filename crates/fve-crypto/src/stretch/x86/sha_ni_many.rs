//! Many chains in the SHA instructions: while one waits for an instruction's result, the others go on.

use std::arch::x86_64::*;

use super::super::{Chain, K, START};
use super::sha_ni::{State, pack, unpack, words};

/// The chains that are interleaved.
pub(in super::super) const CHAINS: usize = 2;

/// Goes along up to [`CHAINS`] chains with the same salt.
#[target_feature(enable = "sha,sse4.1,ssse3")]
pub(super) fn run(chains: &mut [Chain], rounds: u32) {
    assert!(chains.len() <= CHAINS);
    let Some(second) = chains.first().map(|chain| chain.second_block(0)) else { return };
    let start = pack(words(&START, 0), words(&START, 4));
    let mut blocks = [[words(&[0; 4], 0); 4]; CHAINS];
    for (block, chain) in blocks.iter_mut().zip(chains.iter()) {
        let (last, initial) = (&chain.last, &chain.initial);
        *block = [words(last, 0), words(last, 4), words(initial, 0), words(initial, 4)];
    }
    for count in 0..rounds {
        let mut states = [start; CHAINS];
        compress(&mut states, blocks);
        let with_count = _mm_insert_epi32::<0>(words(&second, 4), count.swap_bytes() as i32);
        compress_same(&mut states, [words(&second, 0), with_count, words(&second, 8), words(&second, 12)]);
        for (block, state) in blocks.iter_mut().zip(states) {
            [block[0], block[1]] = unpack(state);
        }
    }
    for (chain, block) in chains.iter_mut().zip(blocks) {
        for (half, words) in chain.last.as_chunks_mut::<4>().0.iter_mut().zip(block) {
            // SAFETY: four words are as long as the register; unaligned access is allowed.
            unsafe { _mm_storeu_si128(half.as_mut_ptr().cast(), words) };
        }
    }
}

/// Compresses a block of its own into each state.
#[inline]
#[target_feature(enable = "sha,sse4.1,ssse3")]
fn compress(states: &mut [State; CHAINS], mut blocks: [[__m128i; 4]; CHAINS]) {
    let before = *states;
    for sixteen in 0..4 {
        for i in 0..4 {
            for (state, block) in states.iter_mut().zip(&mut blocks) {
                if sixteen != 0 {
                    next_words(block, i);
                }
                let constants = with_constants(block[i], 4 * sixteen + i);
                four_rounds(state, constants, _mm_shuffle_epi32::<0b00_00_11_10>(constants));
            }
        }
    }
    add(states, &before);
}

/// Compresses the same block into all states.
#[inline]
#[target_feature(enable = "sha,sse4.1,ssse3")]
fn compress_same(states: &mut [State; CHAINS], mut block: [__m128i; 4]) {
    let before = *states;
    for sixteen in 0..4 {
        for i in 0..4 {
            if sixteen != 0 {
                next_words(&mut block, i);
            }
            let constants = with_constants(block[i], 4 * sixteen + i);
            let upper = _mm_shuffle_epi32::<0b00_00_11_10>(constants);
            for state in states.iter_mut() {
                four_rounds(state, constants, upper);
            }
        }
    }
    add(states, &before);
}

#[inline]
#[target_feature(enable = "sha,sse4.1,ssse3")]
fn add(states: &mut [State; CHAINS], before: &[State; CHAINS]) {
    for (state, before) in states.iter_mut().zip(before) {
        *state = [_mm_add_epi32(state[0], before[0]), _mm_add_epi32(state[1], before[1])];
    }
}

/// Replaces the oldest four of sixteen words of a schedule, which are at `i`, by the next four.
#[inline]
#[target_feature(enable = "sha,sse4.1,ssse3")]
fn next_words(block: &mut [__m128i; 4], i: usize) {
    let [w0, w1, w2, w3] = [block[i], block[(i + 1) % 4], block[(i + 2) % 4], block[(i + 3) % 4]];
    let sum = _mm_add_epi32(_mm_sha256msg1_epu32(w0, w1), _mm_alignr_epi8::<4>(w3, w2));
    block[i] = _mm_sha256msg2_epu32(sum, w3);
}

#[inline]
#[target_feature(enable = "sha,sse4.1,ssse3")]
fn with_constants(block: __m128i, quad: usize) -> __m128i {
    _mm_add_epi32(block, words(&K, 4 * quad))
}

#[inline]
#[target_feature(enable = "sha,sse4.1,ssse3")]
fn four_rounds([abef, cdgh]: &mut State, lower: __m128i, upper: __m128i) {
    *cdgh = _mm_sha256rnds2_epu32(*cdgh, *abef, lower);
    *abef = _mm_sha256rnds2_epu32(*abef, *cdgh, upper);
}
