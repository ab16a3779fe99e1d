//! Files that are found without their folders.

use std::fs;
use std::os::unix::fs::MetadataExt;

use lastkey_tests::Image;
use unlocked::FileSystem;

use crate::support::{drive, judge, record_of, rescue, source_map, tree};

#[test]
fn files_of_lost_folders_are_found_by_their_records() {
    let Some(drive) = drive() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let plain = FileSystem::open(Image::open(&drive.whole.plain).expect("an image")).expect("a file system");
    let all = tree(&plain);
    let place = |path: &str| record_of(&plain, all[path]);
    // One folder alone; a folder and one of those in it; a file.
    let gone = ["Folder 3/Größe 3", "Folder 7", "Folder 7/Größe 27", "Folder 5/Größe 5/file number 5.bin"];
    let size = fs::metadata(&drive.whole.path).expect("an image").len();
    let map = source_map(folder.path(), size, gone.map(place));
    let out = folder.path().join("out");
    let said = rescue(
        &drive.whole,
        &drive.whole.path,
        &out,
        &["--json", "--source-map", map.to_str().expect("a path")],
    );
    let report = said.exits(15).json();
    judge(&drive.contents, &out, &report);
    let lost = report["files"]["lost"].as_array().expect("a list");
    let entry = |path: &str| {
        lost.iter().find(|file| file["path"] == path).unwrap_or_else(|| panic!("{path}: {report:#}"))
    };
    for (path, what, orphan) in [
        ("Folder 3/Größe 3", "record", false),
        ("Folder 3/Größe 3/file number 103.bin", "place", true),
        ("Folder 7", "record", false),
        ("Folder 7/Größe 47", "place", true),
        ("Folder 7/Größe 47/file number 147.bin", "place", true),
        ("?/file number 127.bin", "place", true),
        ("Folder 5/Größe 5/file number 5.bin", "record", false),
    ] {
        assert_eq!((&entry(path)["what"], &entry(path)["orphan"]), (&what.into(), &orphan.into()), "{path}");
    }
    assert_eq!(report["files"]["lost_records"], 4);
    // 24 files in the first folder; 120 files and 4 folders in the second, of which one's own record is lost.
    assert_eq!(report["files"]["orphans"], 24 + 120 + 4);
    assert_eq!(report["files"]["damaged"], 4 - 1 + 24 + 120 + 4);
}

#[test]
fn nothing_is_called_lost_that_only_free_space_lost() {
    let Some(drive) = drive() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let plain = Image::open(&drive.whole.plain).expect("an image");
    let size = plain.size();
    // The last megabyte is empty.
    let map = source_map(folder.path(), size, std::iter::once(size - (1 << 20)..size - (1 << 19)));
    let out = folder.path().join("out");
    let said =
        rescue(&drive.whole, &drive.whole.path, &out, &["--source-map", map.to_str().expect("a path")]);
    said.exits(15).says("all are whole");
    // Where the volume is empty the copy takes no room.
    let stored = fs::metadata(&out).expect("the copy").blocks() * 512;
    assert!(stored < size * 3 / 4, "{stored} of {size}");
}

#[test]
fn records_and_folders_know_the_same_files() {
    let Some(drive) = drive() else { return };
    let plain = FileSystem::open(Image::open(&drive.whole.plain).expect("an image")).expect("a file system");
    let all = tree(&plain);
    let mut by_records: Vec<_> = plain.records().map(|record| record.expect("a record")).collect();
    let mut by_folders: Vec<_> = all.values().copied().collect();
    by_records.sort_unstable();
    by_folders.sort_unstable();
    assert_eq!(by_records, by_folders);
    for (path, &id) in &all {
        let [name] = <[_; 1]>::try_from(plain.names(id).expect("a record")).expect("one name");
        let (folder, own) = path.rsplit_once('/').unwrap_or(("", path));
        assert_eq!(
            (name.folder, name.name.to_string().as_str()),
            (all.get(folder).copied().unwrap_or(plain.root()), own)
        );
        let stored: u64 = plain.stored(id).expect("a record").iter().map(|stored| stored.size).sum();
        let size = plain.stat(id).expect("a record").size;
        assert!(stored == size || stored == 0 && size < 1024, "{path}: {stored} of {size}");
    }
}
