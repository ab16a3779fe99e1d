//! The command line of what opens copies that are sealed.

use std::path::PathBuf;

use clap::{Args, ValueHint};

const SEALED: &str = "Sealed copies (what is missing is asked for)";

/// What opens sealed files and databases.
#[derive(Debug, Default, Args)]
pub struct Seals {
    /// File with the passphrase of files that are sealed with age
    #[arg(long, value_name = "FILE", help_heading = SEALED)]
    pub passphrase_file: Option<PathBuf>,
    /// Identity file (age-keygen) of files that are sealed to a recipient
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = SEALED)]
    pub identity: Option<PathBuf>,
    /// File with the password of KeePass databases
    #[arg(long, value_name = "FILE", help_heading = SEALED)]
    pub keepass_password_file: Option<PathBuf>,
    /// Key file of KeePass databases
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = SEALED)]
    pub keepass_key_file: Option<PathBuf>,
}
