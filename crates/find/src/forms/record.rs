//! A record of named fields: which of its GUIDs is the key ID of its digits?
//!
//! Exports name more than the key: Microsoft Graph gives the device's GUID beside the key's, Active
//! Directory the volume's. The name of the field tells; where it does not, a GUID in braces or the
//! one nearest before the digits is taken.

use recovery_key::{KeyIdPrefix, Secret};

use super::shape;

/// Longer names and values are not names and GUIDs.
const NAME_LIMIT: usize = 200;
/// A value longer than this is a text of its own, in which the key ID may stand too.
const DIGITS_LIMIT: usize = 120;

/// A field.
#[derive(Clone, Copy, Debug)]
pub(super) struct Field<'a> {
    /// What it is called; empty when that is not known.
    pub(super) name: &'a str,
    /// What it holds.
    pub(super) value: &'a str,
}

impl Field<'_> {
    /// Says whether it may hold digits of a key.
    pub(super) fn has_digits(&self) -> bool {
        shape::may_hold_key(self.value.as_bytes())
    }

    /// Returns the GUID in it, and how likely that is the key ID.
    fn id(&self) -> Option<(KeyIdPrefix, Rank)> {
        let (id, braced) = guid(self.value)?;
        let rank = match rank(self.name) {
            Rank::Unknown if braced => Rank::Braced,
            rank => rank,
        };
        Some((id, rank))
    }
}

/// Says whether a text has a GUID.
pub(super) fn has_guid(text: &str) -> bool {
    guid(text).is_some()
}

/// Adds a record to a text: key ID, digits, and an empty line.
pub(super) fn put(fields: &[Field<'_>], out: &mut String) {
    let mut best: Option<(KeyIdPrefix, Rank)> = None;
    let mut keys = fields.iter().enumerate().filter(|(_, field)| field.has_digits()).peekable();
    let Some(&(first, _)) = keys.peek() else { return };
    for (at, field) in fields.iter().enumerate() {
        let Some((id, rank)) = field.id() else { continue };
        // Of equals the last before the digits, or else the first behind them.
        let better = best.is_none_or(|(_, had)| rank > had || rank == had && at < first);
        if better {
            best = Some((id, rank));
        }
    }
    if let Some((id, _)) = best.filter(|(_, rank)| *rank != Rank::OfSomethingElse) {
        out.push_str(&id.to_string());
        out.push('\n');
    }
    for (_, key) in keys {
        out.push_str(key.value);
        out.push('\n');
        if key.value.len() > DIGITS_LIMIT {
            out.push('\n');
        }
    }
    // Two line breaks part: no digits run on into the next record's.
    out.push_str("|\n\n");
}

/// Makes room for the text of records at once: a string that grows leaves its unwiped self behind.
pub(super) fn room(length: usize) -> Secret<String> {
    Secret::new(String::with_capacity(length + length / 2 + 64))
}

/// How likely a field holds the key ID, by its name; the last is the likeliest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    OfSomethingElse,
    Unknown,
    Braced,
    Id,
    KeyId,
}

fn rank(name: &str) -> Rank {
    if name.len() > NAME_LIMIT {
        return Rank::Unknown;
    }
    let bare: String = name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect();
    let has = |words: &[&str]| words.iter().any(|word| bare.contains(word));
    if has(&[
        "keyid",
        "keyprotectorid",
        "recoveryguid",
        "recoveryid",
        "passwordid",
        "recoverykeyid",
        "protectorid",
    ]) {
        Rank::KeyId
    } else if has(&[
        "device",
        "computer",
        "machine",
        "volume",
        "tenant",
        "user",
        "owner",
        "host",
        "account",
        "disk",
        "drive",
        "object",
        "session",
        "correlation",
    ]) {
        Rank::OfSomethingElse
    } else if bare == "id" || has(&["identifier", "kennung", "identificador", "identifiant", "identificat"]) {
        Rank::Id
    } else {
        Rank::Unknown
    }
}

/// Finds the first whole GUID in a text, and whether it stands in braces.
fn guid(text: &str) -> Option<(KeyIdPrefix, bool)> {
    const GUID: usize = 36;
    let bytes = text.as_bytes();
    let is_word = |at: Option<usize>| at.and_then(|at| bytes.get(at)).is_some_and(u8::is_ascii_alphanumeric);
    let dash_at = |start: usize, place: usize| bytes.get(start + place) == Some(&b'-');
    for dash in text.match_indices('-').map(|(at, _)| at).take(1000) {
        let Some(start) = dash.checked_sub(8) else { continue };
        let is_guid = [13, 18, 23].iter().all(|&place| dash_at(start, place))
            && !is_word(start.checked_sub(1))
            && !is_word(Some(start + GUID));
        let id =
            text.get(start..start + GUID).filter(|_| is_guid).and_then(|id| id.parse::<KeyIdPrefix>().ok());
        if let Some(id) = id.filter(|id| id.whole().is_some()) {
            return Some((id, start.checked_sub(1).and_then(|at| bytes.get(at)) == Some(&b'{')));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "284867-596541-514998-422114-660297-261613-215424-199408";
    const ID: &str = "3C116B76-C67B-484E-B439-CE2ED68B561E";
    const OTHER: &str = "11111111-2222-4333-8444-555555555555";

    fn text(fields: &[(&str, &str)]) -> String {
        let fields: Vec<_> = fields.iter().map(|&(name, value)| Field { name, value }).collect();
        let mut out = String::new();
        put(&fields, &mut out);
        out
    }

    #[test]
    fn the_key_id_is_told_from_other_guids() {
        let braced = format!("2005-09-30T17:08:23-08:00{{{}}}", ID.to_lowercase());
        for fields in [
            &[("id", ID), ("deviceId", OTHER), ("key", KEY)][..],
            &[("Device ID", OTHER), ("Recovery key", KEY), ("Key ID", ID)],
            &[("name", &braced), ("msFVE-VolumeGuid", OTHER), ("msFVE-RecoveryPassword", KEY)],
            &[("", OTHER), ("", ID), ("", KEY)],
            &[("", ID), ("volume", OTHER), ("", KEY)],
        ] {
            assert_eq!(text(fields), format!("{ID}\n{KEY}\n|\n\n"), "{fields:?}");
        }
        assert_eq!(text(&[("computer", OTHER), ("key", KEY)]), format!("{KEY}\n|\n\n"));
        assert_eq!(text(&[("id", ID), ("name", "no key")]), "");
    }
}
