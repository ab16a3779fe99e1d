//! Making key protectors, field by field as Windows makes them.

use fve_crypto::stretch;
use recovery_key::bek::Bek;
use recovery_key::{KeyId, RecoveryPassword, Secret};

use crate::datum::{Body, Datum, Key, Nested, method, role};
use crate::{FileTime, sealed};

/// A way into a volume that is to be made.
#[derive(Debug)]
pub enum NewProtector<'a> {
    /// Something that a person types.
    Password(&'a Secret<String>),
    /// The 48 digits.
    RecoveryPassword(&'a RecoveryPassword),
    /// A `.BEK` file; its key ID becomes the protector's.
    External(&'a Bek),
}

/// What is needed to make protectors of one volume.
pub(crate) struct Workshop<'a> {
    pub(crate) vmk: &'a Secret<[u8; 32]>,
    /// When: whole milliseconds.
    pub(crate) time: FileTime,
    /// No two blobs under one key may share a nonce, so each takes a counter.
    pub(crate) next_nonce: u32,
}

impl Workshop<'_> {
    pub(crate) fn nonce(&mut self) -> [u8; 12] {
        let nonce = sealed::nonce(self.time, self.next_nonce);
        self.next_nonce += 1;
        nonce
    }

    fn seal(&mut self, role: u16, key: &Secret<[u8; 32]>, method: u16, content: &[u8]) -> Datum {
        let content = Key { method, flags: 0, bytes: Secret::new(content.to_vec()) };
        Datum::new(role, Body::AesCcm(sealed::seal(key, self.nonce(), content)))
    }

    /// Seals the protector's own secret under the VMK, so that a holder of the VMK can show it again.
    fn keep(&mut self, role: u16, method: u16, content: &[u8]) -> Datum {
        self.seal(role, self.vmk, method, content)
    }

    /// Seals the VMK under the protector's key.
    fn lock(&mut self, key: &Secret<[u8; 32]>) -> Datum {
        self.seal(role::PROPERTY, key, method::VMK, self.vmk.expose())
    }
}

impl NewProtector<'_> {
    /// Makes the protector's datum, with a new random GUID and salt.
    pub(crate) fn make(&self, workshop: &mut Workshop<'_>) -> Result<(KeyId, Datum), getrandom::Error> {
        let mut id = [0; 16];
        getrandom::fill(&mut id)?;
        let mut id = uuid::Builder::from_random_bytes(id).into_uuid();
        let mut salt = [0; 16];
        getrandom::fill(&mut salt)?;
        let (protection, nested) = match self {
            Self::Password(text) => {
                let key = stretch::password(text.expose(), &salt);
                let kept = workshop.keep(role::PROPERTY, method::STRETCHED_PASSWORD, key.expose());
                let stretched = stretched(method::PASSWORD, salt, vec![kept]);
                (0x2000, vec![stretched, workshop.lock(&key)])
            }
            Self::RecoveryPassword(password) => {
                let key = stretch::recovery_password(password.bytes(), &salt);
                let digits =
                    workshop.keep(role::RECOVERY_KEY, method::RECOVERY_PASSWORD, password.bytes().expose());
                let kept =
                    workshop.keep(role::STRETCHED_KEY, method::STRETCHED_RECOVERY_PASSWORD, key.expose());
                let stretched = stretched(method::RECOVERY_PASSWORD, salt, vec![digits, kept]);
                (0x0800, vec![stretched, workshop.lock(&key)])
            }
            Self::External(bek) => {
                id = bek.key_id.into();
                let kept = workshop.keep(role::PROPERTY, method::EXTERNAL_KEY, bek.key.expose());
                let used = Body::UseKey { method: method::EXTERNAL_KEY, flags: 0, nested: vec![kept].into() };
                let name = Datum::new(role::PROPERTY, Body::text("ExternalKey"));
                (0x0200, vec![name, Datum::new(role::PROPERTY, used), workshop.lock(&bek.key)])
            }
        };
        let nested = Nested::from(nested);
        let body = Body::Vmk { id, changed: workshop.time, hints: 0, protection, nested };
        Ok((KeyId::from(id), Datum::new(role::VMK, body)))
    }
}

fn stretched(method: u16, salt: [u8; 16], nested: Vec<Datum>) -> Datum {
    Datum::new(role::PROPERTY, Body::StretchKey { method, flags: 0, salt, nested: nested.into() })
}
