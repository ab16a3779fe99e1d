//! Help, manual pages and completions; and that every command shown to people is one.

use std::fs;
use std::path::Path;

use crate::support::{Said, folder, run_revealing, sample, to};

const COMMANDS: [&str; 23] = [
    "status",
    "protectors",
    "backup",
    "verify",
    "account",
    "panel",
    "find",
    "repair",
    "dictate",
    "type",
    "read",
    "ls",
    "tree",
    "cat",
    "cp",
    "mount",
    "unmount",
    "unlock",
    "nbd",
    "rescue",
    "try",
    "completions",
    "man",
];

/// Asserts that the program takes a line such as `sudo lastkey read /dev/sda3 --out x | sha256sum`.
#[track_caller]
fn is_a_command(line: &str) {
    let line = line.split(['|', '#', '>']).next().unwrap_or_default();
    let words: Vec<_> = line.split_whitespace().skip_while(|&word| word != "lastkey").skip(1).collect();
    let mut command = lastkey_tests::program::lastkey();
    // What stands before --help must be right for it to be shown.
    let said = Said::of(command.args(words).arg("--help").output().expect("the program"));
    said.exits(0).says("Usage: lastkey");
}

#[test]
fn every_command_explains_itself_with_examples_that_are_right() {
    for name in COMMANDS {
        let said = lastkey!(name, "--help");
        said.exits(0).says("Usage: lastkey").says("Example");
        let examples =
            said.out.lines().filter(|line| line.starts_with("  lastkey ") || line.starts_with("  sudo "));
        assert_ne!(examples.clone().map(is_a_command).count(), 0);
    }
}

#[test]
fn every_account_command_explains_itself_with_examples_that_are_right() {
    for name in ["login", "status", "send", "check-in", "accept", "logout"] {
        let said = lastkey!("account", name, "--help");
        said.exits(0).says("Usage: lastkey account").says("Example");
        let examples =
            said.out.lines().filter(|line| line.starts_with("  lastkey ") || line.starts_with("  sudo "));
        assert_ne!(examples.clone().map(is_a_command).count(), 0);
    }
}

#[test]
fn readmes_commands_are_right() {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace").join("README.md");
    let readme = fs::read_to_string(readme).expect("README.md");
    let commands =
        readme.lines().filter(|line| line.starts_with("sudo lastkey ") || line.starts_with("lastkey "));
    assert_ne!(commands.map(is_a_command).count(), 0);
}

#[test]
fn every_exit_code_is_listed() {
    let said = lastkey!("--help");
    let codes: Vec<_> = said
        .exits(0)
        .out
        .lines()
        .filter_map(|line| line.trim_start().split_once("  ")?.0.parse::<u8>().ok())
        .collect();
    assert_eq!(codes, (0..=21).chain([130, 141]).collect::<Vec<_>>());
    lastkey!().exits(2).says("Usage: lastkey");
    lastkey!("open").exits(2);
    lastkey!("-V").exits(0).says("lastkey ");
}

#[test]
fn completions_know_every_command() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let said = lastkey!("completions", shell);
        for name in COMMANDS {
            said.exits(0).says(name);
        }
        said.says("recovery-key-file");
    }
    lastkey!("completions", "cmd").exits(2);
}

#[test]
fn every_command_has_a_manual_page() {
    let folder = folder();
    lastkey!("man", folder.path()).exits(0);
    for name in COMMANDS {
        let page = fs::read_to_string(folder.path().join(format!("lastkey-{name}.1"))).expect("a page");
        assert!(page.contains(".SH NAME") && page.contains("Example"), "{name}");
    }
    assert!(fs::read_to_string(folder.path().join("lastkey.1")).expect("a page").contains("Exit codes"));
    lastkey!("man", folder.path().join("missing")).exits(12).says("there is no such file or folder");
}

#[test]
fn a_reader_that_leaves_is_no_failure_and_a_full_one_is() {
    for arguments in [["completions", "bash"], ["status", "--json"], ["status", "--help"]] {
        let mut command = lastkey_tests::program::lastkey();
        let mut child = command.args(arguments).stdout(std::process::Stdio::piped()).spawn().expect("it");
        drop(child.stdout.take());
        assert_eq!(child.wait().expect("it ends").code(), Some(0), "{arguments:?}");
    }
    let full = fs::File::options().write(true).open("/dev/full").expect("a full device");
    let mut command = lastkey_tests::program::lastkey();
    let said = Said::of(command.arg("status").arg(&sample().drive).stdout(full).output().expect("it"));
    said.exits(9).says("standard output: there is no room left");
}

#[test]
fn the_documents_fields_and_kinds_are_documented() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace").join("docs/json.md");
    let docs = fs::read_to_string(docs).expect("docs/json.md");
    fn fields(value: &serde_json::Value, found: &mut Vec<String>) {
        match value {
            serde_json::Value::Object(map) => map.iter().for_each(|(name, value)| {
                found.push(name.clone());
                fields(value, found);
            }),
            serde_json::Value::Array(list) => list.iter().for_each(|value| fields(value, found)),
            _ => {}
        }
    }
    let sample = sample();
    let folder = folder();
    let (place, out) = (to(folder.path()), folder.path().join("plain.img"));
    let mut found = Vec::new();
    for said in [
        lastkey!("status", sample.drive, "--json"),
        lastkey!("status", "/no/such.img", "--json"),
        run_revealing(
            &[&"protectors", &sample.drive, &"--reveal", &"--json", &"--vmk-file", &sample.vmk],
            b"",
        ),
        lastkey!("backup", sample.drive, "--to", place, "--vmk-file", sample.vmk, "--json"),
        lastkey!("status", sample.drive, "--json"),
        lastkey!("verify", sample.drive, sample.copy, "--json"),
        lastkey!("verify", "--all", "--json"),
        lastkey!("read", sample.drive, "--out", out, "--vmk-file", sample.vmk, "--json"),
        lastkey!("try", "--json"),
    ] {
        fields(&said.json(), &mut found);
    }
    assert!(found.len() > 60);
    for name in found {
        assert!(docs.contains(&format!("`{name}`")) || docs.contains(&format!("\"{name}\"")), "{name}");
    }
    let help = lastkey!("--help").out;
    let codes = help.lines().filter_map(|line| line.trim_start().split_once("  ")?.0.parse::<u8>().ok());
    for code in codes.skip(1) {
        assert!(docs.contains(&format!("` | {code} | ")), "{code}");
    }
}
