//! The command line of the server for network block devices.

use std::path::PathBuf;

use clap::{Args, ValueHint};

use super::{Drive, Json, Keys};

/// `lastkey nbd`
#[derive(Debug, Args)]
pub struct Nbd {
    #[command(flatten)]
    pub drive: Drive,
    /// Wait for clients at this new socket; none: at one in a private folder
    #[arg(long, value_name = "PATH", value_hint = ValueHint::FilePath, conflicts_with = "listen")]
    pub socket: Option<PathBuf>,
    /// Wait for clients at this address of this computer, such as 127.0.0.1:10809, or at this port
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub listen: Option<String>,
    /// What clients call the drive; they may always call it nothing
    #[arg(long, value_name = "NAME", default_value = "", hide_default_value = true)]
    pub name: String,
    /// Stop when the first client has gone
    #[arg(long)]
    pub once: bool,
    #[command(flatten)]
    pub tls: Tls,
    #[command(flatten)]
    pub keys: Keys,
    #[command(flatten)]
    pub json: Json,
}

const TLS: &str = "TLS (whoever connects reads the drive decrypted)";

/// Who may listen in, and who may connect.
#[derive(Debug, Args)]
pub struct Tls {
    /// Speak TLS only, with the certificate in this file (PEM), followed by those between it and its authority
    #[arg(long, value_name = "FILE", requires = "tls_key", help_heading = TLS)]
    pub tls_cert: Option<PathBuf>,
    /// File with its key (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_cert", help_heading = TLS)]
    pub tls_key: Option<PathBuf>,
    /// Let in only clients with a certificate from the authority in this file (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_cert", help_heading = TLS)]
    pub tls_ca: Option<PathBuf>,
    /// Listen on other addresses than this computer's own without --tls-ca: anybody there can read the drive
    #[arg(long, requires = "listen", help_heading = TLS)]
    pub allow_unencrypted: bool,
}
