use std::io;
use std::sync::Arc;

use ::account::Trust;
use ::account::place::{About as AccountAbout, Accounts};
use ::account::signature::DeviceKey;
use ::account::wire::Recipient;
use fve::{
    BOOT_BLOCK, FileTime, Front, Layout, Method, NewProtector, NewVolume, ReadAt, SectorSize, WriteAt,
};
use recovery_key::{KeyId, RecoveryPassword};
use tempfile::TempDir;

use super::*;
use crate::document::About;
use crate::{BackupError, Standing, back_up};

const SIZE: usize = 0xe_0000;
const BOOT_COPY: u64 = 0xb_0000;

/// A drive in memory.
struct Memory(Mutex<Vec<u8>>);

impl Memory {
    fn bytes(&self) -> MutexGuard<'_, Vec<u8>> {
        self.0.lock().expect("nobody panicked")
    }
}

impl WriteAt for Memory {
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let at = usize::try_from(offset).expect("a small drive");
        self.bytes()[at..at + bytes.len()].copy_from_slice(bytes);
        Ok(())
    }

    fn flush(&self) -> io::Result<()> {
        Ok(())
    }
}

impl ReadAt for Memory {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        let at = usize::try_from(offset).expect("a small drive");
        buf.copy_from_slice(&self.bytes()[at..at + buf.len()]);
        Ok(())
    }

    fn size(&self) -> u64 {
        SIZE as u64
    }
}

fn digits(byte: u8) -> RecoveryPassword {
    RecoveryPassword::from_bytes(Secret::new([byte; 16]))
}

/// A computer with a drive and an account whose server is away.
struct Computer {
    folder: TempDir,
    volume: Volume,
    key_id: KeyId,
}

impl Computer {
    fn new() -> Self {
        let password = digits(1);
        let new = NewVolume {
            method: Method::AesXts128,
            sector_size: SectorSize::B512,
            label: "TEST",
            now: FileTime::from_unix(1_795_000_000, 0),
            layout: Layout {
                metadata: [0x3_0000, 0x6_0000, 0xa_0000],
                boot_copy: BOOT_COPY,
                reserved: BOOT_COPY + BOOT_BLOCK,
            },
            front: Front::Standard { sectors_per_cluster: 8 },
            protectors: &[NewProtector::RecoveryPassword(&password)],
        };
        let drive = Arc::new(Memory(Mutex::new(vec![0; SIZE])));
        let mut plain = vec![0; SIZE];
        // What BitLocker wants of a file system: its name, and the sizes of sectors and clusters.
        plain[3..11].copy_from_slice(b"NTFS    ");
        plain[0x0b..0x0e].copy_from_slice(&[0, 2, 8]);
        plain[0x28..0x30].copy_from_slice(&(SIZE as u64 / 512 - 1).to_le_bytes());
        plain[0x1fe..0x200].copy_from_slice(&[0x55, 0xaa]);
        let created = new.write(&plain, &*drive, |_| ()).expect("a volume");
        let volume = Volume::open(drive).expect("it opens");

        let folder = tempfile::tempdir().expect("a folder");
        let server = "https://localhost:1".parse().expect("a server");
        let mut about = AccountAbout::new(&server, &Trust::Pinned(vec![0]), "localhost/log+00000000+AQ==");
        about.device = "device-1".to_owned();
        let owner = age::x25519::Identity::generate().to_public().to_string();
        about.recipients = vec![Recipient { name: "ada".to_owned(), recipient: owner }];
        let key = DeviceKey::from_bytes(&Secret::new([7; 32]));
        Accounts::at(folder.path().to_owned()).add("ada", &about, &key).expect("added");
        Self { folder, volume, key_id: created.protectors[0] }
    }

    fn session(&self) -> Session {
        let account = Accounts::at(self.folder.path().to_owned()).open("ada").expect("read").expect("there");
        Session::begin(account).expect("a session")
    }

    fn destination(&self) -> AccountDestination {
        AccountDestination::new(self.session())
    }

    fn document(&self, password: RecoveryPassword) -> Document {
        let drive = About { volume: self.volume.id(), label: None, now: 1 };
        Document { drive, content: Content::RecoveryPassword { key_id: self.key_id, password } }
    }

    /// Saves and proves; the server is away.
    fn back_up(&self, password: RecoveryPassword) -> Result<Standing, BackupError> {
        let backup = back_up(&self.volume, &self.document(password), &self.destination())?;
        Ok(backup.standing)
    }

    /// What is to be sent.
    fn waiting(&self) -> Vec<NewRecord> {
        let waiting = self.session().account().waiting().expect("read");
        waiting.into_iter().map(|waiting| waiting.record).collect()
    }

    /// All files that are or will be records.
    fn files(&self) -> usize {
        std::fs::read_dir(self.folder.path().join("ada/waiting")).expect("a folder").count()
    }

    /// Saves a key and does no more: the power is gone before the proof.
    fn is_cut_off(&self, password: RecoveryPassword) {
        let destination = self.destination();
        destination.look_at(&self.volume);
        destination.save(&self.document(password)).expect("saved");
        assert!(destination.state().session.account().damaged().expect("read").is_empty());
    }
}

#[test]
fn what_was_never_proven_is_never_sent() {
    let computer = Computer::new();
    computer.is_cut_off(digits(2));
    assert_eq!(computer.files(), 1, "it lies there, to be read back");
    assert!(computer.session().deliver_all().expect("read").is_empty());
    assert_eq!((computer.waiting(), computer.files()), (Vec::new(), 0));
}

#[test]
fn an_older_proven_record_waits_until_a_newer_one_is_proven() {
    let computer = Computer::new();
    assert!(matches!(computer.back_up(digits(1)), Ok(Standing::Waiting(_))));
    let proven = computer.waiting();
    assert_eq!(proven.len(), 1);

    computer.is_cut_off(digits(2));
    assert_eq!(computer.waiting(), proven, "after a cut");
    assert!(matches!(computer.back_up(digits(2)), Err(BackupError::NotProven(_))));
    assert_eq!((computer.waiting(), computer.files()), (proven.clone(), 1), "after a failed proof");

    assert!(matches!(computer.back_up(digits(1)), Ok(Standing::Waiting(_))));
    let newer = computer.waiting();
    assert_eq!((newer.len(), computer.files()), (1, 1));
    assert_ne!(newer[0].sealed, proven[0].sealed);
}

#[test]
fn what_cannot_be_kept_to_wait_is_said_not_to_wait() {
    let computer = Computer::new();
    let destination = computer.destination();
    destination.look_at(&computer.volume);
    let copy = destination.save(&computer.document(digits(1))).expect("saved");
    std::fs::remove_dir_all(computer.folder.path().join("ada/waiting")).expect("removed");
    let why = destination.deliver(&copy).expect_err("nothing is there");
    assert!(why.contains("cannot be reached") && why.contains("nor could it be kept here"), "{why}");
}
