//! What a person can read of a recovery key, and how it may fall into groups.

use std::fmt;

use recovery_key::Secret;
use recovery_key::character::{decimal, is_invisible, is_separator};

use crate::UNREADABLE;
use crate::group::{DIGITS, MOST_TYPED};

/// The groups of a recovery key.
pub(crate) const GROUPS: usize = 8;
/// More than this is something else than a recovery key.
const MOST_GROUPS: usize = 10;
/// Text without separators may lack this many digits, or have so many too many.
const MOST_MISCOUNTED: usize = 2;
/// The most ways to cut what was typed into groups.
const MOST_READINGS: usize = 100;

/// What a person can read of a recovery key; nearly a secret itself, and never shown.
#[derive(Debug)]
pub struct Hints {
    /// Every digit and mark as it was typed, with a hyphen wherever there was a separator.
    text: Secret<String>,
    readings: Vec<Reading>,
}

/// One way in which what was typed falls into groups, each of so many digits.
pub(crate) type Reading = Vec<Secret<Vec<u8>>>;

/// Why a text cannot be taken for a damaged recovery key; its own text never shows the digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HintsError {
    /// There is not a single digit.
    #[error("there are no digits")]
    NoDigits,
    /// Something that is neither a digit nor a mark for one nor a separator.
    #[error("{character:?} stands where a digit belongs, in place {position}")]
    Foreign {
        /// Its place among the digits, from 1.
        position: usize,
        /// What stands there.
        character: char,
    },
    /// There is more than any recovery key has.
    #[error("{digits} digits are too many for a recovery key")]
    TooLong {
        /// The digits that are there.
        digits: usize,
    },
    /// Nothing tells which digits make a group.
    #[error("{digits} digits do not fall into groups of six")]
    NoGroups {
        /// The digits that are there.
        digits: usize,
    },
}

/// What is known of one group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupState {
    /// Six digits that can be a group.
    Plausible,
    /// Six digits that cannot be a group: at least one of them is wrong.
    Wrong,
    /// So many of its six digits are unreadable.
    Unreadable(usize),
    /// It has another number of digits than six.
    Miscounted(usize),
    /// Nothing is known of it.
    Unknown,
}

impl fmt::Display for GroupState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plausible => f.write_str("can be right"),
            Self::Wrong => f.write_str("cannot be right"),
            Self::Unreadable(1) => f.write_str("has 1 unreadable digit"),
            Self::Unreadable(digits) => write!(f, "has {digits} unreadable digits"),
            Self::Miscounted(digits) => write!(f, "has {digits} of 6 digits"),
            Self::Unknown => f.write_str("is unknown"),
        }
    }
}

impl Hints {
    /// Reads what a person typed or a file holds.
    ///
    /// Digits of every script count, and letters that look like digits (`O`, `l`, `S`, `B`, ...). `?`, `_`,
    /// `*`, `#` and `x` each stand for a digit that cannot be read; a group of nothing else stands for a
    /// group of which nothing is known, however many they are. Between the groups there may be spaces,
    /// dashes and the like; where these separate something else than groups, or nothing does, every six
    /// digits are a group.
    ///
    /// # Errors
    /// When it cannot be what is left of a recovery key.
    pub fn parse(text: &str) -> Result<Self, HintsError> {
        let runs = runs(text)?;
        let digits = runs.iter().map(|run| run.expose().len()).sum();
        if runs.iter().all(|run| is_unknown(run.expose())) {
            return Err(HintsError::NoDigits);
        }
        if digits > MOST_GROUPS * DIGITS {
            return Err(HintsError::TooLong { digits });
        }
        let all = joined(&runs);
        let evenly = || all.expose().chunks(DIGITS).map(copy).collect();
        let mut readings = Vec::new();
        if separates_groups(&runs) {
            // A hyphen in a wrong place does no harm when all the digits are there.
            if digits == GROUPS * DIGITS && runs.iter().any(|run| run.expose().len() % DIGITS != 0) {
                readings.push(evenly());
            }
            readings.append(&mut by_runs(&runs).ok_or(HintsError::NoGroups { digits })?);
        } else {
            readings = cut(all.expose()).ok_or(HintsError::NoGroups { digits })?;
        }
        readings.retain(|reading| (1..=MOST_GROUPS).contains(&reading.len()));
        if readings.is_empty() {
            return Err(HintsError::TooLong { digits });
        }
        Ok(Self { text: written(&runs), readings })
    }

    /// Returns what is known of each group, in the likeliest reading. There may be fewer than eight, or more.
    #[must_use]
    pub fn groups(&self) -> Vec<GroupState> {
        self.readings.first().into_iter().flatten().map(|group| state(group.expose())).collect()
    }

    /// Returns every way to read the groups, the likeliest first; there is at least one.
    pub(crate) fn readings(&self) -> &[Reading] {
        &self.readings
    }

    /// Returns what was typed, in one form for all ways to type it.
    pub(crate) fn text(&self) -> &Secret<String> {
        &self.text
    }
}

fn copy(digits: &[u8]) -> Secret<Vec<u8>> {
    Secret::new(digits.to_vec())
}

fn is_unknown(digits: &[u8]) -> bool {
    digits.iter().all(|&digit| digit == UNREADABLE)
}

fn state(group: &[u8]) -> GroupState {
    let unreadable = group.iter().filter(|&&digit| digit == UNREADABLE).count();
    let number = || group.iter().fold(0, |number, &digit| number * 10 + u32::from(digit));
    match (group.len(), unreadable) {
        (length, unreadable) if length == unreadable => GroupState::Unknown,
        (DIGITS, 0) if number().is_multiple_of(11) && number() <= 65_535 * 11 => GroupState::Plausible,
        (DIGITS, 0) => GroupState::Wrong,
        (DIGITS, unreadable) => GroupState::Unreadable(unreadable),
        (length, _) => GroupState::Miscounted(length),
    }
}

/// Reads the runs of digits between separators.
fn runs(text: &str) -> Result<Vec<Secret<Vec<u8>>>, HintsError> {
    // Room for all of them at once: a vector that grows leaves its old, unwiped self behind.
    let room = text.chars().filter(|&c| !is_separator(c)).count();
    let mut runs: Vec<Secret<Vec<u8>>> = Vec::new();
    let (mut separated, mut position) = (true, 0);
    for c in text.chars() {
        if is_separator(c) {
            separated |= !is_invisible(c);
            continue;
        }
        position += 1;
        let digit = digit(c).ok_or(HintsError::Foreign { position, character: c })?;
        if position > MOST_GROUPS * DIGITS * 2 {
            return Err(HintsError::TooLong { digits: room });
        }
        if std::mem::take(&mut separated) {
            runs.push(Secret::new(Vec::with_capacity(room)));
        }
        if let Some(run) = runs.last_mut() {
            run.expose_mut().push(digit);
        }
    }
    Ok(runs)
}

/// Returns a digit, or what stands for one.
fn digit(c: char) -> Option<u8> {
    match c {
        '?' | '_' | '*' | '#' | 'x' | 'X' | '\u{ff1f}' => Some(UNREADABLE),
        'O' | 'o' | 'D' | 'Q' => Some(0),
        'I' | 'i' | 'l' | 'L' => Some(1),
        'Z' | 'z' => Some(2),
        'S' | 's' => Some(5),
        'b' | 'G' => Some(6),
        'B' => Some(8),
        'g' | 'q' => Some(9),
        _ => decimal(c),
    }
}

fn joined(runs: &[Secret<Vec<u8>>]) -> Secret<Vec<u8>> {
    let mut all = Secret::new(Vec::with_capacity(runs.iter().map(|run| run.expose().len()).sum()));
    runs.iter().for_each(|run| all.expose_mut().extend_from_slice(run.expose()));
    all
}

fn written(runs: &[Secret<Vec<u8>>]) -> Secret<String> {
    let length: usize = runs.iter().map(|run| run.expose().len() + 1).sum();
    let mut text = Secret::new(String::with_capacity(length));
    for run in runs {
        for &digit in run.expose() {
            text.expose_mut().push(if digit == UNREADABLE { '?' } else { char::from(b'0' + digit) });
        }
        text.expose_mut().push('-');
    }
    text
}

/// Says whether the separators stand between groups, rather than between single digits, halves of groups
/// or nothing: at least half of the runs with digits are as long as groups.
fn separates_groups(runs: &[Secret<Vec<u8>>]) -> bool {
    let lengths = || runs.iter().filter(|run| !is_unknown(run.expose())).map(|run| run.expose().len());
    let group = |&length: &usize| length.abs_diff(DIGITS) <= 1 || length.is_multiple_of(DIGITS);
    runs.len() > 1 && lengths().filter(group).count() * 2 >= lengths().count()
}

/// Takes each run for a group, and runs that are too long for several.
fn by_runs(runs: &[Secret<Vec<u8>>]) -> Option<Vec<Reading>> {
    let mut readings: Vec<Reading> = vec![Vec::new()];
    for run in runs {
        let run = run.expose();
        let ways = if run.len() <= MOST_TYPED || is_unknown(run) && run.len() % DIGITS != 0 {
            vec![vec![copy(run)]]
        } else {
            cut(run)?
        };
        let with = |before: &Reading, way: &Reading| -> Reading {
            before.iter().chain(way).map(Secret::duplicate).collect()
        };
        readings = readings.iter().flat_map(|before| ways.iter().map(move |way| with(before, way))).collect();
        if readings.len() > MOST_READINGS {
            return None;
        }
    }
    Some(readings)
}

/// Cuts digits without separators into groups of six, in every way in which at most two digits are
/// missing or too many.
fn cut(digits: &[u8]) -> Option<Vec<Reading>> {
    let groups = (digits.len() + DIGITS / 2) / DIGITS;
    let wrong = digits.len().abs_diff(groups * DIGITS);
    if groups == 0 || wrong > MOST_MISCOUNTED {
        return None;
    }
    let long = digits.len() > groups * DIGITS;
    let mut lengths = vec![vec![DIGITS; groups]];
    for _ in 0..wrong {
        let mut next = Vec::new();
        for lengths in &lengths {
            for place in 0..groups {
                let mut lengths: Vec<usize> = lengths.clone();
                lengths[place] = if long { lengths[place] + 1 } else { lengths[place] - 1 };
                if !next.contains(&lengths) {
                    next.push(lengths);
                }
            }
        }
        lengths = next;
    }
    let reading = |lengths: &Vec<usize>| -> Reading {
        let mut rest = digits;
        let take = |&length: &usize| {
            let (group, after) = rest.split_at(length);
            rest = after;
            copy(group)
        };
        lengths.iter().map(take).collect()
    };
    Some(lengths.iter().map(reading).collect())
}

#[cfg(test)]
mod tests {
    use GroupState::{Miscounted, Plausible, Unknown, Unreadable, Wrong};
    use proptest::prelude::*;

    use super::*;

    const KEY: &str = "132858-327525-689172-680790-354607-080454-642268-377564";

    fn lengths(text: &str) -> Vec<Vec<usize>> {
        let hints = Hints::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        hints
            .readings
            .iter()
            .map(|reading| reading.iter().map(|group| group.expose().len()).collect())
            .collect()
    }

    fn groups(text: &str) -> Vec<GroupState> {
        Hints::parse(text).expect("hints").groups()
    }

    #[test]
    fn every_way_to_type_a_whole_key_is_read_alike() {
        for text in [
            KEY.to_owned(),
            KEY.replace('-', ""),
            KEY.replace('-', " \u{2013} "),
            KEY.replace('-', "\r\n"),
            KEY.replace('0', "O"),
            KEY.chars().map(|c| format!("{c} ")).collect(),
            KEY.replace('-', "")
                .as_bytes()
                .chunks(4)
                .map(|c| format!("{} ", String::from_utf8_lossy(c)))
                .collect(),
        ] {
            assert_eq!(groups(&text), [Plausible; 8], "{text}");
            assert_eq!(lengths(&text)[0], [6; 8], "{text}");
        }
    }

    #[test]
    fn marks_are_unreadable_digits_or_unknown_groups() {
        let text = "132859-32??25-?-******-35460-0804544-642268-xxx";
        assert_eq!(
            groups(text),
            [Wrong, Unreadable(2), Unknown, Unknown, Miscounted(5), Miscounted(7), Plausible, Unknown]
        );
    }

    #[test]
    fn missing_groups_and_digits_are_counted() {
        assert_eq!(groups("132858 327525 689172").len(), 3);
        assert_eq!(groups("132858 327525 13 689172")[2], Miscounted(2));
        // One digit is missing somewhere, and nothing separates the groups.
        let text = KEY.replace('-', "").replacen('7', "", 1);
        assert_eq!(lengths(&text).len(), 8);
        assert!(lengths(&text).iter().all(|lengths| lengths.iter().sum::<usize>() == 47));
        assert_eq!(lengths(&text[..46]).len(), 36);
        assert_eq!(lengths(&format!("{text}12")).len(), 8);
        // A whole group is missing.
        assert_eq!(lengths(&KEY.replace('-', "")[6..]), [[6; 7]]);
        // Two groups typed as one, and one of their digits missing.
        assert_eq!(lengths(&KEY.replacen("132858-327525", "13285832752", 1)).len(), 2);
    }

    #[test]
    fn a_hyphen_in_the_wrong_place_leaves_two_readings() {
        let text = KEY.replacen("132858-3", "1328583-", 1);
        assert_eq!(lengths(&text), [[6; 8], [7, 5, 6, 6, 6, 6, 6, 6]]);
    }

    #[test]
    fn what_is_no_key_is_refused() {
        let error = |text: &str| Hints::parse(text).expect_err("no hints");
        assert_eq!(error(""), HintsError::NoDigits);
        assert_eq!(error("??????-?"), HintsError::NoDigits);
        assert_eq!(error("13285\u{1b}").to_string(), r"'\u{1b}' stands where a digit belongs, in place 6");
        assert_eq!(error("132"), HintsError::NoGroups { digits: 3 });
        assert_eq!(error(&KEY.replace('-', "")[..45]), HintsError::NoGroups { digits: 45 });
        assert_eq!(error(&"132858-".repeat(11)), HintsError::TooLong { digits: 66 });
        assert!(matches!(error(&"1".repeat(100_000)), HintsError::TooLong { .. }));
    }

    #[test]
    fn debug_shows_no_digits() {
        let shown = format!("{:?}", Hints::parse(KEY).expect("hints"));
        assert!(!shown.contains("132858"), "{shown}");
    }

    proptest! {
        #[test]
        fn any_text_is_hints_or_an_error(text in "[0-9?x \\-]{0,70}|.{0,200}") {
            if let Ok(hints) = Hints::parse(&text) {
                prop_assert!(!hints.readings().is_empty() && hints.readings().len() <= MOST_READINGS + 1);
                for reading in hints.readings() {
                    prop_assert!((1..=MOST_GROUPS).contains(&reading.len()));
                }
            }
        }
    }
}
