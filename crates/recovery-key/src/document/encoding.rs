//! From bytes to text, in whatever encoding Windows or an editor has used.

use encoding_rs::{BIG5, EUC_KR, Encoding, GBK, SHIFT_JIS, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};

use crate::Secret;

/// Decodes a document; what cannot be decoded becomes a replacement character.
pub(super) fn decode(encoding: &'static Encoding, bytes: &[u8]) -> Secret<String> {
    let mut decoder = encoding.new_decoder_with_bom_removal();
    // All the room at once: a string that grows leaves its old, unwiped self behind.
    let room = decoder.max_utf8_buffer_length(bytes.len()).unwrap_or(0);
    let mut text = Secret::new(String::with_capacity(room));
    let _ = decoder.decode_to_string(bytes, text.expose_mut(), true);
    text
}

/// Returns the encodings that a document may be in, the likeliest first.
///
/// Digits and GUIDs are ASCII in every code page, so once UTF-16 and UTF-8 are ruled out one code
/// page stands for all with single bytes; Windows-1252 has the dashes that word processors put in.
/// In those of East Asia the second byte of a wide colon may be a letter, which must not be taken
/// for the start of a GUID.
pub(super) fn likely(bytes: &[u8]) -> Vec<&'static Encoding> {
    let marked = Encoding::for_bom(bytes).map(|(encoding, _)| encoding);
    match marked.or_else(|| without_mark(bytes)) {
        Some(encoding) => vec![encoding],
        None => vec![WINDOWS_1252, SHIFT_JIS, GBK, BIG5, EUC_KR],
    }
}

/// Recognises Unicode without a byte order mark.
fn without_mark(bytes: &[u8]) -> Option<&'static Encoding> {
    // In UTF-16 every ASCII character has a zero byte, at the same side of its two. A GUID and 48
    // digits among the longest text that Windows writes are more than one in sixteen.
    let (pairs, _) = bytes.as_chunks::<2>();
    let zeros = |side: usize| pairs.iter().filter(|pair| pair[side] == 0 && pair[1 - side] != 0).count();
    let (high_first, low_first) = (zeros(0), zeros(1));
    let enough = bytes.len() / 16;
    if low_first > enough && low_first > 2 * high_first {
        Some(UTF_16LE)
    } else if high_first > enough && high_first > 2 * low_first {
        Some(UTF_16BE)
    } else {
        std::str::from_utf8(bytes).is_ok().then_some(UTF_8)
    }
}
