//! Showing a drive in a folder and taking it away again.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use mount::{Busy, Content, Mount, Options};
use unlocked::Position;

use super::Wish;
use super::guardian::Guardian;
use crate::failure::{self, Failure, Kind};
use crate::inside::Inside;
use crate::rights;

/// A drive that is shown in a folder. When this is dropped it is taken away, even if it is in use.
pub struct Shown {
    /// What is read from, to notice when it is pulled out.
    drive: PathBuf,
    is_device: bool,
    // In this order: away first, then nobody has to guard it, then its folder may go.
    mount: Option<Mount>,
    _guardian: Guardian,
    folder: Folder,
}

/// The folder of a mount; one that was made for it is removed after it.
struct Folder {
    path: PathBuf,
    made: bool,
}

impl Drop for Folder {
    fn drop(&mut self) {
        if self.made {
            // It goes only if nothing is in it.
            let _ = fs::remove_dir(&self.path);
        }
    }
}

impl Shown {
    /// Returns the folder.
    pub fn folder(&self) -> &Path {
        &self.folder.path
    }

    /// Returns whether somebody else took it away.
    pub fn is_over(&self) -> bool {
        self.mount.as_ref().is_none_or(Mount::is_over)
    }

    /// Returns whether the drive is not there any more.
    pub fn is_pulled(&self) -> bool {
        self.is_device && fs::metadata(&self.drive).is_err()
    }

    /// Takes it away; returns whether somebody was still using it.
    pub fn end(mut self) -> bool {
        let Some(mount) = self.mount.take() else { return false };
        !mount.is_over()
            && mount::unmount(mount.folder(), Busy::Refuse)
                .is_err_and(|error| error.kind() == io::ErrorKind::ResourceBusy)
    }
}

/// Shows a drive in a folder, which is made when it is missing.
pub fn show(inside: &Inside, folder: &Path, wish: Wish) -> Result<Shown, Failure> {
    let about = |failure: Failure| failure.about(&folder.display().to_string());
    let content = if wish.raw {
        Content::Raw(inside.bytes.clone(), "drive.img".to_owned())
    } else {
        let files = inside.files()?;
        // Better now than as an error of whatever looks into the folder.
        let root = files.list(files.root(), Position::default());
        root.map_err(|error| Failure::from(error).about(&inside.name))?;
        Content::Files(files)
    };
    if mount::is_dead(folder) {
        // What a killed process left is in nobody's use.
        mount::unmount(folder, Busy::Detach).map_err(|error| failure::about(folder, &error))?;
    }
    let folder = prepare(folder)?;
    let (user, others) = reader();
    let options = Options {
        source: inside.path.display().to_string(),
        owner: user,
        everyone: wish.everyone,
        others: others || wish.everyone,
    };
    let guardian = Guardian::start(&folder.path).map_err(|error| failure::about(&folder.path, &error))?;
    let mount =
        mount::mount(content, &folder.path, &options).map_err(|error| about(refused(&error, wish)))?;
    let is_device = fs::metadata(&inside.path)
        .is_ok_and(|drive| std::os::unix::fs::FileTypeExt::is_block_device(&drive.file_type()));
    Ok(Shown { drive: inside.path.clone(), is_device, mount: Some(mount), _guardian: guardian, folder })
}

/// Makes the folder, or takes one with nothing in it: what is in it could not be reached.
fn prepare(path: &Path) -> Result<Folder, Failure> {
    let about = |failure: Failure| failure.about(&path.display().to_string());
    let made = match fs::create_dir(path) {
        Ok(()) => true,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => false,
        Err(error) => return Err(failure::about(path, &error)),
    };
    // From here on whatever fails removes what was made.
    let mut folder = Folder { path: path.to_owned(), made };
    folder.path = path.canonicalize().map_err(|error| failure::about(path, &error))?;
    if is_listed(&folder.path) {
        return Err(about(Failure::new(Kind::AlreadyThere, "a drive is mounted there already"))
            .hint("`lastkey unmount` takes it away"));
    }
    let mut entries = fs::read_dir(&folder.path).map_err(|error| failure::about(path, &error))?;
    if entries.next().is_some() {
        return Err(about(Failure::new(
            Kind::AlreadyThere,
            "the folder is not empty, and what is in it would be hidden",
        ))
        .hint("name an empty folder, or a new one"));
    }
    Ok(folder)
}

/// Returns who may read, and whether that is somebody else than this process: under sudo the person who gave the
/// command.
fn reader() -> ((u32, u32), bool) {
    let own = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    let number = |name| std::env::var(name).ok()?.parse::<u32>().ok();
    match (number("SUDO_UID"), number("SUDO_GID")) {
        (Some(user), Some(group)) if own.0 == 0 && user != 0 => ((user, group), true),
        _ => (own, false),
    }
}

fn refused(error: &io::Error, wish: Wish) -> Failure {
    let failure = match error.kind() {
        io::ErrorKind::NotFound => {
            Failure::new(Kind::Other, "it cannot be mounted: FUSE or fusermount3 is missing")
                .hint("install fuse3 (`apt install fuse3`), or `modprobe fuse`")
        }
        _ => {
            Failure::new(failure::kind_of(error), format!("it cannot be mounted: {}", failure::reason(error)))
        }
    };
    if wish.everyone && !rights::are_all() {
        failure.hint("--everyone takes the line user_allow_other in /etc/fuse.conf, or more rights")
    } else {
        failure.hint("`lastkey cp` copies files without a mount")
    }
}

/// Returns whether this program shows a drive in a folder.
pub fn is_listed(folder: &Path) -> bool {
    drives::mounts_of(mount::KIND).iter().any(|mount| mount.mount_point == folder)
}

/// Takes a mount of this program away: by its folder or its drive.
pub fn take_away(place: &Path, busy: Busy) -> Result<PathBuf, Failure> {
    // A dead mount cannot be looked into, only at the folder around it.
    let name = place.file_name().unwrap_or_default();
    let real = place
        .canonicalize()
        .or_else(|_| Ok::<_, io::Error>(backup::parent(place).canonicalize()?.join(name)));
    let is_it = |path: &Path| path == place || real.as_ref().is_ok_and(|real| path == real);
    let mounts = drives::mounts_of(mount::KIND);
    let found =
        mounts.iter().rev().find(|mount| is_it(&mount.mount_point) || is_it(Path::new(&mount.source)));
    let folder = &found.ok_or_else(|| super::no_such_mount(place.as_os_str()))?.mount_point;
    mount::unmount(folder, busy).map_err(|error| match error.kind() {
        io::ErrorKind::ResourceBusy => {
            Failure::new(Kind::Other, "it is in use: some program has a file or folder of it open")
                .hint("--force takes it away all the same; nothing is lost, because nothing was written")
                .about(&folder.display().to_string())
        }
        _ => failure::about(folder, &error),
    })?;
    Ok(folder.clone())
}
