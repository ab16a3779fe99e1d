//! Asking a server as fast as it answers, or as often as one wants to.

use std::collections::VecDeque;
use std::error::Error;
use std::fs;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore};

use crate::processes::busy;

/// How many ask at once.
pub const CONNECTIONS: usize = 128;
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// The longest answer that is read.
const ANSWER: usize = 1 << 20;

/// Where a server is, and how one speaks with it.
#[derive(Clone)]
pub struct Server {
    /// Its address.
    pub address: SocketAddr,
    /// Whom it has to be.
    pub tls: Arc<ClientConfig>,
}

/// Trusts one certificate.
///
/// # Errors
/// When the file is none.
pub fn trusting(certificate: &Path) -> Result<Arc<ClientConfig>, Box<dyn Error>> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(&fs::read(certificate)?)?)?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(Arc::new(config.with_root_certificates(roots).with_no_client_auth()))
}

/// A connection, on which one request at a time is answered.
struct Connection {
    socket: TcpStream,
    tls: ClientConnection,
    answer: Vec<u8>,
    there: usize,
    head: Option<Head>,
    /// When the request was due that is being answered.
    due: Instant,
}

impl Connection {
    fn send(&mut self, request: &[u8], due: Instant) -> io::Result<()> {
        (self.there, self.head, self.due) = (0, None, due);
        self.tls.writer().write_all(request)?;
        self.flush()
    }

    fn flush(&mut self) -> io::Result<()> {
        while self.tls.wants_write() {
            self.tls.write_tls(&mut self.socket)?;
        }
        Ok(())
    }

    /// Reads what has come, or waits for it. `None` while the answer is not whole.
    fn receive(&mut self) -> io::Result<Option<Head>> {
        if self.tls.read_tls(&mut self.socket)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.tls.process_new_packets().map_err(io::Error::other)?;
        self.flush()?;
        loop {
            if self.there == self.answer.len() {
                if self.there >= ANSWER {
                    return Err(bad());
                }
                self.answer.resize(2 * self.there, 0);
            }
            match self.tls.reader().read(&mut self.answer[self.there..]) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(more) => self.there += more,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        if self.head.is_none() {
            let answer = &self.answer[..self.there];
            let end = answer.windows(4).position(|four| four == b"\r\n\r\n");
            self.head = end.map(|end| Head::read(&answer[..end], end + 4)).transpose()?;
        }
        Ok(self.head.take_if(|head| self.there >= head.whole))
    }
}

/// What an answer begins with.
struct Head {
    status: u16,
    whole: usize,
    keeps: bool,
}

impl Head {
    /// Reads it; `length` bytes with what it ends with.
    fn read(bytes: &[u8], length: usize) -> io::Result<Self> {
        let text = std::str::from_utf8(bytes).map_err(|_| bad())?;
        let status = text.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or_else(bad)?;
        let mut head = Self { status, whole: 0, keeps: true };
        for (name, value) in text.lines().filter_map(|line| line.split_once(": ")) {
            if name.eq_ignore_ascii_case("content-length") {
                head.whole = length + value.parse::<usize>().map_err(|_| bad())?;
            } else if name.eq_ignore_ascii_case("connection") {
                head.keeps = !value.eq_ignore_ascii_case("close");
            }
        }
        if head.whole == 0 { Err(bad()) } else { Ok(head) }
    }
}

fn bad() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "no answer of HTTP/1.1 with a length")
}

impl Server {
    fn connect(&self) -> io::Result<Connection> {
        let mut socket = TcpStream::connect(self.address)?;
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        let name = ServerName::try_from("localhost").map_err(io::Error::other)?;
        let mut tls = ClientConnection::new(Arc::clone(&self.tls), name).map_err(io::Error::other)?;
        while tls.is_handshaking() {
            tls.complete_io(&mut socket)?;
        }
        Ok(Connection { socket, tls, answer: vec![0; 16 << 10], there: 0, head: None, due: Instant::now() })
    }

    /// Asks on a new connection, and returns it with the status.
    fn first(&self, request: &[u8]) -> io::Result<(Connection, u16)> {
        let mut connection = self.connect()?;
        connection.send(request, Instant::now())?;
        loop {
            if let Some(head) = connection.receive()? {
                return Ok((connection, head.status));
            }
        }
    }

    /// Asks once, and returns the status.
    ///
    /// # Errors
    /// When there is no answer.
    pub fn ask(&self, request: &[u8]) -> io::Result<u16> {
        self.first(request).map(|(_, status)| status)
    }

    /// Asks until it answers with `status`, and returns how long that took.
    ///
    /// # Errors
    /// When it does not.
    pub fn wait(&self, request: &[u8], status: u16, since: Instant) -> Result<Duration, Box<dyn Error>> {
        loop {
            match self.ask(request) {
                Ok(found) if found == status => return Ok(since.elapsed()),
                found if since.elapsed() > PATIENCE => return Err(format!("it answers {found:?}").into()),
                _ => thread::sleep(Duration::from_millis(2)),
            }
        }
    }
}

/// What came of asking.
pub struct Asked {
    /// Answers per second.
    pub rate: f64,
    /// The processor time that asking took, per answer.
    pub busy: Duration,
    /// How long each took, the shortest first.
    pub times: Vec<Duration>,
}

impl Asked {
    /// Returns the time within which so many of a hundred were answered.
    pub fn percentile(&self, percent: usize) -> Duration {
        self.times[(self.times.len() * percent / 100).min(self.times.len() - 1)]
    }
}

/// Asks each request once, all connections as fast as they are answered; every answer must have the status.
///
/// # Errors
/// When one has not.
pub fn flood(server: &Server, requests: &[Vec<u8>], status: u16) -> Result<Asked, Box<dyn Error>> {
    run(server, requests, status, None)
}

/// Asks each request once, so many a second, whether or not the ones before were answered: what a request waits for
/// its turn is counted too.
///
/// # Errors
/// When an answer has another status.
pub fn trickle(
    server: &Server,
    requests: &[Vec<u8>],
    status: u16,
    rate: f64,
) -> Result<Asked, Box<dyn Error>> {
    run(server, requests, status, Some(rate))
}

/// One thread asks on all connections: it takes the processors away from the server as little as can be. The first request
/// on each is not counted: connections are kept, and what it takes to open one is another question.
fn run(
    server: &Server,
    requests: &[Vec<u8>],
    status: u16,
    rate: Option<f64>,
) -> Result<Asked, Box<dyn Error>> {
    let (first, requests) = requests.split_at(CONNECTIONS.min(requests.len() / 2));
    let mut connections = Vec::with_capacity(CONNECTIONS);
    for request in first {
        let (connection, found) = server.first(request)?;
        expect(found, status)?;
        connections.push(connection);
    }
    // Who has waited longest asks next: the server's workers get the same to do.
    let mut free: VecDeque<usize> = (0..connections.len()).collect();
    let mut times = Vec::with_capacity(requests.len());
    let mut waiting = requests.iter().enumerate().peekable();
    let busy_before = busy(&[std::process::id()]);
    let start = Instant::now();
    while times.len() < requests.len() {
        let mut pause = PATIENCE;
        while let Some(&(number, request)) = waiting.peek() {
            let now = Instant::now();
            let due = rate.map_or(now, |rate| start + Duration::from_secs_f64(number as f64 / rate));
            if due > now {
                pause = due - now;
                break;
            }
            let Some(asker) = free.pop_front() else { break };
            connections[asker].send(request, due)?;
            waiting.next();
        }
        for number in ready(&connections, pause)? {
            let connection = &mut connections[number];
            let Some(Head { status: found, keeps, .. }) = connection.receive()? else { continue };
            expect(found, status)?;
            times.push(connection.due.elapsed());
            free.push_back(number);
            if !keeps {
                *connection = server.connect()?;
            }
        }
    }
    let rate = times.len() as f64 / start.elapsed().as_secs_f64();
    let busy = busy(&[std::process::id()]) - busy_before;
    times.sort_unstable();
    Ok(Asked { rate, busy: Duration::from_secs_f64(busy / times.len() as f64), times })
}

fn expect(found: u16, status: u16) -> Result<(), Box<dyn Error>> {
    if found == status { Ok(()) } else { Err(format!("it answers {found}, not {status}").into()) }
}

/// Waits until something has come on some of the connections, or the time is over.
fn ready(connections: &[Connection], pause: Duration) -> io::Result<Vec<usize>> {
    let socket = |connection| PollFd::new(connection, PollFlags::IN);
    let mut sockets: Vec<_> = connections.iter().map(|connection| &connection.socket).map(socket).collect();
    let pause_over = poll(&mut sockets, Some(&Timespec::try_from(pause).map_err(io::Error::other)?))? == 0;
    if pause_over && pause == PATIENCE {
        return Err(io::ErrorKind::TimedOut.into());
    }
    let spoken = |(number, socket): (usize, &PollFd<'_>)| (!socket.revents().is_empty()).then_some(number);
    Ok(sockets.iter().enumerate().filter_map(spoken).collect())
}
