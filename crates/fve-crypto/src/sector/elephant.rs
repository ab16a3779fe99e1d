//! The Elephant diffuser: what made a changed bit of CBC ciphertext change the whole sector.
//!
//! A sector is a ring of 32-bit little-endian words. Diffuser A goes round five times, B three times;
//! each step adds to a word a mixture of two others. To decrypt:
//!
//! ```text
//! B: d[i] += d[i + 2] ^ rol(d[i + 5], [0, 10, 0, 25][i % 4])    3 times round
//! A: d[i] += d[i - 2] ^ rol(d[i - 5], [9, 0, 13, 0][i % 4])     5 times round
//! ```
//!
//! and then the sector key, 32 bytes over and over, is added without carries. To encrypt, the same
//! backwards. (Documented by Microsoft; the paper's names.) A step waits for the one before the last, so
//! nothing is gained inside one sector: several are done at once, one in each lane of a vector.

use super::{Block, Masks};

/// The diffuser on some kind of vector.
pub(super) trait Diffuser: Send + Sync {
    /// Undoes the diffuser, after CBC has been decrypted; `keys` are both halves of each sector's key.
    fn decrypt(&self, keys: &[Masks; 2], data: &mut [u8]);
    /// Applies the diffuser, before CBC encrypts; `keys` are both halves of each sector's key.
    fn encrypt(&self, keys: &[Masks; 2], data: &mut [u8]);
}

/// A vector of 32-bit words, each from another sector.
pub(super) trait Words: Copy {
    /// What proves that the processor has the instructions.
    type Proof: Copy + Send + Sync;
    /// The words in a vector, a multiple of 4.
    const LANES: usize;

    fn zero(_: Self::Proof) -> Self;
    fn add(self, other: Self) -> Self;
    fn sub(self, other: Self) -> Self;
    fn xor(self, other: Self) -> Self;
    /// Rotates each word to the left by `LEFT`, which is 32 - `RIGHT`.
    fn rotate<const LEFT: i32, const RIGHT: i32>(self) -> Self;

    /// Reads a block, at `at`, of each of the sectors in `data`, which are `stride` apart. The first four
    /// sectors go to the lowest four words of the four vectors, the next four to the next words, and so
    /// on; where there is no sector, zeros do.
    fn gather(_: Self::Proof, data: &[u8], stride: usize, at: usize) -> [Self; 4];
    /// Writes such blocks back to the sectors that there are.
    fn scatter(rows: [Self; 4], data: &mut [u8], stride: usize, at: usize);
    /// Swaps rows and columns of each four words of the four vectors: what were the blocks of four sectors
    /// becomes their first words, their second words and so on. Also undoes that.
    fn transpose(rows: [Self; 4]) -> [Self; 4];
}

/// Where in `len` bytes of sectors is the block that [`Words::gather`] reads into four words of a vector.
#[inline(always)]
pub(super) fn place(len: usize, stride: usize, at: usize, vector: usize, four: usize) -> Option<usize> {
    let place = (4 * four + vector) * stride + at;
    (place < len).then_some(place)
}

/// Runs `decrypt` for the sector size at hand.
#[inline(always)]
pub(super) fn decrypt<W: Words>(proof: W::Proof, keys: &[Masks; 2], data: &mut [u8]) {
    match data.len() / keys[0].len() {
        512 => decrypt_sectors::<W, 128>(proof, keys, data),
        1024 => decrypt_sectors::<W, 256>(proof, keys, data),
        2048 => decrypt_sectors::<W, 512>(proof, keys, data),
        _ => decrypt_sectors::<W, 1024>(proof, keys, data),
    }
}

#[inline(always)]
pub(super) fn encrypt<W: Words>(proof: W::Proof, keys: &[Masks; 2], data: &mut [u8]) {
    match data.len() / keys[0].len() {
        512 => encrypt_sectors::<W, 128>(proof, keys, data),
        1024 => encrypt_sectors::<W, 256>(proof, keys, data),
        2048 => encrypt_sectors::<W, 512>(proof, keys, data),
        _ => encrypt_sectors::<W, 1024>(proof, keys, data),
    }
}

#[inline(always)]
fn decrypt_sectors<W: Words, const WORDS: usize>(proof: W::Proof, keys: &[Masks; 2], data: &mut [u8]) {
    for (keys, data) in groups::<W, WORDS>(keys, data) {
        let keys = keys.map(|keys| W::gather(proof, keys.as_flattened(), 16, 0));
        let mut words = [W::zero(proof); WORDS];
        for (block, words) in words.as_chunks_mut().0.iter_mut().enumerate() {
            *words = W::transpose(W::gather(proof, data, 4 * WORDS, 16 * block));
        }
        for _ in 0..3 {
            mix_with_unmixed::<W, WORDS, true>(&mut words);
        }
        for _ in 0..5 {
            mix_with_mixed::<W, WORDS, true>(&mut words);
        }
        for (block, words) in words.as_chunks().0.iter().enumerate() {
            let mut rows = W::transpose(*words);
            for (row, key) in rows.iter_mut().zip(keys[block % 2]) {
                *row = row.xor(key);
            }
            W::scatter(rows, data, 4 * WORDS, 16 * block);
        }
    }
}

#[inline(always)]
fn encrypt_sectors<W: Words, const WORDS: usize>(proof: W::Proof, keys: &[Masks; 2], data: &mut [u8]) {
    for (keys, data) in groups::<W, WORDS>(keys, data) {
        let keys = keys.map(|keys| W::gather(proof, keys.as_flattened(), 16, 0));
        let mut words = [W::zero(proof); WORDS];
        for (block, words) in words.as_chunks_mut().0.iter_mut().enumerate() {
            let mut rows = W::gather(proof, data, 4 * WORDS, 16 * block);
            for (row, key) in rows.iter_mut().zip(keys[block % 2]) {
                *row = row.xor(key);
            }
            *words = W::transpose(rows);
        }
        for _ in 0..5 {
            mix_with_unmixed::<W, WORDS, false>(&mut words);
        }
        for _ in 0..3 {
            mix_with_mixed::<W, WORDS, false>(&mut words);
        }
        for (block, words) in words.as_chunks().0.iter().enumerate() {
            W::scatter(W::transpose(*words), data, 4 * WORDS, 16 * block);
        }
    }
}

/// Cuts a batch into groups of as many sectors as a vector has lanes.
#[inline(always)]
fn groups<'a, W: Words, const WORDS: usize>(
    keys: &'a [Masks; 2],
    data: &'a mut [u8],
) -> impl Iterator<Item = ([&'a [Block]; 2], &'a mut [u8])> {
    let keys = keys[0].chunks(W::LANES).zip(keys[1].chunks(W::LANES));
    keys.map(|(low, high)| [low, high]).zip(data.chunks_mut(W::LANES * WORDS * 4))
}

/// Goes round once, each word mixed with the 2nd and 5th of those that come after it: B forwards to
/// decrypt, A backwards to encrypt. Five words are kept in registers to be read once only.
#[inline(always)]
fn mix_with_unmixed<W: Words, const WORDS: usize, const DECRYPT: bool>(words: &mut [W; WORDS]) {
    let place = |step: usize| if DECRYPT { step % WORDS } else { (2 * WORDS - 1 - step) % WORDS };
    let mut next = [words[place(0)]; 6];
    for step in 1..6 {
        next[step] = words[place(step)];
    }
    for quad in 0..WORDS / 4 {
        for step in 4 * quad..4 * quad + 4 {
            let mixed = if DECRYPT {
                next[0].add(next[2].xor(rotate_b(next[5], place(step % 4))))
            } else {
                next[0].sub(next[2].xor(rotate_a(next[5], 3 - step % 4)))
            };
            words[place(step)] = mixed;
            next = [next[1], next[2], next[3], next[4], next[5], words[place(step + 6)]];
        }
    }
}

/// Goes round once, each word mixed with the 2nd and 5th of those before it, which are mixed already: A
/// forwards to decrypt, B backwards to encrypt.
#[inline(always)]
fn mix_with_mixed<W: Words, const WORDS: usize, const DECRYPT: bool>(words: &mut [W; WORDS]) {
    let place = |step: usize| if DECRYPT { step % WORDS } else { WORDS - 1 - step };
    let mut last = [words[place(WORDS - 1)]; 5];
    for step in 1..5 {
        last[step] = words[place(WORDS - 1 - step)];
    }
    for quad in 0..WORDS / 4 {
        for step in 4 * quad..4 * quad + 4 {
            let word = words[place(step)];
            let mixed = if DECRYPT {
                word.add(last[1].xor(rotate_a(last[4], step % 4)))
            } else {
                word.sub(last[1].xor(rotate_b(last[4], 3 - step % 4)))
            };
            words[place(step)] = mixed;
            last = [mixed, last[0], last[1], last[2], last[3]];
        }
    }
}

#[inline(always)]
fn rotate_a<W: Words>(word: W, place: usize) -> W {
    match place {
        0 => word.rotate::<9, 23>(),
        2 => word.rotate::<13, 19>(),
        _ => word,
    }
}

#[inline(always)]
fn rotate_b<W: Words>(word: W, place: usize) -> W {
    match place {
        1 => word.rotate::<10, 22>(),
        3 => word.rotate::<25, 7>(),
        _ => word,
    }
}

/// Four sectors at once in safe code, which the compiler turns into whatever vectors there are.
pub(super) struct Safe;

impl Diffuser for Safe {
    fn decrypt(&self, keys: &[Masks; 2], data: &mut [u8]) {
        decrypt::<[u32; 4]>((), keys, data);
    }

    fn encrypt(&self, keys: &[Masks; 2], data: &mut [u8]) {
        encrypt::<[u32; 4]>((), keys, data);
    }
}

impl<const LANES: usize> Words for [u32; LANES] {
    type Proof = ();
    const LANES: usize = LANES;

    #[inline(always)]
    fn zero((): ()) -> Self {
        [0; LANES]
    }

    #[inline(always)]
    fn add(mut self, other: Self) -> Self {
        for (word, other) in self.iter_mut().zip(other) {
            *word = word.wrapping_add(other);
        }
        self
    }

    #[inline(always)]
    fn sub(mut self, other: Self) -> Self {
        for (word, other) in self.iter_mut().zip(other) {
            *word = word.wrapping_sub(other);
        }
        self
    }

    #[inline(always)]
    fn xor(mut self, other: Self) -> Self {
        for (word, other) in self.iter_mut().zip(other) {
            *word ^= other;
        }
        self
    }

    #[inline(always)]
    fn rotate<const LEFT: i32, const RIGHT: i32>(mut self) -> Self {
        for word in &mut self {
            *word = word.rotate_left(LEFT as u32);
        }
        self
    }

    #[inline(always)]
    fn gather((): (), data: &[u8], stride: usize, at: usize) -> [Self; 4] {
        let mut rows = [[0; LANES]; 4];
        for (row, words) in rows.iter_mut().enumerate() {
            for (quarter, words) in words.as_chunks_mut::<4>().0.iter_mut().enumerate() {
                if let Some(place) = place(data.len(), stride, at, row, quarter) {
                    for (word, bytes) in words.iter_mut().zip(data[place..place + 16].as_chunks().0) {
                        *word = u32::from_le_bytes(*bytes);
                    }
                }
            }
        }
        rows
    }

    #[inline(always)]
    fn scatter(rows: [Self; 4], data: &mut [u8], stride: usize, at: usize) {
        for (row, words) in rows.iter().enumerate() {
            for (quarter, words) in words.as_chunks::<4>().0.iter().enumerate() {
                if let Some(place) = place(data.len(), stride, at, row, quarter) {
                    for (bytes, word) in data[place..place + 16].as_chunks_mut().0.iter_mut().zip(words) {
                        *bytes = word.to_le_bytes();
                    }
                }
            }
        }
    }

    #[inline(always)]
    fn transpose(rows: [Self; 4]) -> [Self; 4] {
        let mut columns = rows;
        for quarter in 0..LANES / 4 {
            for (i, column) in columns.iter_mut().enumerate() {
                for (j, row) in rows.iter().enumerate() {
                    column[4 * quarter + j] = row[4 * quarter + i];
                }
            }
        }
        columns
    }
}
