//! The program, as a user runs it.

use std::collections::BTreeMap;
use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, OnceLock};

/// Returns `lastkey` with no arguments yet, and with a record of its own.
pub fn lastkey() -> Command {
    let mut command = Command::new(path());
    command.env("LASTKEY_RECORD", record());
    command
}

/// Returns where the record is that the programs of this process share.
pub fn record() -> PathBuf {
    static RECORD: OnceLock<PathBuf> = OnceLock::new();
    let record = RECORD.get_or_init(|| {
        let path = env::temp_dir().join(format!("lastkey-record-{}.db", std::process::id()));
        // An earlier process may have had the same number.
        let _ = std::fs::remove_file(&path);
        path
    });
    record.clone()
}

/// Returns where `lastkey` is, built just as these tests are.
///
/// # Panics
/// When it cannot be built.
pub fn path() -> &'static Path {
    built("lastkey")
}

/// Returns where a program of this workspace is, built just as these tests are, once in a process; `./test` has built it
/// before and says so by `LASTKEY_PROGRAMS`.
pub(crate) fn built(name: &'static str) -> &'static Path {
    static PROGRAMS: Mutex<BTreeMap<&str, &Path>> = Mutex::new(BTreeMap::new());
    let mut programs = PROGRAMS.lock().expect("no build panicked");
    programs.entry(name).or_insert_with(|| Box::leak(build(name).into_boxed_path()))
}

fn build(name: &str) -> PathBuf {
    if let Some(folder) = env::var_os("LASTKEY_PROGRAMS") {
        return Path::new(&folder).join(name);
    }
    let status = cargo("build").args(["--bin", name]).status().expect("cargo");
    assert!(status.success(), "{name} cannot be built");
    folder().join(name)
}

/// Returns a command of cargo that builds something of this workspace just as these tests were built.
pub(crate) fn cargo(command: &str) -> Command {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace");
    let folder = folder();
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or("cargo".into()));
    // Of the whole workspace, or the libraries would be built once more with other features than the tests' own.
    cargo.args([command, "--quiet", "--locked", "--workspace", "--target-dir"]);
    cargo.arg(folder.parent().expect("a folder")).current_dir(root);
    if folder.ends_with("release") {
        cargo.arg("--release");
    }
    // What a build script asks after must not be this test's: it would be built anew each time.
    for (name, _) in env::vars_os() {
        let is_ours = |start| name.to_str().is_some_and(|name| name.starts_with(start));
        if is_ours("CARGO_PKG_") || is_ours("CARGO_MANIFEST_") {
            cargo.env_remove(name);
        }
    }
    cargo
}

/// The folder `target/PROFILE`: a test is `target/PROFILE/deps/NAME-HASH`, a program `target/PROFILE/NAME`.
fn folder() -> PathBuf {
    let own = env::current_exe().expect("a path");
    own.ancestors().skip(1).find(|folder| !folder.ends_with("deps")).expect("a folder").to_owned()
}
