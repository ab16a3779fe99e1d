//! Key stretching: what makes guessing a password or a recovery password slow.
//!
//! A chain of 1,048,576 SHA-256 over 88 bytes: the last hash (at first zeros), the initial hash, the
//! salt, and a 64-bit count, little-endian. The last of them is the key that opens the protector.

mod kernel;
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
    let mut chain = Chain { last: [0; 8], initial: [0; 8], salt: [0; 4] };
    read_words(&mut chain.initial, initial.expose());
    read_words(&mut chain.salt, salt);
    kernel.run(&mut chain, rounds);
    let mut key = Secret::new([0; 32]);
    for (bytes, word) in key.expose_mut().as_chunks_mut().0.iter_mut().zip(chain.last) {
        *bytes = word.to_be_bytes();
    }
    key
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
