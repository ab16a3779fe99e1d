//! `mount` and `unmount`: clean in the end, whatever the end is.

use std::fs;
use std::io::Read;
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::Command;
use std::thread;

use lastkey_tests::makers::{noise, run};
use lastkey_tests::said::Said;
use lastkey_tests::{Image, program, skip};
use mount::{Busy, Content, Options};
use unlocked::FileSystem;

use crate::drive::{Mounted, is_mounted, lastkey, said, small, until, with};

/// Mounts the small drive, decrypted, so that no time goes into keys.
fn plain(at: &Path, options: &[&str]) -> Option<Mounted> {
    let drive = small()?;
    let mut mount = program::lastkey();
    mount.arg("mount").args([&drive.plain, at]).args(options);
    Some(Mounted::new(&mut mount, at))
}

#[test]
fn it_is_there_until_ctrl_c() {
    let Some(drive) = small() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let at = folder.path().join("drive");
    let mounted = Mounted::new(&mut with(lastkey("mount", drive), [&drive.path, &at]), &at);
    assert!(fs::read(at.join("Users/Anna/photo.jpg")).expect("a file") == noise(3_000_001, 7));
    // In any case, as on Windows
    assert_eq!(
        fs::read_to_string(at.join("users/ANNA/documents/Letter.TXT")).expect("a file"),
        "Dear Berta,\n"
    );
    assert!(fs::write(at.join("new"), "x").is_err(), "it can be written");
    let said = mounted.end("-INT");
    said.exits(0).says("is unmounted");
    assert!(!is_mounted(&at) && !at.exists(), "something is left");
}

#[test]
fn it_goes_by_unmount_even_when_it_is_in_use() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = folder.path().join("drive");
    let Some(mounted) = plain(&at, &[]) else { return };
    let mut open = fs::File::open(at.join("Users/Anna/photo.jpg")).expect("a file");
    let unmount = |options: &[&str]| said(program::lastkey().arg("unmount").args(options).arg(&at));
    unmount(&[]).exits(1).says("it is in use").says("--force");
    unmount(&["--force"]).exits(0);
    assert!(!is_mounted(&at));
    open.read_exact(&mut [0; 100]).expect("who has it open reads on");
    drop(open);
    mounted.ended().exits(0);
    unmount(&[]).exits(12).says("no drive is mounted there");
}

#[test]
fn it_goes_by_the_name_of_the_drive_and_with_all_others() {
    let Some(drive) = small() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let at = folder.path().join("one");
    let Some(mounted) = plain(&at, &[]) else { return };
    said(program::lastkey().arg("unmount").arg(&drive.plain)).exits(0).says("is unmounted");
    mounted.ended().exits(0);
    // Where nobody else's mounts are
    let mut alone = Command::new("unshare");
    alone.args(["--mount", "sh", "-c", r#""$0" mount "$1" "$2" --background && "$0" unmount --all --json"#]);
    said(alone.arg(program::path()).arg(&drive.plain).arg(&at)).exits(0).says("\"folders\"");
    until(|| !at.exists());
}

#[test]
fn who_works_in_it_when_it_ends_gets_errors_and_nothing_hangs() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = folder.path().join("drive");
    let Some(mounted) = plain(&at, &[]) else { return };
    let open = fs::File::open(at.join("Users/Anna/photo.jpg")).expect("a file");
    mounted.end("-INT").exits(0).says("was still in use");
    until(|| open.read_at(&mut [0; 1], 2_000_000).is_err());
    assert!(!is_mounted(&at));
}

#[test]
fn it_is_gone_when_its_process_is_killed() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = folder.path().join("drive");
    for _ in 0..5 {
        let Some(mounted) = plain(&at, &[]) else { return };
        fs::read_dir(at.join("Users")).expect("a folder");
        mounted.end("-KILL");
        until(|| !is_mounted(&at));
        assert_eq!(fs::read_dir(&at).expect("the folder below").count(), 0);
    }
}

#[test]
fn what_a_killed_guardian_left_is_taken_away_by_the_next_mount() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = folder.path().join("drive");
    let Some(mounted) = plain(&at, &[]) else { return };
    let guardians = Command::new("pgrep").args(["-f", &format!("guard-mount {}", at.display())]).output();
    let guardian = String::from_utf8_lossy(&guardians.expect("pgrep").stdout).trim().to_owned();
    assert!(run("kill", ["-KILL", &guardian]));
    assert!(run("kill", ["-KILL", &mounted.process.id().to_string()]));
    until(|| fs::read_dir(&at).is_err());
    assert!(is_mounted(&at), "it is not dead but gone");
    let next = plain(&at, &[]).expect("a mount over a dead one");
    until(|| fs::read_dir(at.join("Users")).is_ok());
    next.end("-INT").exits(0);
    // The first process is ended; what was its mount is not there any more.
    drop(mounted);
}

#[test]
fn it_stays_in_the_background_until_it_is_unmounted() {
    let Some(drive) = small() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let at = folder.path().join("drive");
    let mount = || said(with(lastkey("mount", drive), [&drive.path, &at]).arg("--background"));
    mount().exits(0).says("takes it away");
    assert!(at.join("Users/Anna/photo.jpg").exists());
    mount().exits(11).says("a drive is mounted there already");
    said(program::lastkey().arg("unmount").arg(&at)).exits(0);
    until(|| !at.exists());
    let failed =
        said(program::lastkey().arg("mount").args([&drive.path, &at]).args(["--background", "--json"]));
    assert_eq!(failed.exits(14).json()["error"]["kind"], "key-needed");
}

#[test]
fn folders_that_do_not_serve_are_refused_and_left_as_they_are() {
    let Some(drive) = small() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let mount = |at: &Path| said(program::lastkey().arg("mount").args([&drive.plain, at]));
    fs::write(folder.path().join("file"), "mine").expect("a file");
    mount(folder.path()).exits(11).says("the folder is not empty");
    mount(&folder.path().join("file")).exits(12).says("this is no folder");
    mount(&folder.path().join("no/such")).exits(12);
    let missing = said(program::lastkey().arg("mount").arg("no such drive").arg(folder.path().join("new")));
    missing.exits(12);
    assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 1);
}

#[test]
fn streams_are_attributes() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = folder.path().join("drive");
    let Some(mounted) = plain(&at, &[]) else { return };
    let letter = at.join("Users/Anna/Documents/letter.txt");
    let got =
        Command::new("getfattr").args(["--only-values", "-n", "user.Zone.Identifier"]).arg(&letter).output();
    assert_eq!(String::from_utf8_lossy(&got.expect("getfattr").stdout), "[ZoneTransfer]");
    let none = Command::new("getfattr").args(["-n", "user.nothing"]).arg(&letter).output().expect("getfattr");
    assert!(!none.status.success());
    mounted.end("-INT").exits(0);
}

#[test]
fn an_ordinary_user_can_mount_and_only_they_can_read() {
    let Some(drive) = small() else { return };
    let folder = tempfile::Builder::new().prefix("lastkey-user-").tempdir_in("/var/tmp").expect("a folder");
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).expect("open to all");
    let (program_copy, image) = (folder.path().join("lastkey"), folder.path().join("plain.img"));
    fs::copy(program::path(), &program_copy).expect("a copy");
    fs::copy(&drive.plain, &image).expect("a copy");
    fs::set_permissions(&image, fs::Permissions::from_mode(0o644)).expect("readable");
    let at = folder.path().join("drive");
    let mut mount = Command::new("setpriv");
    mount.args(["--reuid", "65534", "--regid", "65534", "--clear-groups"]).arg(&program_copy).arg("mount");
    mount.args([&image, &at]).env("LASTKEY_RECORD", folder.path().join("record"));
    if !nobody_may() {
        return;
    }
    let mounted = Mounted::new(&mut mount, &at);
    let as_nobody = |command: &str| {
        let mut nobody = Command::new("setpriv");
        nobody.args(["--reuid", "65534", "--regid", "65534", "--clear-groups", "sh", "-c", command]);
        Said::of(nobody.current_dir(folder.path()).output().expect("setpriv"))
    };
    as_nobody("cat drive/Users/Anna/Documents/letter.txt").exits(0).says("Dear Berta");
    assert!(fs::read_dir(&at).is_err(), "even root is somebody else");
    as_nobody("./lastkey unmount drive").exits(0);
    mounted.ended().exits(0);
}

/// Whether ordinary users may mount on this computer.
fn nobody_may() -> bool {
    let has = |path: &str| fs::metadata(path).ok();
    let helper = ["/usr/bin/fusermount3", "/bin/fusermount3"].into_iter().find_map(has);
    let may = helper.is_some_and(|helper| helper.mode() & 0o4000 != 0)
        && has("/dev/fuse").is_some_and(|device| device.mode() & 0o006 == 0o006);
    if !may {
        skip("ordinary users may not mount here: fusermount3 is missing or has no rights");
    }
    may
}

#[test]
fn under_sudo_the_person_who_calls_it_may_read() {
    let Some(drive) = small() else { return };
    let folder = tempfile::Builder::new().prefix("lastkey-sudo-").tempdir_in("/var/tmp").expect("a folder");
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("open to all");
    let at = folder.path().join("drive");
    let mut mount = program::lastkey();
    mount.arg("mount").args([&drive.plain, &at]).env("SUDO_UID", "65534").env("SUDO_GID", "65534");
    let mounted = Mounted::new(&mut mount, &at);
    let read = |user: &str| {
        let mut cat = Command::new("setpriv");
        cat.args(["--reuid", user, "--regid", user, "--clear-groups", "cat"]);
        Said::of(cat.arg(at.join("Users/Anna/Documents/letter.txt")).output().expect("setpriv"))
    };
    read("65534").exits(0).says("Dear Berta");
    read("65533").exits(1).says("Permission denied");
    mounted.end("-INT").exits(0);
}

#[test]
fn a_thousand_mounts_leave_nothing() {
    let Some(drive) = small() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let files = FileSystem::open(Image::open(&drive.plain).expect("an image")).expect("a file system");
    let options = Options { source: "a, drive".to_owned(), owner: (0, 0), everyone: false, others: false };
    let cycle = |number: usize| {
        let mounted = match mount::mount(Content::Files(files.clone()), folder.path(), &options) {
            Ok(mounted) => mounted,
            Err(error) => {
                skip(&format!("no mount: {error}"));
                return false;
            }
        };
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 2);
        // Unmounted from outside, dropped, dropped while it is being read
        match number % 3 {
            0 => mount::unmount(folder.path(), Busy::Refuse).expect("unmounted"),
            1 => drop(mounted),
            _ => {
                let open = fs::File::open(folder.path().join("Users/Anna/photo.jpg")).expect("a file");
                let reader =
                    thread::spawn(move || while open.read_at(&mut [0; 4096], 0).is_ok_and(|n| n == 0) {});
                drop(mounted);
                reader.join().expect("a reader that ends");
            }
        }
        true
    };
    let count = |what: &str| fs::read_dir(format!("/proc/self/{what}")).expect("a list").count();
    if !(0..10).all(cycle) {
        return;
    }
    until(|| count("task") <= 3);
    let before = (count("fd"), count("task"));
    assert!((0..1000).all(cycle));
    until(|| (count("fd"), count("task")) <= before);
    assert!(!is_mounted(folder.path()));
}

#[test]
fn hostile_names_cannot_break_a_folder() {
    // A slash in a name, put into the index of a folder and the file's record
    let Some(drive) = small() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let mut image = fs::read(&drive.plain).expect("an image");
    let old: Vec<u8> = "con.txt".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let new: Vec<u8> = "../../x".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let places: Vec<_> =
        image.windows(old.len()).enumerate().filter(|(_, at)| *at == old).map(|(at, _)| at).collect();
    assert!(places.len() >= 2, "the name is nowhere");
    for at in places {
        image[at..at + new.len()].copy_from_slice(&new);
    }
    let hostile = folder.path().join("hostile.img");
    fs::write(&hostile, image).expect("an image");
    let at = folder.path().join("drive");
    let mut mount = program::lastkey();
    let mounted = Mounted::new(mount.arg("mount").args([&hostile, &at]), &at);
    let entries = fs::read_dir(at.join("Users/Anna")).expect("a folder");
    let names: Vec<_> = entries.map(|entry| entry.expect("an entry").file_name()).collect();
    assert!(names.iter().any(|name| name == "..%2F..%2Fx"), "{names:?}");
    assert_eq!(fs::read_to_string(at.join("Users/Anna/..%2F..%2Fx")).expect("a file"), "x");
    mounted.end("-INT").exits(0);

    let to = folder.path().join("to");
    let copied =
        said(program::lastkey().args(["cp", "-r"]).arg(format!("{}:/Users", hostile.display())).arg(&to));
    copied.exits(0).says("..%2F..%2Fx");
    assert_eq!(fs::read_to_string(to.join("Users/Anna/..%2F..%2Fx")).expect("a file"), "x");
}
