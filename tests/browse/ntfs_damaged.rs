//! NTFS with parts of it destroyed: what is not hit is still read, and what is hit is named.

use std::fs;
use std::sync::Arc;

use unlocked::{Elsewhere, Error, FileSystem, Position};

use crate::ntfs::{make, mount};
use lastkey_tests::makers::{Volume, noise, run};
use lastkey_tests::tree::{find, of_volume};

const RECORD: usize = 1024;

fn volume() -> Option<Volume> {
    let volume = make(64 << 20, &["-c", "4096"])?;
    let mounted = mount(&volume)?;
    fs::write(mounted.path("short"), b"in its record").expect("a file");
    fs::write(mounted.path("long"), noise(100_000, 1)).expect("a file");
    fs::create_dir(mounted.path("many")).expect("a folder");
    for number in 0..1000 {
        fs::write(mounted.path(&format!("many/{number}")), b"").expect("a file");
    }
    Some(volume)
}

fn open(bytes: &[u8]) -> Result<FileSystem, Error> {
    FileSystem::open(Arc::new(bytes.to_vec()))
}

/// Returns where the record of a file lies whose content is in it.
fn record_of(files: &FileSystem, name: &str) -> usize {
    let file = files.open_file(find(files, name)).expect("a file");
    let place = file.extents()[0].place.expect("it is stored");
    place as usize / RECORD * RECORD
}

#[test]
fn copies_stand_in_for_what_is_lost() {
    let Some(volume) = volume() else { return };
    let files = volume.open();
    let expected = of_volume(&files);
    let bytes = volume.bytes();
    let table = files.open_file(find(&files, "$MFT")).expect("the table");
    let table = table.extents()[0].place.expect("it is stored") as usize;
    drop(files);

    let mut no_boot_sector = bytes.clone();
    no_boot_sector[..8192].fill(0);
    let files = open(&no_boot_sector).expect("the boot sector's copy is at the end");
    assert!(files.about().from_backup);
    assert_eq!(of_volume(&files), expected);

    let mut no_first_records = bytes.clone();
    no_first_records[table..table + 4 * RECORD].fill(0);
    assert_eq!(of_volume(&open(&no_first_records).expect("the records' copies")), expected);

    let mut neither = no_first_records;
    let copy = u64::from_le_bytes(*bytes[0x38..].first_chunk().expect("a boot sector")) as usize * 4096;
    neither[copy..copy + RECORD].fill(0);
    assert!(matches!(open(&neither), Err(Error::Damaged { .. })));
}

#[test]
fn half_written_records_cost_one_file() {
    let Some(volume) = volume() else { return };
    let files = volume.open();
    let mut bytes = volume.bytes();
    let record = record_of(&files, "short");
    bytes[record + 1023] ^= 1;
    let files = open(&bytes).expect("a file system");
    let id = find(&files, "short");
    let error = files.stat(id).expect_err("a broken record");
    assert!(error.to_string().contains("half written"), "{error}");
    files.stat(find(&files, "long")).expect("the other file");
}

#[test]
fn a_block_of_names_costs_no_others() {
    let Some(volume) = volume() else { return };
    let mut bytes = volume.bytes();
    let blocks: Vec<_> =
        (0..bytes.len()).step_by(4096).filter(|&at| bytes[at..].starts_with(b"INDX")).collect();
    let id = find(&volume.open(), "many");
    let mut lost = 0;
    for at in blocks {
        bytes[at + 511] ^= 1;
        let files = open(&bytes).expect("a file system");
        bytes[at + 511] ^= 1;
        let listing = files.list(id, Position::default()).expect("its root, at least");
        let (names, errors): (Vec<_>, Vec<_>) = listing.partition(Result::is_ok);
        if errors.is_empty() {
            continue;
        }
        lost += 1;
        assert_eq!(errors.len(), 1);
        assert!(names.len() > 900, "{} names are left", names.len());
        // Those that are listed are found, though the way to them may be broken.
        for name in names.into_iter().flatten() {
            let found = files.lookup(id, &name.name).expect("a folder").expect("its name");
            assert_eq!(found.id, name.id);
        }
    }
    assert!(lost > 5, "the folder has {lost} blocks");
}

#[test]
fn content_that_no_key_of_the_drive_opens_is_refused() {
    let Some(volume) = volume() else { return };
    let Some(mounted) = mount(&volume) else { return };
    let cases: [(&str, &str); 3] = [
        ("deduplicated", "0x1300008000000000"),
        ("cloud", "0x1a60009000000000"),
        ("wim", "0x1700008010000000010000000100000000000000ffffffff"),
    ];
    for (name, value) in cases {
        let path = mounted.path(name);
        fs::File::create(&path).and_then(|file| file.set_len(10_000)).expect("a hole");
        let options = ["-h", "-n", "system.ntfs_reparse_data", "-v", value].map(AsRef::as_ref);
        if !run("setfattr", options.into_iter().chain([path.as_os_str()])) {
            return;
        }
    }
    drop(mounted);
    let files = volume.open();
    let refused = |name: &str| match files.open_file(find(&files, name)) {
        Err(Error::Elsewhere(elsewhere)) => elsewhere,
        other => panic!("{name}: {other:?}"),
    };
    assert_eq!(refused("deduplicated"), Elsewhere::Deduplicated);
    assert_eq!(refused("cloud"), Elsewhere::Cloud);
    assert_eq!(refused("wim"), Elsewhere::Wim);

    // EFS sets a flag in the attribute with the content: kind 0x80, not named, in the record.
    let mut bytes = volume.bytes();
    let record = record_of(&files, "short");
    let header = [0x80, 0, 0, 0];
    let at =
        (record..record + RECORD).step_by(8).find(|&at| bytes[at..].starts_with(&header)).expect("content");
    bytes[at + 13] |= 0x40;
    let files = open(&bytes).expect("a file system");
    assert!(matches!(files.open_file(find(&files, "short")), Err(Error::Encrypted)));
}
