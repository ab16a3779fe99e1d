//! What a run of the program said, and that no key was among it.

use std::process::Output;
use std::sync::OnceLock;

use serde_json::Value;

use crate::known::DRIVES;
use crate::made::DIGITS;
use crate::whole;

/// What a run of the program said.
pub struct Said {
    /// Its exit code; the number of the signal that ended it, below zero.
    pub code: i32,
    /// What came on standard output.
    pub out: String,
    /// What came on standard error.
    pub err: String,
}

impl Said {
    /// Takes what a process said.
    ///
    /// # Panics
    /// When it has not ended.
    pub fn of(output: Output) -> Self {
        use std::os::unix::process::ExitStatusExt;
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        let code = output.status.code().or(output.status.signal().map(|signal| -signal));
        Self { code: code.expect("a status"), out: text(output.stdout), err: text(output.stderr) }
    }

    /// Asserts an exit code.
    ///
    /// # Panics
    /// When it is another.
    #[track_caller]
    pub fn exits(&self, code: i32) -> &Self {
        assert_eq!(self.code, code, "stdout: {}\nstderr: {}", self.out, self.err);
        self
    }

    /// Asserts that something is said.
    ///
    /// # Panics
    /// When it is not.
    #[track_caller]
    pub fn says(&self, text: &str) -> &Self {
        assert!(
            self.out.contains(text) || self.err.contains(text),
            "{text:?} is missing\nstdout: {}\nstderr: {}",
            self.out,
            self.err
        );
        self
    }

    /// Returns the JSON document on standard output.
    ///
    /// # Panics
    /// When there is none.
    #[track_caller]
    pub fn json(&self) -> Value {
        let document: Value =
            serde_json::from_str(&self.out).unwrap_or_else(|e| panic!("{e}: {}{}", self.out, self.err));
        assert_eq!(document["format"], 1);
        document
    }

    /// Asserts that no key of any test drive is among what was said, however its digits are grouped.
    ///
    /// # Panics
    /// When one is.
    #[track_caller]
    pub fn assert_no_secret(&self) {
        for stream in [&self.out, &self.err] {
            let text = bare(stream);
            let keys = DRIVES.iter().flat_map(|drive| drive.recovery_passwords).map(|key| bare(key));
            for key in keys.chain(SECRETS.get().into_iter().flatten().cloned().chain([bare(DIGITS)])) {
                assert!(!text.contains(&key), "a key is shown");
            }
            for password in
                DRIVES.iter().filter_map(|drive| drive.password).chain(["try-lastkey", whole::PASSWORD])
            {
                assert!(!stream.contains(password), "a password is shown");
            }
        }
    }
}

/// Returns a text without spaces, hyphens and the like.
fn bare(text: &str) -> String {
    text.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}

/// More keys that nobody may be shown, bare.
static SECRETS: OnceLock<Vec<String>> = OnceLock::new();

/// Names keys that nobody may be shown, once in a process.
pub fn keep_secret(keys: impl IntoIterator<Item = String>) {
    SECRETS.get_or_init(|| keys.into_iter().map(|key| bare(&key)).collect());
}
