//! Sectors that cannot be read: the rest is right, and what they belong to is named.

use std::fs;
use std::process::Command;

use lastkey_tests::makers::run;

use crate::support::{Drive, assert_same, drive, every_1000th, judge, make, map_of, rescue, source_map};

fn every_1000th_sector_is_lost(drive: &Drive, file_system: &str) {
    let folder = tempfile::tempdir().expect("a folder");
    let size = fs::metadata(&drive.whole.path).expect("an image").len();
    let map = source_map(folder.path(), size, every_1000th(size));
    let out = folder.path().join("out");
    let map = map.to_str().expect("a plain path");
    let said = rescue(&drive.whole, &drive.whole.path, &out, &["--source-map", map, "--json"]);
    let report = said.exits(15).json();
    assert_eq!((&report["complete"], &report["file_system"]), (&false.into(), &file_system.into()));
    assert_eq!(
        report["read"].as_u64().zip(report["lost"].as_u64()).map(|(read, lost)| read + lost),
        Some(size)
    );
    assert_same(&out, &drive.whole.plain);
    let damaged = judge(&drive.contents, &out, &report);
    assert!(damaged > 20 && damaged < drive.contents.len() / 2, "{damaged}");
    let list = fs::read_to_string(folder.path().join("out.lost.txt")).expect("a list");
    assert_eq!(list.lines().filter(|line| !line.starts_with('#')).count() as u64, report["files"]["damaged"]);
}

#[test]
fn every_1000th_sector_of_ntfs_is_lost_and_no_other() {
    if let Some(drive) = drive() {
        every_1000th_sector_is_lost(drive, "NTFS");
    }
}

#[test]
fn every_1000th_sector_of_exfat_is_lost_and_no_other() {
    if let Some(drive) = make(|form, folder, fill| form.exfat(folder, fill)) {
        every_1000th_sector_is_lost(&drive, "exFAT");
    }
}

#[test]
fn every_1000th_sector_of_fat_is_lost_and_no_other() {
    if let Some(drive) = make(|form, folder, fill| form.fat(folder, fill)) {
        every_1000th_sector_is_lost(&drive, "FAT32");
    }
}

#[test]
fn ddrescuelog_reads_the_map() {
    let Some(drive) = drive() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let size = fs::metadata(&drive.whole.path).expect("an image").len();
    let map = source_map(folder.path(), size, every_1000th(size));
    let out = folder.path().join("out");
    rescue(&drive.whole, &drive.whole.path, &out, &["--source-map".as_ref(), map.as_os_str()]).exits(15);
    if !run("ddrescuelog", ["--version"]) {
        return;
    }
    let log = |arguments: &[&str]| {
        let output = Command::new("ddrescuelog").args(arguments).arg(folder.path().join("out.map")).output();
        let output = output.expect("ddrescuelog");
        assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let ours = map_of(&out);
    let status = log(&["--show-status"]);
    assert!(status.contains("current status: finished"), "{status}");
    // Sectors are listed by their numbers.
    let theirs: Vec<u64> = log(&["--list-blocks=-", "--block-size=512"])
        .lines()
        .map(|line| line.parse().expect("a number"))
        .collect();
    let own = ours.missing(0..ours.size()).flat_map(|part| part.start / 512..part.end / 512);
    assert_eq!(theirs, own.collect::<Vec<_>>());
    assert_eq!(log(&["--list-blocks=?*/", "--block-size=512"]), "");
}
