//! Whole volumes: a real file system, made and filled by other programs, then encrypted by lastkey. Every byte is
//! in place; BitLocker's own areas lie in files of `System Volume Information`, as Windows puts them.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use fve::{
    BOOT_BLOCK, FileTime, Front, Layout, METADATA_REGION, Method, NewProtector, NewVolume, RESERVED_AREA,
    SectorSize, WriteAt,
};
use recovery_key::bek::Bek;
use recovery_key::{KeyId, RecoveryPassword, Secret};
use unlocked::FileSystem;

use crate::Image;
use crate::made::DIGITS;
use crate::makers::{Volume, noise, run};

/// Which volume; [`Form::new`] says what is usual.
#[derive(Clone, Copy, Debug)]
pub struct Form {
    /// How it is encrypted.
    pub method: Method,
    /// Its sector size. exFAT is made with 512 bytes only.
    pub sector_size: SectorSize,
    /// Its size in bytes.
    pub size: u64,
}

/// A volume with its keys.
#[derive(Debug)]
pub struct Whole {
    /// The image file.
    pub path: PathBuf,
    /// An image file of what is inside: BitLocker's own areas are zeros.
    pub plain: PathBuf,
    /// A file with its password.
    pub password_file: PathBuf,
    /// A file with its recovery password.
    pub recovery_key_file: PathBuf,
    /// Its external key, with which it opens at once.
    pub bek: PathBuf,
    /// Where BitLocker's own areas are.
    pub layout: Layout,
}

/// Makes an NTFS volume in a folder, filled by `fill`, which gets the folder where it is mounted; `None`,
/// loudly, when a program is missing.
pub fn ntfs(folder: &Path, method: Method, fill: impl FnOnce(&Path)) -> Option<Whole> {
    Form::new(method).ntfs(folder, fill)
}

/// Does the same with exFAT, as BitLocker To Go.
pub fn exfat(folder: &Path, method: Method, fill: impl FnOnce(&Path)) -> Option<Whole> {
    Form::new(method).exfat(folder, fill)
}

/// Does the same with FAT, as BitLocker To Go. `fill` gets a folder that is then copied into the volume.
pub fn fat(folder: &Path, method: Method, fill: impl FnOnce(&Path)) -> Option<Whole> {
    Form::new(method).fat(folder, fill)
}

impl Form {
    /// Returns the form of a volume of 64 MiB with sectors of 512 bytes.
    pub fn new(method: Method) -> Self {
        Self { method, sector_size: SectorSize::B512, size: 64 << 20 }
    }

    /// [`ntfs`] in this form.
    ///
    /// # Panics
    /// When it cannot be made although the programs are there.
    pub fn ntfs(self, folder: &Path, fill: impl FnOnce(&Path)) -> Option<Whole> {
        let sector = self.sector_size.bytes().to_string();
        let options = ["--quick", "--force", "--quiet", "--label", "whole", "-c", "4096", "-s", &sector];
        let volume = Volume::make(self.size, "mkntfs", &options)?;
        // `streams_interface=windows`: `file:stream` names a stream.
        let mounted =
            volume.mount("ntfs-3g", &["-o", "compression,streams_interface=windows,special_files=wsl"])?;
        reserve(&mounted.folder, BOOT_BLOCK);
        fill(&mounted.folder);
        drop(mounted);
        let sectors_per_cluster = u8::try_from(4096 / self.sector_size.bytes()).expect("few sectors");
        Some(self.encrypt(folder, &volume, &Front::Standard { sectors_per_cluster }))
    }

    /// [`exfat`] in this form.
    ///
    /// # Panics
    /// When it cannot be made although the programs are there.
    pub fn exfat(self, folder: &Path, fill: impl FnOnce(&Path)) -> Option<Whole> {
        assert_eq!(self.sector_size, SectorSize::B512, "mkfs.exfat makes no other sectors");
        let volume = Volume::make(self.size, "mkfs.exfat", &["-L", "whole", "-c", "4K"])?;
        let mounted = volume.mount("mount.exfat-fuse", &[])?;
        reserve(&mounted.folder, DISCOVERY);
        fill(&mounted.folder);
        drop(mounted);
        Some(self.encrypt(folder, &volume, &Front::Discovery(&self.discovery()?)))
    }

    /// [`fat`] in this form: FAT32 with sectors of 512 bytes, else FAT16.
    ///
    /// # Panics
    /// When it cannot be made although the programs are there.
    pub fn fat(self, folder: &Path, fill: impl FnOnce(&Path)) -> Option<Whole> {
        let sector = self.sector_size.bytes().to_string();
        let form = if self.sector_size == SectorSize::B512 {
            ["-F", "32", "-s", "1"]
        } else {
            ["-F", "16", "-S", &sector]
        };
        let volume = Volume::make(self.size, "mkfs.vfat", &form)?;
        let own = tempfile::tempdir().expect("a folder");
        reserve(own.path(), DISCOVERY);
        fill(own.path());
        let entries = fs::read_dir(own.path()).expect("a folder");
        let mut paths: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
        // First what must lie in one piece.
        paths.sort_by_key(|path| (!path.ends_with(FOLDER), path.clone()));
        let options = ["-s", "-m", "-n", "-i"].map(OsStr::new).into_iter().chain([volume.image.as_os_str()]);
        let paths = paths.iter().map(|path| path.as_os_str()).chain([OsStr::new("::/")]);
        run("mcopy", options.chain(paths)).then_some(())?;
        Some(self.encrypt(folder, &volume, &Front::Discovery(&self.discovery()?)))
    }

    /// The beginning of a FAT32 file system as large as the volume.
    fn discovery(self) -> Option<Vec<u8>> {
        let sector = self.sector_size.bytes().to_string();
        let volume = Volume::make(self.size, "mkfs.vfat", &["-F", "32", "-s", "1", "-S", &sector])?;
        let mut front = vec![0; DISCOVERY as usize];
        Image::open(&volume.image).expect("an image").read_at(0, &mut front).expect("its beginning");
        Some(front)
    }

    fn encrypt(self, folder: &Path, volume: &Volume, front: &Front<'_>) -> Whole {
        let file = |name| folder.join(name);
        let whole = Whole {
            path: file("volume"),
            plain: file("plain"),
            password_file: file("password.txt"),
            recovery_key_file: file("recovery-key.txt"),
            bek: file("key.BEK"),
            layout: layout(&volume.open(), front_length(front)),
        };
        let plain = Image::open_to_write(&volume.image).expect("an image");
        for (start, length) in whole.areas(front_length(front)) {
            plain.write_at(start, &vec![0; length as usize]).expect("room of its own");
        }
        let password = Secret::new(PASSWORD.to_owned());
        let digits = RecoveryPassword::parse(DIGITS).expect("well-formed digits");
        let bek = Bek::new(KeyId::from_bytes_le([0x5a; 16]), 0, 0, None, Secret::new([0xa5; 32]));
        fs::write(&whole.password_file, PASSWORD).expect("a file");
        fs::write(&whole.recovery_key_file, DIGITS).expect("a file");
        fs::write(&whole.bek, bek.to_bytes().expose()).expect("a file");
        let new = NewVolume {
            method: self.method,
            sector_size: self.sector_size,
            label: "LASTKEY whole 21.11.2026",
            now: FileTime::from_unix(1_795_000_000, 0),
            layout: whole.layout,
            front: match *front {
                Front::Standard { sectors_per_cluster } => Front::Standard { sectors_per_cluster },
                Front::Discovery(bytes) => Front::Discovery(bytes),
            },
            protectors: &[
                NewProtector::Password(&password),
                NewProtector::RecoveryPassword(&digits),
                NewProtector::External(&bek),
            ],
        };
        let out = Image::create(&whole.path, self.size).expect("an image file");
        new.write(&plain, &out, |_| ()).expect("a volume");
        if fs::rename(&volume.image, &whole.plain).is_err() {
            fs::copy(&volume.image, &whole.plain).expect("a copy on another file system");
        }
        whole
    }
}

impl Whole {
    /// Returns BitLocker's own areas: start and length.
    fn areas(&self, front: u64) -> impl Iterator<Item = (u64, u64)> {
        let metadata = self.layout.metadata.map(|start| (start, METADATA_REGION));
        metadata.into_iter().chain([(self.layout.boot_copy, front), (self.layout.reserved, RESERVED_AREA)])
    }
}

fn front_length(front: &Front<'_>) -> u64 {
    match front {
        Front::Standard { .. } => BOOT_BLOCK,
        Front::Discovery(bytes) => bytes.len() as u64,
    }
}

/// Keeps room for BitLocker's own areas. Noise: a file system gives zeros no room, and makes other bytes shorter.
fn reserve(root: &Path, front: u64) {
    let folder = root.join(FOLDER);
    fs::create_dir_all(&folder).expect("a folder");
    for (number, length) in
        [METADATA_REGION, METADATA_REGION, METADATA_REGION, front + RESERVED_AREA].into_iter().enumerate()
    {
        fs::write(folder.join(name(number)), noise(length as usize, number as u64 + 1)).expect("room");
    }
}

/// Finds the room that was kept.
fn layout(files: &FileSystem, front: u64) -> Layout {
    let place = |number| {
        let name = name(number);
        let found = files.find(format!("{FOLDER}/{name}")).expect("the file");
        let file = files.open_file(found.id).expect("its content");
        let [extent] = file.extents() else { panic!("{name} lies in pieces: {:?}", file.extents()) };
        extent.place.expect("a place")
    };
    let boot_copy = place(3);
    Layout { metadata: [place(0), place(1), place(2)], boot_copy, reserved: boot_copy + front }
}

fn name(number: usize) -> String {
    let guid = "FVE2.{e40ad34d-dae9-4bc7-95bd-b16218c10f72}";
    if number < 3 { format!("{guid}.{}", number + 1) } else { guid.to_owned() }
}

const FOLDER: &str = "System Volume Information";
/// The password of every volume.
pub const PASSWORD: &str = "correct horse battery staple";
const DISCOVERY: u64 = 0x6000;
