//! What is mounted where: `/proc/self/mountinfo`, a line for each mount of this process's view.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::{fs, io};

use rustix::fs::{AtFlags, CWD, StatxFlags};

use super::block::{names, parse_number};
use super::{Identity, System, number, text};
use crate::{DeviceNumber, MountedAt};

/// Enough for 100,000 mounts, and far from what memory has.
const LONGEST: u64 = 32 << 20;

/// One mount.
#[derive(Clone, Debug)]
pub struct Mount {
    pub id: u64,
    /// The number of the file system: that of its device; without one, and for btrfs, with major 0.
    pub device: DeviceNumber,
    /// The devices that it is on.
    pub devices: Vec<DeviceNumber>,
    /// The folder of the file system that is shown: `/`, unless only a part of it is.
    pub root: PathBuf,
    pub at: MountedAt,
    /// The options of the file system, commas inside them still escaped.
    options: Vec<u8>,
}

impl System {
    /// Returns all mounts, later ones over earlier ones.
    pub(super) fn mounts(&self) -> Vec<Mount> {
        let bytes = text(&self.at("proc/self/mountinfo"), LONGEST).unwrap_or_default();
        let mounts = bytes.split(|&byte| byte == b'\n').filter_map(Mount::parse);
        mounts.map(|mount| Mount { devices: self.devices_of(&mount), ..mount }).collect()
    }

    fn devices_of(&self, mount: &Mount) -> Vec<DeviceNumber> {
        if mount.device.major != 0 {
            return vec![mount.device];
        }
        let named = mount.sources().filter(|path| path.starts_with("/dev"));
        let device = |path: &Path| match Identity::of(path) {
            Ok(Some(Identity::Device(number))) => Some(number),
            _ => None,
        };
        let mut devices: Vec<_> = named.filter_map(device).collect();
        // A btrfs names one of its devices.
        if let ("btrfs", &[only]) = (mount.at.kind.as_str(), devices.as_slice()) {
            devices.extend(self.btrfs_members(only).into_iter().filter(|&member| member != only));
        }
        devices
    }

    /// Returns all devices of the btrfs that has this one.
    fn btrfs_members(&self, one: DeviceNumber) -> Vec<DeviceNumber> {
        let Some(block) = self.block_numbered(one) else { return Vec::new() };
        let file_systems = names(&self.at("sys/fs/btrfs")).into_iter();
        let members = file_systems.map(|id| names(&self.at("sys/fs/btrfs").join(id).join("devices")));
        let members = members.into_iter().find(|members| members.contains(&block.name)).unwrap_or_default();
        members.iter().filter_map(|name| Some(self.block_named(name)?.number)).collect()
    }
}

impl Mount {
    /// Reads `id parent major:minor root point options [tags...] - type source options`.
    fn parse(line: &[u8]) -> Option<Self> {
        let mut fields = line.split(|&byte| byte == b' ');
        let mut next = || fields.next().map(unescape);
        let id = next()?.to_str()?.parse().ok()?;
        let _parent = next()?;
        let device = parse_number(next()?.to_str()?)?;
        let (root, mount_point) = (next()?.into(), next()?.into());
        fields.by_ref().find(|&field| field == b"-")?;
        let kind = String::from_utf8_lossy(fields.next()?).into_owned();
        let at = MountedAt { kind, source: unescape(fields.next()?), mount_point };
        Some(Self { id, device, devices: Vec::new(), root, at, options: fields.next()?.to_vec() })
    }

    /// Returns the paths that were mounted, if it was paths: bcachefs has several, with colons between.
    pub fn sources(&self) -> impl Iterator<Item = &Path> {
        let source = self.at.source.as_bytes();
        let several = source.windows(6).any(|bytes| bytes == b":/dev/");
        let paths =
            source.split(move |&byte| several && byte == b':').map(|path| Path::new(OsStr::from_bytes(path)));
        paths.filter(|path| path.is_absolute())
    }

    /// Returns the value of an option of the file system.
    pub fn option(&self, name: &str) -> Option<PathBuf> {
        let mut options = self.options.split(|&byte| byte == b',');
        let value = options.find_map(|option| option.strip_prefix(name.as_bytes())?.strip_prefix(b"="))?;
        Some(unescape(value).into())
    }
}

/// Returns the mount that a path lies in.
///
/// The kernel tells its number since Linux 5.8. Before that, it is the longest mount point above the
/// path, where those of the same device go first: others may be hidden below a later mount.
pub fn mount_of<'a>(mounts: &'a [Mount], path: &Path) -> io::Result<Option<&'a Mount>> {
    let real = fs::canonicalize(path)?;
    let device = number(fs::metadata(&real)?.dev());
    let id = rustix::fs::statx(CWD, &real, AtFlags::empty(), StatxFlags::MNT_ID).ok();
    let id = id.filter(|statx| statx.stx_mask & StatxFlags::MNT_ID.bits() != 0).map(|statx| statx.stx_mnt_id);
    let above = mounts.iter().filter(|mount| real.starts_with(&mount.at.mount_point));
    // The last of several largest ones wins, as it lies over the others.
    Ok(above.max_by_key(|mount| {
        (Some(mount.id) == id, mount.device == device, mount.at.mount_point.as_os_str().len())
    }))
}

/// The kernel writes space, tab, newline and backslash, in options also the comma, as a backslash and three octal digits.
pub fn unescape(field: &[u8]) -> OsString {
    let mut plain = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((&byte, after)) = rest.split_first() {
        let octal =
            after.get(..3).and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok());
        match octal {
            Some(value) if byte == b'\\' => {
                plain.push(value);
                rest = after.get(3..).unwrap_or_default();
            }
            _ => {
                plain.push(byte);
                rest = after;
            }
        }
    }
    OsString::from_vec(plain)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_line_is_read_with_its_escapes_and_tags() {
        let line =
            br"36 35 98:0 /part /mnt/my\040disk\134 rw,noatime master:1 shared:2 - ext4 /dev/a\040b rw,x=1";
        let mount = Mount::parse(line).expect("a whole line");
        assert_eq!((mount.id, mount.device), (36, DeviceNumber { major: 98, minor: 0 }));
        assert_eq!(mount.root, Path::new("/part"));
        assert_eq!(mount.at.mount_point, Path::new("/mnt/my disk\\"));
        assert_eq!((mount.at.kind.as_str(), mount.at.source.to_str()), ("ext4", Some("/dev/a b")));
        assert_eq!(mount.option("x"), Some("1".into()));
        assert_eq!(mount.option("y"), None);
    }

    #[test]
    fn an_option_keeps_its_escaped_commas() {
        let line = br"36 35 0:50 / / rw - overlay overlay rw,lowerdir=/l,upperdir=/a\054b:c";
        let mount = Mount::parse(line).expect("a whole line");
        assert_eq!(mount.option("upperdir"), Some("/a,b:c".into()));
    }

    proptest! {
        #[test]
        fn any_line_is_read_or_left_out(line in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Mount::parse(&line);
        }
    }
}
