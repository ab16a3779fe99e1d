//! Signed notes: a text with lines under it that say who signed it, as in C2SP signed-note.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// The longest note that is read, in bytes.
pub const NOTE_LIMIT: usize = 64 << 10;
/// The most signatures that are read.
const SIGNATURES_LIMIT: usize = 100;
/// How the format numbers Ed25519.
const ED25519: u8 = 1;

/// What a signer's text begins with.
const PRIVATE: &str = "PRIVATE+KEY+";

/// Why a note or its verifier is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoteError {
    /// It has another form.
    #[error("this is not a signed note")]
    Malformed,
    /// Nobody who is known signed it.
    #[error("the note is not signed by the key that is known here")]
    Unsigned,
    /// The signature is not of this text.
    #[error("the note's signature does not hold: it was changed")]
    Forged,
    /// The text is no checkpoint.
    #[error("the note is not a checkpoint of a log")]
    NoCheckpoint,
    /// The checkpoint is of a log with another name.
    #[error("the checkpoint is of another log")]
    OtherLog,
    /// The verifier has another form, or another kind of key.
    #[error("this is not the public key of a log: it looks like NAME+8 hex digits+Base64")]
    Verifier,
    /// The signer's text has another form, or another kind of key.
    #[error("this is not the secret key of a log: it looks like PRIVATE+KEY+NAME+8 hex digits+Base64")]
    Signer,
    /// The name cannot be that of a signer.
    #[error("a signer's name has neither spaces nor plus signs nor control characters, and is not empty")]
    Name,
}

/// Who signs notes: a name and an Ed25519 key.
pub struct NoteSigner {
    key: SigningKey,
    verifier: NoteVerifier,
}

impl NoteSigner {
    /// Makes the signer of a key's 32 secret bytes.
    ///
    /// # Errors
    /// When the name cannot be that of a signer.
    pub fn new(name: &str, secret: &[u8; 32]) -> Result<Self, NoteError> {
        let key = SigningKey::from_bytes(secret);
        let verifier = NoteVerifier::new(name, key.verifying_key())?;
        Ok(Self { key, verifier })
    }

    /// Reads the text that [`NoteSigner::secret_text`] makes.
    ///
    /// # Errors
    /// When it is no signer, or the key is of another kind than Ed25519.
    pub fn parse(text: &str) -> Result<Self, NoteError> {
        let mut parts = text.strip_prefix(PRIVATE).ok_or(NoteError::Signer)?.splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(NoteError::Signer);
        };
        let key = Zeroizing::new(STANDARD.decode(key).map_err(|_| NoteError::Signer)?);
        let Some((&ED25519, secret)) = key.split_first() else { return Err(NoteError::Signer) };
        let signer = Self::new(name, secret.try_into().map_err(|_| NoteError::Signer)?)?;
        if signer.verifier.id_in_hex() == id { Ok(signer) } else { Err(NoteError::Signer) }
    }

    /// Returns name and secret key as Go's package `note` writes them, to be kept in a file.
    #[must_use]
    pub fn secret_text(&self) -> Zeroizing<String> {
        let key = Zeroizing::new([&[ED25519][..], &*Zeroizing::new(self.key.to_bytes())].concat());
        let key = Zeroizing::new(STANDARD.encode(&*key));
        Zeroizing::new([PRIVATE, &self.verifier.name, "+", &self.verifier.id_in_hex(), "+", &*key].concat())
    }

    /// Returns what others check its notes with.
    #[must_use]
    pub fn verifier(&self) -> &NoteVerifier {
        &self.verifier
    }

    /// Signs a text and returns the note. A text that does not end with a newline gets one.
    #[must_use]
    pub fn sign(&self, text: &str) -> String {
        let newline = if text.ends_with('\n') { "" } else { "\n" };
        let text = format!("{text}{newline}");
        let signature = self.key.sign(text.as_bytes());
        let line = [&self.verifier.id[..], &signature.to_bytes()[..]].concat();
        format!("{text}\n— {} {}\n", self.verifier.name, STANDARD.encode(line))
    }
}

impl fmt::Debug for NoteSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("NoteSigner").field(&self.verifier).finish()
    }
}

/// Who is known to sign notes. Its text is a C2SP verifier key: `NAME+ID+KEY`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoteVerifier {
    name: String,
    id: [u8; 4],
    key: VerifyingKey,
}

impl NoteVerifier {
    fn new(name: &str, key: VerifyingKey) -> Result<Self, NoteError> {
        if !is_name(name) {
            return Err(NoteError::Name);
        }
        let hash = Sha256::new()
            .chain_update(name)
            .chain_update([b'\n', ED25519])
            .chain_update(key.as_bytes())
            .finalize();
        let id = [hash[0], hash[1], hash[2], hash[3]];
        Ok(Self { name: name.to_owned(), id, key })
    }

    /// Reads a verifier key.
    ///
    /// # Errors
    /// When it is none, or the key is of another kind than Ed25519.
    pub fn parse(text: &str) -> Result<Self, NoteError> {
        let mut parts = text.splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(NoteError::Verifier);
        };
        let key = STANDARD.decode(key).map_err(|_| NoteError::Verifier)?;
        let Some((&ED25519, key)) = key.split_first() else { return Err(NoteError::Verifier) };
        let key = key.try_into().map_err(|_| NoteError::Verifier)?;
        let key = VerifyingKey::from_bytes(&key).map_err(|_| NoteError::Verifier)?;
        let verifier = Self::new(name, key)?;
        if verifier.id_in_hex() == id { Ok(verifier) } else { Err(NoteError::Verifier) }
    }

    /// Returns the name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Reads a note, and returns its text when it is signed by this key. What others signed is read over.
    ///
    /// # Errors
    /// When it is no note, or this key did not sign it.
    pub fn open<'n>(&self, note: &'n str) -> Result<&'n str, NoteError> {
        let (text, signatures) = split(note)?;
        let mut signed = false;
        for signature in signatures {
            if signature.name == self.name && signature.id == self.id {
                let bytes = signature.bytes.as_slice().try_into().map_err(|_| NoteError::Forged)?;
                let bytes = Signature::from_bytes(bytes);
                self.key.verify_strict(text.as_bytes(), &bytes).map_err(|_| NoteError::Forged)?;
                signed = true;
            }
        }
        if signed { Ok(text) } else { Err(NoteError::Unsigned) }
    }

    fn id_in_hex(&self) -> String {
        format!("{:08x}", u32::from_be_bytes(self.id))
    }
}

/// The verifier key.
impl fmt::Display for NoteVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = [&[ED25519][..], self.key.as_bytes()].concat();
        write!(f, "{}+{}+{}", self.name, self.id_in_hex(), STANDARD.encode(key))
    }
}

struct SignatureLine<'n> {
    name: &'n str,
    id: [u8; 4],
    bytes: Vec<u8>,
}

/// Cuts a note into its text, with the newline at its end, and who signed it.
fn split(note: &str) -> Result<(&str, Vec<SignatureLine<'_>>), NoteError> {
    let control = |character: char| character < ' ' && character != '\n';
    if note.len() > NOTE_LIMIT || note.contains(control) {
        return Err(NoteError::Malformed);
    }
    let at = note.rfind("\n\n").ok_or(NoteError::Malformed)?;
    let text = &note[..=at];
    let lines = note[at + 2..].strip_suffix('\n').ok_or(NoteError::Malformed)?;
    if text == "\n" || lines.split('\n').count() > SIGNATURES_LIMIT {
        return Err(NoteError::Malformed);
    }
    let signatures = lines.split('\n').map(signature_line).collect::<Option<_>>();
    Ok((text, signatures.ok_or(NoteError::Malformed)?))
}

fn signature_line(line: &str) -> Option<SignatureLine<'_>> {
    let (name, signature) = line.strip_prefix("— ")?.split_once(' ')?;
    let signature = STANDARD.decode(signature).ok()?;
    let (&id, bytes) = signature.split_first_chunk()?;
    (is_name(name) && !bytes.is_empty()).then(|| SignatureLine { name, id, bytes: bytes.to_vec() })
}

fn is_name(name: &str) -> bool {
    let strange = |character: char| character.is_whitespace() || character.is_control() || character == '+';
    !name.is_empty() && !name.contains(strange)
}
