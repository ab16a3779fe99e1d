//! `ls`, `tree` and `cat`: what they say, and what they say when something is wrong.

use std::fs;

use lastkey_tests::program;

use crate::drive::{inside, lastkey, said, small};

#[test]
fn folders_are_listed_as_people_look_for_names() {
    let Some(drive) = small() else { return };
    let said = said(lastkey("ls", drive).arg(inside(drive, "/Users/Anna")));
    let names: Vec<_> = said.exits(0).out.lines().collect();
    assert_eq!(
        names,
        [
            r"\u{1b}[2Jred\u{202e}gpj.exe",
            "Case",
            "case",
            "con.txt",
            "Documents/",
            "ends in a dot.",
            "link -> photo.jpg",
            "photo.jpg"
        ]
    );
}

#[test]
fn long_lines_have_size_time_and_attributes() {
    let Some(drive) = small() else { return };
    let said = said(lastkey("ls", drive).args(["-l", "--streams", &inside(drive, r"\users\ANNA\documents")]));
    said.exits(0).says("-----      12 B  20").says("letter.txt\n").says("letter.txt:Zone.Identifier");
}

#[test]
fn documents_have_everything() {
    let Some(drive) = small() else { return };
    let document =
        said(lastkey("ls", drive).args(["--json", &inside(drive, "Users/Anna/Documents")])).exits(0).json();
    assert_eq!(document["file_system"]["format"], "NTFS");
    assert_eq!(document["path"], "/Users/Anna/Documents");
    let entry = &document["entries"][0];
    assert_eq!(
        (entry["name"].as_str(), entry["kind"].as_str(), entry["size"].as_u64()),
        (Some("letter.txt"), Some("file"), Some(12))
    );
    assert_eq!(entry["streams"][0]["name"], "Zone.Identifier");
    assert!(entry["modified"].as_str().is_some_and(|time| time.starts_with("20") && time.ends_with('Z')));
}

#[test]
fn trees_are_drawn_as_deep_as_wished() {
    let Some(drive) = small() else { return };
    let all = said(lastkey("tree", drive).arg(inside(drive, "/Users")));
    all.exits(0).says("└── Anna/\n    ├── ").says("    │   └── letter.txt\n").says("2 folders, 8 files");
    let one = said(lastkey("tree", drive).args(["--depth", "1", &inside(drive, "/Users")]));
    one.exits(0).says("└── Anna/\n\n1 folder,");
    said(lastkey("tree", drive).arg(inside(drive, "/Users/Anna/photo.jpg")))
        .exits(2)
        .says("this is no folder");
}

#[test]
fn files_and_streams_are_written_one_behind_the_other() {
    let Some(drive) = small() else { return };
    let letter = inside(drive, "/Users/Anna/Documents/letter.txt");
    let said_both = said(lastkey("cat", drive).arg(&letter).arg(format!("{letter}:Zone.Identifier")));
    assert_eq!(said_both.exits(0).out, "Dear Berta,\n[ZoneTransfer]");
    said(lastkey("cat", drive).arg(inside(drive, "/Users"))).exits(2).says("this is a folder");
    said(lastkey("cat", drive).arg(inside(drive, "/Users/Anna/nothing")))
        .exits(12)
        .says("there is no nothing");
    let two = said(lastkey("cat", drive).args([&letter, "other.img:/x"]));
    two.exits(2).says("the files are on two drives");
}

#[test]
fn a_reader_that_stops_is_no_failure_to_tell() {
    let Some(drive) = small() else { return };
    let mut cat = lastkey("cat", drive);
    cat.arg(inside(drive, "/Users/Anna/photo.jpg")).stdout(std::process::Stdio::piped());
    let mut cat = cat.stderr(std::process::Stdio::piped()).spawn().expect("the program");
    drop(cat.stdout.take());
    let said = lastkey_tests::said::Said::of(cat.wait_with_output().expect("its end"));
    assert_eq!((said.code, said.err.as_str()), (141, ""));
}

#[test]
fn a_decrypted_copy_needs_no_key() {
    let Some(drive) = small() else { return };
    let said = said(program::lastkey().arg("ls").arg(format!("{}:/Users", drive.plain.display())));
    assert_eq!(said.exits(0).out, "Anna/\n");
}

#[test]
fn what_is_not_there_is_named() {
    let Some(drive) = small() else { return };
    said(lastkey("ls", drive).arg("no such drive:/x")).exits(12).says("no such drive");
    said(lastkey("ls", drive).arg(inside(drive, "/Users/nobody"))).exits(12).says("there is no nobody");
    said(program::lastkey().arg("ls").arg(inside(drive, ""))).exits(14).says("the drive is locked");
    let folder = tempfile::tempdir().expect("a folder");
    let zeros = folder.path().join("zeros.img");
    fs::write(&zeros, vec![0; 1 << 20]).expect("a file");
    said(program::lastkey().arg("ls").arg(&zeros)).exits(3).says("nothing but zeros");
}
