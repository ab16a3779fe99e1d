//! The drives that keys are tried on.

use std::ffi::OsString;

use ::find::{Entry, Variant};
use fve::{Proof, ProofError, ProtectorKind, UnlockError};
use recovery_key::KeyIdPrefix;
use recovery_key::document::FoundSecret;

use crate::cli::Find;
use crate::drive::{self, Target};
use crate::failure::Failure;
use crate::output::Output;
use crate::{interrupt, keys, progress, rights};

/// Keys without a fitting key ID are tried as often as this without being told to: each takes a moment.
const UNASKED: usize = 8;

/// The BitLocker drives whose keys are looked for.
pub struct Locks(Vec<Target>);

/// What one key did.
#[derive(Default)]
pub struct Tried {
    /// The drives that it opened.
    pub opens: Vec<(String, Proof)>,
    /// The drives whose key ID it stands under, and that it did not open.
    pub fails: Vec<(String, Failure)>,
}

/// What became of all keys.
#[derive(Default)]
pub struct Outcome {
    /// Each entry, and what each of its variants did.
    pub entries: Vec<(Entry, Vec<Tried>)>,
    /// The drives that there are.
    pub drives: usize,
    /// How many tries were left out.
    pub left_out: usize,
}

impl Locks {
    /// Finds every BitLocker drive that can be looked into.
    pub fn attached(output: &Output) -> Self {
        let (mut found, mut unseen) = (Vec::new(), 0);
        for attached in drives::attached() {
            match attached.is_bitlocker {
                Some(false) => {}
                Some(true) => match drive::open_attached(&attached) {
                    Ok(targets) => found.extend(targets),
                    Err(failure) => output.note(format!("note: {}: {}", attached.name, failure.message)),
                },
                None => unseen += 1,
            }
        }
        if unseen != 0 && !rights::are_all() {
            output.note_unless_json(format!(
                "note: {unseen} of the drives can be looked into only with more rights, and no key is tried on them"
            ));
        }
        Self(found)
    }

    /// Opens the drives that were named.
    pub fn named(names: &[OsString], find: &Find) -> Result<Self, Failure> {
        let mut found = Vec::new();
        for name in names {
            found.extend(drive::open_all(name, find)?);
        }
        Ok(Self(found))
    }

    /// Returns the drives.
    pub fn drives(&self) -> &[Target] {
        &self.0
    }

    /// Tries every key on the drive whose key ID it has; keys without any on all drives, where they are
    /// few. `all` tries the rest too; `asked` says that the drives were named, so that the rest counts.
    pub fn try_all(&self, entries: Vec<Entry>, all: bool, asked: bool) -> Outcome {
        let fitting = |entry: &Entry| -> Vec<&Target> {
            self.0.iter().filter(|target| entry.key_id.is_some_and(|id| has(target, entry, id))).collect()
        };
        let possible =
            |entry: &Entry| -> Vec<&Target> { self.0.iter().filter(|target| could(target, entry)).collect() };
        let tries = |entry: &Entry| entry.variants.len() * possible(entry).len();
        let nameless: usize = entries.iter().filter(|entry| entry.key_id.is_none()).map(tries).sum();
        let try_nameless = all || nameless <= UNASKED;
        let mut outcome = Outcome { drives: self.0.len(), ..Outcome::default() };
        let bar = progress::count(entries.len() as u64, "trying the keys on the drives");
        for entry in entries {
            let mut targets = fitting(&entry);
            let by_id = !targets.is_empty();
            if !by_id {
                if all || entry.key_id.is_none() && try_nameless {
                    targets = possible(&entry);
                } else if asked || entry.key_id.is_none() {
                    outcome.left_out += tries(&entry);
                }
            }
            let tried = entry.variants.iter().map(|variant| Tried::of(variant, &targets, by_id)).collect();
            outcome.entries.push((entry, tried));
            bar.inc(1);
        }
        bar.finish_and_clear();
        outcome
    }
}

/// Says whether the drive has a protector with this key ID that such a key may open.
fn has(target: &Target, entry: &Entry, id: KeyIdPrefix) -> bool {
    let kinds = may_open(entry);
    target
        .volume
        .protectors()
        .iter()
        .any(|protector| kinds.contains(&protector.kind) && id.matches(&protector.id))
}

/// Says whether the drive has any protector that such a key may open.
fn could(target: &Target, entry: &Entry) -> bool {
    let kinds = may_open(entry);
    target.volume.protectors().iter().any(|protector| kinds.contains(&protector.kind))
}

/// Returns the kinds of protectors that such a key may open.
pub fn may_open(entry: &Entry) -> &'static [ProtectorKind] {
    match entry.variants.first().map(|variant| &variant.secret) {
        Some(FoundSecret::RecoveryPassword(_)) => &[ProtectorKind::RecoveryPassword],
        // A startup key beside a TPM is in a .BEK file, too, but opens nothing alone.
        Some(FoundSecret::ExternalKey(_)) => &[ProtectorKind::ExternalKey],
        None => &[],
    }
}

impl Tried {
    fn of(variant: &Variant, targets: &[&Target], by_id: bool) -> Self {
        let mut tried = Self::default();
        let Some(key) = keys::of_found(&variant.secret) else { return tried };
        for target in targets {
            if interrupt::asked() {
                break;
            }
            match target.volume.prove(&key) {
                Ok(proof) => tried.opens.push((target.name.clone(), proof)),
                // Whatever was tried on the off chance may fail.
                Err(ProofError::Unlock(UnlockError::WrongKey { .. } | UnlockError::OtherKeyId { .. }))
                    if !by_id => {}
                Err(error) => tried.fails.push((target.name.clone(), error.into())),
            }
        }
        tried
    }
}
