//! Keys inside AES-CCM blobs: how every secret of a volume is wrapped.
//!
//! The plaintext is a KEY datum with role 0 and, unlike datums stored in clear, version 0.

use fve_crypto::ccm;
use recovery_key::Secret;
use recovery_key::dataset::{self, DATUM_HEADER};

use crate::FileTime;
use crate::datum::{Body, Datum, Key, Sealed};

/// Opens a blob and returns the key in it, when the tag holds and the key is of kind `method`.
pub(crate) fn open(key: &Secret<[u8; 32]>, sealed: &Sealed, method: u16) -> Option<Secret<Vec<u8>>> {
    open_any(key, sealed).filter(|key| key.method == method).map(|key| key.bytes)
}

/// Opens a blob and returns whatever key is in it.
pub(crate) fn open_any(key: &Secret<[u8; 32]>, sealed: &Sealed) -> Option<Key> {
    let plain = ccm::open(key, &sealed.nonce, &sealed.tag, &sealed.ciphertext)?;
    let raw = dataset::datums(plain.expose()).next()?.ok()?;
    match Datum::parse(&raw).body {
        Body::Key(key) => Some(key),
        _ => None,
    }
}

/// Seals a key.
pub(crate) fn seal(key: &Secret<[u8; 32]>, nonce: [u8; 12], content: Key) -> Sealed {
    let mut plain = Secret::new(Vec::new());
    Datum { role: 0, version: 0, body: Body::Key(content) }.write(plain.expose_mut());
    let (tag, ciphertext) = ccm::seal(key, &nonce, plain.expose());
    Sealed { nonce, tag, ciphertext }
}

/// Returns a nonce: the time, and a counter that the volume never repeats.
pub(crate) fn nonce(time: FileTime, counter: u32) -> [u8; 12] {
    let mut nonce = [0; 12];
    let (first, last) = nonce.split_at_mut(8);
    first.copy_from_slice(&time.0.to_le_bytes());
    last.copy_from_slice(&counter.to_le_bytes());
    nonce
}

/// Returns the length of a datum that seals a key of `key` bytes.
pub(crate) const fn datum_size(key: usize) -> usize {
    DATUM_HEADER + 12 + 16 + DATUM_HEADER + 4 + key
}
