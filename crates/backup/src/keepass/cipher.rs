//! The ciphers around a database and around its protected values.

use aes::Aes256;
use cbc::cipher::block_padding::Pkcs7;
use cbc::cipher::{BlockModeDecrypt, BlockModeEncrypt, KeyIvInit, StreamCipher};
use chacha20::ChaCha20;
use recovery_key::Secret;
use salsa20::Salsa20;
use sha2::{Digest, Sha256, Sha512};
use twofish::Twofish;

use super::error::KeePassError;

/// The cipher around a database.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Cipher {
    Aes,
    Twofish,
    ChaCha20,
}

pub(super) const AES: [u8; 16] = *b"\x31\xc1\xf2\xe6\xbf\x71\x43\x50\xbe\x58\x05\x21\x6a\xfc\x5a\xff";
pub(super) const TWOFISH: [u8; 16] = *b"\xad\x68\xf2\x9f\x57\x6f\x4b\xb9\xa3\x6a\xd4\x7a\xf9\x65\x34\x6c";
pub(super) const CHACHA20: [u8; 16] = *b"\xd6\x03\x8a\x2b\x8b\x6f\x4c\xb5\xa5\x24\x33\x9a\x31\xdb\xb5\x9a";

impl Cipher {
    /// Reads the identifier in the header.
    pub(super) fn parse(id: &[u8]) -> Result<Self, KeePassError> {
        match id {
            _ if id == AES => Ok(Self::Aes),
            _ if id == TWOFISH => Ok(Self::Twofish),
            _ if id == CHACHA20 => Ok(Self::ChaCha20),
            _ => Err(KeePassError::Unknown("a cipher".to_owned())),
        }
    }

    /// Returns the length of the nonce.
    pub(super) fn nonce(self) -> usize {
        if self == Self::ChaCha20 { 12 } else { 16 }
    }

    /// Decrypts in place; `None` when the key cannot be right.
    pub(super) fn decrypt(self, key: &[u8; 32], nonce: &[u8], bytes: &mut Vec<u8>) -> Option<()> {
        let length = match self {
            Self::ChaCha20 => {
                ChaCha20::new_from_slices(key, nonce).ok()?.apply_keystream(bytes);
                bytes.len()
            }
            Self::Aes => {
                let cipher = cbc::Decryptor::<Aes256>::new_from_slices(key, nonce).ok()?;
                cipher.decrypt_padded::<Pkcs7>(bytes).ok()?.len()
            }
            Self::Twofish => {
                let cipher = cbc::Decryptor::<Twofish>::new_from_slices(key, nonce).ok()?;
                cipher.decrypt_padded::<Pkcs7>(bytes).ok()?.len()
            }
        };
        bytes.truncate(length);
        Some(())
    }

    /// Encrypts; `None` when the nonce has a wrong length.
    pub(super) fn encrypt(self, key: &[u8; 32], nonce: &[u8], bytes: &[u8]) -> Option<Vec<u8>> {
        match self {
            Self::ChaCha20 => {
                let mut out = bytes.to_vec();
                ChaCha20::new_from_slices(key, nonce).ok()?.apply_keystream(&mut out);
                Some(out)
            }
            Self::Aes => {
                let cipher = cbc::Encryptor::<Aes256>::new_from_slices(key, nonce).ok()?;
                Some(cipher.encrypt_padded_vec::<Pkcs7>(bytes))
            }
            Self::Twofish => {
                let cipher = cbc::Encryptor::<Twofish>::new_from_slices(key, nonce).ok()?;
                Some(cipher.encrypt_padded_vec::<Pkcs7>(bytes))
            }
        }
    }
}

/// The stream that hides protected values once more, all of them after one another.
pub(super) enum Stream {
    Plain,
    Salsa20(Box<Salsa20>),
    ChaCha20(Box<ChaCha20>),
}

/// The stream that format 4 uses.
pub(super) const STREAM_CHACHA20: u32 = 3;

impl Stream {
    /// Begins a stream.
    pub(super) fn new(id: u32, key: &[u8]) -> Result<Self, KeePassError> {
        let unknown = || KeePassError::Unknown(format!("stream cipher {id}"));
        match id {
            0 => Ok(Self::Plain),
            2 => {
                let key = Secret::<[u8; 32]>::new(Sha256::digest(key).into());
                // Fixed in the format's documentation.
                let nonce = b"\xe8\x30\x09\x4b\x97\x20\x5d\x2a";
                let cipher = Salsa20::new_from_slices(key.expose(), nonce).map_err(|_| unknown())?;
                Ok(Self::Salsa20(Box::new(cipher)))
            }
            STREAM_CHACHA20 => {
                let key = Secret::<[u8; 64]>::new(Sha512::digest(key).into());
                let (key, nonce) = (&key.expose()[..32], &key.expose()[32..44]);
                let cipher = ChaCha20::new_from_slices(key, nonce).map_err(|_| unknown())?;
                Ok(Self::ChaCha20(Box::new(cipher)))
            }
            _ => Err(unknown()),
        }
    }

    /// Hides or shows the next value.
    pub(super) fn apply(&mut self, bytes: &mut [u8]) -> Result<(), KeePassError> {
        let result = match self {
            Self::Plain => Ok(()),
            Self::Salsa20(cipher) => cipher.try_apply_keystream(bytes),
            Self::ChaCha20(cipher) => cipher.try_apply_keystream(bytes),
        };
        result.map_err(|_| KeePassError::Damaged("its protected values are too long"))
    }
}
