//! Many chains in the lanes of AArch64's vector registers, 4 in each.
//!
//! For processors without the SHA instructions, such as those of the Raspberry Pi up to 4.
#![expect(unsafe_code, reason = "SIMD kernel; tested against the safe code")]

use std::arch::aarch64::*;
use std::arch::is_aarch64_feature_detected as has;

use super::super::Chain;
use super::lanes::{self, Lanes};

pub(super) fn is_available() -> bool {
    has!("neon")
}

/// Returns whether it is faster than the safe code, which uses the SHA instructions where they are.
pub(super) fn is_worth_it() -> bool {
    is_available() && !has!("sha2")
}

/// Goes along up to four chains; the processor must have the instructions.
pub(super) fn run(chains: &mut [Chain], rounds: u32) {
    assert!(is_available(), "this processor does not have the instructions");
    // SAFETY: the processor has the instructions, as was just seen.
    unsafe { run_neon(chains, rounds) }
}

#[target_feature(enable = "neon")]
fn run_neon(chains: &mut [Chain], rounds: u32) {
    lanes::run::<Four, 4>(chains, rounds);
}

/// Only [`run_neon`] uses it, so wherever there is one, there is NEON.
#[derive(Clone, Copy)]
struct Four(uint32x4_t);

impl Lanes<4> for Four {
    #[inline(always)]
    fn load(words: &[u32; 4]) -> Self {
        // SAFETY: NEON is there; the array is as long as the register.
        Self(unsafe { vld1q_u32(words.as_ptr()) })
    }

    #[inline(always)]
    fn store(self, words: &mut [u32; 4]) {
        // SAFETY: NEON is there; the array is as long as the register.
        unsafe { vst1q_u32(words.as_mut_ptr(), self.0) };
    }

    #[inline(always)]
    fn splat(word: u32) -> Self {
        // SAFETY: NEON is there.
        Self(unsafe { vdupq_n_u32(word) })
    }

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        // SAFETY: NEON is there.
        Self(unsafe { vaddq_u32(self.0, other.0) })
    }

    #[inline(always)]
    fn rotate<const RIGHT: i32, const LEFT: i32>(self) -> Self {
        // SAFETY: NEON is there.
        Self(unsafe { vsriq_n_u32::<RIGHT>(vshlq_n_u32::<LEFT>(self.0), self.0) })
    }

    #[inline(always)]
    fn shift_right<const BITS: i32>(self) -> Self {
        // SAFETY: NEON is there.
        Self(unsafe { vshrq_n_u32::<BITS>(self.0) })
    }

    #[inline(always)]
    fn xor3(self, b: Self, c: Self) -> Self {
        // SAFETY: NEON is there.
        Self(unsafe { veorq_u32(veorq_u32(self.0, b.0), c.0) })
    }

    #[inline(always)]
    fn choose(self, f: Self, g: Self) -> Self {
        // SAFETY: NEON is there.
        Self(unsafe { vbslq_u32(self.0, f.0, g.0) })
    }

    #[inline(always)]
    fn majority(self, b: Self, c: Self) -> Self {
        // SAFETY: NEON is there.
        Self(unsafe { vbslq_u32(veorq_u32(self.0, b.0), c.0, b.0) })
    }
}
