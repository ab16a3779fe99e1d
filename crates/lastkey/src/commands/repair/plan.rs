//! How many candidates there are, and how long they take on this computer, in words.

use recovery_key::KeyId;
use repair::{MOST_SLIPS, Plan};
use serde::Serialize;

use crate::drive::Target;
use crate::failure::{Failure, Kind};
use crate::words::{BOLD, OFF};

const A_DAY: f64 = 24.0 * 60.0 * 60.0;
const YEAR: f64 = 365.25 * A_DAY;

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

/// Returns the table that a person sees before anything begins.
pub fn words(plan: &Plan) -> String {
    let mut lines = vec![format!("This computer tries {:.0} candidates a second.", plan.rate)];
    for slips in 0..=MOST_SLIPS {
        let what = match slips {
            0 => "as it was read".to_owned(),
            1 => "with one slip".to_owned(),
            more => format!("with {more} slips"),
        };
        let count = plan.count(slips);
        let mark = if plan.slips == Some(slips) { BOLD } else { "" };
        let time = duration(plan.seconds(count));
        lines.push(format!("  {mark}{what:<16} {:>22} candidates, up to {time}{OFF}", number(count)));
    }
    lines.join("\n")
}

/// Returns the document of `--dry-run`.
pub fn report(plan: &Plan, target: &Target, key_ids: &[KeyId]) -> Report {
    let of = |slips| PlanReport {
        slips,
        candidates: u64::try_from(plan.count(slips)).unwrap_or(u64::MAX),
        seconds: plan.seconds(plan.count(slips)),
    };
    Report {
        drive: target.name.clone(),
        volume: target.volume.id().to_string(),
        key_ids: key_ids.iter().map(ToString::to_string).collect(),
        candidates_per_second: plan.rate,
        slips: plan.slips,
        plans: (0..=MOST_SLIPS).map(of).collect(),
    }
}

/// Says why nothing was begun.
pub fn too_long(plan: &Plan) -> Failure {
    let (count, time) = (number(plan.count(0)), duration(plan.seconds(plan.count(0))));
    Failure::new(Kind::WrongKey, format!("too much is missing: {count} candidates would take {time}"))
        .hint("each digit more that can be read makes it ten times shorter")
        .hint("--slips 0 begins all the same, and Ctrl-C stops it")
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
