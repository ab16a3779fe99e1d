//! The real drives, opened and ready to be damaged.

use std::path::Path;
use std::sync::Arc;

use fve::{Key, ReadAt, Volume};
use recovery_key::{RecoveryPassword, Secret};

use crate::known::{DRIVES, Drive};
use crate::metadata::bytes;
use crate::overlay::Overlay;
use crate::{Image, real_drives};

/// The length of a copy of the metadata.
pub const REGION: usize = 0x1_0000;

/// A real drive that has all three copies of its metadata, and what opens it.
pub struct Real {
    /// What is known of it.
    pub drive: &'static Drive,
    /// Its bytes.
    pub source: Arc<dyn ReadAt>,
    /// Where the copies lie.
    pub places: [u64; 3],
    /// Its volume master key, if it has one.
    pub vmk: Option<Secret<[u8; 32]>>,
}

impl Real {
    fn open(folder: &Path, drive: &'static Drive) -> Option<Self> {
        let source = Image::open(&folder.join(drive.file)).expect("a real drive");
        let volume = Volume::open(source.clone()).expect("a BitLocker volume");
        let places = volume.metadata().information.metadata.map(|place| place.get());
        volume.copies().iter().all(|copy| copy.metadata.is_ok()).then_some(())?;
        let unlocked = volume.unlock(&typed(drive)).expect("a published key");
        let vmk = unlocked.vmk().map(Secret::duplicate);
        drop(unlocked);
        Some(Self { drive, source, places, vmk })
    }

    /// What opens the drive at once, without stretching.
    pub fn key(&self) -> Key {
        self.vmk.as_ref().map_or(Key::None, |vmk| Key::Vmk(vmk.duplicate()))
    }

    /// Returns it as something to damage.
    pub fn overlay(&self) -> Overlay {
        Overlay::new(&self.source)
    }

    /// Returns its metadata.
    pub fn region(&self) -> Vec<u8> {
        bytes(&self.source, self.places[0], REGION)
    }

    /// Returns the first bytes of the view.
    ///
    /// # Panics
    /// When it does not open or cannot be read.
    pub fn front(&self, volume: &Volume) -> Vec<u8> {
        let unlocked = volume.unlock(&self.key()).unwrap_or_else(|e| panic!("{}: {e}", self.drive.file));
        bytes(&unlocked.view().unwrap_or_else(|e| panic!("{}: {e}", self.drive.file)), 0, 0x8000)
    }

    /// Returns the first bytes of the undamaged view.
    pub fn whole(&self) -> Vec<u8> {
        self.front(&Volume::open(self.source.clone()).expect("an undamaged drive"))
    }
}

/// The key that a person has.
///
/// # Panics
/// When it has none.
pub fn typed(drive: &Drive) -> Key {
    match (drive.open, drive.password, drive.recovery_passwords) {
        (true, ..) => Key::None,
        (_, Some(text), _) => Key::Password(Secret::new(text.to_owned())),
        (_, _, [digits, ..]) => Key::RecoveryPassword(RecoveryPassword::parse(digits).expect("digits")),
        _ => panic!("{} has no key", drive.file),
    }
}

/// Runs a test on every real drive that has all three copies.
///
/// # Panics
/// When the test does, or a drive does not open.
pub fn each(mut test: impl FnMut(&Real)) {
    let Some(folder) = real_drives() else { return };
    let real: Vec<_> = DRIVES.iter().filter_map(|drive| Real::open(folder, drive)).collect();
    assert_eq!(real.len(), DRIVES.len() - 2, "two of the drives have one copy of the metadata only");
    real.iter().for_each(&mut test);
}

/// Opens one of the real drives; `None` when there are none.
///
/// # Panics
/// When it does not open.
pub fn named(file: &str) -> Option<Real> {
    let folder = real_drives()?;
    Real::open(folder, DRIVES.iter().find(|drive| drive.file == file).expect("a known drive"))
}
