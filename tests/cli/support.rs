//! Runs the program, and sees to it that whatever it says, no key is among it.

use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

use lastkey_tests::program;
use lastkey_tests::said::keep_secret;
use serde_json::Value;
use tempfile::TempDir;

pub use lastkey_tests::said::Said;

/// Runs `lastkey` with these arguments, which may be text or paths, and nothing on standard input.
macro_rules! lastkey {
    ($($argument:expr),* $(,)?) => {
        $crate::support::run(&[$(&$argument as &dyn AsRef<std::ffi::OsStr>),*], b"")
    };
}

/// Runs `lastkey` with something on standard input.
#[track_caller]
pub fn run(arguments: &[&dyn AsRef<OsStr>], input: &[u8]) -> Said {
    let said = run_revealing(arguments, input);
    said.assert_no_secret();
    said
}

/// Runs a command that is meant to show keys.
pub fn run_revealing(arguments: &[&dyn AsRef<OsStr>], input: &[u8]) -> Said {
    let mut command = program::lastkey();
    command.args(arguments.iter().map(|argument| argument.as_ref()));
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the program starts");
    // A program that does not read it has closed it: that is no failure.
    let _ = child.stdin.take().expect("piped").write_all(input);
    Said::of(child.wait_with_output().expect("the program ends"))
}

/// The drive of `lastkey try --keep`, and all its keys in files.
pub struct Sample {
    pub drive: PathBuf,
    pub password: PathBuf,
    pub copy: PathBuf,
    pub digits: PathBuf,
    pub vmk: PathBuf,
    pub fvek: PathBuf,
    pub key_id: String,
}

/// Returns the sample drive, which the first process that asks makes for all: every test may run in its own.
pub fn sample() -> &'static Sample {
    static SAMPLE: OnceLock<Sample> = OnceLock::new();
    SAMPLE.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("cli-sample");
        let lock = fs::File::create(folder.with_extension("lock")).expect("a lock file");
        lock.lock().expect("a lock");
        let made = folder.join("made.json");
        let time = |path: &Path| fs::metadata(path).and_then(|metadata| metadata.modified()).ok();
        // One of an older program may not be what this one makes.
        if time(&made) <= time(program::path()) {
            let _ = fs::remove_dir_all(&folder);
            let said = lastkey!("try", "--keep", folder, "--json");
            fs::write(&made, &said.exits(0).out).expect("written");
        }
        let made = fs::read(&made).expect("what was made");
        Sample::at(&folder, &serde_json::from_slice(&made).expect("a document"))
    })
}

impl Sample {
    fn at(folder: &Path, made: &Value) -> Self {
        let path = |name: &str| PathBuf::from(made[name].as_str().expect("a path"));
        let (drive, copy) = (path("drive"), path("copy"));
        let volume = lastkey_tests::open(&drive);
        let bytes = fs::read(folder.join("password.txt")).expect("the password");
        let password = String::from_utf8(bytes).expect("text").trim().to_owned();
        let unlocked =
            volume.unlock(&fve::Key::Password(recovery_key::Secret::new(password))).expect("its password");
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let [recovered] = <[_; 1]>::try_from(unlocked.recovery_passwords()).expect("one recovery key");
        let digits = recovered.secret.expect("its copy").digits().expose().clone();
        let vmk = hex(unlocked.vmk().expect("a key").expose());
        let fvek = hex(unlocked.fvek().expect("a key").expose());
        let write = |name: &str, text: &str| {
            let path = folder.join(name);
            // Another process may be reading what an earlier one wrote.
            if fs::read(&path).ok().as_deref() != Some(text.as_bytes()) {
                fs::write(&path, text).expect("written");
            }
            path
        };
        // Hex as people paste it: in capitals, with spaces and line breaks.
        let (first, second) = vmk.split_at(31);
        let sample = Self {
            password: folder.join("password.txt"),
            digits: write("digits.txt", &digits),
            vmk: write("vmk.hex", &format!(" {first} \r\n\t{}\n\n", second.to_uppercase())),
            fvek: write("fvek.hex", &fvek),
            key_id: made["key_id"].as_str().expect("a key ID").to_owned(),
            drive,
            copy,
        };
        keep_secret([digits.clone(), vmk, fvek]);
        sample
    }
}

/// Returns a folder that is gone after the test.
pub fn folder() -> TempDir {
    tempfile::Builder::new().prefix("a folder ").tempdir().expect("a folder")
}

/// Returns the names in a folder.
pub fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("a folder");
    let mut names: Vec<_> =
        entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// Writes a file into a folder.
pub fn file(folder: &TempDir, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
    let path = folder.path().join(name);
    fs::write(&path, bytes).expect("written");
    path
}

/// Returns `--to file:FOLDER`'s second half.
pub fn to(folder: &Path) -> std::ffi::OsString {
    let mut to = std::ffi::OsString::from("file:");
    to.push(folder);
    to
}

/// Runs `lastkey` as somebody who is not root.
pub fn as_nobody(arguments: &[&dyn AsRef<OsStr>]) -> Said {
    let mut command = program::lastkey();
    if is_root() {
        // The folder of the build may be root's alone.
        static PLACE: OnceLock<TempDir> = OnceLock::new();
        let place = PLACE.get_or_init(|| {
            let place = tempfile::tempdir().expect("a folder");
            fs::set_permissions(place.path(), fs::Permissions::from_mode(0o755)).expect("rights");
            fs::copy(command.get_program(), place.path().join("lastkey")).expect("a copy");
            place
        });
        command = Command::new("setpriv");
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(place.path().join("lastkey"));
    }
    command.args(arguments.iter().map(|argument| argument.as_ref())).stdin(Stdio::null());
    let said = Said::of(command.output().expect("setpriv"));
    said.assert_no_secret();
    said
}

/// Sends the signal of Ctrl-C, once the program listens to it: on a busy machine that takes its time.
pub fn interrupt(child: &std::process::Child) {
    let status = || fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
    let caught = |status: &str| {
        let mask = status.lines().find_map(|line| line.strip_prefix("SigCgt:"))?.trim();
        u64::from_str_radix(mask, 16).ok()
    };
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let status = status();
        // Bit 1 is that of signal 2, SIGINT.
        let listens = caught(&status).is_none_or(|mask| mask & 2 != 0);
        if listens || status.contains("State:\tZ") || Instant::now() > deadline {
            break;
        }
        thread::sleep(Duration::from_millis(1));
    }
    let pid = rustix::process::Pid::from_child(child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).expect("a running program");
}

/// Returns whether this is root.
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Something that is mounted until the end of the test.
pub struct Mounted(pub PathBuf);

impl Mounted {
    /// Runs a command that mounts; `None`, loudly, where that is impossible.
    pub fn by(command: &mut Command, at: &Path) -> Option<Self> {
        let output = command.stdin(Stdio::null()).output();
        match output {
            Ok(output) if output.status.success() => Some(Self(at.to_owned())),
            other => {
                lastkey_tests::skip(&format!("{command:?}: {other:?}"));
                None
            }
        }
    }

    /// Mounts a file system of so many bytes in memory.
    pub fn small(at: &Path, size: u64) -> Option<Self> {
        let mut mount = Command::new("mount");
        Self::by(mount.args(["-t", "tmpfs", "-o", &format!("size={size}"), "none"]).arg(at), at)
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).output();
    }
}
