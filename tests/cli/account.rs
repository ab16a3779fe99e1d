//! Accounts while their server is away, or was never there; with a server in `server`. The whole story, with a person at
//! a browser, is told elsewhere.

mod server;

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use account::Trust;
use account::place::{About, Account, Accounts};
use account::record::{Content, Record};
use account::signature::DeviceKey;
use account::wire::Recipient;
use age::x25519::Identity;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lastkey_tests::program;
use recovery_key::Secret;
use sealed::Opener;
use tempfile::TempDir;

use crate::support::{Said, folder, is_root, names, sample, to};

/// A computer of its own: a record, accounts, and a folder for copies.
struct Computer {
    folder: TempDir,
    owner: Identity,
}

impl Computer {
    fn new() -> Self {
        Self { folder: folder(), owner: Identity::generate() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn account(&self, name: &str) -> Account {
        let accounts = Accounts::at(self.path("data/accounts"));
        accounts.open(name).expect("read").expect("there")
    }

    /// Signs in to a server where nobody answers.
    fn sign_in(&self, name: &str) {
        let server = "https://localhost:1".parse().expect("a server");
        let mut about = About::new(&server, &Trust::Pinned(vec![0]), "localhost/log+00000000+AQ==");
        about.account = name.to_owned();
        about.device = "device-1".to_owned();
        about.device_name = "test".to_owned();
        about.recipients =
            vec![Recipient { name: name.to_owned(), recipient: self.owner.to_public().to_string() }];
        let key = DeviceKey::from_bytes(&Secret::new([7; 32]));
        Accounts::at(self.path("data/accounts")).add(name, &about, &key).expect("added");
    }

    fn command(&self) -> Command {
        let mut command = program::lastkey();
        command.env("LASTKEY_RECORD", self.path("data/record.db"));
        command
    }

    fn run(&self, arguments: &[&dyn AsRef<OsStr>]) -> Said {
        let mut command = self.command();
        command.args(arguments.iter().map(|argument| argument.as_ref())).stdin(Stdio::null());
        let said = Said::of(command.output().expect("the program ends"));
        said.assert_no_secret();
        said
    }

    fn back_up(&self, places: &[&OsStr], json: bool) -> Said {
        let sample = sample();
        let mut arguments: Vec<&dyn AsRef<OsStr>> =
            vec![&"backup", &sample.drive, &"--password-file", &sample.password];
        for place in places {
            arguments.extend([&"--to" as &dyn AsRef<OsStr>, place]);
        }
        if json {
            arguments.push(&"--json");
        }
        self.run(&arguments)
    }
}

/// Returns all bytes of all files in a folder and below.
fn everything(folder: &Path) -> Vec<u8> {
    let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    entries
        .flat_map(|path| if path.is_dir() { everything(&path) } else { fs::read(path).expect("a file") })
        .collect()
}

#[test]
fn without_an_account_each_command_says_how_to_get_one() {
    let computer = Computer::new();
    for command in ["status", "send", "check-in", "accept", "logout"] {
        let said = computer.run(&[&"account", &command]);
        said.exits(12).says("signed in to no account").says("lastkey account login");
        said.says(if is_root() { "Log in with sudo" } else { "an account belongs to the user" });
    }
    computer.back_up(&["account".as_ref()], false).exits(12).says("lastkey account login");
    assert!(!computer.path("data/accounts").exists(), "looking makes nothing");
}

#[test]
fn servers_that_are_none_are_said_to_be_none() {
    let computer = Computer::new();
    computer.run(&[&"account", &"login", &"http://localhost:1"]).exits(2).says("https://");
    computer.run(&[&"account", &"login", &"https://a/b"]).exits(2).says("it is no server");
    computer.run(&[&"account", &"login", &"localhost:1"]).exits(17).says("nothing listens there");
    computer
        .run(&[&"account", &"login", &"localhost:1", &"--fingerprint", &"AB"])
        .exits(2)
        .says("64 hex digits");
}

#[test]
fn what_is_saved_while_the_server_is_away_waits_and_is_no_backup() {
    let computer = Computer::new();
    computer.sign_in("ada");
    let said = computer.back_up(&["account".as_ref()], false);
    said.exits(20)
        .says("waiting, not backed up yet")
        .says("ada at https://localhost:1")
        .says("no proven copy");
    assert!(!said.out.contains("backed up and proven"), "{}", said.out);
    let status = computer.run(&[&"status", &sample().drive, &"--check"]);
    status.exits(19).says("waiting, not backed up yet").says("NOT BACKED UP");
    computer.run(&[&"verify", &"--all"]).exits(13).says("not reached").says("lastkey account send");
    computer.run(&[&"account", &"send"]).exits(20).says("waiting").says("cannot be reached");
    let account = computer.run(&[&"account", &"status", &"--json"]).exits(20).json();
    let ada = &account["accounts"][0];
    assert_eq!((&ada["name"], &ada["reachable"]), (&"ada".into(), &false.into()));
    assert_eq!(ada["waiting"].as_array().map(Vec::len), Some(2), "a key and a snapshot: {ada}");
    // The same again waits once.
    computer.back_up(&["account".as_ref()], false).exits(20);
    assert_eq!(names(&computer.path("data/accounts/ada/waiting")).len(), 2);
    computer.run(&[&"account", &"logout"]).exits(20).says("--force");
    computer.run(&[&"account", &"logout", &"--force"]).exits(0).says("has forgotten the account ada");
    assert!(names(&computer.path("data/accounts")).is_empty());
}

#[test]
fn what_waits_opens_for_the_recipients_alone_and_opens_the_drive() {
    let computer = Computer::new();
    computer.sign_in("ada");
    let report = computer.back_up(&["account".as_ref()], true).exits(20).json();
    for copy in report["copies"].as_array().expect("copies") {
        let said = (&copy["standing"], &copy["proven"], &copy["destination"]);
        assert_eq!(said, (&"waiting".into(), &false.into(), &"account".into()));
    }
    let digits = fs::read_to_string(&sample().digits).expect("the digits");
    let there = everything(&computer.path("data"));
    assert!(
        !there.windows(digits.len()).any(|part| part == digits.as_bytes()),
        "the digits lie there in clear"
    );

    let opener = Opener::Identities(vec![computer.owner.clone()]);
    let volume = lastkey_tests::open(&sample().drive);
    let account = computer.account("ada");
    for waiting in account.waiting().expect("read") {
        let bytes = STANDARD.decode(&waiting.record.sealed).expect("Base64");
        let record = Record::open(&bytes, &opener).expect("opened by its owner");
        assert_eq!(record.volume, volume.id());
        match record.content {
            Content::RecoveryKey { password, capsule } => {
                assert!(capsule.opens(&password));
                assert_eq!(capsule.key_id().to_string(), sample().key_id);
                volume.prove(&fve::Key::RecoveryPassword(password)).expect("it opens the drive");
            }
            Content::Snapshot(snapshot) => assert_eq!(snapshot, volume.snapshot().expect("its own")),
            Content::ExternalKey(_) => panic!("the drive has a recovery key"),
        }
        let stranger = Opener::Identities(vec![Identity::generate()]);
        assert!(Record::open(&bytes, &stranger).is_err());
    }
}

#[test]
fn another_place_makes_a_backup_while_the_account_waits() {
    let computer = Computer::new();
    computer.sign_in("ada");
    let copies = folder();
    let file = to(copies.path());
    let said = computer.back_up(&["account:ada".as_ref(), &file], false);
    said.exits(20).says("backed up and proven").says("waiting, not backed up yet");
    assert!(!said.err.contains("no proven copy"), "{}", said.err);
    computer.run(&[&"status", &sample().drive, &"--check"]).exits(0).says("waiting, not backed up yet");
}

#[test]
fn a_damaged_file_blocks_nothing_and_is_left_as_it_is() {
    let computer = Computer::new();
    computer.sign_in("ada");
    computer.back_up(&["account".as_ref()], false).exits(20);
    let waiting = computer.path("data/accounts/ada/waiting");
    let key = names(&waiting).into_iter().find(|name| !name.contains("metadata")).expect("a key waits");
    fs::write(waiting.join(&key), "{").expect("written");

    let said = computer.run(&[&"account", &"send"]);
    said.exits(20).says("damaged").says(&key).says("Back up its drive again").says("cannot be reached");
    let sent = computer.run(&[&"account", &"send", &"--json"]).exits(20).json();
    assert_eq!((&sent["waiting"], &sent["records"][0]["kind"]), (&1.into(), &"snapshot".into()));
    let file = sent["damaged"][0]["file"].as_str().expect("a file");
    assert_eq!(Path::new(file), waiting.join(&key));
    let status = computer.run(&[&"account", &"status", &"--json"]).exits(20).json();
    let ada = &status["accounts"][0];
    let count = |what: &str| ada[what].as_array().map(Vec::len);
    assert_eq!((count("waiting"), count("damaged"), count("alarms")), (Some(1), Some(1), Some(0)));

    // With nothing else to be said, that something is damaged is the answer.
    fs::remove_file(waiting.join(names(&waiting).iter().find(|name| **name != key).expect("there")))
        .expect("removed");
    computer.run(&[&"account", &"status"]).exits(1).says("damaged");
    computer.run(&[&"account", &"send"]).exits(1).says("damaged");
    computer.run(&[&"account", &"logout"]).exits(1).says(&key).says("--force");
    assert_eq!(names(&waiting), [key.as_str()]);

    // Backing up again takes its place.
    computer.back_up(&["account".as_ref()], false).exits(20);
    computer.run(&[&"account", &"send", &"--json"]).exits(20).says("\"damaged\": []");
}

#[test]
fn an_account_of_which_nothing_can_be_read_is_forgotten_with_force() {
    let computer = Computer::new();
    computer.sign_in("ada");
    computer.back_up(&["account".as_ref()], false).exits(20);
    let folder = computer.path("data/accounts/ada");
    for name in names(&folder.join("waiting")) {
        fs::write(folder.join("waiting").join(name), "{").expect("written");
    }
    fs::write(folder.join("evidence/1.json"), "").expect("written");
    computer.run(&[&"account", &"status"]).exits(21).says("ALARM").says("1.json is damaged");
    fs::write(folder.join("account.json"), "{").expect("written");
    computer.run(&[&"account", &"logout"]).exits(1).says("account.json is damaged").says("--force");
    let said = computer.run(&[&"account", &"logout", &"--force", &"--json"]).exits(0).json();
    assert_eq!((&said["account"], &said["server"]), (&"ada".into(), &serde_json::Value::Null));
    assert!(!folder.exists());
}

/// What the timer starts is understood, and systemd understands the units.
#[test]
fn the_units_run_what_there_is() {
    let packaging = Path::new(env!("CARGO_MANIFEST_DIR")).join("../packaging");
    let unit = fs::read_to_string(packaging.join("lastkey-account.service")).expect("a unit");
    let commands: Vec<_> =
        unit.lines().filter_map(|line| line.strip_prefix("ExecStart=/usr/bin/lastkey ")).collect();
    assert_eq!(commands, ["account send", "account check-in"]);
    for command in commands {
        let mut words: Vec<&dyn AsRef<OsStr>> = Vec::new();
        let parts: Vec<_> = command.split(' ').collect();
        parts.iter().for_each(|part| words.push(part));
        words.push(&"--help");
        Computer::new().run(&words).exits(0);
    }
    let place = folder();
    let program = program::path().to_str().expect("a path");
    fs::write(place.path().join("lastkey-account.service"), unit.replace("/usr/bin/lastkey", program))
        .expect("written");
    fs::copy(packaging.join("lastkey-account.timer"), place.path().join("lastkey-account.timer"))
        .expect("a copy");
    let mut verify = Command::new("systemd-analyze");
    verify.args(["verify", "--man=no", "--recursive-errors=no"]);
    verify.args(["lastkey-account.service", "lastkey-account.timer"].map(|name| place.path().join(name)));
    // Not every computer has systemd.
    if let Ok(output) = verify.output() {
        let said = Said::of(output);
        said.exits(0);
        assert!(!said.err.contains("lastkey-account"), "{}", said.err);
    }
}

#[test]
fn several_accounts_are_told_apart() {
    let computer = Computer::new();
    computer.sign_in("ada");
    computer.sign_in("home");
    computer.back_up(&["account".as_ref()], false).exits(2).says("ada, home");
    computer.back_up(&["account:nobody".as_ref()], false).exits(12).says("nobody");
    computer.back_up(&["account:home".as_ref(), "account:home".as_ref()], false).exits(2).says("named twice");
    computer.back_up(&["account:home".as_ref()], false).exits(20).says("home at https://localhost:1");
    assert!(names(&computer.path("data/accounts/ada/waiting")).is_empty());
    computer.run(&[&"account", &"check-in", &sample().drive, &"--account", &"ada"]).exits(17);
}

#[test]
fn what_is_kept_of_an_account_is_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let computer = Computer::new();
    computer.sign_in("ada");
    computer.back_up(&["account".as_ref()], false).exits(20);
    let mode = |name: &str| fs::metadata(computer.path(name)).expect("there").permissions().mode() & 0o777;
    assert_eq!([mode("data/accounts/ada"), mode("data/accounts/ada/waiting")], [0o700, 0o700]);
    for name in names(&computer.path("data/accounts/ada/waiting")) {
        assert_eq!(mode(&format!("data/accounts/ada/waiting/{name}")), 0o600, "{name}");
    }
}
