//! The drives of Windows, as far as its letters tell.

use std::ffi::OsString;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::path::{Component, Path, PathBuf, Prefix};

use fve::ReadAt;

use crate::{Attached, Layer, MountedAt, OpenError, Signature, Source, Use, signature};

pub fn attached() -> Vec<Attached> {
    ('A'..='Z').filter_map(drive).collect()
}

pub fn attached_as(drive: &Attached) -> Option<Attached> {
    self::drive(drive.name.chars().next()?)
}

/// Hashes which letters there are, and whether what is behind each can be read: an unlocked drive can.
pub fn mark() -> u64 {
    let mut hasher = DefaultHasher::new();
    for letter in 'A'..='Z' {
        let root = fs::metadata(format!("{letter}:\\"));
        root.err().map(|error| error.raw_os_error()).hash(&mut hasher);
    }
    hasher.finish()
}

/// Describes the drive with a letter: known to be there even when its opening is refused.
fn drive(letter: char) -> Option<Attached> {
    let name = format!("{letter}:");
    let path = device(&name);
    let source = match Source::open(&path) {
        Ok(source) => Some(source),
        Err(OpenError::NotPermitted { .. } | OpenError::InUse { .. }) => None,
        Err(_) => return None,
    };
    let content = source.as_ref().and_then(|source| signature(source).ok());
    Some(Attached {
        size: source.as_ref().map_or(0, ReadAt::size),
        is_bitlocker: (content == Some(Signature::BitLocker)).then_some(true),
        content,
        mounted_at: vec![format!("{name}\\").into()],
        name,
        path,
        ..Attached::default()
    })
}

fn device(name: &str) -> PathBuf {
    format!(r"\\.\{name}").into()
}

pub fn lies_on(path: &Path) -> io::Result<Vec<Layer>> {
    if let Some(name) = path.to_str().and_then(|path| path.strip_prefix(r"\\.\")) {
        return Ok(vec![layer(name.to_owned())]);
    }
    let path = std::path::absolute(path)?;
    // Links and mapped letters lead elsewhere; what does not exist yet lies where its folder does.
    let real = path.ancestors().find_map(|path| path.canonicalize().ok()).ok_or(io::ErrorKind::NotFound)?;
    let Some(Component::Prefix(prefix)) = real.components().next() else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    let mounted =
        |source: OsString| MountedAt { kind: String::new(), source, mount_point: prefix.as_os_str().into() };
    Ok(vec![match prefix.kind() {
        Prefix::Disk(letter) | Prefix::VerbatimDisk(letter) => {
            layer(format!("{}:", char::from(letter).to_ascii_uppercase()))
        }
        Prefix::UNC(server, share) | Prefix::VerbatimUNC(server, share) => {
            let mut source = OsString::from(r"\\");
            source.push(server);
            source.push(r"\");
            source.push(share);
            Layer::Network(mounted(source))
        }
        _ => Layer::Unknown(mounted(prefix.as_os_str().into())),
    }])
}

fn layer(name: String) -> Layer {
    Layer::Device { path: device(&name), name, number: None, mapping: None }
}

pub fn same_drive(layers: &[Layer], drive: &Path) -> io::Result<bool> {
    let same = |path: &Path| path.as_os_str().eq_ignore_ascii_case(drive);
    Ok(layers.iter().any(|layer| match layer {
        Layer::Device { path, .. } | Layer::Image { path, .. } => same(path),
        _ => false,
    }))
}

/// A letter is where its drive is mounted; who uses it does not show.
pub fn mounted(path: &Path) -> io::Result<Vec<Use>> {
    let point = path.to_str().and_then(|path| path.strip_prefix(r"\\.\")).filter(|name| name.ends_with(':'));
    Ok(point.map(|name| Use::Mounted(format!("{name}\\").into())).into_iter().collect())
}

pub fn mounts_of(_: &str) -> Vec<MountedAt> {
    Vec::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_lies_on_the_drive_of_its_letter() {
        let folder = tempfile::tempdir().expect("a temp folder");
        for path in [folder.path().to_owned(), folder.path().join("not/yet")] {
            let layers = lies_on(&path).expect("a folder");
            let [Layer::Device { name, path, .. }] = layers.as_slice() else { panic!("{layers:?}") };
            assert!(name.len() == 2 && name.ends_with(':'), "{name}");
            assert!(same_drive(&layers, path).expect("a drive"));
            assert!(same_drive(&layers, &device(&name.to_lowercase())).expect("a drive"));
            assert!(!same_drive(&layers, &device("1:")).expect("no drive"));
            assert_eq!(lies_on(path).expect("a device"), layers);
        }
    }

    #[test]
    fn letters_are_mounted_where_they_say() {
        assert_eq!(mounted(&device("E:")).expect("a letter"), [Use::Mounted(r"E:\".into())]);
        assert_eq!(mounted(&device("PhysicalDrive0")).expect("a disk"), []);
    }

    #[test]
    fn the_system_drive_is_attached() {
        let system = std::env::var("SystemDrive").expect("Windows sets it");
        let drives = attached();
        assert!(drives.iter().any(|drive| drive.name.eq_ignore_ascii_case(&system)), "{drives:?}");
    }
}
