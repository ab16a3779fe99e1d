//! Drives with files, what other programs read from them, and the program run on them.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use fve::Method;
use lastkey_tests::makers::{Loop, run};
use lastkey_tests::said::Said;
use lastkey_tests::tree::{Tree, of_folder};
use lastkey_tests::whole::{Form, Whole};
use lastkey_tests::{fill, program};
use tempfile::TempDir;

/// All methods of encryption.
pub const METHODS: [Method; 6] = [
    Method::AesCbc128Diffuser,
    Method::AesCbc256Diffuser,
    Method::AesCbc128,
    Method::AesCbc256,
    Method::AesXts128,
    Method::AesXts256,
];

/// A file system, how it is made, and how exactly it and its readers keep times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inside {
    Ntfs,
    ExFat,
    Fat,
}

impl Inside {
    /// Makes a drive with something of everything on it.
    pub fn make(self, folder: &Path, method: Method) -> Option<Whole> {
        let form = Form { size: if self == Self::Ntfs { 200 << 20 } else { 64 << 20 }, ..Form::new(method) };
        match self {
            Self::Ntfs => form.ntfs(folder, fill::ntfs),
            Self::ExFat => form.exfat(folder, fill::exfat),
            Self::Fat => form.fat(folder, fill::fat),
        }
    }

    /// Reads what is inside by the program of others, from the decrypted bytes.
    pub fn read_by_others(self, plain: &Path, at: &Path) -> Option<Tree> {
        fs::create_dir(at).expect("a folder");
        let text = |path: &Path| path.to_str().expect("text").to_owned();
        if self == Self::Fat {
            let arguments = ["-i", &text(plain), "-s", "-m", "-n", "::/", &text(at)];
            return run("mcopy", arguments).then(|| of_folder(at));
        }
        let program = if self == Self::Ntfs { "ntfs-3g" } else { "mount.exfat-fuse" };
        // exfat-fuse takes devices only.
        let device = Loop::of(plain, &["--read-only"])?;
        let options = if self == Self::Ntfs { "ro,streams_interface=windows" } else { "ro" };
        let places = [device.path(), at].map(Path::as_os_str);
        let mounted = run(program, ["-o", options].map(OsStr::new).into_iter().chain(places));
        let tree = mounted.then(|| of_folder(at));
        assert!(!mounted || run("umount", [at]));
        tree
    }

    /// Returns to how many nanoseconds times are the same.
    pub fn precision(self) -> i128 {
        if self == Self::Ntfs { 1 } else { 2_000_000_001 }
    }
}

/// A small drive that opens fast, made once for all who only read it.
pub fn small() -> Option<&'static Whole> {
    static MADE: Mutex<Option<(TempDir, &'static Whole)>> = Mutex::new(None);
    let mut made = MADE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if made.is_none() {
        let folder = tempfile::tempdir().expect("a folder");
        let whole = Form::new(Method::AesXts128).ntfs(folder.path(), |root| {
            fs::create_dir_all(root.join("Users/Anna/Documents")).expect("folders");
            fs::write(root.join("Users/Anna/Documents/letter.txt"), "Dear Berta,\n").expect("a file");
            fs::write(root.join("Users/Anna/photo.jpg"), lastkey_tests::makers::noise(3_000_001, 7))
                .expect("a file");
            fs::write(root.join("Users/Anna/Documents/letter.txt:Zone.Identifier"), "[ZoneTransfer]")
                .expect("a stream");
            fs::write(root.join("Users/Anna/\u{1b}[2Jred\u{202e}gpj.exe"), "x").expect("a file");
            fs::write(root.join("Users/Anna/con.txt"), "x").expect("a file");
            fs::write(root.join("Users/Anna/ends in a dot."), "x").expect("a file");
            fs::write(root.join("Users/Anna/Case"), "upper").expect("a file");
            fs::write(root.join("Users/Anna/case"), "lower").expect("a file");
            std::os::unix::fs::symlink("photo.jpg", root.join("Users/Anna/link")).expect("a link");
        })?;
        *made = Some((folder, Box::leak(Box::new(whole))));
    }
    made.as_ref().map(|made| made.1)
}

/// Returns a command on a drive: `COMMAND --bek KEY`, to which the rest is added.
pub fn lastkey(command: &str, whole: &Whole) -> Command {
    let mut lastkey = program::lastkey();
    lastkey.arg(command).arg("--bek").arg(&whole.bek).env("TZ", "UTC");
    lastkey
}

/// Returns `DRIVE:PATH`.
pub fn inside(whole: &Whole, path: &str) -> String {
    format!("{}:{path}", whole.path.display())
}

/// Runs a command to its end. No key is among what it says.
pub fn said(command: &mut Command) -> Said {
    let said = Said::of(command.output().expect("the program"));
    said.assert_no_secret();
    said
}

/// A mount of the program. It ends with this, in one way or the other.
pub struct Mounted {
    pub process: Child,
    pub folder: PathBuf,
}

impl Mounted {
    /// Mounts, and waits until it is there.
    pub fn new(command: &mut Command, folder: &Path) -> Self {
        let process = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("the program");
        let mut mounted = Self { process, folder: folder.to_owned() };
        until(|| {
            let ended = mounted.process.try_wait().expect("a process");
            assert!(ended.is_none(), "it ended: {}", Said::of(mounted.output()).err);
            is_mounted(folder)
        });
        mounted
    }

    fn output(&mut self) -> Output {
        let mut err = Vec::new();
        if let Some(mut from) = self.process.stderr.take() {
            std::io::Read::read_to_end(&mut from, &mut err).expect("what it says");
        }
        Output { status: self.process.wait().expect("its end"), stdout: Vec::new(), stderr: err }
    }

    /// Sends a signal and returns what it then said.
    pub fn end(mut self, signal: &str) -> Said {
        let process = self.process.id().to_string();
        assert!(run("kill", [signal, &process]));
        Said::of(self.output())
    }

    /// Waits for its end.
    pub fn ended(mut self) -> Said {
        Said::of(self.output())
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        // Its guardian takes the mount away.
        let _ = self.process.kill();
        let _ = self.process.wait();
        until(|| !is_mounted(&self.folder));
    }
}

/// Returns whether the program shows a drive in a folder.
pub fn is_mounted(folder: &Path) -> bool {
    let mounts = fs::read_to_string("/proc/self/mountinfo").expect("the mounts");
    let folder = folder.to_str().expect("text");
    mounts.lines().any(|line| line.contains(" fuse.lastkey ") && line.split(' ').nth(4) == Some(folder))
}

/// Waits until something is so.
#[track_caller]
pub fn until(mut is_so: impl FnMut() -> bool) {
    let started = Instant::now();
    while !is_so() {
        assert!(started.elapsed() < Duration::from_secs(60), "it never came");
        thread::sleep(Duration::from_millis(10));
    }
}

/// Adds what follows to a command.
pub fn with<S: AsRef<OsStr>>(mut command: Command, arguments: impl IntoIterator<Item = S>) -> Command {
    command.args(arguments);
    command
}
