//! Other readers of BitLocker drives, asked as judges of what lastkey writes and reads.

use std::env;
use std::fmt;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::{Image, sha256, skip};

/// Another reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    /// dislocker 0.7: writes the decrypted drive into a file.
    Dislocker,
    /// cryptsetup 2: without the kernel's help it decrypts no data, but it shows the data's key.
    Cryptsetup,
    /// libbde of 2026, through its Python module.
    Libbde,
    /// libbde of 2019, through its program: it says only whether a key opens the drive.
    Bdeinfo,
    /// dissect.fve 4.
    Dissect,
}

/// A key, as the other readers take it. `Debug` shows only which kind it is.
#[derive(Clone)]
pub enum Opener {
    /// What a person types.
    Password(String),
    /// The 48 digits.
    RecoveryPassword(String),
    /// The path of a `.BEK` file.
    Bek(PathBuf),
}

impl fmt::Debug for Opener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Password(_) => "password",
            Self::RecoveryPassword(_) => "recovery password",
            Self::Bek(_) => "key file",
        })
    }
}

/// What a reader found behind the lock.
#[derive(Debug, PartialEq, Eq)]
pub enum Found {
    /// The SHA-256 of the decrypted drive's first bytes, in hex.
    Inside(String),
    /// The full volume encryption key, in hex.
    Fvek(String),
    /// That the key fits.
    Open,
}

/// Returns the readers that `LASTKEY_PEERS` names; those that are missing are skipped loudly.
pub fn installed() -> Vec<Peer> {
    let named = env::var("LASTKEY_PEERS").unwrap_or_default();
    let named: Vec<_> = named.split_whitespace().collect();
    let all = [Peer::Dislocker, Peer::Cryptsetup, Peer::Libbde, Peer::Bdeinfo, Peer::Dissect];
    let (there, missing): (Vec<_>, Vec<_>) = all.into_iter().partition(|peer| match peer {
        Peer::Dislocker => named.contains(&"dislocker"),
        Peer::Cryptsetup => named.contains(&"cryptsetup"),
        Peer::Libbde => named.contains(&"libbde"),
        Peer::Bdeinfo => Command::new("bdeinfo").arg("-V").output().is_ok(),
        Peer::Dissect => named.contains(&"dissect"),
    });
    if !missing.is_empty() {
        skip(&format!("other readers are missing: {missing:?} (LASTKEY_PEERS names those that are there)"));
    }
    there
}

impl Peer {
    /// Opens a drive and reads its first `length` bytes. What the reader complains of is the error.
    pub fn open(self, drive: &Path, opener: &Opener, length: u64) -> Result<Found, String> {
        match self {
            Self::Dislocker => dislocker(drive, opener, length),
            Self::Cryptsetup => cryptsetup(drive, opener),
            Self::Bdeinfo => bdeinfo(drive, opener),
            Self::Libbde => python("libbde", drive, opener, length),
            Self::Dissect => python("dissect", drive, opener, length),
        }
    }
}

fn dislocker(drive: &Path, opener: &Opener, length: u64) -> Result<Found, String> {
    let folder = tempfile::tempdir().expect("a folder");
    let inside = folder.path().join("inside");
    let key = match opener {
        Opener::Password(text) => format!("-u{text}"),
        Opener::RecoveryPassword(digits) => format!("-p{digits}"),
        Opener::Bek(path) => format!("-f{}", path.display()),
    };
    let mut command = Command::new("dislocker-file");
    run(command.arg("-V").arg(drive).arg(key).arg("--").arg(&inside), "")?;
    let inside = Image::open(&inside).map_err(|error| format!("dislocker-file left no file: {error}"))?;
    if inside.size() < length {
        return Err(format!("dislocker-file wrote only {} bytes", inside.size()));
    }
    Ok(Found::Inside(sha256(&inside, 0, length)))
}

/// `cryptsetup open --test-passphrase` would do the same steps, and show nothing.
fn cryptsetup(drive: &Path, opener: &Opener) -> Result<Found, String> {
    let folder = tempfile::tempdir().expect("a folder");
    let fvek = folder.path().join("fvek");
    let (file, key) = match opener {
        Opener::Password(text) | Opener::RecoveryPassword(text) => (Path::new("-"), text.as_str()),
        Opener::Bek(path) => (path.as_path(), ""),
    };
    let mut command = Command::new("cryptsetup");
    command.args(["bitlkDump", "--dump-volume-key", "--batch-mode", "--volume-key-file"]).arg(&fvek);
    run(command.arg("--key-file").arg(file).arg(drive), key)?;
    let fvek = fs::read(&fvek).map_err(|error| format!("cryptsetup left no key: {error}"))?;
    Ok(Found::Fvek(fvek.iter().map(|byte| format!("{byte:02x}")).collect()))
}

fn bdeinfo(drive: &Path, opener: &Opener) -> Result<Found, String> {
    let mut command = Command::new("bdeinfo");
    match opener {
        Opener::Password(text) => command.arg("-p").arg(text),
        Opener::RecoveryPassword(digits) => command.arg("-r").arg(digits),
        Opener::Bek(path) => command.arg("-s").arg(path),
    };
    run(command.arg(drive), "").map(|_| Found::Open)
}

fn python(reader: &str, drive: &Path, opener: &Opener, length: u64) -> Result<Found, String> {
    let python = env::var_os("LASTKEY_PEERS_PYTHON").unwrap_or("python3".into());
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("support/peers.py");
    let (kind, key) = match opener {
        Opener::Password(text) => ("password", text.as_str()),
        Opener::RecoveryPassword(digits) => ("recovery-password", digits.as_str()),
        Opener::Bek(path) => ("bek", path.to_str().expect("a plain path")),
    };
    let mut command = Command::new(python);
    let said = run(command.arg(script).arg(reader).arg(drive).arg(length.to_string()).arg(kind), key)?;
    Ok(Found::Inside(said.trim().to_owned()))
}

/// Runs a program to its end; what it says when it fails is the error.
fn run(command: &mut Command, input: &str) -> Result<String, String> {
    let name = command.get_program().to_owned();
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| format!("{}: {error}", name.display()))?;
    // A program that asks for nothing may be gone before it hears the answer.
    let _ = child.stdin.take().expect("a pipe").write_all(input.as_bytes());
    let output = child.wait_with_output().map_err(|error| error.to_string())?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() {
        return Ok(text(&output.stdout));
    }
    Err(format!("{} {}: {}{}", name.display(), output.status, text(&output.stderr), text(&output.stdout)))
}
