//! Many keys, found once, and the one of them that opens a drive.

use std::ops::ControlFlow;
use std::path::PathBuf;

use ::find::{Entry, Search, Variant};
use backup::{READERS, key_of, may_open};
use fve::{Key, Proof, ProofError, UnlockError, Volume};

use crate::cli::Seals;
use crate::commands::find::sealed;
use crate::failure::Failure;
use crate::interrupt::{self, Critical};
use crate::output::Output;
use crate::progress;

/// Keys without a key ID are tried on each drive, a moment each: so many at most.
const NAMELESS: usize = 64;

/// The keys that there are.
pub struct Keyring(Vec<Entry>);

/// What a volume says to all keys.
pub enum Answer {
    /// One opens it.
    Opens {
        /// The key.
        key: Key,
        /// The fact.
        proof: Proof,
        /// Where the key was found.
        copy: String,
    },
    /// One stands under its key ID and does not open it.
    Fails(Failure),
    /// None is its own.
    Nothing,
}

impl Keyring {
    /// Finds all keys in folders and files.
    pub fn gather(with: &[PathBuf], seals: &Seals, output: &Output) -> Result<Self, Failure> {
        let mut search = Search::new(with.to_vec());
        search.readers = READERS;
        search.other_file_systems = true;
        let critical = Critical::begin();
        let bar = progress::files("reading the keys");
        let mut findings = search.run(&|files| {
            bar.set_position(files);
            if interrupt::asked() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        bar.finish_and_clear();
        drop(critical);
        interrupt::check()?;
        sealed::open(&mut findings, seals, output);
        Ok(Self(findings.report().entries))
    }

    /// Returns how many keys there are, in words.
    pub fn counted(&self) -> String {
        match self.0.iter().map(|entry| entry.variants.len()).sum() {
            0_usize => "no key".to_owned(),
            1 => "1 key".to_owned(),
            keys => format!("{keys} keys"),
        }
    }

    /// Finds the key that opens a volume: one with its key ID, else one without any.
    pub fn open(&self, volume: &Volume) -> Answer {
        let mut fails = None;
        for protector in volume.protectors() {
            let fitting = self.0.iter().filter(|entry| {
                may_open(entry).contains(&protector.kind)
                    && entry.key_id.is_some_and(|id| id.matches(&protector.id))
            });
            for variant in fitting.flat_map(|entry| &entry.variants) {
                match attempt(volume, variant) {
                    Ok(answer) => return answer,
                    Err(error) => fails = fails.or(error.map(Failure::from)),
                }
            }
        }
        let kinds: Vec<_> = volume.protectors().iter().map(|protector| protector.kind).collect();
        let nameless = self.0.iter().filter(|entry| {
            entry.key_id.is_none() && may_open(entry).iter().any(|kind| kinds.contains(kind))
        });
        for variant in nameless.flat_map(|entry| &entry.variants).take(NAMELESS) {
            match attempt(volume, variant) {
                Ok(answer) => return answer,
                // Whatever was tried on the off chance may fail.
                Err(
                    Some(ProofError::Unlock(UnlockError::WrongKey { .. } | UnlockError::OtherKeyId { .. }))
                    | None,
                ) => {}
                Err(Some(error)) => fails = fails.or(Some(error.into())),
            }
        }
        fails.map_or(Answer::Nothing, Answer::Fails)
    }
}

fn attempt(volume: &Volume, variant: &Variant) -> Result<Answer, Option<ProofError>> {
    let key = key_of(&variant.secret).ok_or(None)?;
    let proof = volume.prove(&key)?;
    let copy = variant.copies.first().map_or_else(String::new, |(place, _)| place.to_string());
    Ok(Answer::Opens { key, proof, copy })
}
