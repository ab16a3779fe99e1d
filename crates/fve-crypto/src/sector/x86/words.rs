//! Vectors of 8 and 16 words for the diffuser.

use std::arch::is_x86_feature_detected as has;
use std::arch::x86_64::*;

use super::super::elephant::{self, Diffuser, Words};
use super::super::{Kernel, Masks};

/// Makes the diffuser that goes with a kernel.
pub(in super::super) fn diffuser(kernel: Kernel) -> Option<Box<dyn Diffuser>> {
    match kernel {
        Kernel::Safe => None,
        Kernel::Aes | Kernel::Vaes256 => has!("avx2").then(|| Box::new(Avx2(())) as Box<dyn Diffuser>),
        Kernel::AesAvx512 | Kernel::Vaes512 => {
            (has!("avx2") && has!("avx512f")).then(|| Box::new(Avx512(Avx2(()))) as Box<dyn Diffuser>)
        }
    }
}

/// Writes the operations that are one instruction of two registers.
macro_rules! instructions {
    ($($operation:ident = $intrinsic:ident),*) => {$(
        #[inline(always)]
        fn $operation(self, other: Self) -> Self {
            // SAFETY: `self` was made from a proof that the processor has the instruction.
            unsafe { $intrinsic(self, other) }
        }
    )*};
}

/// The processor has AVX2.
#[derive(Clone, Copy)]
pub(in super::super) struct Avx2(());

impl Diffuser for Avx2 {
    fn decrypt(&self, keys: &[Masks; 2], data: &mut [u8]) {
        #[target_feature(enable = "avx2")]
        fn run(proof: Avx2, keys: &[Masks; 2], data: &mut [u8]) {
            elephant::decrypt::<__m256i>(proof, keys, data);
        }
        // SAFETY: `self` is the proof that the processor has AVX2.
        unsafe { run(*self, keys, data) }
    }

    fn encrypt(&self, keys: &[Masks; 2], data: &mut [u8]) {
        #[target_feature(enable = "avx2")]
        fn run(proof: Avx2, keys: &[Masks; 2], data: &mut [u8]) {
            elephant::encrypt::<__m256i>(proof, keys, data);
        }
        // SAFETY: `self` is the proof that the processor has AVX2.
        unsafe { run(*self, keys, data) }
    }
}

impl Words for __m256i {
    type Proof = Avx2;
    const LANES: usize = 8;

    #[inline(always)]
    fn zero(_: Avx2) -> Self {
        // SAFETY: the proof is there.
        unsafe { _mm256_setzero_si256() }
    }

    instructions! { add = _mm256_add_epi32, sub = _mm256_sub_epi32, xor = _mm256_xor_si256 }

    #[inline(always)]
    fn rotate<const LEFT: i32, const RIGHT: i32>(self) -> Self {
        // SAFETY: `self` was made from a proof.
        unsafe { _mm256_or_si256(_mm256_slli_epi32::<LEFT>(self), _mm256_srli_epi32::<RIGHT>(self)) }
    }

    #[inline(always)]
    fn gather(proof: Avx2, data: &[u8], stride: usize, at: usize) -> [Self; 4] {
        let mut rows = [Self::zero(proof); 4];
        for (row, words) in rows.iter_mut().enumerate() {
            // SAFETY: the proof is there.
            unsafe {
                *words = _mm256_set_m128i(block(data, stride, at, row, 1), block(data, stride, at, row, 0));
            }
        }
        rows
    }

    #[inline(always)]
    fn scatter(rows: [Self; 4], data: &mut [u8], stride: usize, at: usize) {
        for (row, words) in rows.into_iter().enumerate() {
            // SAFETY: `words` was made from a proof.
            unsafe {
                put(_mm256_castsi256_si128(words), data, stride, at, row, 0);
                put(_mm256_extracti128_si256::<1>(words), data, stride, at, row, 1);
            }
        }
    }

    #[inline(always)]
    fn transpose([a, b, c, d]: [Self; 4]) -> [Self; 4] {
        // SAFETY: `a` was made from a proof.
        unsafe {
            let (ab, ab_high) = (_mm256_unpacklo_epi32(a, b), _mm256_unpackhi_epi32(a, b));
            let (cd, cd_high) = (_mm256_unpacklo_epi32(c, d), _mm256_unpackhi_epi32(c, d));
            [
                _mm256_unpacklo_epi64(ab, cd),
                _mm256_unpackhi_epi64(ab, cd),
                _mm256_unpacklo_epi64(ab_high, cd_high),
                _mm256_unpackhi_epi64(ab_high, cd_high),
            ]
        }
    }
}

/// The processor has AVX-512, and AVX2 besides.
#[derive(Clone, Copy)]
pub(in super::super) struct Avx512(Avx2);

impl Diffuser for Avx512 {
    fn decrypt(&self, keys: &[Masks; 2], data: &mut [u8]) {
        if large(keys, data) {
            return self.0.decrypt(keys, data);
        }
        #[target_feature(enable = "avx512f")]
        fn run(proof: Avx512, keys: &[Masks; 2], data: &mut [u8]) {
            elephant::decrypt::<__m512i>(proof, keys, data);
        }
        // SAFETY: `self` is the proof that the processor has AVX-512.
        unsafe { run(*self, keys, data) }
    }

    fn encrypt(&self, keys: &[Masks; 2], data: &mut [u8]) {
        if large(keys, data) {
            return self.0.encrypt(keys, data);
        }
        #[target_feature(enable = "avx512f")]
        fn run(proof: Avx512, keys: &[Masks; 2], data: &mut [u8]) {
            elephant::encrypt::<__m512i>(proof, keys, data);
        }
        // SAFETY: `self` is the proof that the processor has AVX-512.
        unsafe { run(*self, keys, data) }
    }
}

/// Returns whether sixteen sectors at once would not fit into the first cache, but eight do.
fn large(keys: &[Masks; 2], data: &[u8]) -> bool {
    data.len() / keys[0].len() > 2048
}

impl Words for __m512i {
    type Proof = Avx512;
    const LANES: usize = 16;

    #[inline(always)]
    fn zero(_: Avx512) -> Self {
        // SAFETY: the proof is there.
        unsafe { _mm512_setzero_si512() }
    }

    instructions! { add = _mm512_add_epi32, sub = _mm512_sub_epi32, xor = _mm512_xor_si512 }

    #[inline(always)]
    fn rotate<const LEFT: i32, const RIGHT: i32>(self) -> Self {
        // SAFETY: `self` was made from a proof.
        unsafe { _mm512_rol_epi32::<LEFT>(self) }
    }

    #[inline(always)]
    fn gather(proof: Avx512, data: &[u8], stride: usize, at: usize) -> [Self; 4] {
        let mut rows = [Self::zero(proof); 4];
        for (row, words) in rows.iter_mut().enumerate() {
            // SAFETY: the proof is there.
            unsafe {
                let first = _mm512_castsi128_si512(block(data, stride, at, row, 0));
                let two = _mm512_inserti32x4::<1>(first, block(data, stride, at, row, 1));
                let three = _mm512_inserti32x4::<2>(two, block(data, stride, at, row, 2));
                *words = _mm512_inserti32x4::<3>(three, block(data, stride, at, row, 3));
            }
        }
        rows
    }

    #[inline(always)]
    fn scatter(rows: [Self; 4], data: &mut [u8], stride: usize, at: usize) {
        for (row, words) in rows.into_iter().enumerate() {
            // SAFETY: `words` was made from a proof.
            unsafe {
                put(_mm512_castsi512_si128(words), data, stride, at, row, 0);
                put(_mm512_extracti32x4_epi32::<1>(words), data, stride, at, row, 1);
                put(_mm512_extracti32x4_epi32::<2>(words), data, stride, at, row, 2);
                put(_mm512_extracti32x4_epi32::<3>(words), data, stride, at, row, 3);
            }
        }
    }

    #[inline(always)]
    fn transpose([a, b, c, d]: [Self; 4]) -> [Self; 4] {
        // SAFETY: `a` was made from a proof.
        unsafe {
            let (ab, ab_high) = (_mm512_unpacklo_epi32(a, b), _mm512_unpackhi_epi32(a, b));
            let (cd, cd_high) = (_mm512_unpacklo_epi32(c, d), _mm512_unpackhi_epi32(c, d));
            [
                _mm512_unpacklo_epi64(ab, cd),
                _mm512_unpackhi_epi64(ab, cd),
                _mm512_unpacklo_epi64(ab_high, cd_high),
                _mm512_unpackhi_epi64(ab_high, cd_high),
            ]
        }
    }
}

#[inline(always)]
fn block(data: &[u8], stride: usize, at: usize, vector: usize, four: usize) -> __m128i {
    match elephant::place(data.len(), stride, at, vector, four) {
        // SAFETY: the slice is as long as the register; SSE2 is part of x86-64.
        Some(place) => unsafe { _mm_loadu_si128(data[place..place + 16].as_ptr().cast()) },
        // SAFETY: SSE2 is part of x86-64.
        None => unsafe { _mm_setzero_si128() },
    }
}

#[inline(always)]
fn put(block: __m128i, data: &mut [u8], stride: usize, at: usize, vector: usize, four: usize) {
    if let Some(place) = elephant::place(data.len(), stride, at, vector, four) {
        // SAFETY: the slice is as long as the register; SSE2 is part of x86-64.
        unsafe { _mm_storeu_si128(data[place..place + 16].as_mut_ptr().cast(), block) };
    }
}
