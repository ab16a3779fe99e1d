//! Bits out of 16-bit little-endian units, the highest bit of a unit first, as XPRESS and LZX have them.

/// Reads bits, and between them whole bytes. Behind the end there are zeros, as both formats allow.
pub(crate) struct Bits<'a> {
    bytes: &'a [u8],
    /// Where the next unit starts.
    at: usize,
    /// What was read and not yet used, from the highest bit on.
    buffer: u32,
    count: u32,
}

impl<'a> Bits<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0, buffer: 0, count: 0 }
    }

    /// Makes sure that 16 bits or more are in the buffer.
    #[inline]
    pub(crate) fn fill(&mut self) {
        if self.count < 16 {
            let unit = match self.bytes.get(self.at..) {
                Some(&[low, high, ..]) => u16::from_le_bytes([low, high]),
                _ => 0,
            };
            self.at += 2;
            self.buffer |= u32::from(unit) << (16 - self.count);
            self.count += 16;
        }
    }

    /// Returns the next 16 bits of the buffer and leaves them there.
    #[inline]
    pub(crate) fn peek(&self) -> u32 {
        self.buffer >> 16
    }

    /// Leaves out bits that are in the buffer.
    #[inline]
    pub(crate) fn skip(&mut self, count: u32) {
        self.buffer <<= count;
        self.count -= count;
    }

    /// Returns the next bits, at most 16.
    #[inline]
    pub(crate) fn take(&mut self, count: u32) -> u32 {
        self.fill();
        let bits = self.peek() >> (16 - count);
        self.skip(count);
        bits
    }

    /// Returns the next bytes behind the units that are in the buffer.
    #[inline]
    pub(crate) fn bytes(&mut self, length: usize) -> Option<&'a [u8]> {
        let bytes = self.bytes.get(self.at..)?.get(..length)?;
        self.at += length;
        Some(bytes)
    }

    /// Leaves out the bits up to the end of the unit; at its very end the whole next unit.
    pub(crate) fn align(&mut self) {
        match self.count {
            0 => self.at += 2,
            // The buffer has a unit that was not yet begun.
            17.. => self.at -= 2,
            _ => (),
        }
        (self.buffer, self.count) = (0, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_come_from_the_top_of_little_endian_units() {
        let mut bits = Bits::new(&[0x34, 0x12, 0xcd, 0xab, 7]);
        assert_eq!((bits.take(4), bits.take(16), bits.take(0), bits.take(4)), (1, 0x234a, 0, 0xb));
        bits.align();
        assert_eq!(bits.bytes(1), Some(&[7][..]));
        assert_eq!((bits.bytes(1), bits.take(16)), (None, 0));
    }

    #[test]
    fn alignment_at_a_boundary_leaves_out_a_unit() {
        for taken in [0, 16] {
            let mut bits = Bits::new(&[0, 0, 1, 1, 2, 2]);
            bits.take(taken);
            bits.align();
            assert_eq!(bits.bytes(1), Some(&[if taken == 0 { 1 } else { 2 }][..]));
        }
        let mut bits = Bits::new(&[0, 0, 1, 1, 2, 2]);
        (0..16).for_each(|_| _ = bits.take(1));
        bits.align();
        assert_eq!(bits.bytes(1), Some(&[2][..]));
        let mut bits = Bits::new(&[0, 0, 1, 1]);
        bits.take(8);
        bits.fill();
        bits.align();
        assert_eq!(bits.bytes(1), Some(&[1][..]));
    }
}
