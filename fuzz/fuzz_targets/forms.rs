//! Any file that a search comes upon: archives, Office documents, RTF, JSON, CSV, LDIF, PDF.

#![no_main]

use find::forms::{self, Readers, shape};
use libfuzzer_sys::fuzz_target;
use recovery_key::document::FoundSecret;

fuzz_target!(|bytes: &[u8]| {
    let contents = forms::read("a file", bytes, &Readers::default());
    let shown = format!("{contents:?}");
    for found in &contents.keys {
        let FoundSecret::RecoveryPassword(password) = &found.secret else { continue };
        assert!(!shown.contains(password.digits().expose()), "a recovery key is shown");
    }
    // Pieces of a file are searched where the file as a whole is not read.
    forms::read_piece(bytes);
    let _ = forms::is_whole(bytes);
    if let Some(range) = shape::find(bytes, bytes.len() / 3) {
        assert!(range.start < range.end && range.end <= bytes.len());
    }
});
