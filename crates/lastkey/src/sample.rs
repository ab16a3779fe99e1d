//! A small BitLocker To Go drive for people who have none at hand.
//!
//! It is what Windows makes of a USB stick, only smaller. Whoever has a key sees a FAT32 file system with
//! a few files. Whoever has none sees another one, which lies over the first sectors of the drive: a
//! readme, and one file that covers all the rest, so that no computer writes there.
//!
//! ```text
//!              0     front                 8 MiB       9 MiB    24 MiB       40 MiB      48 MiB
//! without key  boot, FATs, README.TXT | COV 0000. BL ...............................................
//! on the drive the same               | data ... metadata .. front with key .. metadata .. metadata ..
//! with key     boot, FATs, files      | ........ hidden system files, empty ........................
//! ```
//!
//! Inside, BitLocker's areas are the clusters of hidden system files with the names that Windows gives
//! them, so no file system ever puts anything there. The copies of the metadata lie 16 MiB apart: no
//! single damaged spot takes two of them.

use fve::boot_sector::BootSector;
use fve::{
    CreateError, Created, FileTime, Front, Layout, METADATA_REGION, Method, NewProtector, NewVolume,
    RESERVED_AREA, SectorSize, WriteAt,
};
use recovery_key::{RecoveryPassword, Secret};

use self::directory::{HIDDEN, READ_ONLY, SYSTEM};
use self::fat32::{Content, Entry, Fat32, Image};

mod directory;
mod fat32;

/// The size of the drive in bytes.
pub const SIZE: u64 = 48 << 20;

const METADATA: [u64; 3] = [8 << 20, 24 << 20, 40 << 20];
const BOOT_COPY: u64 = 9 << 20;

/// Writes the drive. `progress` hears how many of its [`SIZE`] bytes have been written.
///
/// # Errors
/// When writing fails, or the operating system gives no random numbers.
pub fn write(
    out: &dyn WriteAt,
    label: &str,
    now: FileTime,
    password: &Secret<String>,
    recovery_password: &RecoveryPassword,
    progress: impl FnMut(u64),
) -> Result<Created, CreateError> {
    let front = outside(now);
    let boot_copy = BOOT_COPY..BOOT_COPY + front.len() as u64;
    let layout = Layout { metadata: METADATA, boot_copy: boot_copy.start, reserved: boot_copy.end };
    let volume = NewVolume {
        method: Method::AesXts128,
        sector_size: SectorSize::B512,
        label,
        now,
        layout,
        front: Front::Discovery(&front),
        protectors: &[NewProtector::Password(password), NewProtector::RecoveryPassword(recovery_password)],
    };
    volume.write(&inside(now, front.len() as u64), out, progress)
}

/// Makes a recovery password of random bytes.
///
/// # Errors
/// When the operating system gives no random numbers.
pub fn new_recovery_password() -> Result<RecoveryPassword, getrandom::Error> {
    let mut bytes = Secret::new([0; 16]);
    getrandom::fill(bytes.expose_mut())?;
    Ok(RecoveryPassword::from_bytes(bytes))
}

const OUTSIDE_README: &str = "\
This drive is encrypted with BitLocker.\r
\r
To see the files on it you need its password or its recovery key, the 48 digits\r
that were written down when it was encrypted. Windows asks for one of them. On\r
other systems, and where Windows does not let you in, lastkey opens the drive:\r
\r
    lastkey read DRIVE --out FILE\r
\r
Do not delete anything here: the big hidden file is the data, encrypted.\r
";

const INSIDE_README: &str = "\
This is the inside of an encrypted drive, so you have opened it: well done.\r
\r
It is a sample that lastkey made, to try things out on. All that is on it is\r
made up, and its keys open nothing else. Delete it when you like.\r
\r
Numbers.txt counts from 1 to 36000. If all of it is there, all was decrypted:\r
\r
    seq 36000 | cmp - Numbers.txt\r
";

const NOTE: &str = "A folder, to show that folders work.\r\n";

const LONG_NAME: &str =
    "Ein Schlüssel für Zoë – ключ, 鍵 – und ein Name, der nicht in acht Zeichen passt.txt";

/// Returns the beginning of the file system that those see who have no key.
fn outside(now: FileTime) -> Vec<u8> {
    let mut image = Fat32 { size: SIZE, label: "LOCKED", now }.write(vec![
        text("README.TXT", OUTSIDE_README),
        Entry { name: "COV 0000. BL", attributes: READ_ONLY | HIDDEN | SYSTEM, content: Content::Rest },
    ]);
    // The places of the metadata go into the boot sector; its backup is to be the same.
    let boot = image.front().first_chunk().map(|boot| BootSector::to_go(boot, METADATA));
    image.set_boot_sector(&boot.expect("a boot sector"));
    image.front()
}

/// Returns the file system that those see who have a key.
fn inside(now: FileTime, front: u64) -> Image {
    let area = |name, start, length| Entry {
        name,
        attributes: HIDDEN | SYSTEM,
        content: Content::Place(start..start + length),
    };
    let numbers = (1..=36_000).map(|n| format!("{n}\n")).collect::<String>();
    let [one, two, three] = METADATA;
    Fat32 { size: SIZE, label: "LASTKEY", now }.write(vec![
        text("README.TXT", INSIDE_README),
        text("Numbers.txt", &numbers),
        text(LONG_NAME, NOTE),
        Entry { name: "Folder", attributes: 0, content: Content::Folder(vec![text("Note.txt", NOTE)]) },
        Entry {
            name: "System Volume Information",
            attributes: HIDDEN | SYSTEM,
            content: Content::Folder(vec![
                area("FVE2.{e40ad34d-dae9-4bc7-95bd-b16218c10f72}.1", one, METADATA_REGION),
                area("FVE2.{e40ad34d-dae9-4bc7-95bd-b16218c10f72}.2", two, METADATA_REGION),
                area("FVE2.{e40ad34d-dae9-4bc7-95bd-b16218c10f72}.3", three, METADATA_REGION),
                area("FVE2.{24e6f0ae-6a00-4f73-984b-75ce9942852d}", BOOT_COPY, front),
                area("FVE2.{da392a22-cae0-4f0f-9a30-b8830385d046}", BOOT_COPY + front, RESERVED_AREA),
            ]),
        },
    ])
}

fn text<'a>(name: &'a str, text: &str) -> Entry<'a> {
    Entry { name, attributes: 0, content: Content::Bytes(text.as_bytes().to_vec()) }
}

#[cfg(test)]
mod tests {
    use std::io::{self, Cursor, Read};
    use std::sync::{Arc, Mutex, OnceLock};

    use fve::{Key, ReadAt, Volume};

    use super::*;

    const NOW: FileTime = FileTime(133_500_000_000_000_000);

    struct Memory(Mutex<Vec<u8>>);

    impl ReadAt for Memory {
        fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
            self.0.lock().expect("no panic").read_at(offset, buf)
        }

        fn size(&self) -> u64 {
            SIZE
        }
    }

    impl WriteAt for Memory {
        fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
            let at = offset as usize;
            self.0.lock().expect("no panic")[at..at + bytes.len()].copy_from_slice(bytes);
            Ok(())
        }

        fn flush(&self) -> io::Result<()> {
            Ok(())
        }
    }

    struct Drive {
        bytes: Vec<u8>,
        created: Created,
        keys: [Key; 2],
    }

    fn drive() -> &'static Drive {
        static DRIVE: OnceLock<Drive> = OnceLock::new();
        DRIVE.get_or_init(|| {
            let password = Secret::new("correct horse".to_owned());
            let digits = new_recovery_password().expect("random numbers");
            let out = Memory(Mutex::new(vec![0; SIZE as usize]));
            let mut heard = 0;
            let progress = |done| {
                assert!(done > heard);
                heard = done;
            };
            let created =
                write(&out, "SAMPLE 2024-01-17", NOW, &password, &digits, progress).expect("a drive");
            assert_eq!(heard, SIZE);
            let bytes = out.0.into_inner().expect("no panic");
            Drive { bytes, created, keys: [Key::Password(password), Key::RecoveryPassword(digits)] }
        })
    }

    type Files = fatfs::FileSystem<Cursor<Vec<u8>>>;

    fn files(image: Vec<u8>) -> Files {
        fatfs::FileSystem::new(Cursor::new(image), fatfs::FsOptions::new()).expect("a FAT file system")
    }

    fn read(files: &Files, path: &str) -> String {
        let mut text = String::new();
        files.root_dir().open_file(path).expect(path).read_to_string(&mut text).expect(path);
        text
    }

    fn names(folder: &fatfs::Dir<'_, Cursor<Vec<u8>>>) -> Vec<String> {
        folder.iter().map(|entry| entry.expect("an entry").file_name()).collect()
    }

    #[test]
    fn each_key_is_proven() {
        let drive = drive();
        let volume = Volume::open(Arc::new(drive.bytes.clone())).expect("a volume");
        for (key, id) in drive.keys.iter().zip(&drive.created.protectors) {
            let proof = volume.prove(key).expect("a proof");
            assert_eq!((proof.key_id(), proof.volume()), (*id, drive.created.volume));
        }
        assert_eq!(volume.metadata().label().as_deref(), Some("SAMPLE 2024-01-17"));
    }

    #[test]
    fn with_a_key_all_files_are_there_and_right() {
        let drive = drive();
        let volume = Volume::open(Arc::new(drive.bytes.clone())).expect("a volume");
        let unlocked = volume.unlock(&drive.keys[0]).expect("the password");
        let mut plain = vec![0; SIZE as usize];
        unlocked.view().expect("a view").read_at(0, &mut plain).expect("all of it");

        let files = files(plain);
        assert_eq!(files.volume_label(), "LASTKEY");
        let root = files.root_dir();
        let expected = ["README.TXT", "Numbers.txt", LONG_NAME, "Folder", "System Volume Information"];
        assert_eq!(names(&root), expected);
        assert_eq!(read(&files, "README.TXT"), INSIDE_README);
        assert_eq!(read(&files, LONG_NAME), NOTE);
        assert_eq!(read(&files, "Folder/Note.txt"), NOTE);
        let numbers = read(&files, "Numbers.txt");
        assert!(numbers.lines().map(str::parse).eq((1..=36_000).map(Ok::<u32, std::num::ParseIntError>)));

        // BitLocker's areas are files, so nothing else will be written there; they read as zeros.
        let system = root.open_dir("System Volume Information").expect("a folder");
        let hidden = fatfs::FileAttributes::HIDDEN | fatfs::FileAttributes::SYSTEM;
        let areas: Vec<_> = system.iter().skip(2).map(|entry| entry.expect("an entry")).collect();
        assert_eq!(areas.len(), 5);
        for area in areas {
            assert_eq!(area.attributes(), hidden);
            let mut bytes = Vec::new();
            area.to_file().read_to_end(&mut bytes).expect("its bytes");
            assert_eq!((bytes.len() as u64, bytes.iter().any(|b| *b != 0)), (area.len(), false));
        }
        let time = root.iter().next().expect("a file").expect("an entry").modified();
        assert_eq!((time.date.year, time.date.month, time.date.day), (2024, 1, 17));
    }

    #[test]
    fn without_a_key_there_is_a_readme_and_no_room_to_write_in() {
        let files = files(drive().bytes.clone());
        assert_eq!(files.volume_label(), "LOCKED");
        assert_eq!(names(&files.root_dir()), ["README.TXT", "COV 0000. BL"]);
        assert_eq!(read(&files, "README.TXT"), OUTSIDE_README);
        assert_eq!(files.stats().expect("counts").free_clusters(), 0);
        let cover = files.root_dir().iter().last().expect("two entries").expect("an entry");
        let expected = READ_ONLY | HIDDEN | SYSTEM;
        assert_eq!(cover.attributes().bits(), expected);
        let mut all = Vec::new();
        cover.to_file().read_to_end(&mut all).expect("the rest of the drive");
        assert!(drive().bytes.ends_with(&all) && all.len() as u64 > SIZE - (1 << 20));
    }

    #[test]
    fn any_one_copy_of_the_metadata_is_enough() {
        for kept in METADATA {
            let mut bytes = drive().bytes.clone();
            for lost in METADATA.into_iter().filter(|place| *place != kept) {
                // With it goes what lies around it.
                let around = lost as usize - (4 << 20)..(lost + METADATA_REGION) as usize;
                bytes[around].fill(0);
            }
            let volume = Volume::open(Arc::new(bytes)).expect("a volume");
            assert!(volume.prove(&drive().keys[1]).is_ok(), "{kept:#x}");
        }
    }
}
