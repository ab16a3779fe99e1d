//! The program, as a user runs it.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

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
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        // This test is target/PROFILE/deps/NAME-HASH.
        let own = env::current_exe().expect("a path");
        let folder = own.parent().and_then(Path::parent).expect("a folder");
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace");
        let mut build = Command::new(env!("CARGO"));
        build.args(["build", "--quiet", "--package", "lastkey"]).current_dir(root);
        build.arg("--target-dir").arg(folder.parent().expect("a folder"));
        if folder.ends_with("release") {
            build.arg("--release");
        }
        // What a build script asks after must not be this test's: it would be built anew each time.
        for (name, _) in env::vars_os() {
            let is_ours = |start| name.to_str().is_some_and(|name| name.starts_with(start));
            if is_ours("CARGO_PKG_") || is_ours("CARGO_MANIFEST_") {
                build.env_remove(name);
            }
        }
        assert!(build.status().expect("cargo").success(), "lastkey cannot be built");
        folder.join("lastkey")
    })
}
