//! From bytes to text, for the forms with records; plain texts are decoded by [`recovery_key::document`].

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};
use recovery_key::Secret;

/// Decodes a text; what cannot be decoded becomes a replacement character.
pub(super) fn decode(bytes: &[u8]) -> Secret<String> {
    let mut decoder = encoding(bytes).new_decoder_with_bom_removal();
    // All the room at once: a string that grows leaves its old, unwiped self behind.
    let room = decoder.max_utf8_buffer_length(bytes.len()).unwrap_or(0);
    let mut text = Secret::new(String::with_capacity(room));
    let _ = decoder.decode_to_string(bytes, text.expose_mut(), true);
    text
}

fn encoding(bytes: &[u8]) -> &'static Encoding {
    match Encoding::for_bom(bytes) {
        Some((marked, _)) => marked,
        None => match wide(bytes) {
            Some(encoding) => encoding,
            // Digits, GUIDs and what parts fields are ASCII in every code page.
            None if std::str::from_utf8(bytes).is_err() => WINDOWS_1252,
            None => UTF_8,
        },
    }
}

/// Recognises UTF-16 without its mark: most of its characters have a zero byte on the same side.
pub(super) fn wide(bytes: &[u8]) -> Option<&'static Encoding> {
    let (pairs, _) = bytes.as_chunks::<2>();
    let zeros = |side: usize| pairs.iter().filter(|pair| pair[side] == 0 && pair[1 - side] != 0).count();
    let (high_first, low_first) = (zeros(0), zeros(1));
    let enough = bytes.len() / 16;
    if low_first > enough && low_first > 2 * high_first {
        Some(UTF_16LE)
    } else if high_first > enough && high_first > 2 * low_first {
        Some(UTF_16BE)
    } else {
        None
    }
}

/// Says whether bytes are a text in some encoding: nearly no control characters.
pub(super) fn is_text(bytes: &[u8]) -> bool {
    let sample = bytes.get(..1 << 16).unwrap_or(bytes);
    let is_control = |byte: u8| byte < 0x20 && !matches!(byte, b'\t' | b'\n' | b'\r' | 0x0c | 0x1a | 0x1b);
    let marked = Encoding::for_bom(sample).map(|(encoding, _)| encoding);
    let controls = match marked.filter(|&encoding| encoding != UTF_8).or_else(|| wide(sample)) {
        Some(encoding) => {
            let low = usize::from(encoding == UTF_16BE);
            let pairs = sample.as_chunks::<2>().0.iter();
            pairs.filter(|pair| pair[1 - low] == 0 && is_control(pair[low])).count()
        }
        None => sample.iter().filter(|&&byte| is_control(byte)).count(),
    };
    controls * 200 <= sample.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_told_from_other_bytes() {
        let wide: Vec<u8> =
            "a text, and not a short one\r\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
        for text in [&b""[..], b"text", b"t\xe4xt\r\n", "täxt".as_bytes(), &wide, b"\xff\xfea\0"] {
            assert!(is_text(text), "{text:?}");
        }
        for other in [&b"\x7fELF\x02\x01\x01\0\0\0\0"[..], &[0; 64], b"\0\x01\x02\x03"] {
            assert!(!is_text(other), "{other:?}");
        }
        assert_eq!(decode(&wide).expose(), "a text, and not a short one\r\n");
        assert_eq!(decode(b"\xfe\xff\0a").expose(), "a");
        assert_eq!(decode(b"t\xe4xt").expose(), "täxt");
    }
}
