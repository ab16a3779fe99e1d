//! The drives that are unlocked, as long as somebody works with them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use backup::{Found, NothingToSave};
use fve::{Key, ProtectorKind, UnlockError, Unlocked, Volume};
use recovery_key::KeyId;
use unlocked::FileSystem;

use crate::inventory::Drive;

/// After how long without use a drive is locked again.
const PATIENCE: Duration = Duration::from_secs(15 * 60);

/// A drive that is unlocked. Its data key and VMK are wiped from memory when the last one lets go of it.
pub struct OpenDrive {
    /// The drive.
    pub drive: Drive,
    /// What opened it.
    pub opened_by: Option<(KeyId, ProtectorKind)>,
    volume: Volume,
    /// What opens the volume again at once: nothing is stretched.
    key: Key,
    files: Mutex<Option<FileSystem>>,
}

impl OpenDrive {
    /// Opens a volume.
    ///
    /// # Errors
    /// Which protectors were tried, and why none opened.
    pub fn open(drive: Drive, volume: Volume, key: &Key) -> Result<Self, UnlockError> {
        Self::open_with_any(drive, volume, std::slice::from_ref(key))
    }

    /// Opens a volume with the first of some keys that does.
    ///
    /// # Errors
    /// Why the first of them does not: that tells most.
    pub fn open_with_any(drive: Drive, volume: Volume, keys: &[Key]) -> Result<Self, UnlockError> {
        let mut first = None;
        let mut tries = keys.iter().map(|key| volume.unlock(key));
        let opened = tries.find_map(|tried| match tried {
            Ok(unlocked) => Some(unlocked),
            Err(error) => {
                first.get_or_insert(error);
                None
            }
        });
        drop(tries);
        let Some(unlocked) = opened else {
            return Err(first.unwrap_or(UnlockError::WrongKey { tried: Vec::new() }));
        };
        let opened_by = unlocked.protector();
        let again = match (unlocked.vmk(), unlocked.fvek()) {
            (Some(vmk), _) => Key::Vmk(vmk.duplicate()),
            (None, Some(fvek)) => Key::Fvek(fvek.duplicate()),
            (None, None) => Key::None,
        };
        drop(unlocked);
        Ok(Self { drive, opened_by, volume, key: again, files: Mutex::new(None) })
    }

    /// Returns the volume.
    #[must_use]
    pub fn volume(&self) -> &Volume {
        &self.volume
    }

    /// Returns the open volume.
    ///
    /// # Errors
    /// When it cannot be read any more.
    pub fn unlocked(&self) -> Result<Unlocked<'_>, UnlockError> {
        self.volume.unlock(&self.key)
    }

    /// Returns the files in it.
    ///
    /// # Errors
    /// When it cannot be read, or holds no file system that can be.
    pub fn files(&self) -> Result<FileSystem, String> {
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(files) = &*files {
            return Ok(files.clone());
        }
        let unlocked = self.unlocked().map_err(|error| error.to_string())?;
        let view = unlocked.view().map_err(|error| error.to_string())?;
        let opened = FileSystem::open(Arc::new(view)).map_err(|error| error.to_string())?;
        *files = Some(opened.clone());
        Ok(opened)
    }

    /// Returns what can be backed up: every recovery key, external keys if there is no other, and the metadata last.
    ///
    /// # Errors
    /// When it cannot be read any more, or there is nothing.
    pub fn found(&self) -> Result<Result<Found, NothingToSave>, UnlockError> {
        let now = jiff::Timestamp::now().as_second();
        Ok(Found::on(&self.unlocked()?, false, now))
    }
}

/// The drives that are unlocked.
#[derive(Default)]
pub struct Desk(Mutex<BTreeMap<String, (Instant, Arc<OpenDrive>)>>);

impl Desk {
    /// Puts a drive on the desk, in place of the one with its ID.
    pub fn put(&self, open: OpenDrive) -> Arc<OpenDrive> {
        let open = Arc::new(open);
        self.all().insert(open.drive.id.clone(), (Instant::now(), Arc::clone(&open)));
        open
    }

    /// Returns an unlocked drive, and notes that it was used.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<Arc<OpenDrive>> {
        let mut all = self.all();
        let (used, open) = all.get_mut(id)?;
        *used = Instant::now();
        Some(Arc::clone(open))
    }

    /// Returns whether a drive is unlocked, without using it.
    #[must_use]
    pub fn has(&self, id: &str) -> bool {
        self.all().contains_key(id)
    }

    /// Locks a drive: what is left of its keys is wiped as soon as nothing reads it any more.
    pub fn lock(&self, id: &str) {
        self.all().remove(id);
    }

    /// Locks what was not used for long, and what is not among these drives any more.
    pub fn tidy(&self, there: &[Drive]) {
        self.all().retain(|id, (used, open)| {
            let in_use = Arc::strong_count(open) > 1;
            there.iter().any(|drive| drive.id == *id) && (in_use || used.elapsed() < PATIENCE)
        });
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<String, (Instant, Arc<OpenDrive>)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
