//! An opened drive: an image file or a device, read and written at any place from any thread.

mod aligned;
mod error;
mod probe;
#[cfg(unix)]
mod unix;
mod window;
#[cfg(windows)]
mod windows;

use std::fs::File;
use std::io::{self, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use fve::{ReadAt, WriteAt};

#[cfg(unix)]
use unix as system;
#[cfg(windows)]
use windows as system;

pub use error::OpenError;
pub use window::Window;

/// An opened image file or device.
#[derive(Debug)]
pub struct Source {
    path: PathBuf,
    file: File,
    size: u64,
    device: bool,
    sector_size: Option<u32>,
    /// Whole sectors of this many bytes are all the system lets one read: raw devices outside Linux, and
    /// reads past the system's cache.
    grain: Option<u64>,
    /// Reads go past the system's cache.
    direct: bool,
}

/// What lies at a path, as far as opening it is concerned.
enum Kind {
    File,
    Device,
    Folder,
    Other,
}

impl Source {
    /// Opens a drive for reading.
    ///
    /// # Errors
    /// [`OpenError`] tells apart what a person can do something about.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        Self::open_for(path, false)
    }

    /// Opens a drive that is failing: a device on Linux is read past the system's cache.
    ///
    /// The cache reads more than it is asked for, takes whole pages for bad where a single sector is, and answers
    /// a second try by itself. Where it cannot be passed by, the drive is opened as ever.
    ///
    /// # Errors
    /// [`OpenError`] tells apart what a person can do something about.
    pub fn open_failing(path: &Path) -> Result<Self, OpenError> {
        let mut source = Self::open(path)?;
        if source.device
            && let Some(sector) = source.sector_size
            && let Some(file) = system::open_direct(path)
        {
            (source.file, source.grain, source.direct) = (file, Some(sector.into()), true);
        }
        Ok(source)
    }

    /// Opens a drive for reading and writing.
    ///
    /// On Linux a device that is mounted or held by another driver is refused, and stays closed to
    /// mounting while this `Source` lives. An image file has no such protection: ask
    /// [`mounted`](crate::mounted) first.
    ///
    /// # Errors
    /// [`OpenError`] tells apart what a person can do something about.
    pub fn open_writable(path: &Path) -> Result<Self, OpenError> {
        Self::open_for(path, true)
    }

    fn open_for(path: &Path, writable: bool) -> Result<Self, OpenError> {
        let mut device = system::is_device_path(path);
        let failed = |device| move |error| OpenError::from_io(path, device, error);
        match system::kind(path).map_err(failed(device))? {
            Kind::File => {}
            Kind::Device => device = true,
            Kind::Folder => return Err(OpenError::Folder { path: path.into() }),
            Kind::Other => return Err(OpenError::NotADrive { path: path.into() }),
        }
        let file = system::open(path, writable, device).map_err(failed(device))?;
        let mut source =
            Self { path: path.into(), file, size: 0, device, sector_size: None, grain: None, direct: false };
        source.measure().map_err(failed(device))?;
        Ok(source)
    }

    /// Takes a device that a process with more rights has opened, and the path by which it did.
    ///
    /// # Errors
    /// When it is no device, or is gone.
    #[cfg(target_os = "linux")]
    pub fn from_device(file: File, path: &Path) -> Result<Self, OpenError> {
        use std::os::unix::fs::FileTypeExt;
        let failed = |error| OpenError::from_io(path, true, error);
        if !file.metadata().map_err(failed)?.file_type().is_block_device() {
            return Err(OpenError::NotADrive { path: path.into() });
        }
        let mut source = Self {
            path: path.into(),
            file,
            size: 0,
            device: true,
            sector_size: None,
            grain: None,
            direct: false,
        };
        source.measure().map_err(failed)?;
        Ok(source)
    }

    fn measure(&mut self) -> io::Result<()> {
        if !self.device {
            self.size = self.file.metadata()?.len();
            return Ok(());
        }
        self.sector_size = system::sector_size(&self.file);
        self.size = self.file.seek(SeekFrom::End(0)).unwrap_or(0);
        if cfg!(target_os = "linux") {
            return Ok(());
        }
        // No safe call tells the size of a raw device here, so it is found by reading.
        let there = |offset, sector| probe::is_there(&self.file, offset, sector);
        let sector = [512, 4096].into_iter().find(|&sector| there(0, sector));
        self.sector_size = sector.and_then(|sector| u32::try_from(sector).ok());
        self.grain = sector;
        if let (0, Some(sector)) = (self.size, sector) {
            self.size = probe::size(sector, |offset| there(offset, sector));
        }
        Ok(())
    }

    /// Returns a part of this source: the partition that lies `size` bytes long at `offset`, or
    /// `None` when it does not lie inside.
    pub fn window(self: Arc<Self>, offset: u64, size: u64) -> Option<Window> {
        Window::new(self, offset, size)
    }

    /// Returns the path it was opened by.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns whether this is a device, not an image file.
    pub fn is_device(&self) -> bool {
        self.device
    }

    /// Returns the bytes in a sector as the device tells them; unknown for image files.
    pub fn sector_size(&self) -> Option<u32> {
        self.sector_size
    }

    /// Checks that `length` bytes lie at `offset`.
    fn inside(&self, offset: u64, length: usize) -> io::Result<()> {
        let end = offset.checked_add(length as u64);
        if end.is_some_and(|end| end <= self.size) {
            Ok(())
        } else {
            Err(io::ErrorKind::UnexpectedEof.into())
        }
    }

    fn read_whole(&self, mut offset: u64, mut buf: &mut [u8]) -> io::Result<()> {
        while !buf.is_empty() {
            match system::read(&self.file, offset, buf) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(count) => {
                    offset += count as u64;
                    buf = buf.get_mut(count..).unwrap_or_default();
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.at("reading", offset, error)),
            }
        }
        Ok(())
    }

    /// Says in an error what was done where: "Input/output error" alone helps nobody with a dying disk.
    fn at(&self, doing: &str, offset: u64, error: io::Error) -> io::Error {
        io::Error::new(error.kind(), format!("{doing} {} at byte {offset}: {error}", self.path.display()))
    }
}

impl ReadAt for Source {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        self.inside(offset, buf.len())?;
        match self.grain {
            None => self.read_whole(offset, buf),
            Some(grain) if self.direct => {
                aligned::read_to_pages(grain, offset, buf, |offset, buf| self.read_whole(offset, buf))
            }
            Some(grain) => aligned::read(grain, offset, buf, |offset, buf| self.read_whole(offset, buf)),
        }
    }

    fn size(&self) -> u64 {
        self.size
    }
}

/// Outside Linux a device takes whole sectors only; others are refused with `InvalidInput`.
impl WriteAt for Source {
    fn write_at(&self, mut offset: u64, mut bytes: &[u8]) -> io::Result<()> {
        self.inside(offset, bytes.len())?;
        let whole = |grain| offset.is_multiple_of(grain) && (bytes.len() as u64).is_multiple_of(grain);
        if !self.grain.is_none_or(whole) {
            return Err(self.at("writing", offset, io::ErrorKind::InvalidInput.into()));
        }
        while !bytes.is_empty() {
            match system::write(&self.file, offset, bytes) {
                Ok(0) => return Err(self.at("writing", offset, io::ErrorKind::WriteZero.into())),
                Ok(count) => {
                    offset += count as u64;
                    bytes = bytes.get(count..).unwrap_or_default();
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.at("writing", offset, error)),
            }
        }
        Ok(())
    }

    fn flush(&self) -> io::Result<()> {
        self.file.sync_all()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(bytes: &[u8]) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().expect("a temp folder");
        let path = folder.path().join("image.raw");
        std::fs::write(&path, bytes).expect("a file");
        (folder, path)
    }

    #[test]
    fn reads_and_writes_where_asked() {
        let (_folder, path) = file(&[7; 1000]);
        let source = Source::open_writable(&path).expect("an image");
        assert_eq!((source.size(), source.is_device(), source.sector_size()), (1000, false, None));
        source.write_at(998, b"ok").expect("two bytes");
        source.flush().expect("a flush");
        let mut end = [0; 3];
        source.read_at(997, &mut end).expect("three bytes");
        assert_eq!(&end, b"\x07ok");
    }

    #[test]
    fn nothing_is_read_or_written_past_the_end() {
        let (_folder, path) = file(&[7; 1000]);
        let source = Source::open_writable(&path).expect("an image");
        for offset in [999, 1000, u64::MAX] {
            let error = source.read_at(offset, &mut [0; 2]).expect_err("past the end");
            assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
            assert!(source.write_at(offset, &[0; 2]).is_err());
        }
        assert_eq!(std::fs::metadata(&path).expect("the file").len(), 1000);
    }

    #[test]
    fn opening_for_reading_does_not_allow_writing() {
        let (_folder, path) = file(&[7; 10]);
        let source = Source::open(&path).expect("an image");
        let error = source.write_at(0, b"x").expect_err("opened for reading");
        assert!(error.to_string().contains("image.raw at byte 0"), "{error}");
    }

    #[test]
    fn a_window_moves_and_bounds_the_view() {
        let (_folder, path) = file(&(0..=255).collect::<Vec<u8>>());
        let source = Arc::new(Source::open(&path).expect("an image"));
        assert!(source.clone().window(200, 57).is_none());
        assert!(source.clone().window(u64::MAX, 2).is_none());
        let window = source.window(200, 56).expect("the last 56 bytes");
        let mut two = [0; 2];
        window.read_at(54, &mut two).expect("the last two");
        assert_eq!((two, window.size()), ([254, 255], 56));
        assert!(window.read_at(55, &mut two).is_err());
        assert!(window.read_at(u64::MAX, &mut two).is_err());
    }

    #[test]
    fn errors_are_told_apart() {
        let folder = tempfile::tempdir().expect("a temp folder");
        assert!(matches!(Source::open(folder.path()), Err(OpenError::Folder { .. })));
        assert!(matches!(Source::open(&folder.path().join("no")), Err(OpenError::NotFound { .. })));
        #[cfg(unix)]
        assert!(matches!(Source::open(Path::new("/dev/null")), Err(OpenError::NotADrive { .. })));
    }
}
