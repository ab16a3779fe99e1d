//! Asking a server as fast as it answers, or as often as one wants to.

use std::error::Error;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};

/// How many ask at once.
pub const CONNECTIONS: usize = 32;
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Where a server is, and how one speaks with it.
#[derive(Clone)]
pub struct Server {
    /// Its address.
    pub address: SocketAddr,
    /// Whom it has to be; without TLS if nobody.
    pub tls: Option<Arc<ClientConfig>>,
}

trait Stream: Read + Write + Send {}
impl<T: Read + Write + Send> Stream for T {}

/// A connection that is kept as long as the server keeps it.
struct Connection<'s> {
    server: &'s Server,
    stream: Option<BufReader<Box<dyn Stream>>>,
}

impl Connection<'_> {
    /// Asks, and returns the status once the whole answer is there.
    fn ask(&mut self, request: &[u8]) -> io::Result<u16> {
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => BufReader::new(self.server.connect()?),
        };
        stream.get_mut().write_all(request)?;
        stream.get_mut().flush()?;
        let mut line = String::new();
        stream.read_line(&mut line)?;
        let bad = || io::Error::new(io::ErrorKind::InvalidData, "no answer of HTTP/1.1");
        let status = line.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or_else(bad)?;
        let (mut length, mut keeps) = (None, true);
        loop {
            line.clear();
            stream.read_line(&mut line)?;
            let field = line.trim_end().to_ascii_lowercase();
            match field.split_once(": ") {
                Some(("content-length", value)) => length = value.parse().ok(),
                Some(("connection", "close")) => keeps = false,
                None if field.is_empty() => break,
                _ => {}
            }
        }
        io::copy(&mut stream.by_ref().take(length.ok_or_else(bad)?), &mut io::sink())?;
        if keeps {
            self.stream = Some(stream);
        }
        Ok(status)
    }
}

impl Server {
    fn connect(&self) -> io::Result<Box<dyn Stream>> {
        let stream = TcpStream::connect(self.address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let Some(config) = &self.tls else { return Ok(Box::new(stream)) };
        let name = ServerName::try_from("localhost").map_err(io::Error::other)?;
        let client = ClientConnection::new(Arc::clone(config), name).map_err(io::Error::other)?;
        Ok(Box::new(StreamOwned::new(client, stream)))
    }

    /// Asks once, and returns the status.
    ///
    /// # Errors
    /// When there is no answer.
    pub fn ask(&self, request: &[u8]) -> io::Result<u16> {
        Connection { server: self, stream: None }.ask(request)
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
    let connections = || Connection { server, stream: None };
    let start = Instant::now() + Duration::from_millis(100);
    let work = || -> Result<Vec<Duration>, io::Error> {
        let (mut connection, mut times) = (connections(), Vec::new());
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
    times.sort_unstable();
    Ok(Asked { rate, times })
}
