//! A first look at raw bytes: can there be a recovery key in them at all?
//!
//! Nearly every file is told from one with a key by this look alone, so it is what the speed of a
//! search depends on. It may say yes where there is none; it says no only where
//! [`recovery_key::document`] would find neither a key nor digits that were meant to be one.

use std::ops::Range;

/// The bytes that are judged at once, by how many digits are among them.
const BLOCK: usize = 64;
/// The fewest digits in a block that lies inside a key, even in UTF-16 with each group on its own line.
const IN_BLOCK: usize = 6;
/// The digits that make it worth reading: a key has 48, of which the look may miss a few at both ends,
/// where they are in blocks with little else.
const ENOUGH: usize = 36;
/// Shorter runs of digits are no groups; more of them in a row than this are a table of numbers.
const SHORT_RUN: usize = 4;
const SHORT_RUNS: usize = 4;
/// Letters among the digits of a group: somebody's O for 0.
const SLIPS: usize = 3;

/// Says whether the bytes can hold a recovery key, in ASCII, any code page, UTF-8 or UTF-16.
pub fn may_hold_key(bytes: &[u8]) -> bool {
    find(bytes, 0).is_some() || has_foreign_digits(bytes)
}

/// Finds the next place where digits stand as in a recovery key: a part of them, not all.
pub fn find(bytes: &[u8], from: usize) -> Option<Range<usize>> {
    let mut look = Look::default();
    let mut at = from;
    for block in bytes.get(from..)?.chunks(BLOCK) {
        let digits = block.iter().map(|byte| u8::from(byte.is_ascii_digit())).sum::<u8>();
        if usize::from(digits) < IN_BLOCK {
            look = Look::default();
        } else {
            for (n, &byte) in block.iter().enumerate() {
                if look.sees(byte, at + n) {
                    return Some(look.start..at + n + 1);
                }
            }
        }
        at += block.len();
    }
    None
}

/// What has been seen since the last wall.
#[derive(Default)]
struct Look {
    start: usize,
    /// Digits in runs that may be groups.
    digits: usize,
    run: usize,
    short_runs: usize,
    slips: usize,
}

impl Look {
    /// Takes the next byte, and says whether that is enough.
    fn sees(&mut self, byte: u8, at: usize) -> bool {
        match byte {
            b'0'..=b'9' => {
                if self.digits + self.run == 0 {
                    self.start = at;
                }
                self.run += 1;
                return self.run + self.digits >= ENOUGH;
            }
            // Every other byte of UTF-16.
            0 => {}
            // Dashes and spaces: bytes above ASCII in some encoding, control characters and quotation
            // marks as halves of dashes in UTF-16.
            1..=b' ' | b'-' | b'"' | 0x80.. => self.end_run(),
            b'a'..=b'z' | b'A'..=b'Z' if self.run + self.digits > 0 && self.slips < SLIPS => self.slips += 1,
            _ => *self = Self::default(),
        }
        false
    }

    fn end_run(&mut self) {
        match std::mem::take(&mut self.run) {
            0 => {}
            short @ ..SHORT_RUN => {
                self.short_runs += 1;
                self.digits += short;
                if self.short_runs > SHORT_RUNS {
                    *self = Self::default();
                }
            }
            long => self.digits += long,
        }
    }
}

/// Says whether a text has many digits of another script, such as Arabic or full-width ones.
fn has_foreign_digits(bytes: &[u8]) -> bool {
    if bytes.is_ascii() {
        return false;
    }
    let count = |chars: &mut dyn Iterator<Item = char>| {
        chars.filter(|c| !c.is_ascii() && c.is_numeric()).take(ENOUGH).count() >= ENOUGH
    };
    let unit: fn([u8; 2]) -> u16 = match bytes {
        [0xff, 0xfe, ..] => u16::from_le_bytes,
        [0xfe, 0xff, ..] => u16::from_be_bytes,
        _ => return std::str::from_utf8(bytes).is_ok_and(|text| count(&mut text.chars())),
    };
    let units = bytes.as_chunks().0.iter().map(|&pair| unit(pair));
    count(&mut char::decode_utf16(units).flatten())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use recovery_key::{RecoveryPassword, Secret, document};

    use super::*;

    const KEY: &str = "132858-327525-689172-680790-354607-080454-642268-377564";

    fn utf16(text: &str) -> Vec<u8> {
        text.encode_utf16().flat_map(u16::to_le_bytes).collect()
    }

    #[test]
    fn keys_are_seen_however_they_are_written() {
        for text in [
            KEY.to_owned(),
            KEY.replace('-', ""),
            KEY.replace('-', " - "),
            KEY.replace('-', "\u{2013}"),
            KEY.replace('-', "\r\n"),
            KEY.replace('-', "-\r\n    "),
            KEY.replace("132858", "13285O"),
            KEY.replacen("132858-", "", 1),
        ] {
            for before in ["", "a", "some words in front of it, and more of them: \t", "\u{feff}"] {
                let text = format!("{before}{text}");
                assert!(may_hold_key(text.as_bytes()), "{text}");
                assert!(may_hold_key(&utf16(&text)), "{text} in UTF-16");
                let big_endian: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
                assert!(may_hold_key(&big_endian), "{text} in UTF-16BE");
            }
        }
        let arabic: String = KEY
            .chars()
            .map(|c| c.to_digit(10).map_or(c, |d| char::from_u32(0x660 + d).unwrap_or(c)))
            .collect();
        assert!(may_hold_key(arabic.as_bytes()));
        assert!(may_hold_key(&utf16(&format!("\u{feff}{arabic}"))));
    }

    #[test]
    fn what_is_none_is_passed_over() {
        for text in [
            String::new(),
            "no digits at all".repeat(100),
            "2021-10-08 20:09:11.123456 INFO 4711 started\n".repeat(50),
            "12 255 0 13 7 99 128 1 ".repeat(50),
            "0x1234, 0x5678, ".repeat(50),
            "d41d8cd98f00b204e9800998ecf8427e  empty\n".repeat(50),
            "1,2,3,44,555,6666,77777,888888,9999999\n".repeat(50),
            "3C116B76-C67B-484E-B439-CE2ED68B561E\n".repeat(50),
        ] {
            assert!(!may_hold_key(text.as_bytes()), "{}", text.get(..40).unwrap_or(&text));
        }
    }

    proptest! {
        #[test]
        fn nothing_that_is_a_key_is_passed_over(
            key: [u8; 16], before in ".{0,90}", after in ".{0,90}",
            gap in prop::sample::select(vec!["", "-", " ", "\n", " - ", "\r\n\t"]), wide: bool,
        ) {
            let digits = RecoveryPassword::from_bytes(Secret::new(key)).digits();
            let text = format!("{before} {} {after}", digits.expose().replace('-', gap));
            let bytes = if wide { utf16(&format!("\u{feff}{text}")) } else { text.into_bytes() };
            if !document::read(None, &bytes).keys.is_empty() {
                prop_assert!(may_hold_key(&bytes));
            }
        }

        #[test]
        fn any_bytes_are_looked_at(bytes: Vec<u8>, from in 0_usize..100) {
            if let Some(range) = find(&bytes, from) {
                prop_assert!(range.start >= from && range.end <= bytes.len() && range.start < range.end);
            }
        }
    }
}
