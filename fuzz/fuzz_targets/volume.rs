//! A whole drive: a boot sector of any kind, then metadata with a right checksum, then whatever comes.

#![no_main]

use std::ops::ControlFlow;
use std::sync::Arc;

use fve::boot_sector::{BootSector, LENGTH};
use fve::{Key, ReadAt, Volume};
use libfuzzer_sys::fuzz_target;

const METADATA_AT: usize = 0x1000;

fuzz_target!(|bytes: &[u8]| {
    let Some((sector, rest)) = bytes.split_at_checked(LENGTH) else { return };
    let mut drive = sector.to_vec();
    if sector.iter().all(|&byte| byte == 0) {
        drive = BootSector::standard(512, 8, [METADATA_AT as u64; 3]).to_vec();
    }
    drive.resize(METADATA_AT, 0);
    drive.extend_from_slice(rest);
    lastkey_fuzz::seal_metadata(&mut drive[METADATA_AT..]);
    let drive: Arc<dyn ReadAt> = Arc::new(drive);
    let _ = fve::scan(&*drive, 0, |_| ControlFlow::Continue(()));
    let Ok(volume) = Volume::open(Arc::clone(&drive)) else { return };
    let _ = (volume.state(), volume.method(), volume.protection(), volume.expected_size(), volume.extended());
    let _ = (volume.progress(), volume.direction(), volume.copies_differ());
    let _ = format!("{:?}", volume.protectors());
    let Ok(unlocked) = volume.unlock(&Key::None) else { return };
    let _ = (unlocked.authentic(), unlocked.recovery_passwords(), unlocked.external_keys());
    let Ok(view) = unlocked.view() else { return };
    let mut first = [0; LENGTH];
    let _ = (view.file_system(), view.read_at(0, &mut first));
});
