//! Keys that were found, tried on the drives that are there.

use std::ops::ControlFlow;

use find::{Entry, Variant};
use fve::{Key, Proof, ProofError, ProtectorKind, UnlockError, Volume};
use recovery_key::KeyIdPrefix;
use recovery_key::bek::Bek;
use recovery_key::document::FoundSecret;

/// Keys without a fitting key ID are tried as often as this without being told to: each takes a moment.
const UNASKED: usize = 8;

/// Which keys are tried on which drives.
#[derive(Clone, Copy, Debug, Default)]
pub struct Trying {
    /// Every key is tried on every drive, not only where its key ID fits.
    pub all: bool,
    /// The drives were named, so that a key that is not tried on them counts.
    pub named: bool,
}

/// What one key did. Drives are named by their place among those that it was tried on.
#[derive(Debug, Default)]
pub struct Tried {
    /// The drives that it opened.
    pub opens: Vec<(usize, Proof)>,
    /// The drives whose key ID it stands under, and that it did not open.
    pub fails: Vec<(usize, ProofError)>,
}

/// What became of all keys.
#[derive(Debug, Default)]
pub struct Tries {
    /// Each entry, and what each of its variants did.
    pub entries: Vec<(Entry, Vec<Tried>)>,
    /// How many tries were left out.
    pub left_out: usize,
}

impl Trying {
    /// Tries every key on the drive whose key ID it has; keys without any on all drives, where they are few. `watch` is
    /// asked before every try, and told how many entries are done.
    pub fn run(
        self,
        volumes: &[&Volume],
        entries: Vec<Entry>,
        watch: &dyn Fn(usize) -> ControlFlow<()>,
    ) -> Tries {
        let those = |fits: &dyn Fn(&Volume) -> bool| -> Vec<usize> {
            (0..volumes.len())
                .filter(|&place| volumes.get(place).is_some_and(|volume| fits(volume)))
                .collect()
        };
        let possible = |entry: &Entry| those(&|volume| could(volume, entry));
        let tries = |entry: &Entry| entry.variants.len() * possible(entry).len();
        let nameless: usize = entries.iter().filter(|entry| entry.key_id.is_none()).map(tries).sum();
        let try_nameless = self.all || nameless <= UNASKED;
        let mut outcome = Tries::default();
        for entry in entries {
            let mut places = those(&|volume| entry.key_id.is_some_and(|id| has(volume, &entry, id)));
            let by_id = !places.is_empty();
            if !by_id {
                if self.all || entry.key_id.is_none() && try_nameless {
                    places = possible(&entry);
                } else if self.named || entry.key_id.is_none() {
                    outcome.left_out += tries(&entry);
                }
            }
            let done = outcome.entries.len();
            let go_on = || watch(done).is_continue();
            let drives: Vec<_> =
                places.iter().filter_map(|&place| Some((place, *volumes.get(place)?))).collect();
            let tried =
                entry.variants.iter().map(|variant| Tried::of(variant, &drives, by_id, &go_on)).collect();
            outcome.entries.push((entry, tried));
        }
        outcome
    }
}

/// Says whether the drive has a protector with this key ID that such a key may open.
fn has(volume: &Volume, entry: &Entry, id: KeyIdPrefix) -> bool {
    let kinds = may_open(entry);
    volume.protectors().iter().any(|protector| kinds.contains(&protector.kind) && id.matches(&protector.id))
}

/// Says whether the drive has any protector that such a key may open.
fn could(volume: &Volume, entry: &Entry) -> bool {
    let kinds = may_open(entry);
    volume.protectors().iter().any(|protector| kinds.contains(&protector.kind))
}

/// Returns the kinds of protectors that such a key may open.
#[must_use]
pub fn may_open(entry: &Entry) -> &'static [ProtectorKind] {
    match entry.variants.first().map(|variant| &variant.secret) {
        Some(FoundSecret::RecoveryPassword(_)) => &[ProtectorKind::RecoveryPassword],
        // A startup key beside a TPM is in a .BEK file, too, but opens nothing alone.
        Some(FoundSecret::ExternalKey(_)) => &[ProtectorKind::ExternalKey],
        None => &[],
    }
}

/// Returns a key that was found as one to open a volume with.
#[must_use]
pub fn key_of(secret: &FoundSecret) -> Option<Key> {
    match secret {
        FoundSecret::RecoveryPassword(password) => Some(Key::RecoveryPassword(password.duplicate())),
        FoundSecret::ExternalKey(bek) => Bek::parse(bek.to_bytes().expose()).ok().map(Key::External),
    }
}

impl Tried {
    fn of(variant: &Variant, drives: &[(usize, &Volume)], by_id: bool, go_on: &dyn Fn() -> bool) -> Self {
        let mut tried = Self::default();
        let Some(key) = key_of(&variant.secret) else { return tried };
        for &(place, volume) in drives {
            if !go_on() {
                break;
            }
            match volume.prove(&key) {
                Ok(proof) => tried.opens.push((place, proof)),
                // Whatever was tried on the off chance may fail.
                Err(ProofError::Unlock(UnlockError::WrongKey { .. } | UnlockError::OtherKeyId { .. }))
                    if !by_id => {}
                Err(error) => tried.fails.push((place, error)),
            }
        }
        tried
    }
}
