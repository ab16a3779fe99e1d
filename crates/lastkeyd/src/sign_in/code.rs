//! Codes that people copy by hand: the account code, and invitations.
//!
//! Crockford's Base32 in groups of four. It has no I, L, O or U; whoever writes an O means a zero. An account code
//! has one group more, by which a slip is seen before anything is tried.

use recovery_key::Secret;
use sha2::{Digest, Sha256};

use crate::error::Error;

const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const GROUP: usize = 4;
/// The bytes of an account code, and its letters.
const LENGTH: usize = 20;
const LETTERS: usize = LENGTH * 8 / 5;

/// The printed way back into an account: 160 random bits.
pub struct AccountCode(Secret<[u8; LENGTH]>);

impl AccountCode {
    /// Makes a code.
    ///
    /// # Errors
    /// When the system has no random numbers.
    pub fn generate() -> Result<Self, Error> {
        super::random().map(|bytes| Self(Secret::new(bytes)))
    }

    /// Returns it as it is printed: eight groups, and the check group.
    #[must_use]
    pub fn text(&self) -> Secret<String> {
        Secret::new(grouped(&(letters(self.0.expose()) + &self.check())))
    }

    /// Reads what somebody typed, in large or small letters, with or without hyphens.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub fn parse(typed: &str) -> Result<Self, String> {
        let letters = read(typed)?;
        if letters.len() != LETTERS + GROUP {
            return Err(format!(
                "An account code has {} letters and digits in {} groups of four; here are {}.",
                LETTERS + GROUP,
                LETTERS / GROUP + 1,
                letters.len()
            ));
        }
        let mut bytes = Secret::new([0; LENGTH]);
        for (group, out) in letters.chunks_exact(8).zip(bytes.expose_mut().chunks_exact_mut(5)) {
            let value = group.iter().fold(0u64, |value, letter| value << 5 | u64::from(*letter));
            out.copy_from_slice(value.to_be_bytes().get(3..).unwrap_or_default());
        }
        let code = Self(bytes);
        let check: String = letters.iter().skip(LETTERS).map(|letter| symbol(*letter)).collect();
        if check == code.check() {
            Ok(code)
        } else {
            Err("There is a slip in this account code: its last group does not fit the others.".to_owned())
        }
    }

    /// Returns what keys are made of.
    #[must_use]
    pub fn material(&self) -> Secret<[u8; 32]> {
        Secret::new(
            Sha256::new_with_prefix(b"lastkeyd account code ")
                .chain_update(self.0.expose())
                .finalize()
                .into(),
        )
    }

    fn check(&self) -> String {
        let hash = Sha256::new_with_prefix(b"lastkeyd check ").chain_update(self.0.expose()).finalize();
        letters(hash.get(..5).unwrap_or_default()).get(..GROUP).unwrap_or_default().to_owned()
    }
}

/// Makes an invitation: 80 random bits, good for one account.
///
/// # Errors
/// When the system has no random numbers.
pub fn invitation() -> Result<String, Error> {
    Ok(grouped(&letters(&super::random::<10>()?)))
}

/// Returns by what an invitation is found, however it was typed.
#[must_use]
pub fn invitation_hash(typed: &str) -> Vec<u8> {
    Sha256::digest(read(typed).unwrap_or_default()).to_vec()
}

fn letters(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len() * 2);
    for chunk in bytes.chunks_exact(5) {
        let value = chunk.iter().fold(0u64, |value, byte| value << 8 | u64::from(*byte));
        out.extend((0..8).rev().map(|place| symbol((value >> (5 * place) & 31) as u8)));
    }
    out
}

fn grouped(letters: &str) -> String {
    letters.as_bytes().chunks(GROUP).map(String::from_utf8_lossy).collect::<Vec<_>>().join("-")
}

fn symbol(value: u8) -> char {
    ALPHABET.get(usize::from(value)).map_or('0', |letter| char::from(*letter))
}

/// Reads letters, and passes over what stands between groups.
fn read(typed: &str) -> Result<Vec<u8>, String> {
    if typed.len() > 200 {
        return Err("This is longer than any code.".to_owned());
    }
    let between = |c: &char| !c.is_whitespace() && *c != '-' && *c != '\u{2013}';
    typed
        .chars()
        .filter(between)
        .map(|c| {
            let letter = match c.to_ascii_uppercase() {
                'O' => '0',
                'I' | 'L' => '1',
                letter => letter,
            };
            let place = ALPHABET.iter().position(|known| char::from(*known) == letter);
            place
                .and_then(|place| u8::try_from(place).ok())
                .ok_or_else(|| format!("There is no {c:?} in any code."))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_code_is_read_however_it_is_typed() {
        for _ in 0..200 {
            let code = AccountCode::generate().unwrap();
            let text = code.text().expose().clone();
            assert_eq!(text.split('-').map(str::len).collect::<Vec<_>>(), [4; 9]);
            let careless = text.to_lowercase().replace('-', " ").replace('0', "o").replace('1', "l");
            assert_eq!(AccountCode::parse(&careless).unwrap().material(), code.material());
        }
    }

    #[test]
    fn a_slip_is_seen() {
        let text = AccountCode::generate().unwrap().text().expose().clone();
        let first = if text.starts_with('Z') { "Y" } else { "Z" };
        assert!(AccountCode::parse(&text.replacen(|_: char| true, first, 1)).is_err());
        assert!(AccountCode::parse(&text[..39]).is_err());
        assert!(AccountCode::parse(&format!("{text}0")).is_err());
        assert!(AccountCode::parse("").is_err());
        assert!(AccountCode::parse("U").is_err());
        assert!(AccountCode::parse(&"0".repeat(100_000)).is_err());
    }

    #[test]
    fn an_invitation_is_found_however_it_is_typed() {
        let code = invitation().unwrap();
        assert_eq!(code.len(), 19);
        assert_eq!(invitation_hash(&code), invitation_hash(&code.to_lowercase().replace('-', "")));
        assert_ne!(invitation_hash(&code), invitation_hash(&invitation().unwrap()));
    }
}
