//! The key that the audit log's checkpoints are signed with.

use std::fs;
use std::io;
use std::path::Path;

use tlog::{Checkpoint, NoteSigner, NoteVerifier};
use zeroize::Zeroizing;

use crate::error::Error;
use crate::private;

/// Who signs the audit log.
///
/// The key is in a file beside the database, not in it: who changes the database cannot sign for it.
#[derive(Debug)]
pub struct Log {
    signer: NoteSigner,
}

impl Log {
    /// Makes it of 32 secret bytes. `origin` is the log's name, which it keeps: a URL without its scheme.
    ///
    /// # Errors
    /// When the name has spaces or plus signs in it.
    pub fn new(origin: &str, secret: &[u8; 32]) -> Result<Self, Error> {
        NoteSigner::new(origin, secret)
            .map(|signer| Self { signer })
            .map_err(|why| Error::Invalid(why.to_string()))
    }

    /// Reads `audit.key`, or makes it for a log with the name `origin`.
    ///
    /// # Errors
    /// When the file cannot be read or made, or holds something else.
    pub fn open(file: &Path, origin: &str) -> Result<Self, Error> {
        let named = |why: &dyn std::fmt::Display| Error::Invalid(format!("{}: {why}", file.display()));
        match fs::read_to_string(file) {
            Ok(text) => {
                let text = Zeroizing::new(text);
                NoteSigner::parse(text.trim()).map(|signer| Self { signer }).map_err(|why| named(&why))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let mut secret = Zeroizing::new([0; 32]);
                getrandom::fill(&mut *secret).map_err(|why| Error::Internal(why.to_string()))?;
                let log = Self::new(origin, &secret)?;
                let line = Zeroizing::new(format!("{}\n", log.signer.secret_text().as_str()));
                private::write(file, line.as_bytes()).map_err(|why| named(&why))?;
                Ok(log)
            }
            Err(error) => Err(named(&error)),
        }
    }

    /// Returns what others check its checkpoints with.
    #[must_use]
    pub fn verifier(&self) -> &NoteVerifier {
        self.signer.verifier()
    }

    /// Signs that the log has so many entries, and this root.
    pub(super) fn sign(&self, size: u64, root: tlog::Hash) -> String {
        Checkpoint { origin: self.verifier().name().to_owned(), size, root }.sign(&self.signer)
    }
}
