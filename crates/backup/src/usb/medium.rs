//! What is on the medium, as opposed to in memory.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use drives::Attached;
use recovery_key::{Secret, document::SIZE_LIMIT};

use crate::file::forget_cache;

/// Reads a file from the medium: past the cache where the file system can, else after it was forgotten.
pub fn read(path: &Path) -> io::Result<Secret<Vec<u8>>> {
    let file = File::open(path)?;
    if let Some(bytes) = system::read(path, file.metadata()?.len())? {
        return Ok(bytes);
    }
    forget_cache(&file)?;
    let mut bytes = Secret::new(Vec::new());
    file.take(SIZE_LIMIT as u64).read_to_end(bytes.expose_mut())?;
    Ok(bytes)
}

/// Empties the caches of the system and of the drive onto the medium, as far as this process may.
pub fn flush(drive: &Attached) -> io::Result<()> {
    system::flush(drive)
}

/// Returns whether nothing uses the drive any more, and no cache holds anything for it: whether it can be pulled out.
pub fn is_free(drive: &Attached) -> io::Result<bool> {
    system::is_free(drive)
}

#[cfg(target_os = "linux")]
mod system {
    use std::fs;
    use std::os::unix::fs::OpenOptionsExt;
    use std::path::PathBuf;

    use rustix::fs::OFlags;

    use super::*;

    /// As large as any sector, and so a good place and length for reading past the cache.
    const GRAIN: usize = 4096;

    pub fn read(path: &Path, length: u64) -> io::Result<Option<Secret<Vec<u8>>>> {
        let length = usize::try_from(length).unwrap_or(SIZE_LIMIT).min(SIZE_LIMIT);
        let opened = File::options().read(true).custom_flags(flags(OFlags::DIRECT)).open(path);
        let mut file = match opened {
            Err(error) if cannot(&error) => return Ok(None),
            opened => opened?,
        };
        let mut bytes = Secret::new(vec![0; length.next_multiple_of(GRAIN) + GRAIN]);
        let start = bytes.expose().as_ptr().align_offset(GRAIN);
        let room = bytes.expose_mut().get_mut(start..).unwrap_or_default();
        let room = room.get_mut(..length.next_multiple_of(GRAIN)).unwrap_or_default();
        let mut filled = 0;
        while filled < length {
            match file.read(room.get_mut(filled..).unwrap_or_default()) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if cannot(&error) => return Ok(None),
                Err(error) => return Err(error),
            }
        }
        bytes.expose_mut().drain(..start);
        bytes.expose_mut().truncate(length);
        Ok(Some(bytes))
    }

    /// Not every file system can read past the cache, and some need larger grains.
    fn cannot(error: &io::Error) -> bool {
        use rustix::io::Errno;
        matches!(Errno::from_io_error(error), Some(Errno::INVAL | Errno::OPNOTSUPP))
    }

    pub fn flush(drive: &Attached) -> io::Result<()> {
        match File::open(&drive.path) {
            // Whoever may not open the drive has unmounted it through udisks, which has done what it can.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
            opened => opened?.sync_all(),
        }
    }

    pub fn is_free(drive: &Attached) -> io::Result<bool> {
        let disk = disk(drive);
        if !drives::mounted(&disk)?.is_empty() {
            return Ok(false);
        }
        // The kernel lets nobody have a disk for themselves while it or one of its partitions is
        // mounted, wherever that mount can be seen.
        match File::options().read(true).custom_flags(flags(OFlags::EXCL)).open(&disk) {
            Ok(file) => file.sync_all().map(|()| true),
            Err(error) if error.kind() == io::ErrorKind::ResourceBusy => Ok(false),
            // Without the right to flush its cache, it must have none.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(has_no_cache(&disk)),
            Err(error) => Err(error),
        }
    }

    fn disk(drive: &Attached) -> PathBuf {
        let disk = drive.parent.as_ref().map(|name| Path::new("/dev").join(name.replace('!', "/")));
        disk.filter(|disk| disk.exists()).unwrap_or_else(|| drive.path.clone())
    }

    fn has_no_cache(disk: &Path) -> bool {
        let Some(name) = disk.file_name() else { return false };
        let file = Path::new("/sys/class/block").join(name).join("queue/write_cache");
        fs::read_to_string(file).is_ok_and(|cache| cache.trim() == "write through")
    }

    fn flags(flags: OFlags) -> i32 {
        flags.bits().cast_signed()
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    use super::*;

    pub fn read(_: &Path, _: u64) -> io::Result<Option<Secret<Vec<u8>>>> {
        Ok(None)
    }

    pub fn flush(_: &Attached) -> io::Result<()> {
        Ok(())
    }

    /// A drive stays mounted here.
    pub fn is_free(_: &Attached) -> io::Result<bool> {
        Ok(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_any_length_are_read_whole() {
        // Beside the program lies a file system of a disk; the folder for temporary files may be memory.
        let program = std::env::current_exe().expect("a path");
        for place in [program.parent().expect("a folder"), &std::env::temp_dir()] {
            let folder = tempfile::tempdir_in(place).expect("a folder");
            let path = folder.path().join("file");
            for length in [0, 1, 156, 511, 512, 4095, 4096, 4097, 65536, 70000] {
                let bytes: Vec<u8> = (0..length).map(|n| (n * 7 % 251) as u8).collect();
                std::fs::write(&path, &bytes).expect("written");
                assert!(*read(&path).expect("read").expose() == bytes, "{length} bytes");
            }
        }
    }
}
