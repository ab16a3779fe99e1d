//! Splitting a recovery key into sheets of which any k open the drive.
//!
//! Shamir's secret sharing over GF(256), by the crate vsss-rs: each byte is the value at 0 of a polynomial
//! of degree k-1 with random coefficients, each sheet has its values at the sheet's number. Fewer than k
//! sheets tell nothing about the key, however much anybody computes.
//!
//! Of vsss-rs, its authors write that audits were paid for by LIT Protocol and by Turnkey, and its source
//! names the findings that were mended; we know of no published report. What is split is the key and four
//! bytes of its hash, so that sheets that do not belong together are noticed when they are combined, and
//! not before: nothing on a single sheet depends on the key.

mod text;

use getrandom::rand_core::{CryptoRng, UnwrapErr};
use recovery_key::{KeyId, RecoveryPassword, Secret};
use sha2::{Digest, Sha256};
use vsss_rs::Gf256;

pub use text::{GROUPS, ShareTextError};

/// The most sheets of a set.
pub const SHEET_LIMIT: u8 = 16;
/// The bytes of a recovery key.
const KEY: usize = 16;
/// The bytes of its hash that are split with it.
const CHECK: usize = 4;
/// The bytes that are split.
const SPLIT: usize = KEY + CHECK;

/// One sheet's share of a recovery key.
#[derive(Debug)]
pub struct Share {
    needed: u8,
    sheets: u8,
    number: u8,
    set: [u8; 3],
    value: Secret<[u8; SPLIT]>,
    key_id: Option<KeyId>,
}

impl Share {
    /// Splits a recovery key into `sheets` shares of which any `needed` give it back.
    pub fn split(
        key: &RecoveryPassword,
        key_id: KeyId,
        needed: u8,
        sheets: u8,
    ) -> Result<Vec<Self>, SplitError> {
        let mut set = [0; 3];
        getrandom::fill(&mut set).map_err(|_| SplitError::Random)?;
        Self::split_by(key, key_id, needed, sheets, set, UnwrapErr(getrandom::SysRng))
    }

    fn split_by(
        key: &RecoveryPassword,
        key_id: KeyId,
        needed: u8,
        sheets: u8,
        set: [u8; 3],
        random: impl CryptoRng,
    ) -> Result<Vec<Self>, SplitError> {
        if !(2..=sheets).contains(&needed) || sheets > SHEET_LIMIT {
            return Err(SplitError::Numbers { needed, sheets });
        }
        let mut whole = Secret::new([0; SPLIT]);
        let (secret, check) = whole.expose_mut().split_at_mut(KEY);
        secret.copy_from_slice(key.bytes().expose());
        check.copy_from_slice(&hash(key.bytes().expose()));
        let shares = Gf256::split_bytes(needed.into(), sheets.into(), whole.expose(), random);
        let shares = shares.map_err(|_| SplitError::Numbers { needed, sheets })?;
        shares
            .into_iter()
            .map(Secret::new)
            .map(|share| {
                let (&number, value) = share.expose().split_first()?;
                let value = Secret::from_slice(value)?;
                Some(Self { needed, sheets, number, set, value, key_id: Some(key_id) })
            })
            .collect::<Option<_>>()
            .ok_or(SplitError::Random)
    }

    /// Puts shares together again. Shares of one sheet may be given several times; more shares than
    /// needed are all checked.
    pub fn combine(shares: &[Self]) -> Result<Combined, CombineError> {
        let mut used: Vec<&Self> = Vec::new();
        for share in shares {
            let first = used.first().copied().unwrap_or(share);
            if (share.set, share.needed, share.sheets) != (first.set, first.needed, first.sheets) {
                return Err(CombineError::Sets { one: first.set_name(), other: share.set_name() });
            }
            match used.iter().find(|known| known.number == share.number) {
                Some(known) if known.value != share.value => {
                    return Err(CombineError::Differ { number: share.number });
                }
                Some(_) => {}
                None => used.push(share),
            }
        }
        let Some(first) = used.first() else { return Err(CombineError::TooFew { have: 0, needed: 2 }) };
        let needed = usize::from(first.needed);
        if used.len() < needed {
            return Err(CombineError::TooFew { have: used.len(), needed: first.needed });
        }
        let mut ids = used.iter().filter_map(|share| share.key_id);
        let key_id = ids.next();
        if ids.any(|id| Some(id) != key_id) {
            return Err(CombineError::KeyIds);
        }
        // Windows of k sheets: each sheet takes part in one at least.
        let mut key: Option<RecoveryPassword> = None;
        for few in used.windows(needed) {
            let one = interpolate(few).ok_or(CombineError::Damaged)?;
            if key.as_ref().is_some_and(|key| *key != one) {
                return Err(CombineError::Damaged);
            }
            key = Some(one);
        }
        key.map(|key| Combined { key, key_id }).ok_or(CombineError::Damaged)
    }

    /// Returns how many sheets are needed.
    pub fn needed(&self) -> u8 {
        self.needed
    }

    /// Returns how many sheets there are.
    pub fn sheets(&self) -> u8 {
        self.sheets
    }

    /// Returns which of the sheets this is, from 1.
    pub fn number(&self) -> u8 {
        self.number
    }

    /// Returns the key ID, when it is known; the typed share alone does not say it.
    pub fn key_id(&self) -> Option<KeyId> {
        self.key_id
    }

    /// Returns the six hexadecimal digits that all sheets of a set share and no other set has.
    pub fn set_name(&self) -> String {
        let [a, b, c] = self.set;
        format!("{a:02X}{b:02X}{c:02X}")
    }

    /// Says whether two shares are the same sheet of the same set.
    pub fn is_same(&self, other: &Self) -> bool {
        (self.set, self.number) == (other.set, other.number) && self.value == other.value
    }
}

/// A recovery key that was put together.
#[derive(Debug)]
#[non_exhaustive]
pub struct Combined {
    /// The key.
    pub key: RecoveryPassword,
    /// Its key ID, when a share said it.
    pub key_id: Option<KeyId>,
}

/// Why a key cannot be split.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SplitError {
    /// The numbers make no sense.
    #[error(
        "{needed} of {sheets} is not possible: at least 2 sheets are needed, at most all, and there are at most {SHEET_LIMIT}"
    )]
    Numbers {
        /// How many shall be needed.
        needed: u8,
        /// How many there shall be.
        sheets: u8,
    },
    /// The operating system gave no random numbers.
    #[error("the operating system gave no random numbers")]
    Random,
}

/// Why shares do not give a key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CombineError {
    /// There are not enough different sheets.
    #[error("{have} of the {needed} sheets that are needed")]
    TooFew {
        /// The different sheets.
        have: usize,
        /// How many are needed.
        needed: u8,
    },
    /// The sheets were not made together.
    #[error("the sheets belong to different sets: {one} and {other}")]
    Sets {
        /// A set.
        one: String,
        /// Another one.
        other: String,
    },
    /// The sheets carry different key IDs.
    #[error("the sheets carry different key IDs")]
    KeyIds,
    /// One sheet was given twice, and not the same.
    #[error("sheet {number} was given twice, with different shares")]
    Differ {
        /// The sheet, from 1.
        number: u8,
    },
    /// Together the sheets give no key: one of them is wrong.
    #[error("the sheets do not give a recovery key together: one of them was changed")]
    Damaged,
}

fn interpolate(shares: &[&Share]) -> Option<RecoveryPassword> {
    let mut rows = Secret::new(Vec::with_capacity(shares.len()));
    for share in shares {
        let mut row = Vec::with_capacity(1 + SPLIT);
        row.push(share.number);
        row.extend(share.value.expose());
        rows.expose_mut().push(row);
    }
    let whole = Secret::new(Gf256::combine_bytes(rows.expose()).ok()?);
    let (key, check) = whole.expose().split_at_checked(KEY)?;
    (check == hash(key)).then(|| Secret::from_slice(key).map(RecoveryPassword::from_bytes)).flatten()
}

fn hash(key: &[u8]) -> [u8; CHECK] {
    let mut hash = Sha256::new();
    hash.update(b"lastkey share");
    hash.update(key);
    let [a, b, c, d, ..]: [u8; 32] = hash.finalize().into();
    [a, b, c, d]
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    fn key(byte: u8) -> RecoveryPassword {
        RecoveryPassword::from_bytes(Secret::new([byte; 16]))
    }

    fn id() -> KeyId {
        KeyId::from_bytes_le([7; 16])
    }

    fn copy(share: &Share) -> Share {
        Share { value: share.value.duplicate(), ..*share }
    }

    fn pick(shares: &[Share], numbers: impl IntoIterator<Item = usize>) -> Vec<Share> {
        numbers.into_iter().map(|n| copy(&shares[n])).collect()
    }

    #[test]
    fn any_k_give_the_key_and_fewer_do_not() {
        for (needed, sheets) in [(2, 2), (2, 3), (3, 5), (5, 5)] {
            let shares = Share::split(&key(0xa5), id(), needed, sheets).expect("shares");
            for chosen in 0u32..1 << sheets {
                let numbers = (0..usize::from(sheets)).filter(|n| chosen >> n & 1 == 1);
                let some = pick(&shares, numbers);
                let enough = some.len() >= usize::from(needed);
                let combined = Share::combine(&some);
                assert_eq!(
                    combined.as_ref().is_ok_and(|c| c.key == key(0xa5) && c.key_id == Some(id())),
                    enough
                );
                if !enough && !some.is_empty() {
                    assert_eq!(combined.err(), Some(CombineError::TooFew { have: some.len(), needed }));
                }
            }
        }
    }

    #[test]
    fn senseless_numbers_are_refused() {
        for (needed, sheets) in [(0, 3), (1, 3), (4, 3), (2, 0), (2, SHEET_LIMIT + 1), (255, 255)] {
            let error = Share::split(&key(1), id(), needed, sheets).err();
            assert_eq!(error, Some(SplitError::Numbers { needed, sheets }));
        }
    }

    #[test]
    fn wrong_mixes_are_noticed() {
        let one = Share::split(&key(1), id(), 3, 5).expect("shares");
        let other = Share::split(&key(2), id(), 3, 5).expect("shares");
        let mut mixed = pick(&one, [0, 1]);
        mixed.extend(pick(&other, [2]));
        assert!(matches!(Share::combine(&mixed), Err(CombineError::Sets { .. })));
        // Even if the set names were the same.
        mixed[2].set = one[0].set;
        assert_eq!(Share::combine(&mixed).err(), Some(CombineError::Damaged));
        // A changed sheet beside enough good ones.
        let mut changed = pick(&one, [0, 1, 2, 3]);
        changed[3].value.expose_mut()[5] ^= 1;
        assert_eq!(Share::combine(&changed).err(), Some(CombineError::Damaged));
        let mut twice = pick(&one, [0, 1, 2, 2]);
        assert!(Share::combine(&twice).is_ok());
        twice[3].value.expose_mut()[0] ^= 1;
        assert_eq!(Share::combine(&twice).err(), Some(CombineError::Differ { number: 3 }));
        let mut ids = pick(&one, [0, 1, 2]);
        ids[1].key_id = Some(KeyId::from_bytes_le([8; 16]));
        assert_eq!(Share::combine(&ids).err(), Some(CombineError::KeyIds));
    }

    /// For every byte of the key there is one value of the missing sheet that would make it that byte: who
    /// has k-1 sheets can rule out nothing.
    #[test]
    fn one_sheet_too_few_rules_out_no_key() {
        for needed in [2, 3, 4] {
            let shares = Share::split(&key(0x3c), id(), needed, needed).expect("shares");
            let rows: Vec<Vec<u8>> = shares
                .iter()
                .map(|share| [&[share.number][..], &share.value.expose()[..]].concat())
                .collect();
            for place in 0..SPLIT {
                let possible: HashSet<u8> = (0..=255)
                    .map(|value| {
                        let mut rows = rows.clone();
                        rows.last_mut().expect("a row")[1 + place] = value;
                        Gf256::combine_bytes(&rows).expect("bytes")[place]
                    })
                    .collect();
                assert_eq!(possible.len(), 256, "{needed} needed, byte {place}");
            }
        }
    }

    /// The bytes of one sheet are spread alike whatever the key is.
    #[test]
    fn a_sheet_looks_the_same_for_every_key() {
        for byte in [0x00, 0xff] {
            let mut counts = [0u32; 256];
            let rounds = 800;
            for _ in 0..rounds {
                let shares = Share::split(&key(byte), id(), 2, 2).expect("shares");
                shares[0].value.expose()[..KEY].iter().for_each(|&b| counts[usize::from(b)] += 1);
            }
            let expected = f64::from(rounds * KEY as u32) / 256.0;
            let chi: f64 = counts.iter().map(|&n| (f64::from(n) - expected).powi(2) / expected).sum();
            // 255 degrees of freedom: beyond 400 once in a hundred million runs.
            assert!(chi < 400.0, "{byte}: {chi}");
        }
    }

    proptest! {
        #[test]
        fn every_key_comes_back(bytes: [u8; 16], needed in 2u8..6, more in 0u8..4) {
            let key = RecoveryPassword::from_bytes(Secret::new(bytes));
            let shares = Share::split(&key, id(), needed, needed + more).expect("shares");
            let last: Vec<_> = shares.iter().rev().take(needed.into()).map(copy).collect();
            prop_assert!(Share::combine(&last).is_ok_and(|combined| combined.key == key));
        }
    }
}
