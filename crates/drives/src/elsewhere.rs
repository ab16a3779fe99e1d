//! The drives of macOS and the BSDs, as far as `/dev` tells.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use fve::ReadAt;

use crate::{Attached, Layer, MountedAt, Signature, Source, Use, signature};

pub fn attached() -> Vec<Attached> {
    let mut drives: Vec<_> = devices().into_iter().filter_map(|(path, _)| drive(path)).collect();
    drives.sort_by(|a, b| a.name.cmp(&b.name));
    drives
}

pub fn attached_as(drive: &Attached) -> Option<Attached> {
    drive.path.exists().then(|| self::drive(drive.path.clone()))?
}

/// Hashes which block devices there are.
pub fn mark() -> u64 {
    let mut devices = devices();
    devices.sort_unstable();
    let mut hasher = DefaultHasher::new();
    devices.hash(&mut hasher);
    hasher.finish()
}

/// Describes the partition `diskNsM`.
fn drive(path: PathBuf) -> Option<Attached> {
    let name = path.file_name()?.to_str()?.to_owned();
    let parent = disk_of(&name)?.to_owned();
    let source = Source::open(&path).ok();
    let content = source.as_ref().and_then(|source| signature(source).ok());
    Some(Attached {
        size: source.as_ref().map_or(0, ReadAt::size),
        is_bitlocker: content.map(|content| content == Signature::BitLocker),
        content,
        parent: Some(parent),
        name,
        path,
        ..Attached::default()
    })
}

/// Returns the disk that a partition's name begins with.
fn disk_of(name: &str) -> Option<&str> {
    let (disk, slice) = name.strip_prefix("disk")?.split_once('s')?;
    let numbers =
        [disk, slice].iter().all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()));
    numbers.then(|| &name[.."disk".len() + disk.len()])
}

/// Returns the block devices in `/dev` with their numbers.
fn devices() -> Vec<(PathBuf, u64)> {
    let entries = fs::read_dir("/dev").into_iter().flatten().flatten();
    let devices = entries.filter_map(|entry| Some((entry.path(), entry.metadata().ok()?)));
    devices
        .filter(|(_, data)| data.file_type().is_block_device())
        .map(|(path, data)| (path, data.rdev()))
        .collect()
}

pub fn lies_on(path: &Path) -> io::Result<Vec<Layer>> {
    let path = std::path::absolute(path)?;
    let place = path.ancestors().find(|path| path.exists()).ok_or(io::ErrorKind::NotFound)?;
    let metadata = fs::metadata(place)?;
    let wanted = if metadata.file_type().is_block_device() { metadata.rdev() } else { metadata.dev() };
    let devices = devices();
    let Some((path, _)) = devices.iter().find(|(_, number)| *number == wanted) else {
        // A server, memory, or a file system of another program.
        let at = MountedAt { kind: "unknown".into(), source: "unknown".into(), mount_point: place.into() };
        return Ok(vec![Layer::Unknown(at)]);
    };
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let disk = disk_of(&name).map(str::to_owned);
    let layer = |name: String, path: PathBuf| Layer::Device { name, path, number: None, mapping: None };
    let mut layers = vec![layer(name, path.clone())];
    layers.extend(disk.map(|disk| layer(disk.clone(), Path::new("/dev").join(disk))));
    Ok(layers)
}

pub fn same_drive(layers: &[Layer], drive: &Path) -> io::Result<bool> {
    let drive = fs::canonicalize(drive)?;
    // The raw device rdiskN is the same disk as diskN.
    let plain = drive.to_str().map(|path| path.replacen("/dev/rdisk", "/dev/disk", 1));
    Ok(layers.iter().any(|layer| match layer {
        Layer::Device { path, .. } | Layer::Image { path, .. } => {
            *path == drive || path.to_str() == plain.as_deref()
        }
        _ => false,
    }))
}

/// No file tells what is mounted here.
pub fn mounted(path: &Path) -> io::Result<Vec<Use>> {
    fs::metadata(path)?;
    Ok(Vec::new())
}

pub fn mounts_of(_: &str) -> Vec<MountedAt> {
    Vec::new()
}
