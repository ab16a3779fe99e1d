//! The account's key, and what it is kept under.
//!
//! The key is an age identity. The server has it only sealed, once under each thing that opens it: what a password
//! becomes by Argon2id, what a passkey derives, the account code. Whether a password is right is seen by whether it
//! opens the seal; nothing else is kept of it. What is sealed says inside for which account, opener and kind it is,
//! so that a row of one does nothing in the place of another.

use age::secrecy::ExposeSecret;
use age::x25519;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{ChaCha20Poly1305, Key, Nonce};
use hkdf::Hkdf;
use recovery_key::Secret;
use sealed::Opener;
use sha2::Sha256;

use crate::error::Error;
use crate::store::openers::Kind;

const NONCE: usize = 12;

/// An account's key. It lives only while the request is answered that carried what opens it.
pub struct AccountKey(x25519::Identity);

impl AccountKey {
    /// Makes a key.
    #[must_use]
    pub fn generate() -> Self {
        Self(x25519::Identity::generate())
    }

    /// Returns the public half: `age1...`.
    #[must_use]
    pub fn recipient(&self) -> String {
        self.0.to_public().to_string()
    }

    /// Returns what opens records.
    #[must_use]
    pub fn opener(&self) -> Opener {
        Opener::Identities(vec![self.0.clone()])
    }

    /// Returns the key as a line of an identity file: `AGE-SECRET-KEY-1...`.
    #[must_use]
    pub fn text(&self) -> Secret<String> {
        Secret::new(self.0.to_string().expose_secret().to_owned())
    }

    fn parse(bytes: &Secret<Vec<u8>>) -> Option<Self> {
        std::str::from_utf8(bytes.expose()).ok()?.parse().ok().map(Self)
    }
}

/// Where something sealed belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place<'p> {
    /// The account's ID.
    pub account: &'p str,
    /// The opener's ID.
    pub opener: &'p str,
    /// What kind of opener it is.
    pub kind: Kind,
}

/// What seals under something that only the person has.
pub struct Lock {
    material: Secret<[u8; 32]>,
    salt: Vec<u8>,
}

impl Lock {
    /// Makes a lock of what a person has shown, 32 bytes that cannot be guessed, and the opener's salt.
    #[must_use]
    pub fn new(material: Secret<[u8; 32]>, salt: &[u8]) -> Self {
        Self { material, salt: salt.to_vec() }
    }

    /// Seals an account's key.
    ///
    /// # Errors
    /// When the system has no random numbers.
    pub fn wrap(&self, key: &AccountKey, place: &Place<'_>) -> Result<Vec<u8>, Error> {
        self.seal("account key", key.text().expose().as_bytes(), place)
    }

    /// Opens an account's key; `None` when this is not what it was sealed under, or it stood in another place.
    #[must_use]
    pub fn unwrap(&self, wrapped: &[u8], place: &Place<'_>) -> Option<AccountKey> {
        AccountKey::parse(&self.open("account key", wrapped, place)?)
    }

    /// Seals something; `what` keeps things apart that are sealed under one lock.
    ///
    /// # Errors
    /// When the system has no random numbers.
    pub fn seal(&self, what: &str, bytes: &[u8], place: &Place<'_>) -> Result<Vec<u8>, Error> {
        let mut sealed = super::random::<NONCE>()?.to_vec();
        let nonce = Nonce::try_from(sealed.as_slice()).map_err(|_| broken())?;
        let payload = Payload { msg: bytes, aad: &binding(what, place) };
        sealed.extend(self.cipher(what)?.encrypt(&nonce, payload).map_err(|_| broken())?);
        Ok(sealed)
    }

    /// Opens something; `None` when it does not open.
    #[must_use]
    pub fn open(&self, what: &str, sealed: &[u8], place: &Place<'_>) -> Option<Secret<Vec<u8>>> {
        let (nonce, msg) = sealed.split_at_checked(NONCE)?;
        let payload = Payload { msg, aad: &binding(what, place) };
        self.cipher(what).ok()?.decrypt(&Nonce::try_from(nonce).ok()?, payload).ok().map(Secret::new)
    }

    fn cipher(&self, what: &str) -> Result<ChaCha20Poly1305, Error> {
        let mut key = Secret::new([0; 32]);
        Hkdf::<Sha256>::new(Some(&self.salt), self.material.expose())
            .expand_multi_info(&[b"lastkeyd ", what.as_bytes()], key.expose_mut())
            .map_err(|_| broken())?;
        Ok(ChaCha20Poly1305::new(&Key::from(*key.expose())))
    }
}

/// Each part ends with a byte that none of them has inside.
fn binding(what: &str, place: &Place<'_>) -> Vec<u8> {
    [what, place.account, place.opener, place.kind.word()].join("\0").into_bytes()
}

fn broken() -> Error {
    Error::Internal("a key could not be sealed".to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    const PLACE: Place<'_> = Place { account: "a", opener: "b", kind: Kind::Password };

    fn lock(byte: u8) -> Lock {
        Lock::new(Secret::new([byte; 32]), b"salt")
    }

    #[test]
    fn what_wrapped_a_key_unwraps_it() {
        let key = AccountKey::generate();
        let wrapped = lock(1).wrap(&key, &PLACE).unwrap();
        assert_eq!(lock(1).unwrap(&wrapped, &PLACE).unwrap().recipient(), key.recipient());
        assert!(!wrapped.windows(14).any(|window| window == b"AGE-SECRET-KEY"));
    }

    #[test]
    fn another_password_or_salt_does_not() {
        let wrapped = lock(1).wrap(&AccountKey::generate(), &PLACE).unwrap();
        assert!(lock(2).unwrap(&wrapped, &PLACE).is_none());
        assert!(Lock::new(Secret::new([1; 32]), b"other").unwrap(&wrapped, &PLACE).is_none());
    }

    #[test]
    fn a_row_in_the_place_of_another_opens_nothing() {
        let wrapped = lock(1).wrap(&AccountKey::generate(), &PLACE).unwrap();
        for place in [
            Place { account: "c", ..PLACE },
            Place { opener: "c", ..PLACE },
            Place { kind: Kind::Passkey, ..PLACE },
            Place { account: "a\0b", opener: "", ..PLACE },
        ] {
            assert!(lock(1).unwrap(&wrapped, &place).is_none(), "{place:?}");
        }
        assert!(lock(1).open("one-time codes", &wrapped, &PLACE).is_none());
    }

    #[test]
    fn changed_or_shortened_bytes_open_nothing() {
        let wrapped = lock(1).wrap(&AccountKey::generate(), &PLACE).unwrap();
        for at in 0..wrapped.len() {
            let mut changed = wrapped.clone();
            changed[at] ^= 1;
            assert!(lock(1).unwrap(&changed, &PLACE).is_none(), "byte {at}");
            assert!(lock(1).unwrap(&wrapped[..at], &PLACE).is_none(), "cut at {at}");
        }
    }
}
