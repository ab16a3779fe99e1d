//! Documents as Windows and people write them, in many languages and encodings.

use proptest::prelude::*;
use recovery_key::bek::Bek;
use recovery_key::document::{
    Form, FoundSecret, Reading, Remark, SIZE_LIMIT, read, text_file, text_file_name,
};
use recovery_key::{KeyId, RecoveryPassword, Secret};

const ID: &str = "AC9D5655-F7CA-4D1D-902F-1B6087118138";
const KEY: &str = "132858-327525-689172-680790-354607-080454-642268-377564";
const ID2: &str = "063EA4E1-220C-4293-BA01-4754620A96E7";
const KEY2: &str = "284867-596541-514998-422114-660297-261613-215424-199408";

fn id() -> KeyId {
    ID.parse().expect("a key ID")
}

fn key() -> RecoveryPassword {
    RecoveryPassword::parse(KEY).expect("a recovery key")
}

/// What a reading holds, as text: key ID, form, digits.
fn keys(reading: &Reading) -> Vec<(String, Form, String)> {
    let text = |secret: &FoundSecret| match secret {
        FoundSecret::RecoveryPassword(password) => password.digits().expose().clone(),
        FoundSecret::ExternalKey(_) => "external".to_owned(),
    };
    let id =
        |id: Option<recovery_key::KeyIdPrefix>| id.map_or_else(|| "none".to_owned(), |id| id.to_string());
    reading.keys.iter().map(|found| (id(found.key_id), found.form, text(&found.secret))).collect()
}

fn remarks(reading: &Reading) -> Vec<String> {
    reading.remarks.iter().map(Remark::to_string).collect()
}

/// Reads a text that must hold the one key with its whole ID, without any remark.
fn one(text: &str, form: Form) {
    let reading = read(None, text.as_bytes());
    assert_eq!(keys(&reading), [(ID.to_owned(), form, KEY.to_owned())], "{text}");
    assert!(reading.remarks.is_empty(), "{:?} in {text}", reading.remarks);
}

fn utf16(text: &str, mark: bool, unit: fn(u16) -> [u8; 2]) -> Vec<u8> {
    mark.then_some(0xfeff).into_iter().chain(text.encode_utf16()).flat_map(unit).collect()
}

#[test]
fn the_text_file_is_byte_for_byte_that_of_windows() {
    let lines = [
        "BitLocker Drive Encryption recovery key ",
        "",
        "To verify that this is the correct recovery key, compare the start of the following identifier with the identifier value displayed on your PC.",
        "",
        "Identifier:",
        "",
        "\tAC9D5655-F7CA-4D1D-902F-1B6087118138",
        "",
        "If the above identifier matches the one displayed by your PC, then use the following key to unlock your drive.",
        "",
        "Recovery Key:",
        "",
        "\t132858-327525-689172-680790-354607-080454-642268-377564",
        "",
        "If the above identifier doesn't match the one displayed by your PC, then this isn't the right key to unlock your drive.",
        "Try another recovery key, or refer to https://go.microsoft.com/fwlink/?LinkID=260589 for additional assistance.",
        "",
    ];
    let mut expected = vec![0xff, 0xfe];
    for line in lines {
        for byte in line.bytes() {
            expected.extend([byte, 0]);
        }
        expected.extend([b'\r', 0, b'\n', 0]);
    }
    assert_eq!(expected.len(), 1348);
    assert_eq!(*text_file(&id(), &key()).expose(), expected);

    let name = text_file_name(&id());
    assert_eq!(name, "BitLocker Recovery Key AC9D5655-F7CA-4D1D-902F-1B6087118138.TXT");
    let reading = read(Some(&name), &expected);
    assert_eq!(keys(&reading), [(ID.to_owned(), Form::TextFile, KEY.to_owned())]);
    assert!(reading.remarks.is_empty());
}

#[test]
fn the_text_file_in_other_languages() {
    let titles = [
        ("BitLocker-Wiederherstellungsschlüssel", "Bezeichner:", "Wiederherstellungsschlüssel:"),
        (
            "Chave de recuperação de Criptografia de Unidade de Disco BitLocker ",
            "Identificador:",
            "Chave de Recuperação:",
        ),
        ("BitLocker 驱动器加密恢复密钥", "标识符:", "恢复密钥:"),
        ("BitLocker ドライブ暗号化の回復キー", "識別子：", "回復キー："),
        ("Ключ восстановления шифрования диска BitLocker", "Идентификатор:", "Ключ восстановления:"),
        ("\u{200f}מפתח שחזור של BitLocker", "\u{200f}מזהה:", "\u{200f}מפתח שחזור:"),
        ("مفتاح استرداد BitLocker", "المعرف:", "مفتاح الاسترداد:"),
        ("กุญแจการกู้คืน BitLocker", "ตัวระบุ:", "คีย์การกู้คืน:"),
    ];
    for (title, identifier, recovery_key) in titles {
        let text = format!(
            "{title}\r\n\r\n{identifier}\r\n\r\n\t{ID}\r\n\r\n{recovery_key}\r\n\r\n\t{KEY}\r\n\r\n{title}\r\nhttps://go.microsoft.com/fwlink/?LinkID=260589\r\n"
        );
        one(&text, Form::TextFile);
        for bytes in [
            utf16(&text, true, u16::to_le_bytes),
            utf16(&text, true, u16::to_be_bytes),
            utf16(&text, false, u16::to_le_bytes),
            utf16(&text, false, u16::to_be_bytes),
            [b"\xef\xbb\xbf", text.as_bytes()].concat(),
        ] {
            assert_eq!(
                keys(&read(None, &bytes)),
                [(ID.to_owned(), Form::TextFile, KEY.to_owned())],
                "{title}"
            );
        }
    }
}

#[test]
fn code_pages_are_read() {
    // Windows-1252 (German, with the dashes of a word processor), DOS 850, Shift JIS, GBK, Big5, Korean.
    // In Shift JIS the last byte of a wide colon is an F.
    let dashed = KEY.replace('-', "\u{1}");
    let dashes = |text: &str| text.bytes().map(|b| if b == 1 { 0x96 } else { b }).collect::<Vec<_>>();
    for (before, digits) in [
        (&b"Wiederherstellungsschl\xfcssel:\xa0"[..], dashes(&dashed)),
        (b"Wiederherstellungsschl\x81ssel: ", KEY.into()),
        (b"\x89\xf1\x95\x9c\x83L\x81[\x81F", KEY.into()),
        (b"\xbb\xd6\xb8\xb4\xc3\xdc\xd4\xbf\xa3\xba", KEY.into()),
        (b"\xad\xd7\xb4_\xaa\xf7\xc6_\xa1G", KEY.into()),
        (b"\xba\xb9\xb1\xb8 \xc5\xb0:", KEY.into()),
    ] {
        let bytes = [before, ID.as_bytes(), b"\r\n", before, &digits, b"\r\n"].concat();
        assert_eq!(keys(&read(None, &bytes)), [(ID.to_owned(), Form::OtherText, KEY.to_owned())]);
    }
}

#[test]
fn the_text_file_of_vista_and_7() {
    let vista = |label: &str| {
        format!(
            "BitLocker Drive Encryption Recovery Key\r\nThe recovery key is used to recover the data on a BitLocker protected drive.\r\n\r\nTo verify that this is the correct recovery key compare the identification with what is presented on the recovery screen.\r\n\r\n{label}: {}\r\nFull {label}: {ID}\r\n\r\nBitLocker Recovery Key:\r\n{KEY}\r\n",
            &ID[..16]
        )
    };
    one(&vista("Recovery key identification"), Form::VistaTextFile);
    one(&vista("Kennung"), Form::VistaTextFile);
    let reading = read(None, &utf16(&vista("Kennung"), true, u16::to_le_bytes));
    assert_eq!(keys(&reading), [(ID.to_owned(), Form::VistaTextFile, KEY.to_owned())]);
}

#[test]
fn manage_bde_with_several_protectors() {
    let text = format!(
        "BitLocker Drive Encryption: Configuration Tool version 10.0.22621\r\nCopyright (C) 2013 Microsoft Corporation. All rights reserved.\r\n\r\nVolume C: [OSDisk]\r\nAll Key Protectors\r\n\r\n    TPM:\r\n      ID: {{11111111-2222-3333-4444-555555555555}}\r\n      PCR Validation Profile:\r\n        7, 11\r\n        (Uses Secure Boot for integrity validation)\r\n\r\n    Numerical Password:\r\n      ID: {{{ID}}}\r\n      Password:\r\n        {KEY}\r\n      Backup type:\r\n        Microsoft account backup\r\n\r\n    External Key:\r\n      ID: {{99B0081A-60B6-47E4-8482-DEA46EE1891D}}\r\n      External Key File Name:\r\n        99B0081A-60B6-47E4-8482-DEA46EE1891D.BEK\r\n\r\n    Numerical Password:\r\n      ID: {{{ID2}}}\r\n      Password:\r\n        {KEY2}\r\n\r\n"
    );
    let reading = read(None, text.as_bytes());
    let expected = |id: &str, key: &str| (id.to_owned(), Form::ManageBde, key.to_owned());
    assert_eq!(keys(&reading), [expected(ID, KEY), expected(ID2, KEY2)]);
    assert!(reading.remarks.is_empty());
    let german = text.replace("Numerical Password", "Numerisches Kennwort").replace("Password", "Kennwort");
    assert_eq!(keys(&read(None, german.as_bytes())), keys(&reading));
}

#[test]
fn other_ways_to_write_a_key() {
    let spaced = KEY.replace('-', " ");
    let plain = KEY.replace('-', "");
    let (front, back) = KEY.split_at(28);
    let wide: String = KEY
        .chars()
        .map(|c| if c == '-' { 'ー' } else { char::from_u32(c as u32 + 0xfee0).unwrap_or(c) })
        .collect();
    let arabic: String =
        KEY.chars().map(|c| c.to_digit(10).and_then(|d| char::from_u32(0x660 + d)).unwrap_or(c)).collect();
    for digits in [
        KEY.to_owned(),
        spaced,
        plain,
        wide,
        arabic,
        format!("{front}\r\n    {back}"),
        format!("{}\r\n    {}", &KEY[..27], &KEY[28..]),
        // LDIF breaks lines anywhere and begins the next with a space.
        format!("{}\n {}", &KEY[..51], &KEY[51..]),
        KEY.replace('-', "\u{2011}"),
        KEY.replace('-', "\u{2013}"),
        KEY.replace('-', "\u{a0}\u{2212}\u{a0}"),
        format!("\u{202b}\u{200f}{}\u{200e}\u{202c}", KEY.replace('-', "\u{200f}-\u{200e}")),
    ] {
        one(&format!("Key ID: {ID} / recovery key: {digits} (kept since 2021)"), Form::OtherText);
        one(&format!("computer,volume,2005-09-30T17:08:23-08:00{{{ID}}},{digits},1"), Form::OtherText);
        one(&format!("标识符{}恢复密钥{digits}完", ID.to_lowercase()), Form::OtherText);
        one(&format!("key no 1 of {ID}: 1 {digits} 123456"), Form::OtherText);
    }
}

#[test]
fn several_keys_keep_their_own_ids() {
    let expected = [(ID.to_owned(), KEY.to_owned()), (ID2.to_owned(), KEY2.to_owned())];
    let pairs = |text: &str| -> Vec<_> {
        keys(&read(None, text.as_bytes())).into_iter().map(|(id, _, key)| (id, key)).collect()
    };
    assert_eq!(pairs(&format!("{ID},{KEY}\n{ID2},{KEY2}\n")), expected);
    // Two saved files, one behind the other, the mark of the second in the middle.
    let files = format!("\u{feff}\t{ID}\r\n\r\n\t{KEY}\r\n\u{feff}\t{ID2}\r\n\r\n\t{KEY2}\r\n");
    assert_eq!(pairs(&files), expected);
    // The digits first.
    let copied = format!(
        "Recovery Password:\r\n{KEY}\r\nPassword ID: {ID}\r\n\r\nRecovery Password:\r\n{KEY2}\r\nPassword ID: {ID2}\r\n"
    );
    assert_eq!(pairs(&copied), expected);
    // A key ID is used once: what follows without one has none.
    let none = |key: &str| ("none".to_owned(), key.to_owned());
    assert_eq!(pairs(&format!("{ID} {KEY}\n\n{KEY2}")), [expected[0].clone(), none(KEY2)]);
    assert_eq!(pairs(&format!("{KEY}\n\n{KEY2}")), [none(KEY), none(KEY2)]);
    // The same key twice is one key.
    assert_eq!(pairs(&format!("{ID} {KEY}\n({})", KEY.replace('-', ""))), expected[..1]);
}

#[test]
fn cut_off_key_ids_are_told() {
    for (short, shown) in [
        ("AC9D5655-F7CA-4D1D-902F", "AC9D5655-F7CA-4D1D-902F"),
        ("{ac9d5655-f7ca-4d", "AC9D5655-F7CA-4D"),
        ("ac9d5655", "AC9D5655"),
    ] {
        let text = format!("from 20240101-1234, key ID {short}: {KEY}");
        let reading = read(None, text.as_bytes());
        assert_eq!(keys(&reading), [(shown.to_owned(), Form::OtherText, KEY.to_owned())]);
        assert_eq!(remarks(&reading), [format!("only the start of the key ID is there: {shown}")]);
        // The name of the file has the rest.
        let reading = read(Some(&text_file_name(&id())), text.as_bytes());
        assert_eq!(keys(&reading)[0].0, ID);
        assert!(reading.remarks.is_empty());
        // Nor does a cut-off name contradict a whole text.
        let reading = read(Some(&format!("{short}.TXT")), format!("{ID} {KEY}").as_bytes());
        assert_eq!((keys(&reading)[0].0.as_str(), reading.remarks.len()), (ID, 0));
    }
    one(&format!("{ID} on computer 1A2B3C4D: {KEY}"), Form::OtherText);
}

#[test]
fn a_name_with_another_key_id_is_told() {
    let told = format!("the name of the file says key ID {ID2}, the file itself says {ID}");
    for name in [
        format!("BitLocker-Wiederherstellungsschlüssel {ID2}.TXT"),
        format!("BitLocker 恢复密钥 {ID2} (1).txt"),
    ] {
        let reading = read(Some(&name), text_file(&id(), &key()).expose());
        assert_eq!(keys(&reading)[0].0, ID);
        assert_eq!(remarks(&reading), [told.as_str()]);
    }
    let bek = Bek::new(id(), 1, 2, None, Secret::new([3; 32])).to_bytes();
    assert_eq!(remarks(&read(Some(&format!("{ID2}.BEK")), bek.expose())), [told.as_str()]);
    assert!(read(Some(&format!("{ID}.BEK")), bek.expose()).remarks.is_empty());
    // One of several keys is enough, and a name without a key ID says nothing.
    let both = format!("{ID},{KEY}\n{ID2},{KEY2}\n");
    assert!(read(Some(&text_file_name(&id())), both.as_bytes()).remarks.is_empty());
    assert!(read(Some("keys 2024-11-03.txt"), both.as_bytes()).remarks.is_empty());
    let reading = read(Some(&text_file_name(&id())), KEY.as_bytes());
    assert_eq!(keys(&reading), [(ID.to_owned(), Form::OtherText, KEY.to_owned())]);
    assert_eq!(remarks(&reading), [format!("only the name of the file says that the key ID is {ID}")]);
}

#[test]
fn wrong_digits_are_told_with_their_line() {
    let wrong = KEY.replace("689172", "689173");
    for digits in [wrong.clone(), wrong.replace('-', " "), wrong.replace('-', "")] {
        let reading = read(None, format!("one\r\n{ID2}\r\n{digits}\r\n{ID} {KEY}").as_bytes());
        assert_eq!(keys(&reading), [(ID.to_owned(), Form::OtherText, KEY.to_owned())]);
        let [Remark::WrongDigits { line: 3, key_id: Some(id), error }] = &reading.remarks[..] else {
            panic!("{:?}", reading.remarks)
        };
        assert_eq!(
            (id.to_string(), error.to_string()),
            (ID2.to_owned(), "group 3 is not divisible by 11".to_owned())
        );
        assert!(error.candidates().any(|candidate| candidate == key()));
    }
    let told = |digits: &str| remarks(&read(None, digits.as_bytes()));
    let line_1 = "the digits on line 1 look like a recovery key and are none:";
    assert_eq!(
        told(&KEY.replace("689172", "68917Z")),
        [format!("{line_1} group 3 has 'Z' where a digit belongs")]
    );
    assert_eq!(told(&KEY[..54]), [format!("{line_1} group 8 has 5 of 6 digits")]);
    assert_eq!(told(&KEY[7..]), [format!("{line_1} 42 digits instead of 48")]);
    assert_eq!(
        told("111111-222222-333333-444444-555555-666666-777777-888888"),
        [format!("{line_1} group 7 is above 720885, group 8 is above 720885")]
    );
    // Other numbers are no keys.
    for other in [
        "123456 234567 345678",
        "+49 351 123456-123456",
        "100001 100002 100003 100004 100005 100006 100007 100008 100009 100010",
        ID,
        "2024-11-03 12:31:05",
    ] {
        assert!(told(other).is_empty(), "{other}");
    }
}

#[test]
fn a_broken_external_key_is_told() {
    let bek = Bek::new(id(), 1, 2, None, Secret::new([3; 32])).to_bytes();
    let reading = read(None, &bek.expose()[..155]);
    assert_eq!(remarks(&reading), ["the external key file has 155 of 156 bytes"]);
    assert_eq!(remarks(&read(Some("x.Bek"), b"")), ["the external key file has 0 of 48 bytes"]);
    let reading = read(None, bek.expose());
    assert_eq!(keys(&reading), [(ID.to_owned(), Form::ExternalKeyFile, "external".to_owned())]);
}

#[test]
fn nothing_that_is_shown_has_digits_in_it() {
    let wrong = KEY.replace("689172", "689173");
    let reading = read(Some(&text_file_name(&id())), format!("{KEY2} {wrong}").as_bytes());
    let shown = format!("{reading:?} {:?}", remarks(&reading));
    for group in KEY.split('-').chain(KEY2.split('-')) {
        assert!(!shown.contains(group), "{shown}");
    }
}

#[test]
fn large_documents_are_read_in_linear_time_or_not_at_all() {
    let started = std::time::Instant::now();
    // Were anything quadratic, half a mebibyte would take many minutes.
    let size = SIZE_LIMIT / 8;
    for pattern in [
        "1",
        "1 ",
        "111111-",
        "111112 ",
        "111112-",
        "111112-111112-111112-111112-111112-111112-111112-111112,",
        "AC9D5655-F7CA-",
        "A0",
        " ",
        "\u{200f}1",
        "{",
        "1-",
        "\n1",
        ID,
        KEY,
        "132858-",
        "000000 ",
        "132858 1",
        "-\n",
    ] {
        let text = pattern.repeat(size / pattern.len());
        assert!(read(Some(&text[..200]), text.as_bytes()).remarks.len() <= 101);
        assert!(read(None, &utf16(&text[..size / 4], true, u16::to_le_bytes)).remarks.len() <= 101);
    }
    assert!(started.elapsed().as_secs() < 60, "{:?}", started.elapsed());
    let reading = read(None, &vec![b'1'; SIZE_LIMIT + 1]);
    assert_eq!(remarks(&reading), ["the document has 4194305 bytes; at most 4194304 are read"]);
}

proptest! {
    #[test]
    fn every_written_file_is_read_back(guid: u128, bytes: [u8; 16]) {
        let id = KeyId::from(uuid::Uuid::from_u128(guid));
        let password = RecoveryPassword::from_bytes(Secret::new(bytes));
        let file = text_file(&id, &password);
        prop_assert_eq!(file.expose().len(), 1348);
        let reading = read(Some(&text_file_name(&id)), file.expose());
        prop_assert!(reading.remarks.is_empty());
        prop_assert_eq!(keys(&reading), [(id.to_string(), Form::TextFile, password.digits().expose().clone())]);
    }

    #[test]
    fn any_bytes_are_read(name: Option<String>, bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
        read(name.as_deref(), &bytes);
    }

    /// Made of the pieces that matter, in any order, cut anywhere.
    #[test]
    fn any_text_is_read(pieces in prop::collection::vec(prop::sample::select(vec![
        ID, KEY, KEY2, "132858", "13285", "AC9D5655", "F7CA", "-", "-", " ", "\n", "\r\n", "\u{200f}", "{", "}", ",", "x", "１", "é", "ー",
    ]), 0..40), cut in 0usize..200, le: bool) {
        let text: String = pieces.concat().chars().skip(cut).collect();
        let reading = read(Some(&text), text.as_bytes());
        prop_assert!(reading.keys.len() <= pieces.len());
        let unit = if le { u16::to_le_bytes } else { u16::to_be_bytes };
        prop_assert_eq!(keys(&read(Some(&text), &utf16(&text, true, unit))), keys(&reading));
    }
}
