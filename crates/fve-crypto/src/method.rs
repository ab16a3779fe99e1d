//! The encryption methods of a volume.

use std::fmt;

/// How the sectors of a volume are encrypted; the numbers are those in the metadata.
///
/// Windows 10 and 11 make XTS volumes, and CBC ones where a policy or "compatible mode" asks for it
/// (removable drives); Vista and 7 made CBC with the Elephant diffuser by default.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u16)]
pub enum Method {
    /// AES-128 in CBC mode with the Elephant diffuser.
    AesCbc128Diffuser = 0x8000,
    /// AES-256 in CBC mode with the Elephant diffuser.
    AesCbc256Diffuser = 0x8001,
    /// AES-128 in CBC mode.
    AesCbc128 = 0x8002,
    /// AES-256 in CBC mode.
    AesCbc256 = 0x8003,
    /// AES-128 in XTS mode.
    AesXts128 = 0x8004,
    /// AES-256 in XTS mode.
    AesXts256 = 0x8005,
}

/// A number that names none of the [`Method`]s, such as that of encryption by the drive itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:#06x} is not an encryption method that can be read in software")]
pub struct UnknownMethod(pub u16);

impl Method {
    /// Every method, in the order of their numbers.
    pub const ALL: [Self; 6] = [
        Self::AesCbc128Diffuser,
        Self::AesCbc256Diffuser,
        Self::AesCbc128,
        Self::AesCbc256,
        Self::AesXts128,
        Self::AesXts256,
    ];

    /// Returns the number that stands for the method in the metadata.
    #[must_use]
    pub const fn code(self) -> u16 {
        self as u16
    }

    /// Returns the length in bytes of the full volume encryption key.
    ///
    /// Both diffuser methods have 64 bytes, of which AES-128 leaves two quarters unused.
    #[must_use]
    pub const fn key_len(self) -> usize {
        match self {
            Self::AesCbc128 => 16,
            Self::AesCbc256 | Self::AesXts128 => 32,
            Self::AesCbc128Diffuser | Self::AesCbc256Diffuser | Self::AesXts256 => 64,
        }
    }
}

impl TryFrom<u16> for Method {
    type Error = UnknownMethod;

    fn try_from(code: u16) -> Result<Self, UnknownMethod> {
        Self::ALL.into_iter().find(|method| method.code() == code).ok_or(UnknownMethod(code))
    }
}

/// The words of `manage-bde -status`.
impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::AesCbc128Diffuser => "AES 128 with Diffuser",
            Self::AesCbc256Diffuser => "AES 256 with Diffuser",
            Self::AesCbc128 => "AES 128",
            Self::AesCbc256 => "AES 256",
            Self::AesXts128 => "XTS-AES 128",
            Self::AesXts256 => "XTS-AES 256",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_and_methods_go_both_ways() {
        for code in 0..=u16::MAX {
            match Method::try_from(code) {
                Ok(method) => assert_eq!(method.code(), code),
                Err(unknown) => assert_eq!(unknown, UnknownMethod(code)),
            }
        }
        assert_eq!((0..=u16::MAX).filter(|&code| Method::try_from(code).is_ok()).count(), 6);
        assert_eq!(Method::try_from(0x8004), Ok(Method::AesXts128));
    }
}
