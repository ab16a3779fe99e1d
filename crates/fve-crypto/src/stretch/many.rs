//! Many secrets with one salt: what makes guessing bearable when most of a recovery key is known.
//!
//! A single chain cannot be made shorter, but many of them can go side by side on one core.

mod kernel;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
pub(super) mod lanes;
#[cfg(target_arch = "aarch64")]
mod neon;

use recovery_key::{RecoveryPassword, Secret};

#[doc(hidden)]
pub use kernel::Kernel;

use super::{Chain, ROUNDS, hash};

/// Returns how many recovery passwords one core stretches best at once.
#[must_use]
pub fn lanes() -> usize {
    Kernel::best().lanes()
}

/// Stretches recovery passwords with one salt, on one core; the keys come in the same order.
///
/// Their number is best a multiple of [`lanes`]: that many take as long as one.
#[must_use]
pub fn recovery_passwords(passwords: &[RecoveryPassword], salt: &[u8; 16]) -> Vec<Secret<[u8; 32]>> {
    let initial: Vec<_> = passwords.iter().map(|password| hash(password.bytes().expose())).collect();
    stretch_with(Kernel::best(), &initial, salt, ROUNDS)
}

/// Stretches with one kernel and any number of rounds.
///
/// # Panics
/// When the processor does not have the kernel.
#[doc(hidden)]
#[must_use]
pub fn stretch_with(
    kernel: Kernel,
    initial: &[Secret<[u8; 32]>],
    salt: &[u8; 16],
    rounds: u32,
) -> Vec<Secret<[u8; 32]>> {
    let mut chains: Vec<_> = initial.iter().map(|initial| Chain::new(initial, salt)).collect();
    for chains in chains.chunks_mut(kernel.lanes()) {
        kernel.run(chains, rounds);
    }
    chains.iter().map(Chain::key).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each lane of each kernel against the safe single chain, also where lanes are left over.
    #[test]
    fn every_lane_of_every_kernel_goes_the_way_of_a_single_chain() {
        for kernel in Kernel::ALL.into_iter().filter(|kernel| kernel.is_available()) {
            let lanes = kernel.lanes();
            for rounds in [0_u32, 1, 2, 3, 4, 5, 15, 16, 17, 31, 33, 300, 1000] {
                for count in [0, 1, 2, 3, lanes - 1, lanes, lanes + 1, 2 * lanes + 3] {
                    let initial: Vec<_> = (0..count).map(|n| hash(&[rounds as u8, n as u8])).collect();
                    let salt = &hash(&[rounds as u8]).expose()[..16].try_into().expect("16 bytes");
                    let keys = stretch_with(kernel, &initial, salt, rounds);
                    assert_eq!(keys.len(), count);
                    for (lane, (key, initial)) in keys.iter().zip(&initial).enumerate() {
                        let expected =
                            super::super::stretch_with(super::super::Kernel::Safe, initial, salt, rounds);
                        assert!(*key == expected, "{kernel:?}, {rounds} rounds, {lane} of {count}");
                    }
                }
            }
        }
    }

    #[test]
    fn the_best_kernel_stretches_recovery_passwords() {
        let salt = &[7; 16];
        let passwords: Vec<_> = (0..3).map(|n| RecoveryPassword::from_bytes(Secret::new([n; 16]))).collect();
        let keys = recovery_passwords(&passwords, salt);
        assert_eq!(keys.len(), 3);
        for (key, password) in keys.iter().zip(&passwords) {
            assert!(*key == super::super::recovery_password(password.bytes(), salt));
        }
    }
}
