//! Sector ciphers: each sector on its own, made different from its neighbours by where it lies.

mod batch;
mod elephant;
mod kernel;
mod safe;
#[cfg(target_arch = "x86_64")]
mod x86;

use std::fmt;

use batch::{BATCH, Masks, Sectors};
use elephant::Diffuser;
pub use kernel::Kernel;

use crate::Method;

/// The sector size of a volume in bytes, as its boot sector says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u16)]
pub enum SectorSize {
    /// 512 bytes: nearly every drive.
    B512 = 512,
    /// 1024 bytes.
    B1024 = 1024,
    /// 2048 bytes.
    B2048 = 2048,
    /// 4096 bytes: drives that show their 4 KiB sectors ("4Kn").
    B4096 = 4096,
}

/// A number of bytes that no volume has in a sector.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} is not a sector size: it must be 512, 1024, 2048 or 4096")]
pub struct BadSectorSize(pub u16);

impl SectorSize {
    /// Every size, the smallest first.
    pub const ALL: [Self; 4] = [Self::B512, Self::B1024, Self::B2048, Self::B4096];

    /// Returns the number of bytes in a sector.
    #[must_use]
    pub const fn bytes(self) -> usize {
        self as usize
    }
}

impl TryFrom<u16> for SectorSize {
    type Error = BadSectorSize;

    fn try_from(bytes: u16) -> Result<Self, BadSectorSize> {
        Self::ALL.into_iter().find(|&size| size as u16 == bytes).ok_or(BadSectorSize(bytes))
    }
}

/// A key that is too long or too short for its method.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a key for {method} has {expected} bytes, not {actual}")]
pub struct KeyLength {
    /// The method that the key was meant for.
    pub method: Method,
    /// The bytes that the method takes.
    pub expected: usize,
    /// The bytes that were given.
    pub actual: usize,
}

/// The cipher of one volume, ready to be used from many threads at once; its keys are wiped on drop.
///
/// Where a sector lies decides how it is encrypted: `offset` is always the place on the volume where
/// the ciphertext is stored, not the place that a file system believes in. The two differ for the
/// sectors that BitLocker keeps elsewhere to make room for its own boot sector.
pub struct SectorCipher {
    method: Method,
    size: SectorSize,
    mode: Mode,
}

impl SectorCipher {
    /// Makes the cipher of a volume from its full volume encryption key.
    ///
    /// # Errors
    /// When the key does not have [`Method::key_len`] bytes.
    pub fn new(method: Method, key: &[u8], size: SectorSize) -> Result<Self, KeyLength> {
        let expected = method.key_len();
        if key.len() != expected {
            return Err(KeyLength { method, expected, actual: key.len() });
        }
        let best =
            Kernel::ALL.into_iter().rev().find_map(|kernel| Self::with_kernel(kernel, method, key, size));
        Ok(best.expect("safe code runs everywhere"))
    }

    /// Makes the cipher with one kernel; `None` when the processor does not have it, or the key does not fit.
    #[doc(hidden)]
    #[must_use]
    pub fn with_kernel(kernel: Kernel, method: Method, key: &[u8], size: SectorSize) -> Option<Self> {
        if key.len() != method.key_len() {
            return None;
        }
        let engine = |key| engine(kernel, key);
        let mode = match method {
            Method::AesCbc128 | Method::AesCbc256 => Mode::Cbc { data: engine(key)? },
            // The halves are laid out for AES-256; AES-128 takes the first 16 bytes of each.
            Method::AesCbc128Diffuser => Mode::Elephant {
                data: engine(&key[..16])?,
                tweak: engine(&key[32..48])?,
                diffuser: diffuser(kernel)?,
            },
            Method::AesCbc256Diffuser => Mode::Elephant {
                data: engine(&key[..32])?,
                tweak: engine(&key[32..])?,
                diffuser: diffuser(kernel)?,
            },
            Method::AesXts128 => Mode::Xts { data: engine(&key[..16])?, tweak: engine(&key[16..])? },
            Method::AesXts256 => Mode::Xts { data: engine(&key[..32])?, tweak: engine(&key[32..])? },
        };
        Some(Self { method, size, mode })
    }

    /// Returns the method that the cipher was made for.
    #[must_use]
    pub fn method(&self) -> Method {
        self.method
    }

    /// Returns the sector size that the cipher was made for.
    #[must_use]
    pub fn sector_size(&self) -> SectorSize {
        self.size
    }

    /// Decrypts whole sectors in place; `offset` is where the first of them lies on the volume.
    ///
    /// # Panics
    /// When `offset` or the length of `data` is not a multiple of the sector size.
    pub fn decrypt(&self, offset: u64, data: &mut [u8]) {
        for (sectors, batch) in self.batches(offset, data) {
            match &self.mode {
                Mode::Xts { data, tweak } => data.xts_decrypt(&sectors.numbers(&**tweak), batch),
                Mode::Cbc { data } => data.cbc_decrypt(&sectors.offsets(&**data), batch),
                Mode::Elephant { data, tweak, diffuser } => {
                    data.cbc_decrypt(&sectors.offsets(&**data), batch);
                    diffuser.decrypt(&sectors.diffuser_keys(&**tweak), batch);
                }
            }
        }
    }

    /// Encrypts whole sectors in place; `offset` is where the first of them will lie on the volume.
    ///
    /// # Panics
    /// When `offset` or the length of `data` is not a multiple of the sector size.
    pub fn encrypt(&self, offset: u64, data: &mut [u8]) {
        for (sectors, batch) in self.batches(offset, data) {
            match &self.mode {
                Mode::Xts { data, tweak } => data.xts_encrypt(&sectors.numbers(&**tweak), batch),
                Mode::Cbc { data } => data.cbc_encrypt(&sectors.offsets(&**data), batch),
                Mode::Elephant { data, tweak, diffuser } => {
                    diffuser.encrypt(&sectors.diffuser_keys(&**tweak), batch);
                    data.cbc_encrypt(&sectors.offsets(&**data), batch);
                }
            }
        }
    }

    fn batches<'a>(&self, offset: u64, data: &'a mut [u8]) -> impl Iterator<Item = (Sectors, &'a mut [u8])> {
        let size = self.size.bytes() as u64;
        assert!(offset.is_multiple_of(size), "a sector starts at a multiple of {size}, not at {offset:#x}");
        assert!(
            data.len().is_multiple_of(size as usize),
            "{} bytes are not whole sectors of {size}",
            data.len()
        );
        data.chunks_mut(BATCH * size as usize).enumerate().map(move |(i, batch)| {
            let offset = offset + (i * BATCH) as u64 * size;
            (Sectors { offset, size, count: batch.len() / size as usize }, batch)
        })
    }
}

impl fmt::Debug for SectorCipher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SectorCipher({}, {} bytes)", self.method, self.size.bytes())
    }
}

type Block = [u8; 16];

enum Mode {
    Cbc { data: Box<dyn Engine> },
    Elephant { data: Box<dyn Engine>, tweak: Box<dyn Engine>, diffuser: Box<dyn Diffuser> },
    Xts { data: Box<dyn Engine>, tweak: Box<dyn Engine> },
}

/// AES under one key, over the sectors of one batch.
///
/// `data` is as many sectors of equal size as there are tweaks or initialisation vectors, at least one.
trait Engine: Send + Sync {
    fn encrypt_blocks(&self, blocks: &mut [Block]);
    fn xts_encrypt(&self, tweaks: &[Block], data: &mut [u8]);
    fn xts_decrypt(&self, tweaks: &[Block], data: &mut [u8]);
    fn cbc_encrypt(&self, ivs: &[Block], data: &mut [u8]);
    fn cbc_decrypt(&self, ivs: &[Block], data: &mut [u8]);
}

fn engine(kernel: Kernel, key: &[u8]) -> Option<Box<dyn Engine>> {
    match kernel {
        Kernel::Safe => Some(safe::engine(key)),
        #[cfg(target_arch = "x86_64")]
        _ => x86::engine(kernel, key),
        #[cfg(not(target_arch = "x86_64"))]
        _ => None,
    }
}

fn diffuser(kernel: Kernel) -> Option<Box<dyn Diffuser>> {
    match kernel {
        Kernel::Safe => Some(Box::new(elephant::Safe)),
        #[cfg(target_arch = "x86_64")]
        _ => x86::diffuser(kernel),
        #[cfg(not(target_arch = "x86_64"))]
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use hex_literal::hex;
    use proptest::prelude::*;
    use sha2::{Digest, Sha256};

    use super::*;

    fn filled(len: usize) -> Vec<u8> {
        (0..len as u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
    }

    /// SHA-256 of 37 encrypted sectors, computed by an independent program that also reads, and writes
    /// for other readers, volumes of each kind.
    #[rustfmt::skip]
    const ENCRYPTED: [(Method, SectorSize, [u8; 32]); 24] = [
        (Method::AesCbc128Diffuser, SectorSize::B512, hex!("4c66da95fcfa6e073971b2edb836cae5e371a01e4156042c137beca51c613f76")),
        (Method::AesCbc128Diffuser, SectorSize::B1024, hex!("6d2881fbbd4625fc8d05293e1183df3e5e3406878b03b0e4aefe6dc60a62da59")),
        (Method::AesCbc128Diffuser, SectorSize::B2048, hex!("d5d10ea61c13efb7e581aa261854f68bdecbb7426e16e7440a8df0a7f6cf442b")),
        (Method::AesCbc128Diffuser, SectorSize::B4096, hex!("7000a6e2ff7f866333bd8ba78d4ecb8b90f1ba26e1ae17d1f8b788349243715f")),
        (Method::AesCbc256Diffuser, SectorSize::B512, hex!("582112785fbc118f8dd1dffafd0c4783737841bff9a8e11f364553c75159066c")),
        (Method::AesCbc256Diffuser, SectorSize::B1024, hex!("fa987f2ca19f50596450f07d0b4b3406fd0e67247ec014d76aa4d497bf0b4795")),
        (Method::AesCbc256Diffuser, SectorSize::B2048, hex!("04d76a87d761ccab587d0e7d28a51faafff458adc021fa2422009481f44ca799")),
        (Method::AesCbc256Diffuser, SectorSize::B4096, hex!("9ea154720bba0303c77e674b4c4946417f6bcb40b356cc3fa2dc7b0988867c67")),
        (Method::AesCbc128, SectorSize::B512, hex!("cd5da63742cf32ea16d34fdfdeca003db16f692c80a93ce6d20b807b3fbea228")),
        (Method::AesCbc128, SectorSize::B1024, hex!("790e3da1ffe8f47e13f95984fd0886a4a7753348f3b7290be7a14166239eeb96")),
        (Method::AesCbc128, SectorSize::B2048, hex!("c98a70ead7feeb0e5e2df5c3ea1f43eba34592b428f20d6231613fddc0900ba2")),
        (Method::AesCbc128, SectorSize::B4096, hex!("ea45fc8f9dbdaaf21d684397f977e7715639d17289ef5b0f147acd65b2e73c14")),
        (Method::AesCbc256, SectorSize::B512, hex!("a7c1be385f2548c78e114e023e5ea0916a778f3c865e67cae357cfe8c7a64444")),
        (Method::AesCbc256, SectorSize::B1024, hex!("e3717baf9433c3862b62567fe1f2e20f920ef842e3b70e8d0c2ec99f460132cb")),
        (Method::AesCbc256, SectorSize::B2048, hex!("d21bd44edf904417c1fc54ea71cf26eee9817211274fcdb01a02207d71b2b65b")),
        (Method::AesCbc256, SectorSize::B4096, hex!("a94d46e428ab92ec54417ef6042b4a96d345dbea8d04a9ae2ec01b5e10d59151")),
        (Method::AesXts128, SectorSize::B512, hex!("82afc748f8f5c635f419110d30ab2ed995deac4f6a5e8d94ef0f989df993e93d")),
        (Method::AesXts128, SectorSize::B1024, hex!("6e746cab366f2ce48da95ca9b71773e92bbe1845cb7595f02db00c7bdda17b0a")),
        (Method::AesXts128, SectorSize::B2048, hex!("ba2c0cda04468daf8f439c77f3ebe07d4ebd67aa82b4a408981c4ce16bc4216b")),
        (Method::AesXts128, SectorSize::B4096, hex!("75d2b0ff7d58f1b7ae3916a341c19a0c7ccba5231b0f8a31135f4eb699614c31")),
        (Method::AesXts256, SectorSize::B512, hex!("05d0fb82c8ecdb6e04245488f0f6c7ba353606e7482509c444f06712a8ffbd24")),
        (Method::AesXts256, SectorSize::B1024, hex!("73ee14ba58164e1c5688b27f9be26da78c3784c27cd137f50e56b9911747cbf7")),
        (Method::AesXts256, SectorSize::B2048, hex!("9798642f8959fc475d27470f42c5e4ab2865b99a96ea65233239ee63368b8eb1")),
        (Method::AesXts256, SectorSize::B4096, hex!("e3b1b88d106ff805b378d2aae49c6ee7c6b33c1309f9cf35c18224df2aed9b70")),
    ];

    #[test]
    fn sectors_are_encrypted_as_others_encrypt_them() {
        for (method, size, expected) in ENCRYPTED {
            for kernel in Kernel::ALL {
                let key = filled(method.key_len());
                let Some(cipher) = SectorCipher::with_kernel(kernel, method, &key, size) else { continue };
                let clear = filled(37 * size.bytes());
                let mut data = clear.clone();
                cipher.encrypt(0x1_2345_6789_a000, &mut data);
                assert_eq!(Sha256::digest(&data)[..], expected, "{kernel:?} {cipher:?}");
                cipher.decrypt(0x1_2345_6789_a000, &mut data);
                assert!(data == clear, "{kernel:?} {cipher:?}");
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// Any key, place and number of sectors: every kernel agrees with the safe code, byte for byte, and
        /// decrypting gives back what was encrypted.
        #[test]
        fn every_kernel_does_what_the_safe_code_does(
            key in prop::array::uniform32(any::<u8>()),
            sector in any::<u32>(),
            count in 0..70_usize,
            seed in any::<u32>(),
        ) {
            for (method, size) in Method::ALL.into_iter().flat_map(|method| SectorSize::ALL.map(|size| (method, size))) {
                let key = &[key, key.map(|byte| byte.wrapping_mul(3) ^ 0x5a)].concat()[..method.key_len()];
                let offset = u64::from(sector) * size.bytes() as u64;
                let clear: Vec<u8> = filled(count * size.bytes()).into_iter().map(|byte| byte ^ seed as u8).collect();
                let safe = SectorCipher::with_kernel(Kernel::Safe, method, key, size).expect("right length");
                let mut expected = clear.clone();
                safe.encrypt(offset, &mut expected);
                for kernel in Kernel::ALL {
                    let Some(cipher) = SectorCipher::with_kernel(kernel, method, key, size) else { continue };
                    let mut data = clear.clone();
                    cipher.encrypt(offset, &mut data);
                    prop_assert!(data == expected, "{kernel:?} {cipher:?} encrypts otherwise");
                    cipher.decrypt(offset, &mut data);
                    prop_assert!(data == clear, "{kernel:?} {cipher:?} decrypts otherwise");
                }
            }
        }
    }

    /// Where a sector lies is part of its encryption, wherever the call that contains it begins.
    #[test]
    fn sectors_do_not_depend_on_their_neighbours() {
        for method in Method::ALL {
            let key = filled(method.key_len());
            let cipher = SectorCipher::new(method, &key, SectorSize::B512).expect("right length");
            let clear = filled(100 * 512);
            let mut at_once = clear.clone();
            cipher.encrypt(u64::MAX - 100 * 512 + 1, &mut at_once);
            let mut one_by_one = clear;
            for (i, sector) in (0..).zip(one_by_one.chunks_mut(512)) {
                cipher.encrypt(u64::MAX - 100 * 512 + 1 + i * 512, sector);
            }
            assert!(at_once == one_by_one, "{method}");
        }
    }

    #[test]
    #[should_panic = "not whole sectors"]
    fn half_sectors_are_refused() {
        let cipher = SectorCipher::new(Method::AesXts128, &[1; 32], SectorSize::B512).expect("right length");
        cipher.decrypt(0, &mut [0; 600]);
    }

    #[test]
    #[should_panic = "a sector starts at"]
    fn places_inside_a_sector_are_refused() {
        let cipher = SectorCipher::new(Method::AesXts128, &[1; 32], SectorSize::B4096).expect("right length");
        cipher.encrypt(512, &mut [0; 4096]);
    }

    #[test]
    fn keys_of_another_length_are_refused() {
        for method in Method::ALL {
            for len in (0..=72).filter(|&len| len != method.key_len()) {
                let error = SectorCipher::new(method, &filled(len), SectorSize::B512).err();
                assert_eq!(error, Some(KeyLength { method, expected: method.key_len(), actual: len }));
            }
        }
    }
}
