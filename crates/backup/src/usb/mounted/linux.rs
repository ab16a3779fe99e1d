//! Mounting on Linux, in the first way that this system knows:
//!
//! 1. The kernel's own driver, at no place: only this process can reach such a mount, through an
//!    open file, and when that is closed the drive is unmounted, even if the process is killed.
//! 2. udisks2, for those who may not mount: it asks the system's rules, and shows the drive to all.
//! 3. The program `mount`, for file systems that only a FUSE program knows: ntfs-3g, exfat-fuse. The place is
//!    a folder of root's below `/run`. What killed processes left there is unmounted first.
//!
//! Devices, set-user-ID programs and programs at all on the drive count for nothing in each.

use std::fs::{self, Permissions};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use drives::{Attached, Signature};
use rustix::fs::StatVfsMountFlags;
use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, UnmountFlags, fsconfig_create, fsconfig_set_flag,
    fsconfig_set_string, fsmount, fsopen, unmount,
};

use super::Access;

/// Where places for `mount` are made, and how their names begin; the number of the process follows.
const RUN: &str = "/run";
const PREFIX: &str = "lastkey-";

/// A mount of this process.
pub enum Mount {
    Private(OwnedFd),
    Udisks { device: PathBuf, folder: PathBuf, is_open: bool },
    Program(Place),
}

impl Mount {
    pub fn new(drive: &Attached, access: Access) -> Result<Self, String> {
        let error = match private(drive, access) {
            Ok(root) => return Ok(Self::Private(root)),
            Err(error) => error,
        };
        // Another way helps against a missing driver or right, not against a broken file system.
        if !matches!(error, Errno::NODEV | Errno::NOSYS | Errno::PERM | Errno::ACCESS) {
            return Err(explain(drive, error));
        }
        let udisks = match by_udisks(drive, access) {
            Ok(mount) => return Ok(mount),
            Err(why) => why,
        };
        let program = match by_program(drive, access) {
            Ok(place) => return Ok(Self::Program(place)),
            Err(why) => why,
        };
        Err(udisks.or(program).unwrap_or_else(|| explain(drive, error)))
    }

    pub fn folder(&self) -> PathBuf {
        match self {
            Self::Private(root) => by_number(root),
            Self::Udisks { folder, .. } => folder.clone(),
            Self::Program(place) => place.folder.clone(),
        }
    }

    pub fn close(mut self) -> io::Result<()> {
        match &mut self {
            Self::Private(_) => Ok(()),
            Self::Udisks { device, is_open, .. } => {
                *is_open = false;
                udisksctl("unmount", device, &[]).map_err(|why| io::Error::other(why.unwrap_or_default()))
            }
            Self::Program(place) => place.close(),
        }
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        if let Self::Udisks { device, is_open: true, .. } = self {
            let _ = udisksctl("unmount", device, &[]);
        }
    }
}

/// Mounts by the kernel's driver, where nobody else sees it.
fn private(drive: &Attached, access: Access) -> rustix::io::Result<OwnedFd> {
    use Signature as Is;
    let kind = match drive.content {
        Some(Is::Fat12 | Is::Fat16 | Is::Fat32) => "vfat",
        Some(Is::ExFat) => "exfat",
        Some(Is::Ntfs) => "ntfs3",
        Some(Is::Ext2 | Is::Ext3 | Is::Ext4) => "ext4",
        Some(Is::Xfs) => "xfs",
        Some(Is::Btrfs) => "btrfs",
        Some(Is::HfsPlus) => "hfsplus",
        _ => return Err(Errno::NODEV),
    };
    let context = fsopen(kind, FsOpenFlags::FSOPEN_CLOEXEC)?;
    fsconfig_set_string(&context, "source", &drive.path)?;
    let mut flags = MountAttrFlags::MOUNT_ATTR_NOSUID
        | MountAttrFlags::MOUNT_ATTR_NODEV
        | MountAttrFlags::MOUNT_ATTR_NOEXEC;
    if access == Access::Read {
        fsconfig_set_flag(&context, "ro")?;
        flags |= MountAttrFlags::MOUNT_ATTR_RDONLY;
    }
    fsconfig_create(&context)?;
    let root = fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, flags)?;
    // Without /proc it could not be reached.
    if by_number(&root).is_dir() { Ok(root) } else { Err(Errno::NODEV) }
}

fn by_number(root: &OwnedFd) -> PathBuf {
    format!("/proc/self/fd/{}", root.as_raw_fd()).into()
}

fn explain(drive: &Attached, error: Errno) -> String {
    match (error, drive.content) {
        (Errno::NODEV, Some(content)) => format!("this system has no driver for {content}"),
        (Errno::PERM, _) => "only an administrator can mount it".to_owned(),
        (Errno::BUSY, _) => "something else uses it".to_owned(),
        (Errno::INVAL, Some(Signature::Ntfs)) => {
            "it was not ejected when it was last written to: plug it into Windows, and eject it there"
                .to_owned()
        }
        (Errno::ACCESS | Errno::ROFS, _) => "it is write-protected".to_owned(),
        _ => format!("its file system cannot be opened: {}", io::Error::from(error)),
    }
}

/// Mounts through udisks2; the error is `None` where there is no udisks2.
fn by_udisks(drive: &Attached, access: Access) -> Result<Mount, Option<String>> {
    let options: &[&str] = if access == Access::Read { &["--options", "ro"] } else { &[] };
    udisksctl("mount", &drive.path, options)?;
    let device = drive.path.clone();
    let folder = drive.again().and_then(|now| now.mounted_at.into_iter().find(|folder| shows(folder, drive)));
    match folder {
        Some(folder) => Ok(Mount::Udisks { device, folder, is_open: true }),
        None => {
            let _ = udisksctl("unmount", &device, &[]);
            Err(Some("udisks mounted it where it cannot be found".to_owned()))
        }
    }
}

fn udisksctl(command: &str, device: &Path, options: &[&str]) -> Result<(), Option<String>> {
    let mut udisksctl = Command::new("udisksctl");
    udisksctl.args([command, "--no-user-interaction", "--block-device"]).arg(device).args(options);
    judge(udisksctl.env("LC_ALL", "C").output())
}

/// Takes the last line of what a program complains of; `None` where there is no such program.
fn judge(output: io::Result<Output>) -> Result<(), Option<String>> {
    let output = output.map_err(|_| None)?;
    if output.status.success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&output.stderr);
    let last = text.lines().map(str::trim).rfind(|line| !line.is_empty());
    Err(last.map(|line| line.chars().filter(|char| !char.is_control()).collect()))
}

/// Mounts by the program `mount`, with a FUSE program behind it; the error is `None` where neither can be.
fn by_program(drive: &Attached, access: Access) -> Result<Place, Option<String>> {
    // The names that distributions give the same programs.
    let kinds: &[&str] = match drive.content {
        Some(Signature::Ntfs) => &["ntfs-3g"],
        Some(Signature::ExFat) => &["exfat-fuse", "exfat"],
        _ => return Err(None),
    };
    if !rustix::process::geteuid().is_root() {
        return Err(None);
    }
    let mut place = Place::new().map_err(|error| Some(format!("there is no place to mount it: {error}")))?;
    let options = match access {
        Access::Read => "nosuid,nodev,noexec,ro",
        Access::Write => "nosuid,nodev,noexec",
    };
    let kind = kinds.iter().find(|kind| Path::new("/sbin").join(format!("mount.{kind}")).exists());
    let mut mount = Command::new("mount");
    mount.args(["-t", kind.ok_or(None)?, "-o", options]).arg(&drive.path).arg(&place.folder);
    judge(mount.env("LC_ALL", "C").output())?;
    place.is_mounted = true;
    if shows(&place.folder, drive) { Ok(place) } else { Err(Some("it could not be mounted".to_owned())) }
}

/// A folder where the program `mount` mounts a drive.
///
/// It must never be removed with what is in it: that may be the drive.
pub struct Place {
    folder: PathBuf,
    is_mounted: bool,
}

impl Place {
    fn new() -> io::Result<Self> {
        remove_leftovers();
        let folder = tempfile::Builder::new()
            .prefix(&format!("{PREFIX}{}-", std::process::id()))
            .permissions(Permissions::from_mode(0o700))
            .tempdir_in(RUN)?;
        Ok(Self { folder: folder.keep(), is_mounted: false })
    }

    fn close(&mut self) -> io::Result<()> {
        unmount(&self.folder, UnmountFlags::NOFOLLOW)?;
        self.is_mounted = false;
        Ok(())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // A drive that was pulled out is still mounted, and can only be let go.
        if self.is_mounted && self.close().is_err() {
            let _ = unmount(&self.folder, UnmountFlags::NOFOLLOW | UnmountFlags::DETACH);
        }
        let _ = fs::remove_dir(&self.folder);
    }
}

/// Unmounts what killed processes have left: the number in the name is that of no process.
fn remove_leftovers() {
    for entry in fs::read_dir(RUN).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let number = name.to_str().and_then(|name| name.strip_prefix(PREFIX)?.split('-').next());
        let Some(number) = number.and_then(|number| number.parse::<u32>().ok()) else { continue };
        if !Path::new("/proc").join(number.to_string()).exists() {
            let _ = unmount(entry.path(), UnmountFlags::NOFOLLOW);
            let _ = fs::remove_dir(entry.path());
        }
    }
}

/// Returns whether the folder shows the drive, and not something else that was mounted over it since.
pub fn shows(folder: &Path, drive: &Attached) -> bool {
    let Ok(metadata) = fs::metadata(folder) else { return false };
    let (major, minor) = (rustix::fs::major(metadata.dev()), rustix::fs::minor(metadata.dev()));
    // A btrfs has a number of its own.
    metadata.is_dir()
        && (major == 0 || drive.number.is_some_and(|own| (own.major, own.minor) == (major, minor)))
}

pub fn free(drive: &Attached) -> Option<u64> {
    let stat = match drive.mounted_at.iter().find(|folder| shows(folder, drive)) {
        Some(folder) => rustix::fs::statvfs(folder).ok()?,
        None => rustix::fs::fstatvfs(private(drive, Access::Read).ok()?).ok()?,
    };
    stat.f_bavail.checked_mul(stat.f_frsize)
}

pub fn is_read_only(folder: &Path) -> bool {
    rustix::fs::statvfs(folder).is_ok_and(|stat| stat.f_flag.contains(StatVfsMountFlags::RDONLY))
}
