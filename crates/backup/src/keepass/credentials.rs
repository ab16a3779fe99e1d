//! What opens a password database: a password, a key file, or both.

use std::sync::{Mutex, PoisonError};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use recovery_key::Secret;
use sha2::{Digest, Sha256};

use super::error::KeePassError;
use super::kdf::Kdf;
use super::text::{Step, Walker};

/// A password, a key file, or both, as the owner of the database chose.
#[derive(Debug, Default)]
pub struct Credentials {
    pub(super) password: Option<Secret<String>>,
    pub(super) key_file: Option<Secret<Vec<u8>>>,
    /// What they were stretched to last, and with which parameters: a second of work, done once.
    last: Mutex<Option<Stretched>>,
}

#[derive(Debug)]
struct Stretched {
    kdf: Kdf,
    key: Secret<[u8; 32]>,
}

impl Credentials {
    /// Takes a password and the bytes of a key file. An empty password is another thing than none.
    pub fn new(password: Option<Secret<String>>, key_file: Option<Secret<Vec<u8>>>) -> Self {
        Self { password, key_file, last: Mutex::default() }
    }

    /// Stretches them.
    pub(super) fn stretch(&self, kdf: Kdf) -> Result<Secret<[u8; 32]>, KeePassError> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(last) = last.as_ref().filter(|last| last.kdf == kdf) {
            return Ok(last.key.duplicate());
        }
        let key = kdf.stretch(&self.composite()?)?;
        *last = Some(Stretched { kdf, key: key.duplicate() });
        Ok(key)
    }

    /// Returns what the key derivation begins with.
    fn composite(&self) -> Result<Secret<[u8; 32]>, KeePassError> {
        let mut hash = Sha256::new();
        if let Some(password) = &self.password {
            hash.update(Sha256::digest(password.expose()));
        }
        if let Some(file) = &self.key_file {
            hash.update(key_of(file.expose())?.expose());
        }
        if self.password.is_none() && self.key_file.is_none() {
            return Err(KeePassError::NoKey);
        }
        Ok(Secret::new(hash.finalize().into()))
    }
}

/// Returns the key in a key file: XML in two versions, 32 bytes, 64 hex digits, or the hash of any file.
///
/// Documented by KeePass; an XML file with a hash is checked against it, since a wrong key is otherwise
/// no more than a database that does not open.
fn key_of(file: &[u8]) -> Result<Secret<Vec<u8>>, KeePassError> {
    if let Some(key) = std::str::from_utf8(file).ok().and_then(|text| xml_key(text).transpose()) {
        return key;
    }
    if file.len() == 32 {
        return Ok(Secret::new(file.to_vec()));
    }
    if file.len() == 64
        && let Some(key) = hex(file)
    {
        return Ok(key);
    }
    Ok(Secret::new(Sha256::digest(file).to_vec()))
}

/// Returns the key in an XML key file, or `None` when the text is none.
fn xml_key(text: &str) -> Result<Option<Secret<Vec<u8>>>, KeePassError> {
    let mut walker = Walker::new(text);
    let (mut version, mut data, mut hash) = (String::new(), Secret::new(String::new()), None);
    let mut path = Vec::new();
    loop {
        match walker.step() {
            Ok(Some(Step::Open { name, hash: own, .. })) => {
                hash = hash.or(own);
                path.push(name);
            }
            Ok(Some(Step::Close { .. })) => {
                path.pop();
            }
            Ok(Some(Step::Text(part))) => match path.join("/").as_str() {
                "KeyFile/Meta/Version" => version.push_str(&part),
                "KeyFile/Key/Data" => {
                    data.expose_mut().extend(part.chars().filter(|c| !c.is_whitespace()));
                }
                _ => {}
            },
            Ok(None) => break,
            Err(_) => return Ok(None),
        }
    }
    if data.expose().is_empty() {
        return Ok(None);
    }
    if !version.trim().starts_with("2.") {
        let key = BASE64_STANDARD.decode(data.expose()).map(Secret::new);
        return key.map(Some).map_err(|_| KeePassError::KeyFile("its key is not base64"));
    }
    let key =
        hex(data.expose().as_bytes()).ok_or(KeePassError::KeyFile("its key is not hexadecimal digits"))?;
    let own = hash.as_deref().and_then(|hash| hex(hash.trim().as_bytes()));
    if own.is_some_and(|own| !Sha256::digest(key.expose()).starts_with(own.expose())) {
        return Err(KeePassError::KeyFile("its key and its hash do not fit together"));
    }
    Ok(Some(key))
}

fn hex(digits: &[u8]) -> Option<Secret<Vec<u8>>> {
    let digit = |c: u8| char::from(c).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let (pairs, rest) = digits.as_chunks::<2>();
    let mut bytes = Secret::new(Vec::with_capacity(pairs.len()));
    for &[high, low] in pairs {
        bytes.expose_mut().push(digit(high)? << 4 | digit(low)?);
    }
    (rest.is_empty() && !pairs.is_empty()).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "a7007945d07d54ba28df6434c8dc01b3c96fa8d36ad2b8d6c1d1c8f0e2d3a4b5";

    fn key(file: &[u8]) -> Vec<u8> {
        key_of(file).expect("a key").expose().clone()
    }

    #[test]
    fn every_form_of_a_key_file_gives_its_key() {
        let bytes = hex(KEY.as_bytes()).expect("hex").expose().clone();
        assert_eq!(key(&bytes), bytes);
        assert_eq!(key(KEY.to_uppercase().as_bytes()), bytes);
        let old = format!(
            "<?xml version=\"1.0\"?>\n<KeyFile><Meta><Version>1.00</Version></Meta><Key><Data>{}</Data></Key></KeyFile>",
            BASE64_STANDARD.encode(&bytes)
        );
        assert_eq!(key(old.as_bytes()), bytes);
        let sum: String = Sha256::digest(&bytes)[..4].iter().map(|byte| format!("{byte:02X}")).collect();
        let new = format!(
            "<KeyFile><Meta><Version>2.0</Version></Meta><Key><Data Hash=\"{sum}\">\n {} \n {}\n</Data></Key></KeyFile>",
            &KEY[..32],
            &KEY[32..]
        );
        assert_eq!(key(new.as_bytes()), bytes);
        assert!(matches!(
            key_of(new.replace("a7007945", "a7007946").as_bytes()),
            Err(KeePassError::KeyFile(_))
        ));
        assert_eq!(key(b"any file"), Sha256::digest(b"any file").to_vec());
        assert_eq!(key(b"<html>any file</html>"), Sha256::digest(b"<html>any file</html>").to_vec());
    }

    #[test]
    fn without_password_and_key_file_nothing_opens() {
        assert!(matches!(Credentials::default().composite(), Err(KeePassError::NoKey)));
    }
}
