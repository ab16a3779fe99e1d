//! Files copied out of what a rescue saved: `lastkey cp` minds the map beside the copy.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use lastkey_tests::said::Said;
use lastkey_tests::{Image, program};
use unlocked::FileSystem;

use crate::support::{drive, every_1000th, record_of, rescue, source_map, tree};

/// Returns every file below a folder by its own name.
fn files_below(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let (mut files, mut folders) = (BTreeMap::new(), vec![folder.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.file_name().expect("a name").to_string_lossy().into_owned();
                let bytes = fs::read(&path).expect("a file");
                assert!(files.insert(name, bytes).is_none(), "{} is there twice", path.display());
            }
        }
    }
    files
}

#[test]
fn every_whole_file_is_copied_and_no_other() {
    let Some(drive) = drive() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let size = fs::metadata(&drive.whole.path).expect("an image").len();
    let plain = FileSystem::open(Image::open(&drive.whole.plain).expect("an image")).expect("a file system");
    let all = tree(&plain);
    // Some folders are gone, too.
    let gone = ["Folder 3/Größe 3", "Folder 7"].map(|path| record_of(&plain, all[path]));
    let map = source_map(folder.path(), size, every_1000th(size).chain(gone));
    let out = folder.path().join("out");
    let options = ["--json".as_ref(), "--source-map".as_ref(), map.as_os_str()];
    let report = rescue(&drive.whole, &drive.whole.path, &out, &options).exits(15).json();
    let lost: Vec<_> = report["files"]["lost"].as_array().expect("a list").iter().collect();
    let is_lost = |name: &str| {
        lost.iter().any(|file| {
            let path = file["path"].as_str().expect("a path");
            file["what"] != "place" && path.rsplit('/').next() == Some(name)
        })
    };

    let to = folder.path().join("to");
    let mut copy = program::lastkey();
    copy.args(["cp", "-r", "--orphans", "--json"]).arg(format!("{}:", out.display())).arg(&to);
    let copied = Said::of(copy.output().expect("the program"));
    let account = copied.exits(15).says("could not be read when it was copied").json();
    assert!(account["orphans"].as_u64() > Some(20), "few files lost their folder: this tests little");
    let found = files_below(&to);
    let mut missing = 0;
    for (path, bytes) in &drive.contents {
        let name = path.rsplit('/').next().expect("a name");
        match found.get(name) {
            Some(copy) => assert!(copy == bytes, "{path} is wrong"),
            None => {
                assert!(is_lost(name), "{path} is missing and not named");
                missing += 1;
            }
        }
    }
    assert!(missing > 20, "little is lost: this tests little");
    // Without its map nobody can tell zeros from zeros.
    fs::remove_file(folder.path().join("out.map")).expect("the map");
    let mut list = program::lastkey();
    let listed = Said::of(list.arg("tree").arg(&out).output().expect("the program"));
    assert!(!listed.err.contains("could not be read when"), "{}", listed.err);
}
