//! The command line of the rescue stick.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, ValueHint};

use super::{Find, Json, Seals};

/// `lastkey unlock`
#[derive(Debug, Args)]
pub struct Unlock {
    /// Drives to open; none: every BitLocker drive that is attached, and those that are plugged in later
    #[arg(value_name = "DRIVE", value_hint = ValueHint::AnyPath)]
    pub drives: Vec<OsString>,
    /// Folder or file with keys, in any form that `lastkey find` reads (may be repeated)
    #[arg(long = "with", value_name = "FOLDER", required = true, value_hint = ValueHint::AnyPath)]
    pub with: Vec<PathBuf>,
    /// Mount each drive in a folder of its own in this one
    #[arg(long, value_name = "FOLDER", default_value = "unlocked", value_hint = ValueHint::DirPath)]
    pub at: PathBuf,
    /// Only say which key opens which drive
    #[arg(long)]
    pub no_mount: bool,
    /// Do not wait for drives that are plugged in later
    #[arg(long)]
    pub once: bool,
    /// Let every user of this computer read what is mounted
    #[arg(long)]
    pub everyone: bool,
    /// Add a line of JSON for each drive to this file: what opened it, when, or why nothing did
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub log: Option<PathBuf>,
    #[command(flatten)]
    pub find: Find,
    #[command(flatten)]
    pub seals: Seals,
    #[command(flatten)]
    pub json: Json,
}
