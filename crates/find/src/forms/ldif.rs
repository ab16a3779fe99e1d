//! LDIF: what `ldapsearch`, `ldifde` and Samba's tools export of a directory (RFC 2849).
//!
//! Lines are folded, so that neither digits nor GUIDs stand in one piece; GUIDs and names with
//! umlauts are in base64. In Active Directory a key is an object `msFVE-RecoveryInformation` with
//! `msFVE-RecoveryPassword` and `msFVE-RecoveryGuid`, 16 bytes as Microsoft orders GUIDs; its name
//! ends in the GUID in braces (documented by Microsoft).

use recovery_key::{KeyId, Secret};

use super::record::{self, Field};

/// Longer values are pictures and the like.
const VALUE_LIMIT: usize = 4096;

/// Reads a text as LDIF, and returns its keys each below its key ID; `None` when it is no LDIF.
pub(super) fn text(text: &str) -> Option<Secret<String>> {
    let is_ldif = text.lines().take(1000).any(|line| line.starts_with("dn:"));
    if !is_ldif {
        return None;
    }
    let unfolded = unfold(text);
    let mut out = record::room(text.len());
    for entry in unfolded.expose().split("\n\n") {
        put(entry, out.expose_mut());
    }
    Some(out)
}

/// Joins lines that begin with a space to the line before; every line ends with one line feed.
fn unfold(text: &str) -> Secret<String> {
    let mut out = Secret::new(String::with_capacity(text.len() + 1));
    for line in text.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line)) {
        let out: &mut String = out.expose_mut();
        match line.strip_prefix(' ') {
            Some(more) => out.push_str(more),
            None => {
                if !out.is_empty() {
                    out.push('\n');
                }
                out.push_str(line);
            }
        }
    }
    out
}

fn put(entry: &str, out: &mut String) {
    let mut values: Vec<(&str, Secret<String>)> = Vec::new();
    for line in entry.lines().filter(|line| !line.starts_with('#')) {
        let Some((name, value)) = line.split_once(':') else { continue };
        if value.len() > VALUE_LIMIT {
            continue;
        }
        // `name;option:: base64`, `name:< URL`
        let name = name.split(';').next().unwrap_or(name);
        let value = match value.strip_prefix(':') {
            Some(coded) => decoded(name, coded),
            None => Some(Secret::new(value.trim().to_owned())),
        };
        values.extend(value.map(|value| (name, value)));
    }
    let fields: Vec<_> = values.iter().map(|(name, value)| Field { name, value: value.expose() }).collect();
    record::put(&fields, out);
}

/// Decodes a value: a text, or a GUID.
fn decoded(name: &str, coded: &str) -> Option<Secret<String>> {
    let bytes = base64(coded)?;
    if name.to_ascii_lowercase().ends_with("guid") {
        return Some(Secret::new(
            KeyId::from_bytes_le(bytes.expose().as_slice().try_into().ok()?).to_string(),
        ));
    }
    Some(Secret::new(std::str::from_utf8(bytes.expose()).ok()?.to_owned()))
}

fn base64(text: &str) -> Option<Secret<Vec<u8>>> {
    let mut out = Secret::new(Vec::with_capacity(text.len()));
    let (mut bits, mut count) = (0_u32, 0);
    for c in text.bytes().filter(|byte| !byte.is_ascii_whitespace() && *byte != b'=') {
        let value = match c {
            b'A'..=b'Z' => c - b'A',
            b'a'..=b'z' => c - b'a' + 26,
            b'0'..=b'9' => c - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            out.expose_mut().push((bits >> count) as u8);
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "284867-596541-514998-422114-660297-261613-215424-199408";
    const ID: &str = "3C116B76-C67B-484E-B439-CE2ED68B561E";

    #[test]
    fn an_object_of_active_directory_is_read() {
        // As ldapsearch folds it, with the GUIDs in base64.
        let entry = "# extended LDIF\n\n\
            dn: CN=2021-10-08T20:09:46+02:00{3C116B76-C67B-484E-B439-CE2\n ED68B561E},CN=PC01,CN=Computers,DC=x\n\
            objectClass: msFVE-RecoveryInformation\n\
            msFVE-VolumeGuid:: ERERESIiM0SEVVVVVVVVVQ==\n\
            msFVE-RecoveryPassword: 284867-596541-514998-422114-660297-261613-2154\n 24-199408\n\
            msFVE-RecoveryGuid:: dmsRPHvGTki0Oc4u1otWHg==\n";
        for entry in [entry.to_owned(), entry.replace('\n', "\r\n")] {
            let text = text(&entry).expect("LDIF");
            assert_eq!(text.expose(), &format!("{ID}\n{KEY}\n|\n\n"));
        }
    }

    #[test]
    fn the_name_is_enough() {
        let entry = format!(
            "dn: CN=a{{{ID}}},DC=x\nmsFVE-RecoveryPassword: {KEY}\n\ndn:: Q049YnszQzExNkI3Ni1DNjdCLTQ4NEUtQjQzOS1DRTJFRDY4QjU2MUV9\nmsFVE-RecoveryPassword: {KEY}\n"
        );
        let one = format!("{ID}\n{KEY}\n|\n\n");
        assert_eq!(text(&entry).expect("LDIF").expose(), &format!("{one}{one}"));
        assert!(text("nothing of the kind").is_none());
    }

    #[test]
    fn base64_is_read_and_other_text_is_not() {
        assert_eq!(base64("aGVsbG8=").expect("base64").expose(), b"hello");
        assert_eq!(base64(" aGVs bG8").expect("base64").expose(), b"hello");
        assert!(base64("aGV*").is_none());
    }
}
