//! What a device keeps with an account: the sealed file as a server gets it, what is inside, and the capsule.

#![no_main]

use account::record::Record;
use fve::Capsule;
use libfuzzer_sys::fuzz_target;
use recovery_key::Secret;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(header) = sealed::inspect(bytes) {
        assert!(header.recipients > 0 && header.recipients + header.others <= 64);
    }
    if let Ok(capsule) = Capsule::parse(bytes) {
        assert_eq!(capsule.to_bytes(), bytes, "something was lost");
    }
    if let Ok(record) = Record::parse(&Secret::new(bytes.to_vec())) {
        let written = record.to_json().expect("a time that was read can be written");
        let again = Record::parse(&written).expect("what is written can be read").to_json();
        assert!(again.expect("written").expose() == written.expose());
    }
});
