//! What a person types: 48 digits, one group of them, a key ID or the start of one.

#![no_main]

use libfuzzer_sys::fuzz_target;
use recovery_key::{KeyId, KeyIdPrefix, RecoveryPassword, group_digits, parse_group};

/// Trying the candidates of an unlucky slip in every group would take all day.
const CANDIDATES: usize = 64;

fuzz_target!(|text: &str| {
    match RecoveryPassword::parse(text) {
        Ok(password) => {
            let digits = password.digits();
            let again = RecoveryPassword::parse(digits.expose()).expect("its own digits are right");
            assert_eq!(again.bytes().expose(), password.bytes().expose());
        }
        Err(error) => {
            let _ = format!("{error} {error:?}");
            for candidate in error.candidates().take(CANDIDATES) {
                RecoveryPassword::parse(candidate.digits().expose()).expect("a candidate is well formed");
            }
        }
    }
    match parse_group(text) {
        Ok(value) => assert_eq!(parse_group(group_digits(value).expose()).ok(), Some(value)),
        Err(error) => {
            for &value in error.suggestions().expose() {
                assert_eq!(parse_group(group_digits(value).expose()).ok(), Some(value));
            }
        }
    }
    if let Ok(id) = text.parse::<KeyId>() {
        assert_eq!(id.to_string().parse::<KeyId>().ok(), Some(id));
    }
    if let Ok(prefix) = text.parse::<KeyIdPrefix>() {
        assert_eq!(prefix.to_string().parse::<KeyIdPrefix>().ok(), Some(prefix));
    }
});
