//! LZNT1, the compression that NTFS has always had, documented by Microsoft in \[MS-XCA\] 2.5.

use super::repeat;

/// What one chunk is decompressed to.
const CHUNK: usize = 4096;

/// Decompresses LZNT1; behind what is stored there are zeros.
///
/// It is a row of chunks, each with a header of two bytes: the length less 3 in the lower 12 bits, bit 15
/// set when the chunk is compressed, and 0 behind the last one.
pub fn decompress(mut bytes: &[u8], out: &mut [u8]) -> Option<()> {
    for out in out.chunks_mut(CHUNK) {
        let header = match bytes {
            [low, high, rest @ ..] => {
                bytes = rest;
                u16::from_le_bytes([*low, *high])
            }
            _ => 0,
        };
        if header == 0 {
            out.fill(0);
            bytes = &[];
            continue;
        }
        let (chunk, rest) = bytes.split_at_checked(usize::from(header & 0x0fff) + 1)?;
        bytes = rest;
        if header & 0x8000 == 0 {
            let length = chunk.len().min(out.len());
            out[..length].copy_from_slice(&chunk[..length]);
            out[length..].fill(0);
        } else {
            decompress_chunk(chunk, out)?;
        }
    }
    Some(())
}

/// Decompresses a chunk: groups of eight things, a bit for each in the byte before them: a byte as it is,
/// or two bytes that say how far back (upper bits) and how long less 3 (lower bits) something is repeated.
/// The further the chunk has come, the more bits the distance has.
fn decompress_chunk(mut bytes: &[u8], out: &mut [u8]) -> Option<()> {
    let mut at = 0;
    while let &[mut flags, ref rest @ ..] = bytes {
        bytes = rest;
        for _ in 0..8 {
            if at == out.len() || bytes.is_empty() {
                break;
            }
            if flags & 1 == 0 {
                out[at] = bytes[0];
                (at, bytes) = (at + 1, &bytes[1..]);
            } else {
                let [low, high, rest @ ..] = bytes else { return None };
                bytes = rest;
                let pair = usize::from(u16::from_le_bytes([*low, *high]));
                let length_bits =
                    12 - at.saturating_sub(1).checked_ilog2().map_or(0, |log| log.saturating_sub(3));
                let length = (pair & ((1 << length_bits) - 1)) + 3;
                let distance = (pair >> length_bits) + 1;
                at = repeat(out, at, distance, length)?;
            }
            flags >>= 1;
        }
        if at == out.len() {
            return Some(());
        }
    }
    out[at..].fill(0);
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn far_and_near_repetitions() {
        // "abc", repeated from three bytes back, over its own end.
        let mut out = [0; 12];
        let bytes = [0x05, 0xb0, 0b0000_1000, b'a', b'b', b'c', 0x06, 0x20];
        decompress(&bytes, &mut out).expect("a good chunk");
        assert_eq!(&out, b"abcabcabcabc");
    }

    #[test]
    fn what_lies_behind_the_end_is_zeros() {
        let mut out = [0xff; CHUNK + 8];
        decompress(&[0x01, 0x30, b'h', b'i', 0, 0], &mut out).expect("one stored chunk");
        assert_eq!(&out[..3], b"hi\0");
        assert!(out[2..].iter().all(|&byte| byte == 0));
    }

    #[test]
    fn hostile_chunks_are_errors() {
        for bytes in [
            &[0xff, 0xbf, 0][..],
            &[0x02, 0xb0, 1, 0, 0],
            &[0x01, 0xb0, 1, 0],
            &[0x03, 0xb0, 2, b'a', 0, 0x10],
        ] {
            assert_eq!(decompress(bytes, &mut [0; 64]), None, "{bytes:x?}");
        }
    }
}
