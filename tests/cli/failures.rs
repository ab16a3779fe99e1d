//! Every kind of file that keys are saved in, failing in every way: the place stays as it was, and what went wrong
//! and what to do is said. Sticks, printers and directories have theirs beside their rigs.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use lastkey_tests::program;
use tempfile::TempDir;

use crate::support::{Mounted, Said, as_nobody, file, folder, interrupt, is_root, sample};

/// What is written after `--to`, with FOLDER for the place, and the options beside it.
const KINDS: [(&str, &[&str]); 8] = [
    ("file:FOLDER", &[]),
    ("file:FOLDER", &["--passphrase-file", "SECRET"]),
    ("paper:FOLDER/page.pdf", &[]),
    ("paper:FOLDER", &["--sheets", "2/3"]),
    ("keepass:FOLDER/new.kdbx", &["--keepass-password-file", "SECRET"]),
    ("keepass:FOLDER/there.kdbx", &["--keepass-password-file", "SECRET"]),
    ("bitwarden:FOLDER/import.json", &[]),
    ("1password:FOLDER/import.csv", &[]),
];

/// What the backup needs, away from the place.
struct Rig {
    folder: TempDir,
}

impl Rig {
    fn new() -> Self {
        let folder = folder();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("rights");
        let rig = Self { folder };
        rig.file("secret", b"open sesame\n");
        rig.file("password", &fs::read(&sample().password).expect("the password"));
        let other = rig.path("other");
        lastkey!("try", "--keep", other).exits(0);
        fs::copy(other.join("sample.img"), rig.path("drive.img")).expect("a copy");
        rig.back_up(KINDS[5], rig.folder.path()).exits(0);
        fs::copy(&sample().drive, rig.path("drive.img")).expect("a copy");
        rig
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file that everybody may read.
    fn file(&self, name: &str, bytes: &[u8]) {
        let path = file(&self.folder, name, bytes);
        fs::set_permissions(path, fs::Permissions::from_mode(0o644)).expect("rights");
    }

    fn arguments(&self, kind: (&str, &[&str]), place: &Path) -> Vec<OsString> {
        let (to, options) = kind;
        let mut arguments: Vec<OsString> = vec!["backup".into(), self.path("drive.img").into()];
        arguments.extend(["--password-file".into(), self.path("password").into(), "--to".into()]);
        arguments.push(to.replace("FOLDER", place.to_str().expect("a plain path")).into());
        arguments.extend(options.iter().map(|option| match *option {
            "SECRET" => self.path("secret").into(),
            option => option.into(),
        }));
        arguments
    }

    fn start(&self, kind: (&str, &[&str]), place: &Path) -> std::process::Child {
        let mut command = program::lastkey();
        command.args(self.arguments(kind, place)).env("LASTKEY_RECORD", self.path("record.db"));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().expect("the program")
    }

    fn back_up(&self, kind: (&str, &[&str]), place: &Path) -> Said {
        let said = Said::of(self.start(kind, place).wait_with_output().expect("the program ends"));
        said.assert_no_secret();
        said
    }

    /// Fills a place with something, and with a password database that holds another drive's key.
    fn fill(&self, place: &Path) {
        fs::write(place.join("there before.txt"), "there before\n").expect("written");
        fs::copy(self.path("there.kdbx"), place.join("there.kdbx")).expect("a copy");
    }
}

/// Every file in a folder.
fn contents(folder: &Path) -> BTreeMap<OsString, Vec<u8>> {
    let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry"));
    entries.map(|entry| (entry.file_name(), fs::read(entry.path()).expect("a file"))).collect()
}

#[track_caller]
fn is_as_before(before: &BTreeMap<OsString, Vec<u8>>, place: &Path, kind: &str, said: &Said) {
    assert!(*before == contents(place), "{kind}: {:?}\n{}", contents(place).keys(), said.err);
    assert!(!said.out.contains("backed up and proven"), "{kind}: a false success: {}", said.out);
    assert!(said.err.starts_with("error: ") || said.err.contains("\nerror: "), "{kind}: {}", said.err);
}

#[test]
fn a_full_disk() {
    if !is_root() {
        return lastkey_tests::skip("only root can mount a small disk");
    }
    let rig = Rig::new();
    for kind in KINDS {
        let place = folder();
        let Some(_disk) = Mounted::small(place.path(), 1 << 20) else { return };
        rig.fill(place.path());
        while fs::write(place.path().join("fill"), vec![0; fill(place.path()) + 4096]).is_ok() {}
        let before = contents(place.path());
        let said = rig.back_up(kind, place.path());
        said.exits(9).says("no room left");
        is_as_before(&before, place.path(), kind.0, &said);
    }
}

/// How long the file is that fills the disk.
fn fill(place: &Path) -> usize {
    fs::metadata(place.join("fill")).map_or(0, |metadata| metadata.len() as usize)
}

#[test]
fn a_disk_that_may_only_be_read() {
    if !is_root() {
        return lastkey_tests::skip("only root can mount a disk for reading");
    }
    let rig = Rig::new();
    for kind in KINDS {
        let place = folder();
        let Some(_disk) = Mounted::small(place.path(), 8 << 20) else { return };
        rig.fill(place.path());
        let mut again = Command::new("mount");
        assert!(again.args(["-o", "remount,ro"]).arg(place.path()).status().expect("mount").success());
        let before = contents(place.path());
        let said = rig.back_up(kind, place.path());
        said.exits(8).says("can only be read");
        is_as_before(&before, place.path(), kind.0, &said);
    }
}

#[test]
fn a_folder_without_rights() {
    let rig = Rig::new();
    let place = folder();
    rig.fill(place.path());
    fs::set_permissions(place.path().join("there.kdbx"), fs::Permissions::from_mode(0o644)).expect("rights");
    fs::set_permissions(place.path(), fs::Permissions::from_mode(0o555)).expect("rights");
    let before = contents(place.path());
    for kind in KINDS {
        let arguments = rig.arguments(kind, place.path());
        let arguments: Vec<_> = arguments.iter().map(|argument| argument as &dyn AsRef<OsStr>).collect();
        let said = as_nobody(&arguments);
        said.exits(8).says("does not let you write there").says("a folder of your own");
        is_as_before(&before, place.path(), kind.0, &said);
    }
}

#[test]
fn a_name_that_is_taken_and_a_folder_that_is_not_there() {
    let rig = Rig::new();
    for kind in KINDS {
        let place = folder();
        rig.fill(place.path());
        rig.back_up(kind, place.path()).exits(0);
        let before = contents(place.path());
        let said = rig.back_up(kind, place.path());
        if kind.0.contains("kdbx") {
            // The entry is there, and is proven once more.
            said.exits(0);
        } else {
            said.exits(11);
            is_as_before(&before, place.path(), kind.0, &said);
        }
        let said = rig.back_up(kind, &place.path().join("no such folder"));
        assert!([2, 12].contains(&said.code), "{}: {}", kind.0, said.err);
        assert!(!place.path().join("no such folder").exists());
    }
}

#[test]
fn a_wrong_password_and_a_broken_database() {
    let rig = Rig::new();
    let place = folder();
    rig.fill(place.path());
    let kind = KINDS[5];
    rig.file("secret", b"open barley\n");
    let before = contents(place.path());
    let said = rig.back_up(kind, place.path());
    said.exits(18);
    is_as_before(&before, place.path(), kind.0, &said);
    rig.file("secret", b"open sesame\n");
    let database = place.path().join("there.kdbx");
    let whole = fs::read(&database).expect("the database");
    for length in [0, 11, 100, whole.len() / 2, whole.len() - 1] {
        fs::write(&database, &whole[..length]).expect("written");
        let before = contents(place.path());
        let said = rig.back_up(kind, place.path());
        assert_ne!(said.code, 0, "{length} of {} bytes", whole.len());
        is_as_before(&before, place.path(), kind.0, &said);
    }
}

#[test]
fn ctrl_c_at_any_moment() {
    let rig = Rig::new();
    for kind in KINDS {
        let place = folder();
        rig.fill(place.path());
        let before = contents(place.path());
        for moment in [20, 100, 200, 300, 450, 600, 900, 1300] {
            let child = rig.start(kind, place.path());
            thread::sleep(Duration::from_millis(moment));
            let _ = rustix::process::test_kill_process(rustix::process::Pid::from_child(&child))
                .map(|()| interrupt(&child));
            let said = Said::of(child.wait_with_output().expect("the program ends"));
            said.assert_no_secret();
            let after = contents(place.path());
            let is_whole = said.out.contains("backed up and proven");
            assert!(said.code == 130 || said.code == 0 && is_whole, "{}: {}", kind.0, said.err);
            if is_whole {
                // It was too late: the key is there, and opens the drive.
                assert_ne!(after, before, "{}", kind.0);
                restore(&before, place.path());
            } else {
                assert!(after == before, "{} after {moment} ms: {:?}", kind.0, after.keys());
            }
        }
    }
}

fn restore(before: &BTreeMap<OsString, Vec<u8>>, place: &Path) {
    for name in contents(place).keys() {
        fs::remove_file(place.join(name)).expect("removed");
    }
    for (name, bytes) in before {
        fs::write(place.join(name), bytes).expect("written");
    }
}
