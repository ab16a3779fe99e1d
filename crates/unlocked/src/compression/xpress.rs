//! XPRESS with Huffman coding, as documented by Microsoft in \[MS-XCA\] 2.1 and 2.2.
//!
//! A chunk starts with the lengths of 512 words, four bits each. Symbols below 256 are bytes; the others
//! repeat something: the lower four bits are the length less 3 (15: more follows, in whole bytes), the upper
//! four the number of bits of the distance, whose highest bit is not written.

use super::bits::Bits;
use super::huffman::Code;
use super::repeat;

const TABLE: usize = 256;
const SHORTEST: usize = 3;

/// Decompresses a chunk of XPRESS with Huffman coding.
pub fn decompress(chunk: &[u8], out: &mut [u8]) -> Option<()> {
    let (table, words) = chunk.split_at_checked(TABLE)?;
    let mut lengths = [0; 2 * TABLE];
    for (pair, byte) in lengths.chunks_exact_mut(2).zip(table) {
        pair.copy_from_slice(&[byte & 0xf, byte >> 4]);
    }
    let code = Code::new(&lengths)?;
    let mut bits = Bits::new(words);
    let mut at = 0;
    while at < out.len() {
        let symbol = code.read(&mut bits)?;
        if symbol < 0x100 {
            out[at] = symbol as u8;
            at += 1;
            continue;
        }
        // The bytes of a long length come before the distance; the unit with its bits is already read.
        bits.fill();
        let length = match symbol & 0xf {
            0xf => long_length(&mut bits)?,
            short => short,
        };
        let distance_bits = (symbol >> 4 & 0xf) as u32;
        let distance = 1 << distance_bits | bits.take(distance_bits) as usize;
        at = repeat(out, at, distance, length + SHORTEST)?;
    }
    Some(())
}

/// Reads a length from 15 on: a byte if that is enough, else two, else four.
fn long_length(bits: &mut Bits<'_>) -> Option<usize> {
    let more = bits.bytes(1)?[0];
    if more < 0xff {
        return Some(usize::from(more) + 0xf);
    }
    let length = match u16::from_le_bytes(*bits.bytes(2)?.first_chunk()?) {
        0 => u32::from_le_bytes(*bits.bytes(4)?.first_chunk()?),
        length => length.into(),
    };
    // Longer than any chunk; it is cut to the end of this one.
    Some((length as usize).min(1 << 24)).filter(|&length| length >= 0xf)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Words of two bits for a: 00, b: 01, the last byte at length: 10, two or three back for four: 11
    fn chunk(words: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0; TABLE];
        for symbol in [usize::from(b'a'), b'b'.into(), 0x10f, 0x111] {
            bytes[symbol / 2] |= 2 << (symbol % 2 * 4);
        }
        bytes.extend_from_slice(words);
        bytes
    }

    #[test]
    fn bytes_and_repetitions() {
        // 00 01 11+0 10, then the unit that is read ahead, then how much longer than 15
        let mut out = [0; 26];
        decompress(&chunk(&[0x00, 0x1d, 0, 0, 2]), &mut out).expect("a good chunk");
        assert_eq!(&out, b"abababbbbbbbbbbbbbbbbbbbbb");
        let mut out = [0; 329];
        decompress(&chunk(&[0x00, 0x1d, 0, 0, 0xff, 0x40, 0x01]), &mut out).expect("a good chunk");
        assert_eq!(out[5..], [b'b'; 324]);
        decompress(&chunk(&[0x00, 0x1d, 0, 0, 0xff, 0, 0, 0x40, 1, 0, 0]), &mut out).expect("a good chunk");
        assert_eq!(out[5..], [b'b'; 324]);
    }

    #[test]
    fn hostile_chunks_are_errors() {
        // Back behind the beginning; a length that is missing, cut off, or shorter than a short one.
        for words in
            [&[0x00, 0xc0][..], &[0, 0x1d, 0, 0], &[0, 0x1d, 0, 0, 0xff, 1], &[0, 0x1d, 0, 0, 0xff, 1, 0]]
        {
            assert_eq!(decompress(&chunk(words), &mut [0; 64]), None, "{words:x?}");
        }
        assert_eq!(decompress(&[0; TABLE - 1], &mut [0; 64]), None);
        assert_eq!(decompress(&[0x11; TABLE], &mut [0; 64]), None);
    }
}
