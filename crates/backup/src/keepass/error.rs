//! What can be wrong with a password database.

/// Why a KeePass database does not open, or is not written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeePassError {
    /// The file is something else.
    #[error("it is no KeePass database (.kdbx)")]
    NotKdbx,
    /// A format that is not read.
    #[error("it has format {major}.{minor}; formats 3 and 4 are read")]
    Version {
        /// Before the point.
        major: u16,
        /// After the point.
        minor: u16,
    },
    /// Password and key file are not this database's.
    #[error("the password or the key file is wrong")]
    WrongKey,
    /// Neither a password nor a key file was given.
    #[error("it needs a password or a key file")]
    NoKey,
    /// A key file whose own check fails.
    #[error("the key file is damaged: {0}")]
    KeyFile(&'static str),
    /// The file ends too early.
    #[error("it is cut off: {what} at {at:#x} has {expected} bytes, and {actual} are left")]
    CutOff {
        /// What lies there.
        what: &'static str,
        /// Where, from the start of the file or of what is encrypted in it.
        at: usize,
        /// The bytes it should have.
        expected: usize,
        /// The bytes that are there.
        actual: usize,
    },
    /// A part that cannot be right.
    #[error("it is damaged: {0}")]
    Damaged(&'static str),
    /// A cipher, key derivation or the like that is not known.
    #[error("it uses {0}, which is not known here")]
    Unknown(String),
    /// Opening it would take more memory or time than any real database does.
    #[error("to open it would take {0}, more than is allowed")]
    TooMuch(String),
    /// The file, or what is in it, is too large.
    #[error("it has more than {limit} bytes")]
    TooLarge {
        /// The bytes that are allowed.
        limit: usize,
    },
    /// The text inside is broken.
    #[error("the text inside is broken at byte {at}: {what}")]
    Text {
        /// Where, from the start of the text.
        at: usize,
        /// What is wrong.
        what: String,
    },
    /// The system gives no random numbers.
    #[error("the system gives no random numbers")]
    NoRandom,
    /// What was written is not read again as it should be.
    #[error("the new file does not hold what it should: {0}")]
    NotTheSame(String),
}
