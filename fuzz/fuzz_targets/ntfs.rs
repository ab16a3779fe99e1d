//! NTFS: everything on a volume is listed and read.

#![no_main]

use lastkey_fuzz::files::{browse, image, seal_ntfs};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut volume = image(bytes, b"NTFS    ");
    seal_ntfs(&mut volume);
    browse(volume);
});
