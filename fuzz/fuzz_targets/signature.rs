//! The fields that sign a request, as strangers send them.

#![no_main]

use account::signature::{DeviceKey, Request, Signed, SignedHeaders, sign};
use libfuzzer_sys::fuzz_target;
use recovery_key::Secret;

fuzz_target!(|text: &str| {
    let mut fields = text.splitn(3, '\n');
    let [digest, input, signature] = [(); 3].map(|()| fields.next().unwrap_or_default());
    let Ok(signed) = Signed::parse(digest, input, signature) else { return };
    let request = Request { method: "GET", authority: "a", target: "/", body: b"" };
    let key = DeviceKey::from_bytes(&Secret::new([7; 32]));
    let _ = signed.verify(&key.public(), &request);
    // There is one way to write it: what was read, written again, is what was there.
    let SignedHeaders { signature_input, .. } =
        sign(&key, &signed.keyid, &request, signed.created, signed.nonce);
    assert_eq!(signature_input, input);
});
