//! FAT12, FAT16 and FAT32, made by mkfs.vfat and filled and read by mtools.

use std::fs;

use unlocked::{Error, Format, Position};

use lastkey_tests::fill;
use lastkey_tests::makers::{Volume, noise, run};
use lastkey_tests::tree::{assert_same, find, hash, of_folder, of_volume};

/// FAT counts times in steps of two seconds.
const TWO_SECONDS: i128 = 2_000_000_001;

fn image(volume: &Volume) -> &str {
    volume.image.to_str().expect("a plain path")
}

/// Copies out of the volume all that is there.
fn read_by_mtools(volume: &Volume) -> Option<tempfile::TempDir> {
    let out = tempfile::tempdir().expect("a folder");
    let options = ["-i", image(volume), "-s", "-m", "-n", "::/", out.path().to_str().expect("a plain path")];
    run("mcopy", options).then_some(out)
}

fn make(size: u64, options: &[&str]) -> Option<Volume> {
    let volume = Volume::make(size, "mkfs.vfat", options)?;
    let own = tempfile::tempdir().expect("a folder");
    fill::fat(own.path());
    let mut names: Vec<_> =
        fs::read_dir(own.path()).expect("a folder").map(|entry| entry.expect("an entry").path()).collect();
    names.sort();
    let options = ["-i", image(&volume), "-s", "-m", "-n"].map(Into::into).into_iter();
    run("mcopy", options.chain(names).chain(["::/".into()])).then_some(())?;
    Some(volume)
}

#[test]
fn every_file_is_what_mtools_reads() {
    let forms: [(u64, &[&str], Format); 5] = [
        (4 << 20, &["-F", "12"], Format::Fat12),
        (40 << 20, &["-F", "16", "-s", "8"], Format::Fat16),
        (64 << 20, &["-F", "32", "-s", "1"], Format::Fat32),
        (64 << 20, &["-F", "16", "-S", "4096"], Format::Fat16),
        (64 << 20, &["-F", "32", "-f", "1", "-R", "64"], Format::Fat32),
    ];
    for (size, options, format) in forms {
        let options = [options, &["-n", "LASTKEY", "-i", "1234abcd"]].concat();
        let Some(volume) = make(size, &options) else { return };
        // Deleted files must not come back, and what follows lies in the gaps.
        let deleted = (0..200).step_by(2).map(|number| format!("::/Documents/file number {number}.dat"));
        if !run("mdel", ["-i".into(), image(&volume).to_owned()].into_iter().chain(deleted)) {
            return;
        }
        let own = tempfile::tempdir().expect("a folder");
        let fragmented = own.path().join("fragmented.bin");
        fs::write(&fragmented, noise(200_000, 77)).expect("a file");
        let options = ["-i".as_ref(), image(&volume).as_ref(), fragmented.as_os_str(), "::/".as_ref()];
        if !run("mcopy", options) {
            return;
        }
        let Some(theirs) = read_by_mtools(&volume) else { return };
        let files = volume.open();
        let about = files.about();
        assert_eq!(
            (about.format, about.serial, about.label.to_string()),
            (format, 0x1234_abcd, "LASTKEY".into())
        );
        // mcopy gives no time back to folders, and new ones to files without -m.
        let (mut ours, mut theirs) = (of_volume(&files), of_folder(theirs.path()));
        for tree in [&mut ours, &mut theirs] {
            tree.iter_mut()
                .filter(|(name, item)| item.kind == 'd' || *name == "/fragmented.bin")
                .for_each(|(_, item)| item.modified = (0, 0));
        }
        assert_same(&ours, &theirs, TWO_SECONDS);
        assert_eq!(
            hash(&files.open_file(find(&files, "FRAGMENTED.BIN")).expect("a file"), "fragmented"),
            theirs["/fragmented.bin"].content
        );
        assert_eq!(find(&files, "documents/A FOLDER with a long NAME"), find(&files, "Documents/AFOLDE~1"));
        assert!(matches!(files.find("Documents/file number 0.dat"), Err(Error::NotFound(_))));
    }
}

#[test]
fn a_listing_goes_on_where_it_stopped() {
    let Some(volume) = make(4 << 20, &["-F", "12"]) else { return };
    let files = volume.open();
    let folder = find(&files, "Documents");
    let all: Vec<_> = files.list(folder, Position::default()).expect("a folder").flatten().collect();
    assert_eq!(all.len(), 203);
    for (number, entry) in all.iter().enumerate() {
        let next = files.list(folder, entry.next).expect("a folder").flatten().next();
        assert_eq!(next.as_ref(), all.get(number + 1));
    }
}

#[test]
fn the_backup_of_the_boot_sector_serves() {
    let Some(volume) = make(64 << 20, &["-F", "32"]) else { return };
    let expected = of_volume(&volume.open());
    let mut bytes = volume.bytes();
    bytes[..512].fill(0);
    let files = unlocked::FileSystem::open(std::sync::Arc::new(bytes)).expect("the backup");
    assert!(files.about().from_backup);
    assert_eq!(of_volume(&files), expected);
}

#[test]
fn a_chain_that_is_broken_costs_what_is_behind_it() {
    let Some(volume) = make(16 << 20, &["-F", "16", "-s", "1", "-f", "1", "-R", "1"]) else { return };
    let files = volume.open();
    let id = find(&files, "Documents/SUB.BIN");
    let file = files.open_file(id).expect("a file");
    let [extent, ..] = *file.extents() else { panic!("a file with clusters") };
    let place = extent.place.expect("it is stored");
    let mut bytes = volume.bytes();
    // The tenth cluster of the file leads back to the first: its entry in the only table, at sector 1.
    let heap = (0..).step_by(512).map(|at| (at, place - at)).find(|(_, rest)| *rest == 0).map(|(at, _)| at);
    assert_eq!(heap, Some(place), "clusters are whole sectors");
    let root = 512 * 32 / 512;
    let table = u64::from(u16::from_le_bytes([bytes[0x16], bytes[0x17]]));
    let first = (place / 512 - 1 - table - root) + 2;
    let at = 512 + 2 * (first as usize + 9);
    bytes[at..at + 2].copy_from_slice(&(first as u16).to_le_bytes());
    let files = unlocked::FileSystem::open(std::sync::Arc::new(bytes)).expect("a file system");
    let broken = files.open_file(id).expect("a file");
    let (mut good, mut buf) = ([0; 5120], [0; 5120]);
    assert_eq!(broken.read_at(0, &mut buf).expect("what is before"), 5120);
    file.read_at(0, &mut good).expect("the whole file");
    assert_eq!(buf, good);
    assert!(matches!(broken.read_at(5120, &mut buf), Err(Error::Damaged { .. })));
}
