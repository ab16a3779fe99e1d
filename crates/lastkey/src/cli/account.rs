//! The command line of accounts.

use std::ffi::OsString;

use account::Fingerprint;
use clap::{Args, Subcommand, ValueHint};

use super::{Find, Json};

/// `lastkey account`
#[derive(Debug, Subcommand)]
pub enum Account {
    /// Sign this device in: it shows a code that you confirm in the portal
    #[command(
        after_help = "Examples:\n  sudo lastkey account login https://keys.example.org\n  lastkey account login localhost:4848 --name home\n\nAn account belongs to the user who logged in: log in with sudo for what you run with sudo, such as the backup of a drive in this computer."
    )]
    Login(Login),
    /// Show the accounts, to whom they seal, what waits, and whether all is well
    #[command(
        after_help = "Examples:\n  sudo lastkey account status\n  lastkey account status home --json\n\nWithout sudo it shows your own accounts, with sudo root's."
    )]
    Status(OneAccount),
    /// Send what waits
    #[command(after_help = "Example:\n  sudo lastkey account send")]
    Send(OneAccount),
    /// Say which recovery keys the drives have now, and hear which of them the account lacks
    #[command(
        after_help = "Examples:\n  sudo lastkey account check-in\n  lastkey account check-in drive.img --json\n\nThe exit code is 0 only if every drive has a recovery key, and the account has every one of them."
    )]
    CheckIn(CheckIn),
    /// Look at the account's recipients, and seal to them from now on
    #[command(after_help = "Examples:\n  sudo lastkey account accept\n  lastkey account accept home --yes")]
    Accept(Accept),
    /// Forget an account on this device; what the server has it keeps
    #[command(after_help = "Examples:\n  sudo lastkey account logout\n  lastkey account logout home --force")]
    Logout(Logout),
}

/// `lastkey account login`
#[derive(Debug, Args)]
pub struct Login {
    /// The server, such as https://localhost:4848
    #[arg(value_name = "URL", value_hint = ValueHint::Url)]
    pub server: String,
    /// What to call the account on this device; none: as it is called there
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// What the device calls itself; none: the computer's name
    #[arg(long, value_name = "NAME")]
    pub device: Option<String>,
    /// SHA-256 of the server's own certificate, which lastkeyd shows when it starts; none: you are asked
    #[arg(long, value_name = "HEX")]
    pub fingerprint: Option<Fingerprint>,
    #[command(flatten)]
    pub json: Json,
}

/// An account, for commands that need nothing else.
#[derive(Debug, Args)]
pub struct OneAccount {
    /// The account; none: all
    #[arg(value_name = "NAME")]
    pub name: Option<String>,
    #[command(flatten)]
    pub json: Json,
}

/// `lastkey account check-in`
#[derive(Debug, Args)]
pub struct CheckIn {
    /// Devices, image files, mount points or labels; none: all drives of this computer
    #[arg(value_name = "DRIVE", value_hint = ValueHint::AnyPath)]
    pub drives: Vec<OsString>,
    /// The account; none: the only one
    #[arg(long, value_name = "NAME")]
    pub account: Option<String>,
    #[command(flatten)]
    pub find: Find,
    #[command(flatten)]
    pub json: Json,
}

/// `lastkey account accept`
#[derive(Debug, Args)]
pub struct Accept {
    /// The account; none: the only one
    #[arg(value_name = "NAME")]
    pub name: Option<String>,
    /// Do not ask
    #[arg(long)]
    pub yes: bool,
    #[command(flatten)]
    pub json: Json,
}

/// `lastkey account logout`
#[derive(Debug, Args)]
pub struct Logout {
    /// The account; none: the only one
    #[arg(value_name = "NAME")]
    pub name: Option<String>,
    /// Also when records wait that the server does not have, there is evidence against it, or files are damaged
    #[arg(long)]
    pub force: bool,
    #[command(flatten)]
    pub json: Json,
}

impl Account {
    /// Returns whether a program reads the output.
    pub fn json(&self) -> bool {
        match self {
            Self::Login(Login { json, .. })
            | Self::Status(OneAccount { json, .. })
            | Self::Send(OneAccount { json, .. })
            | Self::CheckIn(CheckIn { json, .. })
            | Self::Accept(Accept { json, .. })
            | Self::Logout(Logout { json, .. }) => json.json,
        }
    }
}
