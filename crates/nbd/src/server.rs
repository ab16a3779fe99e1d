//! The server: clients come, are counted and attended to, and go.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::Export;
use crate::connection::transmit;
use crate::handshake::{HandshakeError, Outcome, Security, Terms, greet, negotiate};
use crate::socket::{Listener, Socket};
use crate::tls::Tls;
use crate::transmission::Session;

/// A program that copies opens some, a kernel one for each processor.
const MAX_CONNECTIONS: usize = 64;
/// A client that has not begun to read by then is hung up on.
const HANDSHAKE: Duration = Duration::from_secs(15);
/// How often the server looks up from waiting for clients.
const TICK: Duration = Duration::from_millis(100);
/// How long what is being read may take at the end; a failing drive may take for ever.
const GRACE: Duration = Duration::from_secs(3);

/// How to serve.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Speak with nobody but over TLS.
    pub tls: Option<Tls>,
    /// Stop when nobody reads any more, after somebody has.
    pub once: bool,
}

/// What happens while clients are served.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A client was told that the drive cannot be read at a place.
    Unreadable {
        /// The place, in bytes.
        offset: u64,
        /// What the drive said.
        error: &'a io::Error,
    },
    /// A client was turned away, or left before it began to read.
    TurnedAway(&'a HandshakeError),
    /// A client was turned away because there are too many.
    TooMany,
}

/// Serves clients until `stop` says so, which is asked several times a second. When it returns, connections are
/// closed.
///
/// # Errors
/// When there can be no clients. What happens to one of them is told to `watch`.
pub fn serve(
    listener: &Listener,
    export: Export,
    options: Options,
    stop: &dyn Fn() -> bool,
    watch: impl Fn(Event<'_>) + Send + Sync + 'static,
) -> io::Result<()> {
    listener.prepare()?;
    let server = Arc::new(Server {
        export,
        tls: options.tls,
        watch: Box::new(watch),
        clients: Mutex::default(),
        left: Condvar::new(),
    });
    while !(stop() || options.once && server.clients().nobody_reads_any_more()) {
        server.clients().hang_up_on_dawdlers();
        match listener.accept(TICK) {
            Ok(Some(socket)) => server.welcome(socket),
            Ok(None) => {}
            // Such as no descriptors left: that passes when a client leaves.
            Err(_) => thread::sleep(TICK),
        }
    }
    server.close();
    Ok(())
}

struct Server {
    export: Export,
    tls: Option<Tls>,
    watch: Box<dyn Fn(Event<'_>) + Send + Sync>,
    clients: Mutex<Clients>,
    /// A client has left.
    left: Condvar,
}

#[derive(Default)]
struct Clients {
    next: u64,
    connected: BTreeMap<u64, Client>,
    somebody_has_read: bool,
}

struct Client {
    socket: Arc<Socket>,
    /// Until when it must begin to read; `None` when it has.
    deadline: Option<Instant>,
}

impl Clients {
    fn nobody_reads_any_more(&self) -> bool {
        self.somebody_has_read && self.connected.values().all(|client| client.deadline.is_some())
    }

    fn hang_up_on_dawdlers(&self) {
        let now = Instant::now();
        let is_late = |client: &&Client| client.deadline.is_some_and(|deadline| deadline < now);
        self.connected.values().filter(is_late).for_each(|client| client.socket.hang_up());
    }
}

impl Server {
    fn clients(&self) -> MutexGuard<'_, Clients> {
        self.clients.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn welcome(self: &Arc<Self>, socket: Socket) {
        let socket = Arc::new(socket);
        let mut clients = self.clients();
        if clients.connected.len() >= MAX_CONNECTIONS {
            drop(clients);
            return (self.watch)(Event::TooMany);
        }
        let id = clients.next;
        clients.next += 1;
        let deadline = Some(Instant::now() + HANDSHAKE);
        clients.connected.insert(id, Client { socket: socket.clone(), deadline });
        drop(clients);
        let server = self.clone();
        let attend = move || {
            if let Err(error) = server.attend(id, &socket) {
                (server.watch)(Event::TurnedAway(&error));
            }
            socket.hang_up();
            server.dismiss(id);
        };
        if thread::Builder::new().name("nbd".to_owned()).spawn(attend).is_err() {
            self.dismiss(id);
            (self.watch)(Event::TooMany);
        }
    }

    fn attend(&self, id: u64, socket: &Socket) -> Result<(), HandshakeError> {
        let mut plain = socket;
        let no_zeroes = greet(&mut plain)?;
        let security = if self.tls.is_some() { Security::TlsRequired } else { Security::Open };
        match (negotiate(&mut plain, &self.export, security, no_zeroes)?, &self.tls) {
            (Outcome::Transmission(terms), _) => self.lend(id, terms, socket, socket),
            (Outcome::StartTls, Some(tls)) => {
                let channel = tls.accept(socket).map_err(HandshakeError::Tls)?;
                let mut stream = &channel;
                let outcome = negotiate(&mut stream, &self.export, Security::Tls, no_zeroes)?;
                if let Outcome::Transmission(terms) = outcome {
                    self.lend(id, terms, &channel, socket);
                }
                channel.close();
            }
            _ => {}
        }
        Ok(())
    }

    fn dismiss(&self, id: u64) {
        self.clients().connected.remove(&id);
        self.left.notify_all();
    }

    fn lend(&self, id: u64, terms: Terms, stream: impl Read + Write + Copy + Send, socket: &Socket) {
        {
            let mut clients = self.clients();
            clients.somebody_has_read = true;
            if let Some(client) = clients.connected.get_mut(&id) {
                client.deadline = None;
            }
        }
        let unreadable = |offset, error: &_| (self.watch)(Event::Unreadable { offset, error });
        let session = Session { export: &self.export, terms, unreadable: &unreadable };
        transmit(&session, stream, stream, &|| socket.hang_up());
    }

    fn close(&self) {
        let clients = self.clients();
        clients.connected.values().for_each(|client| client.socket.hang_up());
        let is_anybody_left = |clients: &mut Clients| !clients.connected.is_empty();
        let waited = self.left.wait_timeout_while(clients, GRACE, is_anybody_left);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }
}

#[cfg(test)]
mod tests;
