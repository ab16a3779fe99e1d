//! A share as it is written and typed: ten groups of six characters.
//!
//! The characters are Crockford's 32: digits and capitals without I, L, O and U. Five of each group carry
//! 25 bits, the sixth checks them and the group's place, so that a slip of the finger is found where it was
//! made. Over all groups there are 31 bytes:
//!
//! ```text
//! offset  bytes
//!      0      1  1: how this is written
//!      1      1  sheets that are needed
//!      2      1  sheets that there are
//!      3      1  which of them this is
//!      4      3  the set
//!      7     20  the share
//!     27      4  SHA-256 of all before
//! ```

use std::fmt;

use recovery_key::{KeyId, Secret};
use sha2::{Digest, Sha256};

use crate::read::ALPHABET;
use crate::share::{SHEET_LIMIT, SPLIT, Share};

/// The groups of a share.
pub const GROUPS: usize = 10;
/// The characters of a group, the last of which checks the others.
const GROUP: usize = 6;
/// The bytes of a share.
const BYTES: usize = 31;
const VERSION: u8 = 1;

impl Share {
    /// Writes the share in groups, with hyphens between.
    pub fn text(&self) -> Secret<String> {
        let mut bytes = Secret::new([0; BYTES]);
        let [a, b, c] = self.set;
        let head = [VERSION, self.needed, self.sheets, self.number, a, b, c];
        let (body, check) = bytes.expose_mut().split_at_mut(BYTES - 4);
        body.iter_mut().zip(head.iter().chain(self.value.expose())).for_each(|(to, from)| *to = *from);
        check.copy_from_slice(&hash(body));
        let mut text = Secret::new(String::with_capacity(GROUPS * (GROUP + 1)));
        for group in 0..GROUPS {
            if group > 0 {
                text.expose_mut().push('-');
            }
            let data: [u8; GROUP - 1] =
                std::array::from_fn(|n| symbol(bytes.expose(), group * (GROUP - 1) + n));
            for value in data.into_iter().chain([check_symbol(&data, group)]) {
                text.expose_mut().push(character(value));
            }
        }
        text
    }

    /// Writes key ID and share as the sheet's QR code has them.
    pub(crate) fn code_text(&self) -> Secret<String> {
        let id = self.key_id.map(|id| format!("KEY ID {id} ")).unwrap_or_default();
        Secret::new(format!("{id}SHARE {}", self.text().expose()))
    }

    /// Reads a share as it was typed: in any case, with any spaces and hyphens, O for 0 and I or L for 1.
    pub fn parse(text: &str) -> Result<Self, ShareTextError> {
        let mut values = Secret::new(Vec::with_capacity(GROUPS * GROUP));
        for c in text.chars().filter(|c| c.is_alphanumeric()) {
            if values.expose().len() == GROUPS * GROUP {
                return Err(ShareTextError::Count { characters: GROUPS * GROUP + 1 });
            }
            let group = values.expose().len() / GROUP + 1;
            values.expose_mut().push(value(c).ok_or(ShareTextError::Foreign { group, character: c })?);
        }
        if values.expose().len() != GROUPS * GROUP {
            return Err(ShareTextError::Count { characters: values.expose().len() });
        }
        let mut bytes = Secret::new([0; BYTES]);
        let mut wrong = Vec::new();
        for (group, values) in values.expose().chunks_exact(GROUP).enumerate() {
            let Some((check, data)) = values.split_last() else { continue };
            if *check != check_symbol(data, group) {
                wrong.push(group + 1);
            }
            for (n, value) in data.iter().enumerate() {
                put(bytes.expose_mut(), group * (GROUP - 1) + n, *value);
            }
        }
        if !wrong.is_empty() {
            return Err(ShareTextError::Groups(wrong));
        }
        let [VERSION, needed, sheets, number, a, b, c, rest @ ..] = bytes.expose() else {
            return Err(ShareTextError::Version);
        };
        let (value, check) = rest.split_at(SPLIT);
        let body = bytes.expose().get(..BYTES - 4).unwrap_or_default();
        let sensible =
            (2..=*sheets).contains(needed) && *sheets <= SHEET_LIMIT && (1..=*sheets).contains(number);
        if check != hash(body) || !sensible {
            return Err(ShareTextError::Check);
        }
        let value = Secret::from_slice(value).ok_or(ShareTextError::Check)?;
        let (needed, sheets, number) = (*needed, *sheets, *number);
        Ok(Self { needed, sheets, number, set: [*a, *b, *c], value, key_id: None })
    }

    /// Finds a share in the text of a QR code.
    pub(crate) fn of_code(text: &str) -> Option<Self> {
        let (before, share) = text.split_once("SHARE ")?;
        let mut share = Self::parse(share).ok()?;
        share.key_id = before.trim().strip_prefix("KEY ID ").and_then(|id| id.parse::<KeyId>().ok());
        Some(share)
    }
}

/// Why a text is no share; never shows the share.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ShareTextError {
    /// There are too few or too many characters.
    Count {
        /// The characters that there are; of too many, only the first too many is counted.
        characters: usize,
    },
    /// A character that shares do not have.
    Foreign {
        /// The group it would be in, from 1.
        group: usize,
        /// The character.
        character: char,
    },
    /// Groups that do not pass their check, from 1.
    Groups(Vec<usize>),
    /// A share of a later version of this program.
    Version,
    /// Each group is right and all together are not: some were taken from another sheet.
    Check,
}

impl std::error::Error for ShareTextError {}

impl fmt::Display for ShareTextError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count { characters } if *characters > GROUPS * GROUP => {
                write!(f, "more than {} characters", GROUPS * GROUP)
            }
            Self::Count { characters } => write!(f, "{characters} characters instead of {}", GROUPS * GROUP),
            Self::Foreign { group, character } => {
                write!(f, "group {group} has {character:?}, which shares do not have")
            }
            Self::Groups(groups) => {
                let list: Vec<_> = groups.iter().map(usize::to_string).collect();
                let noun = if groups.len() == 1 { "group" } else { "groups" };
                write!(f, "{noun} {} mistyped", list.join(", "))
            }
            Self::Version => f.write_str("the share was made by a later version of lastkey"),
            Self::Check => f.write_str("the groups do not belong together"),
        }
    }
}

/// Returns the five bits of a symbol, counted over all bytes from the highest bit.
fn symbol(bytes: &[u8; BYTES], number: usize) -> u8 {
    (0..5).fold(0, |value, bit| {
        let at = number * 5 + bit;
        let one = bytes.get(at / 8).is_some_and(|byte| byte >> (7 - at % 8) & 1 == 1);
        value << 1 | u8::from(one)
    })
}

/// Puts five bits where [`symbol`] finds them; the last two of all are over.
fn put(bytes: &mut [u8; BYTES], number: usize, value: u8) {
    for bit in 0..5 {
        let at = number * 5 + bit;
        if let Some(byte) = bytes.get_mut(at / 8) {
            *byte |= (value >> (4 - bit) & 1) << (7 - at % 8);
        }
    }
}

/// Sums symbols and place, each times another power of 2 in GF(32): any one wrong symbol changes it, and
/// so do any two swapped ones, and a group in the wrong place.
fn check_symbol(data: &[u8], group: usize) -> u8 {
    let mut sum = 0;
    for value in data.iter().copied().chain([group as u8]) {
        sum = double(sum ^ value);
    }
    sum
}

/// Twice a number in GF(32), made of x^5 + x^2 + 1.
fn double(value: u8) -> u8 {
    if value & 0x10 == 0 { value << 1 } else { (value << 1 & 0x1f) ^ 0x05 }
}

fn character(value: u8) -> char {
    char::from(ALPHABET.get(usize::from(value)).copied().unwrap_or(b'?'))
}

fn value(c: char) -> Option<u8> {
    let c = match c.to_ascii_uppercase() {
        'O' => '0',
        'I' | 'L' => '1',
        c => c,
    };
    ALPHABET.iter().position(|&known| char::from(known) == c).map(|n| n as u8)
}

fn hash(bytes: &[u8]) -> [u8; 4] {
    let [a, b, c, d, ..]: [u8; 32] = Sha256::digest(bytes).into();
    [a, b, c, d]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn share(value: [u8; SPLIT]) -> Share {
        let set = [0xab, 0xcd, 0xef];
        Share { needed: 3, sheets: 5, number: 2, set, value: Secret::new(value), key_id: None }
    }

    #[test]
    fn it_is_typed_in_many_ways() {
        let share = share([0x5a; SPLIT]);
        let text = share.text();
        assert_eq!(text.expose().len(), 69);
        for typed in [
            text.expose().to_lowercase(),
            text.expose().replace('-', ""),
            text.expose().replace('-', " \n"),
            text.expose().replace('0', "O").replace('1', "l"),
        ] {
            assert!(Share::parse(&typed).is_ok_and(|read| read.is_same(&share)), "{typed}");
        }
        let code = Share { key_id: Some(KeyId::from_bytes_le([9; 16])), ..share };
        let read = Share::of_code(code.code_text().expose()).expect("a share");
        assert_eq!((read.key_id, read.set_name().as_str()), (code.key_id, "ABCDEF"));
    }

    #[test]
    fn slips_are_found_where_they_are() {
        let text = share([0x77; SPLIT]).text();
        let groups: Vec<_> = text.expose().split('-').collect();
        let mut swapped = groups.clone();
        swapped.swap(3, 7);
        let error = Share::parse(&swapped.join("-")).expect_err("swapped");
        // Two groups that are alike may be swapped without harm.
        assert_eq!(error, ShareTextError::Groups(vec![4, 8]));
        assert_eq!(error.to_string(), "groups 4, 8 mistyped");
        assert_eq!(
            Share::parse(&groups[1..].join("-")).err(),
            Some(ShareTextError::Count { characters: 54 })
        );
        assert_eq!(
            Share::parse(&format!("{}0", text.expose())).err(),
            Some(ShareTextError::Count { characters: 61 })
        );
        let foreign = ShareTextError::Foreign { group: 2, character: 'U' };
        assert_eq!(Share::parse(&text.expose().replacen(groups[1], "U00000", 1)).err(), Some(foreign));
    }

    #[test]
    fn groups_of_another_sheet_are_noticed() {
        let (one, other) = (share([1; SPLIT]).text(), share([2; SPLIT]).text());
        let mixed = format!("{}{}", &one.expose()[..35], &other.expose()[35..]);
        assert_eq!(Share::parse(&mixed).err(), Some(ShareTextError::Check));
    }

    proptest! {
        #[test]
        fn text_goes_both_ways(value: [u8; SPLIT]) {
            let share = share(value);
            let read = Share::parse(share.text().expose());
            prop_assert!(read.is_ok_and(|read| read.is_same(&share)));
        }

        #[test]
        fn one_wrong_character_is_found(value: [u8; SPLIT], place in 0usize..60, more in 1usize..32) {
            let mut text: Vec<u8> = share(value).text().expose().bytes().collect();
            let at = place + place / GROUP;
            let known = ALPHABET.iter().position(|c| *c == text[at]).expect("a character");
            text[at] = ALPHABET[(known + more) % 32];
            let error = Share::parse(std::str::from_utf8(&text).expect("ASCII")).expect_err("wrong");
            prop_assert_eq!(error, ShareTextError::Groups(vec![place / GROUP + 1]));
        }

        #[test]
        fn any_text_is_a_share_or_an_error(text in ".*|[0-9A-Z-]{55,75}") {
            if let Err(error) = Share::parse(&text) {
                prop_assert!(!error.to_string().is_empty());
            }
        }
    }
}
