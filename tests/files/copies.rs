//! `cp`: what is copied, what is not, and how it goes on after whatever stopped it.

use std::fs;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use std::process::{Command, Stdio};

use fve::Method;
use lastkey_tests::makers::{noise, run};
use lastkey_tests::whole::{Form, Whole};
use serde_json::Value;

use crate::drive::{inside, lastkey, said, small, until};

#[test]
fn one_file_gets_the_name_that_was_typed() {
    let Some(drive) = small() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let letter = inside(drive, "/Users/Anna/Documents/letter.txt");
    let new = folder.path().join("new.txt");
    said(lastkey("cp", drive).arg(&letter).arg(&new)).exits(0).says("1 file copied");
    assert_eq!(fs::read_to_string(&new).expect("a file"), "Dear Berta,\n");
    said(lastkey("cp", drive).arg(&letter).arg(folder.path())).exits(0);
    assert!(folder.path().join("letter.txt").exists());
    said(lastkey("cp", drive).arg(format!("{letter}:Zone.Identifier")).arg(folder.path().join("zone")))
        .exits(0);
    assert_eq!(fs::read_to_string(folder.path().join("zone")).expect("a file"), "[ZoneTransfer]");
}

#[test]
fn names_that_are_not_safe_are_made_safe_and_told() {
    let Some(drive) = small() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let said =
        said(lastkey("cp", drive).args(["-r", "--streams", &inside(drive, "/Users")]).arg(folder.path()));
    said.exits(0).says("renamed: /Users/Anna/con.txt is %63on.txt");
    let names = |path: &str| {
        let entries = fs::read_dir(folder.path().join(path)).expect("a folder");
        let mut names: Vec<_> =
            entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("text")).collect();
        names.sort();
        names
    };
    let expected =
        ["%1B[2Jred%u202Egpj.exe", "%63on.txt", "Case", "Documents", "ends in a dot%2E", "link", "photo.jpg"];
    let found = names("Users/Anna");
    assert!(expected.iter().all(|name| found.contains(&(*name).to_owned())), "{found:?}");
    assert!(found.iter().any(|name| name.starts_with("case~")), "{found:?}");
    assert_eq!(names("Users/Anna/Documents"), ["letter.txt", "letter.txt%3AZone.Identifier"]);
    assert_eq!(fs::read_link(folder.path().join("Users/Anna/link")).expect("a link"), Path::new("photo.jpg"));
}

#[test]
fn the_same_command_again_copies_nothing_and_overwrites_nothing() {
    let Some(drive) = small() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let mut copy = lastkey("cp", drive);
    copy.args(["-r", "--json", &inside(drive, "/Users")]).arg(folder.path().join("new"));
    assert_eq!(said(&mut copy).exits(0).json()["files"], 7);
    let again = said(&mut copy).exits(0).json();
    assert_eq!((again["files"].as_u64(), again["already_there"].as_u64()), (Some(0), Some(7)));
    let letter = folder.path().join("new/Users/Anna/Documents/letter.txt");
    fs::write(&letter, "mine").expect("a file");
    fs::remove_file(folder.path().join("new/Users/Anna/photo.jpg")).expect("a file");
    std::os::unix::fs::symlink("/etc/passwd", folder.path().join("new/Users/Anna/photo.jpg"))
        .expect("a link");
    let third = said(&mut copy).exits(11).json();
    let paths: Vec<_> =
        third["in_the_way"].as_array().expect("a list").iter().map(|p| p["path"].as_str()).collect();
    assert_eq!(paths, [Some("/Users/Anna/Documents/letter.txt"), Some("/Users/Anna/photo.jpg")]);
    assert_eq!(fs::read_to_string(&letter).expect("a file"), "mine");
}

#[test]
fn nothing_goes_through_a_link_that_stands_where_a_folder_should() {
    let Some(drive) = small() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let outside = tempfile::tempdir().expect("a folder");
    fs::create_dir(folder.path().join("Users")).expect("a folder");
    std::os::unix::fs::symlink(outside.path(), folder.path().join("Users/Anna")).expect("a link");
    said(lastkey("cp", drive).args(["-r", &inside(drive, "/Users")]).arg(folder.path())).exits(11);
    assert_eq!(fs::read_dir(outside.path()).expect("a folder").count(), 0);
}

#[test]
fn wrong_words_are_refused_before_anything_is_made() {
    let Some(drive) = small() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let to = folder.path().join("to");
    said(lastkey("cp", drive).arg(inside(drive, "/Users")).arg(&to)).exits(2).says("--recursive");
    let two = [inside(drive, "/Users/Anna/photo.jpg"), inside(drive, "/Users/Anna/con.txt")];
    said(lastkey("cp", drive).args(two).arg(&to)).exits(12).says("there is no such folder");
    said(lastkey("cp", drive).arg(inside(drive, "/Users/Anna/con.txt")).arg(to.join("deep/x"))).exits(12);
    said(lastkey("cp", drive).args(["-r", &inside(drive, "/nothing")]).arg(&to)).exits(12);
    assert!(!to.exists());
}

/// A drive with one large file, and many small ones.
fn large(folder: &Path) -> Option<Whole> {
    Form { size: 256 << 20, ..Form::new(Method::AesXts128) }.ntfs(folder, |root| {
        fs::create_dir(root.join("all")).expect("a folder");
        fs::write(root.join("all/large.bin"), noise(150 << 20, 1)).expect("a file");
        for number in 0..500 {
            fs::write(root.join(format!("all/small {number}")), noise(number * 10, number as u64))
                .expect("a file");
        }
    })
}

#[test]
fn a_copy_that_was_killed_goes_on_and_is_whole() {
    let folder = tempfile::tempdir().expect("a folder");
    let Some(drive) = large(folder.path()) else { return };
    let to = folder.path().join("to");
    let copy = || {
        let mut copy = lastkey("cp", &drive);
        copy.args(["-r", "--json", &inside(&drive, "/all")]).arg(&to);
        copy
    };
    // Killed when the first pieces of the large file are there, once at once, once by Ctrl-C
    let part = || {
        let entries = fs::read_dir(to.join("all")).into_iter().flatten().flatten();
        let mut parts = entries.filter(|entry| entry.file_name().to_string_lossy().ends_with(".part"));
        parts.find_map(|entry| entry.metadata().ok()).map_or(0, |part| part.len())
    };
    for (signal, least) in [("-KILL", 1), ("-INT", 8 << 20)] {
        let mut process = copy().stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the program");
        until(|| part() >= least || to.join("all/large.bin").exists());
        run("kill", [signal, &process.id().to_string()]);
        let code = process.wait().expect("its end").code();
        assert!(code.is_none() || code == Some(130) || code == Some(0), "{code:?}");
    }
    let report = said(&mut copy()).exits(0).json();
    assert_eq!(report["not_copied"], Value::Array(Vec::new()));
    assert!(fs::read(to.join("all/large.bin")).expect("a file") == noise(150 << 20, 1));
    for number in (0..500).step_by(50) {
        let bytes = fs::read(to.join(format!("all/small {number}"))).expect("a file");
        assert!(bytes == noise(number * 10, number as u64), "small {number}");
    }
    let left = fs::read_dir(to.join("all")).expect("a folder").count();
    assert_eq!(left, 501, "something is left over");
}

#[test]
fn a_part_that_is_something_else_is_not_gone_on_with() {
    let Some(drive) = small() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let photo = inside(drive, "/Users/Anna/photo.jpg");
    let document = said(lastkey("ls", drive).args(["--json", &photo])).exits(0).json();
    let id = document["entries"][0]["id"]
        .as_str()
        .and_then(|id| id.strip_prefix("0x"))
        .expect("a number")
        .to_owned();
    let part = folder.path().join(format!(".lastkey-{id}-0.part"));
    for left in [vec![0; 5000], vec![1; 4_000_000], Vec::new()] {
        fs::write(&part, left).expect("a file");
        said(lastkey("cp", drive).arg(&photo).arg(folder.path())).exits(0);
        assert!(!part.exists(), "the name is another now: this test tests nothing");
        assert!(fs::read(folder.path().join("photo.jpg")).expect("a file") == noise(3_000_001, 7));
        fs::remove_file(folder.path().join("photo.jpg")).expect("a file");
    }
}

#[test]
fn what_is_only_said_to_be_long_costs_no_time() {
    let folder = tempfile::tempdir().expect("a folder");
    let made = Form::new(Method::AesXts128).ntfs(folder.path(), |root| {
        for (name, length) in [("long", 8 << 40), ("longer", 9 << 40)] {
            let file = fs::File::create(root.join(name)).expect("a file");
            file.write_all_at(b"a few bytes", 1 << 30).expect("a piece");
            file.set_len(length).expect("a length");
        }
        fs::write(root.join("short"), "short").expect("a file");
    });
    let Some(drive) = made else { return };
    // Where no file may be so long, the others are copied all the same.
    let limited = folder.path().join("limited");
    fs::create_dir(&limited).expect("a folder");
    let image = folder.path().join("image");
    lastkey_tests::Image::create(&image, 64 << 20).expect("an image");
    // With blocks so small it takes files of up to 4 TiB.
    assert!(run("mkfs.ext4", [Path::new("-q"), Path::new("-b1024"), &image]));
    if !run("mount", [Path::new("-o"), Path::new("loop"), &image, &limited]) {
        return;
    }
    let report = said(lastkey("cp", &drive).args(["-r", "--json", &inside(&drive, "")]).arg(&limited));
    let report = report.exits(15).json();
    assert_eq!(report["not_copied"].as_array().map(Vec::len), Some(2), "{report:#}");
    assert_eq!(fs::read_to_string(limited.join("short")).expect("a file"), "short");
    let left = fs::read_dir(&limited).expect("a folder").flatten();
    assert!(!left.into_iter().any(|entry| entry.file_name().to_string_lossy().ends_with(".part")));
    assert!(run("umount", [&limited]));

    let to = folder.path().join("long");
    said(lastkey("cp", &drive).arg(inside(&drive, "/long")).arg(&to)).exits(0);
    let (copy, mut piece) = (fs::File::open(&to).expect("a copy"), [0; 11]);
    copy.read_exact_at(&mut piece, 1 << 30).expect("a piece");
    let about = copy.metadata().expect("its length");
    assert_eq!((about.len(), &piece), (8 << 40, b"a few bytes"));
    assert!(about.blocks() * 512 < 1 << 20, "it takes room");
}

#[test]
fn a_full_drive_stops_it_and_room_lets_it_go_on() {
    let Some(drive) = small() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let full = folder.path().join("full");
    fs::create_dir(&full).expect("a folder");
    let mount = |size: &str| run("mount", ["-t", "tmpfs", "-o", size, "none", full.to_str().expect("text")]);
    if !mount("size=1m") {
        return;
    }
    let copy = || said(lastkey("cp", drive).args(["-r", &inside(drive, "/Users")]).arg(&full));
    copy().exits(9).says("there is no room left").says("the same command again");
    assert!(run("mount", ["-o", "remount,size=10m", full.to_str().expect("text")]));
    copy().exits(0);
    assert!(fs::read(full.join("Users/Anna/photo.jpg")).expect("a file") == noise(3_000_001, 7));
    assert!(run("umount", [full.as_os_str()]));
}

#[test]
fn what_cannot_be_read_is_told_and_the_rest_is_copied() {
    let folder = tempfile::tempdir().expect("a folder");
    let Some(drive) = large(folder.path()) else { return };
    // The image is cut off in the middle of the large file.
    let plain = lastkey_tests::Image::open(&drive.plain).expect("an image");
    let files = unlocked::FileSystem::open(plain).expect("a file system");
    let id = lastkey_tests::tree::find(&files, "all/large.bin");
    let file = files.open_file(id).expect("a file");
    let last = file.extents().iter().max_by_key(|extent| extent.place).expect("an extent");
    let end = last.place.expect("a place") + last.length / 2;
    fs::OpenOptions::new()
        .write(true)
        .open(&drive.path)
        .and_then(|image| image.set_len(end))
        .expect("cut off");

    let to = folder.path().join("to");
    let copy = |options: &[&str]| {
        let mut copy: Command = lastkey("cp", &drive);
        said(copy.args(["-r", "--json"]).args(options).arg(inside(&drive, "/all")).arg(&to))
    };
    let report = copy(&[]).exits(15).json();
    let lost: Vec<_> =
        report["not_copied"].as_array().expect("a list").iter().map(|p| p["path"].as_str()).collect();
    assert!(lost.contains(&Some("/all/large.bin")), "{lost:?}");
    assert!(!to.join("all/large.bin").exists());
    assert_eq!(report["files"].as_u64().expect("a number") + lost.len() as u64, 501);

    let report = copy(&["--salvage"]).exits(15).json();
    let damaged = &report["damaged"][0];
    assert_eq!(damaged["path"], "/all/large.bin");
    let (found, whole) = (fs::read(to.join("all/large.bin.damaged")).expect("a file"), noise(150 << 20, 1));
    assert_eq!(found.len(), whole.len());
    let good = found.chunks(4096).zip(whole.chunks(4096)).filter(|(a, b)| a == b).count();
    let zeros = found.chunks(4096).filter(|piece| piece.iter().all(|&byte| byte == 0)).count();
    assert_eq!(good + zeros, whole.len() / 4096, "something is neither right nor zeros");
    let lost = format!("{} of {} bytes are lost", zeros * 4096, whole.len());
    assert!(damaged["problem"].as_str().is_some_and(|problem| problem.starts_with(&lost)), "{damaged}");
}
