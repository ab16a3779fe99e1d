//! Whether the lock-out that a key is for would lock the key away too.

use std::path::Path;
use std::sync::Arc;

use drives::Source;
use fve::Volume;
use uuid::Uuid;

use crate::destination::{Destination, Refusal, Warning};
use crate::record::Record;

/// A place that may hold a key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    /// What a person should know of it.
    pub warnings: Vec<Warning>,
    /// The BitLocker volume that it lies on.
    pub lies_on: Option<Uuid>,
}

/// Decides whether a key of a volume, which is on `drive`, may be kept at a place, before anything is done.
///
/// A place on another BitLocker drive is good enough when that drive can be opened without this one: when the record
/// knows a proven copy of its key elsewhere.
///
/// # Errors
/// When the lock-out that the key is for would lock the key away too, or the place cannot be used.
pub fn check(
    destination: &dyn Destination,
    drive: &Path,
    volume: Uuid,
    record: Option<&Record>,
) -> Result<Checked, Refusal> {
    match destination.check(drive) {
        Ok(warnings) => Ok(Checked { warnings, lies_on: None }),
        Err(Refusal::OnBitLocker { device: Some(device), place, opener }) => {
            let other = volume_on(&device);
            let opens = other
                .zip(record)
                .is_some_and(|(other, record)| record.opens_without(other, volume).unwrap_or(false));
            if !opens {
                return Err(Refusal::OnBitLocker { device: Some(device), place, opener });
            }
            Ok(Checked { warnings: vec![Warning::OtherBitLocker], lies_on: other })
        }
        Err(refusal) => Err(refusal),
    }
}

/// Returns the BitLocker volume on a device or image.
fn volume_on(device: &Path) -> Option<Uuid> {
    let source = Source::open(device).ok()?;
    Volume::open(Arc::new(source)).ok().map(|volume| volume.id())
}
