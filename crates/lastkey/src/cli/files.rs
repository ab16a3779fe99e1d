//! The command line of what reads the files inside a drive.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, ValueHint};

use super::{Find, Json, Keys};

/// `lastkey ls`
#[derive(Debug, Args)]
pub struct Ls {
    /// Drive and path inside it: /dev/sda3:/Users, disk.img:, disk.img:letter.txt
    #[arg(value_name = "DRIVE[:PATH]", value_hint = ValueHint::AnyPath)]
    pub place: OsString,
    /// One line for each: attributes, size, time of the last change, name
    #[arg(short, long)]
    pub long: bool,
    /// Show the named streams of files too (NTFS)
    #[arg(long)]
    pub streams: bool,
    #[command(flatten)]
    pub find: Find,
    #[command(flatten)]
    pub keys: Keys,
    #[command(flatten)]
    pub json: Json,
}

/// `lastkey tree`
#[derive(Debug, Args)]
pub struct Tree {
    /// Drive and folder inside it
    #[arg(value_name = "DRIVE[:PATH]", value_hint = ValueHint::AnyPath)]
    pub place: OsString,
    /// Go down this many folders; none: all the way
    #[arg(long, value_name = "NUMBER")]
    pub depth: Option<usize>,
    #[command(flatten)]
    pub find: Find,
    #[command(flatten)]
    pub keys: Keys,
    #[command(flatten)]
    pub json: Json,
}

/// `lastkey cat`
#[derive(Debug, Args)]
pub struct Cat {
    /// Drive and file inside it, one or more on the same drive; FILE:STREAM is a stream of it
    #[arg(value_name = "DRIVE:FILE", required = true, value_hint = ValueHint::AnyPath)]
    pub places: Vec<OsString>,
    #[command(flatten)]
    pub find: Find,
    #[command(flatten)]
    pub keys: Keys,
}

/// `lastkey cp`
#[derive(Debug, Args)]
pub struct Cp {
    /// Drive and file or folder inside it, one or more on the same drive
    #[arg(value_name = "DRIVE:PATH", required = true, value_hint = ValueHint::AnyPath)]
    pub places: Vec<OsString>,
    /// The folder to copy into (with --recursive it is made when it is missing), or the new name of one file
    #[arg(value_name = "TO", required = true, value_hint = ValueHint::AnyPath)]
    pub to: PathBuf,
    /// Copy folders with all that is in them
    #[arg(short, long)]
    pub recursive: bool,
    /// Copy the named streams of files too (NTFS), as files beside them: NAME%3ASTREAM
    #[arg(long)]
    pub streams: bool,
    /// Copy what is left of damaged files: zeros for what cannot be read, .damaged behind the name
    #[arg(long)]
    pub salvage: bool,
    /// With all of a damaged NTFS: copy the files that no folder names any more, into lost+found
    #[arg(long, requires = "recursive")]
    pub orphans: bool,
    #[command(flatten)]
    pub find: Find,
    #[command(flatten)]
    pub keys: Keys,
    #[command(flatten)]
    pub json: Json,
}
