//! Places with a lock of their own, judged by the programs that people open them with: KeePassXC and
//! PyKeePass for databases, stock age for sealed files.

use std::env;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use backup::keepass::{Credentials, keys};
use backup::{About, Content, Destination, Document, FileDestination, KeePassDestination};
use backup::{ReadBack, SaveError, SavedCopy};
use lastkey_tests::skip;
use recovery_key::bek::Bek;
use recovery_key::{KeyId, RecoveryPassword, Secret};
use sealed::{Opener, Seal};
use tempfile::TempDir;

const ID: &str = "AC9D5655-F7CA-4D1D-902F-1B6087118138";
const DIGITS: &str = "132858-327525-689172-680790-354607-080454-642268-377564";
const PASSWORD: &str = "correct horse \u{e4}\u{20ac}";
/// Our entries, as KeePassXC names them.
const KEY: &str = "BitLocker/BitLocker Recovery Key AC9D5655-F7CA-4D1D-902F-1B6087118138";
const BEK: &str = "AC9D5655-F7CA-4D1D-902F-1B6087118138.BEK";

fn documents() -> [Document; 2] {
    let key_id = ID.parse::<KeyId>().expect("a GUID");
    let password = RecoveryPassword::parse(DIGITS).expect("well-formed digits");
    let drive = About {
        volume: uuid::Uuid::from_u128(0x0123_4567_89AB_CDEF_0123_4567_89AB_CDEF),
        label: Some("PC <C:> & \"more\"".to_owned()),
        now: 1_700_000_000,
    };
    [
        Content::RecoveryPassword { key_id, password },
        Content::ExternalKey(Bek::new(key_id, 1, 1, None, Secret::new([7; 32]))),
    ]
    .map(|content| Document { drive: drive.clone(), content })
}

fn credentials(key_file: Option<&Path>) -> Credentials {
    let key_file = key_file.map(|path| Secret::new(fs::read(path).expect("a key file")));
    Credentials::new(Some(Secret::new(PASSWORD.to_owned())), key_file)
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("the folder");
    let mut names: Vec<_> =
        entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

fn document(destination: &dyn Destination, copy: &SavedCopy) -> Secret<Vec<u8>> {
    match destination.read_back(copy) {
        Ok(ReadBack::Document(bytes)) => bytes,
        Ok(ReadBack::Withheld(why)) => panic!("{why}"),
        Err(error) => panic!("{error}"),
    }
}

/// Returns whether a program answers; says loudly when it does not.
fn have(program: &str, arguments: &[&str]) -> bool {
    let answers = Command::new(program).args(arguments).stdin(Stdio::null()).output();
    let answers = answers.is_ok_and(|output| output.status.success());
    if !answers {
        skip(&format!("{program} {arguments:?} does not run"));
    }
    answers
}

fn run(command: &mut Command, input: &str) -> Output {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the program starts");
    // A program that does not read it has closed it: that is no failure.
    let _ = child.stdin.take().expect("piped").write_all(input.as_bytes());
    let output = child.wait_with_output().expect("the program ends");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {said}");
    output
}

/// KeePassXC at work on a database.
struct KeePassXc<'a> {
    path: &'a Path,
    key_file: Option<&'a Path>,
}

impl KeePassXc<'_> {
    fn run(&self, command: &str, arguments: &[&str], more: &str) -> Vec<u8> {
        let mut program = Command::new("keepassxc-cli");
        program.env("QT_QPA_PLATFORM", "offscreen").env("LC_ALL", "C.UTF-8").arg(command).arg("-q");
        if let Some(key_file) = self.key_file {
            program.arg("-k").arg(key_file);
        }
        let (options, places): (Vec<&str>, Vec<&str>) =
            arguments.iter().partition(|argument| argument.starts_with('-'));
        program.args(options).arg(self.path).args(places);
        run(&mut program, &format!("{PASSWORD}\n{more}")).stdout
    }

    fn text(&self, command: &str, arguments: &[&str]) -> String {
        String::from_utf8(self.run(command, arguments, "")).expect("text")
    }

    /// Makes a database with a group, an entry and an attachment.
    fn make(&self) {
        let mut program = Command::new("keepassxc-cli");
        program.env("LC_ALL", "C.UTF-8").args(["db-create", "-q", "-p"]);
        if let Some(key_file) = self.key_file {
            program.arg("--set-key-file").arg(key_file);
        }
        run(program.arg(self.path), &format!("{PASSWORD}\n{PASSWORD}\n"));
        self.run("mkdir", &["Mail"], "");
        self.run("add", &["-p", "--username=me", "--url=https://example.org/?a&b", "Mail/one"], "hunter2\n");
        // An earlier state comes into its history.
        self.run("edit", &["-p", "Mail/one"], "hunter3\n");
        let file = self.path.with_extension("txt");
        fs::write(&file, "an attachment").expect("written");
        let file = file.to_str().expect("text");
        self.run("attachment-import", &["Mail/one", "file.txt", file], "");
    }

    /// Asserts that the old entry is as it was and the new ones are as they should be.
    fn judge(&self) {
        assert_eq!(self.text("show", &["-s", "-aPassword", "Mail/one"]).trim_end(), "hunter3");
        assert_eq!(self.text("show", &["-aURL", "Mail/one"]).trim_end(), "https://example.org/?a&b");
        assert_eq!(self.attachment("Mail/one", "file.txt"), b"an attachment");
        self.judge_new();
    }

    fn judge_new(&self) {
        assert_eq!(self.text("show", &["-s", "-aPassword", KEY]).trim_end(), DIGITS);
        assert_eq!(self.text("show", &["-aUserName", KEY]).trim_end(), ID);
        assert_eq!(self.text("show", &["-aLabel", KEY]).trim_end(), "PC <C:> & \"more\"");
        let [_, bek] = documents();
        assert!(self.attachment(&format!("BitLocker/{BEK}"), BEK) == *bek.to_bytes().expose());
    }

    /// On standard output it would write attachments as text.
    fn attachment(&self, entry: &str, name: &str) -> Vec<u8> {
        let file = self.path.with_extension("out");
        self.run("attachment-export", &[entry, name, file.to_str().expect("text")], "");
        let bytes = fs::read(&file).expect("the attachment");
        fs::remove_file(&file).expect("removed");
        bytes
    }
}

/// Returns what KeePassXC exports, line by line, without the numbers that it gives attachments anew.
fn export(program: &KeePassXc<'_>) -> Vec<String> {
    let text = program.text("export", &[]);
    text.lines()
        .filter(|line| !line.contains("<Binary") && !line.contains("Ref="))
        .map(str::to_owned)
        .collect()
}

#[test]
fn keepassxc_finds_our_entries_in_its_database_and_its_own_as_they_were() {
    if !have("keepassxc-cli", &["--version"]) {
        return;
    }
    for with_key_file in [false, true] {
        let folder = TempDir::new().expect("a folder");
        let path = folder.path().join("mine.kdbx");
        let key_file = folder.path().join("mine.keyx");
        let key_file = with_key_file.then_some(key_file.as_path());
        let program = KeePassXc { path: &path, key_file };
        program.make();
        let before = export(&program);
        let destination = KeePassDestination::new(path.clone(), credentials(key_file));
        for document in documents() {
            let copy = destination.save(&document).expect("a copy");
            assert!(!self::document(&destination, &copy).expose().is_empty());
        }
        program.judge();
        let after = export(&program);
        let mut rest = after.iter();
        for line in &before {
            assert!(rest.any(|own| own == line), "{line} is missing or elsewhere");
        }
        let found = keys(&fs::read(&path).expect("the file"), &credentials(key_file)).expect("keys");
        assert_eq!(found.len(), 2);
    }
}

#[test]
fn keepassxc_opens_and_changes_our_database_and_our_entries_stay() {
    if !have("keepassxc-cli", &["--version"]) {
        return;
    }
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("new.kdbx");
    let destination = KeePassDestination::new(path.clone(), credentials(None));
    let copies = documents().map(|document| destination.save(&document).expect("a copy"));
    let program = KeePassXc { path: &path, key_file: None };
    program.judge_new();
    assert!(program.text("db-info", &[]).contains("Argon2id"));
    program.run("add", &["-p", "more"], "hunter2\n");
    program.judge_new();
    for copy in &copies {
        assert!(!document(&destination, copy).expose().is_empty());
    }
}

const PYTHON: &str = "/usr/bin/python3";

#[test]
fn pykeepass_finds_our_entries_in_its_database_and_its_own_as_they_were() {
    if !have(PYTHON, &["-c", "import pykeepass"]) {
        return;
    }
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("mine.kdbx");
    let python = |script: &str| {
        let output = run(Command::new(PYTHON).arg("-c").arg(script).arg(&path).arg(PASSWORD), "");
        String::from_utf8(output.stdout).expect("text")
    };
    python(
        "import sys, pykeepass\n\
         db = pykeepass.create_database(sys.argv[1], password=sys.argv[2])\n\
         group = db.add_group(db.root_group, 'Mail')\n\
         entry = db.add_entry(group, 'one', 'me', 'hunter2')\n\
         entry.add_attachment(db.add_binary(b'an attachment'), 'file.txt')\n\
         entry.set_custom_property('PIN', '1234')\n\
         entry.save_history()\n\
         entry.password = 'hunter3'\n\
         db.save()",
    );
    let see = "import sys, pykeepass\n\
         db = pykeepass.PyKeePass(sys.argv[1], password=sys.argv[2])\n\
         print(db.version)\n\
         for e in [e for e in db.entries] + [h for e in db.entries for h in e.history]:\n\
         \x20   print(e.group.name, e.title, e.username, e.password, e.custom_properties, e.ctime,\n\
         \x20       [(a.filename, a.data.hex()) for a in e.attachments])";
    let before = python(see);
    let destination = KeePassDestination::new(path.clone(), credentials(None));
    for document in documents() {
        destination.save(&document).expect("a copy");
    }
    let after = python(see);
    assert!(before.lines().count() == 3 && before.contains("hunter3"), "{before}");
    for line in before.lines() {
        assert!(after.lines().any(|own| own == line), "{line}: {after}");
    }
    let [_, bek] = documents();
    let hex: String = bek.to_bytes().expose().iter().map(|byte| format!("{byte:02x}")).collect();
    assert!(after.contains(DIGITS) && after.contains(&hex) && after.contains("2023-11-14 22:13:20"));
}

#[cfg(target_os = "linux")]
mod failing {
    use super::*;

    /// Something that is mounted until the end of the test.
    struct Mounted(PathBuf);

    impl Mounted {
        fn memory(at: &Path, size: u32) -> Option<Self> {
            let size = format!("size={size}");
            let mount = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "none"]).arg(at).output();
            if mount.is_ok_and(|output| output.status.success()) {
                return Some(Self(at.to_owned()));
            }
            skip("only root can mount a small disk");
            None
        }
    }

    impl Drop for Mounted {
        fn drop(&mut self) {
            let _ = Command::new("umount").arg(&self.0).status();
        }
    }

    /// Makes a database that opens quickly.
    fn made(path: &Path) -> Vec<u8> {
        KeePassXc { path, key_file: None }.make();
        fs::read(path).expect("the file")
    }

    #[test]
    fn a_full_or_write_protected_disk_keeps_the_old_database() {
        if !have("keepassxc-cli", &["--version"]) {
            return;
        }
        let folder = TempDir::new().expect("a folder");
        let Some(mounted) = Mounted::memory(folder.path(), 64 << 10) else { return };
        let path = folder.path().join("mine.kdbx");
        let good = made(&path);
        fs::remove_file(path.with_extension("txt")).expect("removed");
        let [document, _] = documents();
        let destination = KeePassDestination::new(path.clone(), credentials(None));
        let fill = folder.path().join("fill");
        // As much as fits: the error is the end of it.
        let _ = fs::write(&fill, vec![0; 64 << 10]);
        assert!(matches!(destination.save(&document), Err(SaveError::Full { .. })));
        assert_eq!(fs::read(&path).expect("the file"), good);
        assert_eq!(names(folder.path()), ["fill", "mine.kdbx"]);
        fs::remove_file(&fill).expect("removed");
        let remount = |how: &str| {
            assert!(
                Command::new("mount").args(["-o", how]).arg(&mounted.0).status().expect("mount").success()
            );
        };
        remount("remount,ro");
        assert!(matches!(destination.save(&document), Err(SaveError::ReadOnly { .. })));
        remount("remount,rw");
        assert_eq!(fs::read(&path).expect("the file"), good);
        assert_eq!(names(folder.path()), ["mine.kdbx"]);
        destination.save(&document).expect("a copy");
    }

    const KILLED: &str = "LASTKEY_TEST_KILLED";

    /// What the process does that is killed.
    #[test]
    #[ignore = "the next test runs and kills it"]
    fn is_killed() {
        let path = env::var_os(KILLED).map(PathBuf::from).expect("the next test names a database");
        let [document, _] = documents();
        KeePassDestination::new(path, credentials(None)).save(&document).expect("a copy");
    }

    /// What changes files.
    const CALLS: [&str; 8] = ["write", "fsync", "fchmod", "flock", "linkat", "rename", "unlink", "fdatasync"];

    #[test]
    fn killed_at_any_change_it_leaves_the_old_database_or_the_new_one() {
        if !have("keepassxc-cli", &["--version"]) || !have("strace", &["-o/dev/null", "true"]) {
            return;
        }
        let folder = TempDir::new().expect("a folder");
        let path = folder.path().join("mine.kdbx");
        let (good, mut seen) = (made(&path), [0; 2]);
        fs::remove_file(path.with_extension("txt")).expect("removed");
        for call in CALLS {
            for number in 1.. {
                fs::write(&path, &good).expect("written");
                let mut program = Command::new("strace");
                program.args(["-f", "-o/dev/null", &format!("-einject={call}:signal=KILL:when={number}")]);
                program.arg(env::current_exe().expect("a path"));
                program.args(["--ignored", "--exact", "failing::is_killed"]).env(KILLED, &path);
                let ended = program.output().expect("strace").status;
                let bytes = fs::read(&path).expect("the file");
                let found = keys(&bytes, &credentials(None)).expect("a whole database");
                let left = names(folder.path());
                println!("{call} {number}: {ended}, {} entries of ours, {left:?}", found.len());
                if ended.success() {
                    assert_eq!((found.len(), left.len()), (1, 1), "after the last {call}");
                    break;
                }
                assert!(found.len() == 1 || bytes == good, "at {call} {number}");
                seen[found.len()] += 1;
                let of_ours = |name: &String| name == "mine.kdbx" || name == ".mine.kdbx.lastkey";
                assert!(left.iter().all(of_ours), "at {call} {number}: {left:?}");
                // The next one goes on from either state, and takes away what this one left.
                let [_, bek] = documents();
                let destination = KeePassDestination::new(path.clone(), credentials(None));
                destination.save(&bek).expect("a copy");
                assert_eq!(names(folder.path()), ["mine.kdbx"]);
            }
        }
        assert!(seen[0] > 0 && seen[1] > 0, "{seen:?}");
    }
}

/// Runs a program that asks at a terminal.
fn at_terminal(command: &str, answers: &str) {
    run(Command::new("script").args(["-qec", command, "/dev/null"]), answers);
}

#[test]
fn stock_age_opens_what_is_sealed_and_what_it_seals_is_opened() {
    if !have("age", &["--version"]) {
        return;
    }
    let folder = TempDir::new().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    let recipient = |name: &str| {
        run(Command::new("age-keygen").arg("-o").arg(path(name)), "");
        let shown = run(Command::new("age-keygen").arg("-y").arg(path(name)), "");
        String::from_utf8(shown.stdout).expect("text").trim().to_owned()
    };
    let recipients = [recipient("one"), recipient("two")];
    let seal = Seal::to_recipients(&recipients).expect("recipients");
    let destination = FileDestination::new(folder.path().to_owned()).sealed(seal);
    for document in documents() {
        let copy = destination.save(&document).expect("a copy");
        assert!(self::document(&destination, &copy).expose() == document.to_bytes().expose());
        for identity in ["one", "two"] {
            let file = copy.path.as_ref().expect("a path");
            let opened = run(Command::new("age").arg("-d").arg("-i").arg(path(identity)).arg(file), "");
            assert!(opened.stdout == *document.to_bytes().expose());
        }
    }
    fs::write(path("plain"), DIGITS).expect("written");
    let mut age = Command::new("age");
    run(age.args(["-r", &recipients[0], "-o"]).arg(path("theirs.age")).arg(path("plain")), "");
    let identity = Secret::new(fs::read_to_string(path("one")).expect("an identity"));
    let opener = Opener::from_identity_file(&identity).expect("an identity");
    let theirs = fs::read(path("theirs.age")).expect("the file");
    assert_eq!(sealed::open(&theirs, &opener).expect("opened").expose(), DIGITS.as_bytes());
}

#[test]
fn stock_age_and_we_share_passphrases() {
    if !have("age", &["--version"]) || !have("script", &["--version"]) {
        return;
    }
    let folder = TempDir::new().expect("a folder");
    let path = |name: &str| folder.path().join(name).to_str().expect("text").to_owned();
    let passphrase = || Secret::new("correct horse battery".to_owned());
    let seal = Seal::with_passphrase(passphrase()).expect("a passphrase");
    let destination = FileDestination::new(folder.path().to_owned()).sealed(seal);
    let [document, _] = documents();
    let copy = destination.save(&document).expect("a copy");
    assert!(self::document(&destination, &copy).expose() == document.to_bytes().expose());
    let ours = copy.path.as_ref().and_then(|path| path.to_str()).expect("a path");
    at_terminal(&format!("age -d -o '{}' '{ours}'", path("opened")), "correct horse battery\n");
    assert!(fs::read(path("opened")).expect("the file") == *document.to_bytes().expose());
    fs::write(path("plain"), DIGITS).expect("written");
    let twice = "correct horse battery\ncorrect horse battery\n";
    at_terminal(&format!("age -p -o '{}' '{}'", path("theirs.age"), path("plain")), twice);
    let theirs = fs::read(path("theirs.age")).expect("the file");
    assert_eq!(sealed::needs_passphrase(&theirs), Some(true));
    let opened = sealed::open(&theirs, &Opener::Passphrase(passphrase())).expect("opened");
    assert_eq!(opened.expose(), DIGITS.as_bytes());
}
