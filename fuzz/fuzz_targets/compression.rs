//! What NTFS keeps compressed.

#![no_main]

use libfuzzer_sys::fuzz_target;
use unlocked::compression::{lznt1, lzx, xpress};

const SIZES: [usize; 6] = [0, 1, 4095, 4096, 32_768, 65_536];

fuzz_target!(|bytes: &[u8]| {
    let Some((size, bytes)) = bytes.split_first() else { return };
    let mut out = vec![0; SIZES[usize::from(*size) % SIZES.len()]];
    for decompress in [lznt1, lzx, xpress] {
        let _ = decompress(bytes, &mut out);
    }
});
