use age::x25519::Identity;
use fve::datum::{Body, Datum, Sealed, method, role};
use proptest::prelude::*;
use recovery_key::document::{self, Form, FoundSecret};

use super::*;

const DIGITS: &str = "132858-327525-689172-680790-354607-080454-642268-377564";

fn key_id() -> KeyId {
    "AC9D5655-F7CA-4D1D-902F-1B6087118138".parse().expect("a GUID")
}

fn volume() -> Uuid {
    "4967D63B-2E29-4AD8-8399-F6A339E3D001".parse().expect("a GUID")
}

/// A protector that nothing opens. Real ones are tried in the whole-program tests.
fn capsule() -> Capsule {
    let nested = vec![
        Datum::new(
            role::PROPERTY,
            Body::StretchKey {
                method: method::RECOVERY_PASSWORD,
                flags: 0,
                salt: [7; 16],
                nested: Vec::new().into(),
            },
        ),
        Datum::new(
            role::PROPERTY,
            Body::AesCcm(Sealed { nonce: [1; 12], tag: [2; 16], ciphertext: vec![3; 44] }),
        ),
    ];
    let body = Body::Vmk {
        id: key_id().into(),
        changed: fve::FileTime(0),
        hints: 0,
        protection: 0x800,
        nested: nested.into(),
    };
    let mut bytes = Vec::new();
    Datum::new(role::VMK, body).write(&mut bytes);
    Capsule::parse(&bytes).expect("a capsule")
}

fn record(content: Content) -> Record {
    Record {
        account: "ada".to_owned(),
        device: "0191f3a2-7c1e-7b6a-9f00-3d2b1c0a9e8f".to_owned(),
        device_name: "Ada's \"laptop\"".to_owned(),
        drive: "ADA-LAPTOP C: 2026-01-05".to_owned(),
        volume: volume(),
        made: 1_763_900_000,
        proven: 1_763_900_001,
        content,
    }
}

fn recovery_key() -> Record {
    let password = RecoveryPassword::parse(DIGITS).expect("digits");
    record(Content::RecoveryKey { password, capsule: capsule() })
}

fn external_key() -> Record {
    record(Content::ExternalKey(Bek::new(key_id(), 1, 1, None, Secret::new([7; 32]))))
}

fn row<'a>(volume: &'a str, key_id: &'a str) -> Row<'a> {
    Row {
        account: "ada",
        device: "0191f3a2-7c1e-7b6a-9f00-3d2b1c0a9e8f",
        kind: RecordKind::RecoveryKey,
        volume,
        key_id: Some(key_id),
        drive: "ADA-LAPTOP C: 2026-01-05",
        proven: 1_763_900_001,
    }
}

#[test]
fn each_recipient_opens_it_and_its_maker_reads_it_back() {
    let people = [Identity::generate(), Identity::generate()];
    let recipients = people.each_ref().map(|person| person.to_public().to_string());
    for record in [recovery_key(), external_key()] {
        let sealed = record.seal(&recipients).expect("sealed");
        assert_eq!(sealed.id(), id(sealed.bytes()));
        let json = record.to_json().expect("written");
        assert!(sealed.read_back(sealed.bytes()).expect("read back").expose() == json.expose());
        for person in &people {
            let opened = Record::open(sealed.bytes(), &Opener::Identities(vec![person.clone()]));
            let again = opened.expect("opened").to_json().expect("written");
            assert!(again.expose() == json.expose());
        }
        let stranger = Opener::Identities(vec![Identity::generate()]);
        assert!(matches!(
            Record::open(sealed.bytes(), &stranger),
            Err(RecordError::Seal(SealError::WrongKey))
        ));
    }
}

#[test]
fn a_stranger_finds_the_key_in_what_age_gives() {
    let json = recovery_key().to_json().expect("written");
    let reading = document::read(None, json.expose());
    assert!(reading.remarks.is_empty(), "{:?}", reading.remarks);
    let [found] = reading.keys.as_slice() else { panic!("one key") };
    assert_eq!(found.key_id.and_then(|id| id.whole()), Some(key_id()));
    assert_eq!(found.form, Form::OtherText);
    let FoundSecret::RecoveryPassword(password) = &found.secret else { panic!("a recovery key") };
    assert_eq!(password.digits().expose(), DIGITS);
}

#[test]
fn a_row_that_was_exchanged_is_seen() {
    let record = recovery_key();
    let (volume, key_id) = (volume().to_string().to_uppercase(), key_id().to_string());
    let good = row(&volume, &key_id);
    record.agrees_with(&good).expect("its own");
    let other = "00000000-0000-0000-0000-000000000001";
    for (row, field) in [
        (Row { account: "bob", ..good }, "account"),
        (Row { account: "", ..good }, "account"),
        (Row { device: other, ..good }, "device"),
        (Row { kind: RecordKind::ExternalKey, ..good }, "kind"),
        (Row { volume: other, ..good }, "volume"),
        (Row { volume: "", ..good }, "volume"),
        (Row { key_id: Some(other), ..good }, "key ID"),
        (Row { key_id: Some(""), ..good }, "key ID"),
        (Row { key_id: None, ..good }, "key ID"),
        (Row { drive: "another", ..good }, "drive"),
        (Row { proven: 1, ..good }, "time of proof"),
    ] {
        match record.agrees_with(&row) {
            Err(RecordError::Exchanged { field: said }) => assert_eq!(said, field),
            other => panic!("{row:?}: {other:?}"),
        }
    }
}

#[test]
fn what_contradicts_itself_is_no_record() {
    let json = recovery_key().to_json().expect("written");
    let text = std::str::from_utf8(json.expose()).expect("text");
    for (from, to) in [
        ("\"format\": 1", "\"format\": 2"),
        ("\"kind\": \"recovery-key\"", "\"kind\": \"snapshot\""),
        ("\"kind\": \"recovery-key\"", "\"kind\": \"external-key\""),
        ("AC9D5655", "AC9D5656"),
        ("\"132858", "\"132859"),
        ("\"capsule\"", "\"external_key\""),
        ("2025-11-23T", "2025-99-23T"),
        ("\"account\"", "\"acount\""),
        ("4967D63B-", ""),
    ] {
        assert!(text.contains(from), "{from}");
        let changed = Secret::new(text.replace(from, to).into_bytes());
        let error = Record::parse(&changed).expect_err(from);
        assert!(!format!("{error} {error:?}").contains("327525"), "an error shows a key: {error}");
    }
}

#[test]
fn no_key_is_shown_by_debug() {
    let shown = format!("{:?} {:?}", recovery_key(), external_key());
    assert!(!shown.contains("132858") && !shown.contains("BwcHBw") && !shown.contains("7, 7"), "{shown}");
}

#[test]
fn what_is_sent_says_what_is_inside() {
    let record = recovery_key();
    let recipients = vec![Identity::generate().to_public().to_string()];
    let sealed = record.seal(&recipients).expect("sealed");
    let sent = record.to_upload(&sealed, &recipients);
    let key_id = sent.key_id.as_deref();
    let row = Row { key_id, drive: &sent.drive, proven: sent.proven, ..row(&sent.volume, "") };
    record.agrees_with(&row).expect("the same");
    assert_eq!(STANDARD.decode(&sent.sealed).expect("Base64"), sealed.bytes());
    assert_eq!(sealed::inspect(sealed.bytes()).expect("a header").recipients, recipients.len() + 1);
}

proptest! {
    #[test]
    fn any_document_is_survived(text in ".{0,300}", value in "[ -~]{0,40}") {
        let _ = Record::parse(&Secret::new(text.into_bytes()));
        let json = recovery_key().to_json().expect("written");
        let json = std::str::from_utf8(json.expose()).expect("text").replace("2025-11-23T", &value);
        let _ = Record::parse(&Secret::new(json.into_bytes()));
    }
}
