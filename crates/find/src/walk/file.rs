//! One file: read as little of it as its form allows.

use std::fs::{DirEntry, File, Metadata};
use std::io::{self, Read};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use recovery_key::Secret;

use crate::Unread;
use crate::forms::{self, Contents, Readers, WHOLE_LIMIT};

/// What is read at first: most files are shorter.
const HEAD: usize = 256 << 10;
/// Files above this are in memory one at a time.
const LARGE: u64 = 4 << 20;
/// Files that are no documents are searched in pieces of this length.
const PIECE: usize = 4 << 20;
/// How much of a piece is looked at again with the next: a key and all that stands around it.
const OVERLAP: usize = 16 << 10;

/// Which file it is, whatever it is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct FileId(u64, u64);

impl FileId {
    #[cfg(unix)]
    pub(super) fn of(_: &Path, data: &Metadata) -> Option<Self> {
        use std::os::unix::fs::MetadataExt;
        Some(Self(data.dev(), data.ino()))
    }

    /// Without numbers of files, the real path stands for the file.
    #[cfg(not(unix))]
    pub(super) fn of(path: &Path, _: &Metadata) -> Option<Self> {
        use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
        let real = std::fs::canonicalize(path).ok()?;
        Some(Self(0, BuildHasherDefault::<DefaultHasher>::default().hash_one(real)))
    }
}

/// Returns the file system that a folder is on, where that can be known.
#[cfg(unix)]
pub(super) fn device(data: &Metadata) -> Option<u64> {
    Some(std::os::unix::fs::MetadataExt::dev(data))
}

/// Returns the file system that a folder is on: Windows has each under a letter of its own, or behind a link.
#[cfg(not(unix))]
pub(super) fn device(_: &Metadata) -> Option<u64> {
    None
}

/// Says whether reading a file would fetch it from the cloud.
#[cfg(windows)]
pub(super) fn is_in_the_cloud(entry: &DirEntry) -> bool {
    use std::os::windows::fs::MetadataExt;
    // Offline, recall on open, recall on data access (documented by Microsoft).
    entry.metadata().is_ok_and(|data| data.file_attributes() & (0x1000 | 0x4_0000 | 0x40_0000) != 0)
}

/// Says whether reading a file would fetch it from the cloud: elsewhere nothing tells.
#[cfg(not(windows))]
pub(super) fn is_in_the_cloud(_: &DirEntry) -> bool {
    false
}

/// What came of one file.
pub(super) struct Done {
    pub(super) result: Result<Contents, Unread>,
    /// How many bytes were read.
    pub(super) bytes: u64,
    /// Which file it is, when there is a key in it.
    pub(super) id: Option<FileId>,
}

/// How files are read: the same for all of them.
pub(super) struct How<'h> {
    /// Larger files are left out.
    pub(super) largest: u64,
    pub(super) readers: &'h Readers,
    /// Held while a large file is in memory.
    pub(super) large: &'h Mutex<()>,
    /// Asked now and then whether to go on.
    pub(super) go_on: &'h dyn Fn() -> bool,
}

/// Reads files, one after the other, into the same memory.
pub(super) struct Files {
    head: Secret<Vec<u8>>,
}

impl Files {
    pub(super) fn new() -> Self {
        Self { head: Secret::new(vec![0; HEAD]) }
    }

    /// Reads one file.
    pub(super) fn read(&mut self, path: &Path, name: &str, how: &How<'_>) -> Done {
        let mut bytes = 0;
        let file = match File::open(path) {
            Ok(file) => file,
            // Gone since its folder was read: there is nothing that was not searched.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Done { result: Ok(Contents::default()), bytes, id: None };
            }
            Err(error) => return Done { result: Err(Unread::from(&error)), bytes, id: None },
        };
        let result =
            self.contents(&file, name, how, &mut bytes).unwrap_or_else(|error| Err(Unread::from(&error)));
        let has_keys = result.as_ref().is_ok_and(|contents| !contents.keys.is_empty());
        let data = has_keys.then(|| file.metadata().ok()).flatten();
        Done { result, bytes, id: data.and_then(|data| FileId::of(path, &data)) }
    }

    fn contents(
        &mut self,
        mut file: &File,
        name: &str,
        how: &How<'_>,
        bytes: &mut u64,
    ) -> io::Result<Result<Contents, Unread>> {
        let buffer = self.head.expose_mut();
        let length = fill(file, buffer)?;
        *bytes += length as u64;
        let head = buffer.get(..length).unwrap_or_default();
        if length < HEAD {
            return Ok(Ok(forms::read(name, head, how.readers)));
        }
        let size = file.metadata()?.len();
        if size > how.largest || size > WHOLE_LIMIT as u64 && forms::is_container(head) {
            return Ok(Err(Unread::TooLarge));
        }
        if size > WHOLE_LIMIT as u64 || !forms::is_whole(head) {
            return pieces(file, head, how, bytes).map(Ok);
        }
        let _turn = (size > LARGE).then(|| how.large.lock().unwrap_or_else(PoisonError::into_inner));
        let mut whole = Secret::new(Vec::with_capacity(usize::try_from(size).unwrap_or(0) + 1));
        whole.expose_mut().extend_from_slice(head);
        *bytes +=
            (&mut file).take(size.saturating_sub(length as u64)).read_to_end(whole.expose_mut())? as u64;
        Ok(Ok(forms::read(name, whole.expose(), how.readers)))
    }
}

/// Searches a file, of which the head is read already, piece by piece.
fn pieces(file: &File, head: &[u8], how: &How<'_>, bytes: &mut u64) -> io::Result<Contents> {
    let mut piece = Secret::new(vec![0; PIECE]);
    let piece = piece.expose_mut();
    let mut all = Contents::default();
    let mut length = head.len();
    piece[..length].copy_from_slice(head);
    loop {
        let more = fill(file, &mut piece[length..])?;
        *bytes += more as u64;
        length += more;
        all.append(forms::read_piece(&piece[..length]));
        if length < PIECE || !(how.go_on)() {
            return Ok(all);
        }
        piece.copy_within(PIECE - OVERLAP.., 0);
        length = OVERLAP;
    }
}

/// Reads until the buffer is full or the file at its end.
fn fill(mut file: &File, buffer: &mut [u8]) -> io::Result<usize> {
    let mut length = 0;
    while length < buffer.len() {
        match file.read(&mut buffer[length..]) {
            Ok(0) => break,
            Ok(more) => length += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(length)
}
