//! Key protectors: the ways into a volume, as they stand in the metadata.

use std::fmt;

use recovery_key::KeyId;

use crate::FileTime;
use crate::datum::{Body, Datum, Sealed, role, utf16};

/// One key protector.
#[derive(Debug)]
pub struct Protector<'a> {
    /// The protector's GUID: its first 8 digits are what the recovery screen shows.
    pub id: KeyId,
    /// What opens it.
    pub kind: ProtectorKind,
    /// When it was last changed.
    pub changed: FileTime,
    /// Its name, when it has one.
    pub label: Option<String>,
    /// Where Windows says that it was saved.
    pub backup: Option<BackupInformation>,
    /// On a suspended volume: how many starts of the computer the suspension lasts, 0 for ever.
    pub suspended_starts: u8,
    nested: &'a [Datum],
}

/// What opens a protector.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ProtectorKind {
    /// The key lies beside the lock: the volume is suspended, or is being converted.
    ClearKey,
    /// The computer's TPM.
    Tpm,
    /// 32 bytes in a `.BEK` file: startup key, recovery key file or auto-unlock key.
    ExternalKey,
    /// TPM and a startup key.
    TpmAndStartupKey,
    /// TPM and a PIN.
    TpmAndPin,
    /// TPM, PIN and a startup key.
    TpmPinAndStartupKey,
    /// The 48 digits.
    RecoveryPassword,
    /// A smart card or another certificate, such as a data recovery agent's.
    PublicKey,
    /// TPM and a certificate: network unlock.
    NetworkUnlock,
    /// Something a person typed.
    Password,
    /// A Windows account or group (SID), or something newer: the number that is stored.
    Unknown(u16),
}

impl ProtectorKind {
    /// Types the number that is stored. The high byte behaves as bits: 1 TPM, 2 external key, 4 PIN,
    /// 8 recovery password, 0x10 public key, 0x20 password.
    pub fn from_code(code: u16) -> Self {
        match code & 0xff00 {
            0x0000 => Self::ClearKey,
            0x0100 => Self::Tpm,
            0x0200 => Self::ExternalKey,
            0x0300 => Self::TpmAndStartupKey,
            0x0500 => Self::TpmAndPin,
            0x0700 => Self::TpmPinAndStartupKey,
            0x0800 => Self::RecoveryPassword,
            0x1000 => Self::PublicKey,
            0x1100 => Self::NetworkUnlock,
            0x2000 => Self::Password,
            _ => Self::Unknown(code),
        }
    }

    /// Returns whether the kind can be opened away from the computer that it was made on.
    pub fn opens_anywhere(self) -> bool {
        matches!(self, Self::ClearKey | Self::ExternalKey | Self::RecoveryPassword | Self::Password)
    }
}

/// The kind in the words that Windows shows.
impl fmt::Display for ProtectorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ClearKey => "clear key",
            Self::Tpm => "TPM",
            Self::ExternalKey => "external key",
            Self::TpmAndStartupKey => "TPM and startup key",
            Self::TpmAndPin => "TPM and PIN",
            Self::TpmPinAndStartupKey => "TPM, PIN and startup key",
            Self::RecoveryPassword => "recovery key",
            Self::PublicKey => "smart card or certificate",
            Self::NetworkUnlock => "TPM and certificate (network unlock)",
            Self::Password => "password",
            Self::Unknown(code) => return write!(f, "unknown protector {code:#06x}"),
        })
    }
}

/// Where and when Windows says that a recovery password was saved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BackupInformation {
    /// When.
    pub time: FileTime,
    /// The bits that are stored.
    pub places: u16,
}

impl BackupInformation {
    /// Returns the places in words; unknown bits as a number.
    pub fn places(&self) -> Vec<String> {
        const KNOWN: [(u16, &str); 5] = [
            (1, "Active Directory"),
            (2, "Microsoft account"),
            (4, "Entra ID"),
            (8, "file"),
            (0x10, "printed"),
        ];
        let mut left = self.places;
        let mut words = Vec::new();
        for (bit, word) in KNOWN {
            if left & bit != 0 {
                words.push(word.to_owned());
                left &= !bit;
            }
        }
        if left != 0 {
            words.push(format!("unknown place {left:#x}"));
        }
        words
    }
}

impl<'a> Protector<'a> {
    /// Types a protector; `None` when the datum is something else.
    pub fn from_datum(datum: &'a Datum) -> Option<Self> {
        let Body::Vmk { id, changed, protection, nested, .. } = &datum.body else { return None };
        let nested = nested.datums.as_slice();
        let kind = ProtectorKind::from_code(*protection);
        Some(Self {
            id: KeyId::from(*id),
            kind,
            changed: *changed,
            label: nested.iter().find_map(|datum| match &datum.body {
                Body::Unicode(bytes) => Some(utf16(bytes)),
                _ => None,
            }),
            backup: nested.iter().find_map(|datum| match &datum.body {
                Body::Backup { times, places, .. } => {
                    Some(BackupInformation { time: times[0], places: *places })
                }
                _ => None,
            }),
            suspended_starts: match kind {
                ProtectorKind::ClearKey => datum.version.to_be_bytes()[0],
                _ => 0,
            },
            nested,
        })
    }

    /// Returns the VMK as this protector's own key seals it.
    pub fn sealed_vmk(&self) -> Option<&'a Sealed> {
        // A TPM+PIN protector has a sealed blob inside its TPM blob only; all others have it here.
        self.nested.iter().find_map(|datum| sealed(datum))
    }

    /// Returns the salt that a typed secret is stretched with.
    pub fn salt(&self) -> Option<&'a [u8; 16]> {
        self.nested.iter().find_map(|datum| match &datum.body {
            Body::StretchKey { salt, .. } => Some(salt),
            _ => None,
        })
    }

    /// Returns the key that lies in clear beside the lock.
    pub fn clear_key(&self) -> Option<&'a [u8]> {
        self.nested.iter().find_map(|datum| match &datum.body {
            Body::Key(key) => Some(key.bytes.expose().as_slice()),
            _ => None,
        })
    }

    /// Returns the protector's own secrets as the VMK seals them, likeliest first.
    pub(crate) fn secrets_under_vmk(&self) -> impl Iterator<Item = &'a Sealed> {
        let inner = || self.nested.iter().flat_map(Datum::nested);
        let first = inner().filter(|datum| datum.role == role::RECOVERY_KEY);
        first.chain(inner().filter(|datum| datum.role != role::RECOVERY_KEY)).filter_map(sealed)
    }
}

fn sealed(datum: &Datum) -> Option<&Sealed> {
    match &datum.body {
        Body::AesCcm(sealed) => Some(sealed),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_said_in_words_and_unknown_bits_are_kept() {
        let info = |places| BackupInformation { time: FileTime(0), places }.places();
        assert_eq!(info(8), ["file"]);
        assert_eq!(info(0x13), ["Active Directory", "Microsoft account", "printed"]);
        assert_eq!(info(0x8001), ["Active Directory", "unknown place 0x8000"]);
        assert!(info(0).is_empty());
    }

    #[test]
    fn kinds_are_known_by_the_high_byte() {
        assert_eq!(ProtectorKind::from_code(0x0800), ProtectorKind::RecoveryPassword);
        assert_eq!(ProtectorKind::from_code(0x0101), ProtectorKind::Tpm);
        assert_eq!(ProtectorKind::from_code(0x4000), ProtectorKind::Unknown(0x4000));
    }
}
