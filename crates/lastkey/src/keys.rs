//! The key that a command was given, or asks for.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use fve::{Key, Protection, ProtectorKind, State, Unlocked, Volume};
use recovery_key::bek::Bek;
use recovery_key::document::{self, FoundSecret};
use recovery_key::{KeyId, Secret};

use crate::cli::Keys;
use crate::failure::{Failure, Kind, kind_of};
use crate::output::Output;
use crate::prompt;

/// Longer than any key file: whatever is longer is something else.
const MAX_KEY_FILE: u64 = document::SIZE_LIMIT as u64;

/// Opens a volume with the key that was given, or that the person is asked for.
pub fn unlock<'v>(volume: &'v Volume, keys: &Keys, output: &Output) -> Result<Unlocked<'v>, Failure> {
    let unlocked = match given(keys, volume)? {
        Some(keys) => first_that_opens(volume, keys)?,
        None if volume.protection() != Protection::On => volume.unlock(&Key::None)?,
        None => ask(volume, output)?,
    };
    if unlocked.authentic() == Some(false) {
        output.note(
            "warning: the drive's metadata was changed by something that did not have its key; \
             what is read may be wrong",
        );
    }
    Ok(unlocked)
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
    Err(first.map_or_else(|| Failure::new(Kind::WrongKey, "the file holds no key"), Failure::from))
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

fn shown(path: &Path) -> String {
    if is_standard_input(path) { "standard input".to_owned() } else { path.display().to_string() }
}

fn is_standard_input(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// Reads a file that holds a key, or standard input.
pub fn read_file(path: &Path) -> Result<Secret<Vec<u8>>, Failure> {
    let mut bytes = Secret::new(Vec::new());
    let read = |from: &mut dyn Read, bytes: &mut Vec<u8>| from.take(MAX_KEY_FILE + 1).read_to_end(bytes);
    let result = if is_standard_input(path) {
        read(&mut io::stdin().lock(), bytes.expose_mut())
    } else {
        File::open(path).and_then(|mut file| read(&mut file, bytes.expose_mut()))
    };
    result.map_err(|error| Failure::new(kind_of(&error), error.to_string()).about(&shown(path)))?;
    if bytes.expose().len() as u64 > MAX_KEY_FILE {
        return Err(about(path, "this is too long to be a file with a key"));
    }
    Ok(bytes)
}

/// A password file holds the password and perhaps the end of its line.
fn password(path: &Path) -> Result<Secret<String>, Failure> {
    let bytes = read_file(path)?;
    let text = bytes.expose().as_slice();
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    let text = text.strip_suffix(b"\n").unwrap_or(text);
    let text = text.strip_suffix(b"\r").unwrap_or(text);
    let text = std::str::from_utf8(text).map_err(|_| about(path, "a password file must be UTF-8 text"))?;
    if text.is_empty() {
        return Err(about(path, "the password file is empty"));
    }
    Ok(Secret::new(text.to_owned()))
}

fn bek(path: &Path) -> Result<Bek, Failure> {
    Bek::parse(read_file(path)?.expose())
        .map_err(|error| about(path, format!("this is no external key file (.BEK): {error}")))
}

/// Takes from a document the recovery keys that may open the volume.
fn recovery_keys(path: &Path, volume: &Volume) -> Result<Vec<Key>, Failure> {
    let bytes = read_file(path)?;
    let name = path.file_name().and_then(|name| name.to_str());
    let reading = document::read(name, bytes.expose());
    let own: Vec<KeyId> = volume
        .protectors()
        .into_iter()
        .filter(|protector| protector.kind == ProtectorKind::RecoveryPassword)
        .map(|protector| protector.id)
        .collect();
    let mut fitting = Vec::new();
    let mut strangers = Vec::new();
    for found in reading.keys {
        let FoundSecret::RecoveryPassword(password) = found.secret else {
            return Err(about(path, "this is an external key file: give it with --bek"));
        };
        match found.key_id {
            Some(id) if !own.iter().any(|own| id.matches(own)) => strangers.push(id.to_string()),
            _ => fitting.push(Key::RecoveryPassword(password)),
        }
    }
    if !fitting.is_empty() {
        return Ok(fitting);
    }
    if let Some(id) = strangers.first() {
        let ids: Vec<_> = own.iter().map(KeyId::short).collect();
        let own =
            if ids.is_empty() { "no recovery key".to_owned() } else { format!("key ID {}", ids.join(", ")) };
        let message =
            format!("this recovery key is for another drive: it has key ID {id}, this drive has {own}");
        return Err(Failure::new(Kind::OtherDrive, message).about(&shown(path)));
    }
    let mut failure = about(path, "there is no recovery key in this file");
    for remark in reading.remarks {
        failure = failure.hint(remark.to_string());
    }
    Err(failure)
}

fn hex(path: &Path) -> Result<Secret<Vec<u8>>, Failure> {
    let bytes = read_file(path)?;
    let bad = || about(path, "a raw key is written in hex digits, two for each byte");
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

/// Asks the person who sits there.
fn ask<'v>(volume: &'v Volume, output: &Output) -> Result<Unlocked<'v>, Failure> {
    debug_assert!(volume.state() != State::Decrypted);
    let protectors = volume.protectors();
    let has = |kind| protectors.iter().any(|protector| protector.kind == kind);
    let (recovery, password) = (has(ProtectorKind::RecoveryPassword), has(ProtectorKind::Password));
    let words: Vec<_> = protectors.iter().map(|protector| protector.kind.to_string()).collect();
    let needed = |why: &str| {
        Failure::new(
            Kind::KeyNeeded,
            format!("the drive is locked, and {why}; it opens with: {}", words.join(", ")),
        )
        .hint("give a key with --recovery-key-file, --password-file, --bek, --vmk-file or --fvek-file")
    };
    if !prompt::can_ask() {
        return Err(needed("there is no terminal to ask for its key"));
    }
    if !recovery && !password {
        return Err(needed("it has neither recovery key nor password to ask for"));
    }
    if let Some(label) = volume.metadata().label() {
        output.note(format!("The drive is locked: {label}"));
    }
    let by_password = !recovery || password && !prompt::yes("Do you have its recovery key (48 digits)?")?;
    if by_password {
        return Ok(volume.unlock(&Key::Password(prompt::hidden("Password: ")?))?);
    }
    for protector in protectors.iter().filter(|p| p.kind == ProtectorKind::RecoveryPassword) {
        output.note(format!("It asks for the recovery key with key ID {}", protector.id.short()));
    }
    Ok(volume.unlock(&Key::RecoveryPassword(prompt::recovery_password()?))?)
}
