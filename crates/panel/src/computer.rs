//! What the pages need of the computer.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use drives::{Attached, OpenError, Source};
use fve::ReadAt;

use crate::helper::Helper;

/// What this process may do with drives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rights {
    /// Everything: it runs as an administrator, or was given the rights it asked for.
    All,
    /// Not everything yet: a person can be asked.
    CanAsk,
    /// Not everything, and there is no way to ask.
    None,
}

/// What the pages need of the computer.
pub trait Computer: Send + Sync {
    /// Lists the drives that are attached.
    fn attached(&self) -> Vec<Attached>;

    /// Opens a drive for reading.
    ///
    /// # Errors
    /// [`OpenError`] tells apart what a person can do something about.
    fn open(&self, path: &Path) -> Result<Arc<dyn ReadAt>, OpenError>;

    /// Returns something that changes when drives come, go or are mounted. Must be cheap: it is asked every second
    /// while somebody looks at a page with drives on it.
    fn mark(&self) -> u64;

    /// Returns what this process may do.
    fn rights(&self) -> Rights;

    /// Asks the person for an administrator's rights to read drives, and waits for the answer.
    ///
    /// # Errors
    /// Why there are none.
    fn ask_for_rights(&self) -> Result<(), Denied>;
}

/// Why there are no more rights.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// The person did not want it.
    #[error("the window that asked for an administrator's password was closed")]
    Declined,
    /// No program here asks for rights, or none that did got them.
    #[error("nothing on this computer could ask for an administrator's rights")]
    Nobody,
    /// They are being asked for.
    #[error("an administrator's rights are being asked for already")]
    Asking,
    /// Something else.
    #[error("{0}")]
    Failed(String),
}

/// This computer, with the rights that the process has or was lent.
#[derive(Default)]
pub struct ThisComputer {
    helper: Mutex<Option<Arc<Helper>>>,
    /// Held while a person is asked.
    asking: Mutex<()>,
}

impl ThisComputer {
    fn helper(&self) -> Option<Arc<Helper>> {
        let mut helper = self.helper.lock().unwrap_or_else(PoisonError::into_inner);
        helper.take_if(|helper| !helper.is_there());
        helper.clone()
    }
}

impl Computer for ThisComputer {
    fn attached(&self) -> Vec<Attached> {
        let mut drives = drives::attached();
        let is_unknown = |drive: &Attached| drive.is_bitlocker.is_none();
        if drives.iter().any(is_unknown)
            && let Some(known) = self.helper().and_then(|helper| helper.list())
        {
            for drive in drives.iter_mut().filter(|drive| is_unknown(drive)) {
                let found = known.iter().find(|known| known.path == drive.path);
                drive.is_bitlocker = found.map(|known| known.is_bitlocker);
            }
        }
        drives
    }

    fn open(&self, path: &Path) -> Result<Arc<dyn ReadAt>, OpenError> {
        let opened = match (Source::open(path), self.helper()) {
            (Err(OpenError::NotPermitted { device: true, .. }), Some(helper)) => helper.open(path),
            (opened, _) => opened,
        };
        opened.map(|source| Arc::new(source) as Arc<dyn ReadAt>)
    }

    fn mark(&self) -> u64 {
        drives::mark()
    }

    fn rights(&self) -> Rights {
        if may_read_all() || self.helper().is_some() {
            Rights::All
        } else if Helper::can_be_asked_for() {
            Rights::CanAsk
        } else {
            Rights::None
        }
    }

    fn ask_for_rights(&self) -> Result<(), Denied> {
        let _asking = self.asking.try_lock().map_err(|_| Denied::Asking)?;
        if self.rights() != Rights::All {
            let helper = Arc::new(Helper::start()?);
            *self.helper.lock().unwrap_or_else(PoisonError::into_inner) = Some(helper);
        }
        Ok(())
    }
}

/// Whether this process reads every drive by itself.
#[cfg(unix)]
fn may_read_all() -> bool {
    rustix::process::geteuid().is_root()
}

/// Windows lets only an administrator open a whole disk, and the first is nearly always there.
#[cfg(not(unix))]
fn may_read_all() -> bool {
    std::fs::File::open(r"\\.\PhysicalDrive0").is_ok()
}
