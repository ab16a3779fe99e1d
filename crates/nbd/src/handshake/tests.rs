use std::io::Cursor;
use std::sync::Arc;

use proptest::prelude::*;

use super::*;

/// A client that says all it has to say at once.
struct Script {
    says: Cursor<Vec<u8>>,
    hears: Vec<u8>,
}

impl Read for Script {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.says.read(buf)
    }
}

impl Write for Script {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.hears.write(buf)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn export() -> Export {
    Export::new("drive", "a drive", Arc::new(vec![0; 0x1234]))
}

fn option(number: u32, data: &[u8]) -> Vec<u8> {
    Message::default().u64(OPTION).u32(number).u32(data.len() as u32).bytes(data).0
}

fn string(text: &str) -> Vec<u8> {
    Message::default().u32(text.len() as u32).bytes(text.as_bytes()).0
}

fn go(name: &str, wanted: &[u16]) -> Vec<u8> {
    let data = Message::default().bytes(&string(name)).u16(wanted.len() as u16);
    wanted.iter().fold(data, |data, &wanted| data.u16(wanted)).0
}

fn contexts(name: &str, queries: &[&str]) -> Vec<u8> {
    let data = Message::default().bytes(&string(name)).u32(queries.len() as u32);
    queries.iter().fold(data, |data, query| data.bytes(&string(query))).0
}

/// Option, kind, data.
type Reply = (u32, u32, Vec<u8>);

/// Returns how the haggling ended, and the replies.
fn haggle(security: Security, options: &[Vec<u8>]) -> (Result<Outcome, HandshakeError>, Vec<Reply>) {
    let mut script = Script { says: Cursor::new(options.concat()), hears: Vec::new() };
    let outcome = negotiate(&mut script, &export(), security, true);
    let mut fields = Fields::of(&script.hears);
    let mut replies = Vec::new();
    while fields.u64() == Some(OPTION_REPLY) {
        let (number, kind) = (fields.u32().expect("an option"), fields.u32().expect("a kind"));
        replies.push((number, kind, fields.string().expect("data").to_owned()));
    }
    (outcome, replies)
}

fn kinds(security: Security, options: &[Vec<u8>]) -> Vec<u32> {
    haggle(security, options).1.into_iter().map(|(_, kind, _)| kind).collect()
}

#[test]
fn a_client_learns_what_it_asks_for_and_goes() {
    let asked = [info::NAME, info::DESCRIPTION, info::BLOCK_SIZE, 77];
    let options = [
        option(option::STRUCTURED_REPLY, &[]),
        option(option::SET_META_CONTEXT, &contexts("drive", &["qemu:dirty", ALLOCATION])),
        option(option::INFO, &go("drive", &asked)),
        option(option::GO, &go("drive", &[])),
    ];
    let (outcome, replies) = haggle(Security::Open, &options);
    let terms = Terms { structured: true, allocation: true };
    assert_eq!(outcome.expect("agreed"), Outcome::Transmission(terms));
    let export = Message::default().u16(info::EXPORT).u64(0x1234).u16(Export::FLAGS).0;
    let expected = [
        (option::STRUCTURED_REPLY, reply::ACK, vec![]),
        (option::SET_META_CONTEXT, reply::META_CONTEXT, b"\0\0\0\x01base:allocation".to_vec()),
        (option::SET_META_CONTEXT, reply::ACK, vec![]),
        (option::INFO, reply::INFO, export.clone()),
        (option::INFO, reply::INFO, b"\0\x01drive".to_vec()),
        (option::INFO, reply::INFO, b"\0\x02a drive".to_vec()),
        (option::INFO, reply::INFO, b"\0\x03\0\0\0\x01\0\x01\0\0\x02\0\0\0".to_vec()),
        (option::INFO, reply::ACK, vec![]),
        (option::GO, reply::INFO, export),
        (option::GO, reply::ACK, vec![]),
    ];
    assert_eq!(replies, expected);
}

#[test]
fn the_export_has_its_name_and_none() {
    for name in ["", "drive"] {
        let (outcome, _) = haggle(Security::Open, &[option(option::GO, &go(name, &[]))]);
        assert_eq!(outcome.expect("agreed"), Outcome::Transmission(Terms::default()));
    }
    let other = [option(option::GO, &go("other", &[])), option(option::ABORT, &[])];
    assert_eq!(kinds(Security::Open, &other), [reply::ERR_UNKNOWN, reply::ACK]);
    let list = [option(option::LIST, &[]), option(option::ABORT, &[])];
    let (outcome, replies) = haggle(Security::Open, &list);
    assert_eq!(outcome.expect("agreed"), Outcome::Aborted);
    assert_eq!(replies[0], (option::LIST, reply::SERVER, string("drive")));
}

#[test]
fn the_way_of_old_has_no_second_try() {
    let (outcome, _) = haggle(Security::Open, &[option(option::EXPORT_NAME, b"other")]);
    assert!(matches!(outcome, Err(HandshakeError::UnknownExport)));
    for (no_zeroes, length) in [(true, 10), (false, 134)] {
        let says = Cursor::new(option(option::EXPORT_NAME, b""));
        let mut script = Script { says, hears: Vec::new() };
        negotiate(&mut script, &export(), Security::Open, no_zeroes).expect("agreed");
        assert_eq!(script.hears.len(), length);
        assert_eq!(script.hears[..10], Message::default().u64(0x1234).u16(Export::FLAGS).0);
    }
}

#[test]
fn contexts_are_chosen_for_one_name_and_with_structured_replies() {
    let set = |queries: &[&str]| option(option::SET_META_CONTEXT, &contexts("drive", queries));
    let structured = || option(option::STRUCTURED_REPLY, &[]);
    let end = |options: &[Vec<u8>], name| {
        let (outcome, _) = haggle(Security::Open, &[options, &[option(option::GO, &go(name, &[]))]].concat());
        match outcome.expect("agreed") {
            Outcome::Transmission(terms) => terms.allocation,
            other => panic!("{other:?}"),
        }
    };
    assert!(end(&[structured(), set(&[ALLOCATION])], "drive"));
    assert!(!end(&[set(&[ALLOCATION])], "drive"));
    assert!(!end(&[structured(), set(&[ALLOCATION])], ""));
    assert!(!end(&[structured(), set(&[ALLOCATION]), set(&[])], "drive"));
    assert!(!end(&[structured(), set(&["base:"])], "drive"));
    let list = |queries| option(option::LIST_META_CONTEXT, &contexts("", queries));
    for (queries, found) in [(&[][..], true), (&["base:"], true), (&[ALLOCATION], true), (&["x:"], false)] {
        let kinds = kinds(Security::Open, &[list(queries), option(option::ABORT, &[])]);
        assert_eq!(kinds.contains(&reply::META_CONTEXT), found, "{queries:?}");
    }
}

#[test]
fn without_tls_nothing_is_said_where_it_is_required() {
    let secrets = [
        option(option::LIST, &[]),
        option(option::INFO, &go("drive", &[info::DESCRIPTION])),
        option(option::GO, &go("drive", &[])),
        option(option::STRUCTURED_REPLY, &[]),
        option(99, &[]),
    ];
    for secret in secrets {
        let (outcome, replies) = haggle(Security::TlsRequired, &[secret, option(option::STARTTLS, &[])]);
        assert_eq!(outcome.expect("agreed"), Outcome::StartTls);
        let kinds: Vec<_> = replies.iter().map(|(_, kind, _)| *kind).collect();
        assert_eq!(kinds, [reply::ERR_TLS_REQD, reply::ACK]);
    }
    let (outcome, replies) = haggle(Security::TlsRequired, &[option(option::EXPORT_NAME, b"")]);
    assert!(matches!(outcome, Err(HandshakeError::TlsRequired)) && replies.is_empty());
    let start = [option(option::STARTTLS, &[]), option(option::ABORT, &[])];
    assert_eq!(kinds(Security::Open, &start), [reply::ERR_UNSUP, reply::ACK]);
    assert_eq!(kinds(Security::Tls, &start), [reply::ERR_INVALID, reply::ACK]);
    let with_data = [option(option::STARTTLS, b"x"), option(option::ABORT, &[])];
    assert_eq!(kinds(Security::TlsRequired, &with_data), [reply::ERR_INVALID, reply::ACK]);
}

#[test]
fn broken_options_are_invalid_and_unknown_ones_unsupported() {
    let broken = [
        option(option::GO, &[]),
        option(option::GO, b"\xff\xff\xff\xff"),
        option(option::GO, &[go("drive", &[1]), vec![0]].concat()),
        option(option::INFO, b"\0\0\0\0\xff\xff"),
        option(option::LIST, b"x"),
        option(option::STRUCTURED_REPLY, b"x"),
        option(option::LIST_META_CONTEXT, b"\0\0\0\0\xff\xff\xff\xff"),
        option(option::SET_META_CONTEXT, &contexts("drive", &[ALLOCATION])),
        option(option::LIST_META_CONTEXT, &contexts("", &[&"x".repeat(MAX_STRING + 1)])),
        option(option::GO, &go(&"x".repeat(MAX_STRING + 1), &[])),
    ];
    for option in broken {
        let kinds = kinds(Security::Open, &[option.clone(), self::option(option::ABORT, &[])]);
        assert_eq!(kinds, [reply::ERR_INVALID, reply::ACK], "{option:x?}");
    }
    for number in [0, 4, 11, 12, u32::MAX] {
        let unknown = [option(number, b"anything"), option(option::ABORT, &[])];
        assert_eq!(kinds(Security::Open, &unknown), [reply::ERR_UNSUP, reply::ACK]);
    }
}

#[test]
fn too_much_is_not_listened_to() {
    let long = Message::default().u64(OPTION).u32(option::GO).u32(u32::MAX).0;
    assert!(matches!(haggle(Security::Open, &[long]).0, Err(HandshakeError::TooMuch)));
    let many = vec![option(99, &[]); MAX_OPTIONS + 1];
    assert!(matches!(haggle(Security::Open, &many).0, Err(HandshakeError::TooMuch)));
    let cut = option(option::GO, &go("drive", &[]));
    for length in 0..cut.len() {
        let (outcome, replies) = haggle(Security::Open, &[cut[..length].to_vec()]);
        assert!(matches!(outcome, Err(HandshakeError::Io(_))) && replies.is_empty(), "{length}");
    }
}

#[test]
fn whoever_speaks_something_else_is_left() {
    let greeted = |flags: u32| {
        let says = Cursor::new(flags.to_be_bytes().to_vec());
        greet(&mut Script { says, hears: Vec::new() })
    };
    assert!(matches!(greeted(1), Ok(false)));
    assert!(matches!(greeted(3), Ok(true)));
    assert!(matches!(greeted(u32::from_be_bytes(*b"GET ")), Err(HandshakeError::OtherProtocol)));
    let other = vec![b'x'; 100];
    assert!(matches!(haggle(Security::Open, &[other]).0, Err(HandshakeError::OtherProtocol)));
}

proptest! {
    #[test]
    fn any_option_is_survived(number in 0_u32..14, data in prop::collection::vec(any::<u8>(), 0..200)) {
        let options = [option(number, &data), option(option::ABORT, &[])];
        let _ = haggle(Security::Open, &options);
    }
}
