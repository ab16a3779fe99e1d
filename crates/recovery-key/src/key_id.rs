//! Key IDs: which recovery key a drive asks for.
//!
//! A key ID is the GUID of a key protector. Windows writes it in upper case, with or without
//! braces; its recovery screen and its help desks go by the first eight digits.

use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

use crate::character::{hex, is_dash, is_invisible};

/// The hexadecimal digits of a GUID.
const GUID_DIGITS: u32 = 32;
/// How many digits stand before each hyphen of a GUID.
const HYPHENS: [u32; 4] = [8, 12, 16, 20];

/// The GUID of a key protector; displayed in upper case without braces.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(Uuid);

impl KeyId {
    /// Reads the GUID as it lies in metadata, in `.BEK` files and in Active Directory.
    pub fn from_bytes_le(bytes: [u8; 16]) -> Self {
        Self(Uuid::from_bytes_le(bytes))
    }

    /// Returns the GUID as [`from_bytes_le`](Self::from_bytes_le) reads it.
    pub fn to_bytes_le(&self) -> [u8; 16] {
        self.0.to_bytes_le()
    }

    /// Returns the first eight digits, as the recovery screen shows them.
    pub fn short(&self) -> String {
        format!("{:08X}", self.0.as_fields().0)
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::UpperHex::fmt(self.0.as_hyphenated(), f)
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyId({self})")
    }
}

impl FromStr for KeyId {
    type Err = KeyIdError;

    /// Reads a whole GUID, as leniently as [`KeyIdPrefix`] does.
    fn from_str(text: &str) -> Result<Self, KeyIdError> {
        let prefix: KeyIdPrefix = text.parse()?;
        prefix.whole().ok_or(KeyIdError::TooShort { digits: prefix.digits })
    }
}

impl From<Uuid> for KeyId {
    fn from(guid: Uuid) -> Self {
        Self(guid)
    }
}

impl From<KeyId> for Uuid {
    fn from(id: KeyId) -> Self {
        id.0
    }
}

/// The start of a key ID, up to all of it: what somebody reads out, or what is left of a file name.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyIdPrefix {
    /// The digits, from the highest bit down, zero behind them.
    bits: u128,
    /// How many digits, 1 to 32.
    digits: u32,
}

impl KeyIdPrefix {
    /// Says whether the key ID starts so.
    pub fn matches(&self, id: &KeyId) -> bool {
        self.agrees_with(&(*id).into())
    }

    /// Says whether both can be the start of the same key ID.
    pub fn agrees_with(&self, other: &Self) -> bool {
        let common = self.digits.min(other.digits);
        (self.bits ^ other.bits).leading_zeros() >= common * 4
    }

    /// Returns the key ID when nothing of it is missing.
    pub fn whole(&self) -> Option<KeyId> {
        (self.digits == GUID_DIGITS).then(|| KeyId(Uuid::from_u128(self.bits)))
    }

    /// Returns the number of hexadecimal digits, 1 to 32.
    pub fn digits(&self) -> usize {
        self.digits as usize
    }
}

impl From<KeyId> for KeyIdPrefix {
    fn from(id: KeyId) -> Self {
        Self { bits: id.0.as_u128(), digits: GUID_DIGITS }
    }
}

impl fmt::Display for KeyIdPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = KeyId(Uuid::from_u128(self.bits)).to_string();
        let hyphens = HYPHENS.iter().filter(|&&before| before < self.digits).count();
        f.write_str(whole.get(..self.digits() + hyphens).unwrap_or(&whole))
    }
}

impl fmt::Debug for KeyIdPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyIdPrefix({self})")
    }
}

impl FromStr for KeyIdPrefix {
    type Err = KeyIdError;

    /// Reads a GUID or the start of one: any case, braces or not, hyphens (or any dash, or spaces)
    /// or not. A hyphen in a place where a GUID has none is an error: digits are missing before it.
    fn from_str(text: &str) -> Result<Self, KeyIdError> {
        let bare = text.trim_matches(|c: char| c.is_whitespace() || is_invisible(c));
        let bare = bare.strip_prefix('{').unwrap_or(bare);
        let bare = bare.strip_suffix('}').unwrap_or(bare);
        let mut prefix = Self { bits: 0, digits: 0 };
        for c in bare.chars().filter(|&c| !is_invisible(c)) {
            if let Some(digit) = hex(c) {
                if prefix.digits == GUID_DIGITS {
                    return Err(KeyIdError::TooLong);
                }
                prefix.digits += 1;
                prefix.bits |= u128::from(digit) << (128 - 4 * prefix.digits);
            } else if !is_dash(c) && !c.is_whitespace() {
                return Err(KeyIdError::Foreign { after: prefix.digits, character: c });
            } else if !HYPHENS.contains(&prefix.digits) {
                return Err(KeyIdError::Hyphen { after: prefix.digits });
            }
        }
        if prefix.digits == 0 { Err(KeyIdError::Empty) } else { Ok(prefix) }
    }
}

/// Why a text is not a key ID.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyIdError {
    /// There was no digit.
    #[error("the key ID is empty")]
    Empty,
    /// A whole key ID was asked for.
    #[error("the key ID has {digits} of 32 digits")]
    TooShort {
        /// The digits that are there.
        digits: u32,
    },
    /// There are more digits than a GUID has.
    #[error("the key ID has more than 32 digits")]
    TooLong,
    /// Something that is neither a hexadecimal digit nor a hyphen.
    #[error("the key ID has {character:?} after {after} digits; it is made of 0-9, A-F and hyphens")]
    Foreign {
        /// The digits before it.
        after: u32,
        /// What stands there.
        character: char,
    },
    /// A hyphen where a GUID has none, so digits are missing or too many before it.
    #[error("the key ID has a hyphen after {after} digits; hyphens follow digits 8, 12, 16 and 20")]
    Hyphen {
        /// The digits before it.
        after: u32,
    },
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ID: &str = "AC9D5655-F7CA-4D1D-902F-1B6087118138";

    #[test]
    fn every_way_to_write_it() {
        for text in [
            ID,
            "{AC9D5655-F7CA-4D1D-902F-1B6087118138}",
            "ac9d5655f7ca4d1d902f1b6087118138",
            " \u{200f}{ac9d5655\u{2013}f7ca\u{2212}4d1d 902f - 1b6087118138}\r\n",
            "ＡＣ９Ｄ５６５５－Ｆ７ＣＡ－４Ｄ１Ｄ－９０２Ｆ－１Ｂ６０８７１１８１３８",
        ] {
            assert_eq!(text.parse::<KeyId>().map(|id| id.to_string()).as_deref(), Ok(ID), "{text}");
        }
    }

    #[test]
    fn what_it_is_not() {
        let error = |text: &str| text.parse::<KeyId>().err();
        assert_eq!(error("{}"), Some(KeyIdError::Empty));
        assert_eq!(error("AC9D5655-F7CA"), Some(KeyIdError::TooShort { digits: 12 }));
        assert_eq!(error("AC9D5655F7CA4D1D902F1B60871181380"), Some(KeyIdError::TooLong));
        assert_eq!(error("AC9D565-F7CA"), Some(KeyIdError::Hyphen { after: 7 }));
        assert_eq!(error("AC9DO655"), Some(KeyIdError::Foreign { after: 4, character: 'O' }));
        assert_eq!(error("AC9D5655}-F7CA"), Some(KeyIdError::Foreign { after: 8, character: '}' }));
    }

    #[test]
    fn bytes_are_mixed_endian() {
        let id: KeyId = ID.parse().expect("a key ID");
        let bytes = hex_literal::hex!("55569dac caf7 1d4d 902f 1b6087118138");
        assert_eq!(id.to_bytes_le(), bytes);
        assert_eq!(KeyId::from_bytes_le(bytes), id);
        assert_eq!(id.short(), "AC9D5655");
        assert_eq!(format!("{id:?}"), format!("KeyId({ID})"));
    }

    #[test]
    fn a_prefix_is_shown_as_far_as_it_goes() {
        for text in ["A", "AC9D5655", "AC9D5655-F", "AC9D5655-F7CA-4D", "AC9D5655-F7CA-4D1D-902F", ID] {
            assert_eq!(text.parse::<KeyIdPrefix>().map(|prefix| prefix.to_string()).as_deref(), Ok(text));
        }
    }

    proptest! {
        #[test]
        fn the_first_digits_match_and_others_do_not(guid: u128, digits in 1usize..=32, flipped in 0usize..32) {
            let id = KeyId::from(Uuid::from_u128(guid));
            let plain = format!("{guid:032x}");
            let prefix: KeyIdPrefix = plain[..digits].parse().expect("a prefix");
            prop_assert!(prefix.matches(&id));
            prop_assert_eq!(prefix.to_string().parse::<KeyIdPrefix>(), Ok(prefix));
            prop_assert_eq!(prefix.whole(), (digits == 32).then_some(id));
            let other = KeyId::from(Uuid::from_u128(guid ^ (1 << (4 * (31 - flipped)))));
            prop_assert_eq!(prefix.matches(&other), flipped >= digits);
        }

        #[test]
        fn any_text_is_an_id_or_an_error(text in ".*") {
            if let Ok(prefix) = text.parse::<KeyIdPrefix>() {
                prop_assert!((1..=32).contains(&prefix.digits()));
            }
        }
    }
}
