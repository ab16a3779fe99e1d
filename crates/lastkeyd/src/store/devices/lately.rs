//! Who was heard of lately, so that the database is not asked at each request.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::Device;

/// How long it is remembered who a device is.
const LIFETIME: Duration = Duration::from_secs(60);
/// Of how many: some hundred bytes each.
const LIMIT: usize = 4096;

/// The devices that were heard of lately.
#[derive(Debug, Default)]
pub struct Lately(Mutex<HashMap<String, (Instant, Device)>>);

impl Lately {
    pub(super) fn get(&self, id: &str) -> Option<Device> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.get(id).filter(|(since, _)| since.elapsed() < LIFETIME).map(|(_, device)| device.clone())
    }

    pub(super) fn keep(&self, device: &Device) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= LIMIT {
            kept.clear();
        }
        kept.insert(device.id.clone(), (Instant::now(), device.clone()));
    }

    pub(super) fn forget(&self, id: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(id);
    }
}
