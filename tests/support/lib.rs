//! What the whole-program tests share: where the real drives are, and what is known of them.

use std::env;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, OnceLock};

use fve::{ReadAt, Volume, WriteAt};
use sha2::{Digest, Sha256};

pub mod browser;
pub mod conversion;
pub mod domain;
pub mod fill;
pub mod judges;
pub mod known;
pub mod lastkeyd;
pub mod made;
pub mod makers;
pub mod metadata;
pub mod nbd;
pub mod overlay;
pub mod panel;
pub mod peers;
pub mod postgres;
pub mod program;
pub mod real;
pub mod said;
pub mod tree;
pub mod visitor;
pub mod vm;
pub mod whole;

/// Says why a test does not run; under CI that is a failure.
///
/// # Panics
/// When the environment variable `CI` is set.
pub fn skip(why: &str) {
    assert!(env::var_os("CI").is_none(), "under CI nothing may be missing: {why}");
    eprintln!("SKIPPED: {why}");
}

/// Returns the folder with the unpacked real drives; `None`, loudly, when there are none.
pub fn real_drives() -> Option<&'static Path> {
    static FOLDER: OnceLock<Option<PathBuf>> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| {
        if let Some(unpacked) = env::var_os("LASTKEY_IMAGES_UNPACKED") {
            return Some(unpacked.into());
        }
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent()?;
        let packed = env::var_os("LASTKEY_IMAGES").map_or(root.join("../shared/images"), PathBuf::from);
        let unpacked = root.join("target/images");
        let status = Command::new(packed.join("unpack")).arg(&unpacked).status().ok()?;
        status.success().then_some(unpacked)
    });
    if folder.is_none() {
        skip("no real drives: set LASTKEY_IMAGES to the folder that holds them");
    }
    folder.as_deref()
}

/// A file as a source of bytes.
pub struct Image {
    file: File,
    size: u64,
}

impl Image {
    /// Opens a file that must be there.
    pub fn open(path: &Path) -> io::Result<Arc<dyn ReadAt>> {
        let file = File::open(path)?;
        let size = file.metadata()?.len();
        Ok(Arc::new(Self { file, size }))
    }

    /// Opens a file that must be there, to change it.
    pub fn open_to_write(path: &Path) -> io::Result<Self> {
        let file = File::options().read(true).write(true).open(path)?;
        let size = file.metadata()?.len();
        Ok(Self { file, size })
    }

    /// Makes a file of zeros.
    pub fn create(path: &Path, size: u64) -> io::Result<Self> {
        let file = File::options().read(true).write(true).create_new(true).open(path)?;
        file.set_len(size)?;
        Ok(Self { file, size })
    }
}

impl WriteAt for Image {
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all_at(bytes, offset)
    }

    fn flush(&self) -> io::Result<()> {
        Ok(())
    }
}

impl ReadAt for Image {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        self.file.read_exact_at(buf, offset)
    }

    fn size(&self) -> u64 {
        self.size
    }
}

/// Opens a drive that must be BitLocker's.
pub fn open(path: &Path) -> Volume {
    let source = Image::open(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    Volume::open(source).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// Returns the SHA-256 of a part of a source, in hex.
pub fn sha256(source: &dyn ReadAt, from: u64, to: u64) -> String {
    let mut hasher = Sha256::new();
    let mut buf = vec![0; 1 << 20];
    let mut at = from;
    while at < to {
        let length = usize::try_from(to - at).map_or(buf.len(), |left| left.min(buf.len()));
        source.read_at(at, &mut buf[..length]).unwrap_or_else(|e| panic!("reading at {at:#x}: {e}"));
        hasher.update(&buf[..length]);
        at += length as u64;
    }
    hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}
