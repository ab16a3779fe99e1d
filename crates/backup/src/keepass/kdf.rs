//! From the credentials to the keys of a database: the slow part, and how slow it may be.

use aes::Aes256;
use aes::cipher::{Array, BlockCipherEncrypt, KeyInit};
use argon2::{Algorithm, Argon2, Params, Version};
use recovery_key::Secret;
use sha2::{Digest, Sha256};

use super::error::KeePassError;

const AES: [u8; 16] = *b"\xc9\xd9\xf3\x9a\x62\x8a\x44\x60\xbf\x74\x0d\x08\xc1\x8a\x4f\xea";
const AES_4: [u8; 16] = *b"\x7c\x02\xbb\x82\x79\xa7\x4a\xc0\x92\x7d\x11\x4a\x00\x64\x82\x38";
const ARGON2D: [u8; 16] = *b"\xef\x63\x6d\xdf\x8c\x29\x44\x4b\x91\xf7\xa9\xa4\x03\xe3\x0a\x0c";
const ARGON2ID: [u8; 16] = *b"\x9e\x29\x8b\x19\x56\xdb\x47\x73\xb2\x3d\xfc\x3e\xc6\xf0\xa1\xe6";

/// A database asks for more memory than this only to do harm.
const MEMORY_LIMIT: u64 = 2 << 30;
/// All that Argon2 may write, pass after pass: about a minute.
const WRITING_LIMIT: u64 = 64 << 30;
/// About half a minute.
const ROUNDS_LIMIT: u64 = 1_000_000_000;
const LANES_LIMIT: u32 = 64;
const SALT_LIMIT: usize = 1024;

/// Argon2id over 64 MiB, ten times, in two lanes: about a second, as KeePassXC chooses.
pub(super) const NEW: NewKdf = NewKdf { memory: 64 << 20, passes: 10, lanes: 2 };

/// What a new database asks for.
#[derive(Clone, Copy, Debug)]
pub(super) struct NewKdf {
    pub(super) memory: u64,
    pub(super) passes: u64,
    pub(super) lanes: u32,
}

/// How a database stretches its credentials.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kdf {
    /// AES over and over.
    Aes { rounds: u64, seed: [u8; 32] },
    /// Argon2d or Argon2id.
    Argon2 { algorithm: Algorithm, version: Version, memory: u64, passes: u64, lanes: u32, salt: Vec<u8> },
}

/// The parameters as format 4 writes them, a "variant dictionary", with each value's place kept: a new
/// salt is written over the old one, and everything else stays.
///
/// `version u16`, then entries `type u8, length u32, name, length u32, value`, then a zero byte.
pub(super) struct Parameters<'a> {
    bytes: &'a [u8],
    entries: Vec<(u8, &'a [u8], std::ops::Range<usize>)>,
}

impl<'a> Parameters<'a> {
    /// Cuts the parameters apart.
    pub(super) fn parse(bytes: &'a [u8]) -> Result<Self, KeePassError> {
        let damaged = KeePassError::Damaged("the parameters of the key derivation");
        let cut = || -> Option<Vec<_>> {
            // The version's high byte says whether an old reader may read on.
            if bytes.get(1)? != &1 {
                return None;
            }
            let (mut at, mut entries) = (2, Vec::new());
            let take = |at: &mut usize| {
                let length = bytes.get(*at..*at + 4)?.try_into().ok().map(u32::from_le_bytes)?;
                let start = *at + 4;
                *at = start.checked_add(usize::try_from(length).ok()?)?;
                bytes.get(start..*at).map(|part| (part, start..*at))
            };
            loop {
                let kind = *bytes.get(at)?;
                if kind == 0 {
                    return Some(entries);
                }
                at += 1;
                let (name, _) = take(&mut at)?;
                let (_, range) = take(&mut at)?;
                entries.push((kind, name, range));
            }
        };
        Ok(Self { bytes, entries: cut().ok_or(damaged)? })
    }

    fn find(&self, name: &str) -> Option<std::ops::Range<usize>> {
        self.entries.iter().find(|(_, own, _)| *own == name.as_bytes()).map(|(.., range)| range.clone())
    }

    fn value(&self, name: &'static str) -> Result<&'a [u8], KeePassError> {
        self.find(name)
            .and_then(|range| self.bytes.get(range))
            .ok_or(KeePassError::Damaged("the key derivation lacks a parameter"))
    }

    fn number(&self, name: &'static str) -> Result<u64, KeePassError> {
        let bytes = self.value(name)?;
        let mut number = [0; 8];
        match number.get_mut(..bytes.len()) {
            Some(place) => place.copy_from_slice(bytes),
            None => return Err(KeePassError::Damaged("a parameter of the key derivation is no number")),
        }
        Ok(u64::from_le_bytes(number))
    }

    /// Returns the parameters with another salt of the same length.
    pub(super) fn with_salt(
        &self,
        fill: impl Fn(&mut [u8]) -> Result<(), KeePassError>,
    ) -> Result<Vec<u8>, KeePassError> {
        let mut bytes = self.bytes.to_vec();
        let salt = self.find("S").and_then(|range| bytes.get_mut(range));
        fill(salt.ok_or(KeePassError::Damaged("the key derivation lacks a parameter"))?)?;
        Ok(bytes)
    }

    /// Reads the parameters.
    pub(super) fn kdf(&self) -> Result<Kdf, KeePassError> {
        let id = self.value("$UUID")?;
        if id == AES || id == AES_4 {
            let seed = self.value("S")?.try_into();
            let seed = seed.map_err(|_| KeePassError::Damaged("the salt of the key derivation"))?;
            return Ok(Kdf::Aes { rounds: self.number("R")?, seed });
        }
        let algorithm = match id {
            _ if id == ARGON2D => Algorithm::Argon2d,
            _ if id == ARGON2ID => Algorithm::Argon2id,
            _ => return Err(KeePassError::Unknown("a key derivation".to_owned())),
        };
        for name in ["K", "A"] {
            if self.find(name).is_some_and(|range| !range.is_empty()) {
                return Err(KeePassError::Unknown(format!("Argon2 with the parameter {name}")));
            }
        }
        let version = match self.number("V")? {
            0x10 => Version::V0x10,
            0x13 => Version::V0x13,
            other => return Err(KeePassError::Unknown(format!("version {other:#x} of Argon2"))),
        };
        let lanes = u32::try_from(self.number("P")?).unwrap_or(u32::MAX);
        let (memory, passes) = (self.number("M")?, self.number("I")?);
        Ok(Kdf::Argon2 { algorithm, version, memory, passes, lanes, salt: self.value("S")?.to_vec() })
    }
}

impl NewKdf {
    /// Returns the parameters as format 4 writes them, with a salt of zeros.
    pub(super) fn to_parameters(self) -> Vec<u8> {
        const U32: u8 = 0x04;
        const U64: u8 = 0x05;
        const BYTES: u8 = 0x42;
        let mut bytes = vec![0, 1];
        let mut put = |kind: u8, name: &str, value: &[u8]| {
            bytes.push(kind);
            for part in [name.as_bytes(), value] {
                bytes.extend_from_slice(&u32::try_from(part.len()).unwrap_or(0).to_le_bytes());
                bytes.extend_from_slice(part);
            }
        };
        put(BYTES, "$UUID", &ARGON2ID);
        put(U64, "I", &self.passes.to_le_bytes());
        put(U64, "M", &self.memory.to_le_bytes());
        put(U32, "P", &self.lanes.to_le_bytes());
        put(BYTES, "S", &[0; 32]);
        put(U32, "V", &0x13_u32.to_le_bytes());
        bytes.push(0);
        bytes
    }
}

impl Kdf {
    /// Refuses what no real database asks for, before any work is done.
    fn check(&self) -> Result<(), KeePassError> {
        let too_much = |what: String| Err(KeePassError::TooMuch(what));
        match self {
            Self::Aes { rounds, .. } if *rounds > ROUNDS_LIMIT => too_much(format!("{rounds} rounds of AES")),
            Self::Argon2 { memory, .. } if *memory > MEMORY_LIMIT => {
                too_much(format!("{} MiB of memory", memory >> 20))
            }
            Self::Argon2 { memory, passes, .. } if memory.saturating_mul(*passes) > WRITING_LIMIT => {
                too_much(format!("{passes} passes over {} MiB", memory >> 20))
            }
            Self::Argon2 { lanes, .. } if *lanes > LANES_LIMIT => too_much(format!("{lanes} lanes")),
            Self::Argon2 { salt, .. } if salt.len() > SALT_LIMIT => {
                Err(KeePassError::Damaged("the salt of the key derivation"))
            }
            _ => Ok(()),
        }
    }

    /// Stretches the credentials.
    pub(super) fn stretch(&self, composite: &Secret<[u8; 32]>) -> Result<Secret<[u8; 32]>, KeePassError> {
        self.check()?;
        let mut out = Secret::new([0; 32]);
        match self {
            Self::Aes { rounds, seed } => {
                let cipher = Aes256::new(&(*seed).into());
                let mut blocks = Secret::new(*composite.expose());
                let (halves, _) = blocks.expose_mut().as_chunks_mut::<16>();
                let halves = Array::cast_slice_from_core_mut(halves);
                for _ in 0..*rounds {
                    cipher.encrypt_blocks(halves);
                }
                *out.expose_mut() = Sha256::digest(blocks.expose()).into();
            }
            Self::Argon2 { algorithm, version, memory, passes, lanes, salt } => {
                let wrong = KeePassError::Damaged("the parameters of the key derivation");
                let number = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
                let Ok(parameters) = Params::new(number(memory >> 10), number(*passes), *lanes, Some(32))
                else {
                    return Err(wrong);
                };
                Argon2::new(*algorithm, *version, parameters)
                    .hash_password_into(composite.expose(), salt, out.expose_mut())
                    .map_err(|_| wrong)?;
            }
        }
        Ok(out)
    }
}
