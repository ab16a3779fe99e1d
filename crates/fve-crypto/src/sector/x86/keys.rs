//! The key schedule of AES, with the instructions made for it.

use std::arch::x86_64::*;

use zeroize::Zeroize;

use super::super::Block;
use super::lanes::{Aes, Lanes};

/// Round keys in the order of use: 11 for AES-128, 15 for AES-256. Wiped on drop.
pub(super) struct RoundKeys<const KEYS: usize>([Block; KEYS]);

impl<const KEYS: usize> RoundKeys<KEYS> {
    /// Returns the keys for encryption and for decryption.
    ///
    /// # Panics
    /// When `key` does not have 16 bytes for 11 round keys, or 32 for 15.
    pub(super) fn new(_: Aes, key: &[u8]) -> [Self; 2] {
        assert_eq!(key.len(), 4 * (KEYS - 7), "{KEYS} round keys come from {} bytes", 4 * (KEYS - 7));
        let mut encrypt = Self([[0; 16]; KEYS]);
        let mut decrypt = Self([[0; 16]; KEYS]);
        // SAFETY: the proof says that the processor has the AES instructions.
        unsafe {
            expand(key, &mut encrypt.0);
            invert(&encrypt.0, &mut decrypt.0);
        }
        [encrypt, decrypt]
    }

    /// Returns each key in every lane of a register.
    #[inline(always)]
    pub(super) fn in_lanes<V: Lanes>(&self, proof: V::Proof) -> [V; KEYS] {
        let mut keys = [V::splat(proof, &self.0[0]); KEYS];
        for (lanes, key) in keys.iter_mut().zip(&self.0) {
            *lanes = V::splat(proof, key);
        }
        keys
    }
}

impl<const KEYS: usize> Drop for RoundKeys<KEYS> {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

/// FIPS 197, section 5.2.
#[target_feature(enable = "aes")]
fn expand(key: &[u8], round_keys: &mut [Block]) {
    let words_in_key = key.len() / 4;
    let words = round_keys.as_flattened_mut();
    words[..key.len()].copy_from_slice(key);
    let mut constant = 1_u8;
    for i in words_in_key..words.len() / 4 {
        let before = u32::from_le_bytes(words[4 * i - 4..4 * i].try_into().expect("4 bytes"));
        let changed = match i % words_in_key {
            0 => {
                let rotated = substitute(before).rotate_right(8) ^ u32::from(constant);
                constant = (constant << 1) ^ (0x1b * (constant >> 7));
                rotated
            }
            4 if words_in_key == 8 => substitute(before),
            _ => before,
        };
        for (byte, changed) in changed.to_le_bytes().into_iter().enumerate() {
            words[4 * i + byte] = words[4 * (i - words_in_key) + byte] ^ changed;
        }
    }
}

/// Applies the S-box to four bytes, in constant time.
#[target_feature(enable = "aes")]
fn substitute(word: u32) -> u32 {
    _mm_cvtsi128_si32(_mm_aeskeygenassist_si128::<0>(_mm_set1_epi32(word as i32))) as u32
}

/// The keys of the equivalent inverse cipher: FIPS 197, section 5.3.5.
#[target_feature(enable = "aes")]
fn invert(encrypt: &[Block], decrypt: &mut [Block]) {
    let last = encrypt.len() - 1;
    for (round, (inverse, key)) in decrypt.iter_mut().zip(encrypt.iter().rev()).enumerate() {
        *inverse = *key;
        if round != 0 && round != last {
            // SAFETY: a block is as long as the register; unaligned access is allowed.
            unsafe {
                let mixed = _mm_aesimc_si128(_mm_loadu_si128(key.as_ptr().cast()));
                _mm_storeu_si128(inverse.as_mut_ptr().cast(), mixed);
            }
        }
    }
}
