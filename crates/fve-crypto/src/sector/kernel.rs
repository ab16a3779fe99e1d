//! Which implementation of the ciphers runs.

/// An implementation of the sector ciphers, for tests and measurements; all of them agree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kernel {
    /// Safe code on the `aes` crate, on any processor.
    Safe,
    /// x86-64: one block per register.
    Aes,
    /// x86-64: one block per register, with AVX-512's twice as many registers.
    AesAvx512,
    /// x86-64: two blocks per register.
    Vaes256,
    /// x86-64: four blocks per register.
    Vaes512,
}

impl Kernel {
    /// Every kernel, the slowest first.
    pub const ALL: [Self; 5] = [Self::Safe, Self::Aes, Self::AesAvx512, Self::Vaes256, Self::Vaes512];
}
