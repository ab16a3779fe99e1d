//! Files that are known, and are not opened here: told by their first bytes.

use crate::{Seal, Unread};

/// Says why a file that begins so is not read.
pub(super) fn why_unread(bytes: &[u8]) -> Option<Unread> {
    let begins = |magic: &[u8]| bytes.starts_with(magic);
    let is = |all: &[&[u8]]| all.iter().any(|magic| begins(magic));
    if begins(b"\x03\xd9\xa2\x9a") && matches!(bytes.get(4..8), Some([0x65..=0x67, 0xfb, 0x4b, 0xb5])) {
        Some(Unread::Sealed(Seal::KeePass))
    } else if is(&[b"age-encryption.org/", b"-----BEGIN AGE ENCRYPTED FILE-----"]) {
        Some(Unread::Sealed(Seal::Age))
    } else if begins(OLE) && is_encrypted_office(bytes) {
        Some(Unread::Sealed(Seal::Office))
    } else if is(&[
        b"7z\xbc\xaf\x27\x1c",
        b"Rar!\x1a\x07",
        b"\x1f\x8b\x08",
        b"BZh",
        b"\xfd7zXZ\0",
        b"\x28\xb5\x2f\xfd",
        b"MSCF\0\0\0\0",
    ]) {
        Some(Unread::Archive)
    } else {
        None
    }
}

/// Says whether a file that begins so is a picture.
pub(super) fn is_picture(bytes: &[u8]) -> bool {
    let all: [&[u8]; 6] = [b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF87a", b"GIF89a", b"II*\0", b"MM\0*"];
    all.iter().any(|magic| bytes.starts_with(magic))
        || bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP")
        || bytes.starts_with(b"BM")
            && bytes.get(6..10) == Some(&[0; 4])
            && bytes.get(14..18) == Some(&[40, 0, 0, 0])
        || bytes.get(4..8) == Some(b"ftyp")
            && matches!(bytes.get(8..12), Some(b"heic" | b"heix" | b"mif1" | b"avif"))
}

/// The container of older Office documents, and of newer ones that are encrypted.
const OLE: &[u8] = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1";

/// An encrypted document is a stream of this name in the container.
fn is_encrypted_office(bytes: &[u8]) -> bool {
    let name: Vec<u8> = "EncryptedPackage".encode_utf16().flat_map(u16::to_le_bytes).collect();
    // A directory lies anywhere, mostly in front; its name is in UTF-16 and begins at an even place.
    bytes.as_chunks::<128>().0.iter().any(|entry| entry.starts_with(&name))
}
