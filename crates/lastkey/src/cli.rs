//! The command line as it was typed: nothing here looks at a drive.

mod account;
mod files;
mod mounts;
mod nbd;
mod panel;
mod places;
mod repair;
mod rescue;
mod seals;
mod search;
mod unlock;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};
use clap_complete::Shell;

use crate::failure::Kind;

pub use account::{
    Accept as AccountAccept, Account, CheckIn as AccountCheckIn, Login as AccountLogin,
    Logout as AccountLogout, OneAccount,
};
pub use files::{Cat, Cp, Ls, Tree};
pub use mounts::{Mount, Unmount};
pub use nbd::{Nbd, Tls as NbdTls};
pub use panel::Panel;
pub use places::{PaperSize, Places, Sheets, SignIn};
pub use repair::Repair;
pub use rescue::Rescue;
pub use seals::Seals;
pub use search::{Dictate, FindKeys, TypeDrive};
pub use unlock::Unlock;

/// The whole command line.
#[derive(Debug, Parser)]
#[command(
    name = "lastkey",
    version,
    about = "BitLocker recovery keys: back them up, prove every copy, get back in",
    long_about = "Backs up the recovery key of a BitLocker drive and proves every copy: it is read back from where \
                  it was put and used to open the drive. Works on the drive itself, without Windows.",
    after_help = "`lastkey COMMAND --help` shows examples, `lastkey --help` the exit codes.",
    after_long_help = exit_codes(),
    disable_help_subcommand = true,
    max_term_width = 100
)]
pub struct Cli {
    /// What to do
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show drives and their BitLocker state
    #[command(
        after_help = "Examples:\n  lastkey status\n  sudo lastkey status /dev/sda3\n  lastkey status disk.img --json"
    )]
    Status(Status),
    /// List what opens a drive; with --reveal show its recovery keys
    #[command(
        after_help = "Examples:\n  lastkey protectors /dev/sda3\n  lastkey protectors drive.img --reveal --password-file pw.txt\n  lastkey protectors drive.img --reveal --bek key.BEK"
    )]
    Protectors(Protectors),
    /// Save the recovery key of a drive, and prove that the copy opens it
    #[command(
        after_help = "Examples:\n  sudo lastkey backup /dev/sda3\n  lastkey backup drive.img --to file:/media/share --password-file pw.txt\n  sudo lastkey backup /dev/sda3 --to usb --to print --to keepass:~/keys.kdbx\n  sudo lastkey backup /dev/sda3 --to account"
    )]
    Backup(Backup),
    /// Check whether copies of a recovery key open a drive
    #[command(
        after_help = "Examples:\n  lastkey verify /dev/sda3 /media/stick/*.TXT\n  lastkey verify drive.img key.BEK --json\n  lastkey verify /dev/sda3 photo.jpg page.pdf keys.kdbx\n  sudo lastkey verify --all\n\nThe exit code is 0 only if every copy is proven."
    )]
    Verify(Verify),
    /// Keep keys with an account at a server of your own (lastkeyd)
    #[command(
        subcommand,
        after_help = "Examples:\n  sudo lastkey account login https://keys.example.org\n  sudo lastkey backup /dev/sda3 --to account\n  sudo lastkey account send\n\nKeys are sealed on this device: the server cannot open them by itself. An account belongs to the user who logged in: log in with sudo for what you run with sudo."
    )]
    Account(Account),
    /// Open the control panel in the browser
    #[command(
        after_help = "Examples:\n  lastkey panel\n  lastkey panel disk.img\n  lastkey panel --no-browser --port 4849\n\nIt listens on this computer alone, and lets in who has the code that it shows. The same command again shows a new code."
    )]
    Panel(Panel),
    /// Find recovery keys in files of every form, and say which drive each opens
    #[command(
        after_help = "Examples:\n  lastkey find\n  lastkey find 3C116B76 --in ~/Documents --in usb\n  sudo lastkey find /dev/sda3 --in /srv/share --json\n\nThe exit code is 0 only if what was looked for was found: a key, or one that opens the drive."
    )]
    Find(FindKeys),
    /// Read a recovery key out over the phone, group by group
    #[command(
        after_help = "Example:\n  lastkey dictate /media/stick/key.TXT\n\nThe other person types it with `lastkey type DRIVE`, or into Windows' recovery screen."
    )]
    Dictate(Dictate),
    /// Type a recovery key that is read out: each group is checked, the whole is proven
    #[command(after_help = "Example:\n  sudo lastkey type /dev/sda3")]
    Type(TypeDrive),
    /// Find out a recovery key of which not everything can be read
    #[command(
        after_help = "Examples:\n  sudo lastkey repair /dev/sda3\n  lastkey repair drive.img --hints-file typed.txt --dry-run\n  lastkey repair drive.img --resume lastkey-repair-3C116B76.json\n\nWrite ? for a digit that cannot be read, and leave out groups that are missing. Swapped groups and digits, look-alikes and wrong digits are found too."
    )]
    Repair(Repair),
    /// List what lies in a folder inside a drive, nothing mounted
    #[command(
        after_help = "Examples:\n  sudo lastkey ls /dev/sda3:/Users\n  lastkey ls drive.img --recovery-key-file key.TXT\n  lastkey ls -l drive.img:/Users/Anna/Documents --password-file pw.txt"
    )]
    Ls(Ls),
    /// Show everything in a folder inside a drive
    #[command(
        after_help = "Examples:\n  lastkey tree drive.img:/Users/Anna --recovery-key-file key.TXT\n  sudo lastkey tree /dev/sda3 --depth 2"
    )]
    Tree(Tree),
    /// Write files inside a drive to standard output
    #[command(
        after_help = "Examples:\n  lastkey cat drive.img:/Users/Anna/letter.txt --recovery-key-file key.TXT\n  sudo lastkey cat /dev/sda3:/photo.jpg > photo.jpg"
    )]
    Cat(Cat),
    /// Copy files and folders out of a drive
    #[command(
        after_help = "Examples:\n  sudo lastkey cp -r /dev/sda3:/Users/Anna /media/big\n  lastkey cp drive.img:/letter.txt drive.img:/photo.jpg . --recovery-key-file key.TXT\n  lastkey cp -r --salvage drive.img: rescued --password-file pw.txt\n\nThe same command again goes on where it stopped. Nothing is overwritten."
    )]
    Cp(Cp),
    /// Show the files inside a drive in a folder of this computer, to be read
    #[command(
        after_help = "Examples:\n  sudo lastkey mount /dev/sda3 /mnt/drive\n  lastkey mount drive.img files --recovery-key-file key.TXT --background\n  lastkey mount --raw drive.img raw --password-file pw.txt\n\nIt stays until Ctrl-C or `lastkey unmount`. Nothing is written to the drive."
    )]
    Mount(Mount),
    /// Take away what `lastkey mount` shows
    #[command(
        after_help = "Examples:\n  lastkey unmount /mnt/drive\n  sudo lastkey unmount /dev/sda3\n  lastkey unmount --all --force"
    )]
    Unmount(Unmount),
    /// Open every drive with the one of many keys that is its own: the rescue stick
    #[command(
        after_help = "Examples:\n  sudo lastkey unlock --with /media/stick\n  sudo lastkey unlock --with keys --at /mnt --log today.jsonl\n  lastkey unlock drive.img --with keys --no-mount\n\nEach key is proven before its drive is mounted, to be read only. Ctrl-C unmounts all."
    )]
    Unlock(Unlock),
    /// Serve a drive, decrypted and read-only, to virtual machines and kernels (NBD)
    #[command(
        after_help = "Examples:\n  sudo lastkey nbd /dev/sda3\n  lastkey nbd drive.img --socket /tmp/drive.sock --once\n  lastkey nbd drive.img --listen 192.0.2.7 --tls-cert c.pem --tls-key k.pem --tls-ca ca.pem\n\nThe drive is served until Ctrl-C. Whoever connects reads it decrypted: a socket lets in only its owner."
    )]
    Nbd(Nbd),
    /// Copy a drive, decrypted, into a file
    #[command(
        after_help = "Examples:\n  sudo lastkey read /dev/sda3 --out /media/big/drive.img --resume\n  lastkey read drive.img --out drive.qcow2 --format qcow2\n  lastkey read drive.img --out - --recovery-key-file key.TXT | sha256sum\n\nWhere the drive is empty the file takes no room."
    )]
    Read(Read),
    /// Copy what can be read of a failing or damaged drive, decrypted, and name the files that are lost
    #[command(
        after_help = "Examples:\n  sudo lastkey rescue /dev/sda3 /media/big/drive.img\n  lastkey rescue drive.img out.img --snapshot metadata.fve --recovery-key-file key.TXT\n  lastkey rescue copy.img out.img --source-map copy.map\n\nThe same command goes on where an earlier one stopped. The exit code is 0 only if everything was read."
    )]
    Rescue(Rescue),
    /// Unmount when the process that mounts dies
    #[command(hide = true)]
    GuardMount {
        /// The folder
        folder: PathBuf,
    },
    /// Lend BitLocker drives, to be read, to the control panel at standard input
    #[command(hide = true)]
    PanelHelper,
    /// Make a small BitLocker drive, back its key up and prove it, before your eyes
    #[command(after_help = "Examples:\n  lastkey try\n  lastkey try --keep my-first-drive")]
    Try(Try),
    /// Print a completion script for a shell
    #[command(
        after_help = "Example:\n  lastkey completions bash > ~/.local/share/bash-completion/completions/lastkey"
    )]
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Write the manual pages into a folder
    #[command(after_help = "Example:\n  lastkey man ~/.local/share/man/man1")]
    Man {
        /// The folder, which must exist
        folder: PathBuf,
    },
}

impl Command {
    /// Returns whether a program reads the output.
    pub fn json(&self) -> bool {
        match self {
            Self::Status(Status { json, .. })
            | Self::Protectors(Protectors { json, .. })
            | Self::Backup(Backup { json, .. })
            | Self::Verify(Verify { json, .. })
            | Self::Read(Read { json, .. })
            | Self::Ls(Ls { json, .. })
            | Self::Tree(Tree { json, .. })
            | Self::Cp(Cp { json, .. })
            | Self::Mount(Mount { json, .. })
            | Self::Unmount(Unmount { json, .. })
            | Self::Unlock(Unlock { json, .. })
            | Self::Nbd(Nbd { json, .. })
            | Self::Rescue(Rescue { json, .. })
            | Self::Find(FindKeys { json, .. })
            | Self::Type(TypeDrive { json, .. })
            | Self::Repair(Repair { json, .. })
            | Self::Try(Try { json, .. }) => json.json,
            Self::Account(account) => account.json(),
            Self::Cat(_)
            | Self::Dictate(_)
            | Self::Panel(_)
            | Self::PanelHelper
            | Self::GuardMount { .. }
            | Self::Completions { .. }
            | Self::Man { .. } => false,
        }
    }
}

/// `lastkey status`
#[derive(Debug, Args)]
pub struct Status {
    /// Devices, image files, mount points or labels; none: all drives of this computer
    #[arg(value_name = "DRIVE", value_hint = ValueHint::AnyPath)]
    pub drives: Vec<OsString>,
    /// Exit with 19 when a drive has no proven copy of its key
    #[arg(long)]
    pub check: bool,
    #[command(flatten)]
    pub find: Find,
    #[command(flatten)]
    pub json: Json,
}

/// `lastkey protectors`
#[derive(Debug, Args)]
pub struct Protectors {
    #[command(flatten)]
    pub drive: Drive,
    /// Open the drive and show its recovery keys and external keys
    #[arg(long)]
    pub reveal: bool,
    #[command(flatten)]
    pub keys: Keys,
    #[command(flatten)]
    pub json: Json,
}

/// `lastkey backup`
#[derive(Debug, Args)]
pub struct Backup {
    #[command(flatten)]
    pub drive: Drive,
    #[command(flatten)]
    pub places: Places,
    /// Save the external keys (.BEK files) too; without a recovery key on the drive they are saved anyway
    #[arg(long)]
    pub external_keys: bool,
    #[command(flatten)]
    pub keys: Keys,
    #[command(flatten)]
    pub json: Json,
}

/// `lastkey verify`
#[derive(Debug, Args)]
pub struct Verify {
    /// Device, image file, mount point or label
    #[arg(value_name = "DRIVE", value_hint = ValueHint::AnyPath, required_unless_present = "all")]
    pub drive: Option<OsString>,
    /// Files that hold keys: in any form that Windows writes, sealed, in a database, a photo or scan of a
    /// printed page; - for standard input
    #[arg(value_name = "COPY", required_unless_present = "all")]
    pub copies: Vec<PathBuf>,
    /// Try every copy that the record of earlier backups knows, of every drive that is attached
    #[arg(long, conflicts_with_all = ["drive", "copies", "partition", "scan"])]
    pub all: bool,
    #[command(flatten)]
    pub find: Find,
    #[command(flatten)]
    pub seals: Seals,
    #[command(flatten)]
    pub sign_in: SignIn,
    #[command(flatten)]
    pub json: Json,
}

/// `lastkey read`
#[derive(Debug, Args)]
pub struct Read {
    #[command(flatten)]
    pub drive: Drive,
    /// The new file to write, or - for standard output
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// Start this many bytes into the drive
    #[arg(long, value_name = "BYTES", default_value_t = 0)]
    pub offset: u64,
    /// Copy this many bytes; none: up to the end
    #[arg(long, value_name = "BYTES")]
    pub length: Option<u64>,
    /// What the file looks like
    #[arg(long, value_enum, default_value_t = ImageFormat::Raw)]
    pub format: ImageFormat,
    /// When stopped, keep what is copied (FILE.part); the same command then goes on there
    #[arg(long)]
    pub resume: bool,
    #[command(flatten)]
    pub keys: Keys,
    #[command(flatten)]
    pub json: Json,
}

/// What the file of a copy looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ImageFormat {
    /// The bytes as they are
    Raw,
    /// QEMU's disk image, for virtual machines; as long as whole sectors of 512 bytes
    Qcow2,
}

/// `lastkey try`
#[derive(Debug, Args)]
pub struct Try {
    /// Leave drive, keys and copies in this new folder
    #[arg(long, value_name = "FOLDER")]
    pub keep: Option<PathBuf>,
    #[command(flatten)]
    pub json: Json,
}

/// One drive.
#[derive(Debug, Args)]
pub struct Drive {
    /// Device, image file, mount point or label
    #[arg(value_name = "DRIVE", value_hint = ValueHint::AnyPath)]
    pub drive: OsString,
    #[command(flatten)]
    pub find: Find,
}

/// How to find a volume on a drive.
#[derive(Debug, Args)]
pub struct Find {
    /// On a whole disk or its image: take this partition
    #[arg(long, value_name = "NUMBER")]
    pub partition: Option<u32>,
    /// Search the whole drive for BitLocker metadata, whatever its first sector says
    #[arg(long)]
    pub scan: bool,
}

/// Output for programs.
#[derive(Debug, Args)]
pub struct Json {
    /// Print one JSON document (docs/json.md describes it)
    #[arg(long)]
    pub json: bool,
}

const KEY: &str = "Key (none: a suspended drive opens by itself, else you are asked)";

/// The key to open a drive with. Keys are never taken from arguments or the environment.
#[derive(Debug, Args)]
#[group(multiple = false)]
pub struct Keys {
    /// File with the password (- for standard input, here and below)
    #[arg(long, value_name = "FILE", help_heading = KEY)]
    pub password_file: Option<PathBuf>,
    /// File with the recovery key, in any form that Windows writes
    #[arg(long, value_name = "FILE", help_heading = KEY)]
    pub recovery_key_file: Option<PathBuf>,
    /// External key file
    #[arg(long, value_name = "FILE", help_heading = KEY)]
    pub bek: Option<PathBuf>,
    /// File with the volume master key in hex
    #[arg(long, value_name = "FILE", help_heading = KEY)]
    pub vmk_file: Option<PathBuf>,
    /// File with the full volume encryption key in hex
    #[arg(long, value_name = "FILE", help_heading = KEY)]
    pub fvek_file: Option<PathBuf>,
}

fn exit_codes() -> String {
    let line = |(kind, meaning): (Kind, &str)| format!("  {:>3}  {meaning}", kind.code());
    let lines: Vec<_> = Kind::ALL.into_iter().map(line).collect();
    format!(
        "Exit codes:\n    0  success\n{}\n\nKeys are never taken from arguments or the environment. \
         `lastkey COMMAND --help` shows examples.",
        lines.join("\n")
    )
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_sound() {
        super::Cli::command().debug_assert();
    }
}
