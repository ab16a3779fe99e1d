//! Reads of any place and length from what takes whole sectors only.

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

/// Fills `buf` from `offset` with one read of whole sectors into memory that starts with a page, as reads past the
/// system's cache want it.
pub fn read_to_pages(
    sector: u64,
    offset: u64,
    buf: &mut [u8],
    read: impl FnOnce(u64, &mut [u8]) -> io::Result<()>,
) -> io::Result<()> {
    const PAGE: usize = 4096;
    let start = offset / sector * sector;
    let skip = usize::try_from(offset - start).map_err(io::Error::other)?;
    let whole = (skip + buf.len()).next_multiple_of(usize::try_from(sector).map_err(io::Error::other)?);
    let mut memory = vec![0; whole + PAGE];
    let page = memory.as_ptr().align_offset(PAGE);
    let bytes = memory.get_mut(page..page.saturating_add(whole)).ok_or(io::ErrorKind::OutOfMemory)?;
    read(start, bytes)?;
    buf.copy_from_slice(&bytes[skip..skip + buf.len()]);
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
            buf.fill(0);
            read_to_pages(512, offset, &mut buf, |offset, buf| {
                assert!(offset.is_multiple_of(512) && buf.len().is_multiple_of(512));
                assert!(buf.as_ptr().addr().is_multiple_of(4096));
                bytes.read_at(offset, buf)
            }).expect("inside");
            assert_eq!(buf, bytes[offset as usize..offset as usize + length]);
        }
    }
}
