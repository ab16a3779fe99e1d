//! The container that BitLocker's metadata and its `.BEK` files share: a header, then datums.
//!
//! Every number is little-endian. A datum is `size u16, role u16, type u16, version u16`, then
//! `size - 8` bytes; datums follow one another without alignment. What a datum means is decided by
//! its reader; here they are only cut apart, each length checked before it is believed.

use zerocopy::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// The 48 bytes before the datums.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct DatasetHeader {
    /// Bytes in the dataset, this header included.
    pub size: U32,
    /// Always 1 so far.
    pub version: U32,
    /// Where the datums start: always 0x30 so far.
    pub start: U32,
    /// Where the datums end, from the start of this header.
    pub end: U32,
    /// Volume GUID in metadata, protector GUID in a `.BEK` file; mixed-endian as Microsoft writes GUIDs.
    pub guid: [u8; 16],
    /// The counter that the next AES-CCM nonce will take.
    pub next_nonce: U32,
    /// Encryption method of the volume, 0 for none.
    pub method: U16,
    /// The same method when it was chosen by policy or by the user, else 0.
    pub preferred_method: U16,
    /// FILETIME of creation: 100 ns ticks since 1601-01-01 UTC.
    pub created: U64,
}

/// The eight bytes in front of every datum.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct DatumHeader {
    /// Bytes in the datum, this header included.
    pub size: U16,
    /// What the datum is for.
    pub role: U16,
    /// What the datum looks like.
    pub kind: U16,
    /// Version or flags; 1 unless a format document says otherwise.
    pub version: U16,
}

/// The length of [`DatasetHeader`].
pub const DATASET_HEADER: usize = size_of::<DatasetHeader>();
/// The length of [`DatumHeader`].
pub const DATUM_HEADER: usize = size_of::<DatumHeader>();

/// One datum as it lies in the bytes.
#[derive(Clone, Copy, Debug)]
pub struct RawDatum<'a> {
    /// Where the datum starts in the bytes that were cut.
    pub offset: usize,
    /// Its header.
    pub header: DatumHeader,
    /// What follows the header, `header.size - 8` bytes.
    pub body: &'a [u8],
}

/// A datum whose size is below 8 or reaches past the end of its container.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the datum at {offset:#x} says it has {size} bytes, but {left} are left")]
pub struct BadDatum {
    /// Where the datum starts in the bytes that were cut.
    pub offset: usize,
    /// The size it claims, 0 when not even a header fits.
    pub size: usize,
    /// The bytes that are there.
    pub left: usize,
}

/// Cuts `bytes` into datums; stops after the first bad one.
pub fn datums(bytes: &[u8]) -> impl Iterator<Item = Result<RawDatum<'_>, BadDatum>> {
    let mut offset = 0;
    std::iter::from_fn(move || {
        let rest = bytes.get(offset..).filter(|rest| !rest.is_empty())?;
        let item = cut(rest, offset);
        offset = item.as_ref().map_or(bytes.len(), |datum| offset + usize::from(datum.header.size.get()));
        Some(item)
    })
}

fn cut(rest: &[u8], offset: usize) -> Result<RawDatum<'_>, BadDatum> {
    let bad = |size| BadDatum { offset, size, left: rest.len() };
    let (header, _) = DatumHeader::read_from_prefix(rest).map_err(|_| bad(0))?;
    let size = usize::from(header.size.get());
    let body = rest.get(DATUM_HEADER..size).ok_or_else(|| bad(size))?;
    Ok(RawDatum { offset, header, body })
}

/// Appends one datum to `out`.
///
/// # Panics
/// When header and body exceed the 65,535 bytes that a datum can say it has.
pub fn put_datum(out: &mut Vec<u8>, role: u16, kind: u16, version: u16, body: &[u8]) {
    let size = u16::try_from(DATUM_HEADER + body.len()).expect("a datum is at most 65,535 bytes");
    let header =
        DatumHeader { size: size.into(), role: role.into(), kind: kind.into(), version: version.into() };
    out.extend_from_slice(header.as_bytes());
    out.extend_from_slice(body);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn datums_are_cut_and_put_back() {
        let mut bytes = Vec::new();
        put_datum(&mut bytes, 7, 2, 1, b"odd");
        put_datum(&mut bytes, 0, 1, 3, b"");
        let cut: Vec<_> = datums(&bytes).collect::<Result<_, _>>().expect("two good datums");
        assert_eq!(cut.len(), 2);
        assert_eq!((cut[0].body, cut[0].header.role.get()), (&b"odd"[..], 7));
        assert_eq!((cut[1].offset, cut[1].header.version.get()), (11, 3));
    }

    #[test]
    fn lying_sizes_are_errors_and_end_the_list() {
        for size in [0u16, 7, 9, 0xffff] {
            let mut bytes = vec![0; 8];
            bytes[..2].copy_from_slice(&size.to_le_bytes());
            let all: Vec<_> = datums(&bytes).collect();
            assert_eq!(all.len(), 1);
            assert_eq!(
                all[0].as_ref().err(),
                Some(&BadDatum { offset: 0, size: usize::from(size), left: 8 })
            );
        }
        assert_eq!(datums(&[1, 2, 3]).count(), 1);
        assert_eq!(datums(&[]).count(), 0);
    }
}
