//! The command line of what mends damaged recovery keys.

use std::path::PathBuf;

use clap::{Args, ValueHint};

use super::{Drive, Json, Places};

/// `lastkey repair`
#[derive(Debug, Args)]
pub struct Repair {
    #[command(flatten)]
    pub drive: Drive,
    /// File with what can be read of the key (- for standard input); none: asks
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub hints_file: Option<PathBuf>,
    /// Of several recovery keys of the drive it is the one with this key ID (its first digits)
    #[arg(long, value_name = "KEY-ID")]
    pub key_id: Option<String>,
    /// How many slips to consider, besides what is plainly missing; none: as many as a day is enough for
    #[arg(long, value_name = "0-3", value_parser = clap::value_parser!(u8).range(0..=3), conflicts_with = "resume")]
    pub slips: Option<u8>,
    /// Only show how many candidates there are and how long they take
    #[arg(long)]
    pub dry_run: bool,
    /// Go on where a search stopped
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub resume: Option<PathBuf>,
    /// Show the recovery key when it is found; else you are asked
    #[arg(long)]
    pub reveal: bool,
    #[command(flatten)]
    pub places: Places,
    #[command(flatten)]
    pub json: Json,
}
