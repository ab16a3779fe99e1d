//! Code 128, code set C: two digits a symbol, as ISO/IEC 15417 has it.

/// The digits of a recovery key.
pub const DIGITS: usize = 48;
/// Modules in a barcode of [`DIGITS`] digits: start, 24 pairs and check of 11, stop of 13.
pub const MODULES: usize = 11 * (DIGITS / 2 + 2) + 13;

/// Widths of bar, space, bar, space, bar, space of every symbol, in modules; stop has one more bar.
pub(crate) const PATTERNS: [[u8; 6]; 106] = patterns();
/// The stop symbol.
pub(crate) const STOP: [u8; 7] = [2, 3, 3, 1, 1, 1, 2];
/// The symbol that starts code set C.
pub(crate) const START_C: u8 = 105;
/// Check symbols are sums modulo this.
pub(crate) const MODULUS: u32 = 103;

/// Returns the widths of all bars and spaces, bars first, for an even number of digits.
///
/// `None` when a byte is no digit or their number is odd.
pub fn widths(digits: &[u8]) -> Option<Vec<u8>> {
    if !digits.len().is_multiple_of(2) || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let mut symbols = vec![START_C];
    symbols.extend(digits.chunks_exact(2).map(|pair| (pair[0] - b'0') * 10 + (pair[1] - b'0')));
    symbols.push(check(&symbols));
    let mut widths: Vec<u8> =
        symbols.iter().filter_map(|&symbol| PATTERNS.get(usize::from(symbol))).flatten().copied().collect();
    widths.extend(STOP);
    Some(widths)
}

/// Returns the check symbol for a start symbol and what follows it.
pub(crate) fn check(symbols: &[u8]) -> u8 {
    let sum: u32 = symbols.iter().zip(0u32..).map(|(&symbol, place)| u32::from(symbol) * place.max(1)).sum();
    (sum % MODULUS) as u8
}

/// The symbols as the standard lists them, six digits each.
const fn patterns() -> [[u8; 6]; 106] {
    const TABLE: &[u8; 636] = b"212222222122222221121223121322131222122213122312132212221213221312\
231212112232122132122231113222123122123221223211221132221231213212223112312131311222321122321221\
312212322112322211212123212321232121111323131123131321112313132113132311211313231113231311112133\
112331132131113123113321133121313121211331231131213113213311213131311123311321331121312113312311\
332111314111221411431111111224111422121124121421141122141221112214112412122114122411142112142211\
241211221114413111241112134111111242121142121241114212124112124211411212421112421211212141214121\
412121111143111341131141114113114311411113411311113141114131311141411131211412211214211232";
    let mut patterns = [[0; 6]; 106];
    let mut n = 0;
    while n < TABLE.len() {
        patterns[n / 6][n % 6] = TABLE[n] - b'0';
        n += 1;
    }
    patterns
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_symbol_has_eleven_modules_and_is_unlike_the_others() {
        for (n, pattern) in PATTERNS.iter().enumerate() {
            assert_eq!(pattern.iter().sum::<u8>(), 11, "{n}");
            assert_eq!((pattern[0] + pattern[2] + pattern[4]) % 2, 0, "{n}");
            assert!(!PATTERNS[..n].contains(pattern), "{n}");
        }
    }

    #[test]
    fn widths_of_a_key() {
        let widths = widths(&[b'7'; DIGITS]).expect("digits");
        assert_eq!(widths.iter().map(|&width| usize::from(width)).sum::<usize>(), MODULES);
        assert_eq!(widths[..6], [2, 1, 1, 2, 3, 2]);
    }

    #[test]
    fn only_pairs_of_digits() {
        assert!(widths(b"123").is_none());
        assert!(widths(b"12a4").is_none());
    }
}
