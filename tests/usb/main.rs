//! USB sticks: in a virtual machine with a real kernel, pulled out and cut off from power at any moment,
//! and judged from outside by other programs; and on loop devices, with the drivers that are here.

mod cuts;
mod loops;
mod mounted;
mod sticks;

use std::path::{Path, PathBuf};

use backup::{About, Content, Document};
use fve::{Method, SectorSize};
use lastkey_tests::made::{Form, Made};
use lastkey_tests::nbd::Disk;
use lastkey_tests::program;
use lastkey_tests::vm::{self, Vm};
use sticks::{FILE_SYSTEMS, OLD};

#[test]
fn a_stick_gets_what_windows_would_write_and_keeps_what_it_has_at_any_power_cut() {
    let Some(machine) = vm::folder() else { return };
    let drive = Drive::make();
    let mut vm = drive.start(&machine);
    for system in FILE_SYSTEMS {
        let Some(old) = system.make(&mut vm) else { continue };
        let disk = Disk::new(old.clone());
        let name = vm.plug(&disk);
        disk.start_over();
        let run = Run::backup(&mut vm, &name);
        // Whoever believes that it can be removed pulls it out at once.
        let events = disk.events();
        vm.unplug();
        println!("{}: {:#?}", system.name, run.lines);
        assert_eq!(run.status, 0);
        assert!(run.says_free());
        let after = disk.bytes();
        let files = system.read(&after, &drive.names()).expect("the old files");
        for document in &drive.documents {
            let (name, found) = (document.file_name(), files.get(&document.file_name()));
            assert!(run.proves(document) && found.is_some() && is_whole(document, found), "{name}");
        }
        system.check(&after);
        system.check_attributes(&after, &drive.documents, &mut vm);
        let cuts = cuts::each(&drive, system, old, &events);
        println!(
            "{}: the power was cut {} times, the stick mended {} times",
            system.name, cuts.all, cuts.mended
        );
    }
}

#[test]
fn a_stick_that_is_pulled_out_holds_a_proven_copy_or_there_was_a_clear_failure() {
    let Some(machine) = vm::folder() else { return };
    let drive = Drive::make();
    let mut vm = drive.start(&machine);
    let (mut points, mut proven) = (0, 0);
    for (system, count) in FILE_SYSTEMS.iter().zip([7, 7, 6]) {
        let Some(old) = system.make(&mut vm) else { continue };
        let disk = Disk::new(old.clone());
        let name = vm.plug(&disk);
        disk.start_over();
        assert_eq!(Run::backup(&mut vm, &name).status, 0);
        let requests = disk.requests();
        vm.unplug();
        for point in (0..count).map(|n| (2 * n + 1) * requests / (2 * count)) {
            let disk = Disk::new(old.clone());
            let name = vm.plug(&disk);
            disk.start_over();
            let port = vm.port();
            disk.pull_at(point, system.survives_torn_writes, move || port.pull());
            let run = Run::backup(&mut vm, &name);
            vm.unplug();
            println!("{} pulled out at request {point} of {requests}: {:#?}", system.name, run.lines);
            assert!(disk.is_pulled(), "request {point} never came");
            assert!(!run.says_free());
            let bytes = disk.bytes();
            let files = system.read(&bytes, &drive.names());
            let files = files.or_else(|_| system.read(&system.mend(&bytes), &drive.names()));
            let files = files.expect("the old files");
            for document in &drive.documents {
                let (name, found) = (document.file_name(), files.get(&document.file_name()));
                assert!(is_whole(document, found), "{name} is there in part");
                if run.proves(document) {
                    assert!(found.is_some(), "{name} was said to be proven and is not there");
                    proven += 1;
                } else if document.key_id().is_some() {
                    assert!(run.status != 0 && run.says_why(), "nothing was said about {name}");
                }
            }
            points += 1;
        }
    }
    println!("pulled out at {points} points: {proven} proven copies, all there");
    assert!(points == 20 || std::env::var_os("CI").is_none());
}

#[test]
fn a_program_that_is_killed_leaves_nothing_that_the_next_one_does_not_remove() {
    let Some(machine) = vm::folder() else { return };
    let drive = Drive::make();
    let mut vm = drive.start(&machine);
    let Some(old) = FILE_SYSTEMS[0].make(&mut vm) else { return };
    let disk = Disk::new(old);
    let name = vm.plug(&disk);
    let command = Run::command(&name);
    vm.must(&format!("mount -t vfat /dev/{name} /m && echo half > /m/.lastkey-dead && umount /m"));
    let whole = name.trim_end_matches(|char: char| char.is_ascii_digit());
    for fifths in 1..=10 {
        vm.run(&format!("{command} & sleep {}.{}; kill -9 $!; wait $!", fifths / 5, fifths % 5 * 2));
        // The kernel reads no partition table while a partition is mounted, wherever that may be.
        vm.must(&format!("blockdev --rereadpt /dev/{whole} && until [ -e /dev/{name} ]; do sleep 0.1; done"));
    }
    let run = Run::backup(&mut vm, &name);
    let left = vm.must(&format!("mount -t vfat /dev/{name} /m && ls -a /m && umount /m"));
    vm.unplug();
    println!("{:#?} {left:#?}", run.lines);
    assert!(!left.iter().any(|name| name.contains(".lastkey-")), "{left:?}");
    let files = FILE_SYSTEMS[0].read(&disk.bytes(), &drive.names()).expect("the old files");
    for document in &drive.documents {
        let found = files.get(&document.file_name());
        assert!(found.is_some() && is_whole(document, found), "{}", document.file_name());
    }
}

/// A drive and its documents.
struct Drive {
    folder: tempfile::TempDir,
    made: Made,
    documents: Vec<Document>,
}

impl Drive {
    fn make() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let form = Form {
            method: Method::AesXts128,
            sector_size: SectorSize::B512,
            to_go: false,
            inside: "NTFS",
            password: "password",
        };
        let made = form.make(folder.path());
        let volume = lastkey_tests::open(&made.path);
        let unlocked = volume.unlock(&made.keys[2].0).expect("the drive opens");
        let about = About { volume: volume.id(), label: None, now: 0 };
        let document = |content| Document { drive: about.clone(), content };
        let passwords = unlocked.recovery_passwords().into_iter().map(|found| {
            let password = found.secret.expect("a recovery password");
            document(Content::RecoveryPassword { key_id: found.id, password })
        });
        let keys = unlocked.external_keys().into_iter();
        let keys = keys.map(|found| document(Content::ExternalKey(found.secret.expect("an external key"))));
        let snapshot = document(Content::Snapshot(volume.snapshot().expect("a snapshot")));
        let documents = passwords.chain(keys).chain([snapshot]).collect();
        Self { folder, made, documents }
    }

    fn names(&self) -> Vec<String> {
        self.documents.iter().map(Document::file_name).collect()
    }

    /// Starts a machine with the drive, its key, the program, and the files that sticks have already.
    fn start(&self, machine: &Path) -> Vm {
        let [lastkey, key] = ["lastkey", "key.BEK"].map(|name| self.folder.path().join(name));
        vm::strip(program::path(), &lastkey).expect("the program");
        let old = OLD.iter().map(|(name, bytes)| {
            let path = self.folder.path().join(name.replace('/', "-"));
            std::fs::write(&path, bytes()).expect("written");
            (format!("/old/{name}"), path)
        });
        let old: Vec<_> = old.collect();
        let places = ["/usr/bin/fatattr", "/bin/fatattr"].map(PathBuf::from);
        let fatattr = places.into_iter().find(|path| path.exists());
        let mut files =
            vec![("/bin/lastkey", lastkey.as_path()), ("/drive", &self.made.path), ("/key.BEK", &key)];
        files.extend(old.iter().map(|(name, path)| (name.as_str(), path.as_path())));
        files.extend(fatattr.iter().map(|path| ("/bin/fatattr", path.as_path())));
        Vm::start(machine, &files)
    }
}

/// Returns whether what is at a document's name on a stick, if anything, is the document.
fn is_whole(document: &Document, found: Option<&Vec<u8>>) -> bool {
    found.is_none_or(|bytes| bytes == document.to_bytes().expose())
}

/// What the program said in the machine.
struct Run {
    lines: Vec<String>,
    status: i32,
}

impl Run {
    fn command(stick: &str) -> String {
        format!(
            "HOME=/tmp NO_COLOR=1 lastkey backup /drive --bek /key.BEK --external-keys --to usb:{stick} \
             </dev/null >/tmp/out 2>&1"
        )
    }

    fn backup(vm: &mut Vm, stick: &str) -> Self {
        let (_, status) = vm.run(&Self::command(stick));
        Self { lines: vm.must("cat /tmp/out"), status }
    }

    fn proves(&self, document: &Document) -> bool {
        let praise = if document.key_id().is_some() { "backed up and proven" } else { "saved and compared" };
        let name = document.file_name();
        self.lines.iter().any(|line| line.starts_with(praise) && line.ends_with(&name))
    }

    fn says_free(&self) -> bool {
        self.lines.iter().any(|line| line.trim_start().starts_with("You can remove "))
    }

    fn says_why(&self) -> bool {
        self.lines.iter().any(|line| line.contains("it was taken out") || line.contains("Input/output error"))
    }
}
