//! Rich Text Format: WordPad, Outlook and word processors of all times.

use encoding_rs::WINDOWS_1252;
use recovery_key::Secret;

/// Groups may lie so deep in one another.
const DEPTH_LIMIT: usize = 1000;

/// Returns the text of a document; what is no RTF becomes some text too.
pub(super) fn text(bytes: &[u8]) -> Secret<String> {
    // A byte becomes three at the most, `\'96` a dash.
    let out = Secret::new(String::with_capacity(bytes.len() * 3));
    let mut reader = Reader {
        rest: bytes,
        out,
        group: Group { skipped: false, skip_after: 1 },
        outer: Vec::new(),
        skip: 0,
    };
    while reader.step() {}
    reader.out
}

#[derive(Clone, Copy)]
struct Group {
    /// Whether it holds something else than text.
    skipped: bool,
    /// How many characters stand behind a `\u` for readers that do not know it.
    skip_after: usize,
}

struct Reader<'a> {
    rest: &'a [u8],
    out: Secret<String>,
    group: Group,
    outer: Vec<Group>,
    /// How many characters to pass over.
    skip: usize,
}

impl Reader<'_> {
    fn step(&mut self) -> bool {
        let Some((&byte, rest)) = self.rest.split_first() else { return false };
        self.rest = rest;
        match byte {
            b'{' if self.outer.len() < DEPTH_LIMIT => self.outer.push(self.group),
            b'}' => {
                self.skip = 0;
                self.group = self.outer.pop().unwrap_or(self.group);
            }
            b'\\' => self.control(),
            b'\r' | b'\n' | b'{' => {}
            byte => self.byte(byte),
        }
        true
    }

    fn control(&mut self) {
        let length = self.rest.iter().take(32).take_while(|byte| byte.is_ascii_alphabetic()).count();
        let (word, rest) = self.rest.split_at(length);
        self.rest = rest;
        if word.is_empty() {
            return self.symbol();
        }
        let number = self.number();
        if let [b' ', rest @ ..] = self.rest {
            self.rest = rest;
        }
        match word {
            b"par" | b"line" | b"row" | b"page" | b"sect" => self.put('\n'),
            b"tab" | b"cell" | b"nestcell" => self.put('\t'),
            b"emdash" | b"endash" => self.put('\u{2013}'),
            b"emspace" | b"enspace" | b"qmspace" => self.put(' '),
            b"u" => {
                let unit = number.unwrap_or(0) as u16;
                // Half of a surrogate pair is no digit.
                self.put(char::from_u32(u32::from(unit)).unwrap_or('\u{fffd}'));
                self.skip = self.group.skip_after;
            }
            b"uc" => self.group.skip_after = usize::try_from(number.unwrap_or(1)).unwrap_or(1).min(64),
            b"bin" => {
                let length = usize::try_from(number.unwrap_or(0)).unwrap_or(0);
                self.rest = self.rest.get(length..).unwrap_or_default();
            }
            b"fonttbl" | b"colortbl" | b"stylesheet" | b"info" | b"pict" | b"objdata" | b"themedata"
            | b"datastore" | b"latentstyles" | b"listtable" | b"rsidtbl" | b"generator" | b"xmlnstbl" => {
                self.group.skipped = true;
            }
            _ => {}
        }
    }

    fn symbol(&mut self) {
        let Some((&symbol, rest)) = self.rest.split_first() else { return };
        self.rest = rest;
        match symbol {
            b'\'' => {
                let hex = |byte: u8| char::from(byte).to_digit(16);
                let pair = rest.first_chunk().and_then(|&[high, low]| Some(hex(high)? << 4 | hex(low)?));
                if let Some(byte) = pair {
                    self.rest = rest.get(2..).unwrap_or_default();
                    self.byte(byte as u8);
                }
            }
            // What a reader that does not know the next word is to pass over.
            b'*' => self.group.skipped = true,
            b'~' => self.put(' '),
            b'_' => self.put('-'),
            b'\r' | b'\n' => self.put('\n'),
            b'\\' | b'{' | b'}' => self.byte(symbol),
            _ => {}
        }
    }

    fn number(&mut self) -> Option<i32> {
        let minus = usize::from(self.rest.first() == Some(&b'-'));
        let digits = self.rest.iter().skip(minus).take(10).take_while(|byte| byte.is_ascii_digit()).count();
        if digits == 0 {
            return None;
        }
        let (number, rest) = self.rest.split_at(minus + digits);
        self.rest = rest;
        std::str::from_utf8(number).ok()?.parse().ok()
    }

    fn byte(&mut self, byte: u8) {
        if self.skip > 0 {
            self.skip -= 1;
        } else if byte.is_ascii() {
            self.put(byte.into());
        } else {
            let (text, _) = WINDOWS_1252.decode_without_bom_handling(std::slice::from_ref(&byte));
            text.chars().for_each(|c| self.put(c));
        }
    }

    fn put(&mut self, c: char) {
        if !self.group.skipped && self.out.expose().len() + c.len_utf8() <= self.out.expose().capacity() {
            self.out.expose_mut().push(c);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn text_is_told_from_what_describes_it() {
        let rtf = br"{\rtf1\ansi{\fonttbl{\f0 Arial 111111;}}{\*\generator Riched20 10.0;}\viewkind4\uc1
\pard\f0 Schl\'fcssel:\par
284867\_596541\endash 514998\emdash\u50?\u50?2\'32\par{\b b}\line\tab\{x\}\u-257?\u8203\'5fy\~z}";
        let read = text(rtf);
        assert_eq!(
            read.expose(),
            "Schlüssel:\n284867-596541\u{2013}514998\u{2013}2222\nb\n\t{x}\u{feff}\u{200b}y z"
        );
    }

    #[test]
    fn bytes_behind_bin_are_no_text() {
        assert_eq!(text(b"{\\rtf1 a\\bin3 {}}b}").expose(), "ab");
        assert_eq!(text(b"{\\rtf1 a\\bin99 b").expose(), "a");
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(bytes: Vec<u8>) {
            let _ = text(&[b"{\\rtf1 ", bytes.as_slice()].concat());
        }
    }
}
