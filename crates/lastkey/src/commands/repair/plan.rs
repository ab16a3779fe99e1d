//! How many candidates there are, and how long they take on this computer.

use std::time::Instant;

use fve::RecoveryLocks;
use recovery_key::{KeyId, RecoveryPassword, Secret};
use repair::{Candidates, MOST_SLIPS};
use serde::Serialize;

use crate::drive::Target;
use crate::failure::{Failure, Kind};
use crate::words::{BOLD, OFF};

/// What takes longer than this is begun only when it is asked for.
const A_DAY: f64 = 24.0 * 60.0 * 60.0;
const YEAR: f64 = 365.25 * A_DAY;

/// What a search can do, and what it is to do.
pub struct Plan {
    /// How many candidates there are within no slip, one, two and three.
    counts: [u128; MOST_SLIPS as usize + 1],
    /// Candidates per second.
    rate: f64,
    /// How many slips are considered; `None` when even without any it takes longer than a day.
    pub slips: Option<u8>,
}

#[derive(Serialize)]
pub struct Report {
    drive: String,
    volume: String,
    key_ids: Vec<String>,
    candidates_per_second: f64,
    /// How many slips would be considered.
    slips: Option<u8>,
    plans: Vec<PlanReport>,
}

#[derive(Serialize)]
struct PlanReport {
    slips: u8,
    /// As many as fit into the number.
    candidates: u64,
    seconds: f64,
}

impl Plan {
    /// Counts, and measures for as long as one batch takes.
    pub fn make(candidates: &Candidates, locks: &RecoveryLocks<'_>, slips: Option<u8>) -> Self {
        let counts = std::array::from_fn(|slips| candidates.count(slips as u8));
        let mut plan = Self { counts, rate: rate(locks), slips };
        if plan.slips.is_none() {
            let within_a_day = |&slips: &u8| plan.seconds(plan.count(slips)) <= A_DAY;
            plan.slips = (0..=MOST_SLIPS).rev().find(within_a_day);
        }
        plan
    }

    fn count(&self, slips: u8) -> u128 {
        self.counts.get(usize::from(slips)).copied().unwrap_or(u128::MAX)
    }

    /// Returns how long so many candidates take.
    pub fn seconds(&self, candidates: u128) -> f64 {
        candidates as f64 / self.rate
    }

    /// Returns the table that a person sees before anything begins.
    pub fn words(&self) -> String {
        let mut lines = vec![format!("This computer tries {:.0} candidates a second.", self.rate)];
        for slips in 0..=MOST_SLIPS {
            let what = match slips {
                0 => "as it was read".to_owned(),
                1 => "with one slip".to_owned(),
                more => format!("with {more} slips"),
            };
            let count = self.count(slips);
            let mark = if self.slips == Some(slips) { BOLD } else { "" };
            let time = duration(self.seconds(count));
            lines.push(format!("  {mark}{what:<16} {:>22} candidates, up to {time}{OFF}", number(count)));
        }
        lines.join("\n")
    }

    /// Returns the document of `--dry-run`.
    pub fn report(&self, target: &Target, key_ids: &[KeyId]) -> Report {
        let plan = |slips| PlanReport {
            slips,
            candidates: u64::try_from(self.count(slips)).unwrap_or(u64::MAX),
            seconds: self.seconds(self.count(slips)),
        };
        Report {
            drive: target.name.clone(),
            volume: target.volume.id().to_string(),
            key_ids: key_ids.iter().map(ToString::to_string).collect(),
            candidates_per_second: self.rate,
            slips: self.slips,
            plans: (0..=MOST_SLIPS).map(plan).collect(),
        }
    }

    /// Says why nothing was begun.
    pub fn too_long(&self) -> Failure {
        let (count, time) = (number(self.count(0)), duration(self.seconds(self.count(0))));
        Failure::new(Kind::WrongKey, format!("too much is missing: {count} candidates would take {time}"))
            .hint("each digit more that can be read makes it ten times shorter")
            .hint("--slips 0 begins all the same, and Ctrl-C stops it")
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

/// Returns a number with commas, or its size.
pub fn number(n: u128) -> String {
    if n >= 1_000_000_000_000_000 {
        return format!("more than 10^{}", n.ilog10());
    }
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place != 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Returns a time in the unit that fits.
pub fn duration(seconds: f64) -> String {
    let (value, unit) = match seconds {
        ..1.0 => return "a second".to_owned(),
        ..100.0 => (seconds, "seconds"),
        ..6000.0 => (seconds / 60.0, "minutes"),
        ..172_800.0 => (seconds / 3600.0, "hours"),
        ..63_115_200.0 => (seconds / A_DAY, "days"),
        _ => (seconds / YEAR, "years"),
    };
    if value >= 1e6 {
        format!("more than a million {unit}")
    } else if value < 10.0 {
        format!("{value:.1} {unit}")
    } else {
        format!("{value:.0} {unit}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_numbers_are_in_words() {
        let said = [0.2, 7.0, 99.0, 600.0, 40_000.0, 1e6, 1e9, 1e20].map(duration);
        let expected = [
            "a second",
            "7.0 seconds",
            "99 seconds",
            "10 minutes",
            "11 hours",
            "12 days",
            "32 years",
            "more than a million years",
        ];
        assert_eq!(said, expected);
        assert_eq!([0, 999, 1000, 524_288].map(number), ["0", "999", "1,000", "524,288"]);
        assert_eq!(number(u128::MAX), "more than 10^38");
    }
}
