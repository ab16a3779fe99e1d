//! Databases as their owners have them, and as nobody should have them.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use recovery_key::bek::Bek;
use recovery_key::document::{self, FoundSecret};
use recovery_key::{KeyId, RecoveryPassword};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use super::*;
use crate::document::About;

const ID: &str = "AC9D5655-F7CA-4D1D-902F-1B6087118138";
const DIGITS: &str = "132858-327525-689172-680790-354607-080454-642268-377564";
/// Quick, for tests.
const KDF: NewKdf = NewKdf { memory: 64 << 10, passes: 1, lanes: 1 };

fn credentials(password: &str) -> Credentials {
    Credentials::new(Some(Secret::new(password.to_owned())), None)
}

fn destination(path: &Path) -> KeePassDestination {
    KeePassDestination { new: KDF, ..KeePassDestination::new(path.to_owned(), credentials("right")) }
}

fn documents() -> [Document; 2] {
    let key_id = ID.parse::<KeyId>().expect("a GUID");
    let password = RecoveryPassword::parse(DIGITS).expect("well-formed digits");
    let volume = uuid::Uuid::from_u128(0x0123_4567_89AB_CDEF_0123_4567_89AB_CDEF);
    let label = Some("PC <C:> & \"more\" \u{1}\u{fffe}".to_owned());
    [
        Content::RecoveryPassword { key_id, password },
        Content::ExternalKey(Bek::new(key_id, 1, 1, None, Secret::new([7; 32]))),
    ]
    .map(|content| Document { drive: About { volume, label: label.clone(), now: 1_700_000_000 }, content })
}

fn read_back(destination: &KeePassDestination, copy: &SavedCopy) -> Secret<Vec<u8>> {
    match destination.read_back(copy) {
        Ok(ReadBack::Document(bytes)) => bytes,
        Ok(ReadBack::Withheld(why)) => panic!("{why}"),
        Err(error) => panic!("{error}"),
    }
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("the folder");
    entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect()
}

/// Adds to a text in ways that no KeePass writes, and some that each does.
fn strange(text: &str) -> String {
    let id = BASE64_STANDARD.encode([9; 16]);
    let secret = |value: &str| BASE64_STANDARD.encode(value);
    let entry = |title: &str, value: &str, more: &str| {
        format!(
            "<Entry><UUID>{}</UUID><Plugin x='1'><![CDATA[ <kept> ]]></Plugin>\n\t\
             <String><Key>Title</Key><Value>{title} &amp; &#xE4;</Value></String>\
             <String><Key>Password</Key><Value Protected=\"True\">{}</Value></String>\
             <String><Key>Empty</Key><Value Protected=\"True\" /></String>{more}</Entry>",
            BASE64_STANDARD.encode(uuid_of(title)),
            secret(value)
        )
    };
    let old = entry("older", "hunter1", "");
    let history = format!(
        "<History>{}</History>",
        old.replace(&BASE64_STANDARD.encode(uuid_of("older")), &BASE64_STANDARD.encode(uuid_of("before")))
    );
    let file = "<Binary><Key>file.txt</Key><Value Ref=\"0\"/></Binary>";
    let group =
        format!("<Group><UUID>{id}</UUID><Name>Letters</Name>{}</Group>", entry("inner", "hunter3", ""));
    let all = format!("{}<!-- a comment -->{group}", entry("before", "hunter2", &format!("{file}{history}")));
    text.replacen("</Group><DeletedObjects/>", &format!("{all}</Group><DeletedObjects/><After/>"), 1)
}

fn uuid_of(text: &str) -> [u8; 16] {
    *Sha256::digest(text).first_chunk().expect("32 bytes")
}

/// Makes a database with all that, under any cipher, with or without compression.
fn make_strange(path: &Path, cipher: &[u8; 16], compressed: u8) -> Database {
    let text = entry::empty("Mine", 0).expect("a text");
    let text = strange(text.expose());
    let mut database = Database::new(KDF, Secret::new(text));
    database.add_file(b"an attachment").expect("added");
    database.set_header(cipher, compressed);
    fs::write(path, database.seal(&credentials("right")).expect("sealed")).expect("written");
    database
}

const CIPHERS: [[u8; 16]; 3] = [cipher::AES, cipher::TWOFISH, cipher::CHACHA20];

#[test]
fn a_new_database_is_made_and_filled() {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("keys.kdbx");
    let destination = destination(&path);
    assert!(!destination.exists());
    for document in documents() {
        let copy = destination.save(&document).expect("a copy");
        let bytes = read_back(&destination, &copy);
        let reading = document::read(copy.name.as_deref(), bytes.expose());
        assert!(reading.remarks.is_empty(), "{:?}", reading.remarks);
        let [found] = reading.keys.as_slice() else { panic!("{:?}", reading.keys) };
        assert_eq!(found.key_id.expect("a key ID").to_string(), ID);
        match &found.secret {
            FoundSecret::RecoveryPassword(password) => assert_eq!(password.digits().expose(), DIGITS),
            FoundSecret::ExternalKey(_) => assert!(bytes.expose() == document.to_bytes().expose()),
        }
        assert!(copy.place.contains(title(&document.file_name())));
    }
    assert_eq!(names(folder.path()), ["keys.kdbx"]);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(fs::metadata(&path).expect("the file").permissions().mode() & 0o777, 0o600);
    }
}

#[test]
fn everything_that_was_in_a_database_is_still_in_it() {
    for cipher in &CIPHERS {
        for compressed in [0, 1] {
            let folder = TempDir::new().expect("a folder");
            let path = folder.path().join("mine.kdbx");
            let old = make_strange(&path, cipher, compressed);
            let destination = destination(&path);
            for document in documents() {
                destination.save(&document).expect("a copy");
            }
            let new = Database::open(&fs::read(&path).expect("the file"), &credentials("right"));
            let new = new.expect("an open database");
            assert!(new.holds_all_of(&old));
            // Both entries went to one place, the end of a new group at the end of the root group.
            let at = old.text.expose().find("</Group><DeletedObjects/>").expect("the end of the root group");
            let (head, tail) = old.text.expose().split_at(at);
            assert!(new.text.expose().starts_with(head) && new.text.expose().ends_with(tail));
            assert_eq!(new.file(0), Some(&b"an attachment"[..]));
            let entries = entries(new.text.expose()).expect("entries");
            let passwords: Vec<_> = entries.iter().filter_map(|entry| entry.field("Password")).collect();
            assert_eq!(passwords, ["hunter1", "hunter2", "hunter3", DIGITS, ""]);
        }
    }
}

#[test]
fn a_database_that_the_other_reader_never_opened_is_still_added_to() {
    for odd in ["<Plugin/>", "<Group><UUID>AAAA</UUID><Times><ExpiryTime/></Times></Group>"] {
        let folder = TempDir::new().expect("a folder");
        let path = folder.path().join("mine.kdbx");
        let text = entry::empty("Mine", 0).expect("a text");
        let text = text.expose().replacen("</Group>", &format!("{odd}</Group>"), 1);
        let mut old = Database::new(KDF, Secret::new(text));
        fs::write(&path, old.seal(&credentials("right")).expect("sealed")).expect("written");
        let destination = destination(&path);
        for document in documents() {
            let copy = destination.save(&document).expect("a copy");
            assert!(!read_back(&destination, &copy).expose().is_empty());
        }
        let new = Database::open(&fs::read(&path).expect("the file"), &credentials("right"));
        assert!(new.expect("open").holds_all_of(&old));
    }
}

#[test]
fn what_is_missing_is_noticed() {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("mine.kdbx");
    let old = make_strange(&path, &cipher::AES, 1);
    let bytes = fs::read(&path).expect("the file");
    let again = || Database::open(&bytes, &credentials("right")).expect("open");
    assert!(again().holds_all_of(&old));
    let text = old.text.expose();
    for (from, to) in [
        ("hunter", "hunteR"),
        ("<!-- a comment -->", ""),
        (" x='1'", ""),
        ("<After/>", ""),
        ("older", "Older"),
    ] {
        let from = if from == "hunter" { BASE64_STANDARD.encode("hunter2") } else { from.to_owned() };
        let to = if to == "hunteR" { BASE64_STANDARD.encode("hunteR2") } else { to.to_owned() };
        assert!(text.contains(&from));
        let mut new = again();
        new.text = Secret::new(text.replacen(&from, &to, 1));
        assert!(!new.holds_all_of(&old), "{from}");
    }
    let mut new = again();
    new.set_header(&cipher::CHACHA20, 1);
    assert!(!new.holds_all_of(&old));
    let mut new = again();
    new.add_file(b"one more").expect("added");
    assert!(new.holds_all_of(&old) && !old.holds_all_of(&new));
}

#[test]
fn a_wrong_password_and_a_damaged_database_leave_the_file_as_it_is() {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("mine.kdbx");
    make_strange(&path, &cipher::AES, 1);
    let good = fs::read(&path).expect("the file");
    let [document, _] = documents();
    let wrong = KeePassDestination::new(path.clone(), credentials("wrong"));
    assert!(matches!(wrong.save(&document), Err(SaveError::Locked { .. })));
    let none = KeePassDestination::new(path.clone(), Credentials::default());
    assert!(matches!(none.save(&document), Err(SaveError::Locked { .. })));
    assert_eq!(fs::read(&path).expect("the file"), good);
    for bytes in [&b"no database"[..], &good[..good.len() - 1], &good[..100], b""] {
        fs::write(&path, bytes).expect("written");
        assert!(destination(&path).save(&document).is_err());
        assert_eq!(fs::read(&path).expect("the file"), bytes);
    }
    assert_eq!(names(folder.path()), ["mine.kdbx"]);
}

#[test]
fn no_changed_byte_and_no_cut_goes_unnoticed() {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("mine.kdbx");
    make_strange(&path, &cipher::AES, 1);
    let good = fs::read(&path).expect("the file");
    let credentials = credentials("right");
    let header = 300;
    for at in (0..good.len()).filter(|at| *at < header || at % 7 == 0) {
        let mut changed = good.clone();
        for bit in [1, 0x80, 0xff] {
            changed[at] = good[at] ^ bit;
            let open = Database::open(&changed, &credentials);
            assert!(open.is_err(), "byte {at:#x}");
        }
        assert!(Database::open(&good[..at], &credentials).is_err(), "cut at {at:#x}");
    }
}

#[test]
fn a_database_that_asks_for_too_much_is_refused_before_the_work() {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("mine.kdbx");
    for kdf in [
        NewKdf { memory: 1 << 40, ..KDF },
        NewKdf { memory: 1 << 30, passes: 1 << 20, ..KDF },
        NewKdf { passes: u64::MAX, ..KDF },
        NewKdf { lanes: u32::MAX, ..KDF },
    ] {
        make_strange(&path, &cipher::AES, 1);
        let mut bytes = fs::read(&path).expect("the file");
        let (old, new) = (KDF.to_parameters(), kdf.to_parameters());
        // All but the salt, which comes near the end.
        let length = old.len() - 60;
        let at = bytes.windows(length).position(|window| window == &old[..length]).expect("the parameters");
        bytes[at..at + length].copy_from_slice(&new[..length]);
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").expect("an end") + 4;
        let sum: [u8; 32] = sha2::Digest::finalize(sha2::Digest::chain_update(
            <sha2::Sha256 as sha2::Digest>::new(),
            &bytes[..end],
        ))
        .into();
        bytes[end..end + 32].copy_from_slice(&sum);
        let error = Database::open(&bytes, &credentials("right")).expect_err("too much");
        assert!(matches!(error, KeePassError::TooMuch(_)), "{error}");
    }
}

#[test]
fn what_somebody_else_needs_is_left_alone() {
    let [document, _] = documents();
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("mine.kdbx");
    make_strange(&path, &cipher::AES, 1);
    let good = fs::read(&path).expect("the file");
    let refused = |why: &str| match destination(&path).save(&document) {
        Err(SaveError::Rejected { why: said, .. }) => {
            assert!(said.contains(why), "{said}");
            assert_eq!(fs::read(&path).expect("the file"), good);
        }
        other => panic!("{why}: {other:?}"),
    };
    for (lock, program) in [(".mine.kdbx.lock", "KeePassXC"), ("mine.kdbx.lock", "KeePass")] {
        let lock = folder.path().join(lock);
        fs::write(&lock, "").expect("written");
        refused(program);
        assert!(matches!(
            destination(&path).check(Path::new("/dev/null")),
            Err(Refusal::Unusable { .. }) | Err(Refusal::Unseen { .. })
        ));
        fs::remove_file(&lock).expect("removed");
    }
    #[cfg(unix)]
    {
        let current = Current::open(&path, FILE_LIMIT).ok().flatten().expect("open");
        refused("another program");
        drop(current);
        fs::hard_link(&path, folder.path().join("second")).expect("a link");
        refused("second name");
        fs::remove_file(folder.path().join("second")).expect("removed");
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o440)).expect("changed");
        refused("write-protected");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("changed");
        std::os::unix::fs::symlink(&path, folder.path().join("link.kdbx")).expect("a link");
        destination(&folder.path().join("link.kdbx")).save(&document).expect("a copy");
        let metadata = fs::symlink_metadata(&path).expect("the file");
        assert_eq!(metadata.permissions().mode() & 0o777, 0o640);
        assert!(folder.path().join("link.kdbx").is_symlink());
        let good = fs::read(&path).expect("the file");
        // The same key is a copy already, and is not taken back; another one is in its place.
        let again = destination(&path);
        let copy = again.save(&document).expect("the copy that is there");
        assert!(again.remove(&copy).is_err());
        let Content::RecoveryPassword { key_id, .. } = document.content else { panic!("a recovery key") };
        let password = RecoveryPassword::from_bytes(Secret::new([1; 16]));
        let other = Document { content: Content::RecoveryPassword { key_id, password }, ..document };
        assert!(matches!(destination(&path).save(&other), Err(SaveError::Taken { .. })));
        assert_eq!(fs::read(&path).expect("the file"), good);
    }
}

#[test]
fn what_is_taken_back_is_as_it_was() {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("mine.kdbx");
    let [document, other] = documents();
    let new = destination(&path);
    let copy = new.save(&document).expect("a copy");
    new.remove(&copy).expect("removed");
    assert!(names(folder.path()).is_empty());
    make_strange(&path, &cipher::AES, 1);
    let good = fs::read(&path).expect("the file");
    let copy = new.save(&document).expect("a copy");
    assert_ne!(fs::read(&path).expect("the file"), good);
    new.remove(&copy).expect("removed");
    assert_eq!(fs::read(&path).expect("the file"), good);
    let copy = new.save(&document).expect("a copy");
    destination(&path).save(&other).expect("a copy by somebody else");
    assert!(matches!(new.remove(&copy), Err(SaveError::Rejected { why, .. }) if why.contains("changed")));
    assert!(new.read_back(&copy).is_ok());
    assert_eq!(names(folder.path()), ["mine.kdbx"]);
}

#[test]
fn a_key_file_is_part_of_the_key() {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("mine.kdbx");
    let [document, _] = documents();
    for password in [None, Some("right")] {
        let both = || {
            let file = Secret::new(b"any file".to_vec());
            Credentials::new(password.map(|password| Secret::new(password.to_owned())), Some(file))
        };
        let destination = KeePassDestination { new: KDF, ..KeePassDestination::new(path.clone(), both()) };
        let copy = destination.save(&document).expect("a copy");
        let other = KeePassDestination::new(path.clone(), credentials("right"));
        assert!(matches!(other.read_back(&copy), Err(SaveError::Locked { .. })));
        destination.remove(&copy).expect("removed");
    }
}

#[test]
fn keys_are_found_wherever_they_are_kept() {
    let [text, bek] = documents();
    let field = |key: &str, value: &str| format!("<String><Key>{key}</Key><Value>{value}</Value></String>");
    let entry = |title: &str, more: &str| {
        format!(
            "<Entry><UUID>{}</UUID>{}{more}</Entry>",
            BASE64_STANDARD.encode(uuid_of(title)),
            field("Title", title)
        )
    };
    let file =
        |name: &str, number: usize| format!("<Binary><Key>{name}</Key><Value Ref=\"{number}\"/></Binary>");
    let all = [
        entry("nothing", &field("Password", "12345")),
        entry("notes", &field("Notes", &format!("Drive D\nID: {ID}\n{DIGITS}\n"))),
        entry(ID, &field("Password", DIGITS)),
        entry("text", &file("key.txt", 0)),
        entry("bek", &file("key.bek", 1)),
        entry("old", &format!("<History>{}</History>", entry("older", &field("Password", DIGITS)))),
    ]
    .concat();
    let empty = entry::empty("Mine", 0).expect("a text");
    let xml = empty.expose().replacen("</Group>", &format!("{all}</Group>"), 1);
    let mut database = Database::new(KDF, Secret::new(xml));
    for document in [&text, &bek] {
        database.add_file(document.to_bytes().expose()).expect("added");
    }
    let bytes = database.seal(&credentials("right")).expect("sealed");
    let found = keys(&bytes, &credentials("right")).expect("keys");
    let places: Vec<_> = found.iter().map(|kept| (kept.place.as_str(), kept.name.as_deref())).collect();
    let id = format!("Mine/{ID}");
    assert_eq!(
        places,
        [
            ("Mine/notes", None),
            (id.as_str(), None),
            ("Mine/text", Some("key.txt")),
            ("Mine/bek", Some("key.bek")),
            ("Mine/older (an earlier state)", None),
        ]
    );
    for kept in &found {
        let reading = document::read(kept.name.as_deref(), kept.bytes.expose());
        let [found] = reading.keys.as_slice() else { panic!("{:?}", reading.keys) };
        let id = found.key_id.map(|id| id.to_string());
        assert_eq!(id.as_deref(), (!kept.place.contains("older")).then_some(ID));
    }
    assert!(matches!(keys(&bytes, &credentials("wrong")), Err(KeePassError::WrongKey)));
}
