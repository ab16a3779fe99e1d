//! What is put into volumes: something of every form that their file system knows.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::{FileExt, symlink};
use std::path::Path;

use crate::makers::{mixed, noise, run, text};

/// Fills NTFS that ntfs-3g has mounted with `compression,streams_interface=windows,special_files=wsl`.
///
/// # Panics
/// When there is no room for it, or attributes cannot be set.
pub fn ntfs(root: &Path) {
    let write = |name: &str, bytes: &[u8]| fs::write(root.join(name), bytes).expect("a file");
    fs::create_dir_all(root.join("Documents/日本語/emoji 😀 Ж")).expect("folders");
    write("empty", b"");
    write("resident.txt", b"a few bytes");
    write("Documents/plain.bin", &noise(1_000_003, 1));
    write("Documents/日本語/emoji 😀 Ж/Ünï.txt", "Grüße, 世界\n".as_bytes());
    write(&"n".repeat(255), b"the longest name");
    write("ends in a dot.", b"Windows would not make it");
    write(" spaces ", b"spaces");
    write("Case", b"upper");
    write("case", b"lower");

    fs::create_dir(root.join("compressed")).expect("a folder");
    assert!(set_attributes(&root.join("compressed"), 0x810), "setfattr is missing");
    write("compressed/text", &text(3_000_001));
    write("compressed/noise", &noise(500_000, 2));
    write("compressed/mixed", &mixed(4_000_000));
    write("compressed/zeros", &vec![0; 1_000_000]);
    write("compressed/small", &text(5000));
    write("compressed/one unit", &text(65_536));
    write("compressed/one unit of noise", &noise(65_536, 3));
    let holes = File::create(root.join("compressed/holes")).expect("a file");
    holes.write_all_at(&text(100_000), 700_000).expect("a piece");
    holes.set_len(2_000_000).expect("a length");

    let sparse = File::create(root.join("sparse")).expect("a file");
    sparse.write_all_at(b"start", 0).expect("a piece");
    sparse.write_all_at(&noise(10_000, 4), 5_000_123).expect("a piece");
    sparse.set_len(9_000_000).expect("a length");
    // Each piece is a run of its own: more than a record holds.
    let holey = File::create(root.join("many holes")).expect("a file");
    for number in 0..2000 {
        holey.write_all_at(&noise(4096, number), number * 3 * 4096).expect("a piece");
    }
    fs::create_dir(root.join("many")).expect("a folder");
    for number in 0..3000 {
        write(&format!("many/File number {number} — {}", number % 7), number.to_string().as_bytes());
    }
    for number in (0..3000).step_by(3) {
        fs::remove_file(root.join(format!("many/File number {number} — {}", number % 7))).expect("a file");
    }
    fs::create_dir(root.join("links")).expect("a folder");
    for number in 0..60 {
        let name = format!("links/{number} {}", "l".repeat(200));
        fs::hard_link(root.join("resident.txt"), root.join(&name)).expect("a link");
    }
    symlink("../elsewhere/ü", root.join("links/symbolic")).expect("a link");
}

/// Fills exFAT.
///
/// # Panics
/// When there is no room for it.
pub fn exfat(root: &Path) {
    let write = |name: &str, bytes: &[u8]| fs::write(root.join(name), bytes).expect("a file");
    fs::create_dir_all(root.join("Documents/日本語/emoji 😀 Ж")).expect("folders");
    write("empty", b"");
    write("Documents/plain.bin", &noise(3_000_003, 1));
    write("Documents/日本語/emoji 😀 Ж/Ünï.txt", "Grüße, 世界\n".as_bytes());
    write(&"n".repeat(255), b"the longest name");
    let mut pair =
        ["fragmented 1", "fragmented 2"].map(|name| File::create(root.join(name)).expect("a file"));
    for number in 0..200 {
        for file in &mut pair {
            file.write_all(&noise(4096, number)).expect("a piece");
            file.sync_all().expect("written");
        }
    }
    let holey = File::create(root.join("written at its end")).expect("a file");
    holey.write_all_at(&text(1000), 500_000).expect("a piece");
    fs::create_dir(root.join("many")).expect("a folder");
    for number in 0..1500 {
        write(
            &format!("many/File number {number} — {}", "x".repeat(number % 60)),
            number.to_string().as_bytes(),
        );
    }
    for number in (0..1500).step_by(3) {
        fs::remove_file(root.join(format!("many/File number {number} — {}", "x".repeat(number % 60))))
            .expect("a file");
    }
}

/// Fills a folder that is then copied into FAT.
///
/// # Panics
/// When there is no room for it.
pub fn fat(folder: &Path) {
    let write = |name: &str, bytes: &[u8]| fs::write(folder.join(name), bytes).expect("a file");
    fs::create_dir_all(folder.join("Documents/a folder with a long name/日本語")).expect("folders");
    write("EMPTY", b"");
    write("SHORT.TXT", b"short");
    write("lower.txt", b"lower");
    write("Mixed Case.Text", &text(5000));
    write("Documents/one more than a cluster.bin", &noise(65_537, 1));
    write("Documents/a folder with a long name/日本語/Größe Ж.txt", "Grüße\n".as_bytes());
    write("Documents/SUB.BIN", &noise(300_000, 2));
    write(&format!("{}.txt", "long ".repeat(40)), b"a name in 16 records");
    for number in 0..200 {
        write(&format!("Documents/file number {number}.dat"), &noise(number * 10, number as u64));
    }
}

/// Sets Windows' attributes of a file or folder; 0x800 in a folder compresses what is then put there.
pub fn set_attributes(path: &Path, attributes: u32) -> bool {
    let value = format!("0x{attributes:08x}");
    let options = ["-h", "-n", "system.ntfs_attrib_be", "-v", &value].map(AsRef::as_ref);
    run("setfattr", options.into_iter().chain([path.as_os_str()]))
}
