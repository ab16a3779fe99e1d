//! What the tests share that need more than Rust: programs, administrator rights, real drives.
#![allow(dead_code, reason = "each test file uses a part")]

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Runs a line of shell in `folder`; `None`, loudly, when its first program is missing and this is not CI.
pub fn shell(folder: &Path, line: &str) -> Option<String> {
    let program = line.split(' ').next().expect("a program");
    let found =
        Command::new("sh").args(["-c", &format!("command -v {program}")]).stdout(Stdio::null()).status();
    if !found.is_ok_and(|status| status.success()) {
        return skip(&format!("there is no {program}"));
    }
    let output = Command::new("sh")
        .args(["-c", line])
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .expect("a shell");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{line}: {}{}", text(&output.stdout), text(&output.stderr));
    Some(text(&output.stdout).trim().to_owned())
}

/// Says that a test cannot run here; in CI that is a failure.
pub fn skip<T>(why: &str) -> Option<T> {
    assert!(std::env::var_os("CI").is_none(), "CI must run this test, but {why}");
    eprintln!("SKIPPED: {why}");
    None
}

/// Returns a new file of zeros.
pub fn empty(folder: &Path, name: &str, size: u64) -> PathBuf {
    let path = folder.join(name);
    File::create(&path).and_then(|file| file.set_len(size)).expect("an empty file");
    path
}

/// Returns the folder of the real drives, packed or not. They are not part of the project, so CI too may
/// lack them, unless it says where they are.
pub fn real_drives() -> Option<PathBuf> {
    let told = std::env::var_os("LASTKEY_IMAGES").map(PathBuf::from);
    let is_told = told.is_some();
    let folder = told.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/images"));
    if folder.is_dir() {
        return Some(folder);
    }
    assert!(!is_told, "LASTKEY_IMAGES names no folder: {}", folder.display());
    eprintln!("SKIPPED: there are no real drives in {}; set LASTKEY_IMAGES", folder.display());
    None
}
