//! External key files, `<KEY ID>.BEK`: 32 key bytes that open a drive without any typing.
//!
//! | offset | bytes | what |
//! |---|---|---|
//! | 0x00 | 48 | [`DatasetHeader`]: key ID, time of the file |
//! | 0x30 | 8 | datum, role 6, type 9: an external key |
//! | 0x38 | 16 | key ID again |
//! | 0x48 | 8 | FILETIME of the protector |
//! | 0x50 | 32 | datum, type 2: the label "ExternalKey" in UTF-16 |
//! | | 24 | datum, role 0x19, type 0x17: the volume's GUID, since Windows 11 |
//! | | 44 | datum, type 1: method 0x2002, flags, 32 key bytes |
//!
//! That makes 156 bytes, or 180 since Windows 11 (all seen in real files). Only the first datum has
//! a fixed place; whatever else is in a file is kept, so that it is written as it was read.

mod nested;

use uuid::Uuid;
use zerocopy::{FromBytes, FromZeros, IntoBytes};

use crate::dataset::{BadDatum, DATASET_HEADER, DATUM_HEADER, DatasetHeader, datums, put_datum};
use crate::{KeyId, Secret};
use nested::{Nested, Part};

const ROLE_EXTERNAL_KEY: u16 = 6;
const KIND_EXTERNAL_KEY: u16 = 9;
/// The label that Windows gives to the external keys it writes.
const LABEL: &str = "ExternalKey";
/// Where the datums start that are nested in the external key's own, behind GUID and FILETIME.
const NESTED: usize = DATASET_HEADER + DATUM_HEADER + 16 + 8;

/// An external key and all that its file says about it.
#[derive(Debug)]
#[non_exhaustive]
pub struct Bek {
    /// The protector that the key belongs to.
    pub key_id: KeyId,
    /// FILETIME at which the file was made.
    pub created: u64,
    /// FILETIME at which the protector was last changed, the same as in the drive's metadata.
    pub modified: u64,
    /// The protector's label; Windows writes "ExternalKey".
    pub label: Option<String>,
    /// The volume that the key opens, named since Windows 11.
    pub volume: Option<Uuid>,
    /// The key.
    pub key: Secret<[u8; 32]>,
    /// What no field above says; size, end, GUID and time in it are not used.
    header: DatasetHeader,
    version: u16,
    /// The nested datums in their order. Label, volume and key are each in it once.
    layout: Vec<Part>,
    /// Datums behind the external key's own.
    rest: Secret<Vec<u8>>,
}

impl Bek {
    /// Makes an external key as Windows does: 180 bytes with a volume, 156 without.
    pub fn new(
        key_id: KeyId,
        created: u64,
        modified: u64,
        volume: Option<Uuid>,
        key: Secret<[u8; 32]>,
    ) -> Self {
        let header = DatasetHeader {
            version: 1.into(),
            start: (DATASET_HEADER as u32).into(),
            next_nonce: 1.into(),
            ..DatasetHeader::new_zeroed()
        };
        let layout = vec![Part::Label, Part::Volume, Part::Key { role: 0, version: 1, flags: 0 }];
        let rest = Secret::new(Vec::new());
        let label = Some(LABEL.to_owned());
        Self { key_id, created, modified, label, volume, key, header, version: 1, layout, rest }
    }

    /// Reads a `.BEK` file; bytes behind the length that it says it has are left aside.
    pub fn parse(bytes: &[u8]) -> Result<Self, BekError> {
        let header = parse_header(bytes)?;
        let dataset = bytes.get(..header.size.get() as usize).unwrap_or(bytes);
        let all = dataset.get(DATASET_HEADER..).unwrap_or_default();
        let outer = datums(all)
            .next()
            .unwrap_or(Err(BadDatum { offset: 0, size: 0, left: 0 }))
            .map_err(|bad| bad_datum(bad, DATASET_HEADER))?;
        must_be("datum type", DATASET_HEADER + 4, KIND_EXTERNAL_KEY, outer.header.kind.get())?;
        must_be("datum role", DATASET_HEADER + 2, ROLE_EXTERNAL_KEY, outer.header.role.get())?;
        let rest = all.get(DATUM_HEADER + outer.body.len()..).unwrap_or_default();
        for datum in datums(rest) {
            datum.map_err(|bad| bad_datum(bad, dataset.len() - rest.len()))?;
        }
        let (guid, times) = outer.body.split_first_chunk().ok_or(BekError::NoKey)?;
        let (modified, nested) = times.split_first_chunk().ok_or(BekError::NoKey)?;
        if *guid != header.guid {
            return Err(BekError::TwoKeyIds {
                header: KeyId::from_bytes_le(header.guid),
                datum: KeyId::from_bytes_le(*guid),
            });
        }
        let nested = Nested::parse(nested).map_err(|bad| bad_datum(bad, NESTED))?;
        Ok(Self {
            key_id: KeyId::from_bytes_le(*guid),
            created: header.created.get(),
            modified: u64::from_le_bytes(*modified),
            label: nested.label,
            volume: nested.volume,
            key: nested.key.ok_or(BekError::NoKey)?,
            header,
            version: outer.header.version.get(),
            layout: nested.layout,
            rest: Secret::new(rest.to_vec()),
        })
    }

    /// Says whether bytes begin as a `.BEK` file does, whole or not.
    pub fn is_likely(bytes: &[u8]) -> bool {
        DatasetHeader::read_from_prefix(bytes)
            .is_ok_and(|(header, _)| (header.version.get(), header.start.get()) == (1, DATASET_HEADER as u32))
    }

    /// Writes the file, byte for byte as it was read.
    ///
    /// # Panics
    /// When a label or volume was set that leaves no room for the rest in the 65,535 bytes of a datum.
    pub fn to_bytes(&self) -> Secret<Vec<u8>> {
        let mut body = self.room();
        body.expose_mut().extend_from_slice(&self.key_id.to_bytes_le());
        body.expose_mut().extend_from_slice(&self.modified.to_le_bytes());
        for part in &self.layout {
            part.put(self, body.expose_mut());
        }
        let size = DATASET_HEADER + DATUM_HEADER + body.expose().len() + self.rest.expose().len();
        let size = u32::try_from(size).expect("a file was read whose rest fits, and a datum is short");
        let header = DatasetHeader {
            size: size.into(),
            end: size.into(),
            guid: self.key_id.to_bytes_le(),
            created: self.created.into(),
            ..self.header
        };
        let mut out = self.room();
        out.expose_mut().extend_from_slice(header.as_bytes());
        put_datum(out.expose_mut(), ROLE_EXTERNAL_KEY, KIND_EXTERNAL_KEY, self.version, body.expose());
        out.expose_mut().extend_from_slice(self.rest.expose());
        out
    }

    /// An empty buffer that need not grow, because a vector that grows leaves its unwiped self behind.
    fn room(&self) -> Secret<Vec<u8>> {
        let nested: usize = self.layout.iter().map(|part| part.room(self)).sum();
        Secret::new(Vec::with_capacity(NESTED + nested + self.rest.expose().len()))
    }
}

/// Returns the name that Windows gives the file; it also marks it hidden, system and read-only.
pub fn file_name(key_id: &KeyId) -> String {
    format!("{key_id}.BEK")
}

/// Why bytes are not an external key file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BekError {
    /// Fewer bytes than the file says it has, or than its header takes.
    #[error("the external key file has {actual} of {expected} bytes")]
    TooShort {
        /// The bytes it should have.
        expected: usize,
        /// The bytes it has.
        actual: usize,
    },
    /// A field has a value that no such file has.
    #[error("{field} at {offset:#x} is {actual:#x} instead of {expected:#x}: not an external key file")]
    Field {
        /// What the field is.
        field: &'static str,
        /// Where it lies.
        offset: usize,
        /// What it always is.
        expected: u32,
        /// What it is here.
        actual: u32,
    },
    /// A datum that does not fit.
    #[error(transparent)]
    Datum(BadDatum),
    /// There is no 32-byte key in it.
    #[error("there is no external key in the file")]
    NoKey,
    /// It names two protectors, so one of the two places is damaged.
    #[error("the file names two key IDs: {header} in its header, {datum} beside its key")]
    TwoKeyIds {
        /// The key ID in the header.
        header: KeyId,
        /// The key ID beside the key.
        datum: KeyId,
    },
}

fn parse_header(bytes: &[u8]) -> Result<DatasetHeader, BekError> {
    let (header, _) = DatasetHeader::read_from_prefix(bytes)
        .map_err(|_| BekError::TooShort { expected: DATASET_HEADER, actual: bytes.len() })?;
    let size = header.size.get();
    must_be("dataset version", 4, 1, header.version.get())?;
    must_be("dataset start", 8, DATASET_HEADER as u32, header.start.get())?;
    must_be("dataset end", 12, size, header.end.get())?;
    match size as usize {
        expected if expected > bytes.len() => Err(BekError::TooShort { expected, actual: bytes.len() }),
        // Too short for what has been read already.
        ..DATASET_HEADER => must_be("dataset size", 0, bytes.len() as u32, size).map(|()| header),
        _ => Ok(header),
    }
}

fn must_be<T: Into<u32>>(field: &'static str, offset: usize, expected: T, actual: T) -> Result<(), BekError> {
    let (expected, actual) = (expected.into(), actual.into());
    if expected == actual { Ok(()) } else { Err(BekError::Field { field, offset, expected, actual }) }
}

/// Counts the place of a bad datum from the start of the file.
fn bad_datum(bad: BadDatum, start: usize) -> BekError {
    BekError::Datum(BadDatum { offset: start + bad.offset, ..bad })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::nested::{KIND_KEY, KIND_TEXT, ROLE_PROPERTY};
    use super::*;

    fn id() -> KeyId {
        "99B0081A-60B6-47E4-8482-DEA46EE1891D".parse().expect("a key ID")
    }

    fn bek(volume: Option<Uuid>) -> Bek {
        Bek::new(id(), 0x01d7_bc6f_b340_8220, 0x01d7_bc6f_b33e_3830, volume, Secret::new([0xa5; 32]))
    }

    /// The file as Windows 11 writes it, put together by hand.
    fn windows_11() -> Vec<u8> {
        let mut file = hex_literal::hex!(
            "b4000000 01000000 30000000 b4000000 1a08b099b660e4478482dea46ee1891d 01000000 0000 0000 208240b36fbcd701"
            "8400 0600 0900 0100 1a08b099b660e4478482dea46ee1891d 30383eb36fbcd701"
            "2000 0000 0200 0100 450078007400650072006e0061006c004b006500790000 00"
            "1800 1900 1700 0100 33221100554477668899aabbccddeeff"
            "2c00 0000 0100 0100 0220 0000"
        )
        .to_vec();
        file.extend([0xa5; 32]);
        file
    }

    #[test]
    fn windows_11_files_are_written_and_read() {
        let volume = Uuid::from_u128(0x00112233_4455_6677_8899_aabbccddeeff);
        let file = bek(Some(volume)).to_bytes();
        assert_eq!(file.expose().len(), 180);
        assert_eq!(*file.expose(), windows_11());
        let read = Bek::parse(&windows_11()).expect("an external key");
        assert_eq!(
            (read.key_id, read.created, read.modified),
            (id(), 0x01d7_bc6f_b340_8220, 0x01d7_bc6f_b33e_3830)
        );
        assert_eq!((read.label.as_deref(), read.volume), (Some("ExternalKey"), Some(volume)));
        assert_eq!(*read.key.expose(), [0xa5; 32]);
        assert_eq!(read.to_bytes().expose(), file.expose());
        assert!(Bek::is_likely(&windows_11()));
        assert_eq!(file_name(&id()), "99B0081A-60B6-47E4-8482-DEA46EE1891D.BEK");
    }

    #[test]
    fn older_files_have_no_volume_until_one_is_given() {
        let file = bek(None).to_bytes();
        assert_eq!(file.expose().len(), 156);
        let mut read = Bek::parse(file.expose()).expect("an external key");
        assert_eq!(read.volume, None);
        read.volume = Some(Uuid::from_u128(0x00112233_4455_6677_8899_aabbccddeeff));
        assert_eq!(*read.to_bytes().expose(), windows_11());
        (read.label, read.volume) = (None, None);
        assert_eq!(read.to_bytes().expose().len(), 156 - 0x20);
    }

    #[test]
    fn what_is_unknown_is_kept() {
        // Odd text, an unknown datum, a second key, odd flags, a datum behind: all as they were.
        let mut body = windows_11()[0x38..0x50].to_vec();
        put_datum(&mut body, ROLE_PROPERTY, KIND_TEXT, 1, &[0x00, 0xd8, 0, 0]);
        put_datum(&mut body, 0x33, 0x44, 7, b"odd");
        put_datum(&mut body, 5, KIND_KEY, 0, &[&[0x02, 0x20, 9, 0], &[1; 32][..]].concat());
        put_datum(&mut body, ROLE_PROPERTY, KIND_KEY, 1, &[&[0x02, 0x20, 0, 0], &[2; 32][..]].concat());
        let mut file = windows_11()[..0x30].to_vec();
        put_datum(&mut file, ROLE_EXTERNAL_KEY, KIND_EXTERNAL_KEY, 3, &body);
        put_datum(&mut file, 1, 2, 3, b"behind");
        let size = (file.len() as u32).to_le_bytes();
        file[..4].copy_from_slice(&size);
        file[12..16].copy_from_slice(&size);
        let read = Bek::parse(&file).expect("an external key");
        assert_eq!((read.label.as_deref(), read.volume, read.key.expose()[0]), (None, None, 1));
        assert_eq!(*read.to_bytes().expose(), file);
        // Nor does what follows the file get in the way.
        file.extend([0; 356]);
        assert_eq!(read.to_bytes().expose()[..], file[..file.len() - 356]);
        assert!(Bek::parse(&file).is_ok());
    }

    #[test]
    fn damage_is_named() {
        let damaged = |at: usize, byte: u8| {
            let mut file = windows_11();
            file[at] ^= byte;
            Bek::parse(&file).expect_err("a damaged file")
        };
        assert_eq!(
            damaged(4, 3),
            BekError::Field { field: "dataset version", offset: 4, expected: 1, actual: 2 }
        );
        assert_eq!(
            damaged(12, 1),
            BekError::Field { field: "dataset end", offset: 12, expected: 0xb4, actual: 0xb5 }
        );
        assert_eq!(
            damaged(0x34, 1),
            BekError::Field { field: "datum type", offset: 0x34, expected: 9, actual: 8 }
        );
        assert_eq!(damaged(0x70, 0x80), BekError::Datum(BadDatum { offset: 0x70, size: 0x98, left: 68 }));
        assert_eq!(damaged(0x90, 1), BekError::NoKey);
        let two = damaged(0x10, 1);
        assert!(matches!(two, BekError::TwoKeyIds { datum, .. } if datum == id()));
        let short = Bek::parse(&windows_11()[..179]).expect_err("a cut file");
        assert_eq!(short, BekError::TooShort { expected: 180, actual: 179 });
        assert!(matches!(Bek::parse(&[]), Err(BekError::TooShort { actual: 0, .. })));
    }

    #[test]
    fn debug_shows_no_key() {
        assert!(!format!("{:?}", bek(None)).contains("165"));
    }

    proptest! {
        #[test]
        fn new_files_are_read_back(guid: u128, created: u64, modified: u64, volume: Option<u128>, key: [u8; 32]) {
            let volume = volume.map(Uuid::from_u128);
            let bek = Bek::new(Uuid::from_u128(guid).into(), created, modified, volume, Secret::new(key));
            let read = Bek::parse(bek.to_bytes().expose()).expect("an external key");
            prop_assert_eq!((read.key_id, read.created, read.modified), (bek.key_id, created, modified));
            prop_assert_eq!((read.volume, read.key.expose()), (volume, &key));
        }

        /// Whatever is read is written back the same.
        #[test]
        fn damaged_files_are_refused_or_kept(changes in prop::collection::vec((0usize..180, any::<u8>()), 1..6), len in 0usize..=180) {
            let mut file = windows_11();
            for (at, byte) in changes {
                file[at] = byte;
            }
            file.truncate(len);
            if let Ok(read) = Bek::parse(&file) {
                let written = read.to_bytes();
                prop_assert_eq!(&written.expose()[..], &file[..written.expose().len()]);
            }
        }

        #[test]
        fn any_bytes_are_a_file_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            let _ = Bek::parse(&bytes);
        }
    }
}
