//! XTS and CBC over registers of any width. No `unsafe` here: the registers bring their own proof.
//!
//! Each function is inlined into an entry that turns the processor's instructions on; called from
//! anywhere else it would be right but slow.

use std::arch::x86_64::__m128i;

use super::super::Block;
use super::keys::RoundKeys;
use super::lanes::{Aes, Lanes};

/// The registers in flight: enough to hide the latency of an AES round, few enough to stay registers.
const FLIGHT: usize = 8;

/// Encrypts single blocks: tweaks, initialisation vectors, diffuser keys.
#[inline(always)]
pub(super) fn encrypt_blocks<V: Lanes, const KEYS: usize>(
    proof: V::Proof,
    keys: &RoundKeys<KEYS>,
    blocks: &mut [Block],
) {
    let keys = keys.in_lanes::<V>(proof);
    let mut runs = blocks.as_flattened_mut().chunks_exact_mut(FLIGHT * V::BLOCKS * 16);
    for run in &mut runs {
        encrypt_run::<V, KEYS>(proof, &keys, run);
    }
    let rest = runs.into_remainder();
    if !rest.is_empty() {
        let mut run = [0; FLIGHT * 4 * 16];
        run[..rest.len()].copy_from_slice(rest);
        encrypt_run::<V, KEYS>(proof, &keys, &mut run);
        rest.copy_from_slice(&run[..rest.len()]);
    }
}

#[inline(always)]
fn encrypt_run<V: Lanes, const KEYS: usize>(proof: V::Proof, keys: &[V; KEYS], run: &mut [u8]) {
    let mut text = load::<V>(proof, run);
    for text in &mut text {
        *text = text.xor(keys[0]);
    }
    rounds::<V, KEYS, true>(&mut text, keys);
    for text in &mut text {
        *text = text.aes_enc_last(keys[KEYS - 1]);
    }
    store(text, run);
}

/// Encrypts or decrypts sectors in XTS mode, one encrypted tweak for each.
///
/// The tweak is added twice, before and after AES; both times it goes together with a round key that
/// is added at the same place.
#[inline(always)]
pub(super) fn xts<V: Lanes, const KEYS: usize, const ENCRYPT: bool>(
    proof: V::Proof,
    keys: &RoundKeys<KEYS>,
    tweaks: &[Block],
    data: &mut [u8],
) {
    let keys = keys.in_lanes::<V>(proof);
    let size = data.len() / tweaks.len();
    for (tweak, sector) in tweaks.iter().zip(data.chunks_exact_mut(size)) {
        let mut tweaks = powers::<V>(proof, tweak);
        for run in sector.chunks_exact_mut(FLIGHT * V::BLOCKS * 16) {
            let mut text = load::<V>(proof, run);
            for (text, tweak) in text.iter_mut().zip(tweaks) {
                *text = text.xor(tweak).xor(keys[0]);
            }
            rounds::<V, KEYS, ENCRYPT>(&mut text, &keys);
            for (text, tweak) in text.iter_mut().zip(tweaks) {
                *text = last::<V, ENCRYPT>(*text, keys[KEYS - 1].xor(tweak));
            }
            store(text, run);
            for tweak in &mut tweaks {
                *tweak = times_x8_blocks(proof, *tweak);
            }
        }
    }
}

/// Decrypts sectors in CBC mode, one encrypted initialisation vector for each.
#[inline(always)]
pub(super) fn cbc_decrypt<V: Lanes, const KEYS: usize>(
    proof: V::Proof,
    keys: &RoundKeys<KEYS>,
    ivs: &[Block],
    data: &mut [u8],
) {
    let keys = keys.in_lanes::<V>(proof);
    let size = data.len() / ivs.len();
    for (iv, sector) in ivs.iter().zip(data.chunks_exact_mut(size)) {
        let mut before = V::splat(proof, iv);
        for run in sector.chunks_exact_mut(FLIGHT * V::BLOCKS * 16) {
            let sealed = load::<V>(proof, run);
            let mut text = sealed;
            for text in &mut text {
                *text = text.xor(keys[0]);
            }
            rounds::<V, KEYS, false>(&mut text, &keys);
            for (text, sealed) in text.iter_mut().zip(sealed) {
                *text = text.aes_dec_last(keys[KEYS - 1].xor(sealed.after(before)));
                before = sealed;
            }
            store(text, run);
        }
    }
}

/// Encrypts sectors in CBC mode, one encrypted initialisation vector for each.
///
/// A block waits for the one before it, so the lanes hold blocks of different sectors.
#[inline(always)]
pub(super) fn cbc_encrypt<V: Lanes, const KEYS: usize>(
    proof: V::Proof,
    one: Aes,
    keys: &RoundKeys<KEYS>,
    ivs: &[Block],
    data: &mut [u8],
) {
    let size = data.len() / ivs.len();
    let (ivs, data) = match V::BLOCKS {
        1 => (ivs, data),
        _ => chains::<V, 4, KEYS>(proof, &keys.in_lanes(proof), ivs, data, size),
    };
    let keys = keys.in_lanes::<__m128i>(one);
    let (ivs, data) = chains::<__m128i, 8, KEYS>(one, &keys, ivs, data, size);
    let (ivs, data) = chains::<__m128i, 4, KEYS>(one, &keys, ivs, data, size);
    chains::<__m128i, 1, KEYS>(one, &keys, ivs, data, size);
}

/// Encrypts `CHAINS * BLOCKS` sectors at once while there are as many; returns the others.
#[inline(always)]
fn chains<'a, V: Lanes, const CHAINS: usize, const KEYS: usize>(
    proof: V::Proof,
    keys: &[V; KEYS],
    ivs: &'a [Block],
    data: &'a mut [u8],
    size: usize,
) -> (&'a [Block], &'a mut [u8]) {
    let sectors = CHAINS * V::BLOCKS;
    let mut ivs = ivs.chunks_exact(sectors);
    let mut data = data.chunks_exact_mut(sectors * size);
    for (ivs, data) in (&mut ivs).zip(&mut data) {
        let ivs = ivs.as_flattened();
        let mut chain = [V::load(proof, ivs); CHAINS];
        for (i, chain) in chain.iter_mut().enumerate() {
            *chain = V::load(proof, &ivs[i * V::BLOCKS * 16..]);
        }
        for at in (0..size).step_by(V::BLOCKS * 16) {
            let mut rows = [[chain[0]; 4]; CHAINS];
            for (chain, rows) in rows.iter_mut().enumerate() {
                for (lane, row) in rows.iter_mut().enumerate().take(V::BLOCKS) {
                    *row = V::load(proof, &data[(chain * V::BLOCKS + lane) * size + at..]);
                }
                *rows = V::transpose(*rows);
            }
            for step in 0..V::BLOCKS {
                for (chain, rows) in chain.iter_mut().zip(&rows) {
                    *chain = chain.xor(rows[step]).xor(keys[0]);
                }
                for key in &keys[1..KEYS - 1] {
                    for chain in &mut chain {
                        *chain = chain.aes_enc(*key);
                    }
                }
                for (chain, rows) in chain.iter_mut().zip(&mut rows) {
                    *chain = chain.aes_enc_last(keys[KEYS - 1]);
                    rows[step] = *chain;
                }
            }
            for (chain, rows) in rows.into_iter().enumerate() {
                for (lane, row) in V::transpose(rows).into_iter().enumerate().take(V::BLOCKS) {
                    row.store(&mut data[(chain * V::BLOCKS + lane) * size + at..]);
                }
            }
        }
    }
    (ivs.remainder(), data.into_remainder())
}

#[inline(always)]
fn load<V: Lanes>(proof: V::Proof, run: &[u8]) -> [V; FLIGHT] {
    let mut text = [V::load(proof, run); FLIGHT];
    for (i, text) in text.iter_mut().enumerate() {
        *text = V::load(proof, &run[i * V::BLOCKS * 16..]);
    }
    text
}

#[inline(always)]
fn store<V: Lanes>(text: [V; FLIGHT], run: &mut [u8]) {
    for (i, text) in text.into_iter().enumerate() {
        text.store(&mut run[i * V::BLOCKS * 16..]);
    }
}

/// The rounds between the first and the last key.
#[inline(always)]
fn rounds<V: Lanes, const KEYS: usize, const ENCRYPT: bool>(text: &mut [V; FLIGHT], keys: &[V; KEYS]) {
    for key in &keys[1..KEYS - 1] {
        for text in text.iter_mut() {
            *text = if ENCRYPT { text.aes_enc(*key) } else { text.aes_dec(*key) };
        }
    }
}

#[inline(always)]
fn last<V: Lanes, const ENCRYPT: bool>(text: V, key: V) -> V {
    if ENCRYPT { text.aes_enc_last(key) } else { text.aes_dec_last(key) }
}

/// The polynomial of XTS, x^128 + x^7 + x^2 + x + 1, without its highest term.
const POLYNOMIAL: Block = 0x87_u128.to_le_bytes();

/// The tweaks of the first blocks of a sector: the first one times 1, x, x^2 and so on.
#[inline(always)]
fn powers<V: Lanes>(proof: V::Proof, first: &Block) -> [V; FLIGHT] {
    let mut tweaks = [V::splat(proof, first); FLIGHT];
    let direct = 8 / V::BLOCKS;
    for (i, tweak) in tweaks.iter_mut().enumerate().take(direct) {
        *tweak = times_x_up(proof, *tweak, i * V::BLOCKS);
    }
    for i in direct..FLIGHT {
        tweaks[i] = times_x8(proof, tweaks[i - direct]);
    }
    tweaks
}

/// Multiplies lane i by x^(n + i), n + i < 8.
#[inline(always)]
fn times_x_up<V: Lanes>(proof: V::Proof, tweak: V, n: usize) -> V {
    // For each half of each lane: how far it moves left, and how far right its upper bits do.
    const LEFT: [Block; 11] = counts(false);
    const RIGHT: [Block; 11] = counts(true);
    const HIGH: Block = (u128::MAX << 64).to_le_bytes();

    let moved = tweak.shift_left(V::load(proof, LEFT[n..].as_flattened()));
    let carry = tweak.shift_right(V::load(proof, RIGHT[n..].as_flattened())).swap_halves();
    // What leaves the low half enters the high one, what leaves the high half comes back reduced.
    let carry_in = carry.and(V::splat(proof, &HIGH));
    moved.xor(carry_in).xor(carry.multiply_low(V::splat(proof, &POLYNOMIAL)))
}

const fn counts(of_carry: bool) -> [Block; 11] {
    let mut counts = [[0; 16]; 11];
    let mut n = 0;
    while n < 11 {
        counts[n][0] = if of_carry { 64 - n as u8 } else { n as u8 };
        counts[n][8] = counts[n][0];
        n += 1;
    }
    counts
}

/// Multiplies each lane by x^8: a shift by a byte, and the byte that leaves comes back reduced.
#[inline(always)]
fn times_x8<V: Lanes>(proof: V::Proof, tweak: V) -> V {
    let carry = tweak.bytes_right::<15>().multiply_low(V::splat(proof, &POLYNOMIAL));
    tweak.bytes_left::<1>().xor(carry)
}

/// Multiplies each lane by x^(8 * `BLOCKS`): from one run to the next.
#[inline(always)]
fn times_x8_blocks<V: Lanes>(proof: V::Proof, tweak: V) -> V {
    let (moved, carry) = match V::BLOCKS {
        1 => (tweak.bytes_left::<1>(), tweak.bytes_right::<15>()),
        2 => (tweak.bytes_left::<2>(), tweak.bytes_right::<14>()),
        _ => (tweak.bytes_left::<4>(), tweak.bytes_right::<12>()),
    };
    moved.xor(carry.multiply_low(V::splat(proof, &POLYNOMIAL)))
}
