//! The program, as a user runs it.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// Returns `lastkey` with no arguments yet.
pub fn lastkey() -> Command {
    Command::new(path())
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
        assert!(build.status().expect("cargo").success(), "lastkey cannot be built");
        folder.join("lastkey")
    })
}
