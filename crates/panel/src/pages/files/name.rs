//! Names of files that somebody else gave, in places where they could do harm: paths, headers, archives.

use std::fmt::Write as _;

use unlocked::Name;

/// The longest name that every system takes, in bytes.
const LONGEST: usize = 240;

/// Whether a browser keeps such a name in a path: `.` and `..` it takes for steps, and never asks for them.
pub fn can_be_in_a_path(name: &Name) -> bool {
    !matches!(&*name.to_bytes(), b"" | b"." | b"..")
}

/// Writes a name into a path.
pub fn in_path(name: &Name) -> String {
    encoded(&name.to_bytes())
}

fn encoded(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len()), |mut text, &byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            text.push(char::from(byte));
        } else {
            let _ = write!(text, "%{byte:02X}");
        }
        text
    })
}

/// Takes a path apart again. It may have names that are no UTF-8.
pub fn segments(path: &str) -> Vec<Name> {
    path.split('/')
        .filter(|segment| !segment.is_empty())
        .map(|segment| Name::from_bytes(&decoded(segment)))
        .collect()
}

fn decoded(segment: &str) -> Vec<u8> {
    let bytes = segment.as_bytes();
    let (mut out, mut at) = (Vec::with_capacity(bytes.len()), 0);
    while let Some(&byte) = bytes.get(at) {
        let digits = (byte == b'%').then(|| bytes.get(at + 1..at + 3)).flatten();
        let hex = |digit: u8| char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        let value = digits.and_then(|digits| Some(hex(*digits.first()?)? << 4 | hex(*digits.get(1)?)?));
        out.push(value.unwrap_or(byte));
        at += if value.is_some() { 3 } else { 1 };
    }
    out
}

/// Makes a name under which the file can be saved anywhere: nothing that ends a header, leads to another folder, hides
/// its own end, or means something to Windows.
pub fn saved(name: &str) -> String {
    let harmless = |char: char| {
        let is_mark = matches!(char, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}' | '\u{fffd}');
        if char.is_control() || is_mark || r#"/\:*?"<>|"#.contains(char) { '_' } else { char }
    };
    let mut saved = String::with_capacity(name.len().min(LONGEST));
    for char in name.chars().map(harmless) {
        if saved.len() + char.len_utf8() > LONGEST {
            break;
        }
        saved.push(char);
    }
    // Windows drops dots and spaces at the end.
    let kept = saved.trim_end_matches(['.', ' ']).trim_start();
    if kept.is_empty() { "_".to_owned() } else { kept.to_owned() }
}

/// Returns the header that lets a browser save a file under a name (RFC 6266), and never show it.
pub fn disposition(name: &str) -> String {
    let name = saved(name);
    let plain: String = name.chars().map(|char| if char.is_ascii() { char } else { '_' }).collect();
    let plain = plain.replace('%', "_");
    format!("attachment; filename=\"{plain}\"; filename*=UTF-8''{}", encoded(name.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_comes_back_from_a_path() {
        let names: [&[u16]; 4] =
            [&[0x41, 0x20, 0x25], &[0xd83d, 0xde00], &[0xd83d], &[0x23, 0x3f, 0x26, 0x2b]];
        for units in names {
            let name = Name::from_units(units.iter().copied());
            let path = in_path(&name);
            assert!(
                path.bytes().all(|byte| byte.is_ascii_graphic() && !b"#?&+\"<>".contains(&byte)),
                "{path}"
            );
            assert_eq!(segments(&format!("a/{path}/")), [Name::from("a"), name]);
        }
        assert_eq!(segments("%"), [Name::from("%")]);
        assert_eq!(segments("%2"), [Name::from("%2")]);
        assert_eq!(segments("%zz%41"), [Name::from("%zzA")]);
        assert!(!can_be_in_a_path(&Name::from("..")) && can_be_in_a_path(&Name::from("...")));
    }

    #[test]
    fn hostile_names_do_no_harm() {
        let header = disposition("a\"; filename=\"b.exe\r\nSet-Cookie: x=1");
        assert_eq!(
            header,
            "attachment; filename=\"a_; filename=_b.exe__Set-Cookie_ x=1\"; \
             filename*=UTF-8''a_%3B%20filename%3D_b.exe__Set-Cookie_%20x%3D1"
        );
        assert_eq!(
            disposition("Übersicht 50%.txt"),
            "attachment; filename=\"_bersicht 50_.txt\"; filename*=UTF-8''%C3%9Cbersicht%2050%25.txt"
        );
        assert_eq!(saved("../../etc/passwd"), ".._.._etc_passwd");
        assert_eq!(saved("photo\u{202e}gpj.exe"), "photo_gpj.exe");
        assert_eq!([saved(".."), saved(" . "), saved("")], ["_", "_", "_"]);
        assert_eq!(saved(&"ä".repeat(500)).len(), LONGEST);
    }
}
