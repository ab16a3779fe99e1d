//! Finds recovery keys in files: whatever they are called, and whatever form they have.
//!
//! - [`forms::read`] takes the bytes of any file and gives the keys in it, by content alone;
//! - [`Search`] walks folders, reads every file and gives [`Findings`];
//! - [`Report`] groups what was found by key ID: copies of one key, and digits that contradict.
//!
//! Nothing here opens a drive or asks anybody. What needs a password is named in
//! [`Findings::unread`]; whoever has the password hands the contents back with [`Findings::add`].
//!
//! Keys live in [`recovery_key::Secret`], and so do the texts that they are taken from. What the
//! readers of ZIP, XML, JSON and PDF keep inside while they work is not wiped.

mod folders;
pub mod forms;
mod report;
mod unread;
mod walk;

pub use folders::own_folders;
pub use report::{Entry, Report, Variant};
pub use unread::{Seal, Unread, UnreadCount};
pub use walk::{Finding, Findings, Place, Search, WrongDigits};
