use std::sync::Arc;

use fve::ReadAt;
use proptest::prelude::*;

use super::*;
use crate::protocol::MAX_STRING;

const SIZE: usize = 5 << 20;
/// Where the bad sector is.
const BAD: u64 = 2 * SECTOR as u64 * 1000;

/// Noise with a hole, and perhaps a sector that cannot be read.
struct Drive {
    bytes: Vec<u8>,
    is_bad: bool,
}

impl ReadAt for Drive {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        let end = offset + buf.len() as u64;
        if self.is_bad && offset < BAD + SECTOR as u64 && end > BAD {
            return Err(io::Error::other("the medium is worn"));
        }
        self.bytes.read_at(offset, buf)
    }

    fn size(&self) -> u64 {
        self.bytes.len() as u64
    }
}

fn bytes() -> Vec<u8> {
    let mut bytes: Vec<u8> =
        (0..SIZE).map(|n| (n as u32).wrapping_mul(0x9e37_79b9).to_be_bytes()[0]).collect();
    bytes[PIECE..2 * PIECE].fill(0);
    bytes
}

fn request(command: u16, flags: u16, offset: u64, length: u32) -> Request {
    Request { flags, command, cookie: 0x1122_3344_5566_7788, offset, length }
}

/// A reply, as a client understands it.
#[derive(Debug, PartialEq, Eq)]
enum Reply {
    Simple(u32, Vec<u8>),
    /// Flags, type, payload.
    Chunk(u16, u16, Vec<u8>),
}

fn answers(drive: Drive, terms: Terms, request: &Request) -> Vec<Reply> {
    let export = Export::new("", "", Arc::new(drive));
    let session = Session { export: &export, terms, unreadable: &|_, _| () };
    let out = Outbox::new(Vec::new());
    session.answer(request, &mut Vec::new(), &out).expect("a vector takes everything");
    let sent = out.0.into_inner().expect("not poisoned").expect("not broken");
    let mut replies = Vec::new();
    let mut rest = sent.as_slice();
    while !rest.is_empty() {
        let mut fields = Fields::of(rest);
        match fields.u32() {
            Some(SIMPLE_REPLY) => {
                let errno = fields.u32().expect("an error");
                assert_eq!(fields.u64(), Some(request.cookie));
                let data = if errno == 0 && request.command == command::READ { request.length } else { 0 };
                replies.push(Reply::Simple(errno, rest[16..16 + data as usize].to_vec()));
                rest = &rest[16 + data as usize..];
            }
            Some(CHUNK) => {
                let (flags, kind) = (fields.u16().expect("flags"), fields.u16().expect("a type"));
                assert_eq!(fields.u64(), Some(request.cookie));
                let payload = fields.string().expect("a payload");
                replies.push(Reply::Chunk(flags, kind, payload.to_vec()));
                rest = &rest[20 + payload.len()..];
            }
            other => panic!("{other:x?}"),
        }
    }
    replies
}

/// Puts together what the chunks hold; the error, if there was one, and where.
fn assemble(replies: Vec<Reply>, request: &Request) -> (Vec<u8>, Option<(u32, u64)>) {
    let mut all = vec![0xee; request.length as usize];
    let mut error = None;
    let last = replies.len() - 1;
    for (n, reply) in replies.into_iter().enumerate() {
        let Reply::Chunk(flags, kind, payload) = reply else { panic!("{reply:?}") };
        assert_eq!(flags == chunk::DONE, n == last);
        let mut fields = Fields::of(&payload);
        match kind {
            chunk::OFFSET_DATA => {
                let at = (fields.u64().expect("an offset") - request.offset) as usize;
                all[at..at + payload.len() - 8].copy_from_slice(&payload[8..]);
            }
            chunk::OFFSET_HOLE => {
                let at = (fields.u64().expect("an offset") - request.offset) as usize;
                let length = fields.u32().expect("a length") as usize;
                all[at..at + length].fill(0);
            }
            chunk::ERROR_OFFSET => {
                let errno = fields.u32().expect("an error");
                let text = usize::from(fields.u16().expect("a length"));
                assert_eq!(&payload[6..6 + text], b"the medium is worn");
                let at = Fields::of(&payload[6 + text..]).u64().expect("an offset");
                error = Some((errno, at));
            }
            other => panic!("{other:x}"),
        }
    }
    (all, error)
}

const STRUCTURED: Terms = Terms { structured: true, allocation: true };

fn drive(is_bad: bool) -> Drive {
    Drive { bytes: bytes(), is_bad }
}

#[test]
fn every_byte_is_lent_in_chunks_and_at_once() {
    let places = [(0, SIZE), (1, 511), (PIECE - 3, PIECE + 7), (SIZE - 1, 1), (5, 2 * MAX_WHOLE + 9), (7, 0)];
    for (offset, length) in places {
        let expected = &bytes()[offset..offset + length];
        let request = request(command::READ, 0, offset as u64, length as u32);
        let simple = answers(drive(false), Terms::default(), &request);
        assert!(simple == [Reply::Simple(0, expected.to_vec())]);
        if length > 0 {
            let (all, error) = assemble(answers(drive(false), STRUCTURED, &request), &request);
            assert!(all == expected && error.is_none());
        }
    }
    let nothing = request(command::READ, 0, 7, 0);
    assert_eq!(answers(drive(false), STRUCTURED, &nothing), [Reply::Chunk(chunk::DONE, chunk::NONE, vec![])]);
}

#[test]
fn zeros_are_not_sent() {
    let request = request(command::READ, 0, 0, 3 * PIECE as u32);
    let kinds: Vec<_> = answers(drive(false), STRUCTURED, &request)
        .into_iter()
        .map(|reply| match reply {
            Reply::Chunk(_, kind, _) => kind,
            Reply::Simple(..) => panic!("{reply:?}"),
        })
        .collect();
    assert_eq!(kinds, [chunk::OFFSET_DATA, chunk::OFFSET_HOLE, chunk::OFFSET_DATA]);
}

#[test]
fn a_bad_sector_is_told_with_its_place_and_what_lies_before_it_is_lent() {
    let offset = BAD - 700;
    let request = request(command::READ, 0, offset, 2000);
    let (all, error) = assemble(answers(drive(true), STRUCTURED, &request), &request);
    assert_eq!(error, Some((Errno::Io as u32, BAD)));
    assert!(all[..700] == bytes()[offset as usize..BAD as usize]);
    assert!(all[700..].iter().all(|&byte| byte == 0xee));
    for length in [2000, MAX_WHOLE as u32 + 1] {
        let request = Request { length, ..request };
        let simple = answers(drive(true), Terms::default(), &request);
        assert_eq!(simple, [Reply::Simple(Errno::Io as u32, vec![])]);
    }
    let after = Request { offset: BAD + SECTOR as u64, ..request };
    assert_eq!(assemble(answers(drive(true), STRUCTURED, &after), &after).1, None);
}

#[test]
fn whoever_wants_one_piece_gets_one() {
    let whole = request(command::READ, command_flag::DF, PIECE as u64 / 2, MAX_WHOLE as u32);
    let replies = answers(drive(false), STRUCTURED, &whole);
    assert_eq!(replies.len(), 1);
    assert!(assemble(replies, &whole).0 == bytes()[PIECE / 2..PIECE / 2 + MAX_WHOLE]);
    let too_long = Request { length: MAX_WHOLE as u32 + 1, ..whole };
    let why = Message::default().u32(Errno::TooLong as u32).u16(0).0;
    let replies = answers(drive(false), STRUCTURED, &too_long);
    assert_eq!(replies, [Reply::Chunk(chunk::DONE, chunk::ERROR, why)]);
    let damaged = Request { offset: BAD - 512, length: 2048, ..whole };
    let replies = answers(drive(true), STRUCTURED, &damaged);
    assert_eq!(replies.len(), 1);
    assert_eq!(assemble(replies, &damaged).1, Some((Errno::Io as u32, BAD)));
}

#[test]
fn nothing_is_changed_and_nothing_is_read_beyond_the_end() {
    let size = SIZE as u64;
    let errno = |command, flags, offset, length| {
        let request = request(command, flags, offset, length);
        let structured = match &answers(drive(false), STRUCTURED, &request)[..] {
            [Reply::Simple(errno, data)] if data.is_empty() => *errno,
            [Reply::Chunk(chunk::DONE, chunk::ERROR, payload)] => {
                Fields::of(payload).u32().expect("an error")
            }
            [Reply::Chunk(chunk::DONE, chunk::BLOCK_STATUS, payload)] => {
                let status = Message::default().u32(ALLOCATION_ID).u32(length).u32(0);
                assert_eq!(payload, &status.0);
                0
            }
            other => panic!("{other:?}"),
        };
        if command != command::BLOCK_STATUS && flags == 0 {
            let simple = answers(drive(false), Terms::default(), &request);
            assert_eq!(simple, [Reply::Simple(structured, vec![])]);
        }
        structured
    };
    let (permission, invalid) = (Errno::Permission as u32, Errno::Invalid as u32);
    for command in [command::WRITE, command::TRIM, command::WRITE_ZEROES] {
        assert_eq!(errno(command, 0, 0, 512), permission);
    }
    assert_eq!(errno(command::FLUSH, 0, 0, 0), 0);
    assert_eq!(errno(command::CACHE, 0, 0, 512), 0);
    assert_eq!(errno(command::CACHE, 0, size, 512), invalid);
    for (offset, length) in [(size, 1), (size - 1, 2), (u64::MAX, 1), (0, u32::MAX), (0, MAX_LENGTH + 1)] {
        assert_eq!(errno(command::READ, 0, offset, length), invalid);
    }
    assert_eq!(errno(command::READ, 1 << 9, 0, 512), invalid);
    assert_eq!(errno(command::BLOCK_STATUS, 0, 0, 512), 0);
    assert_eq!(errno(command::BLOCK_STATUS, command_flag::REQ_ONE, 1, SIZE as u32 - 1), 0);
    assert_eq!(errno(command::BLOCK_STATUS, 0, 1, SIZE as u32), invalid);
    assert_eq!(errno(command::BLOCK_STATUS, 0, 1, 0), invalid);
    for unknown in [8, 9, u16::MAX] {
        assert_eq!(errno(unknown, 0, 0, 0), invalid);
    }
    let not_agreed = request(command::BLOCK_STATUS, 0, 0, 512);
    let replies = answers(drive(false), Terms::default(), &not_agreed);
    assert_eq!(replies, [Reply::Simple(invalid, vec![])]);
}

#[test]
fn behind_a_reply_that_was_cut_off_nothing_is_sent() {
    struct Full(usize);
    impl Write for Full {
        fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
            let taken = buf.len().min(self.0);
            self.0 -= taken;
            if taken == 0 { Err(io::ErrorKind::BrokenPipe.into()) } else { Ok(taken) }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let out = Outbox::new(Full(100));
    assert!(send(&out, &[1; 60], &[2; 60]).is_err());
    assert!(send(&out, &[3], &[]).is_err());
}

#[test]
fn a_request_that_is_none_is_the_end() {
    let header = |magic: u32, command: u16, length: u32| {
        Message::default().u32(magic).u16(0).u16(command).u64(7).u64(0).u32(length).0
    };
    let read = |bytes: &[u8]| Request::read(&mut &*bytes);
    let sound = header(REQUEST, command::READ, 512);
    assert!(read(&sound).is_some());
    for length in 0..sound.len() {
        assert_eq!(read(&sound[..length]), None);
    }
    assert_eq!(read(&header(REQUEST + 1, command::READ, 512)), None);
    assert_eq!(read(&header(REQUEST, command::DISC, 0)), None);
    assert_eq!(read(&header(REQUEST, command::WRITE, u32::MAX)), None);
    assert_eq!(read(&[header(REQUEST, command::WRITE, 9), vec![0; 8]].concat()), None);
    let written = [header(REQUEST, command::WRITE, 9), vec![0; 9], sound].concat();
    let mut rest = written.as_slice();
    assert_eq!(Request::read(&mut rest).map(|request| request.command), Some(command::WRITE));
    assert_eq!(Request::read(&mut rest).map(|request| request.command), Some(command::READ));
}

proptest! {
    #[test]
    fn any_request_is_answered(command in 0_u16..10, flags in 0_u16..64, offset: u64, near in 0_u64..100, length: u32) {
        for offset in [offset, 0xffce + near] {
            let request = request(command, flags, offset, length);
            for terms in [STRUCTURED, Terms::default()] {
                let small = Drive { bytes: vec![1; 0x1_0000], is_bad: false };
                let replies = answers(small, terms, &request);
                prop_assert_ne!(replies.len(), 0);
            }
        }
    }
}

#[test]
fn names_are_cut_at_whole_characters() {
    let export = Export::new(&"ü".repeat(MAX_STRING), "", Arc::new(vec![0; 512]));
    assert_eq!(export.name().len(), MAX_STRING);
}
