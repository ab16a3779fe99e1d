//! The files of a volume as Linux asks for them.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::iter::Peekable;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use fuser::{
    Errno, FileAttr, FileHandle, FileType, Filesystem, FopenFlags, Generation, INodeNo, KernelConfig,
    LockOwner, OpenFlags, ReplyAttr, ReplyData, ReplyDirectory, ReplyDirectoryPlus, ReplyEmpty, ReplyEntry,
    ReplyOpen, ReplyStatfs, ReplyXattr, Request,
};
use fve::FileTime;
use unlocked::{Entry, Error, File, FileSystem, Kind, Link, LinkKind, Listing, Name, Position, Stat};

use crate::names::{Numbers, hidden, shown};
use crate::session::{Owner, TTL, errno, prepare, with_buffer};

/// A stream of this length at most is shown as an attribute: Linux takes no longer ones.
const LONGEST_ATTRIBUTE: u64 = 64 << 10;
/// How Linux' attributes that belong to users begin.
const USER: &[u8] = b"user.";

/// The files, and those that are open.
pub struct Files {
    files: FileSystem,
    folder: PathBuf,
    owner: Owner,
    numbers: Numbers,
    open: Mutex<HashMap<u64, File>>,
    listed: Mutex<HashMap<u64, Arc<Mutex<Listed>>>>,
    next: AtomicU64,
}

/// A folder that somebody lists.
struct Listed {
    entries: Peekable<Listing>,
    /// The place that the next entry has for Linux.
    at: u64,
    /// Something in it could not be read.
    damaged: bool,
}

/// The places of the folder itself and the one above; entries follow.
const DOTS: u64 = 2;

impl Files {
    /// Shows these files in a folder.
    pub fn new(files: FileSystem, folder: PathBuf, owner: Owner) -> Self {
        let numbers = Numbers::new(files.root());
        let (open, listed) = (Mutex::default(), Mutex::default());
        Self { files, folder, owner, numbers, open, listed, next: AtomicU64::new(1) }
    }

    fn attributes(&self, stat: &Stat) -> FileAttr {
        let time = |time: Option<FileTime>| time.and_then(system_time).unwrap_or(SystemTime::UNIX_EPOCH);
        let modified = stat.times.modified;
        FileAttr {
            mtime: time(modified),
            atime: time(stat.times.accessed.or(modified)),
            ctime: time(stat.times.changed.or(modified)),
            crtime: time(stat.times.created),
            nlink: if stat.kind == Kind::Folder { 2 } else { stat.links.max(1) },
            ..self.owner.attributes(
                self.numbers.inode(stat.id),
                file_type(stat.kind),
                stat.size,
                stat.allocated,
            )
        }
    }

    fn stat(&self, inode: INodeNo) -> Result<FileAttr, Error> {
        let id = self.numbers.id(inode);
        let mut attributes = self.files.stat(id).map(|stat| self.attributes(&stat))?;
        if attributes.kind == FileType::Symlink {
            attributes.size = self.files.link(id).map_or(0, |link| self.target(&link).len() as u64);
        }
        Ok(attributes)
    }

    /// Returns where a link leads on this computer: absolute ones of Windows into this mount, if it has what they
    /// lead to.
    fn target(&self, link: &Link) -> Vec<u8> {
        let text = link.target.to_bytes();
        if link.kind == LinkKind::Linux {
            return text;
        }
        let slashes =
            |path: &[u8]| path.iter().map(|&byte| if byte == b'\\' { b'/' } else { byte }).collect();
        if link.relative {
            return slashes(&text);
        }
        let path = text.strip_prefix(br"\??\").or(text.strip_prefix(br"\\?\")).unwrap_or(&text);
        let inside = match path {
            [letter, b':', rest @ ..] if letter.is_ascii_alphabetic() => {
                self.files.find(rest).is_ok().then_some(rest)
            }
            _ => None,
        };
        match inside {
            Some(rest) => [self.folder.as_os_str().as_bytes(), &slashes(rest)].concat(),
            None => link.shown.to_bytes(),
        }
    }

    fn find(&self, parent: INodeNo, name: &OsStr) -> Result<Option<Entry>, Error> {
        let parent = self.numbers.id(parent);
        match self.files.lookup(parent, &Name::from_bytes(name.as_bytes()))? {
            Some(entry) => Ok(Some(entry)),
            None => hidden(name).map_or(Ok(None), |name| self.files.lookup(parent, &name)),
        }
    }

    fn number(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    /// Goes on with a folder where Linux stopped, or where it says.
    fn listed(&self, inode: INodeNo, handle: FileHandle, offset: u64) -> Result<Arc<Mutex<Listed>>, Errno> {
        let listed = lock(&self.listed).get(&handle.0).cloned().ok_or(Errno::EBADF)?;
        let mut now = lock(&listed);
        if offset != now.at {
            // Somebody went back.
            let position = Position(offset.saturating_sub(DOTS));
            let entries =
                self.files.list(self.numbers.id(inode), position).map_err(|error| errno_of(&error))?;
            *now = Listed { entries: entries.peekable(), at: offset, damaged: false };
        }
        drop(now);
        Ok(listed)
    }

    /// Gives entries of a folder until there is no room for more.
    fn give(
        &self,
        inode: INodeNo,
        handle: FileHandle,
        offset: u64,
        mut add: impl FnMut(INodeNo, u64, Kind, &OsStr, Option<&Entry>) -> bool,
    ) -> Result<(), Errno> {
        let listed = self.listed(inode, handle, offset)?;
        let mut listed = lock(&listed);
        let mut given = false;
        for (place, name) in [(0, "."), (1, "..")] {
            if listed.at == place {
                if add(inode, place + 1, Kind::Folder, OsStr::new(name), None) {
                    return Ok(());
                }
                (listed.at, given) = (place + 1, true);
            }
        }
        while let Some(entry) = listed.entries.peek() {
            let Ok(entry) = entry else {
                listed.damaged = true;
                listed.entries.next();
                continue;
            };
            let next = entry.next.0.saturating_add(DOTS);
            if add(self.numbers.inode(entry.id), next, entry.kind, &shown(&entry.name), Some(entry)) {
                return Ok(());
            }
            (listed.at, given) = (next, true);
            listed.entries.next();
        }
        // All that can be read was given: the error comes last.
        if listed.damaged && !given { Err(Errno::EIO) } else { Ok(()) }
    }

    fn attribute(&self, inode: INodeNo, name: &OsStr) -> Result<Vec<u8>, Errno> {
        let stream = name.as_bytes().strip_prefix(USER).ok_or(Errno::ENODATA)?;
        let (id, stream) = (self.numbers.id(inode), Name::from_bytes(stream));
        let streams = self.files.streams(id).map_err(|error| errno_of(&error))?;
        if stream.is_empty() || !streams.iter().any(|found| found.name == stream) {
            return Err(Errno::ENODATA);
        }
        let file = self.files.open_stream(id, &stream).map_err(|error| errno_of(&error))?;
        if file.size() > LONGEST_ATTRIBUTE {
            return Err(Errno::E2BIG);
        }
        let mut value = vec![0; usize::try_from(file.size()).unwrap_or(0)];
        file.read_at(0, &mut value).map_err(|error| errno_of(&error))?;
        Ok(value)
    }

    fn attribute_names(&self, inode: INodeNo) -> Result<Vec<u8>, Errno> {
        let streams = self.files.streams(self.numbers.id(inode)).map_err(|error| errno_of(&error))?;
        let short = streams.iter().filter(|stream| stream.size <= LONGEST_ATTRIBUTE);
        let names = short.map(|stream| [USER, &stream.name.to_bytes()].concat());
        let fitting = names.filter(|name| name.len() <= 255 && !name.contains(&0));
        Ok(fitting.flat_map(|name| [name, vec![0]].concat()).collect())
    }
}

impl Filesystem for Files {
    fn init(&mut self, _: &Request, config: &mut KernelConfig) -> std::io::Result<()> {
        prepare(config);
        Ok(())
    }

    fn lookup(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let found = self
            .find(parent, name)
            .and_then(|found| found.map(|entry| self.stat(self.numbers.inode(entry.id))).transpose());
        match found {
            Ok(Some(attributes)) => reply.entry(&TTL, &attributes, Generation(0)),
            Ok(None) => reply.error(Errno::ENOENT),
            Err(error) => reply.error(errno_of(&error)),
        }
    }

    fn getattr(&self, _: &Request, inode: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        match self.stat(inode) {
            Ok(attributes) => reply.attr(&TTL, &attributes),
            Err(error) => reply.error(errno_of(&error)),
        }
    }

    fn readlink(&self, _: &Request, inode: INodeNo, reply: ReplyData) {
        match self.files.link(self.numbers.id(inode)) {
            Ok(link) => reply.data(&self.target(&link)),
            Err(error) => reply.error(errno_of(&error)),
        }
    }

    fn open(&self, _: &Request, inode: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        match self.files.open_file(self.numbers.id(inode)) {
            Ok(file) => {
                let number = self.number();
                lock(&self.open).insert(number, file);
                reply.opened(FileHandle(number), FopenFlags::FOPEN_KEEP_CACHE);
            }
            Err(error) => reply.error(errno_of(&error)),
        }
    }

    fn read(
        &self,
        _: &Request,
        _: INodeNo,
        handle: FileHandle,
        offset: u64,
        size: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        let Some(file) = lock(&self.open).get(&handle.0).cloned() else { return reply.error(Errno::EBADF) };
        let left = file.size().saturating_sub(offset).min(size.into());
        with_buffer(usize::try_from(left).unwrap_or(0), |buf| match file.read_at(offset, buf) {
            Ok(length) => reply.data(buf.get(..length).unwrap_or_default()),
            Err(error) => reply.error(errno_of(&error)),
        });
    }

    fn release(
        &self,
        _: &Request,
        _: INodeNo,
        handle: FileHandle,
        _: OpenFlags,
        _: Option<LockOwner>,
        _: bool,
        reply: ReplyEmpty,
    ) {
        lock(&self.open).remove(&handle.0);
        reply.ok();
    }

    fn opendir(&self, _: &Request, inode: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        match self.files.list(self.numbers.id(inode), Position::default()) {
            Ok(entries) => {
                let number = self.number();
                let listed = Listed { entries: entries.peekable(), at: 0, damaged: false };
                lock(&self.listed).insert(number, Arc::new(Mutex::new(listed)));
                reply.opened(FileHandle(number), FopenFlags::FOPEN_KEEP_CACHE | FopenFlags::FOPEN_CACHE_DIR);
            }
            Err(error) => reply.error(errno_of(&error)),
        }
    }

    fn readdir(
        &self,
        _: &Request,
        inode: INodeNo,
        handle: FileHandle,
        offset: u64,
        mut reply: ReplyDirectory,
    ) {
        let add = |inode, next, kind, name: &OsStr, _: Option<&Entry>| {
            reply.add(inode, next, file_type(kind), name)
        };
        match self.give(inode, handle, offset, add) {
            Ok(()) => reply.ok(),
            Err(error) => reply.error(error),
        }
    }

    fn readdirplus(
        &self,
        _: &Request,
        inode: INodeNo,
        handle: FileHandle,
        offset: u64,
        mut reply: ReplyDirectoryPlus,
    ) {
        let add = |number, next, kind, name: &OsStr, entry: Option<&Entry>| {
            match entry.map(|_| self.stat(number)) {
                Some(Ok(attributes)) => reply.add(number, next, name, &TTL, &attributes, Generation(0)),
                // Where a file's record is lost its name is still given; who looks at it gets the error.
                _ => {
                    let unknown = self.owner.attributes(number, file_type(kind), 0, 0);
                    reply.add(number, next, name, &Duration::ZERO, &unknown, Generation(0))
                }
            }
        };
        match self.give(inode, handle, offset, add) {
            Ok(()) => reply.ok(),
            Err(error) => reply.error(error),
        }
    }

    fn releasedir(&self, _: &Request, _: INodeNo, handle: FileHandle, _: OpenFlags, reply: ReplyEmpty) {
        lock(&self.listed).remove(&handle.0);
        reply.ok();
    }

    fn statfs(&self, _: &Request, _: INodeNo, reply: ReplyStatfs) {
        let about = self.files.about();
        let blocks = about.size / u64::from(about.cluster.max(1));
        reply.statfs(blocks, 0, 0, 0, 0, about.cluster, 255, about.cluster);
    }

    fn getxattr(&self, _: &Request, inode: INodeNo, name: &OsStr, size: u32, reply: ReplyXattr) {
        give_attribute(self.attribute(inode, name), size, reply);
    }

    fn listxattr(&self, _: &Request, inode: INodeNo, size: u32, reply: ReplyXattr) {
        give_attribute(self.attribute_names(inode), size, reply);
    }
}

fn give_attribute(value: Result<Vec<u8>, Errno>, size: u32, reply: ReplyXattr) {
    match value {
        Err(error) => reply.error(error),
        Ok(value) => match u32::try_from(value.len()) {
            Ok(length) if size == 0 => reply.size(length),
            Ok(length) if length <= size => reply.data(&value),
            _ => reply.error(Errno::ERANGE),
        },
    }
}

fn file_type(kind: Kind) -> FileType {
    match kind {
        Kind::File => FileType::RegularFile,
        Kind::Folder => FileType::Directory,
        Kind::Link => FileType::Symlink,
        // Whatever it was for Windows, here nobody listens at its other end.
        Kind::Other => FileType::Socket,
    }
}

fn system_time(time: FileTime) -> Option<SystemTime> {
    let (seconds, nanoseconds) = time.to_unix();
    let whole = Duration::from_secs(seconds.unsigned_abs());
    let epoch = SystemTime::UNIX_EPOCH;
    let at = if seconds < 0 { epoch.checked_sub(whole) } else { epoch.checked_add(whole) };
    at?.checked_add(Duration::from_nanos(nanoseconds.into()))
}

fn errno_of(error: &Error) -> Errno {
    match error {
        Error::NotFound(_) | Error::NoFile(_) => Errno::ENOENT,
        Error::NotAFolder => Errno::ENOTDIR,
        Error::IsAFolder => Errno::EISDIR,
        Error::NotALink => Errno::EINVAL,
        Error::Encrypted => Errno::EACCES,
        Error::Elsewhere(_) | Error::UnknownForm { .. } => Errno::EOPNOTSUPP,
        Error::Read { source, .. } => errno(source),
        _ => Errno::EIO,
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
