//! The first sectors of a drive: what they look like, and what a whole disk is cut into.

#![no_main]

use fve::ReadAt;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut disk = bytes.to_vec();
    lastkey_fuzz::seal_gpt(&mut disk);
    let _ = drives::signature(&disk);
    for partition in drives::partitions(&disk) {
        let end = partition.offset.checked_add(partition.size).expect("a partition ends somewhere");
        assert!(end <= disk.size(), "{partition:?} does not lie on the disk");
    }
});
