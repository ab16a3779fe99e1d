//! Finds key IDs and runs of digits in a text by their form, in one pass whose cost is linear.
//!
//! The text is cut into words: runs of digits and Latin letters. What stands between two words is
//! remembered as far as it matters: a dash or spaces or one line break join, anything else parts.

use std::ops::Range;

use crate::character::{decimal, hex, is_dash, is_invisible, is_word};
use crate::password::DIGITS;
use crate::{DigitsError, KeyIdPrefix, RecoveryPassword};

/// The digits of a GUID between its hyphens.
const GUID: [u16; 5] = [8, 4, 4, 4, 12];
/// More of them tell nobody anything.
const WRONG_LIMIT: usize = 100;

/// Something found in a text.
#[derive(Debug)]
pub(super) struct Token {
    pub(super) what: What,
    /// The line it starts in, from 1.
    pub(super) line: usize,
    /// Whether nothing else is on its line or lines.
    pub(super) alone: bool,
    /// Whether an opening brace is before it.
    pub(super) braced: bool,
}

impl Token {
    /// Says whether it is what it looks like.
    pub(super) fn is_sure(&self) -> bool {
        !matches!(self.what, What::Wrong(_))
    }
}

#[derive(Debug)]
pub(super) enum What {
    /// A key ID, whole or cut off.
    Id(KeyIdPrefix),
    /// 48 digits that pass their check.
    Password(RecoveryPassword),
    /// Digits that look as if they were to pass it.
    Wrong(DigitsError),
}

/// Finds everything in a text, in its order, but at most [`WRONG_LIMIT`] times wrong digits.
pub(super) fn scan(text: &str) -> Vec<Token> {
    let words = words(text);
    let mut rest = &words[..];
    let (mut found, mut wrong_left) = (Vec::new(), WRONG_LIMIT);
    while !rest.is_empty() {
        let hit = (0..rest.len()).find_map(|at| Some((at, hit_at(text, &rest[at..])?)));
        let free = hit.as_ref().map_or(rest.len(), |(at, _)| *at);
        let before = found.len();
        found.extend(wrong_digits(text, &rest[..free]).take(wrong_left));
        wrong_left -= found.len() - before;
        rest = &rest[free..];
        if let Some((_, (what, count))) = hit {
            found.push((span(&rest[..count]), what));
            rest = &rest[count..];
        }
    }
    tokens(text, found)
}

/// Finds the last key ID in the name of a file.
pub(super) fn last_id(name: &str) -> Option<KeyIdPrefix> {
    let is_id = |token: Token| if let What::Id(id) = token.what { Some(id) } else { None };
    scan(name).into_iter().rev().find_map(is_id)
}

/// A run of digits and letters, kept if it is all hexadecimal or has a decimal digit in it.
struct Word {
    start: usize,
    end: usize,
    /// Characters, invisible ones not counted; saturates.
    len: u16,
    /// How many of them are decimal digits.
    digits: u16,
    /// Whether all of them are hexadecimal digits.
    hex: bool,
    /// What is between the word before and this one.
    gap: Gap,
}

impl Word {
    fn all_digits(&self) -> bool {
        self.digits == self.len
    }
}

#[derive(Clone, Copy, Default)]
struct Gap {
    /// Something that parts: punctuation, other letters, an empty line, two dashes.
    wall: bool,
    dash: bool,
    line: bool,
}

impl Gap {
    const WALL: Self = Self { wall: true, dash: false, line: false };

    fn add(&mut self, c: char) {
        if is_dash(c) {
            self.wall |= self.dash;
            self.dash = true;
        } else if c == '\n' {
            self.wall |= self.line;
            self.line = true;
        } else if !c.is_whitespace() {
            self.wall = true;
        }
    }
}

fn words(text: &str) -> Vec<Word> {
    let mut words = Vec::new();
    let mut open: Option<Word> = None;
    let mut gap = Gap::WALL;
    for (start, c) in text.char_indices().filter(|&(_, c)| !is_invisible(c)) {
        if is_word(c) {
            let word = open.get_or_insert(Word { start, end: start, len: 0, digits: 0, hex: true, gap });
            word.end = start + c.len_utf8();
            word.len = word.len.saturating_add(1);
            word.digits = word.digits.saturating_add(decimal(c).is_some().into());
            word.hex &= hex(c).is_some();
        } else {
            if let Some(word) = open.take() {
                gap = close(word, &mut words);
            }
            gap.add(c);
        }
    }
    if let Some(word) = open {
        close(word, &mut words);
    }
    words
}

/// Keeps a finished word if it can be part of anything, and returns the gap behind it so far.
fn close(word: Word, words: &mut Vec<Word>) -> Gap {
    if word.hex || word.digits > 0 {
        words.push(word);
        Gap::default()
    } else {
        Gap::WALL
    }
}

/// Takes what begins with the first word, and says how many words it has.
fn hit_at(text: &str, words: &[Word]) -> Option<(What, usize)> {
    let id = id_at(text, words).map(|(id, count)| (What::Id(id), count));
    id.or_else(|| password_at(text, words).map(|(password, count)| (What::Password(password), count)))
}

/// Takes a GUID, or the start of one, at the first word.
fn id_at(text: &str, words: &[Word]) -> Option<(KeyIdPrefix, usize)> {
    let dashed = |word: &Word| word.gap.dash && !word.gap.wall;
    let first = words.first().filter(|word| word.hex)?;
    let joined =
        1 + words.iter().skip(1).take(GUID.len() - 1).take_while(|word| word.hex && dashed(word)).count();
    let whole = words.iter().zip(&GUID).take(joined).take_while(|(word, len)| word.len == **len).count();
    let letters = |words: &[Word]| words.iter().any(|word| !word.all_digits());
    let count = match whole {
        // The eight digits that the recovery screen shows, on their own.
        1 => (joined == 1 && !dashed(first) && letters(&words[..1]) && first.digits > 0).then_some(1)?,
        // A date and a time also have eight and four digits, but no letters.
        2 if joined == 2 => letters(&words[..2]).then_some(2)?,
        2.. if joined == whole => whole,
        2.. if words[whole].len < GUID[whole] => whole + 1,
        _ => return None,
    };
    Some((text[span(&words[..count])].parse().ok()?, count))
}

/// Takes 48 digits that begin with the first word, however they are grouped or wrapped.
fn password_at(text: &str, words: &[Word]) -> Option<(RecoveryPassword, usize)> {
    let mut digits = 0;
    for (place, word) in words.iter().enumerate() {
        if !word.all_digits() || (place > 0 && word.gap.wall) || (place == 0 && word.len < 6) {
            return None;
        }
        digits += usize::from(word.len);
        if digits >= DIGITS {
            let taken = &words[..=place];
            let digits = text[span(taken)].chars().filter_map(decimal);
            return Some((RecoveryPassword::from_digits(digits)?, taken.len()));
        }
    }
    None
}

/// Finds what looks like a recovery key among words that are part of nothing else.
fn wrong_digits(text: &str, words: &[Word]) -> impl Iterator<Item = (Range<usize>, What)> {
    let mut rest = words;
    let chains = std::iter::from_fn(move || {
        let (chain, behind) = rest.split_at_checked(chain_len(rest).max(1))?;
        rest = behind;
        Some(chain)
    });
    chains.filter(|chain| is_nearly_a_key(chain)).filter_map(|chain| {
        let error = RecoveryPassword::parse(&text[span(chain)]).err()?;
        Some((span(chain), What::Wrong(error)))
    })
}

/// Says whether joined words have nearly the form of a recovery key, grouped or not.
fn is_nearly_a_key(chain: &[Word]) -> bool {
    let whole = chain.iter().filter(|word| word.len == 6).count();
    let digits: usize = chain.iter().map(|word| usize::from(word.digits)).sum();
    match chain {
        [run] => run.all_digits() && usize::from(run.len).abs_diff(DIGITS) <= 1,
        _ => (7..=9).contains(&chain.len()) && whole >= 6 && digits >= DIGITS - 8,
    }
}

/// Counts the words from the first on that are nearly groups and joined in one way.
fn chain_len(words: &[Word]) -> usize {
    let near = |word: &&Word| (4..=8).contains(&word.len) && word.digits * 2 > word.len;
    let dashed = words.get(1).is_some_and(|second| second.gap.dash);
    let joined = |word: &Word| !word.gap.wall && (word.gap.dash == dashed || word.gap.line);
    words.iter().enumerate().take_while(|(place, word)| near(word) && (*place == 0 || joined(word))).count()
}

fn span(words: &[Word]) -> Range<usize> {
    match words {
        [] => 0..0,
        [first, .., last] => first.start..last.end,
        [only] => only.start..only.end,
    }
}

/// Adds where each find stands.
fn tokens(text: &str, found: Vec<(Range<usize>, What)>) -> Vec<Token> {
    let (mut line, mut counted) = (1, 0);
    let blank = |c: char| c != '\n' && (c.is_whitespace() || is_invisible(c));
    let place = |(span, what): (Range<usize>, What)| {
        line += text[counted..span.start].matches('\n').count();
        counted = span.start;
        let before = text[..span.start].trim_end_matches(blank);
        let after = text[span.end..].trim_start_matches(blank);
        let alone =
            (before.is_empty() || before.ends_with('\n')) && (after.is_empty() || after.starts_with('\n'));
        Token { what, line, alone, braced: before.ends_with('{') }
    };
    found.into_iter().map(place).collect()
}
