//! Datums: the typed, nested values that metadata is made of.
//!
//! A datum is a header (size, role, kind, version) and a body; some bodies are a fixed part and
//! then more datums. [`Datum::parse`] and [`Datum::write`] stand side by side for every kind, and
//! whatever is not understood is kept as it is, so that what was read is written back byte for byte.

use recovery_key::Secret;
use recovery_key::dataset::{self, BadDatum, RawDatum};
use uuid::Uuid;

use crate::FileTime;

/// What a datum is for.
pub mod role {
    /// A property of what contains the datum.
    pub const PROPERTY: u16 = 0;
    /// A key protector: the VMK, encrypted in one way.
    pub const VMK: u16 = 2;
    /// The FVEK, encrypted under the VMK.
    pub const FVEK: u16 = 3;
    /// Boot measurements (TPM protectors).
    pub const VALIDATION: u16 = 4;
    /// The content of a `.BEK` file.
    pub const STARTUP_KEY: u16 = 6;
    /// The drive label: computer, volume, date.
    pub const DESCRIPTION: u16 = 7;
    /// On operating system drives: the key that unlocks the fixed data drives.
    pub const AUTO_UNLOCK: u16 = 0xb;
    /// Where the relocated boot block lies.
    pub const VIRTUALIZATION: u16 = 0xf;
    /// In a recovery password: the 16 bytes themselves under the VMK (Windows 8 and later).
    pub const RECOVERY_KEY: u16 = 0x12;
    /// In a recovery password: its stretched form under the VMK (Windows 8 and later).
    pub const STRETCHED_KEY: u16 = 0x13;
}

/// What the bytes in a KEY, STRETCH_KEY or USE_KEY datum are.
pub mod method {
    /// The 16 bytes of a recovery password; also: a stretch of a recovery password.
    pub const RECOVERY_PASSWORD: u16 = 0x1000;
    /// A stretch of a password or PIN.
    pub const PASSWORD: u16 = 0x1001;
    /// The key of a suspended volume, stored in clear.
    pub const CLEAR_KEY: u16 = 0x2000;
    /// The 32 bytes of a `.BEK` file.
    pub const EXTERNAL_KEY: u16 = 0x2002;
    /// The volume master key.
    pub const VMK: u16 = 0x2003;
    /// SHA-256 of the metadata.
    pub const HASH: u16 = 0x2005;
    /// A password's stretched form.
    pub const STRETCHED_PASSWORD: u16 = 0x2007;
    /// A recovery password's stretched form.
    pub const STRETCHED_RECOVERY_PASSWORD: u16 = 0x2008;
}

/// How deep datums may nest: real metadata has three levels.
const MAX_DEPTH: usize = 8;

/// One datum.
#[derive(Debug)]
pub struct Datum {
    /// What it is for: see [`role`].
    pub role: u16,
    /// Version or flags; 1 unless the kind says otherwise.
    pub version: u16,
    /// What it holds.
    pub body: Body,
}

/// What a datum holds.
#[derive(Debug)]
#[non_exhaustive]
pub enum Body {
    /// A key, in clear once the datum has been decrypted.
    Key(Key),
    /// UTF-16LE text, as stored: with its NUL.
    Unicode(Vec<u8>),
    /// A key derived from something a person types.
    StretchKey {
        /// What is stretched: [`method::RECOVERY_PASSWORD`] or [`method::PASSWORD`].
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

/// A key and what it is for.
#[derive(Debug)]
pub struct Key {
    /// What kind of key: see [`method`]; 0x8000 and up are FVEKs.
    pub method: u16,
    /// 0 on every drive seen.
    pub flags: u16,
    /// The key itself.
    pub bytes: Secret<Vec<u8>>,
}

/// Something encrypted with AES-256-CCM, as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// A FILETIME and a counter that never repeats on the volume.
    pub nonce: [u8; 12],
    /// The authentication tag.
    pub tag: [u8; 16],
    /// The ciphertext, of the plaintext's length.
    pub ciphertext: Vec<u8>,
}

/// Datums inside a datum.
#[derive(Debug, Default)]
pub struct Nested {
    /// The datums, in their order.
    pub datums: Vec<Datum>,
    /// Bytes behind them that are no datum; empty on every drive seen.
    pub rest: Vec<u8>,
}

impl Nested {
    fn parse(bytes: &[u8], depth: usize) -> Self {
        let mut nested = Self::default();
        for item in dataset::datums(bytes) {
            match item {
                Ok(raw) => nested.datums.push(Datum::at_depth(&raw, depth)),
                Err(bad) => nested.rest = bytes.get(bad.offset..).unwrap_or_default().to_vec(),
            }
        }
        nested
    }

    fn write(&self, out: &mut Vec<u8>) {
        self.datums.iter().for_each(|datum| datum.write(out));
        out.extend_from_slice(&self.rest);
    }
}

impl From<Vec<Datum>> for Nested {
    fn from(datums: Vec<Datum>) -> Self {
        Self { datums, rest: Vec::new() }
    }
}

impl Datum {
    /// Makes a datum of version 1.
    pub fn new(role: u16, body: Body) -> Self {
        Self { role, version: 1, body }
    }

    /// Types a datum that was cut out of its container.
    pub fn parse(raw: &RawDatum<'_>) -> Self {
        Self::at_depth(raw, 0)
    }

    /// Types all datums in `bytes`; an error when they cannot be cut apart.
    pub fn parse_all(bytes: &[u8]) -> Result<Vec<Self>, BadDatum> {
        dataset::datums(bytes).map(|raw| raw.map(|raw| Self::parse(&raw))).collect()
    }

    fn at_depth(raw: &RawDatum<'_>, depth: usize) -> Self {
        let kind = raw.header.kind.get();
        let body = (depth < MAX_DEPTH)
            .then(|| Body::parse(kind, raw.body, depth + 1))
            .flatten()
            .unwrap_or_else(|| Body::Other { kind, bytes: raw.body.to_vec() });
        Self { role: raw.header.role.get(), version: raw.header.version.get(), body }
    }

    /// Appends the datum as it is stored.
    pub fn write(&self, out: &mut Vec<u8>) {
        let mut body = Secret::new(Vec::new());
        self.body.write(body.expose_mut());
        dataset::put_datum(out, self.role, self.body.kind(), self.version, body.expose());
    }

    /// Returns the datums inside this one.
    pub fn nested(&self) -> &[Self] {
        match &self.body {
            Body::StretchKey { nested, .. } | Body::UseKey { nested, .. } | Body::Vmk { nested, .. } => {
                &nested.datums
            }
            _ => &[],
        }
    }
}

const KEY: u16 = 1;
const UNICODE: u16 = 2;
const STRETCH_KEY: u16 = 3;
const USE_KEY: u16 = 4;
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
    fn parse(kind: u16, body: &[u8], depth: usize) -> Option<Self> {
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

    fn write(&self, out: &mut Vec<u8>) {
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

/// Decodes UTF-16LE up to its NUL.
pub(crate) fn utf16(bytes: &[u8]) -> String {
    let units = bytes.chunks_exact(2).map(|pair| u16::from(pair[0]) | u16::from(pair[1]) << 8);
    char::decode_utf16(units.take_while(|&unit| unit != 0))
        .map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER))
        .collect()
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn round_trip(bytes: &[u8]) {
        if let Ok(datums) = Datum::parse_all(bytes) {
            let mut out = Vec::new();
            datums.iter().for_each(|datum| datum.write(&mut out));
            assert_eq!(out, bytes);
        }
    }

    fn datum_bytes() -> impl Strategy<Value = Vec<u8>> {
        let kind = prop_oneof![0u16..0x1a, any::<u16>()];
        let leaf = (any::<u16>(), kind.clone(), any::<u16>(), prop::collection::vec(any::<u8>(), 0..60))
            .prop_map(|(role, kind, version, body)| {
                let mut out = Vec::new();
                dataset::put_datum(&mut out, role, kind, version, &body);
                out
            });
        leaf.prop_recursive(12, 60, 4, move |inner| {
            (kind.clone(), prop::collection::vec(any::<u8>(), 0..30), prop::collection::vec(inner, 0..4))
                .prop_map(|(kind, prefix, inner)| {
                    let mut out = Vec::new();
                    dataset::put_datum(&mut out, 0, kind, 1, &[prefix, inner.concat()].concat());
                    out
                })
        })
    }

    proptest! {
        #[test]
        fn what_was_read_is_written_back(datums in prop::collection::vec(datum_bytes(), 0..5)) {
            round_trip(&datums.concat());
        }

        #[test]
        fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            round_trip(&bytes);
        }
    }

    #[test]
    fn deep_nesting_ends() {
        let mut bytes = Vec::new();
        for _ in 0..3000 {
            let mut outer = Vec::new();
            dataset::put_datum(&mut outer, 0, USE_KEY, 1, &[&[0; 4], bytes.as_slice()].concat());
            bytes = outer;
        }
        round_trip(&bytes);
    }

    #[test]
    fn keys_stay_out_of_debug() {
        let key = Key { method: method::CLEAR_KEY, flags: 0, bytes: Secret::new(vec![0xab; 32]) };
        let text = format!("{:?}", Datum::new(role::PROPERTY, Body::Key(key)));
        assert!(!text.contains("171") && !text.to_lowercase().contains("ab, "), "{text}");
    }
}
