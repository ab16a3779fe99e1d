//! Key stretching: what makes guessing a password or a recovery password slow.
//!
//! A chain of 1,048,576 SHA-256 over 88 bytes: the last hash (at first zeros), the initial hash, the
//! salt, and a 64-bit count, little-endian. The last of them is the key that opens the protector.

mod kernel;
pub mod many;
mod safe;
#[cfg(target_arch = "x86_64")]
mod x86;

use recovery_key::Secret;
use sha2::{Digest, Sha256};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

#[doc(hidden)]
pub use kernel::Kernel;

/// The hashes in the chain.
pub const ROUNDS: u32 = 0x10_0000;

/// Stretches the hash of a secret; the other functions end here.
#[must_use]
pub fn stretch(initial: &Secret<[u8; 32]>, salt: &[u8; 16]) -> Secret<[u8; 32]> {
    stretch_with(Kernel::best(), initial, salt, ROUNDS)
}

/// Stretches with one kernel and any number of rounds.
///
/// # Panics
/// When the processor does not have the kernel.
#[doc(hidden)]
#[must_use]
pub fn stretch_with(
    kernel: Kernel,
    initial: &Secret<[u8; 32]>,
    salt: &[u8; 16],
    rounds: u32,
) -> Secret<[u8; 32]> {
    let mut chain = Chain::new(initial, salt);
    kernel.run(&mut chain, rounds);
    chain.key()
}

/// Stretches the 16 bytes of a recovery password (its eight numbers divided by 11, little-endian).
#[must_use]
pub fn recovery_password(key: &Secret<[u8; 16]>, salt: &[u8; 16]) -> Secret<[u8; 32]> {
    stretch(&hash(key.expose()), salt)
}

/// Stretches a password or PIN: the hash of the hash of its UTF-16, little-endian, without a NUL.
#[must_use]
pub fn password(text: &str, salt: &[u8; 16]) -> Secret<[u8; 32]> {
    // Space for all of it at once: a vector that grows would leave copies behind.
    let mut utf16 = Zeroizing::new(Vec::with_capacity(text.len() * 2));
    for unit in text.encode_utf16() {
        utf16.extend_from_slice(&unit.to_le_bytes());
    }
    stretch(&hash(hash(&utf16).expose()), salt)
}

/// What goes into every hash, as SHA-256 reads it: words whose first byte is the highest.
///
/// `last` and `initial` are exactly the first block of each message. The second one is the salt, the
/// count and padding: it does not depend on the chain, so its part of the work can be done ahead.
#[derive(Zeroize, ZeroizeOnDrop)]
struct Chain {
    last: [u32; 8],
    initial: [u32; 8],
    salt: [u32; 4],
}

impl Chain {
    fn new(initial: &Secret<[u8; 32]>, salt: &[u8; 16]) -> Self {
        let mut chain = Self { last: [0; 8], initial: [0; 8], salt: [0; 4] };
        read_words(&mut chain.initial, initial.expose());
        read_words(&mut chain.salt, salt);
        chain
    }

    /// The last hash.
    fn key(&self) -> Secret<[u8; 32]> {
        let mut key = Secret::new([0; 32]);
        for (bytes, word) in key.expose_mut().as_chunks_mut().0.iter_mut().zip(self.last) {
            *bytes = word.to_be_bytes();
        }
        key
    }

    /// The second block of the message with this count.
    fn second_block(&self, count: u32) -> [u32; 16] {
        let mut block = [0; 16];
        block[..4].copy_from_slice(&self.salt);
        block[4] = count.swap_bytes();
        block[6] = 0x8000_0000;
        block[15] = 88 * 8;
        block
    }
}

/// The state before the first block: FIPS 180-4, section 5.3.3.
const START: [u32; 8] =
    [0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19];

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

fn read_words(words: &mut [u32], bytes: &[u8]) {
    for (word, bytes) in words.iter_mut().zip(bytes.as_chunks().0) {
        *word = u32::from_be_bytes(*bytes);
    }
}

fn hash(bytes: &[u8]) -> Secret<[u8; 32]> {
    let mut hash = Secret::new([0; 32]);
    Sha256::new_with_prefix(bytes).finalize_into(hash.expose_mut().into());
    hash
}

#[cfg(test)]
mod tests {
    use hex_literal::hex;

    use super::*;
    use crate::ccm;

    /// Published hashes made from drives that Windows encrypted, with the secrets that open them.
    #[test]
    fn published_secrets_open_published_drives() {
        let key = password("openwall@123", &hex!("134bd2634ba580adc3758ca5a84d8666"));
        let vmk = ccm::open(
            &key,
            &hex!("9080903a0d9dd20103000000"),
            &hex!("0c52fdd87f17ac55d4f4b82a00b26407"),
            &hex!("0f36a84ead6d4cd330368f7dddfde1bdc9f5d08fa526dae361b3d64875f76a077fe9c67f44e08d56f0131bb2"),
        );
        assert_eq!(vmk.expect("the password fits").expose()[..12], hex!("2c0000000100000003200000"));

        // 111683-110022-683298-209352-468105-648483-571252-334455
        let digits = [111683, 110022, 683298, 209352, 468105, 648483, 571252, 334455];
        let mut bytes = Secret::new([0; 16]);
        for (pair, group) in bytes.expose_mut().chunks_exact_mut(2).zip(digits) {
            assert_eq!(group % 11, 0);
            pair.copy_from_slice(&((group / 11) as u16).to_le_bytes());
        }
        let key = recovery_password(&bytes, &hex!("432dd19f37dd413a88552225628c8ae5"));
        let vmk = ccm::open(
            &key,
            &hex!("a0da3fc75f6cd30106000000"),
            &hex!("3e57c68216ef3d2b8139fdb0ec74254b"),
            &hex!("df453e688401e89b41cae7c250739a8b36edd4fe86a597b5823cf3e0f41c98f623b528960a4bee00c42131ef"),
        );
        assert_eq!(vmk.expect("the recovery password fits").expose()[..12], hex!("2c0000000100000003200000"));
    }

    #[test]
    fn every_kernel_goes_the_same_way() {
        for rounds in [0_u32, 1, 2, 7, 8, 9, 15, 16, 17, 300, 1000] {
            let initial = hash(&rounds.to_le_bytes());
            let salt = &hash(initial.expose()).expose()[..16].try_into().expect("16 bytes");
            let expected = stretch_with(Kernel::Safe, &initial, salt, rounds);
            for kernel in Kernel::ALL.into_iter().filter(|kernel| kernel.is_available()) {
                assert!(
                    stretch_with(kernel, &initial, salt, rounds) == expected,
                    "{kernel:?}, {rounds} rounds"
                );
            }
        }
    }
}
