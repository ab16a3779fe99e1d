//! Volumes that lastkey makes, small and of every form.

use std::fs;
use std::path::{Path, PathBuf};

use fve::{
    BOOT_BLOCK, FileTime, Front, Key, Layout, METADATA_REGION, Method, NewProtector, NewVolume,
    RESERVED_AREA, SectorSize,
};
use recovery_key::bek::Bek;
use recovery_key::{KeyId, RecoveryPassword, Secret};

use crate::Image;
use crate::peers::Opener;

const SIZE: u64 = 0xe_0000;
const METADATA: [u64; 3] = [0x3_0000, 0x6_0000, 0xa_0000];
const BOOT_COPY: u64 = 0xb_0000;
const DISCOVERY: usize = 0x6000;

/// The recovery password of every volume that is made.
pub(crate) const DIGITS: &str = "235818-357951-253979-013365-241120-245575-342914-591910";

/// Which volume.
#[derive(Clone, Copy, Debug)]
pub struct Form {
    /// How it is encrypted.
    pub method: Method,
    /// Its sector size.
    pub sector_size: SectorSize,
    /// Whether a discovery volume stands in front.
    pub to_go: bool,
    /// The file system whose boot sector is inside: `NTFS` or `FAT32`.
    pub inside: &'static str,
    /// Its password.
    pub password: &'static str,
}

/// A volume and its keys.
pub struct Made {
    /// The image file.
    pub path: PathBuf,
    /// What is inside: BitLocker's own areas are zeros.
    pub plain: Vec<u8>,
    /// Its password, its recovery password and its external key, for lastkey and for others.
    pub keys: [(Key, Opener); 3],
}

impl Form {
    /// Makes the volume in a folder.
    ///
    /// # Panics
    /// When it cannot be made.
    pub fn make(self, folder: &Path) -> Made {
        let password = Secret::new(self.password.to_owned());
        let digits = RecoveryPassword::parse(DIGITS).expect("well-formed digits");
        let id = KeyId::from_bytes_le([0x5a; 16]);
        let bek = Bek::new(id, 0, 0, None, Secret::new([0xa5; 32]));
        let mut discovery = boot_sector("FAT32", self.sector_size).to_vec();
        discovery.resize(DISCOVERY, 0);
        let front = if self.to_go {
            Front::Discovery(&discovery)
        } else {
            Front::Standard { sectors_per_cluster: 8 }
        };
        let length = if self.to_go { DISCOVERY as u64 } else { BOOT_BLOCK };
        let layout = Layout { metadata: METADATA, boot_copy: BOOT_COPY, reserved: BOOT_COPY + length };
        let volume = NewVolume {
            method: self.method,
            sector_size: self.sector_size,
            label: "LASTKEY test 21.11.2026",
            now: FileTime::from_unix(1_795_000_000, 0),
            layout,
            front,
            protectors: &[
                NewProtector::Password(&password),
                NewProtector::RecoveryPassword(&digits),
                NewProtector::External(&bek),
            ],
        };
        let mut plain = noise(SIZE as usize);
        plain[..512].copy_from_slice(&boot_sector(self.inside, self.sector_size));
        let path = folder.join("volume");
        let out = Image::create(&path, SIZE).expect("an image file");
        volume.write(&plain, &out, |_| ()).expect("a volume");

        let areas = METADATA.map(|place| (place, METADATA_REGION));
        for (start, length) in areas.into_iter().chain([(BOOT_COPY, length + RESERVED_AREA)]) {
            plain[start as usize..(start + length) as usize].fill(0);
        }
        let bek_path = folder.join("key.BEK");
        fs::write(&bek_path, bek.to_bytes().expose()).expect("a key file");
        let keys = [
            (Key::Password(password), Opener::Password(self.password.to_owned())),
            (Key::RecoveryPassword(digits), Opener::RecoveryPassword(DIGITS.to_owned())),
            (Key::External(bek), Opener::Bek(bek_path)),
        ];
        Made { path, plain, keys }
    }
}

/// Returns bytes that no sector shares with another.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 1_u64;
    let mut next = || {
        // Knuth's MMIX generator; its upper half is the better one.
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((state >> 32) as u32).to_le_bytes()
    };
    (0..length / 4).flat_map(|_| next()).collect()
}

fn boot_sector(name: &str, sector_size: SectorSize) -> [u8; 512] {
    let mut sector = [0; 512];
    let mut put = |at: usize, bytes: &[u8]| sector[at..at + bytes.len()].copy_from_slice(bytes);
    let bytes = sector_size.bytes() as u16;
    put(0x00, &[0xeb, 0x58, 0x90]);
    put(0x0b, &bytes.to_le_bytes());
    put(0x0d, &[8]);
    put(0x15, &[0xf8]);
    let sectors = SIZE / u64::from(bytes);
    match name {
        "NTFS" => {
            put(0x03, b"NTFS    ");
            put(0x24, &[0x80, 0, 0x80, 0]);
            put(0x28, &(sectors - 1).to_le_bytes());
            put(0x30, &4_u64.to_le_bytes());
            put(0x38, &2_u64.to_le_bytes());
            put(0x40, &[0xf6, 0, 0, 0, 1]);
        }
        _ => {
            put(0x03, b"MSWIN4.1");
            put(0x0e, &[32, 0, 2]);
            put(0x20, &(sectors as u32).to_le_bytes());
            put(0x24, &[1, 0, 0, 0]);
            put(0x2c, &[2, 0, 0, 0, 1, 0, 6]);
            put(0x40, &[0x80, 0, 0x29]);
            put(0x47, b"NO NAME    FAT32   ");
        }
    }
    put(0x1fe, &[0x55, 0xaa]);
    sector
}
