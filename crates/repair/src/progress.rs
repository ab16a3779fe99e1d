//! What is kept of a search that was stopped, to go on later. No digit is in it.

use fve_crypto::stretch;
use recovery_key::KeyId;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::Hints;

/// Raised when candidates come in another order than before.
const ORDER: u32 = 1;

/// How far a search has come, and which search it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Progress {
    order: u32,
    volume: Uuid,
    key_ids: Vec<Uuid>,
    slips: u8,
    at: u64,
    salt: [u8; 16],
    hints: u16,
}

/// The search that was stopped is another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OtherSearch {
    /// It was by a version that tried candidates in another order.
    #[error("the search was begun by another version, which tried candidates in another order")]
    Version,
    /// It was on another drive.
    #[error("the search was on another drive")]
    Drive,
    /// It was for other key IDs of the drive.
    #[error("the search was for other key IDs of this drive")]
    KeyIds,
    /// What was typed is not the same.
    #[error("what was typed is not the same as when the search was begun")]
    Hints,
}

impl Progress {
    /// Begins to keep the progress of a search; `salt` is random.
    #[must_use]
    pub fn new(volume: Uuid, key_ids: &[KeyId], hints: &Hints, slips: u8, salt: [u8; 16]) -> Self {
        let hints = fingerprint(hints, &salt);
        let key_ids = key_ids.iter().map(|&id| id.into()).collect();
        Self { order: ORDER, volume, key_ids, slips, at: 0, salt, hints }
    }

    /// Says how many slips are considered.
    #[must_use]
    pub fn with_slips(self, slips: u8) -> Self {
        Self { slips, ..self }
    }

    /// Says that every candidate before a place was tried.
    pub fn set(&mut self, place: u128) {
        self.at = u64::try_from(place).unwrap_or(u64::MAX);
    }

    /// Returns the place up to which every candidate was tried.
    #[must_use]
    pub fn at(&self) -> u128 {
        self.at.into()
    }

    /// Returns how many slips were considered.
    #[must_use]
    pub fn slips(&self) -> u8 {
        self.slips
    }

    /// Checks that it is the same search.
    ///
    /// # Errors
    /// Says what is not the same.
    pub fn check(&self, volume: Uuid, key_ids: &[KeyId], hints: &Hints) -> Result<(), OtherSearch> {
        if self.order != ORDER {
            return Err(OtherSearch::Version);
        }
        if self.volume != volume {
            return Err(OtherSearch::Drive);
        }
        if !self.key_ids.iter().copied().eq(key_ids.iter().map(|&id| Uuid::from(id))) {
            return Err(OtherSearch::KeyIds);
        }
        if self.hints != fingerprint(hints, &self.salt) {
            return Err(OtherSearch::Hints);
        }
        Ok(())
    }
}

/// Two bytes that tell nearly all other hints from these. They are stretched as a password is, so that
/// guessing with them is no cheaper than with the drive, and so few that they give little away.
fn fingerprint(hints: &Hints, salt: &[u8; 16]) -> u16 {
    let key = stretch::password(hints.text().expose(), salt);
    let [first, second, ..] = *key.expose();
    u16::from_le_bytes([first, second])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hints(text: &str) -> Hints {
        Hints::parse(text).expect("hints")
    }

    #[test]
    fn only_the_same_search_goes_on() {
        let (drive, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let (key, other_key) = (KeyId::from(drive), KeyId::from(other));
        let typed = hints("132858-32752?-689172");
        let mut progress = Progress::new(drive, &[key], &typed, 2, [7; 16]);
        progress.set(1_000_000);
        assert_eq!((progress.at(), progress.slips()), (1_000_000, 2));
        assert_eq!(progress.check(drive, &[key], &hints("132858 32752_ 689172\n")), Ok(()));
        assert_eq!(progress.check(other, &[key], &typed), Err(OtherSearch::Drive));
        assert_eq!(progress.check(drive, &[other_key], &typed), Err(OtherSearch::KeyIds));
        assert_eq!(progress.check(drive, &[key, other_key], &typed), Err(OtherSearch::KeyIds));
        for text in ["132858-327525-689172", "132858-32752?689172", "132858-32752?-689173"] {
            assert_eq!(progress.check(drive, &[key], &hints(text)), Err(OtherSearch::Hints), "{text}");
        }
        progress.order += 1;
        assert_eq!(progress.check(drive, &[key], &typed), Err(OtherSearch::Version));
    }

    #[test]
    fn nothing_of_what_was_typed_is_kept() {
        let progress = Progress::new(Uuid::from_u128(1), &[], &hints("132858-32752?-689172"), 2, [7; 16]);
        let kept = format!("{progress:?}");
        assert!(!kept.contains("1328") && !kept.contains("6891"), "{kept}");
    }
}
