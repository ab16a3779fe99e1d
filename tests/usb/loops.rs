//! The same on loop devices, with the drivers that this machine has: the kernel's for ext4, FUSE programs for exFAT and NTFS.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use backup::{Destination, ReadBack, Refusal, SaveError, UsbDestination};

use crate::Drive;

const EXT4: &[&str] = &["mkfs.ext4", "-q", "-m", "0"];
/// What makes each file system, and how `mount` is told to mount it.
const SYSTEMS: [(&[&str], &[&str]); 3] = [
    (EXT4, &[]),
    (&["mkfs.exfat"], &["-t", "exfat-fuse"]),
    (&["mkfs.ntfs", "-q", "-Q", "-F"], &["-t", "ntfs-3g"]),
];

/// An image file as a device.
struct Loop {
    path: PathBuf,
    folder: tempfile::TempDir,
}

impl Loop {
    /// Makes a file system and attaches it; `None`, loudly, where that cannot be.
    fn make(command: &[&str], options: &[&str]) -> Option<Self> {
        let folder = tempfile::tempdir().expect("a folder");
        let image = folder.path().join("image");
        fs::File::create(&image).and_then(|file| file.set_len(16 << 20)).expect("an image");
        let made = Command::new(command[0]).args(&command[1..]).arg(&image).output();
        if !made.is_ok_and(|made| made.status.success()) {
            lastkey_tests::skip(&format!("{} is missing or fails", command[0]));
            return None;
        }
        Self::attach(&image, options, folder)
    }

    fn attach(image: &Path, options: &[&str], folder: tempfile::TempDir) -> Option<Self> {
        // Looking for partitions forgets those of whatever the device was before.
        let arguments = ["--find", "--show", "--partscan"];
        let output = Command::new("losetup").args(arguments).args(options).arg(image).output();
        let Some(output) = output.ok().filter(|output| output.status.success()) else {
            lastkey_tests::skip("no loop devices: they take root");
            return None;
        };
        let path = String::from_utf8_lossy(&output.stdout).trim().into();
        Some(Self { path, folder })
    }

    fn destination(&self) -> UsbDestination {
        let drive = drives::attached().into_iter().find(|drive| drive.path == self.path);
        UsbDestination::new(drive.expect("it is attached"))
    }

    fn is_mounted(&self) -> bool {
        !drives::mounted(&self.path).expect("a device").is_empty()
    }

    /// Mounts it, with the program that the file system needs here.
    fn mount(&self, options: &[&str]) -> Mounted {
        let point = self.folder.path().join("mounted");
        fs::create_dir_all(&point).expect("a folder");
        let status = Command::new("mount").args(options).arg(&self.path).arg(&point).status();
        assert!(status.expect("mount").success());
        Mounted(point)
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        let _ = Command::new("losetup").arg("--detach").arg(&self.path).status();
    }
}

struct Mounted(PathBuf);

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

fn words(result: Result<Option<String>, SaveError>) -> String {
    result.expect("a good end").expect("a word")
}

#[test]
fn a_drive_that_is_not_mounted_is_so_again_after_each_step() {
    let drive = Drive::make();
    for (system, options) in SYSTEMS {
        let Some(device) = Loop::make(system, &[]) else { return };
        let stick = device.destination();
        assert_eq!(stick.check(&drive.made.path).expect("a good place"), []);
        let copies: Vec<_> = drive.documents.iter().map(|document| stick.save(document)).collect();
        for (document, copy) in drive.documents.iter().zip(copies) {
            let copy = copy.unwrap_or_else(|error| panic!("{system:?}: {error}"));
            assert!(!device.is_mounted() && copy.path.is_none());
            let ReadBack::Document(bytes) = stick.read_back(&copy).expect("read back") else {
                panic!("withheld")
            };
            assert!(bytes.expose() == document.to_bytes().expose());
            assert!(matches!(stick.save(document), Err(SaveError::AlreadyThere { .. })));
            stick.remove(&copy).expect("removed");
            assert!(stick.read_back(&copy).is_err());
            assert!(!device.is_mounted());
        }
        assert!(words(stick.finish()).starts_with("You can remove "));
        let mounted = device.mount(options);
        let names: Vec<_> =
            fs::read_dir(&mounted.0).expect("a folder").flatten().map(|e| e.file_name()).collect();
        assert!(names.iter().all(|name| name == "lost+found"), "{names:?}");
    }
}

#[test]
fn a_drive_that_is_mounted_stays_so_and_is_not_said_to_be_free() {
    let drive = Drive::make();
    let Some(device) = Loop::make(EXT4, &[]) else { return };
    let mounted = device.mount(&[]);
    let stick = device.destination();
    let document = &drive.documents[0];
    let copy = stick.save(document).expect("saved");
    assert_eq!(copy.path.as_deref(), Some(mounted.0.join(document.file_name()).as_path()));
    let ReadBack::Document(bytes) = stick.read_back(&copy).expect("read back") else { panic!("withheld") };
    assert!(bytes.expose() == document.to_bytes().expose());
    assert!(device.is_mounted());
    let word = words(stick.finish());
    assert!(word.contains("eject it before you remove it"), "{word}");
    // Somebody else mounts something over it: that is not the drive.
    let over = Loop::make(EXT4, &[]).map(|other| {
        let status = Command::new("mount").arg(&other.path).arg(&mounted.0).status().expect("mount");
        assert!(status.success());
        (Mounted(mounted.0.clone()), other)
    });
    stick.remove(&copy).expect("removed");
    drop(over);
    assert!(!mounted.0.join(document.file_name()).exists());
}

#[test]
fn a_full_drive_takes_nothing_and_a_protected_one_is_refused() {
    let drive = Drive::make();
    let snapshot = drive.documents.last().expect("a snapshot");
    let Some(device) = Loop::make(EXT4, &[]) else { return };
    {
        let mounted = device.mount(&[]);
        let mut file = fs::File::create(mounted.0.join("full")).expect("a file");
        let error = loop {
            if let Err(error) = file.write_all(&[0; 1 << 16]) {
                break error;
            }
        };
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    }
    let stick = device.destination();
    assert!(matches!(stick.save(snapshot), Err(SaveError::Full { .. })));
    assert!(!device.is_mounted());
    drop(device);

    let Some(device) = Loop::make(EXT4, &["--read-only"]) else { return };
    let stick = device.destination();
    let refusal = stick.check(&drive.made.path).expect_err("it is protected");
    assert!(refusal.to_string().contains("write-protected"), "{refusal}");
    assert!(stick.save(snapshot).is_err());
    assert!(!device.is_mounted());
}

#[test]
fn bitlocker_drives_and_the_drive_itself_are_refused() {
    let drive = Drive::make();
    let folder = tempfile::tempdir().expect("a folder");
    let Some(device) = Loop::attach(&drive.made.path, &[], folder) else { return };
    let stick = device.destination();
    assert!(matches!(stick.check(&drive.made.path), Err(Refusal::OnTheDrive { .. })));
    assert!(matches!(stick.check(&device.path), Err(Refusal::OnTheDrive { .. })));
    let other = Drive::make();
    let refusal = stick.check(&other.made.path).expect_err("it is locked");
    assert!(refusal.to_string().contains("locked BitLocker drive"), "{refusal}");
    assert!(stick.save(&other.documents[0]).is_err());
    let Some(empty) = Loop::make(&["true"], &[]) else { return };
    let refusal = empty.destination().check(&other.made.path).expect_err("there is nothing on it");
    assert!(refusal.to_string().contains("holds no files"), "{refusal}");
}

#[test]
fn another_drive_in_its_place_is_not_written_to() {
    let drive = Drive::make();
    let Some(device) = Loop::make(EXT4, &[]) else { return };
    let stick = device.destination();
    let image = device.folder.path().join("image");
    for command in [&["--detach"][..], &[]] {
        let mut losetup = Command::new("losetup");
        losetup.args(command).arg(&device.path);
        if command.is_empty() {
            losetup.arg(&image);
        }
        assert!(losetup.status().expect("losetup").success());
    }
    let error = stick.save(&drive.documents[0]).expect_err("it is another one");
    assert!(matches!(error, SaveError::Unreachable { .. }), "{error}");
    assert!(stick.check(&drive.made.path).is_err());
    assert_eq!(stick.finish().expect("nothing to be said"), None);
}

#[test]
fn where_there_is_udisks_it_mounts_and_unmounts() {
    if !Path::new("/usr/libexec/udisks2/udisksd").exists() {
        return lastkey_tests::skip("udisks2 is missing");
    }
    let folder = tempfile::tempdir().expect("a folder");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("usb/udisks.sh");
    let mut rig = Command::new("unshare");
    rig.arg("--mount").arg(script).arg(folder.path()).arg(std::env::current_exe().expect("this test"));
    let output = rig.args(["--exact", "loops::beside_udisks", "--ignored", "--nocapture"]).output();
    let output = output.expect("unshare");
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}");
    assert!(text.contains("1 passed") && text.matches(": Mounted /dev/loop").count() == 3, "{text}");
}

#[test]
#[ignore = "another test runs it, beside a udisks"]
fn beside_udisks() {
    let path = PathBuf::from(std::env::var_os("DEVICE").expect("a device"));
    let device = drives::attached().into_iter().find(|drive| drive.path == path).expect("it is attached");
    let stick = UsbDestination::new(device);
    let drive = Drive::make();
    let is_mounted = || !drives::mounted(&path).expect("a device").is_empty();
    let copy = stick.save(&drive.documents[0]).expect("saved");
    assert!(!is_mounted());
    let ReadBack::Document(bytes) = stick.read_back(&copy).expect("read back") else { panic!("withheld") };
    assert!(bytes.expose() == drive.documents[0].to_bytes().expose());
    assert!(!is_mounted());
    stick.remove(&copy).expect("removed");
    assert!(!is_mounted());
    assert!(words(stick.finish()).starts_with("You can remove "));
}
