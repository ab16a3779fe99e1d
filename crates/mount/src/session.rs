//! A mount from its beginning to its end.

use std::cell::RefCell;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use fuser::{
    BackgroundSession, Config, Errno, FileAttr, FileType, Filesystem, INodeNo, InitFlags, KernelConfig,
    MountOption, SessionACL,
};
use fve::ReadAt;
use rustix::mount::UnmountFlags;
use unlocked::FileSystem;

use crate::files::Files;
use crate::raw::Raw;

/// What Linux calls mounts of this program in its list.
pub const KIND: &str = "fuse.lastkey";

/// Nothing changes on a drive that is only read.
pub(crate) const TTL: Duration = Duration::from_secs(24 * 60 * 60);

/// What is shown.
pub enum Content {
    /// The files.
    Files(FileSystem),
    /// All bytes, as one file of this name.
    Raw(Arc<dyn ReadAt>, String),
}

/// How it is shown.
#[derive(Clone, Debug)]
pub struct Options {
    /// What the list of mounts calls the source: the drive.
    pub source: String,
    /// Whose the files are, as numbers of a user and a group.
    pub owner: (u32, u32),
    /// Everybody on this computer may read them.
    pub everyone: bool,
    /// Other users than the one who mounts may come in at all; whether they may read, `owner` and `everyone` say.
    pub others: bool,
}

/// A mount. When it is dropped, it is taken away even if it is in use.
pub struct Mount {
    session: BackgroundSession,
    folder: PathBuf,
}

impl std::fmt::Debug for Mount {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mount").field("folder", &self.folder).finish_non_exhaustive()
    }
}

/// Shows the content of a volume in a folder.
///
/// # Errors
/// When Linux does not allow it, `fusermount3` is missing, or the folder is not there.
pub fn mount(content: Content, folder: &Path, options: &Options) -> io::Result<Mount> {
    let folder = folder.canonicalize()?;
    let owner = Owner { user: options.owner.0, group: options.owner.1, everyone: options.everyone };
    let session = match content {
        Content::Files(files) => start(Files::new(files, folder.clone(), owner), &folder, options),
        Content::Raw(bytes, name) => start(Raw { bytes, name, owner }, &folder, options),
    }?;
    read_ahead(&folder);
    Ok(Mount { session, folder })
}

fn start(files: impl Filesystem, folder: &Path, options: &Options) -> io::Result<BackgroundSession> {
    // A comma would begin an option.
    let source = options.source.replace([',', '\\', '\n'], "_");
    let mut config = Config::default();
    config.mount_options = vec![
        MountOption::RO,
        MountOption::NoDev,
        MountOption::NoSuid,
        MountOption::NoExec,
        MountOption::NoAtime,
        MountOption::DefaultPermissions,
        MountOption::FSName(source),
        MountOption::CUSTOM("subtype=lastkey".to_owned()),
    ];
    config.acl = if options.others { SessionACL::All } else { SessionACL::Owner };
    // One more than there are processors: somebody is to listen while all decrypt.
    config.n_threads =
        Some(std::thread::available_parallelism().map_or(2, usize::from).saturating_add(1).min(16));
    config.clone_fd = true;
    fuser::spawn_mount(files, folder, &config)
}

impl Mount {
    /// Returns where it is.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Returns whether somebody has taken it away.
    pub fn is_over(&self) -> bool {
        self.session.guard.is_finished()
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        if !self.is_over() {
            // Nothing can be lost: nothing was written. Whoever still reads gets an error.
            let _ = unmount(&self.folder, Busy::Detach);
        }
    }
}

/// What is to be done with a mount that somebody uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Busy {
    /// Leave it.
    Refuse,
    /// Take it out of sight now, and away when nobody uses it any more.
    Detach,
}

/// Takes a mount away.
///
/// # Errors
/// [`io::ErrorKind::ResourceBusy`] when somebody uses it, and that it may not be then.
pub fn unmount(folder: &Path, busy: Busy) -> io::Result<()> {
    let flags = if busy == Busy::Detach { UnmountFlags::DETACH } else { UnmountFlags::empty() };
    match rustix::mount::unmount(folder, flags | UnmountFlags::NOFOLLOW) {
        Err(rustix::io::Errno::PERM) => {}
        done => return Ok(done?),
    }
    // Who mounted by fusermount3 may unmount by it.
    let mut command = Command::new("fusermount3");
    command.arg("-u").args((busy == Busy::Detach).then_some("-z")).arg("--").arg(folder);
    let done = command
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .output()?;
    if done.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&done.stderr);
    Err(match said.contains("busy") {
        true => io::ErrorKind::ResourceBusy.into(),
        false => io::Error::other(said.trim().to_owned()),
    })
}

/// Returns whether the process that served a mount has died.
pub fn is_dead(folder: &Path) -> bool {
    // What is known of the folder may still be remembered; this is always asked.
    rustix::fs::statfs(folder).is_err_and(|error| error == rustix::io::Errno::NOTCONN)
}

/// Lets the kernel read ahead in larger pieces, where it may be told so: decrypting is fast, asking is slow.
fn read_ahead(folder: &Path) {
    use std::os::unix::fs::MetadataExt;
    let Ok(device) = std::fs::metadata(folder).map(|folder| folder.dev()) else { return };
    let (major, minor) = (rustix::fs::major(device), rustix::fs::minor(device));
    let _ = std::fs::write(format!("/sys/class/bdi/{major}:{minor}/read_ahead_kb"), "1024");
}

/// Tells the kernel what suits files that never change.
pub(crate) fn prepare(config: &mut KernelConfig) {
    for wanted in [
        InitFlags::FUSE_DO_READDIRPLUS,
        InitFlags::FUSE_READDIRPLUS_AUTO,
        InitFlags::FUSE_PARALLEL_DIROPS,
        InitFlags::FUSE_CACHE_SYMLINKS,
        InitFlags::FUSE_ASYNC_DIO,
    ] {
        // Older kernels do without.
        let _ = config.add_capabilities(wanted);
    }
    let _ = config.set_max_background(64);
}

/// Whose the files are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Owner {
    user: u32,
    group: u32,
    everyone: bool,
}

impl Owner {
    /// Returns what Linux wants to know of a file, without its times.
    pub(crate) fn attributes(self, ino: INodeNo, kind: FileType, size: u64, stored: u64) -> FileAttr {
        let perm = match (kind, self.everyone) {
            (FileType::Directory, false) => 0o500,
            (FileType::Directory, true) => 0o555,
            (_, false) => 0o400,
            (_, true) => 0o444,
        };
        let nlink = if kind == FileType::Directory { 2 } else { 1 };
        let none = SystemTime::UNIX_EPOCH;
        FileAttr {
            ino,
            size,
            blocks: stored.div_ceil(512),
            atime: none,
            mtime: none,
            ctime: none,
            crtime: none,
            kind,
            perm,
            nlink,
            uid: self.user,
            gid: self.group,
            rdev: 0,
            blksize: 4096,
            flags: 0,
        }
    }
}

/// Lends a piece of memory that the thread keeps: fresh memory costs as much as decrypting into it.
pub(crate) fn with_buffer<T>(length: usize, work: impl FnOnce(&mut [u8]) -> T) -> T {
    thread_local!(static BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) });
    BUFFER.with_borrow_mut(|buffer| {
        if buffer.len() < length {
            buffer.resize(length, 0);
        }
        work(buffer.get_mut(..length).unwrap_or_default())
    })
}

/// Returns what Linux is told of an error.
pub(crate) fn errno(error: &io::Error) -> Errno {
    error.raw_os_error().map_or(Errno::EIO, Errno::from_i32)
}
