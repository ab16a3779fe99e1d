//! What is known of a damaged key, how much there is to try, and how long it takes, in words.

use repair::{GroupState, Hints};
use web::{Language, Say};

const A_DAY: f64 = 24.0 * 60.0 * 60.0;
const A_YEAR: f64 = 365.25 * A_DAY;

/// Says of each group that may be wrong what is wrong with it; no digit is shown.
pub fn known(hints: &Hints, say: Say<'_>) -> Vec<String> {
    let groups = hints.groups();
    let mut known = Vec::new();
    if groups.len() != 8 {
        known.push(say.with("mend-groups", &[("count", &groups.len().to_string())]));
    }
    for (place, group) in groups.iter().enumerate() {
        let what = match group {
            GroupState::Plausible => continue,
            GroupState::Wrong => say.of("mend-group-wrong"),
            GroupState::Unreadable(digits) => say.count("mend-group-unreadable", *digits as u64),
            GroupState::Miscounted(digits) => say.with("group-too-short", &[("digits", &digits.to_string())]),
            GroupState::Unknown => say.of("mend-group-unknown"),
        };
        known.push(format!("{}: {what}", say.with("group-name", &[("number", &(place + 1).to_string())])));
    }
    known
}

/// Writes a number in groups of three digits, or its size.
pub fn number(number: u128, language: Language) -> String {
    if number >= 1_000_000_000_000_000 {
        return format!("> 10^{}", number.ilog10());
    }
    let mark = match language {
        Language::English => ',',
        Language::German => '.',
    };
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place != 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(mark);
        }
        text.push(digit);
    }
    text
}

/// Writes a time in the unit that fits.
pub fn duration(seconds: f64, say: Say<'_>) -> String {
    let (value, message) = match seconds {
        ..100.0 => (seconds.max(1.0), "time-seconds"),
        ..6000.0 => (seconds / 60.0, "time-minutes"),
        ..172_800.0 => (seconds / 3600.0, "time-hours"),
        ..63_115_200.0 => (seconds / A_DAY, "time-days"),
        _ => (seconds / A_YEAR, "time-years"),
    };
    if value >= 1e6 { say.of("time-forever") } else { say.count(message, value.round() as u64) }
}
