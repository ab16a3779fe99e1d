//! Datums: the typed, nested values that metadata is made of.
//!
//! A datum is a header (size, role, kind, version) and a body; some bodies are a fixed part and
//! then more datums. [`Datum::parse`] and [`Datum::write`] stand side by side for every kind, and
//! whatever is not understood is kept as it is, so that what was read is written back byte for byte.

use std::fmt;

use recovery_key::Secret;
use recovery_key::dataset::{self, BadDatum, DATUM_HEADER, RawDatum};

mod body;

pub use body::Body;

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
#[derive(Default)]
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

    fn size(&self) -> usize {
        self.rest.len() + self.datums.iter().map(Datum::size).sum::<usize>()
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

    /// Returns how many bytes the datum takes as it is stored; above 65,535 it cannot be.
    pub fn size(&self) -> usize {
        DATUM_HEADER + self.body.size()
    }

    /// Appends the datum as it is stored.
    ///
    /// # Panics
    /// When its [`size`](Self::size) is above 65,535, which no datum that was read has.
    pub fn write(&self, out: &mut Vec<u8>) {
        let mut body = Secret::new(Vec::with_capacity(self.body.size()));
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

impl fmt::Debug for Nested {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.datums).finish()
    }
}

/// Decodes UTF-16LE up to its NUL.
pub(crate) fn utf16(bytes: &[u8]) -> String {
    let units = bytes.chunks_exact(2).map(|pair| u16::from(pair[0]) | u16::from(pair[1]) << 8);
    char::decode_utf16(units.take_while(|&unit| unit != 0))
        .map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER))
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::body::{KEY, USE_KEY};
    use super::*;

    fn round_trip(bytes: &[u8]) {
        if let Ok(datums) = Datum::parse_all(bytes) {
            let mut out = Vec::new();
            datums.iter().for_each(|datum| datum.write(&mut out));
            assert_eq!(out, bytes);
            assert_eq!(datums.iter().map(Datum::size).sum::<usize>(), bytes.len());
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
        let mut key = Vec::new();
        dataset::put_datum(&mut key, 0, KEY, 1, &[[0, 0x20, 0, 0].as_slice(), &[0xab; 32]].concat());
        let mut unknown = Vec::new();
        dataset::put_datum(&mut unknown, 0, 9, 1, &key);
        let mut deep = key.clone();
        for _ in 0..=MAX_DEPTH {
            let mut outer = Vec::new();
            dataset::put_datum(&mut outer, 0, USE_KEY, 1, &[&[0; 4], deep.as_slice()].concat());
            deep = outer;
        }
        for bytes in [key, unknown, deep] {
            let text = format!("{:?}", Datum::parse_all(&bytes).expect("a datum"));
            assert!(!text.contains("171") && !text.to_lowercase().contains("ab, "), "{text}");
        }
    }
}
