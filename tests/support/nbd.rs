//! A disk in memory, lent to QEMU over NBD, that remembers what is written to it and can be pulled out.
//!
//! The protocol is that of <https://github.com/NetworkBlockDevice/nbd/blob/master/doc/proto.md>: the fixed
//! newstyle handshake, and of the commands those that a stick knows.

use std::io::{self, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;

/// What a disk was asked to change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Bytes to write at an offset.
    Write(u64, Vec<u8>),
    /// Everything is to be on the medium before this is answered.
    Flush,
}

/// A disk.
#[derive(Clone)]
pub struct Disk(Arc<(Mutex<State>, Condvar)>);

#[derive(Default)]
struct State {
    bytes: Vec<u8>,
    events: Vec<Event>,
    requests: usize,
    pulled: bool,
    pull: Option<Pull>,
    is_lent: bool,
}

/// When to pull the disk out: at which request, whether in the middle of it, and what to do then.
struct Pull {
    at: usize,
    torn: bool,
    then: Box<dyn FnOnce() + Send>,
}

impl Disk {
    /// Makes a disk with this content.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Arc::new((Mutex::new(State { bytes, ..State::default() }), Condvar::new())))
    }

    /// Serves the next one who connects to the socket at this path.
    ///
    /// # Errors
    /// When there can be no socket.
    pub fn serve(&self, path: &Path) -> io::Result<()> {
        let listener = UnixListener::bind(path)?;
        let disk = self.clone();
        disk.state().is_lent = true;
        thread::spawn(move || {
            // A client that goes away is no error: so does every machine in the end.
            let _ = listener.accept().and_then(|(client, _)| disk.attend(client));
            disk.state().is_lent = false;
            disk.0.1.notify_all();
        });
        Ok(())
    }

    /// Begins to count the requests anew, and to remember the changes.
    pub fn start_over(&self) {
        let mut state = self.state();
        state.events.clear();
        state.requests = 0;
    }

    /// Pulls the disk out at a request, counted from 0 since the last start: nothing of it is done, or, when it is
    /// torn, the first half of what it writes.
    pub fn pull_at(&self, request: usize, torn: bool, then: impl FnOnce() + Send + 'static) {
        self.state().pull = Some(Pull { at: request, torn, then: Box::new(then) });
    }

    /// Returns whether it was pulled out.
    pub fn is_pulled(&self) -> bool {
        self.state().pulled
    }

    /// Returns how many requests there were.
    pub fn requests(&self) -> usize {
        self.state().requests
    }

    /// Returns what was changed, in order.
    pub fn events(&self) -> Vec<Event> {
        self.state().events.clone()
    }

    /// Returns the bytes on the disk once nobody is connected to it any more.
    pub fn bytes(&self) -> Vec<u8> {
        let state = self.0.1.wait_while(self.state(), |state| state.is_lent);
        state.unwrap_or_else(|error| error.into_inner()).bytes.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.0.lock().unwrap_or_else(|error| error.into_inner())
    }

    fn attend(&self, mut client: UnixStream) -> io::Result<()> {
        self.shake_hands(&mut client)?;
        loop {
            let mut request = [0; 28];
            client.read_exact(&mut request)?;
            let [kind, cookie, offset, length] = [(6, 8), (8, 16), (16, 24), (24, 28)].map(|(from, to)| {
                request[from..to].iter().fold(0_u64, |sum, &byte| sum << 8 | u64::from(byte))
            });
            let mut data = vec![0; if kind == WRITE { length as usize } else { 0 }];
            client.read_exact(&mut data)?;
            let answer = match kind {
                DISCONNECT => return Ok(()),
                _ => self.answer(kind, offset, length, data),
            };
            let mut reply = 0x6744_6698_u32.to_be_bytes().to_vec();
            reply.extend(if answer.is_some() { 0_u32 } else { 5 }.to_be_bytes());
            reply.extend(cookie.to_be_bytes());
            reply.extend(answer.unwrap_or_default());
            client.write_all(&reply)?;
        }
    }

    /// Does what is asked and returns the bytes that were asked for; `None` when the disk was pulled out.
    fn answer(&self, kind: u64, offset: u64, length: u64, mut data: Vec<u8>) -> Option<Vec<u8>> {
        let mut state = self.state();
        let now = state.requests;
        state.requests += 1;
        let pull = state.pull.take_if(|pull| pull.at == now);
        if let Some(pull) = &pull {
            data.truncate(if pull.torn { data.len() / 1024 * 512 } else { 0 });
        } else if state.pulled {
            return None;
        }
        let (from, to) = (offset as usize, (offset + length) as usize);
        let mut answer = Vec::new();
        match kind {
            READ => answer = state.bytes.get(from..to)?.to_vec(),
            WRITE => {
                state.bytes.get_mut(from..from + data.len())?.copy_from_slice(&data);
                state.events.push(Event::Write(offset, data));
            }
            FLUSH => state.events.push(Event::Flush),
            _ => return None,
        }
        let Some(pull) = pull else { return Some(answer) };
        state.pulled = true;
        // QEMU lets nothing be pulled out before this request is answered.
        thread::spawn(pull.then);
        None
    }

    fn shake_hands(&self, client: &mut UnixStream) -> io::Result<()> {
        client.write_all(b"NBDMAGICIHAVEOPT\0\x03")?;
        client.read_exact(&mut [0; 4])?;
        loop {
            let mut header = [0; 16];
            client.read_exact(&mut header)?;
            let option = [header[8], header[9], header[10], header[11]];
            let length = u32::from_be_bytes([header[12], header[13], header[14], header[15]]);
            client.read_exact(&mut vec![0; length as usize])?;
            let mut reply = |kind: u32, data: &[u8]| {
                let mut reply = 0x0003_e889_0455_65a9_u64.to_be_bytes().to_vec();
                reply.extend(option);
                reply.extend(kind.to_be_bytes());
                reply.extend((data.len() as u32).to_be_bytes());
                reply.extend(data);
                client.write_all(&reply)
            };
            match u32::from_be_bytes(option) {
                GO => {
                    let mut export = vec![0, 0];
                    export.extend((self.state().bytes.len() as u64).to_be_bytes());
                    export.extend(HAS_FLUSH.to_be_bytes());
                    reply(3, &export)?;
                    return reply(1, &[]);
                }
                _ => reply(0x8000_0001, &[])?,
            }
        }
    }
}

const READ: u64 = 0;
const WRITE: u64 = 1;
const DISCONNECT: u64 = 2;
const FLUSH: u64 = 3;
const GO: u32 = 7;
const HAS_FLUSH: u16 = 0b101;
