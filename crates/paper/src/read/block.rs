//! The block of our page, read at its places, and whether all of it agrees.

use recovery_key::{KeyIdPrefix, RecoveryPassword, Secret};

use crate::gray::Gray;
use crate::layout::{DIGITS_CODE, GROUP, ID_DIGITS, KEY, SHARE, SHARE_CODE, Square, TEXT_CODE, id_cell};
use crate::read::plane::Surface;
use crate::read::square::Code;
use crate::read::typed::{self, ALPHABET, DECIMAL, HEXADECIMAL, Read};
use crate::read::{ReadError, Said, Source, Sources, bars, square};
use crate::share::Share;

/// What stands on a block.
pub(crate) struct Block {
    digits: Secret<Characters>,
    key_id: Vec<Read>,
    codes: Vec<(Source, Said)>,
}

/// The large digits; they are wiped.
struct Characters(Vec<Read>);

impl zeroize::Zeroize for Characters {
    fn zeroize(&mut self) {
        self.0.iter_mut().for_each(Read::wipe);
    }
}

impl Block {
    /// Reads everything on it; `codes` are those that were found without knowing where to look.
    pub(crate) fn read(gray: &Gray, surface: Surface, codes: &[Code]) -> Self {
        let mut said = Vec::new();
        for (source, place) in [(Source::DigitsCode, DIGITS_CODE), (Source::TextCode, TEXT_CODE)] {
            let found = codes.iter().find(|code| is_at(code, &surface, place));
            let read = || square::read_at(gray, &surface, place);
            let text = found.map(|code| Secret::new(code.text.expose().clone())).or_else(read);
            let first = text.and_then(|text| Said::of_text(text.expose()).into_iter().next());
            said.extend(first.map(|first| (source, first)));
        }
        let key =
            bars::read_at(gray, &surface).and_then(|digits| RecoveryPassword::parse(digits.expose()).ok());
        said.extend(key.map(|key| (Source::Barcode, Said { key, key_id: None })));
        let group = |n: usize| {
            let cells: Vec<_> = (n * GROUP..(n + 1) * GROUP).map(|digit| KEY.cell(digit)).collect();
            typed::read(gray, &surface, &cells, DECIMAL)
        };
        let id: Vec<_> = (0..ID_DIGITS).map(id_cell).collect();
        Self {
            digits: Secret::new(Characters((0..KEY.count()).flat_map(group).collect())),
            key_id: typed::read(gray, &surface, &id, HEXADECIMAL),
            codes: said,
        }
    }

    /// Returns what all of it says, and which parts of it could be read.
    pub(crate) fn agree(self, page: usize) -> Result<(Said, Sources), ReadError> {
        let typed = self.typed();
        let mut all = self.codes.into_iter();
        let digits = &self.digits.expose().0;
        let Some((first, mut said)) = all.next() else {
            let key = typed.map_err(|groups| ReadError::Unreadable { page, groups })?;
            let mut sources = Sources::default();
            sources.add(Source::Digits);
            return Ok((Said { key, key_id: key_id(&self.key_id) }, sources));
        };
        let mut sources = Sources::default();
        sources.add(first);
        for (source, other) in all {
            if other.key != said.key {
                let groups = different(&said.key, &other.key);
                return Err(ReadError::Disagreement { page, one: first, other: source, groups });
            }
            sources.add(source);
            said.key_id = said.key_id.or(other.key_id);
        }
        let groups = contradicted(digits, &said.key);
        // Where most digits are not the key's, it is not digits that were read.
        if agreeing(digits, &said.key) * 2 > digits.len() && !groups.is_empty() {
            return Err(ReadError::Disagreement { page, one: Source::Digits, other: first, groups });
        }
        if typed.is_ok_and(|key| key == said.key) {
            sources.add(Source::Digits);
        }
        let large = key_id(&self.key_id);
        if let (Some(large), Some(id)) = (large, said.key_id)
            && !large.agrees_with(&id)
        {
            return Err(ReadError::KeyIds { page, code: Source::TextCode });
        }
        said.key_id = said.key_id.or(large);
        Ok((said, sources))
    }

    /// Returns the key that the digits are, or the groups that cannot be read.
    fn typed(&self) -> Result<RecoveryPassword, Vec<usize>> {
        let read = &self.digits.expose().0;
        let mut digits = Secret::new(String::with_capacity(read.len()));
        let mut unread = Vec::new();
        for (n, group) in read.chunks(GROUP).enumerate() {
            if group.iter().all(|digit| digit.sure().is_some()) {
                group.iter().filter_map(Read::sure).for_each(|c| digits.expose_mut().push(char::from(c)));
            } else {
                unread.push(n + 1);
            }
        }
        if !unread.is_empty() || read.is_empty() {
            return Err(if read.is_empty() { (1..=KEY.count()).collect() } else { unread });
        }
        RecoveryPassword::parse(digits.expose()).map_err(|error| {
            let wrong: Vec<_> = error.wrong_groups().iter().map(|group| group.number).collect();
            if wrong.is_empty() { (1..=KEY.count()).collect() } else { wrong }
        })
    }
}

/// Reads the share on a sheet: its code at its place, else its characters.
pub(crate) fn share(gray: &Gray, surface: &Surface) -> Option<Share> {
    let code = square::read_at(gray, surface, SHARE_CODE);
    code.and_then(|text| Share::of_code(text.expose())).or_else(|| {
        let mut text = Secret::new(String::with_capacity(SHARE.count() * GROUP));
        for n in 0..SHARE.count() {
            let cells: Vec<_> = (n * GROUP..(n + 1) * GROUP).map(|place| SHARE.cell(place)).collect();
            for character in typed::read(gray, surface, &cells, ALPHABET.len()) {
                text.expose_mut().push(char::from(character.sure()?));
            }
        }
        Share::parse(text.expose()).ok()
    })
}

fn is_at(code: &Code, surface: &Surface, place: Square) -> bool {
    let middle = place.module_at(place.modules as f32 / 2.0 - 0.5, place.modules as f32 / 2.0 - 0.5);
    code.at.distance(surface.at(middle)) < f64::from(place.side()) / 3.0 * surface.scale(middle)
}

/// Returns the large digits of the key ID when all of them were surely read.
fn key_id(read: &[Read]) -> Option<KeyIdPrefix> {
    let text: Option<String> = read.iter().map(|digit| digit.sure().map(char::from)).collect();
    text?.parse().ok()
}

/// Returns the groups in which two keys differ, from 1.
fn different(one: &RecoveryPassword, other: &RecoveryPassword) -> Vec<usize> {
    let pairs = one.bytes().expose().chunks(2).zip(other.bytes().expose().chunks(2));
    pairs.enumerate().filter(|(_, (a, b))| a != b).map(|(n, _)| n + 1).collect()
}

/// Returns how many digits were surely read and are the key's.
fn agreeing(read: &[Read], key: &RecoveryPassword) -> usize {
    let digits = key.digits();
    let digits = digits.expose().bytes().filter(u8::is_ascii_digit);
    digits.zip(read).filter(|(digit, read)| read.sure() == Some(*digit)).count()
}

/// Returns the groups in which a digit was surely read that is not the key's, from 1.
fn contradicted(read: &[Read], key: &RecoveryPassword) -> Vec<usize> {
    let digits = key.digits();
    let groups = digits.expose().split('-').zip(read.chunks(GROUP));
    groups
        .enumerate()
        .filter(|(_, (group, read))| group.bytes().zip(*read).any(|(digit, read)| read.contradicts(digit)))
        .map(|(n, _)| n + 1)
        .collect()
}
