//! exFAT, made by mkfs.exfat and filled and read by exfat-fuse.

use std::sync::Arc;

use unlocked::{Error, FileSystem, Format, Position};

use lastkey_tests::fill;
use lastkey_tests::makers::Volume;
use lastkey_tests::tree::{assert_same, find, of_folder, of_volume};

/// exFAT keeps hundredths of seconds; exfat-fuse writes and shows whole ones, in steps of two.
const TWO_SECONDS: i128 = 2_000_000_001;

fn make(size: u64, options: &[&str]) -> Option<Volume> {
    let volume = Volume::make(size, "mkfs.exfat", &[&["-L", "Größe 字"], options].concat())?;
    fill::exfat(&volume.mount("mount.exfat-fuse", &[])?.folder);
    Some(volume)
}

#[test]
fn every_file_is_what_exfat_fuse_reads() {
    for (size, cluster) in [(64 << 20, "4K"), (128 << 20, "32K"), (64 << 20, "512")] {
        let Some(volume) = make(size, &["-c", cluster]) else { return };
        let Some(mounted) = volume.mount("mount.exfat-fuse", &["-o", "ro"]) else { return };
        let theirs = of_folder(&mounted.folder);
        drop(mounted);
        let files = volume.open();
        assert_eq!(
            (files.about().format, files.about().label.to_string()),
            (Format::ExFat, "Größe 字".into())
        );
        assert_same(&of_volume(&files), &theirs, TWO_SECONDS);
        assert_eq!(find(&files, "DOCUMENTS/日本語/EMOJI 😀 ж"), find(&files, "Documents/日本語/emoji 😀 Ж"));
        assert!(matches!(files.find("many/File number 0 — "), Err(Error::NotFound(_))));
        let pieces = files.open_file(find(&files, "fragmented 1")).expect("a file").extents().len();
        assert!(cluster == "32K" || pieces > 1, "it is not fragmented");
    }
}

#[test]
fn a_listing_goes_on_where_it_stopped() {
    let Some(volume) = make(64 << 20, &["-c", "512"]) else { return };
    let files = volume.open();
    let folder = find(&files, "many");
    let all: Vec<_> = files.list(folder, Position::default()).expect("a folder").flatten().collect();
    assert_eq!(all.len(), 1000);
    for (number, entry) in all.iter().enumerate() {
        let next = files.list(folder, entry.next).expect("a folder").flatten().next();
        assert_eq!(next.as_ref(), all.get(number + 1));
    }
}

#[test]
fn damage_costs_no_more_than_what_it_hits() {
    let Some(volume) = make(64 << 20, &["-c", "4K"]) else { return };
    let expected = of_volume(&volume.open());
    let mut bytes = volume.bytes();
    bytes[..512].fill(0);
    let files = FileSystem::open(Arc::new(bytes.clone())).expect("the backup of the boot sector");
    assert!(files.about().from_backup);
    assert_eq!(of_volume(&files), expected);

    // A letter of a name is another: its checksum is wrong, and the file is lost, but no other.
    let folder = find(&files, "many");
    let entries: Vec<_> = files.list(folder, Position::default()).expect("a folder").flatten().collect();
    let place = (entries[500].id.0 & !1) as usize;
    bytes[place + 64 + 2] ^= 1;
    let files = FileSystem::open(Arc::new(bytes)).expect("a file system");
    let (good, bad): (Vec<_>, Vec<_>) =
        files.list(folder, Position::default()).expect("a folder").partition(Result::is_ok);
    assert_eq!((good.len(), bad.len()), (entries.len() - 1, 1));
    assert!(matches!(bad[0], Err(Error::Damaged { .. })));
}
