//! Many recovery passwords on one volume: for a person who knows most of theirs.

use fve_crypto::stretch::many;
use recovery_key::{KeyId, KeyIdPrefix, RecoveryPassword};

use crate::datum::{Sealed, method};
use crate::protector::{Protector, ProtectorKind};
use crate::sealed;
use crate::volume::{Volume, protectors};

/// What the recovery passwords of a volume open: as much of it as is needed to try many of them.
pub struct RecoveryLocks<'v>(Vec<Lock<'v>>);

struct Lock<'v> {
    id: KeyId,
    salt: &'v [u8; 16],
    vmk: &'v Sealed,
}

impl<'v> Lock<'v> {
    /// Takes what a recovery password opens; `None` when the protector asks for another key, or is damaged.
    fn of(protector: &Protector<'v>) -> Option<Self> {
        let is_password = protector.kind == ProtectorKind::RecoveryPassword;
        let (salt, vmk) = protector.salt().zip(protector.sealed_vmk()).filter(|_| is_password)?;
        Some(Self { id: protector.id, salt, vmk })
    }
}

impl Volume {
    /// Returns what recovery passwords open, from every copy of the metadata that says something else.
    #[must_use]
    pub fn recovery_locks(&self) -> RecoveryLocks<'_> {
        let mut locks: Vec<Lock<'_>> = Vec::new();
        for lock in self.distinct().into_iter().flat_map(protectors).filter_map(|found| Lock::of(&found)) {
            if !locks.iter().any(|other| (other.salt, other.vmk) == (lock.salt, lock.vmk)) {
                locks.push(lock);
            }
        }
        RecoveryLocks(locks)
    }
}

impl<'v> RecoveryLocks<'v> {
    /// Takes what the recovery password of one protector opens.
    pub(crate) fn of(protector: &Protector<'v>) -> Option<Self> {
        Lock::of(protector).map(|lock| Self(vec![lock]))
    }

    /// Returns how many recovery passwords one core tries best at once.
    #[must_use]
    pub fn batch() -> usize {
        many::lanes()
    }

    /// Keeps only what belongs to a key ID.
    #[must_use]
    pub fn only(mut self, id: &KeyIdPrefix) -> Self {
        self.0.retain(|lock| id.matches(&lock.id));
        self
    }

    /// Returns the key IDs. Each takes its time for every recovery password that is tried.
    #[must_use]
    pub fn key_ids(&self) -> Vec<KeyId> {
        self.0.iter().map(|lock| lock.id).collect()
    }

    /// Tries recovery passwords on one core, and returns the place of the one that opens something, and what
    /// it opens. Best given [`batch`](Self::batch) of them.
    ///
    /// A recovery password that opens something is the right one: the VMK is sealed with an authentic tag
    /// of 128 bits. [`Volume::prove`] says besides whether the drive's metadata is what it was.
    #[must_use]
    pub fn try_all(&self, passwords: &[RecoveryPassword]) -> Option<(usize, KeyId)> {
        self.0.iter().find_map(|lock| {
            let keys = many::recovery_passwords(passwords, lock.salt);
            let opens = |key| sealed::open(key, lock.vmk, method::VMK).is_some();
            keys.iter().position(opens).map(|place| (place, lock.id))
        })
    }
}
