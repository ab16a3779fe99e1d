//! Large volumes for measuring: an NTFS boot sector and then nothing, or noise in parts of it, encrypted.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use fve::{FileTime, Front, Layout, Method, NewProtector, NewVolume, ReadAt, SectorSize, WriteAt};
use recovery_key::{RecoveryPassword, Secret};

/// The password of every volume.
pub const PASSWORD: &str = "side by side";
/// The recovery password of every volume.
pub const RECOVERY_PASSWORD: &str = "235818-357951-253979-013365-241120-245575-342914-591910";

/// An NTFS boot sector, by which other readers size the volume, and zeros or noise.
struct Plain {
    size: u64,
    boot: [u8; 512],
    /// So many of every 16 MiB are noise.
    filled: u64,
}

impl Plain {
    fn new(size: u64, filled: u64) -> Self {
        let mut boot = [0; 512];
        boot[..11].copy_from_slice(b"\xeb\x52\x90NTFS    ");
        boot[0x0b..0x0e].copy_from_slice(&[0, 2, 8]);
        boot[0x15] = 0xf8;
        boot[0x24..0x28].copy_from_slice(&[0x80, 0, 0x80, 0]);
        boot[0x28..0x30].copy_from_slice(&(size / 512 - 1).to_le_bytes());
        boot[0x30] = 4;
        boot[0x38] = 2;
        boot[0x40] = 0xf6;
        boot[0x44] = 1;
        boot[510..].copy_from_slice(&[0x55, 0xaa]);
        Self { size, boot, filled }
    }
}

impl ReadAt for Plain {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        buf.fill(0);
        for (at, place) in (offset..).step_by(8).zip(buf.chunks_exact_mut(8)) {
            if at >> 20 & 15 < self.filled {
                // Steele's and Vigna's SplitMix.
                let mut word = (at / 8).wrapping_mul(0x9e37_79b9_7f4a_7c15);
                word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
                place.copy_from_slice(&(word ^ (word >> 27)).to_le_bytes());
            }
        }
        if offset == 0 {
            buf[..512].copy_from_slice(&self.boot);
        }
        Ok(())
    }

    fn size(&self) -> u64 {
        self.size
    }
}

struct Out {
    file: File,
    size: u64,
}

impl ReadAt for Out {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        self.file.read_exact_at(buf, offset)
    }

    fn size(&self) -> u64 {
        self.size
    }
}

impl WriteAt for Out {
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all_at(bytes, offset)
    }

    fn flush(&self) -> io::Result<()> {
        Ok(())
    }
}

/// All of 16 MiB.
#[allow(dead_code, reason = "not every bench fills its volumes")]
pub const FULL: u64 = 16;

/// Makes a volume of `size` bytes, of which `filled` of every 16 MiB are not empty.
pub fn make(path: &Path, size: u64, method: Method, filled: u64) -> Result<(), Box<dyn std::error::Error>> {
    let password = Secret::new(PASSWORD.to_owned());
    let recovery_password = RecoveryPassword::parse(RECOVERY_PASSWORD)?;
    let third = size / 3 / 0x1_0000 * 0x1_0000;
    let metadata = [0x10_0000, third, 2 * third];
    let volume = NewVolume {
        method,
        sector_size: SectorSize::B512,
        label: "LASTKEY Bench",
        now: FileTime::from_unix(1_767_225_600, 0),
        layout: Layout { metadata, boot_copy: 0x11_0000, reserved: 0x11_2000 },
        front: Front::Standard { sectors_per_cluster: 8 },
        protectors: &[NewProtector::Password(&password), NewProtector::RecoveryPassword(&recovery_password)],
    };
    let file = File::options().read(true).write(true).create(true).truncate(true).open(path)?;
    file.set_len(size)?;
    volume.write(&Plain::new(size, filled), &Out { file, size }, |_| {})?;
    Ok(())
}
