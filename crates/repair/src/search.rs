//! Trying candidates on a drive, on all processors.

use std::ops::ControlFlow;
use std::sync::{Mutex, MutexGuard, PoisonError};

use fve::{Key, Proof, ProofError, RecoveryLocks, Volume};
use recovery_key::{KeyId, RecoveryPassword};

use crate::Candidates;

/// A search along the row of candidates.
#[derive(Clone, Copy)]
pub struct Search<'a> {
    /// The row.
    pub candidates: &'a Candidates,
    /// The drive.
    pub volume: &'a Volume,
    /// What is tried on the drive: [`Volume::recovery_locks`], or some of them.
    pub locks: &'a RecoveryLocks<'a>,
    /// Where the search begins.
    pub from: u128,
    /// Where it ends.
    pub to: u128,
}

/// What became of a search.
#[derive(Debug)]
pub enum Outcome {
    /// The recovery key opens the drive, and the drive's metadata is what it was.
    Mended {
        /// The recovery key.
        password: RecoveryPassword,
        /// The proof of it.
        proof: Proof,
    },
    /// The recovery key opens the VMK, but something else is wrong with the drive.
    Unproven {
        /// The recovery key.
        password: RecoveryPassword,
        /// What it opens.
        key_id: KeyId,
        /// What is wrong.
        error: ProofError,
    },
    /// All candidates were tried, and none opens the drive.
    NotFound,
    /// It was asked to stop.
    Stopped {
        /// Every candidate before this place was tried: the search can go on from here.
        at: u128,
    },
}

impl Search<'_> {
    /// Tries every candidate from `from` to `to`.
    ///
    /// `watch` is told again and again up to which place every candidate was tried, and says whether to
    /// go on. It is asked after every batch, which takes less than a second for each key ID.
    pub fn run(&self, watch: impl Fn(u128) -> ControlFlow<()> + Sync) -> Outcome {
        let row = Mutex::new(Row { next: self.from, running: Vec::new(), found: None, stop: false });
        let lock = || row.lock().unwrap_or_else(PoisonError::into_inner);
        let work = || {
            while let Some((start, batch)) = self.next_batch(lock) {
                let opened = self.locks.try_all(&batch);
                let mut row = lock();
                row.running.retain(|&other| other != start);
                if let Some((place, key_id)) = opened {
                    row.found = batch.into_iter().nth(place).map(|password| (password, key_id));
                }
                row.stop |= row.found.is_some() || watch(row.tried()).is_break();
            }
        };
        let workers = std::thread::available_parallelism().map_or(1, usize::from);
        std::thread::scope(|scope| {
            // A thread that cannot be had is no loss: this one does what is left.
            (1..workers).for_each(|_| drop(std::thread::Builder::new().spawn_scoped(scope, work)));
            work();
        });
        let row = row.into_inner().unwrap_or_else(PoisonError::into_inner);
        match row.found {
            Some((password, key_id)) => self.prove(password, key_id),
            None if row.tried() >= self.to => Outcome::NotFound,
            None => Outcome::Stopped { at: row.tried() },
        }
    }

    /// Takes the next candidates from the row, without those that stood there before, and says where the
    /// first of them stood.
    fn next_batch<'r>(&self, row: impl Fn() -> MutexGuard<'r, Row>) -> Option<(u128, Vec<RecoveryPassword>)> {
        let size = RecoveryLocks::batch();
        let (mut start, mut batch) = (None, Vec::with_capacity(size));
        while batch.len() < size {
            let (from, to) = {
                let mut row = row();
                if row.next >= self.to || row.stop {
                    break;
                }
                let from = row.next;
                row.next = self.to.min(from + (size - batch.len()) as u128);
                if start.is_none() {
                    start = Some(from);
                    row.running.push(from);
                }
                (from, row.next)
            };
            // Not under the lock: on many processors others would wait for it.
            batch.extend((from..to).filter_map(|place| self.candidates.get(place)));
        }
        Some((start?, batch))
    }

    fn prove(&self, password: RecoveryPassword, key_id: KeyId) -> Outcome {
        match self.volume.prove(&Key::RecoveryPassword(password.duplicate())) {
            Ok(proof) => Outcome::Mended { password, proof },
            Err(error) => Outcome::Unproven { password, key_id, error },
        }
    }
}

/// How far the search has come.
struct Row {
    next: u128,
    /// Where the batches begin that are being tried.
    running: Vec<u128>,
    found: Option<(RecoveryPassword, KeyId)>,
    stop: bool,
}

impl Row {
    /// Returns up to which place every candidate was tried.
    fn tried(&self) -> u128 {
        self.running.iter().copied().min().unwrap_or(self.next)
    }
}
