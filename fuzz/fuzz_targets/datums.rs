//! The datums of metadata, nested ones too. What is read is written back as it was.

#![no_main]

use fve::datum::Datum;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(datums) = Datum::parse_all(bytes) else { return };
    let mut written = Vec::new();
    datums.iter().for_each(|datum| datum.write(&mut written));
    assert_eq!(written, bytes, "something was lost");
});
