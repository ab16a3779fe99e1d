//! The chain in the instructions of x86-64.
#![expect(unsafe_code, reason = "SIMD kernels; each is tested against the safe code")]

mod lanes;
mod scalar;
mod sha_ni;
mod sha_ni_many;

use std::arch::is_x86_feature_detected as has;

use super::{Chain, Kernel, many};

pub(super) fn is_available(kernel: Kernel) -> bool {
    let scalar = has!("avx2") && has!("bmi1") && has!("bmi2");
    match kernel {
        Kernel::Safe => true,
        Kernel::Avx2 => scalar,
        Kernel::Avx512 => scalar && has!("avx512f") && has!("avx512vl"),
        Kernel::ShaNi => has!("sha") && has!("sse4.1") && has!("ssse3"),
    }
}

/// Goes along the chain with a kernel that is available.
pub(super) fn run(kernel: Kernel, chain: &mut Chain, rounds: u32) {
    assert!(is_available(kernel), "this processor does not have the instructions for {kernel:?}");
    // SAFETY: the processor has the instructions, as was just seen.
    unsafe {
        match kernel {
            Kernel::Safe => super::safe::run(chain, rounds),
            Kernel::Avx2 => scalar::run_avx2(chain, rounds),
            Kernel::Avx512 => scalar::run_avx512(chain, rounds),
            Kernel::ShaNi => sha_ni::run(chain, rounds),
        }
    }
}

pub(super) fn has_many(kernel: many::Kernel) -> bool {
    match kernel {
        many::Kernel::Safe => true,
        many::Kernel::Avx2 => has!("avx2"),
        many::Kernel::ShaNi => is_available(Kernel::ShaNi),
        many::Kernel::Avx512 => has!("avx512f"),
        many::Kernel::Neon => false,
    }
}

/// Goes along many chains with a kernel that is available.
pub(super) fn run_many(kernel: many::Kernel, chains: &mut [Chain], rounds: u32) {
    assert!(has_many(kernel), "this processor does not have the instructions for {kernel:?}");
    // SAFETY: the processor has the instructions, as was just seen.
    unsafe {
        match kernel {
            many::Kernel::Avx2 => lanes::run_avx2(chains, rounds),
            many::Kernel::ShaNi => sha_ni_many::run(chains, rounds),
            many::Kernel::Avx512 => lanes::run_avx512(chains, rounds),
            many::Kernel::Safe | many::Kernel::Neon => {
                chains.iter_mut().for_each(|chain| super::safe::run(chain, rounds));
            }
        }
    }
}
