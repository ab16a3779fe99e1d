//! What a log says of itself: notes, checkpoints, verifier keys and proofs from a server that nobody trusts.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tlog::{Checkpoint, Hash, NoteSigner, NoteVerifier, verify_consistency, verify_inclusion};

fuzz_target!(|bytes: &[u8]| {
    proof(bytes);
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(verifier) = NoteVerifier::parse(text) {
        assert_eq!(NoteVerifier::parse(&verifier.to_string()), Ok(verifier));
    }
    let signer = NoteSigner::new("log", &[7; 32]).expect("a plain name");
    // As it comes, and with a signature that holds: somebody who means harm may be the log.
    let _ = signer.verifier().open(text);
    if let Ok(signed) = signer.verifier().open(&signer.sign(text)) {
        assert_eq!(signed.trim_end_matches('\n'), text.trim_end_matches('\n'));
    }
    if let Ok(checkpoint) = Checkpoint::parse(text) {
        assert_eq!(Checkpoint::parse(&checkpoint.to_string()), Ok(checkpoint));
    }
});

/// Two numbers, then hashes.
fn proof(bytes: &[u8]) {
    let Some((numbers, rest)) = bytes.split_first_chunk::<16>() else { return };
    let (from, to) = numbers.split_at(8);
    let number = |bytes: &[u8]| bytes.iter().fold(0, |number, &byte| number << 8 | u64::from(byte));
    let hashes: Vec<Hash> = rest.as_chunks().0.to_vec();
    assert!(verify_inclusion(&[1; 32], number(from), number(to), &hashes, &[2; 32]).is_err());
    assert!(verify_consistency(number(from).max(1), &[1; 32], number(to), &[2; 32], &hashes).is_err());
}
