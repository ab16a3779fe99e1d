//! The command line of what saves a failing drive.

use std::path::PathBuf;

use clap::{Args, ValueHint};

use super::{Drive, Json, Keys};

/// `lastkey rescue`
#[derive(Debug, Args)]
pub struct Rescue {
    #[command(flatten)]
    pub drive: Drive,
    /// The file to write, on another drive; OUT.map beside it says what of it was read
    #[arg(value_name = "OUT", value_hint = ValueHint::FilePath)]
    pub out: PathBuf,
    /// Metadata that `lastkey backup` saved, for when all of the drive's own is destroyed
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub snapshot: Option<PathBuf>,
    /// How often to try bad sectors again
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    pub retries: u32,
    /// DRIVE is a copy that GNU ddrescue made, and this is its map: what it lacks counts as unreadable
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub source_map: Option<PathBuf>,
    /// Where the map is, or shall be; none: OUT.map
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub map: Option<PathBuf>,
    /// Do not look which files are lost
    #[arg(long)]
    pub skip_files: bool,
    #[command(flatten)]
    pub keys: Keys,
    #[command(flatten)]
    pub json: Json,
}
