//! Which implementation stretches many secrets.

use super::super::{Chain, safe};

/// An implementation of many chains, for tests and measurements; all of them agree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kernel {
    /// Safe code on the `sha2` crate, on any processor: one chain after the other.
    Safe,
    /// AArch64: 4 lanes in NEON.
    Neon,
    /// x86-64: 8 lanes in AVX2.
    Avx2,
    /// x86-64: the SHA instructions, 2 chains interleaved.
    ShaNi,
    /// x86-64: 16 lanes in AVX-512.
    Avx512,
}

impl Kernel {
    /// Every kernel, the slowest first.
    pub const ALL: [Self; 5] = [Self::Safe, Self::Neon, Self::Avx2, Self::ShaNi, Self::Avx512];

    /// Returns how many chains it takes at once.
    #[must_use]
    pub fn lanes(self) -> usize {
        match self {
            Self::Safe => 1,
            Self::ShaNi => 2,
            Self::Neon => 4,
            Self::Avx2 => 8,
            Self::Avx512 => 16,
        }
    }

    /// Returns whether the processor has the kernel's instructions.
    #[must_use]
    pub fn is_available(self) -> bool {
        match self {
            Self::Safe => true,
            #[cfg(target_arch = "x86_64")]
            _ => super::super::x86::has_many(self),
            #[cfg(target_arch = "aarch64")]
            Self::Neon => super::neon::is_available(),
            #[cfg(not(target_arch = "x86_64"))]
            _ => false,
        }
    }

    /// Returns the fastest kernel that this processor has.
    #[must_use]
    pub fn best() -> Self {
        Self::ALL.into_iter().rfind(|kernel| kernel.is_worth_it()).unwrap_or(Self::Safe)
    }

    fn is_worth_it(self) -> bool {
        match self {
            #[cfg(target_arch = "aarch64")]
            Self::Neon => super::neon::is_worth_it(),
            _ => self.is_available(),
        }
    }

    /// Goes `rounds` hashes along at most [`lanes`](Self::lanes) chains, which share their salt; panics
    /// when the kernel is not available.
    pub(super) fn run(self, chains: &mut [Chain], rounds: u32) {
        match self {
            Self::Safe => chains.iter_mut().for_each(|chain| safe::run(chain, rounds)),
            #[cfg(target_arch = "x86_64")]
            _ => super::super::x86::run_many(self, chains, rounds),
            #[cfg(target_arch = "aarch64")]
            Self::Neon => super::neon::run(chains, rounds),
            #[cfg(not(target_arch = "x86_64"))]
            _ => panic!("this processor does not have the instructions for {self:?}"),
        }
    }
}
