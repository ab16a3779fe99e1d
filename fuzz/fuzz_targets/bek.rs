//! External key files. What is read is written back as it was.

#![no_main]

use libfuzzer_sys::fuzz_target;
use recovery_key::bek::Bek;

fuzz_target!(|bytes: &[u8]| {
    let Ok(bek) = Bek::parse(bytes) else { return };
    let written = bek.to_bytes();
    let written = written.expose();
    let own = bytes.get(..written.len()).expect("no more is written than was read");
    assert_eq!(&written[16..], &own[16..], "something was lost");
    assert_eq!(Bek::parse(written).expect("what is written can be read").to_bytes().expose(), written);
});
