//! LZX with a window of 32 KiB, each chunk by itself, as in WIM files.
//!
//! The format is that of cabinet files, documented by Microsoft in \[MS-PATCH\] and in the cabinet SDK, with
//! these differences of WIM: blocks of 32 KiB are announced by one bit, and the targets of x86 calls
//! are always taken to be translated, in a file of 12,000,000 bytes.

use super::bits::Bits;
use super::huffman::Code;
use super::repeat;

const WINDOW: usize = 32 << 10;
const BYTES: usize = 256;
/// Distances of a window of 32 KiB come in 30 classes, each with eight lengths.
const MAIN_SYMBOLS: usize = BYTES + 8 * 30;
const LENGTH_SYMBOLS: usize = 249;
const PRE_SYMBOLS: usize = 20;
const ALIGNED_SYMBOLS: usize = 8;
const SHORTEST: usize = 2;
const LONG: usize = 7;
/// A distance is written with this added; less are the three last distances.
const RECENT: u32 = 2;
const TRANSLATED_SIZE: i32 = 12_000_000;

/// What a block takes over from the one before.
struct State {
    main: [u8; MAIN_SYMBOLS],
    lengths: [u8; LENGTH_SYMBOLS],
    recent: [u32; 3],
}

/// The codes of a block.
struct Codes {
    main: Code,
    length: Code,
    aligned: Option<Code>,
}

/// Decompresses a chunk of LZX as WIM files have it, of up to 32 KiB.
pub fn decompress(chunk: &[u8], out: &mut [u8]) -> Option<()> {
    let mut bits = Bits::new(chunk);
    let mut state = State { main: [0; MAIN_SYMBOLS], lengths: [0; LENGTH_SYMBOLS], recent: [1; 3] };
    let mut at = 0;
    while at < out.len() {
        let kind = bits.take(3);
        let size = if bits.take(1) == 1 { WINDOW } else { bits.take(16) as usize };
        let end = at.checked_add(size).filter(|&end| end <= out.len() && end > at)?;
        match kind {
            1 | 2 => {
                let codes = state.codes(&mut bits, kind == 2)?;
                state.block(&mut bits, &codes, &mut out[..end], at)?;
            }
            3 => {
                bits.align();
                for recent in &mut state.recent {
                    *recent = u32::from_le_bytes(*bits.bytes(4)?.first_chunk()?);
                }
                out[at..end].copy_from_slice(bits.bytes(size)?);
                // Behind an odd length there is a byte to make it even, unless it is the last.
                let _ = bits.bytes(size % 2);
            }
            _ => return None,
        }
        at = end;
    }
    translate_calls(out);
    Some(())
}

impl State {
    /// Reads the codes at the start of a block. Lengths of words are given by how they differ from those of
    /// the last block.
    fn codes(&mut self, bits: &mut Bits<'_>, is_aligned: bool) -> Option<Codes> {
        let mut aligned = None;
        if is_aligned {
            let mut lengths = [0; ALIGNED_SYMBOLS];
            lengths.fill_with(|| bits.take(3) as u8);
            aligned = Some(Code::new(&lengths)?);
        }
        let (bytes, repetitions) = self.main.split_at_mut(BYTES);
        read_lengths(bits, bytes)?;
        read_lengths(bits, repetitions)?;
        read_lengths(bits, &mut self.lengths)?;
        Some(Codes { main: Code::new(&self.main)?, length: Code::new(&self.lengths)?, aligned })
    }

    /// Decompresses a block, which ends where `out` does.
    fn block(&mut self, bits: &mut Bits<'_>, codes: &Codes, out: &mut [u8], mut at: usize) -> Option<()> {
        while at < out.len() {
            let symbol = codes.main.read(bits)?;
            let Some(symbol) = symbol.checked_sub(BYTES) else {
                out[at] = symbol as u8;
                at += 1;
                continue;
            };
            let mut length = symbol % 8 + SHORTEST;
            if symbol % 8 == LONG {
                length += codes.length.read(bits)?;
            }
            let distance = self.distance(bits, codes, symbol / 8)?;
            at = repeat(out, at, distance as usize, length)?;
        }
        Some(())
    }

    /// Reads the rest of a distance of a class, and remembers it.
    fn distance(&mut self, bits: &mut Bits<'_>, codes: &Codes, class: usize) -> Option<u32> {
        if class < self.recent.len() {
            self.recent.swap(0, class);
        } else {
            let extra = (class / 2 - 1) as u32;
            let base = (2 | class as u32 & 1) << extra;
            let more = match &codes.aligned {
                Some(aligned) if extra >= 3 => bits.take(extra - 3) << 3 | aligned.read(bits)? as u32,
                _ => bits.take(extra),
            };
            self.recent = [base + more - RECENT, self.recent[0], self.recent[1]];
        }
        Some(self.recent[0]).filter(|&distance| distance > 0)
    }
}

/// Reads lengths of words: a small code of its own, then with it how each differs from the last one.
fn read_lengths(bits: &mut Bits<'_>, lengths: &mut [u8]) -> Option<()> {
    let mut own = [0; PRE_SYMBOLS];
    own.fill_with(|| bits.take(4) as u8);
    let code = Code::new(&own)?;
    let mut at = 0;
    while let Some(&last) = lengths.get(at) {
        let differing =
            |symbol: usize| (17 + usize::from(last)).checked_sub(symbol).map(|sum| (sum % 17) as u8);
        let (run, length) = match code.read(bits)? {
            17 => (4 + bits.take(4), 0),
            18 => (20 + bits.take(5), 0),
            19 => {
                let run = 4 + bits.take(1);
                (run, differing(code.read(bits)?)?)
            }
            symbol => (1, differing(symbol)?),
        };
        let end = (at + run as usize).min(lengths.len());
        lengths[at..end].fill(length);
        at = end;
    }
    Some(())
}

/// Makes the targets of x86 calls relative again. The last ten bytes are left alone.
fn translate_calls(out: &mut [u8]) {
    const CALL: u8 = 0xe8;
    let end = out.len().saturating_sub(10);
    let mut at = 0;
    while let Some(found) = out[..end].get(at..).and_then(|rest| rest.iter().position(|&byte| byte == CALL)) {
        let here = at + found;
        let position = here as i32;
        if let Some(target) = out[here + 1..].first_chunk_mut() {
            let absolute = i32::from_le_bytes(*target);
            if (0..TRANSLATED_SIZE).contains(&absolute) {
                *target = (absolute - position).to_le_bytes();
            } else if (-position..0).contains(&absolute) {
                *target = (absolute + TRANSLATED_SIZE).to_le_bytes();
            }
        }
        at = here + 5;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stored_blocks() {
        // Type 3 in three bits, not 32 KiB, 5 bytes; then nothing up to the end of the second unit.
        let mut chunk = vec![0x00, 0x60, 0x00, 0x50];
        chunk.extend([1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0]);
        chunk.extend(b"hello");
        let mut out = [0; 5];
        decompress(&chunk, &mut out).expect("a good chunk");
        assert_eq!(&out, b"hello");
        assert_eq!(decompress(&chunk[..20], &mut out), None);
        assert_eq!(decompress(&chunk, &mut [0; 4]), None);
    }

    #[test]
    fn calls_are_made_relative() {
        let mut code = [0; 32];
        code[3] = 0xe8;
        code[4..8].copy_from_slice(&100_i32.to_le_bytes());
        code[8] = 0xe8;
        code[9..13].copy_from_slice(&(-8_i32).to_le_bytes());
        code[25] = 0xe8;
        translate_calls(&mut code);
        assert_eq!(code[4..8], 97_i32.to_le_bytes());
        assert_eq!(code[9..13], (TRANSLATED_SIZE - 8).to_le_bytes());
        assert_eq!(code[26..], [0; 6]);
        translate_calls(&mut [0xe8; 4]);
    }
}
