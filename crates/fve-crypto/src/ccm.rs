//! AES-256-CCM as BitLocker uses it: the box around every key in the metadata.
//!
//! The nonce has 12 bytes (a FILETIME and a counter of the volume), the tag 16, and there is no
//! associated data. A nonce must never serve twice under one key: whoever seals takes the next one from
//! the volume's counter and stores the counter first.

use aes::Aes256;
use ccm::aead::{AeadInOut, KeyInit};
use ccm::consts::{U12, U16};
use recovery_key::Secret;

/// Returns what is inside, or `None` when the key, nonce, tag and ciphertext do not belong together.
#[must_use]
pub fn open(
    key: &Secret<[u8; 32]>,
    nonce: &[u8; 12],
    tag: &[u8; 16],
    ciphertext: &[u8],
) -> Option<Secret<Vec<u8>>> {
    let mut text = Secret::new(ciphertext.to_vec());
    let buffer = text.expose_mut().as_mut_slice();
    cipher(key).decrypt_inout_detached(nonce.into(), &[], buffer.into(), tag.into()).ok()?;
    Some(text)
}

/// Seals `plaintext`; returns the tag and the ciphertext, which is as long as the plaintext.
///
/// # Panics
/// When `plaintext` is 16 MiB or longer, which a three-byte length cannot say.
#[must_use]
pub fn seal(key: &Secret<[u8; 32]>, nonce: &[u8; 12], plaintext: &[u8]) -> ([u8; 16], Vec<u8>) {
    let mut text = plaintext.to_vec();
    let tag = cipher(key)
        .encrypt_inout_detached(nonce.into(), &[], text.as_mut_slice().into())
        .expect("keys and their wrappings are shorter than 16 MiB");
    (tag.into(), text)
}

type Aes256Ccm = ccm::Ccm<Aes256, U16, U12>;

fn cipher(key: &Secret<[u8; 32]>) -> Aes256Ccm {
    Aes256Ccm::new(key.expose().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_opens_and_nothing_else_does() {
        let key = Secret::new([7; 32]);
        let (tag, sealed) = seal(&key, &[1; 12], b"a volume master key");
        let opened = open(&key, &[1; 12], &tag, &sealed).expect("sealed above");
        assert_eq!(opened.expose(), b"a volume master key");

        assert!(open(&Secret::new([8; 32]), &[1; 12], &tag, &sealed).is_none());
        assert!(open(&key, &[2; 12], &tag, &sealed).is_none());
        assert!(open(&key, &[1; 12], &tag, &sealed[1..]).is_none());
        let mut bent = tag;
        bent[15] ^= 1;
        assert!(open(&key, &[1; 12], &bent, &sealed).is_none());
    }
}
