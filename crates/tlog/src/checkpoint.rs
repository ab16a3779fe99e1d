//! What a log says of itself: C2SP tlog-checkpoint.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::note::{NoteError, NoteSigner, NoteVerifier};
use crate::tree::Hash;

/// What a log says of itself: which one it is, how many entries it has, and the root of the tree over them.
///
/// Its text is what is signed as a note. Lines that extend it are read over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The log's name, the same for as long as it lives: a URL without its scheme.
    pub origin: String,
    /// The number of entries.
    pub size: u64,
    /// The root.
    pub root: Hash,
}

impl Checkpoint {
    /// Reads the text of a note.
    ///
    /// # Errors
    /// When it is not that of a checkpoint.
    pub fn parse(text: &str) -> Result<Self, NoteError> {
        let mut lines = text.strip_suffix('\n').ok_or(NoteError::NoCheckpoint)?.split('\n');
        let mut line = || lines.next().filter(|line| !line.is_empty()).ok_or(NoteError::NoCheckpoint);
        let (origin, size, root) = (line()?, line()?, line()?);
        if lines.any(str::is_empty) {
            return Err(NoteError::NoCheckpoint);
        }
        let number =
            size.bytes().all(|digit| digit.is_ascii_digit()) && (size == "0" || !size.starts_with('0'));
        let root = STANDARD.decode(root).ok().and_then(|root| root.try_into().ok());
        match (number, size.parse(), root) {
            (true, Ok(size), Some(root)) => Ok(Self { origin: origin.to_owned(), size, root }),
            _ => Err(NoteError::NoCheckpoint),
        }
    }

    /// Reads a signed note. The signature must hold, and signer and log must have the same name.
    ///
    /// # Errors
    /// When it is not signed by the log's key, or is not a checkpoint of its log.
    pub fn open(note: &str, verifier: &NoteVerifier) -> Result<Self, NoteError> {
        let checkpoint = Self::parse(verifier.open(note)?)?;
        if checkpoint.origin == verifier.name() { Ok(checkpoint) } else { Err(NoteError::OtherLog) }
    }

    /// Signs it.
    #[must_use]
    pub fn sign(&self, signer: &NoteSigner) -> String {
        signer.sign(&self.to_string())
    }
}

/// The text that is signed.
impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n{}\n{}\n", self.origin, self.size, STANDARD.encode(self.root))
    }
}
