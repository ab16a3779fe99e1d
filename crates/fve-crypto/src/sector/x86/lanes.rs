//! Registers of one, two or four AES blocks, so that each kernel is written once.
//!
//! Every operation asks for instructions that not every processor has. Having them is a value: the kernels
//! make a register only from a [`Lanes::Proof`], and a proof is made only by asking the processor.

use std::arch::is_x86_feature_detected as has;
use std::arch::x86_64::*;

use super::super::Block;

/// A register of [`BLOCKS`](Self::BLOCKS) AES blocks.
pub(super) trait Lanes: Copy {
    /// What proves that the processor has the instructions.
    type Proof: Copy + Send + Sync;
    /// The blocks in a register: 1, 2 or 4.
    const BLOCKS: usize;

    /// Asks the processor for the instructions of this register.
    fn detect() -> Option<Self::Proof>;
    /// Reads the first `BLOCKS` blocks of `bytes`.
    fn load(_: Self::Proof, bytes: &[u8]) -> Self;
    /// Writes over the first `BLOCKS` blocks of `bytes`.
    fn store(self, bytes: &mut [u8]);
    /// Puts `block` into every lane.
    fn splat(_: Self::Proof, block: &Block) -> Self;

    fn xor(self, other: Self) -> Self;
    fn and(self, other: Self) -> Self;

    fn aes_enc(self, key: Self) -> Self;
    fn aes_enc_last(self, key: Self) -> Self;
    fn aes_dec(self, key: Self) -> Self;
    fn aes_dec_last(self, key: Self) -> Self;

    /// Moves every lane up by one; the lowest becomes what was the highest of `before`.
    fn after(self, before: Self) -> Self;
    /// Swaps rows and columns of the first `BLOCKS` registers.
    fn transpose(rows: [Self; 4]) -> [Self; 4];

    /// Shifts each 64-bit half by its own count; 64 leaves nothing.
    fn shift_left(self, counts: Self) -> Self;
    fn shift_right(self, counts: Self) -> Self;
    /// Swaps the halves of each lane.
    fn swap_halves(self) -> Self;
    /// Multiplies the low halves of each lane without carries.
    fn multiply_low(self, other: Self) -> Self;
    /// Shifts each lane by whole bytes.
    fn bytes_left<const N: i32>(self) -> Self;
    fn bytes_right<const N: i32>(self) -> Self;
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

/// One lane: AES-NI, with AVX2 and a carry-less multiplication for the tweaks.
#[derive(Clone, Copy)]
pub(super) struct Aes(());

impl Lanes for __m128i {
    type Proof = Aes;
    const BLOCKS: usize = 1;

    fn detect() -> Option<Aes> {
        (has!("aes") && has!("avx2") && has!("pclmulqdq")).then_some(Aes(()))
    }

    #[inline(always)]
    fn load(_: Aes, bytes: &[u8]) -> Self {
        // SAFETY: the slice is as long as the register; the proof is there.
        unsafe { _mm_loadu_si128(bytes[..16].as_ptr().cast()) }
    }

    #[inline(always)]
    fn store(self, bytes: &mut [u8]) {
        // SAFETY: the slice is as long as the register; `self` was made from a proof.
        unsafe { _mm_storeu_si128(bytes[..16].as_mut_ptr().cast(), self) }
    }

    #[inline(always)]
    fn splat(proof: Aes, block: &Block) -> Self {
        Self::load(proof, block)
    }

    instructions! {
        xor = _mm_xor_si128, and = _mm_and_si128,
        aes_enc = _mm_aesenc_si128, aes_enc_last = _mm_aesenclast_si128,
        aes_dec = _mm_aesdec_si128, aes_dec_last = _mm_aesdeclast_si128,
        shift_left = _mm_sllv_epi64, shift_right = _mm_srlv_epi64
    }

    #[inline(always)]
    fn after(self, before: Self) -> Self {
        before
    }

    #[inline(always)]
    fn transpose(rows: [Self; 4]) -> [Self; 4] {
        rows
    }

    #[inline(always)]
    fn swap_halves(self) -> Self {
        // SAFETY: `self` was made from a proof.
        unsafe { _mm_shuffle_epi32::<0b01_00_11_10>(self) }
    }

    #[inline(always)]
    fn multiply_low(self, other: Self) -> Self {
        // SAFETY: `self` was made from a proof.
        unsafe { _mm_clmulepi64_si128::<0>(self, other) }
    }

    #[inline(always)]
    fn bytes_left<const N: i32>(self) -> Self {
        // SAFETY: `self` was made from a proof.
        unsafe { _mm_bslli_si128::<N>(self) }
    }

    #[inline(always)]
    fn bytes_right<const N: i32>(self) -> Self {
        // SAFETY: `self` was made from a proof.
        unsafe { _mm_bsrli_si128::<N>(self) }
    }
}

/// Two lanes: VAES in AVX2 registers.
#[derive(Clone, Copy)]
pub(super) struct Vaes256(());

impl Lanes for __m256i {
    type Proof = Vaes256;
    const BLOCKS: usize = 2;

    fn detect() -> Option<Vaes256> {
        (has!("vaes") && has!("avx2") && has!("vpclmulqdq")).then_some(Vaes256(()))
    }

    #[inline(always)]
    fn load(_: Vaes256, bytes: &[u8]) -> Self {
        // SAFETY: the slice is as long as the register; the proof is there.
        unsafe { _mm256_loadu_si256(bytes[..32].as_ptr().cast()) }
    }

    #[inline(always)]
    fn store(self, bytes: &mut [u8]) {
        // SAFETY: the slice is as long as the register; `self` was made from a proof.
        unsafe { _mm256_storeu_si256(bytes[..32].as_mut_ptr().cast(), self) }
    }

    #[inline(always)]
    fn splat(_: Vaes256, block: &Block) -> Self {
        // SAFETY: a block is as long as the load; the proof is there.
        unsafe { _mm256_broadcastsi128_si256(_mm_loadu_si128(block.as_ptr().cast())) }
    }

    instructions! {
        xor = _mm256_xor_si256, and = _mm256_and_si256,
        aes_enc = _mm256_aesenc_epi128, aes_enc_last = _mm256_aesenclast_epi128,
        aes_dec = _mm256_aesdec_epi128, aes_dec_last = _mm256_aesdeclast_epi128,
        shift_left = _mm256_sllv_epi64, shift_right = _mm256_srlv_epi64
    }

    #[inline(always)]
    fn after(self, before: Self) -> Self {
        // SAFETY: `self` was made from a proof.
        unsafe { _mm256_permute2x128_si256::<0x21>(before, self) }
    }

    #[inline(always)]
    fn transpose([a, b, c, d]: [Self; 4]) -> [Self; 4] {
        // SAFETY: `a` was made from a proof.
        unsafe { [_mm256_permute2x128_si256::<0x20>(a, b), _mm256_permute2x128_si256::<0x31>(a, b), c, d] }
    }

    #[inline(always)]
    fn swap_halves(self) -> Self {
        // SAFETY: `self` was made from a proof.
        unsafe { _mm256_shuffle_epi32::<0b01_00_11_10>(self) }
    }

    #[inline(always)]
    fn multiply_low(self, other: Self) -> Self {
        // SAFETY: `self` was made from a proof.
        unsafe { _mm256_clmulepi64_epi128::<0>(self, other) }
    }

    #[inline(always)]
    fn bytes_left<const N: i32>(self) -> Self {
        // SAFETY: `self` was made from a proof.
        unsafe { _mm256_bslli_epi128::<N>(self) }
    }

    #[inline(always)]
    fn bytes_right<const N: i32>(self) -> Self {
        // SAFETY: `self` was made from a proof.
        unsafe { _mm256_bsrli_epi128::<N>(self) }
    }
}

/// Four lanes: VAES in AVX-512 registers.
#[derive(Clone, Copy)]
pub(super) struct Vaes512(());

impl Lanes for __m512i {
    type Proof = Vaes512;
    const BLOCKS: usize = 4;

    fn detect() -> Option<Vaes512> {
        (has!("vaes") && has!("avx512f") && has!("avx512bw") && has!("vpclmulqdq")).then_some(Vaes512(()))
    }

    #[inline(always)]
    fn load(_: Vaes512, bytes: &[u8]) -> Self {
        // SAFETY: the slice is as long as the register; the proof is there.
        unsafe { _mm512_loadu_si512(bytes[..64].as_ptr().cast()) }
    }

    #[inline(always)]
    fn store(self, bytes: &mut [u8]) {
        // SAFETY: the slice is as long as the register; `self` was made from a proof.
        unsafe { _mm512_storeu_si512(bytes[..64].as_mut_ptr().cast(), self) }
    }

    #[inline(always)]
    fn splat(_: Vaes512, block: &Block) -> Self {
        // SAFETY: a block is as long as the load; the proof is there.
        unsafe { _mm512_broadcast_i32x4(_mm_loadu_si128(block.as_ptr().cast())) }
    }

    instructions! {
        xor = _mm512_xor_si512, and = _mm512_and_si512,
        aes_enc = _mm512_aesenc_epi128, aes_enc_last = _mm512_aesenclast_epi128,
        aes_dec = _mm512_aesdec_epi128, aes_dec_last = _mm512_aesdeclast_epi128,
        shift_left = _mm512_sllv_epi64, shift_right = _mm512_srlv_epi64
    }

    #[inline(always)]
    fn after(self, before: Self) -> Self {
        // SAFETY: `self` was made from a proof.
        unsafe { _mm512_alignr_epi64::<6>(self, before) }
    }

    #[inline(always)]
    fn transpose([a, b, c, d]: [Self; 4]) -> [Self; 4] {
        // SAFETY: `a` was made from a proof.
        unsafe {
            let (ab, ab_high) = (_mm512_shuffle_i64x2::<0x44>(a, b), _mm512_shuffle_i64x2::<0xee>(a, b));
            let (cd, cd_high) = (_mm512_shuffle_i64x2::<0x44>(c, d), _mm512_shuffle_i64x2::<0xee>(c, d));
            [
                _mm512_shuffle_i64x2::<0x88>(ab, cd),
                _mm512_shuffle_i64x2::<0xdd>(ab, cd),
                _mm512_shuffle_i64x2::<0x88>(ab_high, cd_high),
                _mm512_shuffle_i64x2::<0xdd>(ab_high, cd_high),
            ]
        }
    }

    #[inline(always)]
    fn swap_halves(self) -> Self {
        // SAFETY: `self` was made from a proof.
        unsafe { _mm512_shuffle_epi32::<0b01_00_11_10>(self) }
    }

    #[inline(always)]
    fn multiply_low(self, other: Self) -> Self {
        // SAFETY: `self` was made from a proof.
        unsafe { _mm512_clmulepi64_epi128::<0>(self, other) }
    }

    #[inline(always)]
    fn bytes_left<const N: i32>(self) -> Self {
        // SAFETY: `self` was made from a proof.
        unsafe { _mm512_bslli_epi128::<N>(self) }
    }

    #[inline(always)]
    fn bytes_right<const N: i32>(self) -> Self {
        // SAFETY: `self` was made from a proof.
        unsafe { _mm512_bsrli_epi128::<N>(self) }
    }
}
