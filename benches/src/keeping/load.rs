//! Asking a server as fast as it answers, or as often as one wants to.

use std::error::Error;
use std::fs;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::processes::busy;

/// How many ask at once.
pub const CONNECTIONS: usize = 32;
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

type Stream = StreamOwned<ClientConnection, TcpStream>;

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

/// A connection that is kept as long as the server keeps it.
struct Connection<'s> {
    server: &'s Server,
    stream: Option<Stream>,
    answer: Vec<u8>,
}

impl Connection<'_> {
    /// Asks, and returns the status once the whole answer is there.
    fn ask(&mut self, request: &[u8]) -> io::Result<u16> {
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => self.server.connect()?,
        };
        stream.write_all(request)?;
        stream.flush()?;
        let mut there = 0;
        let head = loop {
            there += self.more(&mut stream, there)?;
            if let Some(end) = self.answer[..there].windows(4).position(|four| four == b"\r\n\r\n") {
                break Head::read(&self.answer[..end], end + 4)?;
            }
        };
        while there < head.whole {
            there += self.more(&mut stream, there)?;
        }
        self.stream = head.keeps.then_some(stream);
        Ok(head.status)
    }

    fn more(&mut self, stream: &mut Stream, there: usize) -> io::Result<usize> {
        if there == self.answer.len() {
            if there >= ANSWER {
                return Err(bad());
            }
            self.answer.resize(2 * there, 0);
        }
        match stream.read(&mut self.answer[there..])? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            more => Ok(more),
        }
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
    fn connect(&self) -> io::Result<Stream> {
        let stream = TcpStream::connect(self.address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let name = ServerName::try_from("localhost").map_err(io::Error::other)?;
        let client = ClientConnection::new(Arc::clone(&self.tls), name).map_err(io::Error::other)?;
        Ok(StreamOwned::new(client, stream))
    }

    fn connection(&self) -> Connection<'_> {
        Connection { server: self, stream: None, answer: vec![0; 16 << 10] }
    }

    /// Asks once, and returns the status.
    ///
    /// # Errors
    /// When there is no answer.
    pub fn ask(&self, request: &[u8]) -> io::Result<u16> {
        self.connection().ask(request)
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

fn run(
    server: &Server,
    requests: &[Vec<u8>],
    status: u16,
    rate: Option<f64>,
) -> Result<Asked, Box<dyn Error>> {
    let next = AtomicUsize::new(0);
    let busy_before = busy(&[std::process::id()]);
    let start = Instant::now() + Duration::from_millis(100);
    let work = || -> Result<Vec<Duration>, io::Error> {
        let (mut connection, mut times) = (server.connection(), Vec::new());
        thread::sleep(start.saturating_duration_since(Instant::now()));
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some(request) = requests.get(number) else { return Ok(times) };
            let due = match rate {
                Some(rate) => start + Duration::from_secs_f64(number as f64 / rate),
                None => Instant::now(),
            };
            thread::sleep(due.saturating_duration_since(Instant::now()));
            let found = connection.ask(request)?;
            if found != status {
                return Err(io::Error::other(format!("it answers {found}, not {status}")));
            }
            times.push(due.elapsed());
        }
    };
    let mut times = thread::scope(|scope| {
        let workers: Vec<_> = (0..CONNECTIONS).map(|_| scope.spawn(work)).collect();
        let all = workers.into_iter().map(|worker| worker.join().expect("no worker panics"));
        all.collect::<Result<Vec<_>, _>>()
    })?
    .concat();
    let rate = times.len() as f64 / start.elapsed().as_secs_f64();
    let busy = busy(&[std::process::id()]) - busy_before;
    times.sort_unstable();
    Ok(Asked { rate, busy: Duration::from_secs_f64(busy / times.len() as f64), times })
}
