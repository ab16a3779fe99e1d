//! Who somebody is, and what opens their account's key.
//!
//! A session says only who is signed in. Whatever needs the account's key asks in that very request for what opens
//! it ([`Shown`]), and forgets it with the request.

pub mod account_key;
pub mod code;
pub mod passkey;
pub mod session;
pub mod show;
pub mod totp;
pub mod work;

pub use session::SignedIn;
pub use show::{Opened, Refused, Shown};

use crate::error::Error;

/// The shortest password. Nothing else is asked of it: length is what counts.
pub const PASSWORD_MINIMUM: usize = 12;
/// The longest, in bytes.
pub const PASSWORD_MAXIMUM: usize = 1024;

/// Returns random bytes.
///
/// # Errors
/// When the system has none.
pub fn random<const N: usize>() -> Result<[u8; N], Error> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| Error::Internal(error.to_string()))?;
    Ok(bytes)
}

/// Takes a password that somebody has chosen.
///
/// # Errors
/// Says what is wrong with it.
pub fn check_password(password: &str) -> Result<(), Error> {
    match password.chars().count() {
        count if count < PASSWORD_MINIMUM => Err(Error::Invalid(format!(
            "This password has {count} characters; take {PASSWORD_MINIMUM} or more. Four or five words are easier to \
             keep in mind than a short one with signs in it."
        ))),
        _ if password.len() > PASSWORD_MAXIMUM => {
            Err(Error::Invalid(format!("A password has {PASSWORD_MAXIMUM} bytes at most.")))
        }
        _ => Ok(()),
    }
}
