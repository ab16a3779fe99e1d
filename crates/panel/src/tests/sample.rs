//! A small BitLocker drive with files in it: FAT16, written by hand, so that every unit test has one at once.

use std::path::PathBuf;
use std::sync::Mutex;

use fve::{
    BOOT_BLOCK, FileTime, Front, Layout, Method, NewProtector, NewVolume, ReadAt, SectorSize, WriteAt,
};
use recovery_key::bek::Bek;
use recovery_key::{KeyId, RecoveryPassword, Secret};
use tempfile::TempDir;

/// Its recovery key.
pub const DIGITS: &str = "235818-357951-253979-013365-241120-245575-342914-591910";
/// A good recovery key of nobody.
pub const OTHER_DIGITS: &str = "000011-000022-000033-000044-000055-000066-000077-000088";
/// Its password.
pub const PASSWORD: &str = "four words that nobody guesses";
/// The content of `LETTER.TXT`.
pub const LETTER: &[u8] = b"Dear Ada,\r\nthe drive is open.\r\n";

const SECTOR: usize = 512;
const SIZE: usize = 4 << 20;
const FAT_SECTORS: usize = 32;
const ROOT: usize = SECTOR * (1 + FAT_SECTORS);
const DATA: usize = ROOT + 512 * 32;

/// The drive.
pub struct Sample {
    /// Where it is: gone when this is.
    _folder: TempDir,
    /// Its image.
    pub path: PathBuf,
    /// Its `.BEK` file's bytes.
    pub bek: Vec<u8>,
    /// The key ID of its recovery key.
    pub key_id: KeyId,
}

/// What `PHOTOS/SEA.JPG` holds: longer than what is read ahead of a slow browser.
pub fn sea() -> Vec<u8> {
    (0..600_000_u32).flat_map(|n| (n.wrapping_mul(2_654_435_761) >> 16).to_le_bytes()).collect()
}

struct Memory(Mutex<Vec<u8>>);

impl ReadAt for Memory {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> std::io::Result<()> {
        self.0.lock().unwrap().read_at(offset, buf)
    }

    fn size(&self) -> u64 {
        self.0.lock().unwrap().len() as u64
    }
}

impl WriteAt for Memory {
    fn write_at(&self, offset: u64, bytes: &[u8]) -> std::io::Result<()> {
        self.0.lock().unwrap()[offset as usize..][..bytes.len()].copy_from_slice(bytes);
        Ok(())
    }

    fn flush(&self) -> std::io::Result<()> {
        Ok(())
    }
}

/// A file system being filled.
struct Fat {
    bytes: Vec<u8>,
    next: usize,
}

impl Fat {
    fn new() -> Self {
        let mut bytes = vec![0; SIZE];
        let mut put = |at: usize, what: &[u8]| bytes[at..at + what.len()].copy_from_slice(what);
        put(0, &[0xeb, 0x3c, 0x90]);
        put(3, b"MSWIN4.1");
        // Sectors of 512 bytes, clusters of one, one reserved, one FAT, 512 entries in the root.
        put(11, &[0, 2, 1, 1, 0, 1, 0, 2]);
        put(19, &((SIZE / SECTOR) as u16).to_le_bytes());
        put(21, &[0xf8, FAT_SECTORS as u8, 0]);
        put(38, &[0x29]);
        put(54, b"FAT16   ");
        put(510, &[0x55, 0xaa]);
        put(SECTOR, &[0xf8, 0xff, 0xff, 0xff]);
        Self { bytes, next: 2 }
    }

    /// Writes content into a chain of clusters, and returns the first.
    fn content(&mut self, content: &[u8]) -> usize {
        let (first, clusters) = (self.next, content.len().div_ceil(SECTOR));
        for cluster in first..first + clusters {
            let next = if cluster + 1 == first + clusters { 0xffff } else { cluster + 1 };
            let at = SECTOR + 2 * cluster;
            self.bytes[at..at + 2].copy_from_slice(&(next as u16).to_le_bytes());
        }
        let at = DATA + SECTOR * (first - 2);
        self.bytes[at..at + content.len()].copy_from_slice(content);
        self.next += clusters;
        if clusters == 0 { 0 } else { first }
    }
}

fn entry(name: &[u8; 11], attributes: u8, cluster: usize, size: usize) -> [u8; 32] {
    let mut entry = [0; 32];
    entry[..11].copy_from_slice(name);
    entry[11] = attributes;
    // 21 November 2026, 12:34.
    entry[22..26].copy_from_slice(&[0x40, 0x64, 0x75, 0x5d]);
    entry[26..28].copy_from_slice(&(cluster as u16).to_le_bytes());
    entry[28..].copy_from_slice(&(size as u32).to_le_bytes());
    entry
}

/// What is on the drive, in clear. `many` is a folder with so many files.
fn plain(many: usize) -> Vec<u8> {
    let mut fat = Fat::new();
    let letter = fat.content(LETTER);
    let sea = sea();
    let picture = fat.content(&sea);
    let photos = fat.content(&entry(b"SEA     JPG", 0x20, picture, sea.len()));
    let names = (0..many).map(|number| format!("FILE{number:04}TXT"));
    let files: Vec<u8> =
        names.flat_map(|name| entry(name.as_bytes().try_into().unwrap(), 0x20, 0, 0)).collect();
    let folder = fat.content(&files);
    let root = [
        entry(b"LETTER  TXT", 0x20, letter, LETTER.len()),
        entry(b"EMPTY   BIN", 0x20, 0, 0),
        entry(b"PHOTOS     ", 0x10, photos, 0),
        entry(b"MANY       ", 0x10, folder, 0),
    ];
    fat.bytes[ROOT..ROOT + 128].copy_from_slice(root.as_flattened());
    fat.bytes
}

impl Sample {
    /// Makes the drive.
    pub fn new() -> Self {
        Self::with_many(1)
    }

    /// Makes it with a folder of many files.
    pub fn with_many(many: usize) -> Self {
        let (password, digits) = (Secret::new(PASSWORD.to_owned()), RecoveryPassword::parse(DIGITS).unwrap());
        let bek = Bek::new(KeyId::from_bytes_le([0x5a; 16]), 0, 0, None, Secret::new([0xa5; 32]));
        let metadata = [0x28_0000, 0x2c_0000, 0x30_0000];
        let boot_copy = 0x34_0000;
        let volume = NewVolume {
            method: Method::AesXts128,
            sector_size: SectorSize::B512,
            label: "ADA-PC D: 21.11.2026",
            now: FileTime::from_unix(1_795_000_000, 0),
            layout: Layout { metadata, boot_copy, reserved: boot_copy + BOOT_BLOCK },
            front: Front::Standard { sectors_per_cluster: 1 },
            protectors: &[
                NewProtector::RecoveryPassword(&digits),
                NewProtector::Password(&password),
                NewProtector::External(&bek),
            ],
        };
        let out = Memory(Mutex::new(vec![0; SIZE]));
        let created = volume.write(&plain(many), &out, |_| ()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("drive.img");
        std::fs::write(&path, out.0.into_inner().unwrap()).unwrap();
        Self { _folder: folder, path, bek: bek.to_bytes().expose().clone(), key_id: created.protectors[0] }
    }
}
