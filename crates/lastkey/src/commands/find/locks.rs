//! The drives that keys are tried on.

use std::ffi::OsString;
use std::ops::ControlFlow;

use ::find::Entry;
use backup::Trying;
use fve::Proof;

use crate::cli::Find;
use crate::drive::{self, Target};
use crate::failure::Failure;
use crate::output::Output;
use crate::{interrupt, progress, rights};

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
        let volumes: Vec<_> = self.0.iter().map(|target| &target.volume).collect();
        let bar = progress::count(entries.len() as u64, "trying the keys on the drives");
        let tries = Trying { all, named: asked }.run(&volumes, entries, &|done| {
            bar.set_position(done as u64);
            if interrupt::asked() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        bar.finish_and_clear();
        let name = |place: usize| self.0.get(place).map_or_else(String::new, |target| target.name.clone());
        let named = |tried: backup::Tried| Tried {
            opens: tried.opens.into_iter().map(|(place, proof)| (name(place), proof)).collect(),
            fails: tried.fails.into_iter().map(|(place, error)| (name(place), error.into())).collect(),
        };
        let entries = tries.entries.into_iter();
        let entries = entries.map(|(entry, tried)| (entry, tried.into_iter().map(named).collect())).collect();
        Outcome { entries, drives: self.0.len(), left_out: tries.left_out }
    }
}
