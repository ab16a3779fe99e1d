//! The command line of what finds keys and carries them by voice.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, ValueHint};

use super::{Drive, Find, Json, Places, Seals, SignIn};

/// `lastkey find`
#[derive(Debug, Args)]
pub struct FindKeys {
    /// A key ID (8 or more of its digits) or a drive; none: every key, tried on every attached drive
    #[arg(value_name = "KEY-ID|DRIVE", value_hint = ValueHint::AnyPath)]
    pub wanted: Option<OsString>,
    /// Where to search: a folder, a file, usb for all removable drives, or a directory:
    /// directory:ldaps://SERVER, directory:ldaps://SERVER/COMPUTER (may be repeated)
    #[arg(long = "in", value_name = "PLACE", value_hint = ValueHint::AnyPath)]
    pub places: Vec<OsString>,
    /// Try the keys on this drive (may be repeated)
    #[arg(long = "drive", value_name = "DRIVE", value_hint = ValueHint::AnyPath)]
    pub drives: Vec<OsString>,
    #[command(flatten)]
    pub find: Find,
    /// Try keys without a fitting key ID too, however many there are
    #[arg(long)]
    pub try_all: bool,
    /// Show the keys that are found
    #[arg(long)]
    pub reveal: bool,
    /// Do not look for codes and printed pages on pictures: photos take the most time
    #[arg(long)]
    pub no_pictures: bool,
    /// Follow links to folders and files
    #[arg(long)]
    pub follow_links: bool,
    /// Enter folders on other file systems
    #[arg(long)]
    pub other_file_systems: bool,
    /// Leave out files above this many MiB
    #[arg(long, value_name = "MIB", default_value_t = 1024)]
    pub largest: u64,
    #[command(flatten)]
    pub seals: Seals,
    #[command(flatten)]
    pub sign_in: SignIn,
    #[command(flatten)]
    pub json: Json,
}

/// `lastkey dictate`
#[derive(Debug, Args)]
pub struct Dictate {
    /// File that holds the key, in any form; - for standard input
    #[arg(value_name = "COPY", value_hint = ValueHint::FilePath)]
    pub copy: PathBuf,
    /// Of several keys in it take the one with this key ID (its first digits)
    #[arg(long, value_name = "KEY-ID")]
    pub key_id: Option<String>,
    #[command(flatten)]
    pub seals: Seals,
}

/// `lastkey type`
#[derive(Debug, Args)]
pub struct TypeDrive {
    #[command(flatten)]
    pub drive: Drive,
    #[command(flatten)]
    pub places: Places,
    #[command(flatten)]
    pub json: Json,
}
