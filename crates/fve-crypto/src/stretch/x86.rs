//! The chain in the instructions of x86-64.
#![expect(unsafe_code, reason = "SIMD kernels; each is tested against the safe code")]

mod scalar;
mod sha_ni;

use std::arch::is_x86_feature_detected as has;

use super::{Chain, Kernel};

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

/// The constants of the rounds: FIPS 180-4, section 4.2.2.
#[rustfmt::skip]
const K: [u32; 64] = [
    0x428a_2f98, 0x7137_4491, 0xb5c0_fbcf, 0xe9b5_dba5, 0x3956_c25b, 0x59f1_11f1, 0x923f_82a4, 0xab1c_5ed5,
    0xd807_aa98, 0x1283_5b01, 0x2431_85be, 0x550c_7dc3, 0x72be_5d74, 0x80de_b1fe, 0x9bdc_06a7, 0xc19b_f174,
    0xe49b_69c1, 0xefbe_4786, 0x0fc1_9dc6, 0x240c_a1cc, 0x2de9_2c6f, 0x4a74_84aa, 0x5cb0_a9dc, 0x76f9_88da,
    0x983e_5152, 0xa831_c66d, 0xb003_27c8, 0xbf59_7fc7, 0xc6e0_0bf3, 0xd5a7_9147, 0x06ca_6351, 0x1429_2967,
    0x27b7_0a85, 0x2e1b_2138, 0x4d2c_6dfc, 0x5338_0d13, 0x650a_7354, 0x766a_0abb, 0x81c2_c92e, 0x9272_2c85,
    0xa2bf_e8a1, 0xa81a_664b, 0xc24b_8b70, 0xc76c_51a3, 0xd192_e819, 0xd699_0624, 0xf40e_3585, 0x106a_a070,
    0x19a4_c116, 0x1e37_6c08, 0x2748_774c, 0x34b0_bcb5, 0x391c_0cb3, 0x4ed8_aa4a, 0x5b9c_ca4f, 0x682e_6ff3,
    0x748f_82ee, 0x78a5_636f, 0x84c8_7814, 0x8cc7_0208, 0x90be_fffa, 0xa450_6ceb, 0xbef9_a3f7, 0xc671_78f2,
];
