//! The recovery password: 16 bytes, written as eight groups of six digits.
//!
//! Each group is a little-endian 16-bit number times eleven (documented by Microsoft).

use std::fmt;

use crate::Secret;
use crate::group::{self, GROUP_DIGITS, GroupError, Typed};

/// The groups of a recovery password.
const GROUPS: usize = 8;
/// The digits of a recovery password.
pub(crate) const DIGITS: usize = GROUPS * GROUP_DIGITS;

/// The 48 digits that open a drive; users know them as the recovery key.
///
/// Compared in constant time, never printed, copied only by [`duplicate`](Self::duplicate).
#[derive(PartialEq, Eq)]
pub struct RecoveryPassword(Secret<[u8; 16]>);

impl RecoveryPassword {
    /// Reads 48 digits as somebody typed or copied them.
    ///
    /// Digits of every script count; between them any spaces and dashes, or nothing at all.
    pub fn parse(text: &str) -> Result<Self, DigitsError> {
        let typed = Typed::read(text);
        let characters = typed.characters();
        if characters.is_empty() {
            return Err(DigitsError::Empty);
        }
        let splits = [by_runs(&typed), evenly(characters), around_a_slip(characters)];
        let mut error = None;
        for split in splits.into_iter().flatten() {
            match Self::from_groups(split) {
                Ok(password) => return Ok(password),
                Err(wrong) => error = error.or(Some(wrong)),
            }
        }
        Err(error.map_or(DigitsError::Count { digits: characters.len() }, DigitsError::Groups))
    }

    /// Makes a recovery password of its 16 bytes; every 16 bytes are one.
    pub fn from_bytes(bytes: Secret<[u8; 16]>) -> Self {
        Self(bytes)
    }

    /// Returns the 16 bytes, from which the drive's key is stretched.
    pub fn bytes(&self) -> &Secret<[u8; 16]> {
        &self.0
    }

    /// Writes the 48 digits as Windows does, `nnnnnn-nnnnnn-...`.
    pub fn digits(&self) -> Secret<String> {
        let mut text = Secret::new(String::with_capacity(DIGITS + GROUPS - 1));
        for pair in self.0.expose().chunks_exact(2) {
            if !text.expose().is_empty() {
                text.expose_mut().push('-');
            }
            group::push_digits(text.expose_mut(), u16::from_le_bytes([pair[0], pair[1]]));
        }
        text
    }

    /// Makes a second copy, which is wiped on its own.
    #[must_use]
    pub fn duplicate(&self) -> Self {
        Self(self.0.duplicate())
    }

    /// Takes exactly 48 digits when all of their groups are right.
    pub(crate) fn from_digits(mut digits: impl Iterator<Item = u8>) -> Option<Self> {
        let mut bytes = Secret::new([0; 16]);
        for pair in bytes.expose_mut().chunks_exact_mut(2) {
            let mut number = 0;
            for _ in 0..GROUP_DIGITS {
                number = number * 10 + u32::from(digits.next()?);
            }
            let value = (number % 11 == 0).then(|| u16::try_from(number / 11).ok()).flatten()?;
            pair.copy_from_slice(&value.to_le_bytes());
        }
        digits.next().is_none().then_some(Self(bytes))
    }

    fn from_groups(groups: [&[char]; GROUPS]) -> Result<Self, WrongGroups> {
        let mut right = Secret::new([0; 16]);
        let mut wrong = Vec::new();
        for (place, (group, pair)) in groups.iter().zip(right.expose_mut().chunks_exact_mut(2)).enumerate() {
            match group::value(group) {
                Ok(value) => pair.copy_from_slice(&value.to_le_bytes()),
                Err(problem) => {
                    wrong.push(WrongGroup { number: place + 1, error: GroupError::new(problem, group) });
                }
            }
        }
        if wrong.is_empty() { Ok(Self(right)) } else { Err(WrongGroups { right, wrong }) }
    }
}

impl fmt::Debug for RecoveryPassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RecoveryPassword(..)")
    }
}

/// Why a text is not the 48 digits of a recovery password; its own text never shows the digits.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DigitsError {
    /// There was nothing but separators.
    #[error("there are no digits")]
    Empty,
    /// The digits do not make eight groups, and nothing tells where they are too few or too many.
    #[error("{digits} digits instead of 48")]
    Count {
        /// The digits that are there.
        digits: usize,
    },
    /// Eight groups, some of them wrong.
    #[error(transparent)]
    Groups(#[from] WrongGroups),
}

impl DigitsError {
    /// Returns the groups that are wrong, in order; none when the digits make no eight groups.
    pub fn wrong_groups(&self) -> &[WrongGroup] {
        match self {
            Self::Groups(groups) => &groups.wrong,
            Self::Empty | Self::Count { .. } => &[],
        }
    }

    /// Returns every recovery password that one slip in each wrong group explains.
    ///
    /// Their number multiplies with each wrong group, so look at `len()` before trying them on a
    /// drive. There are none when some group has no suggestion.
    pub fn candidates(&self) -> impl ExactSizeIterator<Item = RecoveryPassword> {
        let (right, choices) = match self {
            Self::Groups(groups) => (groups.right.duplicate(), groups.choices()),
            Self::Empty | Self::Count { .. } => (Secret::new([0; 16]), Vec::new()),
        };
        let combinations = || choices.iter().map(|(_, values)| values.expose().len()).product();
        let count = if choices.is_empty() { 0 } else { combinations() };
        (0..count).map(move |index: usize| {
            let mut bytes = right.duplicate();
            let mut left = index;
            for (place, values) in &choices {
                let values = values.expose();
                bytes.expose_mut()[place * 2..][..2]
                    .copy_from_slice(&values[left % values.len()].to_le_bytes());
                left /= values.len();
            }
            RecoveryPassword(bytes)
        })
    }
}

/// Eight groups with at least one wrong among them.
#[derive(Debug)]
pub struct WrongGroups {
    /// The bytes of the right groups, zero for the wrong ones.
    right: Secret<[u8; 16]>,
    wrong: Vec<WrongGroup>,
}

impl WrongGroups {
    /// The place of each wrong group, from 0, and what may stand there.
    fn choices(&self) -> Vec<(usize, Secret<Vec<u16>>)> {
        self.wrong.iter().map(|group| (group.number - 1, group.error.suggestions())).collect()
    }
}

impl std::error::Error for WrongGroups {}

impl fmt::Display for WrongGroups {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, group) in self.wrong.iter().enumerate() {
            let comma = if place == 0 { "" } else { ", " };
            write!(f, "{comma}group {} {}", group.number, group.error)?;
        }
        Ok(())
    }
}

/// One wrong group of eight.
#[derive(Debug)]
#[non_exhaustive]
pub struct WrongGroup {
    /// Its place, 1 to 8.
    pub number: usize,
    /// What is wrong with it.
    pub error: GroupError,
}

/// The groups as their separators show them.
fn by_runs(typed: &Typed) -> Option<[&[char]; GROUPS]> {
    collect(typed.runs())
}

/// Six digits each, wherever the separators are.
fn evenly(characters: &[char]) -> Option<[&[char]; GROUPS]> {
    (characters.len() == DIGITS).then(|| collect(characters.chunks(GROUP_DIGITS))).flatten()
}

/// Six digits each but in one group, which lost or gained one: the only one between the right
/// groups at the front and the right groups at the end.
fn around_a_slip(characters: &[char]) -> Option<[&[char]; GROUPS]> {
    if characters.len().abs_diff(DIGITS) != 1 {
        return None;
    }
    let right = |group: &&[char]| group::value(group).is_ok();
    let before = characters.chunks(GROUP_DIGITS).take_while(right).count();
    let after = characters.rchunks(GROUP_DIGITS).take_while(right).count();
    if before + after + 1 != GROUPS {
        return None;
    }
    let (front, rest) = characters.split_at(before * GROUP_DIGITS);
    let (slip, back) = rest.split_at(rest.len() - after * GROUP_DIGITS);
    collect(front.chunks(GROUP_DIGITS).chain([slip]).chain(back.chunks(GROUP_DIGITS)))
}

fn collect<'a>(groups: impl Iterator<Item = &'a [char]>) -> Option<[&'a [char]; GROUPS]> {
    let mut all = [&[][..]; GROUPS];
    let mut count = 0;
    for group in groups {
        *all.get_mut(count)? = group;
        count += 1;
    }
    (count == GROUPS).then_some(all)
}

#[cfg(test)]
mod tests {
    use hex_literal::hex;
    use proptest::prelude::*;

    use super::*;

    const KEY: &str = "132858-327525-689172-680790-354607-080454-642268-377564";

    fn key() -> RecoveryPassword {
        RecoveryPassword::parse(KEY).expect("a recovery key")
    }

    fn error(text: &str) -> DigitsError {
        RecoveryPassword::parse(text).expect_err("not a recovery key")
    }

    #[test]
    fn bytes_are_the_groups_divided_by_eleven() {
        let password = RecoveryPassword::parse("000011-000000-720885-000022-002827-002816-000000-000000");
        let password = password.expect("a recovery key");
        assert_eq!(*password.bytes().expose(), hex!("0100 0000 ffff 0200 0101 0001 0000 0000"));
        assert_eq!(format!("{password:?}"), "RecoveryPassword(..)");
    }

    /// Published with drives that Windows Vista to 11 encrypted.
    #[test]
    fn published_recovery_keys_are_read() {
        for text in [
            "517506-503998-044583-576191-587004-635965-501270-087802",
            "131450-120197-153989-250338-511368-495572-680944-381546",
            "284867-596541-514998-422114-660297-261613-215424-199408",
            "486552-140030-675719-163900-264671-413787-580239-152614",
            "538329-080597-399190-348700-323345-161062-279807-230978",
            "478401-067859-043868-000935-121330-337425-718509-484979",
            "297693-343387-338492-284526-405482-424886-634931-555093",
            "243067-548680-059818-148852-287771-550088-628265-631653",
        ] {
            let password = RecoveryPassword::parse(text).expect("a recovery key");
            assert_eq!(password.digits().expose(), text);
        }
    }

    #[test]
    fn every_way_to_type_it() {
        let plain = KEY.replace('-', "");
        for text in [
            KEY.to_owned(),
            KEY.replace('-', ""),
            KEY.replace('-', " "),
            KEY.replace('-', " - "),
            KEY.replace('-', "\u{2013}"),
            KEY.replace('-', "\u{a0}"),
            KEY.replace('-', "+"),
            format!("\u{feff}\t{}\u{200f}\r\n", KEY.replace('-', "\u{2011}\r\n")),
            KEY.chars()
                .map(|c| if c == '-' { '－' } else { char::from_u32(c as u32 + 0xfee0).unwrap_or(c) })
                .collect(),
            plain.as_bytes().chunks(3).map(|three| format!("{} ", String::from_utf8_lossy(three))).collect(),
            // Hyphens in the wrong places do no harm when all the digits are there.
            KEY.replacen("132858-3", "1328583-", 1),
        ] {
            let password = RecoveryPassword::parse(&text);
            assert_eq!(password.ok().as_ref(), Some(&key()), "{text}");
        }
        assert_eq!(key().digits().expose(), KEY);
        assert_eq!(key().duplicate(), key());
    }

    #[test]
    fn the_wrong_groups_are_named() {
        let text = |from, to| error(&KEY.replacen(from, to, 1)).to_string();
        assert_eq!(text("689172", "689173"), "group 3 is not divisible by 11");
        assert_eq!(text("689172", "789173"), "group 3 is above 720885");
        assert_eq!(text("689172", "68917"), "group 3 has 5 of 6 digits");
        assert_eq!(text("689172", "6891720"), "group 3 has 7 digits instead of 6");
        assert_eq!(text("689172", "68917Z"), "group 3 has 'Z' where a digit belongs");
        assert_eq!(text("132858-", ""), "42 digits instead of 48");
        assert_eq!(text("689172-680790-", "-"), "36 digits instead of 48");
        assert_eq!(text("-377564", "-377565-1"), "group 8 has 7 digits instead of 6");
        assert_eq!(text("-377564", "-377564-11"), "50 digits instead of 48");
        assert_eq!(error(" -\t").to_string(), "there are no digits");
        let two = error(&KEY.replace("689172", "689173").replace("377564", "377566"));
        assert_eq!(two.to_string(), "group 3 is not divisible by 11, group 8 is not divisible by 11");
        assert_eq!(two.wrong_groups().iter().map(|group| group.number).collect::<Vec<_>>(), [3, 8]);
    }

    /// An example in Microsoft's documentation ends in two groups that no recovery key has.
    #[test]
    fn a_documented_example_is_above_the_limit() {
        let documented = error("111111-222222-333333-444444-555555-666666-777777-888888");
        assert_eq!(documented.to_string(), "group 7 is above 720885, group 8 is above 720885");
    }

    /// Swapped groups and most swaps two places apart pass: only the drive itself can tell.
    #[test]
    fn swapped_groups_are_not_found() {
        let swapped = KEY.replacen("132858-327525", "327525-132858", 1);
        assert!(RecoveryPassword::parse(&swapped).is_ok_and(|password| password != key()));
    }

    #[test]
    fn a_missing_digit_is_found_without_separators() {
        let wrong = error(&KEY.replace("-", "").replacen("680790", "60790", 1));
        assert_eq!(wrong.to_string(), "group 4 has 5 of 6 digits");
        assert!(wrong.candidates().any(|password| password == key()));
        let wrong = error(&KEY.replace("-", "").replacen("680790", "6800790", 1));
        assert_eq!(wrong.to_string(), "group 4 has 7 digits instead of 6");
        assert!(wrong.candidates().any(|password| password == key()));
    }

    #[test]
    fn no_candidates_without_suggestions() {
        for text in ["", "123", &KEY.replace("132858", "1"), &KEY.replace("132858", "??2858")] {
            assert_eq!(error(text).candidates().len(), 0, "{text}");
        }
    }

    proptest! {
        #[test]
        fn bytes_and_digits_go_both_ways(bytes: [u8; 16]) {
            let password = RecoveryPassword::from_bytes(Secret::new(bytes));
            let digits = password.digits();
            prop_assert_eq!(digits.expose().len(), 55);
            let parsed = RecoveryPassword::parse(digits.expose()).expect("a recovery key");
            prop_assert_eq!(parsed.bytes().expose(), &bytes);
            let again = RecoveryPassword::from_digits(digits.expose().bytes().filter(|&b| b != b'-').map(|b| b - b'0'));
            prop_assert_eq!(again, Some(parsed));
        }

        #[test]
        fn one_wrong_digit_is_found_and_righted(bytes: [u8; 16], place in 0usize..48, more in 1u8..10, hyphens: bool) {
            let password = RecoveryPassword::from_bytes(Secret::new(bytes));
            let mut text: Vec<u8> = password.digits().expose().bytes().collect();
            let place = place + place / 6;
            text[place] = b'0' + (text[place] - b'0' + more) % 10;
            let mut text = String::from_utf8(text).expect("ASCII");
            if !hyphens {
                text.retain(|c| c != '-');
            }
            let error = error(&text);
            prop_assert_eq!(error.wrong_groups().len(), 1);
            prop_assert_eq!(error.wrong_groups()[0].number, place / 7 + 1);
            prop_assert!(error.candidates().len() <= 11);
            prop_assert!(error.candidates().any(|candidate| candidate == password));
            prop_assert!(!error.to_string().contains(&text[..6]));
        }

        #[test]
        fn two_wrong_groups_are_righted_together(bytes: [u8; 16]) {
            let password = RecoveryPassword::from_bytes(Secret::new(bytes));
            let mut text = password.digits().expose().clone();
            text.replace_range(2..3, "?");
            text.replace_range(54..55, "");
            prop_assert!(error(&text).candidates().any(|candidate| candidate == password));
        }

        #[test]
        fn any_text_is_a_key_or_an_error(text in "[0-9０-９?O \\-\u{200f}]{0,80}|.*") {
            match RecoveryPassword::parse(&text) {
                Ok(password) => prop_assert_eq!(password.digits().expose().len(), 55),
                Err(error) => {
                    prop_assert!(!error.to_string().is_empty());
                    let first = error.candidates().next();
                    prop_assert_eq!(first.is_some(), error.candidates().len() > 0);
                }
            }
        }
    }
}
