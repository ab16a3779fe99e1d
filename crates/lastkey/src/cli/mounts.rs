//! The command line of what shows a drive as a part of this computer.

use std::path::PathBuf;

use clap::{Args, ValueHint};

use super::{Drive, Json, Keys};

/// `lastkey mount`
#[derive(Debug, Args)]
pub struct Mount {
    #[command(flatten)]
    pub drive: Drive,
    /// The folder to show it in: an empty one, or a new one that is removed again in the end
    #[arg(value_name = "FOLDER", value_hint = ValueHint::DirPath)]
    pub folder: PathBuf,
    /// Show one file, drive.img, with all decrypted bytes, for other programs' drivers
    #[arg(long)]
    pub raw: bool,
    /// Let every user of this computer read it; without this only you, under sudo whoever called sudo
    #[arg(long)]
    pub everyone: bool,
    /// Return when it is mounted, and go on in the background
    #[arg(long)]
    pub background: bool,
    /// What --background starts
    #[arg(long, hide = true)]
    pub detach: bool,
    #[command(flatten)]
    pub keys: Keys,
    #[command(flatten)]
    pub json: Json,
}

/// `lastkey unmount`
#[derive(Debug, Args)]
pub struct Unmount {
    /// The folder or the drive
    #[arg(value_name = "FOLDER|DRIVE", required_unless_present = "all", value_hint = ValueHint::AnyPath)]
    pub places: Vec<PathBuf>,
    /// Everything that lastkey has mounted
    #[arg(long, conflicts_with = "places")]
    pub all: bool,
    /// Also when it is in use: whoever still reads gets an error, nothing is lost
    #[arg(long)]
    pub force: bool,
    #[command(flatten)]
    pub json: Json,
}
