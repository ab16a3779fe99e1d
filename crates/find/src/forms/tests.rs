use proptest::prelude::*;
use recovery_key::KeyId;
use recovery_key::bek::Bek;

use super::*;
use crate::Seal;

const KEY: &str = "284867-596541-514998-422114-660297-261613-215424-199408";
const ID: &str = "3C116B76-C67B-484E-B439-CE2ED68B561E";
const OTHER: &str = "11111111-2222-4333-8444-555555555555";

/// Documents that other programs made, each with the key below its key ID.
const DOCUMENTS: [(&str, &[u8], Form); 6] = [
    ("word.docx", include_bytes!("../../tests/fixtures/word.docx"), Form::Office),
    ("excel.xlsx", include_bytes!("../../tests/fixtures/excel.xlsx"), Form::Office),
    ("writer.odt", include_bytes!("../../tests/fixtures/writer.odt"), Form::Office),
    ("calc.ods", include_bytes!("../../tests/fixtures/calc.ods"), Form::Office),
    ("standard-font.pdf", include_bytes!("../../tests/fixtures/standard-font.pdf"), Form::Pdf),
    ("embedded-font.pdf", include_bytes!("../../tests/fixtures/embedded-font.pdf"), Form::Pdf),
];

fn contents(name: &str, bytes: &[u8]) -> Contents {
    read(name, bytes, &Readers::default())
}

/// Reads a document that must hold exactly the one key.
#[track_caller]
fn finds(name: &str, bytes: &[u8], id: Option<&str>, inside: Option<&str>) -> Form {
    let contents = contents(name, bytes);
    let [found] = contents.keys.as_slice() else { panic!("{name}: {contents:?}") };
    let FoundSecret::RecoveryPassword(password) = &found.secret else { panic!("{name}") };
    assert_eq!(password.digits().expose(), KEY, "{name}");
    assert_eq!(found.key_id.map(|id| id.to_string()).as_deref(), id, "{name}");
    assert_eq!(found.inside.as_deref(), inside, "{name}");
    found.form
}

fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

#[test]
fn documents_of_other_programs_are_read() {
    for (name, bytes, form) in DOCUMENTS {
        assert_eq!(finds(name, bytes, Some(ID), None), form, "{name}");
        // It is the content that counts.
        assert_eq!(finds("photo.jpg", bytes, Some(ID), None), form, "{name}");
    }
}

#[test]
fn archives_are_entered_and_sealed_files_named() {
    let plain = contents("plain.zip", include_bytes!("../../tests/fixtures/plain.zip"));
    let places: Vec<_> = plain.keys.iter().map(|found| found.inside.as_deref()).collect();
    assert_eq!(places, [Some("a folder/key.txt"), Some("calc.ods")]);
    assert!(plain.unread.is_empty());
    for (bytes, inside, why) in [
        (&include_bytes!("../../tests/fixtures/sealed.zip")[..], Some("key.txt"), Unread::Sealed(Seal::Zip)),
        (include_bytes!("../../tests/fixtures/sealed.pdf"), None, Unread::Sealed(Seal::Pdf)),
        (b"\x03\xd9\xa2\x9a\x67\xfb\x4b\xb5\0\0\x04\0", None, Unread::Sealed(Seal::KeePass)),
        (b"age-encryption.org/v1\n-> X25519 x\n", None, Unread::Sealed(Seal::Age)),
        (b"\x89PNG\r\n\x1a\n....", None, Unread::Picture),
        (b"7z\xbc\xaf\x27\x1c", None, Unread::Archive),
        (b"BM\0\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0", None, Unread::Picture),
        (b"PK\x03\x04 and no archive", None, Unread::Damaged),
        (b"%PDF-1.7 and no document", None, Unread::Damaged),
    ] {
        let contents = contents("x", bytes);
        let unread: Vec<_> = contents.unread.iter().map(|(inside, why)| (inside.as_deref(), *why)).collect();
        assert_eq!(unread, [(inside, why)]);
        assert!(contents.keys.is_empty());
    }
}

#[test]
fn texts_are_read_in_every_encoding() {
    let text = format!("Schlüssel-ID {ID}\r\n\r\n{KEY}\r\n");
    let big_endian: Vec<u8> = format!("\u{feff}{text}").encode_utf16().flat_map(u16::to_be_bytes).collect();
    let ansi: Vec<u8> = text.chars().map(|c| u8::try_from(u32::from(c)).expect("Latin")).collect();
    for bytes in
        [text.clone().into_bytes(), utf16(&format!("\u{feff}{text}")), utf16(&text), big_endian, ansi]
    {
        assert!(matches!(finds("a.txt", &bytes, Some(ID), None), Form::Document(_)));
    }
    assert!(matches!(
        finds(&format!("BitLocker {ID}.txt"), KEY.as_bytes(), Some(ID), None),
        Form::Document(_)
    ));
    let rtf = format!(r"{{\rtf1\ansi Schl\'fcssel {ID}\par {}\par}}", KEY.replace('-', r"\_"));
    assert_eq!(finds("a.rtf", rtf.as_bytes(), Some(ID), None), Form::Rtf);
}

#[test]
fn records_are_read_as_records_in_every_encoding() {
    let json = format!(r#"{{"id":"{ID}","deviceId":"{OTHER}","key":"{KEY}"}}"#);
    let csv = format!("Key ID;Device ID;Key\r\n{ID};{OTHER};{KEY}\r\n");
    let ldif = format!("dn: CN=x{{{ID}}},DC=y\nmsFVE-RecoveryPassword: {}\n {}\n", &KEY[..50], &KEY[50..]);
    for (text, form) in [(json, Form::Json), (csv, Form::Table), (ldif, Form::Ldif)] {
        assert_eq!(finds("x", text.as_bytes(), Some(ID), None), form);
        assert_eq!(finds("x", &utf16(&format!("\u{feff}{text}")), Some(ID), None), form);
    }
}

#[test]
fn what_is_left_in_other_files_is_found() {
    let text = format!("{ID} and \r\n{KEY}\r\n");
    for (before, after) in [(1, 3), (4096, 0), (4097, 5000), (0, 70_000)] {
        for middle in [text.clone().into_bytes(), utf16(&text)] {
            let bytes = [vec![1; before], middle, vec![0; after]].concat();
            assert_eq!(finds("x.doc", &bytes, Some(ID), None), Form::Remains);
        }
    }
    // Two of them far apart, one in the last bytes.
    let bytes = [vec![2; 9000], text.clone().into_bytes(), vec![2; 90_000], KEY.into()].concat();
    assert_eq!(contents("x", &bytes).keys.len(), 2);
}

#[test]
fn a_long_list_is_read_to_its_end() {
    let mut csv = String::from("Computer,Key ID,Device ID,Key\n");
    let count = 60_000;
    for n in 0..count {
        csv.push_str(&format!("PC{n},{:08X}{},{OTHER},{KEY}\n", n, &ID[8..]));
    }
    assert!(csv.len() > document::SIZE_LIMIT);
    let contents = contents("x.csv", csv.as_bytes());
    assert_eq!(contents.keys.len(), count);
    assert!(contents.keys.iter().all(|found| found.form == Form::Table && found.key_id.is_some()));
    assert!(contents.wrong.is_empty());
}

#[test]
fn digits_with_a_slip_are_reported_and_patterns_are_not() {
    let wrong = contents("x", format!("{ID}\n{}9\n", &KEY[..54]).as_bytes());
    assert_eq!((wrong.keys.len(), wrong.wrong.len()), (0, 1));
    assert_eq!(wrong.wrong[0].key_id.map(|id| id.to_string()).as_deref(), Some(ID));
    for pattern in
        ["000000 ".repeat(16), "0000000 000000 000011 000000 000000 000000 000000 000000 000000".into()]
    {
        assert!(contents("od", pattern.as_bytes()).keys.is_empty());
    }
}

#[test]
fn pictures_go_to_whoever_reads_them() {
    fn one(_: &[u8]) -> Result<Vec<Secret<Vec<u8>>>, Unread> {
        Ok(vec![Secret::new(KEY.into())])
    }
    let readers = Readers { picture: Some(one) };
    let contents = read("x.png", b"\x89PNG\r\n\x1a\n....", &readers);
    assert_eq!(contents.keys[0].form, Form::Picture);
    assert!(contents.unread.is_empty());
}

#[test]
fn external_keys_are_known_by_content_and_damage_by_name() {
    let id = KeyId::from_bytes_le([7; 16]);
    let bek = Bek::new(id, 0, 0, None, Secret::new([9; 32]));
    let bytes = bek.to_bytes();
    let contents = |name, bytes: &[u8]| read(name, bytes, &Readers::default());
    for name in ["x.BEK", "x.dat"] {
        let found = contents(name, bytes.expose());
        assert_eq!(found.keys[0].key_id.and_then(|id| id.whole()), Some(id));
        assert_eq!(found.keys[0].form, Form::Document(document::Form::ExternalKeyFile));
    }
    let half = &bytes.expose()[..100];
    assert_eq!(contents("x.bek", half).unread, [(None, Unread::Damaged)]);
    assert_eq!(contents("x.bek", &[0; 156]).unread, [(None, Unread::Damaged)]);
    assert!(contents("x.dat", half).unread.is_empty());
}

#[test]
fn an_archive_in_itself_ends() {
    use std::io::Write;
    let mut bytes = KEY.as_bytes().to_vec();
    for _ in 0..6 {
        let mut out = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        out.start_file("x", zip::write::SimpleFileOptions::default()).expect("a file");
        out.write_all(&bytes).expect("written");
        bytes = out.finish().expect("an archive").into_inner();
    }
    let contents = contents("x", &bytes);
    assert!(contents.keys.is_empty());
    assert_eq!(contents.unread[0].1, Unread::Archive);
}

proptest! {
    #[test]
    fn damaged_documents_are_read_or_not_but_end(
        document in 0..DOCUMENTS.len(), changes: Vec<(prop::sample::Index, u8)>, end: prop::sample::Index,
    ) {
        let mut bytes = DOCUMENTS[document].1.to_vec();
        for (at, byte) in changes.iter().take(20) {
            *at.get_mut(&mut bytes) = *byte;
        }
        if changes.len() % 4 == 0 {
            bytes.truncate(end.index(bytes.len()));
        }
        contents("x", &bytes);
    }

    #[test]
    fn any_bytes_are_read(
        start in prop::sample::select(vec!["", "{", "[", "{\\rtf1 ", "dn: x\n", "a,b\n", "%PDF-1.4\n", "PK\x03\x04", "<x>"]),
        rest: Vec<u8>, key: bool,
    ) {
        let mut bytes = [start.as_bytes(), &rest].concat();
        if key {
            bytes.extend_from_slice(format!("\n{ID}\n{KEY}\n").as_bytes());
        }
        let contents = contents("x", &bytes);
        let shown = format!("{contents:?}");
        prop_assert!(!shown.contains(&KEY[..20]));
    }
}
