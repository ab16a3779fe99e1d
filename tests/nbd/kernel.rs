//! A kernel reads the files on what is lent to it.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::Path;

use fve::{Method, SectorSize};
use lastkey_tests::makers::{mixed, noise, run, text};
use lastkey_tests::vm::{self, Vm};
use lastkey_tests::whole::{Form, Whole};
use lastkey_tests::{Image, sha256};

use crate::server::Server;

/// What every file system takes.
fn fill(root: &Path) {
    let write = |name: &str, bytes: &[u8]| fs::write(root.join(name), bytes).expect("a file");
    fs::create_dir_all(root.join("Documents/日本語/Ж")).expect("folders");
    write("empty", b"");
    write("short.txt", b"a few bytes");
    write("Documents/plain.bin", &noise(3_000_003, 1));
    write("Documents/日本語/Ж/Ünï.txt", "Grüße, 世界\n".as_bytes());
    write(&format!("{}.txt", "long ".repeat(40)), b"a long name");
    for number in 0..300 {
        write(&format!("Documents/file number {number}.dat"), &noise(number * 40, number as u64));
    }
}

/// What only NTFS does: compressed, with holes, in many pieces.
fn fill_more(root: &Path) {
    let folder = root.join("compressed");
    fs::create_dir(&folder).expect("a folder");
    // FILE_ATTRIBUTE_COMPRESSED: what is put there from now on is.
    let options = ["-h", "-n", "system.ntfs_attrib_be", "-v", "0x00000810"].map(OsStr::new);
    if run("setfattr", options.into_iter().chain([folder.as_os_str()])) {
        fs::write(folder.join("text"), text(1_000_001)).expect("a file");
        fs::write(folder.join("mixed"), mixed(1_500_000)).expect("a file");
    }
    let sparse = File::create(root.join("sparse")).expect("a file");
    sparse.write_all_at(&noise(10_000, 4), 3_000_123).expect("a piece");
    sparse.set_len(5_000_000).expect("a length");
    let pieces = ["one", "two"].map(|name| File::create(root.join(name)).expect("a file"));
    for number in 0..200 {
        for file in &pieces {
            file.write_all_at(&noise(4096, number), number * 4096).expect("a piece");
            file.sync_all().expect("written");
        }
    }
}

/// Returns the SHA-256 of every file below a folder, by its path.
fn hashes(root: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let name = path.strip_prefix(root).expect("below it").to_str().expect("plain text").to_owned();
            let file = Image::open(&path).expect("a file");
            found.insert(name, sha256(&file, 0, file.size()));
        }
    }
    // BitLocker's own areas are zeros once the volume is encrypted.
    found.retain(|name, _| !name.starts_with("System Volume Information/"));
    found
}

/// Returns what the kernel reads, likewise.
fn read_by_kernel(vm: &mut Vm, whole: &Whole, file_system: &str) -> BTreeMap<String, String> {
    let server = Server::start(&[&whole.path, &"--bek", &whole.bek]);
    let disk = vm.plug_lent(&server.socket());
    vm.must(&format!("mount -t {file_system} -o ro,iocharset=utf8 /dev/{disk} /m"));
    let lines = vm.must("cd /m && find . -type f -print0 | xargs -0 sha256sum; cd /");
    vm.must("umount /m");
    vm.unplug();
    let line = |line: &String| {
        let (hash, name) = line.split_once("  ./")?;
        Some((name.to_owned(), hash.to_owned()))
    };
    let mut found: BTreeMap<_, _> = lines.iter().filter_map(line).collect();
    found.retain(|name, _| !name.starts_with("System Volume Information/"));
    found
}

#[test]
fn a_kernel_mounts_it_and_reads_every_file_right() {
    let Some(machine) = vm::folder() else { return };
    let mut vm = Vm::start(&machine, &[]);
    for (method, sector_size) in [
        (Method::AesXts128, SectorSize::B512),
        (Method::AesXts256, SectorSize::B4096),
        (Method::AesCbc128Diffuser, SectorSize::B512),
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        let mut expected = BTreeMap::new();
        let form = Form { sector_size, ..Form::new(method) };
        let whole = form.ntfs(folder.path(), |root| {
            fill(root);
            fill_more(root);
            expected = hashes(root);
        });
        let Some(whole) = whole else { return };
        let found = read_by_kernel(&mut vm, &whole, "ntfs3");
        assert!(expected.len() > 300);
        assert_eq!(found, expected, "{form:?}");
    }
    type Maker = fn(Form, &Path, &mut dyn FnMut(&Path)) -> Option<Whole>;
    let makers: [(&str, Maker); 2] = [
        ("exfat", |form, folder, fill| form.exfat(folder, fill)),
        ("vfat", |form, folder, fill| form.fat(folder, fill)),
    ];
    for (file_system, make) in makers {
        let folder = tempfile::tempdir().expect("a folder");
        let mut expected = BTreeMap::new();
        let whole = make(Form::new(Method::AesXts128), folder.path(), &mut |root| {
            fill(root);
            expected = hashes(root);
        });
        let Some(whole) = whole else { return };
        assert_eq!(read_by_kernel(&mut vm, &whole, file_system), expected, "{file_system}");
    }
}
