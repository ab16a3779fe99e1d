//! Canonical Huffman codes: a code is known by the lengths of its words alone.

use super::bits::Bits;

/// Words up to this length are looked up at once.
const QUICK: usize = 10;
const LONGEST: usize = 16;
/// XPRESS has the largest alphabet.
const SYMBOLS: usize = 512;

/// A code for up to 512 symbols with words of up to 16 bits.
pub(crate) struct Code {
    /// For each beginning of a word the symbol and, in the lower four bits, the length of its word; 0 where
    /// the word is longer, or there is none.
    quick: [u16; 1 << QUICK],
    /// The symbols by the length of their word, then by their number.
    symbols: [u16; SYMBOLS],
    /// For each length how many words there are.
    counts: [u16; LONGEST + 1],
}

impl Code {
    /// Makes the code of the words' lengths, 0 for symbols without one; `None` when there are more words
    /// than bits can tell apart.
    pub(crate) fn new(lengths: &[u8]) -> Option<Self> {
        let mut counts = [0_u16; LONGEST + 1];
        for &length in lengths {
            *counts.get_mut(usize::from(length))? += 1;
        }
        counts[0] = 0;
        let mut starts = [0_u16; LONGEST + 2];
        let mut room = 1_i32;
        for length in 1..=LONGEST {
            starts[length + 1] = starts[length] + counts[length];
            room = room * 2 - i32::from(counts[length]);
            if room < 0 {
                return None;
            }
        }
        let mut code = Self { quick: [0; 1 << QUICK], symbols: [0; SYMBOLS], counts };
        for (symbol, &length) in lengths.iter().enumerate().filter(|(_, length)| **length > 0) {
            let place = &mut starts[usize::from(length)];
            *code.symbols.get_mut(usize::from(*place))? = symbol as u16;
            *place += 1;
        }
        let (mut filled, mut first) = (0, 0);
        for (length, &count) in counts.iter().enumerate().take(QUICK + 1).skip(1) {
            let count = usize::from(count);
            for &symbol in &code.symbols[first..first + count] {
                let end = filled + (1 << (QUICK - length));
                code.quick[filled..end].fill(symbol << 4 | length as u16);
                filled = end;
            }
            first += count;
        }
        Some(code)
    }

    /// Reads a word and returns its symbol; `None` when there is no such word.
    #[inline]
    pub(crate) fn read(&self, bits: &mut Bits<'_>) -> Option<usize> {
        bits.fill();
        let quick = self.quick[(bits.peek() >> (16 - QUICK)) as usize];
        if quick != 0 {
            bits.skip(u32::from(quick & 0xf));
            return Some(usize::from(quick >> 4));
        }
        self.read_long(bits)
    }

    fn read_long(&self, bits: &mut Bits<'_>) -> Option<usize> {
        let word = bits.peek();
        let (mut first_word, mut first_symbol) = (0, 0);
        for length in 1..=LONGEST {
            let count = u32::from(self.counts[length]);
            let beyond = (word >> (LONGEST - length)).wrapping_sub(first_word);
            if beyond < count {
                bits.skip(length as u32);
                return self.symbols.get((first_symbol + beyond) as usize).map(|&symbol| symbol.into());
            }
            first_symbol += count;
            first_word = (first_word + count) << 1;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_given_out_by_length_then_number() {
        // b: 0, a: 10, c: 110, d: 111
        let code = Code::new(&[2, 1, 3, 3]).expect("a complete code");
        let mut bits = Bits::new(&[0b1110_0000, 0b0101_1011]);
        let read: Vec<_> = (0..5).map(|_| code.read(&mut bits)).collect();
        assert_eq!(read, [Some(1), Some(0), Some(2), Some(3), Some(2)]);
    }

    #[test]
    fn long_words_are_found_too() {
        let mut lengths: Vec<u8> = (1..=16).collect();
        lengths.push(16);
        let code = Code::new(&lengths).expect("a complete code");
        for (word, symbol) in [(0xfffe_u16, 15), (0xffff, 16), (0xffc0, 10), (0xff80, 9), (0, 0)] {
            assert_eq!(code.read(&mut Bits::new(&word.to_le_bytes())), Some(symbol), "{word:x}");
        }
    }

    #[test]
    fn codes_may_lack_words_and_never_have_too_many() {
        let code = Code::new(&[0, 2]).expect("an incomplete code");
        assert_eq!(code.read(&mut Bits::new(&[0, 0])), Some(1));
        assert_eq!(code.read(&mut Bits::new(&[0, 0x80])), None);
        assert!(Code::new(&[1, 1, 1]).is_none());
        assert!(Code::new(&[17]).is_none());
        assert_eq!(Code::new(&[]).expect("no word").read(&mut Bits::new(&[0, 0])), None);
    }
}
