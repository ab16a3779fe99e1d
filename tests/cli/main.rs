//! The program as people and scripts meet it: every command run for real, rightly and wrongly.

#[macro_use]
mod support;

mod account;
mod backup;
mod dictate;
mod failures;
mod find;
mod help;
mod keys;
mod limits;
mod prompts;
mod read;
mod read_formats;
mod read_resume;
mod record;
mod repair;
mod sealed;
mod status;
mod terminal;
mod tries;
mod verify;
