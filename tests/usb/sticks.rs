//! Sticks with a file system and old files on them, and other programs that look at them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use backup::{Content, Document};
use lastkey_tests::nbd::Disk;
use lastkey_tests::vm::Vm;

const SIZE: usize = 40 << 20;
/// Where the one partition begins.
const START: usize = 1 << 20;

type Bytes = fn() -> Vec<u8>;

/// What is on the stick before: a name and what makes the bytes.
pub const OLD: [(&str, Bytes); 3] = [
    ("old.txt", || b"an old letter\n".to_vec()),
    ("photos/a long name for a photo of the sea.jpg", || {
        (0..150_000_u32).map(|n| (n * 31 % 253) as u8).collect()
    }),
    ("photos/empty", Vec::new),
];

/// A file system of sticks.
pub struct FileSystem {
    pub name: &'static str,
    /// What Linux calls it.
    kind: &'static str,
    make: &'static [&'static str],
    /// Finds faults, and leaves them.
    check: &'static [&'static str],
    mend: &'static [&'static str],
    /// Whether its old files are safe when one write gets through in part.
    pub survives_torn_writes: bool,
}

pub const FILE_SYSTEMS: &[FileSystem] = &[
    FileSystem {
        name: "FAT32",
        kind: "vfat",
        make: &["mkfs.vfat", "-F", "32", "-s", "1", "-n", "KEYS"],
        check: &["fsck.vfat", "-n"],
        mend: &["fsck.vfat", "-a"],
        survives_torn_writes: true,
    },
    FileSystem {
        name: "exFAT",
        kind: "exfat",
        make: &["mkfs.exfat", "-L", "KEYS"],
        check: &["fsck.exfat", "-n"],
        mend: &["fsck.exfat", "-y"],
        survives_torn_writes: true,
    },
    FileSystem {
        name: "NTFS",
        kind: "ntfs3",
        make: &[
            "mkfs.ntfs",
            "-q",
            "-Q",
            "-F",
            "-p",
            "2048",
            "-s",
            "512",
            "-H",
            "255",
            "-S",
            "63",
            "-L",
            "KEYS",
        ],
        check: &["ntfsfix", "-n"],
        mend: &["ntfsfix"],
        survives_torn_writes: false,
    },
];

impl FileSystem {
    /// Makes a stick with a partition, this file system and the old files, and returns its bytes; `None`,
    /// loudly, without the tools.
    pub fn make(&self, vm: &mut Vm) -> Option<Vec<u8>> {
        let part = Part::new(&vec![0; SIZE - START]);
        if !run(self.make, &part.path).is_some_and(|made| made.status.success()) {
            lastkey_tests::skip(&format!("{} is missing or fails", self.make[0]));
            return None;
        }
        let kind = if self.kind == "vfat" { 0x0c } else { 0x07 };
        let disk = Disk::new(stick(kind, &fs::read(&part.path).expect("the file system")));
        let name = vm.plug(&disk);
        vm.must(&format!("mount -t {} /dev/{name} /m && cp -r /old/. /m && sync && umount /m", self.kind));
        vm.unplug();
        let bytes = disk.bytes();
        self.read(&bytes, &[]).unwrap_or_else(|lost| panic!("{}: no program here reads {lost}", self.name));
        Some(bytes)
    }

    /// Reads the old files, and those with these names as far as they are there, with another program.
    ///
    /// # Errors
    /// The name of an old file that is not as it was.
    pub fn read(&self, disk: &[u8], names: &[String]) -> Result<BTreeMap<String, Vec<u8>>, &'static str> {
        let part = Part::new(&disk[START..]);
        let mounted = if self.kind == "exfat" { part.mount_exfat() } else { None };
        let read = |name: &str| match self.kind {
            "vfat" => output(mtool("mcopy", &part.path, name).arg("-")),
            "exfat" => fs::read(mounted.as_ref()?.folder.join(name)).ok(),
            _ => output(Command::new("ntfscat").arg("-f").arg(&part.path).arg(name)),
        };
        let mut found = BTreeMap::new();
        for (name, bytes) in OLD {
            found.insert(name.to_owned(), read(name).filter(|found| *found == bytes()).ok_or(name)?);
        }
        found.extend(names.iter().filter_map(|name| Some((name.clone(), read(name)?))));
        Ok(found)
    }

    /// Mends the file system with its own program.
    pub fn mend(&self, disk: &[u8]) -> Vec<u8> {
        let part = Part::new(&disk[START..]);
        run(self.mend, &part.path).expect("a program that mends");
        [&disk[..START], &fs::read(&part.path).expect("the file system")].concat()
    }

    /// Looks for faults with the file system's own program.
    ///
    /// # Panics
    /// When there is one.
    pub fn check(&self, disk: &[u8]) {
        let part = Part::new(&disk[START..]);
        let done = run(self.check, &part.path).expect("a program that checks");
        assert!(done.status.success(), "{}: {done:?}", self.name);
    }

    /// Looks at the attributes of the documents with another program.
    ///
    /// # Panics
    /// When they are not those that Windows would give.
    pub fn check_attributes(&self, disk: &[u8], documents: &[Document], vm: &mut Vm) {
        let part = Part::new(&disk[START..]);
        let lines = if self.kind == "exfat" { fatattr(disk, vm) } else { Vec::new() };
        for document in documents {
            let name = document.file_name();
            let shown = match self.kind {
                "vfat" => {
                    let shown = text(&mut mtool("mattrib", &part.path, &name));
                    // The letters stand before the name.
                    shown.split("::").next().unwrap_or_default().to_lowercase()
                }
                "exfat" => {
                    let line = lines.iter().find(|line| line.contains(&name)).expect("a line for each file");
                    line.split_whitespace().next().unwrap_or_default().to_owned()
                }
                _ => {
                    let shown = text(Command::new("ntfsinfo").args(["-f", "-F", &name]).arg(&part.path));
                    let words =
                        shown.lines().find(|line| line.contains("File attributes:")).unwrap_or_default();
                    let letters = [("READONLY", 'r'), ("HIDDEN", 'h'), ("SYSTEM", 's')].into_iter();
                    letters.filter(|(word, _)| words.contains(word)).map(|(_, letter)| letter).collect()
                }
            };
            let is_hidden = matches!(document.content, Content::ExternalKey(_));
            for (letter, wanted) in [('r', true), ('h', is_hidden), ('s', is_hidden)] {
                assert_eq!(shown.contains(letter), wanted, "{name} on {} has {shown:?}", self.name);
            }
        }
    }
}

/// Shows the attributes of the files at the top of an exFAT file system: no program does so without mounting it.
fn fatattr(disk: &[u8], vm: &mut Vm) -> Vec<String> {
    let disk = Disk::new(disk.to_vec());
    let name = vm.plug(&disk);
    vm.must(&format!("mount -r -t exfat /dev/{name} /m"));
    let lines = vm.must("for file in /m/*; do fatattr \"$file\"; done");
    vm.must("umount /m");
    vm.unplug();
    lines
}

/// Returns the bytes of a stick with one partition, of this type and with this in it.
pub fn stick(kind: u8, part: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0; START];
    let entry = [&[0, 0, 2, 0, kind, 0, 0, 0][..], &sectors(START), &sectors(part.len())].concat();
    bytes[446..462].copy_from_slice(&entry);
    bytes[510..512].copy_from_slice(&[0x55, 0xaa]);
    bytes.extend_from_slice(part);
    bytes
}

fn sectors(bytes: usize) -> [u8; 4] {
    ((bytes / 512) as u32).to_le_bytes()
}

fn run(command: &[&str], path: &Path) -> Option<Output> {
    Command::new(command[0]).args(&command[1..]).arg(path).output().ok()
}

fn mtool(program: &str, part: &Path, name: &str) -> Command {
    let mut command = Command::new(program);
    command.env("MTOOLS_SKIP_CHECK", "1").arg("-i").arg(part).arg(format!("::{name}"));
    command
}

fn output(command: &mut Command) -> Option<Vec<u8>> {
    command.output().ok().filter(|output| output.status.success()).map(|output| output.stdout)
}

fn text(command: &mut Command) -> String {
    String::from_utf8_lossy(&output(command).unwrap_or_default()).into_owned()
}

/// The partition of a stick as a file.
struct Part {
    folder: tempfile::TempDir,
    path: PathBuf,
}

impl Part {
    fn new(bytes: &[u8]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("part");
        fs::write(&path, bytes).expect("written");
        Self { folder, path }
    }

    /// Mounts it with exfat-fuse, if that can read it.
    fn mount_exfat(&self) -> Option<Mounted> {
        let folder = self.folder.path().join("mounted");
        fs::create_dir(&folder).expect("a folder");
        let device = text(Command::new("losetup").args(["--find", "--show", "--read-only"]).arg(&self.path));
        let mounted = Mounted { device: device.trim().to_owned(), folder };
        let mut mount = Command::new("mount.exfat-fuse");
        let done = mount.args(["-o", "ro"]).arg(&mounted.device).arg(&mounted.folder).output();
        done.is_ok_and(|done| done.status.success()).then_some(mounted)
    }
}

struct Mounted {
    device: String,
    folder: PathBuf,
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--quiet").arg(&self.folder).output();
        let _ = Command::new("losetup").arg("--detach").arg(&self.device).output();
    }
}
