//! The record: where the copies are, what became of them, and which places would be locked too.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use lastkey_tests::program;
use tempfile::TempDir;

use crate::support::{Mounted, Said, file, folder, names, sample, to};

/// A computer of its own: a record, a drive, and a folder for copies.
struct Computer {
    folder: TempDir,
}

impl Computer {
    fn new() -> Self {
        let computer = Self { folder: folder() };
        fs::create_dir(computer.copies()).expect("a folder");
        computer
    }

    fn record(&self) -> PathBuf {
        self.folder.path().join("data/lastkey/record.db")
    }

    fn copies(&self) -> PathBuf {
        self.folder.path().join("copies")
    }

    fn copy(&self) -> PathBuf {
        self.copies().join(format!("BitLocker Recovery Key {}.TXT", sample().key_id))
    }

    fn start(&self, arguments: &[&dyn AsRef<OsStr>]) -> Child {
        let mut command = program::lastkey();
        command.env("LASTKEY_RECORD", self.record());
        command.args(arguments.iter().map(|argument| argument.as_ref()));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().expect("the program starts")
    }

    fn run(&self, arguments: &[&dyn AsRef<OsStr>]) -> Said {
        let said = Said::of(self.start(arguments).wait_with_output().expect("the program ends"));
        said.assert_no_secret();
        said
    }

    fn back_up(&self, place: &Path) -> Said {
        self.run(&[&"backup", &sample().drive, &"--to", &to(place), &"--password-file", &sample().password])
    }

    fn status(&self, code: i32) -> Said {
        let said = self.run(&[&"status", &sample().drive, &"--check"]);
        said.exits(code);
        said
    }

    fn verify(&self, code: i32) -> Said {
        let said = self.run(&[&"verify", &"--all"]);
        said.exits(code);
        said
    }
}

#[test]
fn a_drive_without_a_proven_copy_is_loud_and_one_with_it_is_not() {
    let computer = Computer::new();
    computer.status(19).says("NOT BACKED UP").says("lastkey backup");
    assert!(!computer.record().exists(), "looking makes no record");
    computer.back_up(&computer.copies()).exits(0);
    let said = computer.status(0);
    said.says("proven").says(computer.copy().to_str().expect("text"));
    assert!(!said.out.contains("NOT BACKED UP"), "{}", said.out);
    let report = computer.run(&[&"status", &sample().drive, &"--json"]).exits(0).json();
    let backup = &report["drives"][0]["backup"];
    assert_eq!(backup["backed_up"], true);
    assert_eq!(backup["keys"][0]["key_id"], *sample().key_id);
    assert!(backup["keys"][0]["copies"][0]["proven"].is_string());
    assert_eq!(backup["snapshots"].as_array().map(Vec::len), Some(1));
}

#[test]
fn every_copy_is_tried_again_and_what_became_of_it_is_kept() {
    let computer = Computer::new();
    computer.verify(12).says("no backup was made yet");
    // A backup that fails leaves a record, but no copy in it.
    computer.back_up(&computer.folder.path().join("missing")).exits(12);
    computer.verify(12).says("no backup was made yet");
    computer.back_up(&computer.copies()).exits(0);
    computer.verify(0).says("proven").says(&sample().key_id[..8]);

    // One digit of the copy fades.
    let good = fs::read(computer.copy()).expect("the copy");
    let faded: Vec<u8> = good.iter().map(|&byte| if byte == b'7' { b'1' } else { byte }).collect();
    fs::write(computer.copy(), faded).expect("written");
    computer.verify(13).says("not proven");
    computer.status(19).says("failed").says("NOT BACKED UP");
    fs::write(computer.copy(), good).expect("written");
    computer.verify(0);
    computer.status(0);

    fs::remove_file(computer.copy()).expect("removed");
    computer.verify(13).says("the file is gone");
    computer.status(19).says("the file is gone");
}

#[test]
fn a_stick_that_is_away_is_no_failure_but_proves_nothing() {
    let computer = Computer::new();
    computer.back_up(&computer.copies()).exits(0);
    let away = computer.folder.path().join("away");
    fs::rename(computer.copies(), &away).expect("renamed");
    computer.verify(13).says("not reached");
    computer.status(0).says("proven");
    fs::rename(away, computer.copies()).expect("renamed");
    computer.verify(0);
}

#[test]
fn the_record_holds_no_secret() {
    let computer = Computer::new();
    computer.back_up(&computer.copies()).exits(0);
    let digits = fs::read_to_string(&sample().digits).expect("the digits");
    let record = String::from_utf8_lossy(&fs::read(computer.record()).expect("the record")).into_owned();
    assert!(record.contains(&sample().key_id));
    assert!(digits.split('-').all(|group| !record.contains(group)), "a group of the key is in the record");
}

#[test]
fn a_record_that_cannot_be_used_keeps_no_key_from_being_saved() {
    let computer = Computer::new();
    let record = computer.record();
    fs::create_dir_all(record.parent().expect("a folder")).expect("a folder");
    fs::write(&record, "some other file that was there before\n".repeat(100)).expect("written");
    computer.back_up(&computer.copies()).exits(0).says("backed up and proven").says("cannot be used");
    computer.status(19).says("cannot be used");
    computer.verify(1).says("cannot be used");
    assert!(fs::read(&record).expect("the file").starts_with(b"some other file"));
}

#[test]
fn killed_processes_beside_others_leave_a_whole_record() {
    let computer = Computer::new();
    let places: Vec<_> = (0..6).map(|n| computer.folder.path().join(n.to_string())).collect();
    for place in &places {
        fs::create_dir(place).expect("a folder");
    }
    let mut children: Vec<_> = places
        .iter()
        .map(|place| {
            let place = to(place);
            let arguments: [&dyn AsRef<OsStr>; 6] =
                [&"backup", &sample().drive, &"--to", &place, &"--password-file", &sample().password];
            computer.start(&arguments)
        })
        .collect();
    for (n, child) in children.iter_mut().enumerate() {
        if n % 2 == 1 {
            // At another moment each time.
            std::thread::sleep(std::time::Duration::from_millis(40 * n as u64));
            let _ = child.kill();
        }
    }
    for (n, child) in children.into_iter().enumerate() {
        let said = Said::of(child.wait_with_output().expect("the program ends"));
        if n % 2 == 0 {
            said.exits(0);
            assert!(!said.err.contains("cannot be used"), "{}", said.err);
        }
    }
    let report = computer.run(&[&"verify", &"--all", &"--json"]).exits(0).json();
    let copies = report["drives"][0]["copies"].as_array().expect("a list").len();
    assert!(copies >= 6, "three keys and three snapshots: {copies}");
    // A killed one has saved a whole copy or none.
    for place in places {
        for name in names(&place).iter().filter(|name| name.ends_with(".TXT")) {
            let copy: OsString = place.join(name).into();
            computer.run(&[&"verify", &sample().drive, &copy]).exits(0);
        }
    }
}

#[test]
fn another_bitlocker_drive_is_a_place_only_when_its_own_key_is_elsewhere() {
    let Some(images) = lastkey_tests::real_drives() else { return };
    let other = images.join("bitlk-aes-xts-128-two-recovery.img");
    let known = lastkey_tests::known::DRIVES.iter().find(|drive| other.ends_with(drive.file)).expect("known");
    let (computer, opened) = (Computer::new(), folder());
    let mut dislocker = Command::new("dislocker");
    dislocker
        .arg("-V")
        .arg(&other)
        .arg(format!("-p{}", known.recovery_passwords[0]))
        .arg("--")
        .arg(opened.path());
    let Some(_opened) = Mounted::by(&mut dislocker, opened.path()) else { return };
    computer.back_up(opened.path()).exits(10).says("mostly locks the others too");
    // Its key's copy elsewhere, and it may be used. (That it takes no files is another matter.)
    let key = file(&computer.folder, "key", known.recovery_passwords[0]);
    let place = to(&computer.copies());
    computer.run(&[&"backup", &other, &"--to", &place, &"--recovery-key-file", &key]).exits(0);
    let said = computer.back_up(opened.path());
    said.says("whose own key has a proven copy elsewhere");
    assert_ne!(said.code, 10);
}

#[test]
fn a_copy_of_a_key_that_the_drive_no_longer_has_is_stale() {
    let computer = Computer::new();
    let drive = computer.folder.path().join("drive.img");
    fs::copy(&sample().drive, &drive).expect("a copy");
    let back_up: [&dyn AsRef<OsStr>; 6] =
        [&"backup", &drive, &"--to", &to(&computer.copies()), &"--vmk-file", &sample().vmk];
    computer.run(&back_up).exits(0);
    remove_recovery_protector(&drive);
    let said = computer.run(&[&"status", &drive, &"--check"]);
    said.exits(19).says("stale").says("does not have this key any more").says("NOT BACKED UP");
    computer.verify(13).says("not proven");
}

/// Does to all three copies of the metadata what Windows does when a protector is deleted.
fn remove_recovery_protector(drive: &Path) {
    let volume = lastkey_tests::open(drive);
    let password = fs::read_to_string(&sample().password).expect("the password").trim().to_owned();
    let key = fve::Key::Password(recovery_key::Secret::new(password));
    let unlocked = volume.unlock(&key).expect("its password");
    let own = volume.protectors();
    let gone = own.iter().find(|own| own.kind == fve::ProtectorKind::RecoveryPassword).expect("a protector");
    let mut metadata =
        fve::metadata::Metadata::parse(volume.metadata().to_bytes().expose()).expect("metadata");
    metadata
        .datums
        .retain(|datum| fve::Protector::from_datum(datum).is_none_or(|protector| protector.id != gone.id));
    metadata.seal(unlocked.vmk().expect("a key"), fve::FileTime(1)).expect("it is shorter");
    let out = fs::File::options().write(true).open(drive).expect("the drive");
    for copy in volume.copies() {
        out.write_all_at(metadata.to_bytes().expose(), copy.offset.expect("a place")).expect("written");
    }
}
