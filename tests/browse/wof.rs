//! Files that Windows packs (WOF). No program here packs them into a volume, but wimlib makes WIM files, whose
//! resources have the same form, and ntfs-3g puts them where Windows does.

use std::fs;
use std::path::Path;

use crate::ntfs::{make, mount};
use lastkey_tests::makers::{mixed, noise, run, text};
use lastkey_tests::tree::{find, hash, read_all};

/// Algorithms by number, and how wimlib is told to make their chunks.
const ALGORITHMS: [(u32, &str, &str); 4] =
    [(0, "xpress:100", "4096"), (1, "lzx:100", "32768"), (2, "xpress:20", "8192"), (3, "xpress:50", "16384")];

/// What is packed; no two are of one length.
fn contents() -> Vec<(String, Vec<u8>)> {
    let program = fs::read(std::env::current_exe().expect("this program")).expect("its bytes");
    // x86 code, whose calls LZX translates
    let code = program[program.len() / 4..][..1_500_007].to_vec();
    let runs = [vec![b'a'; 300_000], noise(3, 1), vec![0; 100_001]].concat();
    let all =
        [code, mixed(700_001), text(123_457), text(4097), text(9000), runs, text(32_768), noise_in_text()];
    all.into_iter().enumerate().map(|(number, bytes)| (format!("file {number}"), bytes)).collect()
}

/// Chunks that become shorter and chunks that do not.
fn noise_in_text() -> Vec<u8> {
    (0..12).flat_map(|number| [text(40_000 + number), noise(40_000, number as u64)].concat()).collect()
}

/// Cuts the packed resource of each length out of a WIM file.
fn resources(wim: &Path) -> Vec<(u64, Vec<u8>)> {
    let bytes = fs::read(wim).expect("a WIM file");
    let number = |at: usize, length: usize| {
        let mut all = [0; 8];
        all[..length].copy_from_slice(&bytes[at..at + length]);
        u64::from_le_bytes(all)
    };
    // The place of the table of resources is at 0x30; each has its length, flags, place and full length.
    let resource =
        |at: usize| (number(at, 7) as usize, bytes[at + 7], number(at + 8, 8) as usize, number(at + 16, 8));
    let (length, _, place, _) = resource(0x30);
    let entries = (place..place + length).step_by(50).map(resource);
    const METADATA: u8 = 2;
    const COMPRESSED: u8 = 4;
    let packed = entries.filter(|(_, flags, ..)| flags & (METADATA | COMPRESSED) == COMPRESSED);
    packed.map(|(length, _, place, full)| (full, bytes[place..place + length].to_vec())).collect()
}

#[test]
fn packed_files_are_unpacked() {
    let contents = contents();
    for (algorithm, compression, chunk) in ALGORITHMS {
        let folder = tempfile::tempdir().expect("a folder");
        let (source, wim) = (folder.path().join("source"), folder.path().join("packed.wim"));
        fs::create_dir(&source).expect("a folder");
        for (name, bytes) in &contents {
            fs::write(source.join(name), bytes).expect("a file");
        }
        let options =
            [format!("--compress={compression}"), format!("--chunk-size={chunk}"), "--no-acls".into()];
        let options = options.into_iter().map(Into::into);
        if !run("wimcapture", options.chain([source.into_os_string(), wim.clone().into_os_string()])) {
            return;
        }
        let resources = resources(&wim);
        assert_eq!(resources.len(), contents.len(), "not everything became shorter");

        let Some(volume) = make(64 << 20, &[]) else { return };
        let Some(mounted) = mount(&volume) else { return };
        for (name, bytes) in &contents {
            let path = mounted.path(name);
            fs::File::create(&path).and_then(|file| file.set_len(bytes.len() as u64)).expect("a hole");
            let packed =
                resources.iter().find(|(length, _)| *length == bytes.len() as u64).expect("its resource");
            fs::write(mounted.path(&format!("{name}:WofCompressedData")), &packed.1).expect("a stream");
            let value = format!("0x1700008010000000010000000200000001000000{algorithm:02x}000000");
            let options = ["-h", "-n", "system.ntfs_reparse_data", "-v", &value].map(AsRef::as_ref);
            if !run("setfattr", options.into_iter().chain([path.as_os_str()])) {
                return;
            }
        }
        drop(mounted);
        let files = volume.open();
        for (name, bytes) in &contents {
            let id = find(&files, name);
            let (stat, file) = (files.stat(id).expect("a file"), files.open_file(id).expect("a file"));
            assert!(stat.size == bytes.len() as u64 && stat.allocated < stat.size + 4096, "{stat:?}");
            assert!(read_all(&file).expect("its content") == *bytes, "{name}, {compression}");
            hash(&file, name);
            assert_eq!(files.streams(id).expect("a file"), []);
        }
    }
}
