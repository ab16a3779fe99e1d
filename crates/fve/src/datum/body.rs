//! What a datum holds: reading, length and writing side by side for every kind.

use std::fmt;

use recovery_key::Secret;
use uuid::Uuid;

use super::{Key, Nested, Sealed};
use crate::FileTime;

/// What a datum holds.
#[non_exhaustive]
pub enum Body {
    /// A key, in clear once the datum has been decrypted.
    Key(Key),
    /// UTF-16LE text, as stored: with its NUL.
    Unicode(Vec<u8>),
    /// A key derived from something a person types.
    StretchKey {
        /// What is stretched: [`super::method::RECOVERY_PASSWORD`] or [`super::method::PASSWORD`].
        method: u16,
        /// 0 on every drive seen.
        flags: u16,
        /// The salt of the stretch.
        salt: [u8; 16],
        /// Copies of the secrets under the VMK.
        nested: Nested,
    },
    /// A key that is used as it is.
    UseKey {
        /// Which kind of key.
        method: u16,
        /// 0 on every drive seen.
        flags: u16,
        /// A copy of the key under the VMK.
        nested: Nested,
    },
    /// Something encrypted with AES-256-CCM.
    AesCcm(Sealed),
    /// A blob that only the computer's TPM opens.
    Tpm {
        /// Which platform registers (PCR) the blob is bound to, one bit each.
        registers: u32,
        /// The blob.
        blob: Vec<u8>,
    },
    /// A key protector.
    Vmk {
        /// The protector's GUID, which is the key ID.
        id: Uuid,
        /// When it was last changed.
        changed: FileTime,
        /// 0 on every drive seen.
        hints: u16,
        /// What kind of protector, as bits: see [`crate::ProtectorKind`].
        protection: u16,
        /// What the protector is made of.
        nested: Nested,
    },
    /// Where the boot block was moved to.
    Virtualization {
        /// Its place on the volume, in bytes.
        offset: u64,
        /// Its length in bytes.
        size: u64,
        /// What Windows 8 and later adds: see [`crate::metadata::Extended`].
        extended: Vec<u8>,
    },
    /// Where Windows says that a recovery password was saved.
    Backup {
        /// When; the two times were equal on every drive seen.
        times: [FileTime; 2],
        /// Where: 1 Active Directory, 2 Microsoft account, 4 Entra ID, 8 file, 0x10 printed.
        places: u16,
        /// 2 on every drive seen.
        flags: u16,
    },
    /// A GUID.
    Guid(Uuid),
    /// Anything else, kept as it is.
    Other {
        /// The kind number.
        kind: u16,
        /// The body.
        bytes: Vec<u8>,
    },
}

pub(super) const KEY: u16 = 1;
const UNICODE: u16 = 2;
const STRETCH_KEY: u16 = 3;
pub(super) const USE_KEY: u16 = 4;
const AES_CCM: u16 = 5;
const TPM: u16 = 6;
const VMK_INFO: u16 = 8;
const VIRTUALIZATION: u16 = 0xf;
const BACKUP: u16 = 0x15;
const GUID: u16 = 0x17;

impl Body {
    /// Returns the number that says what the bytes look like.
    pub fn kind(&self) -> u16 {
        match self {
            Self::Key(_) => KEY,
            Self::Unicode(_) => UNICODE,
            Self::StretchKey { .. } => STRETCH_KEY,
            Self::UseKey { .. } => USE_KEY,
            Self::AesCcm(_) => AES_CCM,
            Self::Tpm { .. } => TPM,
            Self::Vmk { .. } => VMK_INFO,
            Self::Virtualization { .. } => VIRTUALIZATION,
            Self::Backup { .. } => BACKUP,
            Self::Guid(_) => GUID,
            Self::Other { kind, .. } => *kind,
        }
    }

    /// Types a body; `None` when it is too short for its kind or the kind is unknown.
    pub(super) fn parse(kind: u16, body: &[u8], depth: usize) -> Option<Self> {
        let mut at = Cursor(body);
        Some(match kind {
            KEY => {
                Self::Key(Key { method: at.u16()?, flags: at.u16()?, bytes: Secret::new(at.rest().to_vec()) })
            }
            UNICODE => Self::Unicode(at.rest().to_vec()),
            STRETCH_KEY => Self::StretchKey {
                method: at.u16()?,
                flags: at.u16()?,
                salt: at.array()?,
                nested: Nested::parse(at.rest(), depth),
            },
            USE_KEY => {
                Self::UseKey { method: at.u16()?, flags: at.u16()?, nested: Nested::parse(at.rest(), depth) }
            }
            AES_CCM => {
                Self::AesCcm(Sealed { nonce: at.array()?, tag: at.array()?, ciphertext: at.rest().to_vec() })
            }
            TPM => Self::Tpm { registers: at.u32()?, blob: at.rest().to_vec() },
            VMK_INFO => Self::Vmk {
                id: at.guid()?,
                changed: FileTime(at.u64()?),
                hints: at.u16()?,
                protection: at.u16()?,
                nested: Nested::parse(at.rest(), depth),
            },
            VIRTUALIZATION => {
                Self::Virtualization { offset: at.u64()?, size: at.u64()?, extended: at.rest().to_vec() }
            }
            BACKUP if body.len() == 20 => Self::Backup {
                times: [FileTime(at.u64()?), FileTime(at.u64()?)],
                places: at.u16()?,
                flags: at.u16()?,
            },
            GUID if body.len() == 16 => Self::Guid(at.guid()?),
            _ => return None,
        })
    }

    pub(super) fn size(&self) -> usize {
        match self {
            Self::Key(key) => 4 + key.bytes.expose().len(),
            Self::Unicode(bytes) | Self::Other { bytes, .. } => bytes.len(),
            Self::StretchKey { nested, .. } => 20 + nested.size(),
            Self::UseKey { nested, .. } => 4 + nested.size(),
            Self::AesCcm(sealed) => 28 + sealed.ciphertext.len(),
            Self::Tpm { blob, .. } => 4 + blob.len(),
            Self::Vmk { nested, .. } => 28 + nested.size(),
            Self::Virtualization { extended, .. } => 16 + extended.len(),
            Self::Backup { .. } => 20,
            Self::Guid(_) => 16,
        }
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Key(key) => {
                put_u16s(out, [key.method, key.flags]);
                out.extend_from_slice(key.bytes.expose());
            }
            Self::Unicode(bytes) | Self::Other { bytes, .. } => out.extend_from_slice(bytes),
            Self::StretchKey { method, flags, salt, nested } => {
                put_u16s(out, [*method, *flags]);
                out.extend_from_slice(salt);
                nested.write(out);
            }
            Self::UseKey { method, flags, nested } => {
                put_u16s(out, [*method, *flags]);
                nested.write(out);
            }
            Self::AesCcm(sealed) => {
                out.extend_from_slice(&sealed.nonce);
                out.extend_from_slice(&sealed.tag);
                out.extend_from_slice(&sealed.ciphertext);
            }
            Self::Tpm { registers, blob } => {
                out.extend_from_slice(&registers.to_le_bytes());
                out.extend_from_slice(blob);
            }
            Self::Vmk { id, changed, hints, protection, nested } => {
                out.extend_from_slice(&id.to_bytes_le());
                out.extend_from_slice(&changed.0.to_le_bytes());
                put_u16s(out, [*hints, *protection]);
                nested.write(out);
            }
            Self::Virtualization { offset, size, extended } => {
                out.extend_from_slice(&offset.to_le_bytes());
                out.extend_from_slice(&size.to_le_bytes());
                out.extend_from_slice(extended);
            }
            Self::Backup { times, places, flags } => {
                times.iter().for_each(|time| out.extend_from_slice(&time.0.to_le_bytes()));
                put_u16s(out, [*places, *flags]);
            }
            Self::Guid(guid) => out.extend_from_slice(&guid.to_bytes_le()),
        }
    }

    /// Makes a text body as Windows stores it.
    pub fn text(text: &str) -> Self {
        Self::Unicode(text.encode_utf16().chain([0]).flat_map(u16::to_le_bytes).collect())
    }
}

/// Shows which datum it is and what is nested in it. Bytes stay out: in a datum of an unknown kind,
/// or nested too deeply to be typed, there may be a key.
impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut body = f.debug_struct("Body");
        body.field("kind", &self.kind()).field("size", &self.size());
        match self {
            Self::Key(key) => body.field("method", &key.method),
            Self::StretchKey { method, nested, .. } | Self::UseKey { method, nested, .. } => {
                body.field("method", method).field("nested", nested)
            }
            Self::Vmk { id, protection, nested, .. } => {
                body.field("id", id).field("protection", protection).field("nested", nested)
            }
            _ => &mut body,
        };
        body.finish()
    }
}

fn put_u16s(out: &mut Vec<u8>, values: [u16; 2]) {
    values.iter().for_each(|value| out.extend_from_slice(&value.to_le_bytes()));
}

/// Takes fixed parts off the front of a body.
struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, tail) = self.0.split_first_chunk()?;
        self.0 = tail;
        Some(*head)
    }

    fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    fn guid(&mut self) -> Option<Uuid> {
        self.array().map(Uuid::from_bytes_le)
    }

    fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.0)
    }
}
