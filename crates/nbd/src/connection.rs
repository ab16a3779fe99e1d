//! One client: its requests are read and answered by threads of its own.

use std::io::{self, BufReader, Read, Write};
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread::{self, Builder, Scope, ScopedJoinHandle};

use crate::Export;
use crate::handshake::{HandshakeError, Outcome, Security, greet, negotiate};
use crate::transmission::{Outbox, Request, Session};

/// Room for 64 requests and more.
const INBOX: usize = 4096;
/// More than this, and no client takes what they have as fast as they get it.
const MAX_WORKERS: usize = 16;

/// Speaks with one client over any two streams, without TLS, until it leaves. Returns whether it came to read.
///
/// # Errors
/// When there is no agreement on what to read.
pub fn converse(
    export: &Export,
    reader: impl Read + Send,
    writer: impl Write + Send,
) -> Result<bool, HandshakeError> {
    let mut both = Both(reader, writer);
    let no_zeroes = greet(&mut both)?;
    let outcome = negotiate(&mut both, export, Security::Open, no_zeroes)?;
    let Outcome::Transmission(terms) = outcome else { return Ok(false) };
    transmit(&Session { export, terms, unreadable: &|_, _| () }, both.0, both.1, &|| ());
    Ok(true)
}

struct Both<R, W>(R, W);

impl<R: Read, W> Read for Both<R, W> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.0.read(buf)
    }
}

impl<R, W: Write> Write for Both<R, W> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.1.write(buf)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.1.flush()
    }
}

/// Answers requests until the client leaves. `hang_up` makes the reader end.
pub(crate) fn transmit<R: Read + Send, W: Write + Send>(
    session: &Session<'_>,
    reader: R,
    writer: W,
    hang_up: &(dyn Fn() + Sync),
) {
    let connection = Connection {
        session,
        inbox: Mutex::new(Some(BufReader::with_capacity(INBOX, reader))),
        out: Outbox::new(writer),
        hang_up,
        waiting: AtomicUsize::new(0),
        // One more than there are processors: some wait for the client to take what they have.
        to_come: AtomicUsize::new(thread::available_parallelism().map_or(1, usize::from).min(MAX_WORKERS)),
    };
    thread::scope(|scope| connection.work(scope));
}

struct Connection<'a, R, W> {
    session: &'a Session<'a>,
    /// `None` when no request comes any more.
    inbox: Mutex<Option<BufReader<R>>>,
    out: Outbox<W>,
    hang_up: &'a (dyn Fn() + Sync),
    /// How many threads wait for a request.
    waiting: AtomicUsize,
    /// How many more threads there may be.
    to_come: AtomicUsize,
}

impl<R: Read + Send, W: Write + Send> Connection<'_, R, W> {
    fn work<'scope>(&'scope self, scope: &'scope Scope<'scope, '_>) {
        let mut buf = Vec::new();
        let mut helpers = Vec::new();
        while let Some(request) = self.next() {
            if self.waiting.load(Ordering::SeqCst) == 0 {
                helpers.extend(self.call_for_help(scope));
            }
            if self.session.answer(&request, &mut buf, &self.out).is_err() {
                (self.hang_up)();
                break;
            }
        }
        // The scope waits for their work alone; a joined thread is gone, with all that the system kept for it.
        for helper in helpers {
            helper.join().unwrap_or_else(|panic| resume_unwind(panic));
        }
    }

    fn next(&self) -> Option<Request> {
        self.waiting.fetch_add(1, Ordering::SeqCst);
        let mut inbox = self.inbox.lock().unwrap_or_else(PoisonError::into_inner);
        let request = inbox.as_mut().and_then(Request::read);
        self.waiting.fetch_sub(1, Ordering::SeqCst);
        if request.is_none() {
            *inbox = None;
        }
        request
    }

    /// Starts a thread that waits for the next request, if there may be one more.
    fn call_for_help<'scope>(
        &'scope self,
        scope: &'scope Scope<'scope, '_>,
    ) -> Option<ScopedJoinHandle<'scope, ()>> {
        let take = |left: usize| left.checked_sub(1);
        self.to_come.fetch_update(Ordering::SeqCst, Ordering::SeqCst, take).ok()?;
        // Where there can be no more threads, those that are there do the work.
        Builder::new().name("nbd".to_owned()).spawn_scoped(scope, || self.work(scope)).ok()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;

    fn said(client: &[u8]) -> (Result<bool, HandshakeError>, Vec<u8>) {
        let export = Export::new("drive", "", Arc::new(vec![0x5a; 0x1_0000]));
        let mut heard = Vec::new();
        (converse(&export, client, &mut heard), heard)
    }

    #[test]
    fn a_client_comes_reads_and_goes() {
        let client = b"\0\0\0\x03IHAVEOPT\0\0\0\x01\0\0\0\x05drive\
            \x25\x60\x95\x13\0\0\0\0\0\0\0\0\0\0\0\x07\0\0\0\0\0\0\xff\xff\0\0\0\x01\
            \x25\x60\x95\x13\0\0\0\x02\0\0\0\0\0\0\0\x08\0\0\0\0\0\0\0\0\0\0\0\0";
        let (outcome, heard) = said(client);
        assert!(matches!(outcome, Ok(true)));
        assert_eq!(heard[..18], *b"NBDMAGICIHAVEOPT\0\x03");
        assert_eq!(heard[28..], *b"\x67\x44\x66\x98\0\0\0\0\0\0\0\0\0\0\0\x07\x5a");
    }

    proptest! {
        #[test]
        fn whatever_a_client_says_is_survived(
            options in prop::collection::vec((0_u32..14, prop::collection::vec(any::<u8>(), 0..40)), 0..4),
            requests in prop::collection::vec((any::<u16>(), 0_u16..10, any::<[u8; 20]>()), 0..6),
        ) {
            let mut client = 3_u32.to_be_bytes().to_vec();
            for (option, data) in options.into_iter().chain([(1, Vec::new())]) {
                client.extend(b"IHAVEOPT");
                client.extend(option.to_be_bytes());
                client.extend((data.len() as u32).to_be_bytes());
                client.extend(data);
            }
            for (flags, command, rest) in requests {
                client.extend(b"\x25\x60\x95\x13");
                client.extend(flags.to_be_bytes());
                client.extend(command.to_be_bytes());
                client.extend(rest);
            }
            let _ = said(&client);
        }
    }
}
