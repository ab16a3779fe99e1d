//! Any file that a person hands over as the place of a recovery key.

#![no_main]

use libfuzzer_sys::fuzz_target;
use recovery_key::document::{self, FoundSecret, text_file, text_file_name};

const NAMES: [Option<&str>; 3] =
    [None, Some("BitLocker Recovery Key 3C116B76-C67B-484E-B439-CE2ED68B561E.TXT"), Some("key.bek")];

fuzz_target!(|bytes: &[u8]| {
    for name in NAMES {
        let reading = document::read(name, bytes);
        let shown: String = reading.remarks.iter().map(|remark| format!("{remark} {remark:?}")).collect();
        let shown = format!("{shown}{reading:?}");
        for found in &reading.keys {
            let FoundSecret::RecoveryPassword(password) = &found.secret else { continue };
            assert!(!shown.contains(password.digits().expose()), "a remark shows a recovery key");
            let Some(id) = found.key_id.and_then(|id| id.whole()) else { continue };
            let again = document::read(Some(&text_file_name(&id)), text_file(&id, password).expose());
            assert!(again.remarks.is_empty(), "Windows' own file is remarked on: {:?}", again.remarks);
            assert_eq!(again.keys.len(), 1);
        }
    }
});
