//! The files of a volume, whatever file system keeps them.

use std::fmt;
use std::sync::Arc;

use fve::ReadAt;

use crate::error::{Error, Result};
use crate::exfat::ExFat;
use crate::extents::read;
use crate::fat::Fat;
use crate::file::File;
use crate::name::Name;
use crate::node::{Entry, FileId, FullName, Link, Part, Position, Stat, Stored, Stream};
use crate::ntfs::Ntfs;
use crate::walk::Walk;

/// The files of a volume, to be read and nothing else. Clones are cheap and share everything.
///
/// ```
/// # fn show(volume: std::sync::Arc<dyn fve::ReadAt>) -> Result<(), unlocked::Error> {
/// let files = unlocked::FileSystem::open(volume)?;
/// for entry in files.list(files.root(), Default::default())? {
///     let entry = entry?;
///     println!("{} {}", entry.name, files.stat(entry.id)?.size);
/// }
/// let found = files.find("Users/Anna/letter.txt")?;
/// let mut start = [0; 16];
/// files.open_stream(found.id, &found.stream)?.read_at(0, &mut start)?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct FileSystem(Arc<dyn Reader>);

/// What a file system says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct About {
    /// Which file system it is.
    pub format: Format,
    /// The name that a person gave the volume; empty when there is none.
    pub label: Name,
    /// Its serial number: 64 bits on NTFS, 32 elsewhere.
    pub serial: u64,
    /// Its size in bytes.
    pub size: u64,
    /// The unit in which it gives out space, in bytes.
    pub cluster: u32,
    /// It was not unmounted cleanly: what was last changed may be missing or half done.
    pub dirty: bool,
    /// Its boot sector is lost; the backup took its place.
    pub from_backup: bool,
}

/// The file systems that can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// NTFS
    Ntfs,
    /// exFAT
    ExFat,
    /// FAT with entries of 12 bits.
    Fat12,
    /// FAT with entries of 16 bits.
    Fat16,
    /// FAT with entries of 32 bits.
    Fat32,
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Ntfs => "NTFS",
            Self::ExFat => "exFAT",
            Self::Fat12 => "FAT12",
            Self::Fat16 => "FAT16",
            Self::Fat32 => "FAT32",
        })
    }
}

/// What a path leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The file or folder.
    pub id: FileId,
    /// The stream of it, empty for its own content.
    pub stream: Name,
}

impl FileSystem {
    /// Recognises the file system of a volume. Where the boot sector is lost, its backup is used.
    ///
    /// # Errors
    /// When it is none that can be read, or what every file needs is destroyed.
    pub fn open(source: Arc<dyn ReadAt>) -> Result<Self> {
        let first = match Self::open_at(&source, 0, false) {
            Ok(files) => return Ok(files),
            Err(error) => error,
        };
        // FAT32 keeps a backup in sector 6, exFAT in sector 12, NTFS in the last one.
        let places = [512, 4096].into_iter().flat_map(|sector| {
            let last = (source.size() / sector).saturating_sub(1) * sector;
            [6 * sector, 12 * sector, last]
        });
        let backup = places.filter_map(|place| Self::open_at(&source, place, true).ok()).next();
        backup.ok_or(first)
    }

    fn open_at(source: &Arc<dyn ReadAt>, place: u64, from_backup: bool) -> Result<Self> {
        let mut sector = [0; 512];
        read(source, "boot sector", place, &mut sector)?;
        let source = source.clone();
        let reader: Arc<dyn Reader> = match &sector[3..11] {
            b"NTFS    " => Arc::new(Ntfs::open(source, &sector, from_backup)?),
            b"EXFAT   " => Arc::new(ExFat::open(source, &sector, from_backup)?),
            b"-FVE-FS-" => return Err(Error::NoFileSystem("this is a BitLocker volume, not yet unlocked")),
            _ => Arc::new(Fat::open(source, &sector, from_backup)?),
        };
        Ok(Self(reader))
    }

    /// Returns what the file system says about itself.
    pub fn about(&self) -> &About {
        self.0.about()
    }

    /// Returns the folder that everything is in.
    pub fn root(&self) -> FileId {
        self.0.root()
    }

    /// Returns what is known of a file or folder.
    ///
    /// # Errors
    /// When there is none of this number, or its record cannot be read.
    pub fn stat(&self, id: FileId) -> Result<Stat> {
        self.0.stat(id)
    }

    /// Looks for a name in a folder: the very name, else one that differs only in case, by the rules of
    /// the file system. Short names (`PROGRA~1`) are found too.
    ///
    /// # Errors
    /// When this is no folder or cannot be read; not when there is no such name.
    pub fn lookup(&self, folder: FileId, name: &Name) -> Result<Option<Entry>> {
        self.0.lookup(folder, name)
    }

    /// Lists a folder, in the order in which it is stored, while it is being read. Left out are the folder
    /// itself, its parent, short names of files that have a long one, and NTFS's own files in the root.
    ///
    /// An entry that cannot be read is an error in its place; what comes behind it follows. To go on
    /// where an earlier listing stopped, give its last entry's [`next`](Entry::next).
    ///
    /// # Errors
    /// When this is no folder or cannot be read.
    pub fn list(&self, folder: FileId, from: Position) -> Result<Listing> {
        self.0.clone().list(folder, from)
    }

    /// Goes through a folder and everything in it, in the order of names.
    pub fn walk(&self, folder: FileId) -> Walk {
        Walk::new(self.clone(), folder)
    }

    /// Returns the named streams of a file or folder, without those in which Windows keeps compressed content.
    ///
    /// # Errors
    /// When there is no such file, or its record cannot be read.
    pub fn streams(&self, id: FileId) -> Result<Vec<Stream>> {
        self.0.streams(id)
    }

    /// Opens the content of a file.
    ///
    /// # Errors
    /// When this is a folder, cannot be read, or has its content elsewhere or encrypted.
    pub fn open_file(&self, id: FileId) -> Result<File> {
        self.open_stream(id, &Name::default())
    }

    /// Opens a stream of a file; the empty name is that of its content.
    ///
    /// # Errors
    /// Those of [`open_file`](Self::open_file), and when there is no such stream.
    pub fn open_stream(&self, id: FileId, stream: &Name) -> Result<File> {
        self.0.open(id, stream)
    }

    /// Returns where a link leads.
    ///
    /// # Errors
    /// When this is no link, or cannot be read.
    pub fn link(&self, id: FileId) -> Result<Link> {
        self.0.link(id)
    }

    /// Returns what a file or folder has stored outside of its record, and where. Indexes of folders are left out:
    /// what is lost of those, a listing tells.
    ///
    /// # Errors
    /// When there is no such file, or its record cannot be read.
    pub fn stored(&self, id: FileId) -> Result<Vec<Stored>> {
        self.0.stored(id)
    }

    /// Goes through the records of all files and folders but NTFS's own ones, also of those that no folder names.
    /// FAT and exFAT have no records outside of folders: there are none.
    ///
    /// A record in use that cannot be read is an error in its place.
    pub fn records(&self) -> Records {
        self.0.clone().records()
    }

    /// Returns the names that the record of a file says it has; none on FAT and exFAT.
    ///
    /// # Errors
    /// When there is no such file, or its record cannot be read.
    pub fn names(&self, id: FileId) -> Result<Vec<FullName>> {
        self.0.names(id)
    }

    /// Follows a path from the root: names between `/` or `\`, then perhaps `:` and a stream. Links are
    /// not followed. Names are UTF-8, or what [`Name::to_bytes`] gives.
    ///
    /// # Errors
    /// When nothing is there, or a folder on the way cannot be read.
    pub fn find(&self, path: impl AsRef<[u8]>) -> Result<Found> {
        let mut names = path.as_ref().split(|byte| matches!(byte, b'/' | b'\\'));
        let mut found = Found { id: self.root(), stream: Name::default() };
        while let Some(bytes) = names.next() {
            if matches!(bytes, b"" | b".") {
                continue;
            }
            let name = Name::from_bytes(bytes);
            if let Some(entry) = self.lookup(found.id, &name)? {
                found.id = entry.id;
                continue;
            }
            let colon = bytes.iter().rposition(|&byte| byte == b':').filter(|_| names.all(<[u8]>::is_empty));
            let Some(colon) = colon else { return Err(Error::NotFound(name)) };
            let (file, stream) = (Name::from_bytes(&bytes[..colon]), Name::from_bytes(&bytes[colon + 1..]));
            found.stream = stream;
            if !file.is_empty() {
                found.id = self.lookup(found.id, &file)?.ok_or(Error::NotFound(file))?.id;
            }
            return Ok(found);
        }
        Ok(found)
    }
}

impl fmt::Debug for FileSystem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("FileSystem").field(self.about()).finish()
    }
}

/// The entries of a folder, read as they are asked for.
pub struct Listing(Box<dyn Iterator<Item = Result<Entry>> + Send>);

impl Listing {
    pub(crate) fn new(entries: impl Iterator<Item = Result<Entry>> + Send + 'static) -> Self {
        Self(Box::new(entries))
    }
}

impl Iterator for Listing {
    type Item = Result<Entry>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next()
    }
}

impl fmt::Debug for Listing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listing").finish_non_exhaustive()
    }
}

/// The numbers of all files, read as they are asked for.
pub struct Records(Box<dyn Iterator<Item = Result<FileId>> + Send>);

impl Records {
    pub(crate) fn new(records: impl Iterator<Item = Result<FileId>> + Send + 'static) -> Self {
        Self(Box::new(records))
    }
}

impl Iterator for Records {
    type Item = Result<FileId>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next()
    }
}

impl fmt::Debug for Records {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Records").finish_non_exhaustive()
    }
}

/// What each file system does in its own way; [`FileSystem`] says what.
pub(crate) trait Reader: Send + Sync {
    fn about(&self) -> &About;

    fn root(&self) -> FileId;

    fn stat(&self, id: FileId) -> Result<Stat>;

    fn lookup(&self, folder: FileId, name: &Name) -> Result<Option<Entry>>;

    fn list(self: Arc<Self>, folder: FileId, from: Position) -> Result<Listing>;

    fn open(&self, id: FileId, stream: &Name) -> Result<File>;

    fn streams(&self, id: FileId) -> Result<Vec<Stream>> {
        self.stat(id).map(|_| Vec::new())
    }

    fn link(&self, id: FileId) -> Result<Link> {
        self.stat(id).and(Err(Error::NotALink))
    }

    fn stored(&self, id: FileId) -> Result<Vec<Stored>> {
        let file = match self.open(id, &Name::default()) {
            Err(Error::IsAFolder) => return Ok(Vec::new()),
            file => file?,
        };
        let (written, extents) = (file.written(), file.extents().to_vec());
        Ok(vec![Stored {
            part: Part::Content { unit: 1 },
            name: Name::default(),
            size: file.size(),
            written,
            extents,
        }])
    }

    fn records(self: Arc<Self>) -> Records {
        Records::new(std::iter::empty())
    }

    fn names(&self, id: FileId) -> Result<Vec<FullName>> {
        self.stat(id).map(|_| Vec::new())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_threads_may_read() {
        fn check<T: Send + Sync + Clone>() {}
        check::<FileSystem>();
        check::<File>();
    }

    #[test]
    fn other_volumes_are_refused() {
        let open = |bytes: Vec<u8>| FileSystem::open(Arc::new(bytes)).expect_err("no file system");
        assert!(matches!(open(Vec::new()), Error::Read { .. }));
        assert!(matches!(open(vec![0; 0x2_0000]), Error::NoFileSystem(_)));
        let mut locked = vec![0; 0x2_0000];
        locked[3..11].copy_from_slice(b"-FVE-FS-");
        assert!(open(locked).to_string().contains("BitLocker"));
        for name in [b"NTFS    ", b"EXFAT   "] {
            let mut empty = vec![0; 0x2_0000];
            empty[3..11].copy_from_slice(name);
            assert!(matches!(open(empty), Error::NoFileSystem(_)));
        }
    }
}
