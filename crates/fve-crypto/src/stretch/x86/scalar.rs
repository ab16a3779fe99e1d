//! The chain for processors without SHA instructions.
//!
//! The rounds are one long chain of additions and rotations in general registers, which no vector can
//! shorten. What vectors can take away is the message schedules: that of the second block for many counts
//! at once, since it does not depend on the chain, and that of the first block four words at a time, in
//! the gaps between the rounds.
//!
//! All of it is inlined into the two functions at the top, which turn the instructions on.

use std::arch::asm;
use std::arch::x86_64::*;
use std::hint::black_box;

use zeroize::Zeroize;

use super::super::{Chain, K, START};

#[target_feature(enable = "avx2,bmi1,bmi2")]
pub(super) fn run_avx2(chain: &mut Chain, rounds: u32) {
    run(chain, rounds);
}

/// The same code; the compiler finds the rotations and three-way additions of AVX-512 by itself.
#[target_feature(enable = "avx2,bmi1,bmi2,avx512f,avx512vl")]
pub(super) fn run_avx512(chain: &mut Chain, rounds: u32) {
    run(chain, rounds);
}

/// The counts whose second blocks are scheduled together.
const LANES: usize = 8;

/// A word of the schedule for each of those counts.
type Words = [u32; LANES];

#[inline(always)]
fn run(chain: &mut Chain, rounds: u32) {
    let mut first = [[0; 4]; 4];
    let mut second = [[0; LANES]; 64];
    for count in (0..rounds).step_by(LANES) {
        schedule_second(chain, count, &mut second);
        for lane in 0..LANES.min((rounds - count) as usize) {
            let mut state = START;
            first_block(chain, &mut first, &mut state);
            second_block(&second, lane, &mut state);
            chain.last = state;
        }
    }
    first.zeroize();
}

/// Computes the schedules of the second block for eight counts, the constants of the rounds added.
#[inline(always)]
fn schedule_second(chain: &Chain, count: u32, schedule: &mut [Words; 64]) {
    let mut w = [[0; LANES]; 64];
    for (words, word) in w.iter_mut().zip(chain.second_block(0)) {
        *words = [word; LANES];
    }
    for (count, word) in (count..).zip(&mut w[4]) {
        *word = count.swap_bytes();
    }
    for i in 0..16 {
        put_with_constant(schedule, i, load_words(&w, i));
    }
    // The newest two are kept in registers: the next word but one waits for them.
    let mut newest = [load_words(&w, 14), load_words(&w, 15)];
    for i in 16..64 {
        // SAFETY: AVX2 is there, as in every function of this file.
        let word = unsafe {
            let sum = _mm256_add_epi32(load_words(&w, i - 16), load_words(&w, i - 7));
            let sum = _mm256_add_epi32(sum, wide_sigma_0(load_words(&w, i - 15)));
            _mm256_add_epi32(sum, wide_sigma_1(newest[0]))
        };
        put_words(&mut w, i, word);
        put_with_constant(schedule, i, word);
        newest = [newest[1], word];
    }
}

/// The second block, whose schedule was computed ahead.
#[inline(always)]
fn second_block(schedule: &[Words; 64], lane: usize, state: &mut [u32; 8]) {
    let mut rounds = Rounds::from(*state);
    let mut nothing = load(&K, 0);
    for words in rolled(schedule.as_chunks::<8>().0) {
        let words = words.as_flattened();
        rounds.four::<LANES>(&words[lane..], &mut nothing);
        rounds.four::<LANES>(&words[4 * LANES + lane..], &mut nothing);
    }
    rounds.add_to(state);
}

/// The first block: before every four rounds, the words for four of the next sixteen are computed.
#[inline(always)]
fn first_block(chain: &Chain, schedule: &mut [[u32; 4]; 4], state: &mut [u32; 8]) {
    let mut rounds = Rounds::from(*state);
    let [mut w0, mut w1] = [load(&chain.last, 0), load(&chain.last, 4)];
    let [mut w2, mut w3] = [load(&chain.initial, 0), load(&chain.initial, 4)];
    *schedule = [with_constants(w0, 0), with_constants(w1, 4), with_constants(w2, 8), with_constants(w3, 12)];
    for &next in rolled(&[16, 32, 48]) {
        rounds.four::<1>(&schedule[0], &mut w0);
        w0 = next_words([w0, w1, w2, w3]);
        schedule[0] = with_constants(w0, next);
        rounds.four::<1>(&schedule[1], &mut w1);
        w1 = next_words([w1, w2, w3, w0]);
        schedule[1] = with_constants(w1, next + 4);
        rounds.four::<1>(&schedule[2], &mut w2);
        w2 = next_words([w2, w3, w0, w1]);
        schedule[2] = with_constants(w2, next + 8);
        rounds.four::<1>(&schedule[3], &mut w3);
        w3 = next_words([w3, w0, w1, w2]);
        schedule[3] = with_constants(w3, next + 12);
    }
    for words in schedule {
        rounds.four::<1>(words, &mut w0);
    }
    rounds.add_to(state);
}

/// Keeps a loop from being unrolled: both blocks together must fit into the cache of decoded instructions.
#[inline(always)]
fn rolled<T>(items: &[T]) -> &[T] {
    black_box(items)
}

/// Computes four words of a schedule from the sixteen before them.
#[inline(always)]
fn next_words([w0, w1, w2, w3]: [__m128i; 4]) -> __m128i {
    // SAFETY: AVX2 is there, as in every function of this file.
    unsafe {
        let seventh = _mm_alignr_epi8::<4>(w3, w2);
        let sum = _mm_add_epi32(_mm_add_epi32(w0, seventh), sigma_0(_mm_alignr_epi8::<4>(w1, w0)));
        // The upper two words depend on the lower two.
        let lower = _mm_add_epi32(sum, sigma_1(_mm_srli_si128::<8>(w3)));
        _mm_add_epi32(lower, sigma_1(_mm_slli_si128::<8>(lower)))
    }
}

#[inline]
#[target_feature(enable = "avx2")]
fn sigma_0(w: __m128i) -> __m128i {
    _mm_xor_si128(_mm_xor_si128(rotate::<7, 25>(w), rotate::<18, 14>(w)), _mm_srli_epi32::<3>(w))
}

#[inline]
#[target_feature(enable = "avx2")]
fn sigma_1(w: __m128i) -> __m128i {
    _mm_xor_si128(_mm_xor_si128(rotate::<17, 15>(w), rotate::<19, 13>(w)), _mm_srli_epi32::<10>(w))
}

#[inline]
#[target_feature(enable = "avx2")]
fn rotate<const RIGHT: i32, const LEFT: i32>(w: __m128i) -> __m128i {
    _mm_or_si128(_mm_srli_epi32::<RIGHT>(w), _mm_slli_epi32::<LEFT>(w))
}

#[inline]
#[target_feature(enable = "avx2")]
fn wide_sigma_0(w: __m256i) -> __m256i {
    let rotated = _mm256_xor_si256(wide_rotate::<7, 25>(w), wide_rotate::<18, 14>(w));
    _mm256_xor_si256(rotated, _mm256_srli_epi32::<3>(w))
}

#[inline]
#[target_feature(enable = "avx2")]
fn wide_sigma_1(w: __m256i) -> __m256i {
    let rotated = _mm256_xor_si256(wide_rotate::<17, 15>(w), wide_rotate::<19, 13>(w));
    _mm256_xor_si256(rotated, _mm256_srli_epi32::<10>(w))
}

#[inline]
#[target_feature(enable = "avx2")]
fn wide_rotate<const RIGHT: i32, const LEFT: i32>(w: __m256i) -> __m256i {
    _mm256_or_si256(_mm256_srli_epi32::<RIGHT>(w), _mm256_slli_epi32::<LEFT>(w))
}

#[inline(always)]
fn load_words(w: &[Words; 64], i: usize) -> __m256i {
    // SAFETY: eight words are as long as the register; unaligned access is allowed.
    unsafe { _mm256_loadu_si256(w[i].as_ptr().cast()) }
}

#[inline(always)]
fn put_words(w: &mut [Words; 64], i: usize, words: __m256i) {
    // SAFETY: eight words are as long as the register; unaligned access is allowed.
    unsafe { _mm256_storeu_si256(w[i].as_mut_ptr().cast(), words) }
}

#[inline(always)]
fn put_with_constant(schedule: &mut [Words; 64], i: usize, words: __m256i) {
    // SAFETY: AVX2 is there, as in every function of this file.
    put_words(schedule, i, unsafe { _mm256_add_epi32(words, _mm256_set1_epi32(K[i].cast_signed())) });
}

/// The state between two rounds.
#[derive(Clone, Copy)]
struct Rounds {
    state: [u32; 8],
    /// The second word of the state and the third, added: the round before has it already.
    b_xor_c: u32,
}

/// One round in 24 instructions. Left to itself the compiler adds in an order that makes the next round
/// wait longer, and moves the schedule out of the gaps.
#[rustfmt::skip]
macro_rules! round {
    ($a:literal $b:literal $c:literal $d:literal $e:literal $f:literal $g:literal $h:literal,
     $b_xor_c:literal, $a_xor_b:literal, $place:literal) => {
        concat!(
            "add {", $h, ":e}, dword ptr [{wk} + ", $place, " * {stride}]\n",
            // choice: ((f ^ g) & e) ^ g
            "mov {t:e}, {", $f, ":e}\n",
            "xor {t:e}, {", $g, ":e}\n",
            "and {t:e}, {", $e, ":e}\n",
            "xor {t:e}, {", $g, ":e}\n",
            "add {", $h, ":e}, {t:e}\n",
            // sum 1
            "rorx {t:e}, {", $e, ":e}, 6\n",
            "rorx {u:e}, {", $e, ":e}, 11\n",
            "xor {t:e}, {u:e}\n",
            "rorx {u:e}, {", $e, ":e}, 25\n",
            "xor {t:e}, {u:e}\n",
            "add {", $h, ":e}, {t:e}\n",
            "add {", $d, ":e}, {", $h, ":e}\n",
            // majority: ((a ^ b) & (b ^ c)) ^ b
            "mov {", $a_xor_b, ":e}, {", $a, ":e}\n",
            "xor {", $a_xor_b, ":e}, {", $b, ":e}\n",
            "and {", $b_xor_c, ":e}, {", $a_xor_b, ":e}\n",
            "xor {", $b_xor_c, ":e}, {", $b, ":e}\n",
            "add {", $h, ":e}, {", $b_xor_c, ":e}\n",
            // sum 0
            "rorx {t:e}, {", $a, ":e}, 2\n",
            "rorx {u:e}, {", $a, ":e}, 13\n",
            "xor {t:e}, {u:e}\n",
            "rorx {u:e}, {", $a, ":e}, 22\n",
            "xor {t:e}, {u:e}\n",
            "add {", $h, ":e}, {t:e}\n",
        )
    };
}

impl Rounds {
    #[inline(always)]
    fn from(state: [u32; 8]) -> Self {
        Self { state, b_xor_c: state[1] ^ state[2] }
    }

    /// Does four rounds with every `STRIDE`th word of `wk`, in which the constants are already.
    ///
    /// What is computed into `before`, and from it, stays on its side of these rounds.
    #[inline(always)]
    fn four<const STRIDE: usize>(&mut self, wk: &[u32], before: &mut __m128i) {
        assert!(wk.len() > 3 * STRIDE);
        let Self { state: [mut a, mut b, mut c, mut d, mut e, mut f, mut g, mut h], mut b_xor_c } = *self;
        // SAFETY: reads the four words, which are there as was just seen; BMI2 is there as in every
        // function of this file.
        unsafe {
            asm!(
                round!("a" "b" "c" "d" "e" "f" "g" "h", "x", "y", "0"),
                round!("h" "a" "b" "c" "d" "e" "f" "g", "y", "x", "1"),
                round!("g" "h" "a" "b" "c" "d" "e" "f", "x", "y", "2"),
                round!("f" "g" "h" "a" "b" "c" "d" "e", "y", "x", "3"),
                "/* {before} */",
                a = inout(reg) a, b = inout(reg) b, c = inout(reg) c, d = inout(reg) d,
                e = inout(reg) e, f = inout(reg) f, g = inout(reg) g, h = inout(reg) h,
                x = inout(reg) b_xor_c, y = out(reg) _, t = out(reg) _, u = out(reg) _,
                wk = in(reg) wk.as_ptr(), stride = const 4 * STRIDE, before = inout(xmm_reg) *before,
                options(pure, readonly, nostack),
            );
        }
        *self = Self { state: [e, f, g, h, a, b, c, d], b_xor_c };
    }

    #[inline(always)]
    fn add_to(&self, state: &mut [u32; 8]) {
        for (word, add) in state.iter_mut().zip(self.state) {
            *word = word.wrapping_add(add);
        }
    }
}

#[inline(always)]
fn load(words: &[u32], from: usize) -> __m128i {
    // SAFETY: the slice is as long as the register; unaligned access is allowed, SSE2 always there.
    unsafe { _mm_loadu_si128(words[from..from + 4].as_ptr().cast()) }
}

#[inline(always)]
fn with_constants(w: __m128i, from: usize) -> [u32; 4] {
    let mut sums = [0; 4];
    // SAFETY: the array is as long as the register; unaligned access is allowed, SSE2 always there.
    unsafe { _mm_storeu_si128(sums.as_mut_ptr().cast(), _mm_add_epi32(w, load(&K, from))) };
    sums
}
