//! A metadata region. Its checksum is made right first: an attacker would do that too.

#![no_main]

use fve::metadata::Metadata;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut region = bytes.to_vec();
    lastkey_fuzz::seal_metadata(&mut region);
    let Ok(metadata) = Metadata::parse(&region) else { return };
    let _ = (metadata.label(), metadata.fvek(), metadata.virtualization(), metadata.hash_seal());
    let _ = metadata.hash_holds(None);
    let written = metadata.to_bytes();
    let written = written.expose();
    assert_eq!(written.as_slice(), &region[..written.len()], "something was lost");
});
