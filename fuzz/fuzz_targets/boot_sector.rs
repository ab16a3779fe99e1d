//! First sectors.

#![no_main]

use fve::boot_sector::BootSector;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|sector: [u8; 512]| {
    let Some(found) = BootSector::parse(&sector) else { return };
    if let [Some(a), Some(b), Some(c)] = found.metadata {
        let own = BootSector::standard(found.bytes_per_sector, found.sectors_per_cluster, [a, b, c]);
        assert!(BootSector::parse(&own).is_some(), "what is written can be read");
    }
});
