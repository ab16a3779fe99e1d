//! The command line of places to save to.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, ValueEnum, ValueHint};

const PLACES: &str = "Places (passwords are asked for, or read from these files)";
const DIRECTORY: &str = "Signing in to a directory (what is missing is asked for)";

/// Where to save, and what the places need.
#[derive(Debug, Args)]
pub struct Places {
    /// Where to save (may be repeated)
    ///
    /// file:FOLDER, usb or usb:NAME, paper:FILE.pdf, print or print:PRINTER,
    /// directory:ldaps://SERVER/COMPUTER, keepass:FILE.kdbx, bitwarden:FILE.json, 1password:FILE.json,
    /// account or account:NAME
    #[arg(long, value_name = "PLACE")]
    pub to: Vec<OsString>,
    /// file: Seal the files to this age recipient, age1... (may be repeated)
    #[arg(long, value_name = "RECIPIENT", help_heading = PLACES)]
    pub age: Vec<String>,
    /// file: Seal the files with a passphrase that is asked for
    #[arg(long, conflicts_with_all = ["age", "passphrase_file"], help_heading = PLACES)]
    pub passphrase: bool,
    /// file: Seal the files with the passphrase in this file
    #[arg(long, value_name = "FILE", conflicts_with = "age", help_heading = PLACES)]
    pub passphrase_file: Option<PathBuf>,
    /// paper, print: The size of the paper
    #[arg(long, value_enum, default_value_t = PaperSize::A4, help_heading = PLACES)]
    pub paper: PaperSize,
    /// paper: Split the key into sheets, such as 2/3: any 2 of 3 open the drive, one tells nothing
    #[arg(long, value_name = "K/N", value_parser = Sheets::parse, help_heading = PLACES)]
    pub sheets: Option<Sheets>,
    #[command(flatten)]
    pub sign_in: SignIn,
    /// keepass: File with the database's password
    #[arg(long, value_name = "FILE", help_heading = PLACES)]
    pub keepass_password_file: Option<PathBuf>,
    /// keepass: The database's key file
    #[arg(long, value_name = "FILE", help_heading = PLACES)]
    pub keepass_key_file: Option<PathBuf>,
}

/// Who signs in to a directory, and how its server is trusted.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = DIRECTORY)]
pub struct SignIn {
    /// Who signs in, such as ada@example.com or PC01$@example.com
    #[arg(long, value_name = "NAME")]
    pub user: Option<String>,
    /// File with the user's password
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub user_password_file: Option<PathBuf>,
    /// File with the certificates to trust, instead of the system's
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub ca: Option<PathBuf>,
}

/// A size of paper.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PaperSize {
    /// 210 x 297 mm
    A4,
    /// 8.5 x 11 in
    Letter,
}

/// How many of how many sheets open the drive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sheets {
    /// So many are needed.
    pub needed: u8,
    /// So many there are.
    pub sheets: u8,
}

impl Sheets {
    fn parse(text: &str) -> Result<Self, String> {
        let most = paper::share::SHEET_LIMIT;
        let parts =
            text.split_once('/').and_then(|(k, n)| Some((k.trim().parse().ok()?, n.trim().parse().ok()?)));
        match parts {
            Some((needed, sheets)) if (2..=sheets).contains(&needed) && sheets <= most => {
                Ok(Self { needed, sheets })
            }
            _ => Err(format!("write K/N, such as 2/3, with K at least 2 and N at most {most}")),
        }
    }
}
