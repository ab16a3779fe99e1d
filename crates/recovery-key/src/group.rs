//! One group of six digits: the check it carries, and what a slip may have made of it.
//!
//! A group is a number below 65,536 times eleven, so it is divisible by 11 and at most 720885
//! (documented by Microsoft). That finds every wrong digit and every swap of two neighbours.

use crate::Secret;
use crate::character::{decimal, is_invisible, is_separator};

/// The digits of a group.
pub(crate) const GROUP_DIGITS: usize = 6;
const LARGEST: u32 = 65_535 * 11;

/// Reads one group as typed at a prompt, and returns its value: the six digits divided by eleven.
pub fn parse_group(text: &str) -> Result<u16, GroupError> {
    let typed = Typed::read(text);
    value(typed.characters()).map_err(|problem| GroupError::new(problem, typed.characters()))
}

/// Writes the value of a group as its six digits.
pub fn group_digits(value: u16) -> Secret<String> {
    let mut digits = Secret::new(String::with_capacity(GROUP_DIGITS));
    push_digits(digits.expose_mut(), value);
    digits
}

/// What is wrong with a group of digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GroupProblem {
    /// Nothing was typed.
    #[error("is empty")]
    Empty,
    /// Fewer than six digits.
    #[error("has {digits} of 6 digits")]
    TooShort {
        /// The digits that are there.
        digits: usize,
    },
    /// More than six digits.
    #[error("has {digits} digits instead of 6")]
    TooLong {
        /// The digits that are there.
        digits: usize,
    },
    /// Something that is neither a digit nor a separator.
    #[error("has {character:?} where a digit belongs")]
    Foreign {
        /// Its place in the group, from 1.
        position: usize,
        /// What stands there.
        character: char,
    },
    /// Six digits above the largest number that a group can be.
    #[error("is above 720885")]
    TooLarge,
    /// Six digits with at least one of them wrong.
    #[error("is not divisible by 11")]
    NotDivisible,
}

/// A group of digits that cannot be right; its text never shows the digits.
#[derive(Debug, thiserror::Error)]
#[error("{problem}")]
pub struct GroupError {
    problem: GroupProblem,
    group: Secret<Vec<char>>,
}

impl GroupError {
    pub(crate) fn new(problem: GroupProblem, group: &[char]) -> Self {
        Self { problem, group: Secret::new(group.to_vec()) }
    }

    /// Returns what is wrong.
    pub fn problem(&self) -> GroupProblem {
        self.problem
    }

    /// Returns the values that the group may have had before one slip, as [`parse_group`] counts them.
    ///
    /// A slip is a wrong or unreadable digit, two neighbours swapped, a digit left out, or one too
    /// many. An unreadable digit leaves at most one value, a wrong digit at most six; swaps come last.
    pub fn suggestions(&self) -> Secret<Vec<u16>> {
        let group = self.group.expose();
        let mut found = Suggestions(Secret::new(Vec::with_capacity(16)));
        match group.len() {
            GROUP_DIGITS => {
                for place in 0..GROUP_DIGITS {
                    found.each_digit(&group[..place], &group[place + 1..]);
                }
                for place in 1..GROUP_DIGITS {
                    let (before, after) = (&group[..place - 1], &group[place + 1..]);
                    found.one(&[before, &[group[place], group[place - 1]], after]);
                }
            }
            len if len + 1 == GROUP_DIGITS => {
                for place in 0..=len {
                    found.each_digit(&group[..place], &group[place..]);
                }
            }
            len if len == GROUP_DIGITS + 1 => {
                for place in 0..len {
                    found.one(&[&group[..place], &group[place + 1..]]);
                }
            }
            _ => {}
        }
        found.0
    }
}

/// The right values among those that were tried, each once.
struct Suggestions(Secret<Vec<u16>>);

impl Suggestions {
    fn each_digit(&mut self, before: &[char], after: &[char]) {
        for digit in '0'..='9' {
            self.one(&[before, &[digit], after]);
        }
    }

    fn one(&mut self, parts: &[&[char]]) {
        let group = Secret::new(parts.concat());
        if let Ok(value) = value(group.expose())
            && !self.0.expose().contains(&value)
        {
            self.0.expose_mut().push(value);
        }
    }
}

/// Checks a group and returns its value. Digits are ASCII here: see [`Typed`].
pub(crate) fn value(group: &[char]) -> Result<u16, GroupProblem> {
    let mut number = 0;
    for (place, &character) in group.iter().enumerate() {
        let digit = character.to_digit(10).ok_or(GroupProblem::Foreign { position: place + 1, character })?;
        if place < GROUP_DIGITS {
            number = number * 10 + digit;
        }
    }
    match group.len() {
        0 => return Err(GroupProblem::Empty),
        digits if digits < GROUP_DIGITS => return Err(GroupProblem::TooShort { digits }),
        digits if digits > GROUP_DIGITS => return Err(GroupProblem::TooLong { digits }),
        _ => {}
    }
    if number > LARGEST {
        return Err(GroupProblem::TooLarge);
    }
    if number % 11 != 0 {
        return Err(GroupProblem::NotDivisible);
    }
    u16::try_from(number / 11).map_err(|_| GroupProblem::TooLarge)
}

pub(crate) fn push_digits(text: &mut String, value: u16) {
    let number = u32::from(value) * 11;
    for power in [100_000, 10_000, 1_000, 100, 10, 1] {
        text.push(char::from(b'0' + (number / power % 10) as u8));
    }
}

/// What was typed, without its separators and with every digit in ASCII.
pub(crate) struct Typed {
    characters: Secret<Vec<char>>,
    /// Where each run of characters without a separator starts in `characters`.
    runs: Vec<usize>,
}

impl Typed {
    pub(crate) fn read(text: &str) -> Self {
        // All the room at once: a vector that grows leaves its old, unwiped self behind.
        let mut characters = Secret::new(Vec::with_capacity(text.chars().count()));
        let mut runs = Vec::new();
        let mut separated = true;
        for c in text.chars() {
            if is_separator(c) {
                separated |= !is_invisible(c);
                continue;
            }
            let typed: &mut Vec<char> = characters.expose_mut();
            if std::mem::take(&mut separated) {
                runs.push(typed.len());
            }
            typed.push(decimal(c).map_or(c, |value| char::from(b'0' + value)));
        }
        Self { characters, runs }
    }

    pub(crate) fn characters(&self) -> &[char] {
        self.characters.expose()
    }

    /// Returns the runs between separators.
    pub(crate) fn runs(&self) -> impl Iterator<Item = &[char]> {
        let ends = self.runs.iter().skip(1).copied().chain([self.characters().len()]);
        self.runs.iter().zip(ends).map(|(&start, end)| &self.characters()[start..end])
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ascii(value: u16) -> Vec<char> {
        group_digits(value).expose().chars().collect()
    }

    fn problem(text: &str) -> Option<GroupProblem> {
        parse_group(text).err().map(|error| error.problem())
    }

    fn suggestions(group: &[char]) -> Vec<u16> {
        let text: String = group.iter().collect();
        parse_group(&text).expect_err("a wrong group").suggestions().expose().clone()
    }

    #[test]
    fn each_problem_is_named() {
        assert_eq!(problem(" - "), Some(GroupProblem::Empty));
        assert_eq!(problem("13285"), Some(GroupProblem::TooShort { digits: 5 }));
        assert_eq!(problem("1328588"), Some(GroupProblem::TooLong { digits: 7 }));
        assert_eq!(problem("13O858"), Some(GroupProblem::Foreign { position: 3, character: 'O' }));
        assert_eq!(problem("720896"), Some(GroupProblem::TooLarge));
        assert_eq!(problem("777777"), Some(GroupProblem::TooLarge));
        assert_eq!(problem("888888"), Some(GroupProblem::TooLarge));
        assert_eq!(problem("132859"), Some(GroupProblem::NotDivisible));
        assert_eq!(problem("720885"), None);
        assert_eq!(problem("000000"), None);
    }

    #[test]
    fn errors_show_no_digits() {
        let error = parse_group("132859").expect_err("a wrong group");
        assert_eq!(error.to_string(), "is not divisible by 11");
        assert!(!format!("{error:?} {:?}", error.suggestions()).contains("1328"));
        // What is shown of a foreign character cannot drive a terminal.
        let error = parse_group("13285\u{1b}").expect_err("a wrong group");
        assert_eq!(error.to_string(), r"has '\u{1b}' where a digit belongs");
    }

    #[test]
    fn spaces_dashes_and_foreign_digits_are_read() {
        for text in [
            "132858",
            " 132858-",
            "1 3 2 8 5 8",
            "\u{200f}١٣٢٨٥٨",
            "１３２８５８",
            "132\u{2013}858",
            "+132858",
        ] {
            assert_eq!(parse_group(text).ok(), Some(12_078), "{text}");
        }
    }

    /// Of every group there is, each wrong digit is found; of one in 131 the suggestions are counted.
    #[test]
    fn every_wrong_digit_is_found_and_can_be_righted() {
        let (mut wrong, mut asked, mut offered, mut most) = (0, 0, 0, 0);
        for true_value in 0..=u16::MAX {
            let right = ascii(true_value);
            for place in 0..GROUP_DIGITS {
                for digit in ('0'..='9').filter(|&digit| digit != right[place]) {
                    let mut group = right.clone();
                    group[place] = digit;
                    assert!(value(&group).is_err());
                    wrong += 1;
                    if true_value % 131 != 0 {
                        continue;
                    }
                    let all = suggestions(&group);
                    assert!(all.contains(&true_value));
                    let differ =
                        |&&value: &&u16| ascii(value).iter().zip(&group).filter(|(a, b)| a != b).count() == 1;
                    let one_digit = all.iter().filter(differ).count();
                    (asked, offered, most) = (asked + 1, offered + one_digit, most.max(one_digit));
                }
            }
        }
        assert_eq!((wrong, most), (3_538_944, 6));
        let average = offered as f64 / f64::from(asked);
        assert!((4.9..5.1).contains(&average), "{average}");
    }

    #[test]
    fn every_swap_of_neighbours_is_found_and_most_of_other_swaps_are_not() {
        let (mut missed, mut all) = (0u32, 0u32);
        for true_value in 0..=u16::MAX {
            let mut group = ascii(true_value);
            for place in 1..GROUP_DIGITS {
                if group[place - 1] != group[place] {
                    group.swap(place - 1, place);
                    assert!(value(&group).is_err());
                    group.swap(place - 1, place);
                }
                if place + 1 < GROUP_DIGITS && group[place - 1] != group[place + 1] {
                    group.swap(place - 1, place + 1);
                    (missed, all) = (missed + u32::from(value(&group).is_ok()), all + 1);
                    group.swap(place - 1, place + 1);
                }
            }
        }
        assert_eq!((missed, all), (216_264, 235_939));
    }

    /// Microsoft's documentation gives the check digit with the opposite sign.
    #[test]
    fn the_last_digit_is_the_alternating_sum_of_the_others() {
        let digit = |c: &char| i32::try_from(c.to_digit(10).expect("a digit")).expect("small");
        let sums = (0..=u16::MAX).map(|value| {
            let digits: Vec<_> = ascii(value).iter().map(digit).collect();
            let sum = digits[0] - digits[1] + digits[2] - digits[3] + digits[4];
            (sum.rem_euclid(11) == digits[5], (-sum).rem_euclid(11) == digits[5])
        });
        let (ours, documented): (Vec<_>, Vec<_>) = sums.unzip();
        assert!(ours.iter().all(|&holds| holds));
        assert_eq!(documented.iter().filter(|&&holds| holds).count(), 6_554);
    }

    proptest! {
        #[test]
        fn every_value_is_written_and_read(value: u16) {
            let digits = group_digits(value);
            prop_assert_eq!(digits.expose(), &format!("{:06}", u32::from(value) * 11));
            prop_assert_eq!(parse_group(digits.expose()).ok(), Some(value));
        }

        #[test]
        fn one_slip_can_be_righted(value: u16, place in 0usize..6, more in 0usize..10) {
            let right = ascii(value);
            let mut group = right.clone();
            group[place] = '?';
            prop_assert_eq!(suggestions(&group), [value]);
            group.remove(place);
            prop_assert!(suggestions(&group).contains(&value));
            let mut group = right.clone();
            group.insert(place, ['?', 'O', '0', '1', '2', '3', '4', '5', '6', '9'][more]);
            prop_assert!(suggestions(&group).contains(&value));
            let mut group = right.clone();
            if place > 0 && group[place] != group[place - 1] {
                group.swap(place, place - 1);
                prop_assert!(suggestions(&group).contains(&value));
            }
        }

        #[test]
        fn any_text_is_a_group_or_an_error(text in ".*") {
            if let Err(error) = parse_group(&text) {
                prop_assert!(error.suggestions().expose().len() <= 12);
                prop_assert!(!error.to_string().is_empty());
            }
        }
    }
}
