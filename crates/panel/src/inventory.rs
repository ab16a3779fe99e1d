//! The drives, and what each of them is.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use drives::{Attached, OpenError, Part, Source};
use fve::{Direction, Protection, ProtectorKind, ReadAt, State, Volume};
use recovery_key::KeyId;
use uuid::Uuid;

use crate::computer::Computer;

/// The most partitions of an image that are looked at.
const PARTITIONS: usize = 64;

/// A drive as a page shows it.
#[derive(Clone, Debug)]
pub struct Drive {
    /// What stands for it in addresses. Another drive in the same place has another.
    pub id: String,
    /// What a person calls it: `sda3`, `disk.img`.
    pub name: String,
    /// What is known of the device; of an image file no more than its path and size.
    pub attached: Attached,
    /// The number of the partition in an image of a whole disk.
    pub partition: Option<u32>,
    /// Whether it is an image file.
    pub is_image: bool,
    /// What is on it.
    pub content: Content,
}

/// What is on a drive.
#[derive(Clone, Debug)]
pub enum Content {
    /// A BitLocker volume.
    BitLocker(VolumeFacts),
    /// A BitLocker volume whose metadata cannot be read, and why.
    Damaged(String),
    /// Something else.
    Other,
    /// Rights are missing to look.
    Hidden,
}

/// What a BitLocker volume says of itself to everybody.
#[derive(Clone, Debug)]
pub struct VolumeFacts {
    /// The volume's GUID.
    pub id: Uuid,
    /// The label that Windows gave it: computer, volume, date.
    pub label: Option<String>,
    /// How far it is encrypted.
    pub state: State,
    /// Whether it asks for a key.
    pub protection: Protection,
    /// What opens it.
    pub protectors: Vec<(KeyId, ProtectorKind)>,
    /// How it is encrypted, in words: `XTS-AES 128-bit`.
    pub method: Option<String>,
    /// Of a conversion: how many bytes of how many are done, and which way it goes.
    pub progress: Option<(u64, u64, Option<Direction>)>,
}

impl VolumeFacts {
    /// Asks a volume.
    pub fn of(volume: &Volume) -> Self {
        let converting = !matches!(volume.state(), State::Encrypted | State::Decrypted);
        let progress = converting.then(|| volume.progress().ok()).flatten();
        Self {
            id: volume.id(),
            label: volume.metadata().label(),
            state: volume.state(),
            protection: volume.protection(),
            protectors: volume.protectors().iter().map(|protector| (protector.id, protector.kind)).collect(),
            method: volume.method().ok().flatten().map(|method| method.to_string()),
            progress: progress.map(|(done, all)| (done, all, volume.direction())),
        }
    }

    /// Whether a computer starts from it: only such a drive has a protector in a TPM, and Windows notes its letter.
    #[must_use]
    pub fn starts_a_computer(&self) -> bool {
        let in_tpm = |kind| {
            use ProtectorKind as Kind;
            matches!(kind, Kind::Tpm | Kind::TpmAndPin | Kind::TpmAndStartupKey | Kind::TpmPinAndStartupKey)
        };
        self.protectors.iter().any(|&(_, kind)| in_tpm(kind))
            || self.label.as_ref().is_some_and(|label| label.split(' ').any(|word| word == "C:"))
    }

    /// Returns the key IDs of its recovery keys.
    pub fn recovery_keys(&self) -> impl Iterator<Item = KeyId> {
        let keys = self.protectors.iter().filter(|(_, kind)| *kind == ProtectorKind::RecoveryPassword);
        keys.map(|&(id, _)| id)
    }
}

impl Drive {
    /// Returns the volume, if it is a BitLocker drive in order.
    #[must_use]
    pub fn facts(&self) -> Option<&VolumeFacts> {
        match &self.content {
            Content::BitLocker(facts) => Some(facts),
            _ => None,
        }
    }

    /// Opens its bytes: those of the device, or of the partition in the image.
    ///
    /// # Errors
    /// When it is gone, or rights are missing.
    pub fn source(&self, computer: &dyn Computer) -> Result<Arc<dyn ReadAt>, OpenError> {
        let source: Arc<dyn ReadAt> = if self.is_image {
            Arc::new(Source::open(&self.attached.path)?)
        } else {
            computer.open(&self.attached.path)?
        };
        let Some(number) = self.partition else { return Ok(source) };
        let all = drives::partitions(&*source);
        let part = all.into_iter().find(|partition| partition.index == number);
        let part = part.and_then(|part| Part::new(source, part.offset, part.size));
        let gone = || OpenError::NotFound { path: self.attached.path.clone() };
        part.map(|part| Arc::new(part) as Arc<dyn ReadAt>).ok_or_else(gone)
    }
}

/// The list of drives, read again when something has changed.
pub struct Inventory {
    computer: Arc<dyn Computer>,
    images: Mutex<Vec<PathBuf>>,
    last: Mutex<Option<(u64, Arc<Vec<Drive>>)>>,
}

impl Inventory {
    /// Takes a computer, and image files that are shown beside its drives.
    #[must_use]
    pub fn new(computer: Arc<dyn Computer>, images: Vec<PathBuf>) -> Self {
        Self { computer, images: Mutex::new(images), last: Mutex::new(None) }
    }

    /// Returns the computer.
    #[must_use]
    pub fn computer(&self) -> &Arc<dyn Computer> {
        &self.computer
    }

    /// Returns the drives as they are now. Blocks while they are read.
    #[must_use]
    pub fn drives(&self) -> Arc<Vec<Drive>> {
        // Whoever comes second waits for what the first finds out.
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let mark = self.computer.mark();
        if let Some((known, drives)) = &*last
            && *known == mark
        {
            return Arc::clone(drives);
        }
        let drives = Arc::new(self.read());
        *last = Some((mark, Arc::clone(&drives)));
        drives
    }

    /// Forgets what is known, so that the drives are read again: rights were granted, a drive was changed.
    pub fn forget(&self) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Shows more image files, so many in all at most.
    pub fn show(&self, more: Vec<PathBuf>, limit: usize) {
        let mut images = self.images.lock().unwrap_or_else(PoisonError::into_inner);
        let before = images.len();
        for path in more {
            if images.len() < limit && !images.contains(&path) {
                images.push(path);
            }
        }
        let is_same = images.len() == before;
        drop(images);
        if !is_same {
            self.forget();
        }
    }

    /// Returns a drive, if it is still there.
    #[must_use]
    pub fn drive(&self, id: &str) -> Option<Drive> {
        self.drives().iter().find(|drive| drive.id == id).cloned()
    }

    fn read(&self) -> Vec<Drive> {
        let attached = self.computer.attached();
        let devices = attached.into_iter().map(|attached| self.device(attached));
        let images = self.images.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let images = images.iter().flat_map(|path| image(path));
        devices.chain(images).collect()
    }

    fn device(&self, attached: Attached) -> Drive {
        let mut drive = Drive {
            id: device_id(&attached),
            name: attached.name.clone(),
            partition: None,
            is_image: false,
            content: Content::Other,
            attached,
        };
        drive.content = match drive.attached.is_bitlocker {
            Some(false) => Content::Other,
            Some(true) => match drive.source(&*self.computer) {
                Ok(source) => content(source),
                Err(error) if is_hidden(&error) => Content::Hidden,
                Err(error) => Content::Damaged(error.to_string()),
            },
            None => match drive.source(&*self.computer) {
                Ok(source)
                    if drives::signature(&*source)
                        .is_ok_and(|found| found == drives::Signature::BitLocker) =>
                {
                    content(source)
                }
                Ok(_) => Content::Other,
                Err(error) if is_hidden(&error) => Content::Hidden,
                Err(_) => Content::Other,
            },
        };
        drive
    }
}

fn is_hidden(error: &OpenError) -> bool {
    matches!(error, OpenError::NotPermitted { .. })
}

fn content(source: Arc<dyn ReadAt>) -> Content {
    match Volume::open(source) {
        Ok(volume) => Content::BitLocker(VolumeFacts::of(&volume)),
        Err(fve::Error::NotBitLocker) => Content::Other,
        Err(error) => Content::Damaged(error.to_string()),
    }
}

/// Returns what stands for a device in addresses: letters, digits, and what tells it from those before and after.
pub fn device_id(attached: &Attached) -> String {
    let name: String =
        attached.name.chars().map(|char| if char.is_ascii_alphanumeric() { char } else { '-' }).collect();
    match attached.sequence {
        Some(sequence) => format!("{name}.{sequence}"),
        None => format!("{name}.{:x}", attached.size),
    }
}

/// Looks at an image file: a volume, or a whole disk with some.
fn image(path: &Path) -> Vec<Drive> {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    path.hash(&mut hasher);
    let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
    let mut attached = Attached::default();
    attached.name.clone_from(&name);
    attached.path = path.to_owned();
    let drive = |attached: &Attached, partition: Option<u32>, content| Drive {
        id: format!(
            "image-{:016x}{}",
            hasher.finish(),
            partition.map_or(String::new(), |number| format!(".{number}"))
        ),
        name: partition.map_or(name.clone(), |number| format!("{name}, {number}")),
        attached: attached.clone(),
        partition,
        is_image: true,
        content,
    };
    let source: Arc<dyn ReadAt> = match Source::open(path) {
        Ok(source) => Arc::new(source),
        Err(error) => return vec![drive(&attached, None, Content::Damaged(error.to_string()))],
    };
    attached.size = source.size();
    match content(source.clone()) {
        Content::Other => {}
        content => return vec![drive(&attached, None, content)],
    }
    let mut inside: Vec<Drive> = Vec::new();
    for partition in drives::partitions(&*source).into_iter().take(PARTITIONS) {
        let Some(part) = Part::new(source.clone(), partition.offset, partition.size) else { continue };
        let content = content(Arc::new(part));
        if !matches!(content, Content::Other) {
            let mut part = attached.clone();
            part.size = partition.size;
            inside.push(drive(&part, Some(partition.index), content));
        }
    }
    if inside.is_empty() { vec![drive(&attached, None, Content::Other)] } else { inside }
}
