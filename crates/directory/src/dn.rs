//! Distinguished names (RFC 4514) and search filters (RFC 4515): cutting apart and escaping.

/// Escapes a value to stand in a distinguished name.
pub(crate) fn escape(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    let last = value.chars().count().saturating_sub(1);
    for (place, c) in value.chars().enumerate() {
        match c {
            '\0' => out.push_str("\\00"),
            '"' | '+' | ',' | ';' | '<' | '>' | '=' | '\\' => out.extend(['\\', c]),
            ' ' if place == 0 || place == last => out.push_str("\\ "),
            '#' if place == 0 => out.push_str("\\#"),
            _ => out.push(c),
        }
    }
    out
}

/// Cuts a distinguished name into its parts, each `attribute=value` with its escapes; `None` when it is none.
pub(crate) fn parts(dn: &str) -> Option<Vec<&str>> {
    let mut parts = Vec::new();
    let (mut start, mut escaped) = (0, false);
    for (place, c) in dn.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            ',' => {
                parts.push(dn.get(start..place)?);
                start = place + 1;
            }
            _ => {}
        }
    }
    parts.push(dn.get(start..)?);
    parts.iter().all(|part| value(part).is_some()).then_some(parts)
}

/// Returns what an object lies below.
pub(crate) fn parent(dn: &str) -> Option<&str> {
    let first = parts(dn)?.first()?.len();
    dn.get(first + 1..)
}

/// Returns the value of the first part, without escapes.
pub(crate) fn name(dn: &str) -> Option<String> {
    value(parts(dn)?.first()?)
}

fn value(part: &str) -> Option<String> {
    let (attribute, value) = part.split_once('=')?;
    let attribute = attribute.trim();
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.');
    if attribute.is_empty() || !attribute.chars().all(fits) || value.is_empty() {
        return None;
    }
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        if *first != b'\\' {
            bytes.push(*first);
        } else if let Some((pair, tail)) = rest.split_at_checked(2)
            && let Some(byte) = hex_pair(pair)
        {
            bytes.push(byte);
            rest = tail;
        } else {
            let (escaped, tail) = rest.split_first()?;
            bytes.push(*escaped);
            rest = tail;
        }
    }
    String::from_utf8(bytes).ok()
}

/// Reads two hexadecimal digits.
pub(crate) fn hex_pair(pair: &[u8]) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    match *pair {
        [high, low] => u8::try_from(digit(high)? << 4 | digit(low)?).ok(),
        _ => None,
    }
}

/// Escapes a text to stand in a search filter.
pub(crate) fn in_filter(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut out, c| {
        match c {
            '\0' | '(' | ')' | '*' | '\\' => out.push_str(&octets(&[c as u8])),
            _ => out.push(c),
        }
        out
    })
}

/// Writes bytes as a search filter takes them.
pub(crate) fn octets(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("\\{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn parts_are_cut_at_bare_commas_only() {
        let dn = r"CN=2026-11-22T10:00:00\+01:00{A},CN=B\2c\C3\BCro \, \\,DC=example";
        assert_eq!(
            parts(dn).expect("a name"),
            [r"CN=2026-11-22T10:00:00\+01:00{A}", r"CN=B\2c\C3\BCro \, \\", "DC=example"]
        );
        assert_eq!(name(dn).expect("a value"), "2026-11-22T10:00:00+01:00{A}");
        assert_eq!(name(parent(dn).expect("a parent")).expect("a value"), r"B,üro , \");
        assert_eq!(parent("DC=example"), None);
        for wrong in ["", "PC01", "CN=", "=PC01", "CN=a,,DC=b", r"CN=a\", "C N=a", r"CN=\ff"] {
            assert_eq!(parts(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn filters_take_any_text() {
        assert_eq!(in_filter(r"Büro *(1)\"), r"Büro \2a\281\29\5c");
        assert_eq!(octets(&[0, 0x2a, 0xff]), r"\00\2a\ff");
    }

    proptest! {
        #[test]
        fn what_is_escaped_is_one_value(text in "[ #+,;<>=\"\\\\a-cü\0\u{1f511}]{1,12}|.{1,20}") {
            let dn = format!("CN={},DC=example", escape(&text));
            prop_assert_eq!(name(&dn), Some(text));
            prop_assert_eq!(parent(&dn), Some("DC=example"));
        }

        #[test]
        fn any_text_is_survived(text in ".*") {
            if let Some(cut) = parts(&text) {
                prop_assert_eq!(cut.join(","), text);
            }
        }
    }
}
