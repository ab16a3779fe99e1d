//! The text file that Windows 8 to 11 save: `BitLocker Recovery Key <KEY ID>.TXT`.

use crate::{KeyId, RecoveryPassword, Secret};

/// The text in English, as Windows 10 and 11 write it, before, between and after key ID and digits.
/// The space at the end of the title is Windows' own.
const TEXT: [&str; 3] = [
    "\u{feff}BitLocker Drive Encryption recovery key \r\n\r\n\
     To verify that this is the correct recovery key, compare the start of the following identifier \
     with the identifier value displayed on your PC.\r\n\r\n\
     Identifier:\r\n\r\n\t",
    "\r\n\r\n\
     If the above identifier matches the one displayed by your PC, then use the following key to \
     unlock your drive.\r\n\r\n\
     Recovery Key:\r\n\r\n\t",
    "\r\n\r\n\
     If the above identifier doesn't match the one displayed by your PC, then this isn't the right \
     key to unlock your drive.\r\n\
     Try another recovery key, or refer to https://go.microsoft.com/fwlink/?LinkID=260589 for \
     additional assistance.\r\n\r\n",
];

/// Writes the text file byte for byte as Windows does in English: 1348 bytes of UTF-16LE.
pub fn text_file(key_id: &KeyId, password: &RecoveryPassword) -> Secret<Vec<u8>> {
    let (id, digits) = (key_id.to_string(), password.digits());
    let [start, middle, end] = TEXT;
    let parts = [start, &id, middle, digits.expose(), end];
    // Two bytes for each character, all of them in the basic plane; no growing, which leaves copies.
    let mut bytes = Secret::new(Vec::with_capacity(2 * parts.iter().map(|part| part.len()).sum::<usize>()));
    for unit in parts.iter().flat_map(|part| part.encode_utf16()) {
        bytes.expose_mut().extend_from_slice(&unit.to_le_bytes());
    }
    bytes
}

/// Returns the name that Windows gives the file in English.
pub fn text_file_name(key_id: &KeyId) -> String {
    format!("BitLocker Recovery Key {key_id}.TXT")
}
