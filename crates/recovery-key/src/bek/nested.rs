//! The datums nested in an external key: label, volume, key, and whatever else a file has there.

use uuid::Uuid;

use super::Bek;
use crate::Secret;
use crate::dataset::{BadDatum, DATUM_HEADER, DatumHeader, RawDatum, datums, put_datum};

pub(super) const ROLE_PROPERTY: u16 = 0;
const ROLE_VOLUME: u16 = 0x19;
pub(super) const KIND_KEY: u16 = 1;
pub(super) const KIND_TEXT: u16 = 2;
const KIND_GUID: u16 = 0x17;
const METHOD_EXTERNAL_KEY: u16 = 0x2002;
/// Method and flags in front of the key bytes.
const KEY_PREFIX: usize = 2 + 2;

/// One nested datum.
#[derive(Debug)]
pub(super) enum Part {
    Label,
    Volume,
    Key { role: u16, version: u16, flags: u16 },
    Other { role: u16, kind: u16, version: u16, body: Secret<Vec<u8>> },
}

impl Part {
    /// Appends the datum, if there is anything to say.
    pub(super) fn put(&self, bek: &Bek, out: &mut Vec<u8>) {
        match self {
            Self::Label => {
                if let Some(label) = &bek.label {
                    put_datum(out, ROLE_PROPERTY, KIND_TEXT, 1, &text_body(label));
                }
            }
            Self::Volume => {
                if let Some(volume) = bek.volume {
                    put_datum(out, ROLE_VOLUME, KIND_GUID, 1, &volume.to_bytes_le());
                }
            }
            Self::Key { role, version, flags } => {
                let mut body = Secret::new([0; KEY_PREFIX + 32]);
                let (prefix, key) = body.expose_mut().split_at_mut(KEY_PREFIX);
                prefix[..2].copy_from_slice(&METHOD_EXTERNAL_KEY.to_le_bytes());
                prefix[2..].copy_from_slice(&flags.to_le_bytes());
                key.copy_from_slice(bek.key.expose());
                put_datum(out, *role, KIND_KEY, *version, body.expose());
            }
            Self::Other { role, kind, version, body } => {
                put_datum(out, *role, *kind, *version, body.expose())
            }
        }
    }

    /// Returns at least the bytes that [`put`](Self::put) appends.
    pub(super) fn room(&self, bek: &Bek) -> usize {
        DATUM_HEADER
            + match self {
                Self::Label => bek.label.as_ref().map_or(0, |label| 2 * (label.len() + 1)),
                Self::Volume => 16,
                Self::Key { .. } => KEY_PREFIX + 32,
                Self::Other { body, .. } => body.expose().len(),
            }
    }
}

/// What the nested datums hold.
#[derive(Default)]
pub(super) struct Nested {
    pub(super) label: Option<String>,
    pub(super) volume: Option<Uuid>,
    pub(super) key: Option<Secret<[u8; 32]>>,
    pub(super) layout: Vec<Part>,
}

impl Nested {
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, BadDatum> {
        let mut nested = Self::default();
        for datum in datums(bytes) {
            let part = nested.take(&datum?);
            nested.layout.push(part);
        }
        nested.make_places();
        Ok(nested)
    }

    /// Takes a datum for what it is, or for unknown when writing it could not give the same bytes.
    fn take(&mut self, datum: &RawDatum<'_>) -> Part {
        let DatumHeader { role, kind, version, .. } = datum.header;
        let (role, kind, version) = (role.get(), kind.get(), version.get());
        match (role, kind, version) {
            (ROLE_PROPERTY, KIND_TEXT, 1) if self.label.is_none() => {
                self.label = text(datum.body);
                if self.label.is_some() {
                    return Part::Label;
                }
            }
            (ROLE_VOLUME, KIND_GUID, 1) if self.volume.is_none() => {
                self.volume = datum.body.try_into().ok().map(Uuid::from_bytes_le);
                if self.volume.is_some() {
                    return Part::Volume;
                }
            }
            (_, KIND_KEY, _) if self.key.is_none() => {
                if let Some(([m0, m1, f0, f1], key)) = datum.body.split_first_chunk::<KEY_PREFIX>()
                    && u16::from_le_bytes([*m0, *m1]) == METHOD_EXTERNAL_KEY
                    && let Some(key) = Secret::from_slice(key)
                {
                    self.key = Some(key);
                    return Part::Key { role, version, flags: u16::from_le_bytes([*f0, *f1]) };
                }
            }
            _ => {}
        }
        Part::Other { role, kind, version, body: Secret::new(datum.body.to_vec()) }
    }

    /// Gives label and volume the place that Windows gives them, should they be set later.
    fn make_places(&mut self) {
        if self.label.is_none() {
            self.layout.insert(0, Part::Label);
        }
        if self.volume.is_none() {
            let key = self.layout.iter().position(|part| matches!(part, Part::Key { .. }));
            self.layout.insert(key.unwrap_or(self.layout.len()), Part::Volume);
        }
    }
}

/// Reads UTF-16 that ends with its only NUL; `None` when it could not be written back the same.
fn text(body: &[u8]) -> Option<String> {
    let (units, []) = body.as_chunks::<2>() else { return None };
    let text =
        String::from_utf16(&units.iter().map(|&unit| u16::from_le_bytes(unit)).collect::<Vec<_>>()).ok()?;
    let text = text.strip_suffix('\0')?;
    (!text.contains('\0')).then(|| text.to_owned())
}

fn text_body(text: &str) -> Vec<u8> {
    text.encode_utf16().chain([0]).flat_map(u16::to_le_bytes).collect()
}
