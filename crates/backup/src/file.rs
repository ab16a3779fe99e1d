//! A folder: on another drive, a stick or a share.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use drives::Layer;
use recovery_key::{Secret, document};
use sealed::Seal;

use crate::destination::{Destination, ReadBack, Refusal, SaveError, SavedCopy, Warning};
use crate::document::Document;
use crate::new_file::{NewFile, sync_folder};

/// A folder.
#[derive(Clone, Debug)]
pub struct FileDestination {
    folder: PathBuf,
    seal: Option<Arc<Seal>>,
}

impl FileDestination {
    /// Names a folder that exists.
    pub fn new(folder: PathBuf) -> Self {
        Self { folder, seal: None }
    }

    /// Seals every file here: `NAME.TXT.age`. [`sealed`] says what reading it back then proves.
    #[must_use]
    pub fn sealed(mut self, seal: Seal) -> Self {
        self.seal = Some(Arc::new(seal));
        self
    }

    /// Returns the folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    fn place(&self) -> String {
        self.folder.display().to_string()
    }

    /// Windows saves no key there at all.
    fn is_top_of_fixed_drive(&self) -> bool {
        let Ok(folder) = self.folder.canonicalize() else { return false };
        let attached = drives::attached().into_iter();
        attached.filter(|drive| !drive.removable).any(|drive| drive.mounted_at.contains(&folder))
    }

    fn file_name(&self, document: &Document) -> String {
        let name = document.file_name();
        if self.seal.is_some() { format!("{name}.{}", sealed::EXTENSION) } else { name }
    }

    fn write(&self, document: &Document) -> io::Result<PathBuf> {
        let bytes = document.to_bytes();
        let sealed = self.seal.as_ref().map(|seal| seal.seal(bytes.expose())).transpose();
        let sealed = sealed.map_err(io::Error::other)?;
        let mut new = NewFile::create(&self.folder)?;
        new.file().write_all(sealed.as_ref().unwrap_or(bytes.expose()))?;
        let path = self.folder.join(self.file_name(document));
        new.keep(&path)?;
        Ok(path)
    }
}

impl Destination for FileDestination {
    fn kind(&self) -> &'static str {
        "file"
    }

    fn describe(&self) -> String {
        let sealed = if self.seal.is_some() { ", sealed" } else { "" };
        format!("the folder {}{sealed}", self.place())
    }

    fn check(&self, drive: &Path) -> Result<Vec<Warning>, Refusal> {
        let unseen = |source| Refusal::Unseen { place: self.place(), source };
        if !self.folder.is_dir() {
            return Err(Refusal::NoFolder { place: self.place() });
        }
        let layers = drives::lies_on(&self.folder).map_err(unseen)?;
        if drives::same_drive(&layers, drive).map_err(unseen)? {
            return Err(Refusal::OnTheDrive { place: self.place() });
        }
        if let Some((opened, opener)) = drives::opened_bitlocker(&layers).next() {
            let below = layers.iter().skip_while(|layer| *layer != opened).skip(1);
            let device = below.into_iter().find_map(|layer| match layer {
                Layer::Device { path, .. } | Layer::Image { path, .. } => Some(path.clone()),
                _ => None,
            });
            return Err(Refusal::OnBitLocker { place: self.place(), opener, device });
        }
        let mut warnings: Vec<_> = layers
            .iter()
            .filter_map(|layer| match layer {
                Layer::Memory(_) => Some(Warning::InMemory),
                Layer::Network(_) | Layer::Host(_) => Some(Warning::Network),
                Layer::Unknown(_) => Some(Warning::Unknown),
                _ => None,
            })
            .collect();
        let below = drives::lies_on(drive).unwrap_or_default();
        let disk = |layers: &[Layer]| match layers.last() {
            Some(Layer::Device { path, .. }) => Some(path.clone()),
            _ => None,
        };
        // An image file stands on its disk like any folder: only a device can break together with it.
        if below.iter().all(|layer| matches!(layer, Layer::Device { .. }))
            && disk(&below).is_some_and(|own| disk(&layers) == Some(own))
        {
            warnings.push(Warning::SameDisk);
        } else if self.is_top_of_fixed_drive() {
            warnings.push(Warning::FixedDrive);
        }
        warnings.dedup();
        Ok(warnings)
    }

    fn save(&self, document: &Document) -> Result<SavedCopy, SaveError> {
        let name = self.file_name(document);
        let path = self.write(document).map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => SaveError::AlreadyThere { path: self.folder.join(&name) },
            _ => SaveError::from_io(self.place(), error),
        })?;
        Ok(SavedCopy { place: path.display().to_string(), name: Some(name), path: Some(path) })
    }

    fn read_back(&self, copy: &SavedCopy) -> Result<ReadBack, SaveError> {
        let read = || {
            let path = copy.path.as_deref().ok_or(io::ErrorKind::NotFound)?;
            let file = File::open(path)?;
            forget_cache(&file)?;
            let mut bytes = Secret::new(Vec::new());
            file.take(document::SIZE_LIMIT as u64).read_to_end(bytes.expose_mut())?;
            if let Some(seal) = &self.seal {
                bytes = seal.open(bytes.expose()).map_err(io::Error::other)?;
            }
            Ok(ReadBack::Document(bytes))
        };
        read().map_err(|error: io::Error| SaveError::from_io(copy.place.clone(), error))
    }

    fn remove(&self, copy: &SavedCopy) -> Result<(), SaveError> {
        let path = copy.path.as_deref().unwrap_or(&self.folder);
        fs::remove_file(path)
            .and_then(|()| sync_folder(&self.folder))
            .map_err(|error| SaveError::from_io(copy.place.clone(), error))
    }
}

/// Makes the next reading come from the medium: what is in the cache proves nothing about it.
#[cfg(target_os = "linux")]
pub(crate) fn forget_cache(file: &File) -> io::Result<()> {
    match rustix::fs::fadvise(file, 0, None, rustix::fs::Advice::DontNeed) {
        // Some file systems have no cache of their own to forget.
        Ok(()) | Err(rustix::io::Errno::NOSYS | rustix::io::Errno::INVAL) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn forget_cache(_: &File) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use recovery_key::bek::Bek;
    use recovery_key::{KeyId, RecoveryPassword};

    use super::*;
    use crate::document::{About, Content};

    fn documents() -> [Document; 2] {
        let key_id = "AC9D5655-F7CA-4D1D-902F-1B6087118138".parse::<KeyId>().expect("a GUID");
        let password = RecoveryPassword::parse("132858-327525-689172-680790-354607-080454-642268-377564");
        let drive = About { volume: uuid::Uuid::from_u128(1), label: None, now: 1_700_000_000 };
        [
            Content::RecoveryPassword { key_id, password: password.expect("well-formed digits") },
            Content::ExternalKey(Bek::new(key_id, 1, 1, None, Secret::new([7; 32]))),
        ]
        .map(|content| Document { drive: drive.clone(), content })
    }

    #[test]
    fn what_is_saved_is_read_back_and_removed() {
        let folder = tempfile::tempdir().expect("a folder");
        let destination = FileDestination::new(folder.path().to_owned());
        for document in documents() {
            let copy = destination.save(&document).expect("a copy");
            let ReadBack::Document(bytes) = destination.read_back(&copy).expect("the copy") else {
                panic!("a file is read back");
            };
            assert!(bytes.expose() == document.to_bytes().expose());
            assert_eq!(copy.name, Some(document.file_name()));
            destination.remove(&copy).expect("removed");
        }
        assert_eq!(fs::read_dir(folder.path()).expect("the folder").count(), 0);
    }

    #[test]
    fn what_is_sealed_is_read_back_and_says_nothing_on_the_medium() {
        let folder = tempfile::tempdir().expect("a folder");
        let owner = age::x25519::Identity::generate();
        let seal = Seal::to_recipients(&[owner.to_public().to_string()]).expect("a recipient");
        let destination = FileDestination::new(folder.path().to_owned()).sealed(seal);
        for document in documents() {
            let copy = destination.save(&document).expect("a copy");
            assert_eq!(copy.name, Some(format!("{}.age", document.file_name())));
            let path = copy.path.as_ref().expect("a path");
            let on_medium = fs::read(path).expect("the file");
            assert_eq!(sealed::needs_passphrase(&on_medium), Some(false));
            let ReadBack::Document(bytes) = destination.read_back(&copy).expect("the copy") else {
                panic!("a file is read back");
            };
            assert!(bytes.expose() == document.to_bytes().expose());
            let opened = sealed::open(&on_medium, &sealed::Opener::Identities(vec![owner.clone()]));
            assert!(opened.expect("opened").expose() == document.to_bytes().expose());
            assert!(matches!(destination.save(&document), Err(SaveError::AlreadyThere { .. })));
            fs::write(path, &on_medium[..on_medium.len() - 1]).expect("written");
            assert!(destination.read_back(&copy).is_err());
            destination.remove(&copy).expect("removed");
        }
        assert_eq!(fs::read_dir(folder.path()).expect("the folder").count(), 0);
    }

    #[cfg(unix)]
    #[test]
    fn a_copy_is_for_its_owner_alone() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().expect("a folder");
        let destination = FileDestination::new(folder.path().to_owned());
        let copy = destination.save(&documents()[0]).expect("a copy");
        let mode = fs::metadata(copy.path.expect("a path")).expect("the file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_file_that_is_there_is_left_as_it_is() {
        let folder = tempfile::tempdir().expect("a folder");
        let destination = FileDestination::new(folder.path().to_owned());
        let [document, _] = documents();
        let path = folder.path().join(document.file_name());
        fs::write(&path, "mine").expect("written");
        assert!(matches!(destination.save(&document), Err(SaveError::AlreadyThere { .. })));
        assert_eq!(fs::read(&path).expect("the file"), b"mine");
        assert_eq!(fs::read_dir(folder.path()).expect("the folder").count(), 1);
    }

    #[test]
    fn a_folder_that_is_not_there_is_said_so() {
        let folder = tempfile::tempdir().expect("a folder");
        let destination = FileDestination::new(folder.path().join("missing"));
        assert!(matches!(destination.save(&documents()[0]), Err(SaveError::NoFolder { .. })));
    }
}
