//! Many chains in the lanes of vector registers: 8 in those of AVX2, 16 in those of AVX-512.

use std::arch::x86_64::*;

use super::super::Chain;
use super::super::many::lanes::{self, Lanes};

#[target_feature(enable = "avx2")]
pub(super) fn run_avx2(chains: &mut [Chain], rounds: u32) {
    lanes::run::<Eight, 8>(chains, rounds);
}

#[target_feature(enable = "avx512f")]
pub(super) fn run_avx512(chains: &mut [Chain], rounds: u32) {
    lanes::run::<Sixteen, 16>(chains, rounds);
}

/// Only [`run_avx2`] uses it, so wherever there is one, there is AVX2.
#[derive(Clone, Copy)]
struct Eight(__m256i);

impl Lanes<8> for Eight {
    #[inline(always)]
    fn load(words: &[u32; 8]) -> Self {
        // SAFETY: AVX2 is there; the array is as long as the register; unaligned access is allowed.
        Self(unsafe { _mm256_loadu_si256(words.as_ptr().cast()) })
    }

    #[inline(always)]
    fn store(self, words: &mut [u32; 8]) {
        // SAFETY: AVX2 is there; the array is as long as the register; unaligned access is allowed.
        unsafe { _mm256_storeu_si256(words.as_mut_ptr().cast(), self.0) };
    }

    #[inline(always)]
    fn splat(word: u32) -> Self {
        // SAFETY: AVX2 is there.
        Self(unsafe { _mm256_set1_epi32(word.cast_signed()) })
    }

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        // SAFETY: AVX2 is there.
        Self(unsafe { _mm256_add_epi32(self.0, other.0) })
    }

    #[inline(always)]
    fn rotate<const RIGHT: i32, const LEFT: i32>(self) -> Self {
        // SAFETY: AVX2 is there.
        Self(unsafe {
            _mm256_or_si256(_mm256_srli_epi32::<RIGHT>(self.0), _mm256_slli_epi32::<LEFT>(self.0))
        })
    }

    #[inline(always)]
    fn shift_right<const BITS: i32>(self) -> Self {
        // SAFETY: AVX2 is there.
        Self(unsafe { _mm256_srli_epi32::<BITS>(self.0) })
    }

    #[inline(always)]
    fn xor3(self, b: Self, c: Self) -> Self {
        // SAFETY: AVX2 is there.
        Self(unsafe { _mm256_xor_si256(_mm256_xor_si256(self.0, b.0), c.0) })
    }

    #[inline(always)]
    fn choose(self, f: Self, g: Self) -> Self {
        // SAFETY: AVX2 is there.
        Self(unsafe { _mm256_xor_si256(_mm256_and_si256(_mm256_xor_si256(f.0, g.0), self.0), g.0) })
    }

    #[inline(always)]
    fn majority(self, b: Self, c: Self) -> Self {
        // SAFETY: AVX2 is there.
        unsafe {
            let differ = _mm256_and_si256(_mm256_xor_si256(self.0, b.0), _mm256_xor_si256(b.0, c.0));
            Self(_mm256_xor_si256(differ, b.0))
        }
    }
}

/// Only [`run_avx512`] uses it, so wherever there is one, there is AVX-512.
#[derive(Clone, Copy)]
struct Sixteen(__m512i);

impl Lanes<16> for Sixteen {
    #[inline(always)]
    fn load(words: &[u32; 16]) -> Self {
        // SAFETY: AVX-512 is there; the array is as long as the register; unaligned access is allowed.
        Self(unsafe { _mm512_loadu_si512(words.as_ptr().cast()) })
    }

    #[inline(always)]
    fn store(self, words: &mut [u32; 16]) {
        // SAFETY: AVX-512 is there; the array is as long as the register; unaligned access is allowed.
        unsafe { _mm512_storeu_si512(words.as_mut_ptr().cast(), self.0) };
    }

    #[inline(always)]
    fn splat(word: u32) -> Self {
        // SAFETY: AVX-512 is there.
        Self(unsafe { _mm512_set1_epi32(word.cast_signed()) })
    }

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        // SAFETY: AVX-512 is there.
        Self(unsafe { _mm512_add_epi32(self.0, other.0) })
    }

    #[inline(always)]
    fn rotate<const RIGHT: i32, const LEFT: i32>(self) -> Self {
        // SAFETY: AVX-512 is there.
        Self(unsafe { _mm512_ror_epi32::<RIGHT>(self.0) })
    }

    #[inline(always)]
    fn shift_right<const BITS: i32>(self) -> Self {
        // SAFETY: AVX-512 is there. The intrinsic takes the bits unsigned, and no type changes in a
        // constant here, so they are matched.
        Self(unsafe {
            match BITS {
                3 => _mm512_srli_epi32::<3>(self.0),
                10 => _mm512_srli_epi32::<10>(self.0),
                _ => _mm512_srl_epi32(self.0, _mm_cvtsi32_si128(BITS)),
            }
        })
    }

    #[inline(always)]
    fn xor3(self, b: Self, c: Self) -> Self {
        // SAFETY: AVX-512 is there.
        Self(unsafe { _mm512_ternarylogic_epi32::<0x96>(self.0, b.0, c.0) })
    }

    #[inline(always)]
    fn choose(self, f: Self, g: Self) -> Self {
        // SAFETY: AVX-512 is there.
        Self(unsafe { _mm512_ternarylogic_epi32::<0xca>(self.0, f.0, g.0) })
    }

    #[inline(always)]
    fn majority(self, b: Self, c: Self) -> Self {
        // SAFETY: AVX-512 is there.
        Self(unsafe { _mm512_ternarylogic_epi32::<0xe8>(self.0, b.0, c.0) })
    }
}
