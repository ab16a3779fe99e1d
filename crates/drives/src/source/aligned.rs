//! Reads of any place and length from a device that takes whole sectors only.

use std::io;

/// Fills `buf` from `offset` with reads of whole sectors: what is aligned goes straight into `buf`, a
/// sector cut by either end through a bounce buffer.
pub fn read(
    sector: u64,
    mut offset: u64,
    mut buf: &mut [u8],
    read: impl Fn(u64, &mut [u8]) -> io::Result<()>,
) -> io::Result<()> {
    let bytes = usize::try_from(sector).map_err(io::Error::other)?;
    let mut bounce = Vec::new();
    while !buf.is_empty() {
        let skip = usize::try_from(offset % sector).map_err(io::Error::other)?;
        let count = if skip == 0 && buf.len() >= bytes {
            let count = buf.len() - buf.len() % bytes;
            read(offset, &mut buf[..count])?;
            count
        } else {
            let count = (bytes - skip).min(buf.len());
            bounce.resize(bytes, 0);
            read(offset - skip as u64, &mut bounce)?;
            buf[..count].copy_from_slice(&bounce[skip..skip + count]);
            count
        };
        offset += count as u64;
        buf = &mut buf[count..];
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use fve::ReadAt;

    use super::*;

    proptest::proptest! {
        #[test]
        fn any_place_is_read_in_whole_sectors(offset in 0u64..5000, length in 0usize..3000) {
            let bytes: Vec<u8> = (0..8192u32).map(|i| (i * 7 % 251) as u8).collect();
            let mut buf = vec![0; length];
            read(512, offset, &mut buf, |offset, buf| {
                assert!(offset.is_multiple_of(512) && buf.len().is_multiple_of(512));
                bytes.read_at(offset, buf)
            }).expect("inside");
            assert_eq!(buf, bytes[offset as usize..offset as usize + length]);
        }
    }
}
