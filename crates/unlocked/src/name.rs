//! Names as the file systems keep them: UTF-16 that need not be well-formed.

use std::fmt;

/// The name of a file, a stream or a volume.
///
/// NTFS takes any 16-bit units but `/` and NUL, half a surrogate pair too. [`to_bytes`](Self::to_bytes)
/// keeps every name apart (WTF-8: UTF-8 with half pairs encoded like other characters, what ntfs-3g
/// and Windows' own subsystem for Linux show); `Display` shows half pairs as U+FFFD.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Name(Box<[u16]>);

impl Name {
    /// Makes a name of UTF-16 units.
    pub fn from_units(units: impl IntoIterator<Item = u16>) -> Self {
        Self(units.into_iter().collect())
    }

    /// Makes a name of the bytes that [`to_bytes`](Self::to_bytes) gives, or of UTF-8. Bytes that are
    /// neither become U+FFFD, which no file system writes by itself.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        let mut units = Vec::with_capacity(bytes.len());
        let mut rest = bytes;
        while let Some(chunk) = rest.utf8_chunks().next() {
            units.extend(chunk.valid().encode_utf16());
            rest = &rest[chunk.valid().len()..];
            if let &[0xed, second @ 0xa0..=0xbf, third @ 0x80..=0xbf, ..] = rest {
                units.push(0xd000 | u16::from(second & 0x3f) << 6 | u16::from(third & 0x3f));
                rest = &rest[3..];
            } else if !chunk.invalid().is_empty() {
                units.push(0xfffd);
                rest = &rest[chunk.invalid().len()..];
            }
        }
        Self(units.into())
    }

    /// Returns the UTF-16 units.
    pub fn units(&self) -> &[u16] {
        &self.0
    }

    /// Returns the name as bytes, different ones for different names: UTF-8 where that is possible.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.0.len());
        for unit in char::decode_utf16(self.0.iter().copied()) {
            match unit {
                Ok(character) => bytes.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
                Err(half) => {
                    let unit = half.unpaired_surrogate();
                    let low = |shift: u32| 0x80 | (unit >> shift & 0x3f) as u8;
                    bytes.extend_from_slice(&[0xe0 | (unit >> 12) as u8, low(6), low(0)]);
                }
            }
        }
        bytes
    }

    /// Returns whether there is no character in it. The empty name is that of a file's own content.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<&str> for Name {
    fn from(text: &str) -> Self {
        Self::from_units(text.encode_utf16())
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&String::from_utf16_lossy(&self.0))
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&String::from_utf16_lossy(&self.0), f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_give_every_name_back() {
        for units in [&[0x41, 0x20ac, 0xd83d, 0xde00][..], &[0xd83d], &[0xde00, 0xd83d, 0x41], &[0xfffd], &[]]
        {
            let name = Name::from_units(units.iter().copied());
            assert_eq!(Name::from_bytes(&name.to_bytes()), name);
        }
        assert_eq!(Name::from("😀").to_bytes(), "😀".as_bytes());
    }

    #[test]
    fn bytes_that_are_no_text_still_give_a_name() {
        assert_eq!(Name::from_bytes(b"a\xff\xedb"), Name::from("a\u{fffd}\u{fffd}b"));
        assert_eq!(Name::from_bytes(b"\xed\xa0").to_string(), "\u{fffd}\u{fffd}");
    }

    #[test]
    fn a_half_pair_is_shown() {
        assert_eq!(Name::from_units([0x61, 0xd800]).to_string(), "a\u{fffd}");
    }
}
