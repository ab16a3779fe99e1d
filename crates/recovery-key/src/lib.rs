//! BitLocker recovery keys: the 48 digits, key IDs, and the documents they are written in.
//!
//! - [`RecoveryPassword`] is the 48 digits; [`parse_group`] checks six of them as they are typed.
//! - [`KeyId`] says which recovery key a drive asks for; [`KeyIdPrefix`] is as much of it as is known.
//! - [`document`] reads whatever text or file a key was kept in, and writes Windows' own text file.
//! - [`bek`] is the external key file.
//! - [`character`] is what a single typed character means.
//!
//! Nothing here opens files or knows an operating system; secrets live in [`Secret`].

pub mod bek;
pub mod character;
pub mod dataset;
pub mod document;
mod group;
mod key_id;
mod password;
mod secret;

pub use group::{GroupError, GroupProblem, group_digits, parse_group};
pub use key_id::{KeyId, KeyIdError, KeyIdPrefix};
pub use password::{DigitsError, RecoveryPassword, WrongGroup, WrongGroups};
pub use secret::Secret;
