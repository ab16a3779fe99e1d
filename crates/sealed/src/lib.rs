//! Files that only their owner opens: sealed in the format of age (C2SP age), for `age -d` or lastkey.
//!
//! What is sealed to a recipient's public key we could not read back, and what was not read back is not
//! proven. So such a file has one recipient more: an identity that was made for it, lives in this
//! process alone and is gone with it. Read back with that, the copy is proven as far as its content and
//! its medium go. That the recipient's own identity opens the file too can be checked only by who has
//! it: `age -d -i IDENTITY FILE`, or `lastkey verify`.
//!
//! age allows a passphrase only alone. We know it, so there the proof is whole.

use std::io::{Read, Write};

use age::secrecy::SecretString;
use age::{Decryptor, Encryptor, scrypt, x25519};
use recovery_key::{Secret, document};

/// What is added to the name of a sealed file.
pub const EXTENSION: &str = "age";
/// The work that a passphrase costs, as a power of two: about a second and 256 MiB, as stock age has it.
const WORK: u8 = 18;
/// A file asks for more than this, some seconds and 1 GiB, only to do harm.
const WORK_LIMIT: u8 = 20;
/// More recipients than fit in here no file has.
const HEADER_LIMIT: usize = 64 << 10;
/// The largest document, and what the format adds to it: 16 bytes for each 64 KiB.
const SIZE_LIMIT: usize = document::SIZE_LIMIT + HEADER_LIMIT + document::SIZE_LIMIT / 1024;
const MAGIC: &[u8] = b"age-encryption.org/v1\n";

mod inspect;

pub use inspect::{Header, inspect};

/// What a file is sealed with.
pub struct Seal {
    lock: Lock,
}

enum Lock {
    Recipients { recipients: Vec<x25519::Recipient>, own: x25519::Identity },
    Passphrase(Secret<String>),
}

/// What opens a sealed file.
pub enum Opener {
    /// The secret keys in an identity file.
    Identities(Vec<x25519::Identity>),
    /// A passphrase.
    Passphrase(Secret<String>),
}

/// Why a file is not sealed, or does not open.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SealError {
    /// A recipient that is none.
    #[error("{recipient:?} is no recipient of age: it begins with age1 and has 62 characters")]
    Recipient {
        /// What was given.
        recipient: String,
    },
    /// No recipient was given.
    #[error("no recipient was given")]
    NoRecipient,
    /// An empty passphrase.
    #[error("the passphrase is empty")]
    EmptyPassphrase,
    /// An identity file without an identity.
    #[error("there is no identity in it: a line that begins with AGE-SECRET-KEY-1")]
    NoIdentity,
    /// An identity file with a broken line.
    #[error("line {line} is no identity of age")]
    Identity {
        /// The line, from 1.
        line: usize,
    },
    /// The file is something else.
    #[error("it is no file sealed by age")]
    NotSealed,
    /// The file is too large.
    #[error("it has more than {limit} bytes")]
    TooLarge {
        /// The bytes that are allowed.
        limit: usize,
    },
    /// Identity or passphrase are not this file's.
    #[error("it was not sealed for this")]
    WrongKey,
    /// Opening it would take more memory or time than any real file does.
    #[error("to open it would take 2^{work} rounds, more than is allowed")]
    TooMuch {
        /// What it asks for, as a power of two.
        work: u8,
    },
    /// A passphrase where recipients are asked for.
    #[error("it is sealed with a passphrase, not to recipients")]
    Passphrase,
    /// More recipients than there are people to open it.
    #[error("it is sealed to more than {limit} recipients")]
    TooManyRecipients {
        /// How many are allowed.
        limit: usize,
    },
    /// The file is damaged or cut off.
    #[error("it is damaged or cut off")]
    Damaged,
}

impl Seal {
    /// Seals to recipients, each written as `age1...`. Any of them opens the file.
    ///
    /// # Errors
    /// When one is no X25519 recipient, or there is none.
    pub fn to_recipients<S: AsRef<str>>(recipients: &[S]) -> Result<Self, SealError> {
        let parse = |text: &S| {
            let text = text.as_ref().trim();
            text.parse().map_err(|_| SealError::Recipient { recipient: text.to_owned() })
        };
        let recipients = recipients.iter().map(parse).collect::<Result<Vec<_>, _>>()?;
        if recipients.is_empty() {
            return Err(SealError::NoRecipient);
        }
        Ok(Self { lock: Lock::Recipients { recipients, own: x25519::Identity::generate() } })
    }

    /// Seals with a passphrase.
    ///
    /// # Errors
    /// When it is empty.
    pub fn with_passphrase(passphrase: Secret<String>) -> Result<Self, SealError> {
        if passphrase.expose().is_empty() {
            return Err(SealError::EmptyPassphrase);
        }
        Ok(Self { lock: Lock::Passphrase(passphrase) })
    }

    /// Seals bytes.
    ///
    /// # Errors
    /// None that the recipients and the passphrase let happen.
    pub fn seal(&self, bytes: &[u8]) -> Result<Vec<u8>, SealError> {
        let encryptor = match &self.lock {
            Lock::Recipients { recipients, own } => {
                let own = own.to_public();
                let all = recipients.iter().chain([&own]).map(|recipient| recipient as &dyn age::Recipient);
                Encryptor::with_recipients(all)
            }
            Lock::Passphrase(passphrase) => {
                let mut recipient = scrypt::Recipient::new(secret(passphrase));
                recipient.set_work_factor(WORK);
                Encryptor::with_recipients([&recipient as &dyn age::Recipient].into_iter())
            }
        };
        let write = |encryptor: Encryptor| {
            let mut sealed = Vec::new();
            let mut writer = encryptor.wrap_output(&mut sealed)?;
            writer.write_all(bytes)?;
            writer.finish()?;
            Ok(sealed)
        };
        encryptor
            .map_err(|_| SealError::NoRecipient)
            .and_then(|encryptor| write(encryptor).map_err(|_: std::io::Error| SealError::Damaged))
    }

    /// Opens what this sealed.
    ///
    /// # Errors
    /// When it is damaged, or something else sealed it.
    pub fn open(&self, bytes: &[u8]) -> Result<Secret<Vec<u8>>, SealError> {
        match &self.lock {
            Lock::Recipients { own, .. } => open_with(bytes, &[own as &dyn age::Identity]),
            Lock::Passphrase(passphrase) => open_with_passphrase(bytes, passphrase),
        }
    }
}

impl std::fmt::Debug for Seal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.lock {
            Lock::Recipients { recipients, .. } => f.debug_tuple("Seal").field(recipients).finish(),
            Lock::Passphrase(_) => f.write_str("Seal(passphrase)"),
        }
    }
}

impl Opener {
    /// Reads an identity file as `age-keygen` writes it: one identity on each line; empty lines and those
    /// that begin with `#` say nothing.
    ///
    /// # Errors
    /// When a line is something else, or there is no identity.
    pub fn from_identity_file(text: &Secret<String>) -> Result<Self, SealError> {
        let mut identities = Vec::new();
        for (line, content) in (1..).zip(text.expose().lines().map(str::trim)) {
            if !content.is_empty() && !content.starts_with('#') {
                identities.push(content.parse().map_err(|_| SealError::Identity { line })?);
            }
        }
        if identities.is_empty() { Err(SealError::NoIdentity) } else { Ok(Self::Identities(identities)) }
    }
}

/// Returns whether bytes are a sealed file, and if so whether a passphrase opens it.
pub fn needs_passphrase(bytes: &[u8]) -> Option<bool> {
    let stanza = bytes.strip_prefix(MAGIC)?.strip_prefix(b"-> ")?;
    Some(stanza.starts_with(b"scrypt "))
}

/// Opens a sealed file.
///
/// # Errors
/// When it is none, is damaged, was sealed for somebody else, or would take more work than is reasonable.
pub fn open(bytes: &[u8], opener: &Opener) -> Result<Secret<Vec<u8>>, SealError> {
    match opener {
        Opener::Identities(identities) => {
            let all: Vec<_> = identities.iter().map(|identity| identity as &dyn age::Identity).collect();
            open_with(bytes, &all)
        }
        Opener::Passphrase(passphrase) => open_with_passphrase(bytes, passphrase),
    }
}

fn open_with_passphrase(bytes: &[u8], passphrase: &Secret<String>) -> Result<Secret<Vec<u8>>, SealError> {
    let mut identity = scrypt::Identity::new(secret(passphrase));
    identity.set_max_work_factor(WORK_LIMIT);
    open_with(bytes, &[&identity])
}

fn open_with(bytes: &[u8], identities: &[&dyn age::Identity]) -> Result<Secret<Vec<u8>>, SealError> {
    use age::DecryptError as E;
    if bytes.len() > SIZE_LIMIT {
        return Err(SealError::TooLarge { limit: SIZE_LIMIT });
    }
    if !bytes.starts_with(MAGIC) {
        return Err(SealError::NotSealed);
    }
    let header = bytes.get(..bytes.len().min(HEADER_LIMIT)).unwrap_or_default();
    if !header.windows(5).any(|window| window == b"\n--- ") {
        return Err(SealError::Damaged);
    }
    let decryptor = Decryptor::new_buffered(bytes).map_err(|_| SealError::Damaged)?;
    let reader = decryptor.decrypt(identities.iter().copied()).map_err(|error| match error {
        E::ExcessiveWork { required, .. } => SealError::TooMuch { work: required },
        E::NoMatchingKeys | E::KeyDecryptionFailed | E::DecryptionFailed => SealError::WrongKey,
        _ => SealError::Damaged,
    })?;
    let mut out = Secret::new(Vec::with_capacity(bytes.len()));
    reader.take(SIZE_LIMIT as u64).read_to_end(out.expose_mut()).map_err(|_| SealError::Damaged)?;
    Ok(out)
}

fn secret(passphrase: &Secret<String>) -> SecretString {
    SecretString::from(passphrase.expose().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity_file(identity: &x25519::Identity) -> Secret<String> {
        use age::secrecy::ExposeSecret;
        Secret::new(format!("# created: today\n\n{}\n", identity.to_string().expose_secret()))
    }

    #[test]
    fn each_recipient_opens_what_is_sealed_to_several() {
        let people = [x25519::Identity::generate(), x25519::Identity::generate()];
        let recipients: Vec<_> = people.iter().map(|identity| identity.to_public().to_string()).collect();
        let seal = Seal::to_recipients(&recipients).expect("recipients");
        let sealed = seal.seal(b"the key").expect("sealed");
        assert_eq!(needs_passphrase(&sealed), Some(false));
        assert_eq!(seal.open(&sealed).expect("opened").expose(), b"the key");
        for person in &people {
            let opener = Opener::from_identity_file(&identity_file(person)).expect("an identity");
            assert_eq!(open(&sealed, &opener).expect("opened").expose(), b"the key");
        }
        let stranger = Opener::Identities(vec![x25519::Identity::generate()]);
        assert!(matches!(open(&sealed, &stranger), Err(SealError::WrongKey)));
        let another = Seal::to_recipients(&recipients).expect("recipients");
        assert!(matches!(another.open(&sealed), Err(SealError::WrongKey)));
    }

    #[test]
    fn a_passphrase_opens_what_it_sealed() {
        let seal = Seal::with_passphrase(Secret::new("correct horse".to_owned())).expect("a passphrase");
        let sealed = seal.seal(b"the key").expect("sealed");
        assert_eq!(needs_passphrase(&sealed), Some(true));
        assert_eq!(seal.open(&sealed).expect("opened").expose(), b"the key");
        let wrong = Opener::Passphrase(Secret::new("battery staple".to_owned()));
        assert!(matches!(open(&sealed, &wrong), Err(SealError::WrongKey)));
    }

    #[test]
    fn a_changed_or_shortened_file_does_not_open() {
        let seal = Seal::to_recipients(&[x25519::Identity::generate().to_public().to_string()]);
        let seal = seal.expect("a recipient");
        let sealed = seal.seal(b"the key").expect("sealed");
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(seal.open(&changed).is_err(), "byte {at}");
            assert!(seal.open(&sealed[..at]).is_err(), "cut at {at}");
        }
    }

    #[test]
    fn too_much_work_is_refused_before_it_is_done() {
        let file = b"age-encryption.org/v1\n-> scrypt AAAAAAAAAAAAAAAAAAAAAA 40\n\
            AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n--- AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n\
            AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
        let opener = Opener::Passphrase(Secret::new("any".to_owned()));
        assert!(matches!(open(file, &opener), Err(SealError::TooMuch { work: 40 })));
        let endless = [MAGIC, &b"-> X25519 AAAA\nAAAA\n".repeat(HEADER_LIMIT / 16)].concat();
        assert!(matches!(open(&endless, &opener), Err(SealError::Damaged)));
    }

    #[test]
    fn wrong_words_are_said_to_be_wrong() {
        assert!(matches!(Seal::to_recipients(&["age1nobody"]), Err(SealError::Recipient { .. })));
        assert!(matches!(Seal::to_recipients::<&str>(&[]), Err(SealError::NoRecipient)));
        assert!(matches!(Seal::with_passphrase(Secret::new(String::new())), Err(SealError::EmptyPassphrase)));
        let text = |text: &str| Secret::new(text.to_owned());
        assert!(matches!(Opener::from_identity_file(&text("# none")), Err(SealError::NoIdentity)));
        assert!(matches!(Opener::from_identity_file(&text("#\nx")), Err(SealError::Identity { line: 2 })));
        let opener = Opener::Passphrase(Secret::new("any".to_owned()));
        assert!(matches!(open(b"", &opener), Err(SealError::NotSealed)));
    }
}
