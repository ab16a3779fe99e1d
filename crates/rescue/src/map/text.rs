//! The map as a file.

use std::fmt;

use super::{Map, Phase, Status};

/// Why a map cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("line {line} of the map {problem}")]
pub struct MapError {
    /// The line, from 1 on.
    pub line: usize,
    /// What is wrong with it.
    pub problem: &'static str,
}

impl Map {
    /// Reads a map that this program, GNU ddrescue or one of its relatives wrote.
    ///
    /// # Errors
    /// When it is none, or its parts do not follow one another.
    pub fn parse(bytes: &[u8]) -> Result<Self, MapError> {
        let mut map = Self::new(0);
        let mut has_status = false;
        for (line, bytes) in (1..).zip(bytes.split(|&byte| byte == b'\n')) {
            let text = String::from_utf8_lossy(bytes);
            let text = text.trim();
            let wrong = |problem| MapError { line, problem };
            if let Some(comment) = text.strip_prefix('#') {
                if !is_heading(comment) {
                    map.comments.push(comment.strip_prefix(' ').unwrap_or(comment).to_owned());
                }
                continue;
            }
            // Behind what counts a line may have a remark.
            let text = text.split('#').next().unwrap_or_default();
            if text.trim().is_empty() {
                continue;
            }
            if has_status {
                map.push(text).map_err(wrong)?;
            } else {
                map.read_status(text).ok_or(wrong("does not say where the copying is"))?;
                has_status = true;
            }
        }
        if has_status { Ok(map) } else { Err(MapError { line: 1, problem: "is the last: it is empty" }) }
    }

    /// Reads `position  status  pass`; older programs write no pass.
    fn read_status(&mut self, text: &str) -> Option<()> {
        let mut words = text.split_whitespace();
        self.position = number(words.next()?)?;
        let phase = only_character(words.next()?)?;
        self.phase = Phase::ALL.into_iter().find(|(_, own)| *own == phase)?.0;
        self.pass = words.next().map_or(Some(1), |pass| u32::try_from(number(pass)?).ok())?;
        words.next().is_none().then_some(())
    }

    /// Adds the part of a line `start  length  status` at the end.
    fn push(&mut self, text: &str) -> Result<(), &'static str> {
        let mut words = text.split_whitespace();
        let mut next = || words.next().ok_or("has too few words");
        let start = number(next()?).ok_or("does not start with a number")?;
        let length = number(next()?).ok_or("has no length")?;
        let status = only_character(next()?);
        let status = Status::ALL.into_iter().find(|(_, own)| Some(*own) == status);
        let (status, _) = status.ok_or("has an unknown status")?;
        if words.next().is_some() {
            return Err("has too many words");
        }
        if length == 0 {
            return Err("is a part without a length");
        }
        // What lies before the first part is not known.
        let gap = if self.size == 0 { start } else { 0 };
        if start != self.size + gap {
            return Err("does not begin where the part before it ends");
        }
        let end = start.checked_add(length).ok_or("ends beyond any drive")?;
        self.totals[Status::NonTried as usize] += gap;
        self.totals[status as usize] += length;
        if gap > 0 {
            self.parts.insert(0, Status::NonTried);
        }
        if self.parts.last_key_value().map(|(_, last)| *last) != Some(status) {
            self.parts.insert(start, status);
        }
        self.size = end;
        Ok(())
    }
}

/// Reads a number as C does: hexadecimal, octal or decimal.
fn number(text: &str) -> Option<u64> {
    let (digits, radix) = match text.as_bytes() {
        [b'0', b'x' | b'X', ..] => (&text[2..], 16),
        [b'0', _, ..] => (&text[1..], 8),
        _ => (text, 10),
    };
    if digits.starts_with('+') { None } else { u64::from_str_radix(digits, radix).ok() }
}

fn only_character(word: &str) -> Option<char> {
    let mut characters = word.chars();
    characters.next().filter(|_| characters.next().is_none())
}

const STATUS_HEADING: &str = " current_pos  current_status  current_pass";
const PARTS_HEADING: &str = "      pos        size  status";

fn is_heading(comment: &str) -> bool {
    [STATUS_HEADING, PARTS_HEADING].iter().any(|heading| heading.trim() == comment.trim())
}

/// As GNU ddrescue writes it.
impl fmt::Display for Map {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for comment in &self.comments {
            writeln!(f, "# {comment}")?;
        }
        let phase =
            Phase::ALL.into_iter().find(|(phase, _)| *phase == self.phase).map_or('?', |found| found.1);
        writeln!(f, "#{STATUS_HEADING}\n{:#010x}     {phase}               {}", self.position, self.pass)?;
        writeln!(f, "#{PARTS_HEADING}")?;
        for (part, status) in self.parts() {
            let letter = Status::ALL.into_iter().find(|(own, _)| *own == status).map_or('?', |found| found.1);
            writeln!(f, "{:#010x}  {:#010x}  {letter}", part.start, part.end - part.start)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As the manual of GNU ddrescue shows it, with what older ones leave out.
    const FOREIGN: &str = "\
# Mapfile. Created by GNU ddrescue version 1.27
# Command line: ddrescue -d /dev/sda3 image image.map
# current_pos  current_status  current_pass
0x00120000     /               2
#      pos        size  status
0x00000200  0x00000200  +
0x00000400  1024  -   # a remark
0x00000800  04000  /
0x00001000  0x00010000  *
";

    #[test]
    fn a_map_of_another_program_is_read() {
        let map = Map::parse(FOREIGN.as_bytes()).expect("a map");
        assert_eq!((map.position, map.phase, map.pass), (0x12_0000, Phase::Scraping, 2));
        let parts: Vec<_> = map.parts().collect();
        let expected = [
            (0..0x200, Status::NonTried),
            (0x200..0x400, Status::Finished),
            (0x400..0x800, Status::Bad),
            (0x800..0x1000, Status::NonScraped),
            (0x1000..0x1_1000, Status::NonTrimmed),
        ];
        assert_eq!(parts, expected);
        assert_eq!(map.comments.len(), 2);
        assert_eq!(Map::parse(map.to_string().as_bytes()).expect("its own text"), map);
        let old = Map::parse(b"0x10 ?\r\n0 0x10 +\r\n").expect("a map");
        assert_eq!((old.position, old.pass, old.is_complete()), (16, 1, true));
    }

    #[test]
    fn what_is_no_map_says_where() {
        for (text, line) in [
            ("", 1),
            ("# a comment\n", 1),
            ("letter", 1),
            ("0 ? 1 1\n", 1),
            ("0 ? 1\n0 1\n", 2),
            ("0 ? 1\n0 1 +\n2 1 +\n", 3),
            ("0 ? 1\n0 2 +\n1 1 +\n", 3),
            ("0 ? 1\n0 0 +\n", 2),
            ("0 ? 1\n\n0 1 ++\n", 3),
            ("0 ? 1\n0 1 + +\n", 2),
            ("0 ? 1\n1 0xffffffffffffffff +\n", 2),
            ("0 ? 1\n0 0x10000000000000000 +\n", 2),
            ("0 ? 1\n-1 1 +\n", 2),
        ] {
            assert_eq!(Map::parse(text.as_bytes()).expect_err("no map").line, line, "{text:?}");
        }
    }
}
