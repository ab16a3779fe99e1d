//! Copies that are sealed, split or kept in a directory: found, verified and dictated like any other.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::process::Stdio;

use lastkey_tests::domain::domain;
use lastkey_tests::program;
use serde_json::Value;
use tempfile::TempDir;

use crate::support::{Said, file, folder, names, sample, to};
use crate::terminal::Terminal;

/// Backs the sample drive up, with a record of its own.
fn back_up(record: &Path, more: &[&dyn AsRef<OsStr>]) -> Said {
    let mut arguments: Vec<&dyn AsRef<OsStr>> = vec![&"backup", &sample().drive];
    arguments.extend([&"--password-file" as &dyn AsRef<OsStr>, &sample().password]);
    arguments.extend(more);
    run(record, &arguments)
}

fn run(record: &Path, arguments: &[&dyn AsRef<OsStr>]) -> Said {
    let mut command = program::lastkey();
    command.env("LASTKEY_RECORD", record).stdin(Stdio::null());
    command.args(arguments.iter().map(|argument| argument.as_ref()));
    let said = Said::of(command.output().expect("the program"));
    said.assert_no_secret();
    said
}

fn place(kind: &str, path: &Path) -> std::ffi::OsString {
    let mut place = std::ffi::OsString::from(kind);
    place.push(path);
    place
}

/// A folder with a sealed file and a database, and beside it the files with what opens them.
struct Sealed {
    folder: TempDir,
    copies: TempDir,
}

impl Sealed {
    fn new() -> Self {
        let (folder, copies) = (folder(), folder());
        let passphrase = file(&folder, "passphrase", "correct horse battery staple\n");
        let password = file(&folder, "database password", "another one\n");
        let record = folder.path().join("record.db");
        let database = place("keepass:", &copies.path().join("keys.kdbx"));
        let said = back_up(
            &record,
            &[
                &"--to",
                &to(copies.path()),
                &"--passphrase-file",
                &passphrase,
                &"--to",
                &database,
                &"--keepass-password-file",
                &password,
            ],
        );
        said.exits(0);
        Self { folder, copies }
    }

    fn find(&self, more: &[&dyn AsRef<OsStr>]) -> Said {
        let mut arguments: Vec<&dyn AsRef<OsStr>> = vec![&"find", &sample().drive, &"--json"];
        let places = self.copies.path();
        arguments.extend([&"--in" as &dyn AsRef<OsStr>, &places]);
        arguments.extend(more);
        run(&self.folder.path().join("record.db"), &arguments)
    }

    fn file(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }
}

fn unread(document: &Value) -> Vec<&str> {
    let unread = document["unread"].as_array().expect("a list").iter();
    let mut unread: Vec<_> = unread.map(|unread| unread["why"].as_str().expect("a word")).collect();
    unread.sort_unstable();
    unread
}

fn copies(document: &Value) -> usize {
    document["keys"][0]["variants"][0]["copies"].as_array().map_or(0, Vec::len)
}

#[test]
fn sealed_copies_are_found_with_what_opens_them() {
    let sealed = Sealed::new();
    let closed = sealed.find(&[]).exits(12).json();
    assert!(unread(&closed).starts_with(&["sealed-age", "sealed-keepass"]), "{closed}");
    let passphrase = sealed.file("passphrase");
    let one = sealed.find(&[&"--passphrase-file", &passphrase]).exits(0).json();
    assert_eq!((copies(&one), unread(&one)), (1, vec!["sealed-keepass"]));
    let password = sealed.file("database password");
    let both = sealed.find(&[&"--passphrase-file", &passphrase, &"--keepass-password-file", &password]);
    let both = both.exits(0).json();
    assert_eq!((copies(&both), unread(&both)), (2, Vec::new()));
    assert_eq!(both["keys"][0]["variants"][0]["opens"][0]["key_id"], sample().key_id.as_str());
    // A wrong one is said, and does no harm.
    let wrong = sealed.find(&[&"--passphrase-file", &password, &"--keepass-password-file", &password]);
    wrong.exits(0).says("keys.kdbx").says(".age");
    assert_eq!((copies(&wrong.json()), unread(&wrong.json())), (1, vec!["sealed-age"]));
}

#[test]
fn at_a_terminal_they_are_asked_for_and_may_stay_closed() {
    let sealed = Sealed::new();
    let places = sealed.copies.path();
    let mut terminal = Terminal::start(&[&"find", &sample().drive, &"--in", &places], None);
    terminal.sees("keys.kdbx (Enter: leave it closed): ").types_hidden("another one\n");
    // The key and the drive's metadata are sealed each on its own.
    terminal.sees(".age (Enter: leave it closed): ").types_hidden("\n");
    terminal.sees(".age (Enter: leave it closed): ").types_hidden("\n").sees("proven");
    let said = terminal.ends();
    said.exits(0).says("files sealed with age").assert_no_secret();
}

#[test]
fn a_sealed_copy_is_dictated() {
    let sealed = Sealed::new();
    let age = names(sealed.copies.path()).into_iter().find(|name| name.ends_with(".TXT.age"));
    let age = sealed.copies.path().join(age.expect("the sealed key"));
    let mut terminal = Terminal::start(&[&"dictate", &age], None);
    terminal.sees("Password of ").types_hidden("correct horse battery staple\n").sees(&sample().key_id[..8]);
    terminal.types("\n").sees("Group 1 of 8").types("q\n").sees("Stopped");
    terminal.ends().exits(0);
}

#[test]
fn sheets_are_told_from_keys_and_tried_again_together() {
    let (folder, sheets) = (folder(), folder());
    let record = folder.path().join("record.db");
    let paper = place("paper:", sheets.path());
    back_up(&record, &[&"--to", &paper, &"--sheets", &"2/3"]).exits(0);
    let found = run(&record, &[&"find", &"--in", &sheets.path(), &"--json"]).exits(12).json();
    assert_eq!(unread(&found), ["share"]);
    assert_eq!(found["unread"][0]["count"], 3);
    run(&record, &[&"verify", &"--all"]).exits(0).says("proven");
    let names = names(sheets.path());
    assert_eq!(names.len(), 3, "{names:?}");
    fs::remove_file(sheets.path().join(&names[1])).expect("removed");
    run(&record, &[&"verify", &"--all"]).exits(0).says("proven");
    fs::remove_file(sheets.path().join(&names[0])).expect("removed");
    run(&record, &[&"verify", &"--all"]).exits(13).says("not proven");
    fs::remove_file(sheets.path().join(&names[2])).expect("removed");
    // Whoever has printed them deletes the files.
    run(&record, &[&"verify", &"--all"]).exits(13).says("not reached").says("on paper");
}

#[test]
fn the_directory_is_searched_by_key_id_by_drive_and_by_computer() {
    let Some(domain) = domain() else { return };
    let folder = folder();
    let record = folder.path().join("record.db");
    let administrator = domain.credentials("administrator");
    let password = file(&folder, "administrator", administrator.password.expose());
    let user: [&dyn AsRef<OsStr>; 6] =
        [&"--user", &administrator.user, &"--user-password-file", &password, &"--ca", &domain.ca()];
    let computer = format!("directory:{}", domain.address("PC11"));
    let mut arguments: Vec<&dyn AsRef<OsStr>> = vec![&"--to", &computer];
    arguments.extend(user);
    back_up(&record, &arguments).exits(0).says("proven");

    let server = format!("directory:ldaps://{}", domain.server());
    let id = &sample().key_id[..8];
    let drive = &sample().drive;
    for (wanted, place, code) in [
        (Some(&id as &dyn AsRef<OsStr>), &server, 0),
        (Some(drive), &server, 0),
        (None, &computer, 0),
        (Some(&"0123ABCD"), &server, 12),
        (None, &server, 2),
    ] {
        let mut arguments: Vec<&dyn AsRef<OsStr>> = vec![&"find"];
        arguments.extend(wanted);
        arguments.extend([&"--in" as &dyn AsRef<OsStr>, place]);
        arguments.extend(user);
        let said = run(&record, &arguments);
        said.exits(code);
        if code == 0 {
            said.says(id).says("CN=PC11");
        }
    }
    let mut arguments: Vec<&dyn AsRef<OsStr>> = vec![&"verify", &"--all"];
    run(&record, &arguments).exits(13).says("not reached").says("--user");
    arguments.extend(user);
    run(&record, &arguments).exits(0).says("proven").says("CN=PC11");
    let ca = domain.ca();
    // Who may not see keys is shown nothing, and who cannot sign in is told so.
    let alice = domain.credentials("alice");
    for (user, password, code) in
        [(&alice.user, alice.password.expose().as_str(), 12), (&administrator.user, "wrong", 18)]
    {
        let password = file(&folder, "password", password);
        let mut arguments: Vec<&dyn AsRef<OsStr>> = vec![&"find", &id, &"--in", &server];
        arguments.extend([&"--user" as &dyn AsRef<OsStr>, user, &"--user-password-file", &password]);
        arguments.extend([&"--ca" as &dyn AsRef<OsStr>, &ca]);
        run(&record, &arguments).exits(code);
    }
}
