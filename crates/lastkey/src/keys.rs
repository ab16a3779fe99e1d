//! The key that a command was given, or asks for.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use fve::{Key, Protection, Protector, ProtectorKind, UnlockError, Unlocked, Volume};
use recovery_key::bek::Bek;
use recovery_key::document::{self, FoundSecret};
use recovery_key::{KeyId, Secret};

use crate::cli::Keys;
use crate::drive::{self, Target};
use crate::failure::{Failure, Kind};
use crate::output::Output;
use crate::prompt;

/// Longer than any key file: whatever is longer is something else.
const MAX_KEY_FILE: u64 = document::SIZE_LIMIT as u64;

/// Opens a volume with the key that was given, or that the person is asked for.
pub fn unlock<'v>(target: &'v Target, keys: &Keys, output: &Output) -> Result<Unlocked<'v>, Failure> {
    let volume = &target.volume;
    let opened = match given(keys, volume)? {
        Some(keys) => first_that_opens(volume, keys),
        None if volume.protection() != Protection::On => volume.unlock(&Key::None).map_err(Failure::from),
        None => ask(volume, output),
    };
    let unlocked = opened.map_err(|failure| failure.about(&target.name))?;
    let unlocked = placed(target, unlocked, output);
    if unlocked.authentic() == Some(false) {
        output.note(
            "warning: the drive's metadata was changed by something that did not have its key; \
             what is read may be wrong",
        );
    }
    Ok(unlocked)
}

/// Of the places where the volume may start, takes the one under which there are files.
fn placed<'v>(target: &'v Target, unlocked: Unlocked<'v>, output: &Output) -> Unlocked<'v> {
    let Some(vmk) = unlocked.vmk().filter(|_| !target.or.is_empty() && !drive::shows_files(&unlocked)) else {
        return unlocked;
    };
    let key = Key::Vmk(vmk.duplicate());
    let others = target.or.iter().filter_map(|volume| volume.unlock(&key).ok());
    match { others }.find(drive::shows_files) {
        Some(other) => {
            output
                .note("note: the volume starts elsewhere than it seemed: there the key shows a file system");
            other
        }
        None => unlocked,
    }
}

/// Tries each of the keys that a file held; the first error tells most.
fn first_that_opens(volume: &Volume, keys: Vec<Key>) -> Result<Unlocked<'_>, Failure> {
    let mut first = None;
    for key in keys {
        match volume.unlock(&key) {
            Ok(unlocked) => return Ok(unlocked),
            Err(error) => first = first.or(Some(error)),
        }
    }
    let failure = first.map_or_else(|| Failure::new(Kind::WrongKey, "the file holds no key"), Failure::from);
    Err(match failure.kind {
        Kind::WrongKey => failure.hint(format!("what opens the drive: {}", ways(volume))),
        _ => failure,
    })
}

/// Returns what opens a volume: `recovery key 3C116B76, password 6DD54BCD`.
fn ways(volume: &Volume) -> String {
    let way = |protector: &Protector<'_>| format!("{} {}", protector.kind, protector.id.short());
    let ways: Vec<_> = volume.protectors().iter().map(way).collect();
    ways.join(", ")
}

/// Reads the key file that was named, if any.
fn given(keys: &Keys, volume: &Volume) -> Result<Option<Vec<Key>>, Failure> {
    let one = |key: Result<Key, Failure>| key.map(|key| Some(vec![key]));
    if let Some(path) = &keys.password_file {
        one(password(path).map(Key::Password))
    } else if let Some(path) = &keys.recovery_key_file {
        recovery_keys(path, volume).map(Some)
    } else if let Some(path) = &keys.bek {
        one(bek(path).map(Key::External))
    } else if let Some(path) = &keys.vmk_file {
        one(hex(path).and_then(|bytes| {
            Secret::from_slice(bytes.expose()).map(Key::Vmk).ok_or_else(|| {
                let digits = bytes.expose().len() * 2;
                about(path, format!("a volume master key is 64 hex digits, and here are {digits}"))
            })
        }))
    } else if let Some(path) = &keys.fvek_file {
        one(hex(path).map(Key::Fvek))
    } else {
        Ok(None)
    }
}

fn about(path: &Path, message: impl Into<String>) -> Failure {
    Failure::new(Kind::WrongKey, message).about(&shown(path))
}

/// Returns what a file is called in messages.
pub fn shown(path: &Path) -> String {
    if is_standard_input(path) { "standard input".to_owned() } else { path.display().to_string() }
}

/// Returns whether standard input is meant.
pub fn is_standard_input(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// Reads a file that holds a key, or standard input.
fn key_file(path: &Path) -> Result<Secret<Vec<u8>>, Failure> {
    read_file(path).map_err(|failure| failure.about(&shown(path)))
}

/// Reads a file that may hold a key, or standard input. The error does not name it.
pub fn read_file(path: &Path) -> Result<Secret<Vec<u8>>, Failure> {
    let mut bytes = Secret::new(Vec::new());
    let read = |from: &mut dyn Read, bytes: &mut Vec<u8>| from.take(MAX_KEY_FILE + 1).read_to_end(bytes);
    let result = if is_standard_input(path) {
        read(&mut io::stdin().lock(), bytes.expose_mut())
    } else {
        File::open(path).and_then(|mut file| read(&mut file, bytes.expose_mut()))
    };
    result?;
    if bytes.expose().len() as u64 > MAX_KEY_FILE {
        return Err(Failure::new(Kind::WrongKey, "this is too long to be a file with a key"));
    }
    Ok(bytes)
}

/// A password file holds the password and perhaps the end of its line.
pub fn password(path: &Path) -> Result<Secret<String>, Failure> {
    let bytes = key_file(path)?;
    let text =
        text(bytes.expose()).ok_or_else(|| about(path, "a password file must be text in UTF-8 or UTF-16"))?;
    let line = text.expose().strip_suffix('\n').unwrap_or(text.expose());
    let line = line.strip_suffix('\r').unwrap_or(line);
    if line.is_empty() {
        return Err(about(path, "the password file is empty"));
    }
    Ok(Secret::new(line.to_owned()))
}

/// Reads a file that holds a secret text.
pub fn secret_file(path: &Path) -> Result<Secret<String>, Failure> {
    text(key_file(path)?.expose()).ok_or_else(|| about(path, "this is no text in UTF-8 or UTF-16"))
}

/// Decodes UTF-8, with or without its mark, and marked UTF-16, as PowerShell writes it.
fn text(bytes: &[u8]) -> Option<Secret<String>> {
    let unit: fn([u8; 2]) -> u16 = match bytes {
        [0xff, 0xfe, ..] => u16::from_le_bytes,
        [0xfe, 0xff, ..] => u16::from_be_bytes,
        _ => {
            let text = std::str::from_utf8(bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes)).ok()?;
            return Some(Secret::new(text.to_owned()));
        }
    };
    let (units, rest) = bytes.as_chunks();
    // All the room at once: a string that grows leaves its old, unwiped self behind.
    let mut text = Secret::new(String::with_capacity(bytes.len() * 2));
    for character in char::decode_utf16(units.iter().skip(1).map(|&pair| unit(pair))) {
        text.expose_mut().push(character.ok()?);
    }
    rest.is_empty().then_some(text)
}

fn bek(path: &Path) -> Result<Bek, Failure> {
    Bek::parse(key_file(path)?.expose())
        .map_err(|error| about(path, format!("this is no external key file (.BEK): {error}")))
}

/// Takes from a document the recovery keys that may open the volume.
fn recovery_keys(path: &Path, volume: &Volume) -> Result<Vec<Key>, Failure> {
    let bytes = key_file(path)?;
    let name = path.file_name().and_then(|name| name.to_str());
    let reading = document::read(name, bytes.expose());
    let own: Vec<KeyId> = volume
        .protectors()
        .into_iter()
        .filter(|protector| protector.kind == ProtectorKind::RecoveryPassword)
        .map(|protector| protector.id)
        .collect();
    let (mut fitting, mut strangers) = (Vec::new(), Vec::new());
    for found in reading.keys {
        let FoundSecret::RecoveryPassword(password) = found.secret else {
            return Err(about(path, "this is an external key file: give it with --bek"));
        };
        match found.key_id.filter(|id| !own.iter().any(|own| id.matches(own))) {
            Some(id) => strangers.push((id, Key::RecoveryPassword(password))),
            None => fitting.push(Key::RecoveryPassword(password)),
        }
    }
    if !fitting.is_empty() {
        return Ok(fitting);
    }
    // A single key may stand under a wrong key ID.
    if let [(_, key)] = strangers.as_slice()
        && volume.unlock(key).is_ok()
    {
        return Ok(strangers.into_iter().map(|(_, key)| key).collect());
    }
    if let Some((id, _)) = strangers.first() {
        let ids: Vec<_> = own.iter().map(KeyId::short).collect();
        let own =
            if ids.is_empty() { "no recovery key".to_owned() } else { format!("key ID {}", ids.join(", ")) };
        let message =
            format!("this recovery key is for another drive: it has key ID {id}, this drive has {own}");
        return Err(Failure::new(Kind::OtherDrive, message).about(&shown(path)));
    }
    let mut failure = about(path, "there is no recovery key in this file");
    failure.hints.extend(reading.remarks.iter().map(ToString::to_string));
    Err(failure)
}

fn hex(path: &Path) -> Result<Secret<Vec<u8>>, Failure> {
    let bytes = key_file(path)?;
    let bad = || about(path, "a raw key is written in hex digits, two for each byte, and nothing else");
    let mut out = Secret::new(Vec::with_capacity(64));
    let mut high = None;
    for &byte in bytes.expose().iter().filter(|byte| !byte.is_ascii_whitespace()) {
        let digit =
            char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok()).ok_or_else(bad)?;
        match high.take() {
            None => high = Some(digit << 4),
            Some(high) => out.expose_mut().push(high | digit),
        }
    }
    if high.is_some() || out.expose().is_empty() { Err(bad()) } else { Ok(out) }
}

/// How often a person may try.
const TRIES: usize = 3;

/// Asks the person who sits there.
fn ask<'v>(volume: &'v Volume, output: &Output) -> Result<Unlocked<'v>, Failure> {
    let ids = |kind| {
        let all = volume.protectors().into_iter();
        all.filter(|protector| protector.kind == kind)
            .map(|protector| protector.id.short())
            .collect::<Vec<_>>()
    };
    let (recovery, password) = (ids(ProtectorKind::RecoveryPassword), ids(ProtectorKind::Password));
    let needed = |why: &str| {
        Failure::new(Kind::KeyNeeded, format!("the drive is locked, and {why}"))
            .hint(format!("what opens the drive: {}", ways(volume)))
            .hint("give a key with --recovery-key-file, --password-file, --bek, --vmk-file or --fvek-file")
    };
    if !prompt::can_ask() {
        return Err(needed("there is no terminal to ask for its key"));
    }
    if recovery.is_empty() && password.is_empty() {
        return Err(needed("it has neither recovery key nor password to ask for"));
    }
    if let Some(label) = volume.metadata().label() {
        output.note(format!("The drive is locked: {label}"));
    }
    let by_password = recovery.is_empty()
        || !password.is_empty() && !prompt::yes("Do you have its recovery key (48 digits)?")?;
    if !by_password {
        output.note(format!("It asks for the recovery key with key ID {}", recovery.join(" or ")));
    }
    for left in (0..TRIES).rev() {
        let key = if by_password {
            Key::Password(prompt::hidden("Password: ")?)
        } else {
            Key::RecoveryPassword(prompt::recovery_password()?)
        };
        match volume.unlock(&key) {
            Err(UnlockError::WrongKey { .. }) if left != 0 => {
                output.note(if by_password {
                    "  It does not open the drive. Capital letters and the keyboard's language count. Try again."
                } else {
                    "  It is well-formed, but does not open the drive: compare the key ID. Try again."
                });
            }
            result => return Ok(result?),
        }
    }
    Err(Failure::new(Kind::WrongKey, "the key is wrong"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_read_from_what_editors_and_shells_write() {
        let read = |bytes: &[u8]| text(bytes).map(|text| text.expose().clone());
        let utf16 = |mark: &[u8], bytes: fn(u16) -> [u8; 2]| {
            let text = "pä𝄞".encode_utf16().flat_map(bytes);
            [mark.to_vec(), text.collect()].concat()
        };
        assert_eq!(read("pä𝄞".as_bytes()).as_deref(), Some("pä𝄞"));
        assert_eq!(read("\u{feff}pä𝄞".as_bytes()).as_deref(), Some("pä𝄞"));
        assert_eq!(read(&utf16(b"\xff\xfe", u16::to_le_bytes)).as_deref(), Some("pä𝄞"));
        assert_eq!(read(&utf16(b"\xfe\xff", u16::to_be_bytes)).as_deref(), Some("pä𝄞"));
        assert_eq!(read(b"p\xe4"), None);
        assert_eq!(read(b"\xff\xfea\0b"), None);
    }
}
