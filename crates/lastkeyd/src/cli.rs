//! The command line, exactly as it was typed.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Keep recovery keys for people: sealed, so that the server cannot open them by itself
///
/// Without a command it serves. Without options it keeps everything in one folder, answers on this computer
/// alone, and prints a link by which the first account is made. A configuration file (--config) has the same
/// names as the options, but for the lists hosts and proxies; what is on the command line goes before it.
#[derive(Parser)]
#[command(
    name = "lastkeyd",
    version,
    max_term_width = 100,
    after_help = "\
Examples:
  lastkeyd                                        try it: https://localhost:4848
  lastkeyd --listen 0.0.0.0:443 --url https://keys.example.org --acme admin@example.org
  lastkeyd --config /etc/lastkeyd.toml            as a service
  lastkeyd invite                                 let one more person make an account
  lastkeyd backup keys.backup                     everything in one file, sealed as it is

docs/account.md says how to run it for a family and for a fleet."
)]
pub struct Cli {
    /// What it stands on, for every command.
    #[command(flatten)]
    pub options: Options,
    /// What to do instead of serving.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// Where the server's things are, and how it is reached.
#[derive(Args, Default)]
pub struct Options {
    /// Read these options from FILE (TOML)
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Keep everything in FOLDER: the database, the certificate, the audit log's key
    ///
    /// Else it is $STATE_DIRECTORY (systemd), or lastkeyd in the user's data folder.
    #[arg(long, global = true, value_name = "FOLDER")]
    pub data: Option<PathBuf>,
    /// Use this database: postgres://USER@HOST/NAME, or sqlite:FILE
    ///
    /// A password does not belong here, where everybody on this computer sees it: it goes into the configuration
    /// file or PostgreSQL's password file.
    #[arg(long, global = true, value_name = "URL")]
    pub database: Option<String>,
    /// Answer at this address [default: 127.0.0.1:4848]
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub listen: Option<SocketAddr>,
    /// Where people go with a browser [default: https://localhost:PORT]
    ///
    /// Passkeys are bound to its host name for good. Without it, `invite` takes what the server was last started
    /// with.
    #[arg(long, global = true, value_name = "URL")]
    pub url: Option<String>,
    /// Answer to this name too (several times)
    #[arg(long = "host", value_name = "NAME")]
    pub hosts: Vec<String>,
    /// Use this certificate chain (PEM); it is read again when it changes
    #[arg(long, value_name = "FILE", requires = "key", conflicts_with = "acme")]
    pub certificate: Option<PathBuf>,
    /// The certificate's private key (PEM)
    #[arg(long, value_name = "FILE", requires = "certificate")]
    pub key: Option<PathBuf>,
    /// Get certificates for the host of --url by ACME, with this mail address
    #[arg(long, value_name = "MAIL")]
    pub acme: Option<String>,
    /// The ACME directory [default: Let's Encrypt]
    #[arg(long, value_name = "URL", requires = "acme")]
    pub acme_directory: Option<String>,
    /// Trust ACME servers with certificates of this file (PEM) instead of the system's
    #[arg(long, value_name = "FILE", requires = "acme")]
    pub acme_ca: Option<PathBuf>,
    /// Believe this proxy when it says whom it speaks for (several times)
    #[arg(long = "proxy", value_name = "ADDRESS")]
    pub proxies: Vec<std::net::IpAddr>,
    /// Answer /metrics, /healthz and /readyz at this address, without TLS
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub metrics: Option<SocketAddr>,
    /// Send mails through this server: smtps://USER@HOST, smtp://HOST (STARTTLS)
    #[arg(long, value_name = "URL")]
    pub smtp: Option<String>,
    /// The file with the mail user's password
    #[arg(long, value_name = "FILE", requires = "smtp")]
    pub smtp_password_file: Option<PathBuf>,
    /// Whom mails come from
    #[arg(long, value_name = "MAIL", requires = "smtp")]
    pub mail_from: Option<String>,
    /// Let owners have webhooks on this network too, not on the Internet alone
    #[arg(long)]
    pub private_webhooks: bool,
    /// How the log is written
    #[arg(long, value_name = "FORM")]
    pub log: Option<LogForm>,
    /// What is logged: error, warn, info, debug, or by part: lastkeyd=debug,sqlx=warn
    #[arg(long, value_name = "LEVEL")]
    pub log_level: Option<String>,
}

/// How the log is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogForm {
    /// Lines for people
    #[default]
    Text,
    /// An object in each line
    Json,
}

/// What to do instead of serving.
#[derive(Subcommand)]
pub enum Command {
    /// Serve (what it does without a command)
    Serve,
    /// Print a link by which one more person makes an account
    Invite {
        /// How many hours it is good for
        #[arg(long, default_value_t = 48, value_parser = clap::value_parser!(u16).range(1..=720))]
        hours: u16,
    },
    /// Check that everything that is kept is whole
    Check,
    /// Write everything that is kept into FILE
    ///
    /// The records in it are sealed as they are in the database. The audit log's key and the certificate are
    /// not in it: copy the data folder for them.
    Backup {
        /// Where to; it must not be there yet
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Fill an empty database from FILE
    Restore {
        /// What `lastkeyd backup` wrote
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// The audit log
    #[command(subcommand)]
    Audit(Audit),
    /// Print the OpenAPI document of the interface for devices
    Openapi,
    /// Print completions for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Write the manual pages into a folder, one for each command
    Man {
        /// The folder, which must exist
        #[arg(value_name = "FOLDER")]
        folder: PathBuf,
    },
}

/// What can be done with the audit log.
#[derive(Subcommand)]
pub enum Audit {
    /// Compute the whole log anew and compare
    ///
    /// With a checkpoint that somebody kept, also that the log of that day is the beginning of today's: who has
    /// changed or removed an entry since cannot make both right.
    Verify {
        /// A checkpoint that was kept
        #[arg(long, value_name = "FILE")]
        checkpoint: Option<PathBuf>,
    },
    /// Print today's signed checkpoint, to be kept elsewhere
    Checkpoint,
    /// Print the key that checkpoints are signed with
    Key,
}
