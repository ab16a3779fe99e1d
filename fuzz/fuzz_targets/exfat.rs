//! exFAT: everything on a volume is listed and read.

#![no_main]

use lastkey_fuzz::files::{browse, image, seal_exfat};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut volume = image(bytes, b"EXFAT   ");
    seal_exfat(&mut volume);
    browse(volume);
});
