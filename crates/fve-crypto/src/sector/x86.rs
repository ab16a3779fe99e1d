//! The ciphers in the AES instructions of x86-64.
#![expect(unsafe_code, reason = "SIMD kernels; each is tested against the safe code")]

mod keys;
mod lanes;
mod modes;
mod words;

use std::arch::is_x86_feature_detected as has;
use std::arch::x86_64::*;

use super::{Block, Engine, Kernel};
use keys::RoundKeys;
use lanes::{Aes, Lanes};
pub(super) use words::diffuser;

/// Makes the engine for a key of 16 or 32 bytes, or `None` when the processor cannot run the kernel.
pub(super) fn engine(kernel: Kernel, key: &[u8]) -> Option<Box<dyn Engine>> {
    Some(match (kernel, key.len()) {
        (Kernel::Aes, 16) => Box::new(AesEngine::<11>::new(key)?),
        (Kernel::Aes, _) => Box::new(AesEngine::<15>::new(key)?),
        (Kernel::AesAvx512, 16) => Box::new(AesAvx512Engine::<11>::new(key)?),
        (Kernel::AesAvx512, _) => Box::new(AesAvx512Engine::<15>::new(key)?),
        (Kernel::Vaes256, 16) => Box::new(Vaes256Engine::<11>::new(key)?),
        (Kernel::Vaes256, _) => Box::new(Vaes256Engine::<15>::new(key)?),
        (Kernel::Vaes512, 16) => Box::new(Vaes512Engine::<11>::new(key)?),
        (Kernel::Vaes512, _) => Box::new(Vaes512Engine::<15>::new(key)?),
        (Kernel::Safe, _) => return None,
    })
}

/// Makes an engine of the modes: one register, and the features that its functions are compiled for.
macro_rules! engine {
    ($engine:ident, $lanes:ty, [$($feature:tt),+]) => {
        struct $engine<const KEYS: usize> {
            encrypt: RoundKeys<KEYS>,
            decrypt: RoundKeys<KEYS>,
            proof: <$lanes as Lanes>::Proof,
            one: Aes,
        }

        impl<const KEYS: usize> $engine<KEYS> {
            fn new(key: &[u8]) -> Option<Self> {
                let one = __m128i::detect()?;
                let proof = <$lanes>::detect()?;
                ($(has!($feature))&&+).then(|| {
                    let [encrypt, decrypt] = RoundKeys::new(one, key);
                    Self { encrypt, decrypt, proof, one }
                })
            }

            #[target_feature($(enable = $feature),+)]
            fn blocks(&self, blocks: &mut [Block]) {
                modes::encrypt_blocks::<$lanes, KEYS>(self.proof, &self.encrypt, blocks);
            }

            #[target_feature($(enable = $feature),+)]
            fn xts_enc(&self, tweaks: &[Block], data: &mut [u8]) {
                modes::xts::<$lanes, KEYS, true>(self.proof, &self.encrypt, tweaks, data);
            }

            #[target_feature($(enable = $feature),+)]
            fn xts_dec(&self, tweaks: &[Block], data: &mut [u8]) {
                modes::xts::<$lanes, KEYS, false>(self.proof, &self.decrypt, tweaks, data);
            }

            #[target_feature($(enable = $feature),+)]
            fn cbc_enc(&self, ivs: &[Block], data: &mut [u8]) {
                modes::cbc_encrypt::<$lanes, KEYS>(self.proof, self.one, &self.encrypt, ivs, data);
            }

            #[target_feature($(enable = $feature),+)]
            fn cbc_dec(&self, ivs: &[Block], data: &mut [u8]) {
                modes::cbc_decrypt::<$lanes, KEYS>(self.proof, &self.decrypt, ivs, data);
            }
        }

        impl<const KEYS: usize> Engine for $engine<KEYS> {
            fn encrypt_blocks(&self, blocks: &mut [Block]) {
                // SAFETY: `new` found the features in the processor.
                unsafe { self.blocks(blocks) }
            }

            fn xts_encrypt(&self, tweaks: &[Block], data: &mut [u8]) {
                // SAFETY: `new` found the features in the processor.
                unsafe { self.xts_enc(tweaks, data) }
            }

            fn xts_decrypt(&self, tweaks: &[Block], data: &mut [u8]) {
                // SAFETY: `new` found the features in the processor.
                unsafe { self.xts_dec(tweaks, data) }
            }

            fn cbc_encrypt(&self, ivs: &[Block], data: &mut [u8]) {
                // SAFETY: `new` found the features in the processor.
                unsafe { self.cbc_enc(ivs, data) }
            }

            fn cbc_decrypt(&self, ivs: &[Block], data: &mut [u8]) {
                // SAFETY: `new` found the features in the processor.
                unsafe { self.cbc_dec(ivs, data) }
            }
        }
    };
}

engine!(AesEngine, __m128i, ["aes", "avx2", "pclmulqdq"]);
engine!(AesAvx512Engine, __m128i, ["aes", "avx2", "pclmulqdq", "avx512f", "avx512vl"]);
engine!(Vaes256Engine, __m256i, ["aes", "avx2", "pclmulqdq", "vaes", "vpclmulqdq"]);
engine!(
    Vaes512Engine,
    __m512i,
    ["aes", "avx2", "pclmulqdq", "vaes", "vpclmulqdq", "avx512f", "avx512bw", "avx512vl"]
);
