//! Many chains side by side, one in each lane of vectors of 32-bit words.
//!
//! The chains share the salt and the count, so the second block of every message is the same in all of
//! them, and its schedule is computed once: for as many counts at a time as there are lanes. Of the first
//! block, the upper half never changes: what the schedule takes from it alone is computed ahead, too.
//!
//! All of it is inlined into the functions that turn the instructions of a vector type on.

use std::hint::black_box;

use zeroize::Zeroize;

use super::super::{Chain, K, START};

/// A vector of `N` words of 32 bits.
pub(in super::super) trait Lanes<const N: usize>: Copy {
    fn load(words: &[u32; N]) -> Self;
    fn store(self, words: &mut [u32; N]);
    /// The same word in every lane.
    fn splat(word: u32) -> Self;
    fn add(self, other: Self) -> Self;
    /// `LEFT` is 32 less `RIGHT`.
    fn rotate<const RIGHT: i32, const LEFT: i32>(self) -> Self;
    fn shift_right<const BITS: i32>(self) -> Self;
    fn xor3(self, b: Self, c: Self) -> Self;
    /// Takes each bit from `f` where `self` has a one, else from `g`.
    fn choose(self, f: Self, g: Self) -> Self;
    /// Takes each bit that most of the three have.
    fn majority(self, b: Self, c: Self) -> Self;
}

/// Goes along as many chains as there are lanes, or fewer; all have the same salt.
#[inline(always)]
pub(in super::super) fn run<L: Lanes<N>, const N: usize>(chains: &mut [Chain], rounds: u32) {
    assert!(chains.len() <= N);
    let Some(second) = chains.first().map(|chain| chain.second_block(0)) else { return };
    let mut rows = [[0; N]; 8];
    let mut last = gather::<L, N>(chains.iter().map(|chain| &chain.last), &mut rows);
    let first = FirstBlock::new(gather(chains.iter().map(|chain| &chain.initial), &mut rows));
    let mut schedule = [[0; N]; 64];
    for count in (0..rounds).step_by(N) {
        schedule_second::<L, N>(&second, count, &mut schedule);
        for lane in 0..N.min((rounds - count) as usize) {
            last = second_block(first.compress(last), &schedule, lane);
        }
    }
    for (lanes, row) in last.into_iter().zip(&mut rows) {
        lanes.store(row);
    }
    for (lane, chain) in chains.iter_mut().enumerate() {
        for (word, row) in chain.last.iter_mut().zip(&rows) {
            *word = row[lane];
        }
    }
    rows.zeroize();
}

/// Lays the words of each chain into its lane.
#[inline(always)]
fn gather<'a, L: Lanes<N>, const N: usize>(
    chains: impl Iterator<Item = &'a [u32; 8]>,
    rows: &mut [[u32; N]; 8],
) -> [L; 8] {
    for (lane, words) in chains.enumerate() {
        for (row, word) in rows.iter_mut().zip(words) {
            row[lane] = *word;
        }
    }
    let mut lanes = [L::splat(0); 8];
    for (lanes, row) in lanes.iter_mut().zip(rows) {
        *lanes = L::load(row);
    }
    lanes
}

/// Computes the schedules of the second block for `N` counts, the constants of the rounds added: the
/// words of a count are those with its place in each row.
#[inline(always)]
fn schedule_second<L: Lanes<N>, const N: usize>(
    second: &[u32; 16],
    count: u32,
    schedule: &mut [[u32; N]; 64],
) {
    let mut w = [L::splat(0); 64];
    for (w, word) in w.iter_mut().zip(second) {
        *w = L::splat(*word);
    }
    let mut counts = [0; N];
    for (word, count) in counts.iter_mut().zip(count..) {
        *word = count.swap_bytes();
    }
    w[4] = L::load(&counts);
    for i in 0..64 {
        if i >= 16 {
            w[i] = next_word(w[i - 16], w[i - 15], w[i - 7], w[i - 2]);
        }
        w[i].add(L::splat(K[i])).store(&mut schedule[i]);
    }
}

/// Sixteen rounds, written out so that every word has its register. `$wk` is the word of the schedule
/// for round `$i`, its constant added. (Not a function with a closure: that would not have the
/// instructions of the vectors.)
macro_rules! sixteen {
    ($state:ident, $i:ident => $wk:expr) => {
        sixteen!($state, $i => $wk; 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15)
    };
    ($state:ident, $i:ident => $wk:expr; $($n:literal)*) => {
        $({
            const $i: usize = $n;
            $state = round($state, $wk);
        })*
    };
}

#[inline(always)]
fn second_block<L: Lanes<N>, const N: usize>(
    before: [L; 8],
    schedule: &[[u32; N]; 64],
    lane: usize,
) -> [L; 8] {
    let mut state = before;
    for words in rolled(schedule.as_chunks::<16>().0) {
        sixteen!(state, I => L::splat(words[I][lane]));
    }
    add(state, before)
}

/// The first block, with all that depends on its upper half alone.
struct FirstBlock<L> {
    /// Its words 8 to 15.
    upper: [L; 8],
    /// The same, the constants of the rounds added.
    upper_with_constants: [L; 8],
    /// What goes into word 16 and word 17 of the schedule.
    ahead_16: [L; 2],
    /// What goes into words 23 to 30.
    ahead_23: [L; 8],
}

impl<L: Copy> FirstBlock<L> {
    #[inline(always)]
    fn new<const N: usize>(upper: [L; 8]) -> Self
    where
        L: Lanes<N>,
    {
        let mut first =
            Self { upper, upper_with_constants: upper, ahead_16: [upper[1], upper[2]], ahead_23: upper };
        for i in 0..8 {
            first.upper_with_constants[i] = with_constant(upper[i], K[8 + i]);
            first.ahead_23[i] = small_sigma_0(upper[i]);
        }
        for (word, before) in first.ahead_23.iter_mut().skip(1).zip(upper) {
            *word = word.add(before);
        }
        for i in 0..2 {
            first.ahead_16[i] = first.ahead_16[i].add(small_sigma_1(upper[6 + i]));
        }
        first
    }

    /// Compresses it with this lower half.
    #[inline(always)]
    fn compress<const N: usize>(&self, lower: [L; 8]) -> [L; 8]
    where
        L: Lanes<N>,
    {
        let mut start = [lower[0]; 8];
        for (lanes, word) in start.iter_mut().zip(START) {
            *lanes = L::splat(word);
        }
        let mut state = start;
        sixteen!(state, I => if I < 8 { with_constant(lower[I % 8], K[I]) } else { self.upper_with_constants[I % 8] });
        let [w0, w1, w2, w3, w4, w5, w6, w7] = lower;
        let [w8, w9, w10, w11, w12, w13, w14, w15] = self.upper;
        let mut w = [w0, w1, w2, w3, w4, w5, w6, w7, w8, w9, w10, w11, w12, w13, w14, w15];
        sixteen!(state, I => {
            w[I] = match I {
                0 | 1 => w[I].add(small_sigma_0(w[(I + 1) % 16])).add(self.ahead_16[I % 2]),
                7 => w[7].add(self.ahead_23[0]).add(w[0]).add(small_sigma_1(w[5])),
                8..15 => self.ahead_23[(I + 1) % 8].add(w[(I + 9) % 16]).add(small_sigma_1(w[(I + 14) % 16])),
                _ => next_word(w[I], w[(I + 1) % 16], w[(I + 9) % 16], w[(I + 14) % 16]),
            };
            with_constant(w[I], K[16 + I])
        });
        for constants in rolled(K[32..].as_chunks::<16>().0) {
            sixteen!(state, I => {
                w[I] = next_word(w[I], w[(I + 1) % 16], w[(I + 9) % 16], w[(I + 14) % 16]);
                with_constant(w[I], constants[I])
            });
        }
        add(state, start)
    }
}

#[inline(always)]
fn with_constant<L: Lanes<N>, const N: usize>(word: L, constant: u32) -> L {
    word.add(L::splat(constant))
}

#[inline(always)]
fn add<L: Lanes<N>, const N: usize>(mut state: [L; 8], before: [L; 8]) -> [L; 8] {
    for (word, before) in state.iter_mut().zip(before) {
        *word = word.add(before);
    }
    state
}

#[inline(always)]
fn round<L: Lanes<N>, const N: usize>([a, b, c, d, e, f, g, h]: [L; 8], wk: L) -> [L; 8] {
    let sigma_0 = a.rotate::<2, 30>().xor3(a.rotate::<13, 19>(), a.rotate::<22, 10>());
    let sigma_1 = e.rotate::<6, 26>().xor3(e.rotate::<11, 21>(), e.rotate::<25, 7>());
    let first = h.add(wk).add(e.choose(f, g)).add(sigma_1);
    [first.add(a.majority(b, c)).add(sigma_0), a, b, c, d.add(first), e, f, g]
}

/// Computes a word of a schedule from those 16, 15, 7 and 2 before it.
#[inline(always)]
fn next_word<L: Lanes<N>, const N: usize>(w16: L, w15: L, w7: L, w2: L) -> L {
    w16.add(w7).add(small_sigma_0(w15)).add(small_sigma_1(w2))
}

#[inline(always)]
fn small_sigma_0<L: Lanes<N>, const N: usize>(w: L) -> L {
    w.rotate::<7, 25>().xor3(w.rotate::<18, 14>(), w.shift_right::<3>())
}

#[inline(always)]
fn small_sigma_1<L: Lanes<N>, const N: usize>(w: L) -> L {
    w.rotate::<17, 15>().xor3(w.rotate::<19, 13>(), w.shift_right::<10>())
}

/// Keeps a loop from being unrolled: all the rounds together would not fit into the caches for code.
#[inline(always)]
fn rolled<T>(items: &[T]) -> &[T] {
    black_box(items)
}
