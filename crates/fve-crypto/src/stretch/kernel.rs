//! Which implementation of the chain runs.

use super::{Chain, safe};

/// An implementation of the chain, for tests and measurements; all of them agree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kernel {
    /// Safe code on the `sha2` crate, on any processor.
    Safe,
    /// x86-64: rounds in general registers, message schedules in AVX2.
    Avx2,
    /// x86-64: rounds in general registers, message schedules in AVX-512.
    Avx512,
    /// x86-64: the SHA instructions.
    ShaNi,
}

impl Kernel {
    /// Every kernel, the slowest first.
    pub const ALL: [Self; 4] = [Self::Safe, Self::Avx2, Self::Avx512, Self::ShaNi];

    /// Returns whether the processor has the kernel's instructions.
    #[must_use]
    pub fn is_available(self) -> bool {
        match self {
            Self::Safe => true,
            #[cfg(target_arch = "x86_64")]
            _ => super::x86::is_available(self),
            #[cfg(not(target_arch = "x86_64"))]
            _ => false,
        }
    }

    /// Returns the fastest kernel that this processor has.
    #[must_use]
    pub fn best() -> Self {
        Self::ALL.into_iter().rfind(|kernel| kernel.is_available()).unwrap_or(Self::Safe)
    }

    /// Goes `rounds` hashes along the chain; panics when the kernel is not available.
    pub(super) fn run(self, chain: &mut Chain, rounds: u32) {
        match self {
            Self::Safe => safe::run(chain, rounds),
            #[cfg(target_arch = "x86_64")]
            _ => super::x86::run(self, chain, rounds),
            #[cfg(not(target_arch = "x86_64"))]
            _ => panic!("this processor does not have the instructions for {self:?}"),
        }
    }
}
