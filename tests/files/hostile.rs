//! File systems that somebody made to do harm: errors, no hangs.

use std::fs;
use std::path::{Path, PathBuf};

use lastkey_tests::makers::{Volume, run};
use lastkey_tests::program;
use lastkey_tests::said::Said;

use crate::drive::{Mounted, said};

/// Makes a FAT file system with the folder OUTER, and in it INNER, which is OUTER again.
fn loop_of_folders(folder: &Path) -> Option<PathBuf> {
    let volume = Volume::make(4 << 20, "mkfs.vfat", &["-F", "12"])?;
    fs::create_dir_all(folder.join("own/OUTER/INNER")).expect("folders");
    fs::write(folder.join("own/OUTER/FILE"), "a file").expect("a file");
    let image = volume.image.to_str().expect("a plain path");
    let outer = folder.join("own/OUTER");
    run("mcopy", ["-i", image, "-s", outer.to_str().expect("a plain path"), "::/"]).then_some(())?;
    let mut bytes = volume.bytes();
    let entry = |bytes: &[u8], name: &[u8; 11]| {
        let mut entries = (0..bytes.len()).step_by(32);
        entries.find(|&at| bytes[at..].starts_with(name) && bytes[at + 11] & 0x10 != 0).expect("an entry")
    };
    let (outer, inner) = (entry(&bytes, b"OUTER      "), entry(&bytes, b"INNER      "));
    let cluster = [bytes[outer + 26], bytes[outer + 27]];
    bytes[inner + 26..inner + 28].copy_from_slice(&cluster);
    let hostile = folder.join("hostile.img");
    fs::write(&hostile, bytes).expect("an image");
    Some(hostile)
}

#[test]
fn a_folder_that_lies_in_itself_is_gone_through_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let Some(image) = loop_of_folders(folder.path()) else { return };
    let lastkey = |arguments: &[&dyn AsRef<std::ffi::OsStr>]| -> Said {
        said(program::lastkey().args(arguments.iter().map(|argument| argument.as_ref())))
    };
    lastkey(&[&"tree", &image]).exits(15).says("lies in two places");
    let to = folder.path().join("to");
    let everything = format!("{}:", image.display());
    lastkey(&[&"cp", &"-r", &everything, &to]).exits(15).says("lies in two places");
    assert_eq!(fs::read_to_string(to.join("OUTER/FILE")).expect("a file"), "a file");

    let at = folder.path().join("mounted");
    let mounted = Mounted::new(program::lastkey().arg("mount").args([&image, &at]), &at);
    assert_eq!(fs::read_to_string(at.join("OUTER/FILE")).expect("a file"), "a file");
    /// Linux' number for too many levels of links.
    const ELOOP: i32 = 40;
    // The kernel sees to it that nobody goes round.
    let inside = fs::read_dir(at.join("OUTER/INNER/INNER"));
    assert!(inside.is_err_and(|error| error.raw_os_error() == Some(ELOOP)), "it goes round");
    mounted.end("-INT").exits(0);
}
