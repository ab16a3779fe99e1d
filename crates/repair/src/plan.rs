//! How many candidates there are, and how long they take on this computer.

use std::time::Instant;

use fve::RecoveryLocks;
use recovery_key::{RecoveryPassword, Secret};

use crate::{Candidates, MOST_SLIPS};

/// What takes longer than this is begun only when it is asked for.
const A_DAY: f64 = 24.0 * 60.0 * 60.0;

/// What a search can do, and what it is to do.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// How many candidates there are within no slip, one, two and three.
    counts: [u128; MOST_SLIPS as usize + 1],
    /// Candidates per second.
    pub rate: f64,
    /// How many slips are considered; `None` when even without any it takes longer than a day.
    pub slips: Option<u8>,
}

impl Plan {
    /// Counts, and measures for as long as one batch takes.
    #[must_use]
    pub fn make(candidates: &Candidates, locks: &RecoveryLocks<'_>, slips: Option<u8>) -> Self {
        let counts = std::array::from_fn(|slips| candidates.count(slips as u8));
        let mut plan = Self { counts, rate: rate(locks), slips };
        if plan.slips.is_none() {
            let within_a_day = |&slips: &u8| plan.seconds(plan.count(slips)) <= A_DAY;
            plan.slips = (0..=MOST_SLIPS).rev().find(within_a_day);
        }
        plan
    }

    /// Returns how many candidates there are within so many slips.
    #[must_use]
    pub fn count(&self, slips: u8) -> u128 {
        self.counts.get(usize::from(slips)).copied().unwrap_or(u128::MAX)
    }

    /// Returns how long so many candidates take.
    #[must_use]
    pub fn seconds(&self, candidates: u128) -> f64 {
        candidates as f64 / self.rate
    }
}

/// Measures how many candidates all processors try in a second.
fn rate(locks: &RecoveryLocks<'_>) -> f64 {
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    let started = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                // Whatever they are: it is the time that counts.
                let any = || RecoveryPassword::from_bytes(Secret::new([0; 16]));
                let batch: Vec<_> = std::iter::repeat_with(any).take(RecoveryLocks::batch()).collect();
                locks.try_all(&batch)
            });
        }
    });
    let tried = (workers * RecoveryLocks::batch()) as f64;
    tried / started.elapsed().as_secs_f64().max(1e-6)
}
