//! Requests, and what they are answered with.

use std::io::{self, IoSlice, Read, Write};
use std::sync::{Mutex, PoisonError};

use crate::Export;
use crate::fields::{Fields, Message};
use crate::handshake::{ALLOCATION_ID, Terms};
use crate::protocol::{CHUNK, Errno, MAX_LENGTH, REQUEST, SIMPLE_REPLY, chunk, command, command_flag};

/// What is decrypted and sent at once: large enough that system calls do not count, small enough to stay in a
/// processor's cache.
const PIECE: usize = 256 << 10;
/// A reply that must be in one piece is kept in memory up to here; Linux asks for 1.25 MiB at most.
const MAX_WHOLE: usize = 2 << 20;
/// No drive has smaller sectors: what can be read before a bad one is found in these steps.
const SECTOR: usize = 512;
/// Errors are explained in a line.
const MAX_TEXT: usize = 500;

/// A request as it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Request {
    flags: u16,
    command: u16,
    cookie: u64,
    offset: u64,
    length: u32,
}

impl Request {
    /// Reads the next request, and passes over what a write brings along. `None` at the end, which is also what
    /// follows when the client says goodbye or nonsense.
    pub(crate) fn read(from: &mut impl Read) -> Option<Self> {
        let mut header = [0; 28];
        from.read_exact(&mut header).ok()?;
        let mut fields = Fields::of(&header);
        fields.u32().filter(|&magic| magic == REQUEST)?;
        let request = Self {
            flags: fields.u16()?,
            command: fields.u16()?,
            cookie: fields.u64()?,
            offset: fields.u64()?,
            length: fields.u32()?,
        };
        match request.command {
            command::DISC => None,
            command::WRITE => {
                let length = u64::from(Some(request.length).filter(|&length| length <= MAX_LENGTH)?);
                let passed = io::copy(&mut from.take(length), &mut io::sink()).ok()?;
                (passed == length).then_some(request)
            }
            _ => Some(request),
        }
    }

    fn end(&self) -> Option<u64> {
        self.offset.checked_add(u64::from(self.length))
    }
}

/// Where replies go, one at a time. Behind one that was cut off nothing more is sent: it would be taken for the rest
/// of it.
pub(crate) struct Outbox<W>(Mutex<Option<W>>);

impl<W: Write> Outbox<W> {
    pub(crate) fn new(writer: W) -> Self {
        Self(Mutex::new(Some(writer)))
    }

    fn write(&self, write: impl FnOnce(&mut W) -> io::Result<()>) -> io::Result<()> {
        let mut writer = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let out = writer.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
        let written = write(out).and_then(|()| out.flush());
        if written.is_err() {
            *writer = None;
        }
        written
    }
}

/// What answers requests.
pub(crate) struct Session<'a> {
    pub(crate) export: &'a Export,
    pub(crate) terms: Terms,
    /// Hears where the drive could not be read, and why.
    pub(crate) unreadable: &'a (dyn Fn(u64, &io::Error) + Sync),
}

impl Session<'_> {
    /// Answers a request. `buf` is this thread's own; `out` is locked only to write.
    ///
    /// # Errors
    /// When the client cannot be told: then it must be told nothing more.
    pub(crate) fn answer(
        &self,
        request: &Request,
        buf: &mut Vec<u8>,
        out: &Outbox<impl Write>,
    ) -> io::Result<()> {
        let result = match request.command {
            command::READ => return self.read(request, buf, out),
            command::BLOCK_STATUS => return self.status(request, out),
            command::WRITE | command::TRIM | command::WRITE_ZEROES => Err(Errno::Permission),
            // There is nothing to flush, and reading ahead is the system's business.
            command::FLUSH if request.flags == 0 => Ok(()),
            command::CACHE if request.flags == 0 => self.check(request),
            _ => Err(Errno::Invalid),
        };
        match result {
            Ok(()) => send(out, &simple(request, 0), &[]),
            Err(error) => self.fail(request, out, error),
        }
    }

    /// Checks that a request lies in the export.
    fn check(&self, request: &Request) -> Result<(), Errno> {
        let fits = request.end().is_some_and(|end| end <= self.export.bytes.size());
        if fits { Ok(()) } else { Err(Errno::Invalid) }
    }

    fn read(&self, request: &Request, buf: &mut Vec<u8>, out: &Outbox<impl Write>) -> io::Result<()> {
        let known = if self.terms.structured { command_flag::DF } else { 0 };
        if request.length > MAX_LENGTH || request.flags & !known != 0 || self.check(request).is_err() {
            return self.fail(request, out, Errno::Invalid);
        }
        let answered = match self.terms.structured {
            true => self.read_in_chunks(request, buf, out),
            false => self.read_at_once(request, buf, out),
        };
        // What one long answer needed is not kept for all time.
        buf.truncate(PIECE);
        buf.shrink_to(PIECE);
        answered
    }

    fn read_in_chunks(
        &self,
        request: &Request,
        buf: &mut Vec<u8>,
        out: &Outbox<impl Write>,
    ) -> io::Result<()> {
        let is_whole = request.flags & command_flag::DF != 0;
        let mut left = request.length as usize;
        if is_whole && left > MAX_WHOLE {
            return self.fail(request, out, Errno::TooLong);
        }
        if left == 0 {
            return send(out, &head(request, chunk::NONE, chunk::DONE, 0).0, &[]);
        }
        let mut at = request.offset;
        while left > 0 {
            let piece = room(buf, if is_whole { left } else { left.min(PIECE) });
            let (good, error) = self.read_before_damage(at, piece);
            left -= piece.len();
            let done = if left == 0 && error.is_none() { chunk::DONE } else { 0 };
            if good > 0 && (error.is_none() || !is_whole) {
                send_content(request, done, at, &piece[..good], out)?;
            }
            at += good as u64;
            if let Some(error) = error {
                return self.fail_at(request, out, at, &error);
            }
        }
        Ok(())
    }

    /// Answers as clients of old expect it: an error can only be told before the first byte.
    fn read_at_once(&self, request: &Request, buf: &mut Vec<u8>, out: &Outbox<impl Write>) -> io::Result<()> {
        let length = request.length as usize;
        if length <= MAX_WHOLE {
            let all = room(buf, length);
            return match self.read_before_damage(request.offset, all) {
                (_, None) => send(out, &simple(request, 0), all),
                (good, Some(error)) => self.fail_at(request, out, request.offset + good as u64, &error),
            };
        }
        // Longer than what is kept in memory: all of it is read to see that it can be, then read again and sent.
        let pieces = || (0..length).step_by(PIECE).map(|start| (start, PIECE.min(length - start)));
        for (start, length) in pieces() {
            let at = request.offset + start as u64;
            if let (good, Some(error)) = self.read_before_damage(at, room(buf, length)) {
                return self.fail_at(request, out, at + good as u64, &error);
            }
        }
        out.write(|out| {
            out.write_all(&simple(request, 0))?;
            pieces().try_for_each(|(start, length)| {
                let piece = room(buf, length);
                self.export.bytes.read_at(request.offset + start as u64, piece)?;
                out.write_all(piece)
            })
        })
    }

    /// Fills `buf`, or what lies before the first bad sector, and returns how much that is.
    fn read_before_damage(&self, at: u64, buf: &mut [u8]) -> (usize, Option<io::Error>) {
        let bytes = &self.export.bytes;
        if bytes.read_at(at, buf).is_ok() {
            return (buf.len(), None);
        }
        let mut good = 0;
        while good < buf.len() {
            let place = at + good as u64;
            let length = (SECTOR - (place % SECTOR as u64) as usize).min(buf.len() - good);
            if let Err(error) = bytes.read_at(place, &mut buf[good..good + length]) {
                return (good, Some(error));
            }
            good += length;
        }
        (good, None)
    }

    /// Says what is allocated: everything may be. Only reading tells where zeros are.
    fn status(&self, request: &Request, out: &Outbox<impl Write>) -> io::Result<()> {
        let is_sound = self.terms.allocation
            && request.length > 0
            && request.flags & !command_flag::REQ_ONE == 0
            && self.check(request).is_ok();
        if !is_sound {
            return self.fail(request, out, Errno::Invalid);
        }
        let status = head(request, chunk::BLOCK_STATUS, chunk::DONE, 12).u32(ALLOCATION_ID);
        send(out, &status.u32(request.length).u32(0).0, &[])
    }

    fn fail_at(
        &self,
        request: &Request,
        out: &Outbox<impl Write>,
        at: u64,
        error: &io::Error,
    ) -> io::Result<()> {
        (self.unreadable)(at, error);
        let errno = if error.kind() == io::ErrorKind::OutOfMemory { Errno::NoMemory } else { Errno::Io };
        if !self.terms.structured {
            return self.fail(request, out, errno);
        }
        let text = error.to_string();
        let text = &text.as_bytes()[..text.floor_char_boundary(MAX_TEXT)];
        let head = head(request, chunk::ERROR_OFFSET, chunk::DONE, 6 + text.len() + 8);
        send(out, &head.u32(errno as u32).u16(text.len() as u16).bytes(text).u64(at).0, &[])
    }

    fn fail(&self, request: &Request, out: &Outbox<impl Write>, errno: Errno) -> io::Result<()> {
        if self.terms.structured {
            let head = head(request, chunk::ERROR, chunk::DONE, 6);
            return send(out, &head.u32(errno as u32).u16(0).0, &[]);
        }
        send(out, &simple(request, errno as u32), &[])
    }
}

fn send_content(
    request: &Request,
    done: u16,
    at: u64,
    bytes: &[u8],
    out: &Outbox<impl Write>,
) -> io::Result<()> {
    if is_zero(bytes) {
        let head = head(request, chunk::OFFSET_HOLE, done, 12);
        return send(out, &head.u64(at).u32(bytes.len() as u32).0, &[]);
    }
    let head = head(request, chunk::OFFSET_DATA, done, 8 + bytes.len());
    send(out, &head.u64(at).0, bytes)
}

/// The beginning of a chunk with `length` bytes of payload.
fn head(request: &Request, kind: u16, flags: u16, length: usize) -> Message {
    Message::default().u32(CHUNK).u16(flags).u16(kind).u64(request.cookie).u32(length as u32)
}

fn simple(request: &Request, errno: u32) -> Vec<u8> {
    Message::default().u32(SIMPLE_REPLY).u32(errno).u64(request.cookie).0
}

/// Makes room for `length` bytes.
fn room(buf: &mut Vec<u8>, length: usize) -> &mut [u8] {
    if buf.len() < length {
        buf.resize(length, 0);
    }
    &mut buf[..length]
}

/// Blocks, so that what is not zero is seen soon and what is zero is seen fast.
fn is_zero(bytes: &[u8]) -> bool {
    bytes.chunks(1024).all(|block| block.iter().fold(0, |sum, byte| sum | byte) == 0)
}

fn send(out: &Outbox<impl Write>, head: &[u8], data: &[u8]) -> io::Result<()> {
    out.write(|out| write_both(out, head, data))
}

/// Writes both without putting them together first.
fn write_both(out: &mut impl Write, head: &[u8], data: &[u8]) -> io::Result<()> {
    let slices = &mut [IoSlice::new(head), IoSlice::new(data)];
    let mut slices = &mut slices[..if data.is_empty() { 1 } else { 2 }];
    while !slices.is_empty() {
        match out.write_vectored(slices) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => IoSlice::advance_slices(&mut slices, written),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
