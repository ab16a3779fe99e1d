//! Which drive's key is locked away by which other drive.

use std::collections::HashSet;

use uuid::Uuid;

use super::{Record, Result};

impl Record {
    /// Returns whether a volume can still be opened when another one is locked: whether a proven copy of
    /// one of its keys lies outside of that other volume, and outside of every volume whose own key lies
    /// only there, however long the chain.
    ///
    /// # Errors
    /// When the record cannot be read.
    pub fn opens_without(&self, volume: Uuid, locked: Uuid) -> Result<bool> {
        self.opens(volume, &mut HashSet::from([locked]))
    }

    /// A volume on the way cannot help itself: a chain that comes back to it is a cycle.
    fn opens(&self, volume: Uuid, locked: &mut HashSet<Uuid>) -> Result<bool> {
        if !locked.insert(volume) {
            return Ok(false);
        }
        let mut opens = false;
        for copy in self.copies(volume)? {
            if copy.key_id.is_none() || copy.proven.is_none() || copy.failed.is_some() || copy.stale {
                continue;
            }
            opens = match copy.lies_on {
                None => true,
                Some(on) => self.opens(on, locked)?,
            };
            if opens {
                break;
            }
        }
        locked.remove(&volume);
        Ok(opens)
    }
}
