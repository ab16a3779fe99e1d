//! The control panel: what it does for its person, and that nobody else gets anything.

#![allow(clippy::unwrap_used)]

mod helper;
mod home;
mod keep;
mod others;
#[path = "../account/person.rs"]
#[allow(dead_code, reason = "the story of the account uses all of it")]
mod person;
mod sites;
mod starts;
mod way;

/// The number of a user who owns nothing.
const NOBODY: u32 = 65534;
/// What turns a program into that user's.
const AS_NOBODY: &[&str] =
    &["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "--no-new-privs"];
