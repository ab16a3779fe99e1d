//! Names that every computer takes, and that lead nowhere else.

use std::collections::HashSet;

use unlocked::Name;

/// Longest name of a file on the file systems of Linux, in bytes.
const LONGEST: usize = 255;

/// The names given out in one folder.
#[derive(Default)]
pub struct Names(HashSet<String>);

impl Names {
    /// Returns the name for what has this name and number elsewhere: the very name where it is harmless, else the nearest that is. No two in a folder
    /// are alike, capital letters and small ones being the same.
    pub fn take(&mut self, name: &Name, id: u64) -> String {
        let safe = safe(name);
        if self.0.insert(safe.to_lowercase()) {
            return safe;
        }
        let other = marked(&safe, id);
        self.0.insert(other.to_lowercase());
        other
    }
}

/// Returns a name in which nothing is a path, a device of Windows or an order to a terminal: such characters become
/// their number behind a percent sign.
pub fn safe(name: &Name) -> String {
    let mut text = String::new();
    for unit in char::decode_utf16(name.units().iter().copied()) {
        match unit {
            Ok(c) if is_safe(c) => text.push(c),
            Ok(c) => encode(&mut text, u32::from(c)),
            Err(half) => encode(&mut text, half.unpaired_surrogate().into()),
        }
    }
    // Windows drops dots and spaces at the end, so `..` would be the folder above, in any case.
    let kept = text.trim_end_matches(['.', ' ']).len();
    let end: Vec<char> = text.drain(kept..).collect();
    end.into_iter().for_each(|c| encode(&mut text, c.into()));
    if text.is_empty() {
        text.push_str("%00");
    }
    if is_device(&text) {
        let first = text.remove(0);
        let mut start = String::new();
        encode(&mut start, first.into());
        text.insert_str(0, &start);
    }
    if text.len() > LONGEST {
        let sum = crc32fast::hash(text.as_bytes());
        text = shortened(&text, &format!("~{sum:08x}"));
    }
    text
}

fn is_safe(c: char) -> bool {
    let turns = matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    !(c.is_control() || turns || "<>:\"/\\|?*".contains(c))
}

fn encode(text: &mut String, number: u32) {
    text.push_str(&if number < 0x100 { format!("%{number:02X}") } else { format!("%u{number:04X}") });
}

/// Returns whether Windows takes a name for a device, whatever stands behind its first dot.
fn is_device(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default().trim_end().to_ascii_uppercase();
    let numbered = |start| {
        let number: Option<&str> = stem.strip_prefix(start);
        number.is_some_and(|number| {
            matches!(number, "0" | "1" | "2" | "3" | "4" | "5" | "6" | "7" | "8" | "9" | "¹" | "²" | "³")
        })
    };
    matches!(&*stem, "CON" | "PRN" | "AUX" | "NUL" | "CONIN$" | "CONOUT$")
        || numbered("COM")
        || numbered("LPT")
}

/// Returns another name for something whose name is taken, by its number.
fn marked(name: &str, id: u64) -> String {
    shortened(name, &format!("~{id:x}"))
}

/// Puts a mark in front of the extension, and makes room for it.
fn shortened(name: &str, mark: &str) -> String {
    let dot = name.rfind('.').filter(|&dot| dot > 0 && name.len() - dot <= 16).unwrap_or(name.len());
    let (stem, extension) = name.split_at(dot);
    let mut end = stem.len().min(LONGEST.saturating_sub(mark.len() + extension.len()));
    while !stem.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}{mark}{extension}", &stem[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn harmless_names_stay() {
        for name in
            ["a.txt", "Grüße, 世界 😀", ".hidden", "a..b", "100%", "console.log", "com10", "~$letter.doc"]
        {
            assert_eq!(safe(&name.into()), name);
        }
    }

    #[test]
    fn names_that_lead_elsewhere_do_not() {
        for (name, expected) in [
            ("..", "%2E%2E"),
            (".", "%2E"),
            ("", "%00"),
            ("../../etc/passwd", "..%2F..%2Fetc%2Fpasswd"),
            (r"C:\Windows", "C%3A%5CWindows"),
            ("a. .", "a%2E%20%2E"),
            ("nul", "%6Eul"),
            ("CON.tar.gz", "%43ON.tar.gz"),
            ("com1 .txt", "%63om1 .txt"),
            ("lpt²", "%6Cpt²"),
            ("a\0b\n", "a%00b%0A"),
            ("photo\u{202e}gpj.exe", "photo%u202Egpj.exe"),
        ] {
            assert_eq!(safe(&name.into()), expected);
        }
        assert_eq!(safe(&Name::from_units([0x61, 0xd83d])), "a%uD83D");
    }

    #[test]
    fn long_names_are_cut_and_stay_apart() {
        let long = |last: &str| safe(&Name::from(format!("{}{last}.jpeg", "世".repeat(249)).as_str()));
        let (one, other) = (long("a"), long("b"));
        assert!(one.len() <= LONGEST && one.ends_with(".jpeg") && one != other, "{one}");
    }

    #[test]
    fn names_that_are_alike_on_other_computers_are_kept_apart() {
        let mut names = Names::default();
        assert_eq!(names.take(&"Makefile".into(), 1), "Makefile");
        assert_eq!(names.take(&"makefile".into(), 0x2a), "makefile~2a");
        assert_eq!(names.take(&"MAKEFILE.TXT".into(), 3), "MAKEFILE.TXT");
        assert_eq!(names.take(&"makefile.txt".into(), 4), "makefile~4.txt");
    }
}
