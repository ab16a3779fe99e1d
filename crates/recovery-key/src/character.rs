//! What one character means in a recovery key or a key ID, in whatever script it was typed.

/// The zero of each row of ten decimal digits in Unicode 17 (general category Nd), ascending.
const ZEROS: [char; 77] = [
    '\u{0030}',
    '\u{0660}',
    '\u{06f0}',
    '\u{07c0}',
    '\u{0966}',
    '\u{09e6}',
    '\u{0a66}',
    '\u{0ae6}',
    '\u{0b66}',
    '\u{0be6}',
    '\u{0c66}',
    '\u{0ce6}',
    '\u{0d66}',
    '\u{0de6}',
    '\u{0e50}',
    '\u{0ed0}',
    '\u{0f20}',
    '\u{1040}',
    '\u{1090}',
    '\u{17e0}',
    '\u{1810}',
    '\u{1946}',
    '\u{19d0}',
    '\u{1a80}',
    '\u{1a90}',
    '\u{1b50}',
    '\u{1bb0}',
    '\u{1c40}',
    '\u{1c50}',
    '\u{a620}',
    '\u{a8d0}',
    '\u{a900}',
    '\u{a9d0}',
    '\u{a9f0}',
    '\u{aa50}',
    '\u{abf0}',
    '\u{ff10}',
    '\u{104a0}',
    '\u{10d30}',
    '\u{10d40}',
    '\u{11066}',
    '\u{110f0}',
    '\u{11136}',
    '\u{111d0}',
    '\u{112f0}',
    '\u{11450}',
    '\u{114d0}',
    '\u{11650}',
    '\u{116c0}',
    '\u{116d0}',
    '\u{116da}',
    '\u{11730}',
    '\u{118e0}',
    '\u{11950}',
    '\u{11bf0}',
    '\u{11c50}',
    '\u{11d50}',
    '\u{11da0}',
    '\u{11de0}',
    '\u{11f50}',
    '\u{16130}',
    '\u{16a60}',
    '\u{16ac0}',
    '\u{16b50}',
    '\u{16d70}',
    '\u{1ccf0}',
    '\u{1d7ce}',
    '\u{1d7d8}',
    '\u{1d7e2}',
    '\u{1d7ec}',
    '\u{1d7f6}',
    '\u{1e140}',
    '\u{1e2f0}',
    '\u{1e4f0}',
    '\u{1e5f1}',
    '\u{1e950}',
    '\u{1fbf0}',
];

/// Returns the value of a decimal digit of any script.
pub fn decimal(c: char) -> Option<u8> {
    if c.is_ascii() {
        return c.is_ascii_digit().then(|| c as u8 - b'0');
    }
    let row = ZEROS.partition_point(|&zero| zero <= c).checked_sub(1)?;
    u8::try_from(u32::from(c) - u32::from(*ZEROS.get(row)?)).ok().filter(|&value| value < 10)
}

/// Returns the value of a hexadecimal digit, half or full width.
pub(crate) fn hex(c: char) -> Option<u8> {
    let letter = match c {
        'a'..='f' | 'A'..='F' => c as u8,
        // Full-width letters keep the order of ASCII, 0xfee0 higher.
        '\u{ff21}'..='\u{ff26}' | '\u{ff41}'..='\u{ff46}' => u8::try_from(u32::from(c) - 0xfee0).ok()?,
        _ => return decimal(c),
    };
    Some(letter.to_ascii_lowercase() - b'a' + 10)
}

/// Says whether a character is part of a word: a digit of any script or a Latin letter.
///
/// Other letters are not: in scripts without spaces the text before a GUID touches it.
pub(crate) fn is_word(c: char) -> bool {
    c.is_ascii_alphabetic() || decimal(c).is_some() || hex(c).is_some()
}

/// Says whether a character looks like a dash, whatever Unicode takes it for.
pub(crate) fn is_dash(c: char) -> bool {
    matches!(
        c,
        '-' | '\u{ad}' | '\u{2d7}' | '\u{58a}' | '\u{5be}' | '\u{1400}' | '\u{1806}' | '\u{2010}'
            ..='\u{2015}'
                | '\u{2043}'
                | '\u{207b}'
                | '\u{208b}'
                | '\u{2212}'
                | '\u{2500}'
                | '\u{2501}'
                | '\u{2796}'
                | '\u{2e17}'
                | '\u{2e1a}'
                | '\u{2e3a}'
                | '\u{2e3b}'
                | '\u{2e40}'
                | '\u{2e5d}'
                | '\u{301c}'
                | '\u{3030}'
                | '\u{30a0}'
                | '\u{30fc}'
                | '\u{fe31}'
                | '\u{fe32}'
                | '\u{fe58}'
                | '\u{fe63}'
                | '\u{ff0d}'
                | '\u{ff70}'
                | '\u{10ead}'
    )
}

/// Says whether a character has no shape of its own: direction marks, joiners, byte order marks.
///
/// Text in right-to-left languages has direction marks around its digits.
pub fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{feff}')
}

/// Says whether a character may stand between the digits of a typed recovery key.
///
/// Besides spaces and dashes: what barcode scanners type for a dash on a foreign keyboard layout,
/// and the punctuation people use in its place.
pub fn is_separator(c: char) -> bool {
    c.is_whitespace()
        || is_dash(c)
        || is_invisible(c)
        || matches!(c, '+' | '.' | ',' | ':' | ';' | '/' | '|' | '\u{b7}' | '\u{2022}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rows_of_digits_are_rows_of_digits() {
        assert!(ZEROS.is_sorted());
        for zero in ZEROS {
            for value in 0..10 {
                let c = char::from_u32(u32::from(zero) + u32::from(value)).expect("a character");
                assert!(c.is_numeric(), "{c:?}");
                assert_eq!(decimal(c), Some(value));
            }
        }
    }

    #[test]
    fn only_digits_are_digits() {
        for c in ['/', ':', 'O', 'l', '\u{b2}', '\u{bd}', '\u{2460}', '\u{4e00}', '\u{ff0f}', '\u{ff1a}'] {
            assert_eq!(decimal(c), None, "{c:?}");
        }
        assert_eq!(('\0'..=char::MAX).filter(|&c| decimal(c).is_some()).count(), 770);
        assert_eq!(
            (hex('f'), hex('F'), hex('\u{ff26}'), hex('\u{ff41}'), hex('g')),
            (Some(15), Some(15), Some(15), Some(10), None)
        );
    }

    #[test]
    fn no_character_is_two_things() {
        for c in '\0'..=char::MAX {
            let roles = [is_word(c), is_dash(c), is_invisible(c), c.is_whitespace()];
            assert!(roles.iter().filter(|&&role| role).count() <= 1, "{c:?}");
            assert!(!(is_word(c) && is_separator(c)), "{c:?}");
        }
    }
}
