//! The chain in the SHA instructions.
//!
//! One instruction does two rounds and the next waits for it: 64 of them, four cycles each, are nearly
//! the whole time. The schedules fit into the gaps.

use std::arch::x86_64::*;

use super::super::{Chain, K, START};

#[target_feature(enable = "sha,sse4.1,ssse3")]
pub(super) fn run(chain: &mut Chain, rounds: u32) {
    let start = pack(words(&START, 0), words(&START, 4));
    let initial = [words(&chain.initial, 0), words(&chain.initial, 4)];
    let mut last = [words(&chain.last, 0), words(&chain.last, 4)];
    let second = chain.second_block(0);
    let second: [__m128i; 4] = std::array::from_fn(|i| words(&second, 4 * i));
    for count in 0..rounds {
        let state = compress(start, [last[0], last[1], initial[0], initial[1]]);
        let with_count = _mm_insert_epi32::<0>(second[1], count.swap_bytes() as i32);
        let state = compress(state, [second[0], with_count, second[2], second[3]]);
        last = unpack(state);
    }
    for (half, words) in chain.last.as_chunks_mut::<4>().0.iter_mut().zip(last) {
        // SAFETY: four words are as long as the register; unaligned access is allowed.
        unsafe { _mm_storeu_si128(half.as_mut_ptr().cast(), words) };
    }
}

/// The state as the instructions want it: a, b, e, f and c, d, g, h, each from the highest word down.
pub(super) type State = [__m128i; 2];

#[inline]
#[target_feature(enable = "sha,sse4.1,ssse3")]
fn compress(before: State, mut block: [__m128i; 4]) -> State {
    let mut state = before;
    for (i, words) in block.into_iter().enumerate() {
        four_rounds(&mut state, words, i);
    }
    for sixteen in 1..4 {
        for i in 0..4 {
            let [w0, w1, w2, w3] = [block[i], block[(i + 1) % 4], block[(i + 2) % 4], block[(i + 3) % 4]];
            let sum = _mm_add_epi32(_mm_sha256msg1_epu32(w0, w1), _mm_alignr_epi8::<4>(w3, w2));
            block[i] = _mm_sha256msg2_epu32(sum, w3);
            four_rounds(&mut state, block[i], 4 * sixteen + i);
        }
    }
    [_mm_add_epi32(state[0], before[0]), _mm_add_epi32(state[1], before[1])]
}

#[inline]
#[target_feature(enable = "sha,sse4.1,ssse3")]
fn four_rounds([abef, cdgh]: &mut State, block: __m128i, quad: usize) {
    let constants = _mm_add_epi32(block, words(&K, 4 * quad));
    *cdgh = _mm_sha256rnds2_epu32(*cdgh, *abef, constants);
    *abef = _mm_sha256rnds2_epu32(*abef, *cdgh, _mm_shuffle_epi32::<0b00_00_11_10>(constants));
}

/// Sorts a, b, c, d and e, f, g, h into a [`State`].
#[inline]
#[target_feature(enable = "sse4.1,ssse3")]
pub(super) fn pack(abcd: __m128i, efgh: __m128i) -> State {
    let badc = _mm_shuffle_epi32::<0b10_11_00_01>(abcd);
    let hgfe = _mm_shuffle_epi32::<0b00_01_10_11>(efgh);
    [_mm_alignr_epi8::<8>(badc, hgfe), _mm_blend_epi16::<0xf0>(hgfe, badc)]
}

/// Sorts a [`State`] into a, b, c, d and e, f, g, h.
#[inline]
#[target_feature(enable = "sse4.1,ssse3")]
pub(super) fn unpack([abef, cdgh]: State) -> [__m128i; 2] {
    let abef = _mm_shuffle_epi32::<0b00_01_10_11>(abef);
    let ghcd = _mm_shuffle_epi32::<0b10_11_00_01>(cdgh);
    [_mm_blend_epi16::<0xf0>(abef, ghcd), _mm_alignr_epi8::<8>(ghcd, abef)]
}

#[inline]
#[target_feature(enable = "sse2")]
pub(super) fn words(words: &[u32], from: usize) -> __m128i {
    // SAFETY: the slice is as long as the register; unaligned access is allowed.
    unsafe { _mm_loadu_si128(words[from..from + 4].as_ptr().cast()) }
}
