//! FAT12, FAT16 and FAT32: everything on a volume is listed and read.

#![no_main]

use lastkey_fuzz::files::{browse, image};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let volume = image(bytes, b"MSDOS5.0");
    browse(volume);
});
