//! As much of HTTP as IPP needs: one POST, one answer, over TCP or a Unix socket.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::time::Duration;

use ipp::prelude::Uri;

/// IPP's port.
const PORT: u16 = 631;
/// CUPS's socket on Linux; macOS has it in /private/var/run/cupsd.
#[cfg(unix)]
const SOCKETS: [&str; 3] = ["/run/cups/cups.sock", "/var/run/cups/cups.sock", "/private/var/run/cupsd"];
/// The longest answer that is read, in bytes.
const ANSWER_LIMIT: usize = 8 << 20;
/// The longest head of an answer, in bytes.
const HEAD_LIMIT: usize = 64 << 10;
/// How long to wait for a connection.
const CONNECT: Duration = Duration::from_secs(10);
/// How long to wait for the next bytes.
const SILENCE: Duration = Duration::from_secs(60);

/// Where a printer or print server is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    place: Place,
    path: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    Tcp {
        host: String,
        port: u16,
    },
    #[cfg_attr(not(unix), allow(dead_code))]
    Socket(PathBuf),
}

/// A text that is no address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no address of a printer; write ipp://HOST/PATH")]
pub struct AddressError {
    /// The text.
    pub text: String,
}

impl Address {
    /// CUPS's socket where there is one, else its port.
    pub(crate) fn of_this_computer() -> Self {
        #[cfg(unix)]
        if let Some(socket) = SOCKETS.iter().find(|socket| Path::new(socket).exists()) {
            return Self { place: Place::Socket(PathBuf::from(socket)), path: "/".to_owned() };
        }
        Self { place: Place::Tcp { host: "localhost".to_owned(), port: PORT }, path: "/".to_owned() }
    }

    /// A host, `host:port`, or the path of a socket.
    pub(crate) fn of_server(name: &str) -> Result<Self, AddressError> {
        let path = "/".to_owned();
        if cfg!(unix) && name.starts_with('/') {
            return Ok(Self { place: Place::Socket(Path::new(name).to_owned()), path });
        }
        Ok(Self { place: place(name).ok_or_else(|| AddressError { text: name.to_owned() })?, path })
    }

    /// `ipp://host[:port]/path`, or `http://`.
    pub(crate) fn of_uri(uri: &str) -> Result<Self, AddressError> {
        let error = || AddressError { text: uri.to_owned() };
        let (scheme, rest) = uri.split_once("://").ok_or_else(error)?;
        let slash = rest.find('/').unwrap_or(rest.len());
        let (server, path) = rest.split_at_checked(slash).ok_or_else(error)?;
        let server = match scheme {
            "http" if !server.contains(':') => format!("{server}:80"),
            "ipp" | "http" => server.to_owned(),
            _ => return Err(error()),
        };
        let path = if path.is_empty() { "/" } else { path };
        // It goes into a line of HTTP as it is.
        if !path.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(error());
        }
        Ok(Self { place: place(&server).ok_or_else(error)?, path: path.to_owned() })
    }

    /// The same server, another path.
    pub(crate) fn with_path(&self, path: &str) -> Self {
        let path = if path.bytes().all(|byte| byte.is_ascii_graphic()) { path } else { "/" };
        Self { place: self.place.clone(), path: path.to_owned() }
    }

    /// Returns the address as IPP writes it.
    pub(crate) fn uri(&self) -> Result<Uri, AddressError> {
        let text = format!("ipp://{}{}", self.host(), self.path);
        text.parse().map_err(|_| AddressError { text })
    }

    fn host(&self) -> String {
        match &self.place {
            Place::Tcp { host, port } if host.contains(':') => format!("[{host}]:{port}"),
            Place::Tcp { host, port } => format!("{host}:{port}"),
            Place::Socket(_) => "localhost".to_owned(),
        }
    }

    fn connect(&self) -> io::Result<Box<dyn Connection>> {
        match &self.place {
            Place::Tcp { host, port } => {
                let mut last = io::Error::from(io::ErrorKind::NotFound);
                for address in (host.as_str(), *port).to_socket_addrs()? {
                    match TcpStream::connect_timeout(&address, CONNECT) {
                        Ok(stream) => {
                            stream.set_read_timeout(Some(SILENCE))?;
                            stream.set_write_timeout(Some(SILENCE))?;
                            return Ok(Box::new(stream));
                        }
                        Err(error) => last = error,
                    }
                }
                Err(last)
            }
            #[cfg(unix)]
            Place::Socket(path) => {
                let stream = std::os::unix::net::UnixStream::connect(path)?;
                stream.set_read_timeout(Some(SILENCE))?;
                stream.set_write_timeout(Some(SILENCE))?;
                Ok(Box::new(stream))
            }
            #[cfg(not(unix))]
            Place::Socket(_) => Err(io::ErrorKind::Unsupported.into()),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::Tcp { .. } => write!(f, "ipp://{}{}", self.host(), self.path),
            Place::Socket(socket) => write!(f, "{}{}", socket.display(), self.path),
        }
    }
}

trait Connection: Read + Write {}
impl<T: Read + Write> Connection for T {}

/// Reads `host`, `host:port`, `[v6]` or `[v6]:port`.
fn place(server: &str) -> Option<Place> {
    let (host, port) = if let Some(rest) = server.strip_prefix('[') {
        let (host, port) = rest.split_once(']')?;
        (host, port.strip_prefix(':'))
    } else {
        server.split_once(':').map_or((server, None), |(host, port)| (host, Some(port)))
    };
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:%".contains(&byte);
    if host.is_empty() || !host.bytes().all(allowed) {
        return None;
    }
    let port = port.map_or(Some(PORT), |port| port.parse().ok())?;
    Some(Place::Tcp { host: host.to_owned(), port })
}

/// Posts a request and a file; returns the status of the answer and its body.
pub(crate) fn post(address: &Address, request: &[u8], file: &[u8]) -> io::Result<(u16, Vec<u8>)> {
    let mut stream = address.connect()?;
    let head = format!(
        "POST {} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/ipp\r\nContent-Length: {}\r\n\
         User-Agent: lastkey\r\nConnection: close\r\n\r\n",
        address.path,
        address.host(),
        request.len() + file.len(),
    );
    let sent = [head.as_bytes(), request, file].iter().try_for_each(|part| stream.write_all(part));
    let sent = sent.and_then(|()| stream.flush());
    // Who refuses a request may answer before it was sent, and then close.
    match (answer(&mut *stream), sent) {
        (Ok(answer), _) => Ok(answer),
        (Err(_), Err(error)) | (Err(error), Ok(())) => Err(error),
    }
}

fn answer(stream: &mut dyn Connection) -> io::Result<(u16, Vec<u8>)> {
    let mut input = Input { stream, bytes: Vec::new(), next: 0 };
    loop {
        let line = input.line()?;
        let status = line.strip_prefix("HTTP/1.").and_then(|rest| rest.get(2..5)?.parse::<u16>().ok());
        let status = status.ok_or_else(malformed)?;
        let (mut length, mut chunked) = (None, false);
        loop {
            let line = input.line()?;
            if line.is_empty() {
                break;
            }
            let (name, value) = line.split_once(':').ok_or_else(malformed)?;
            match name.to_ascii_lowercase().as_str() {
                "content-length" => length = Some(value.trim().parse().map_err(|_| malformed())?),
                "transfer-encoding" => chunked = value.trim().eq_ignore_ascii_case("chunked"),
                _ => {}
            }
        }
        // 100 to 199 only announce the answer.
        if !(100..200).contains(&status) {
            let body = if chunked { input.chunks()? } else { input.body(length)? };
            return Ok((status, body));
        }
    }
}

fn malformed() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the answer is not HTTP")
}

/// What was received and is not read yet.
struct Input<'a> {
    stream: &'a mut dyn Connection,
    bytes: Vec<u8>,
    next: usize,
}

impl Input<'_> {
    /// Receives more; says whether there was more.
    fn more(&mut self) -> io::Result<bool> {
        if self.bytes.len() > ANSWER_LIMIT + HEAD_LIMIT {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the answer is too long"));
        }
        let mut block = [0; 8192];
        let length = loop {
            match self.stream.read(&mut block) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                done => break done?,
            }
        };
        self.bytes.extend(block.iter().take(length));
        Ok(length > 0)
    }

    fn line(&mut self) -> io::Result<String> {
        loop {
            let rest = self.bytes.get(self.next..).unwrap_or_default();
            if let Some(end) = rest.iter().position(|&byte| byte == b'\n') {
                let line = String::from_utf8_lossy(rest.get(..end).unwrap_or_default()).trim_end().to_owned();
                self.next += end + 1;
                return Ok(line);
            }
            if rest.len() > HEAD_LIMIT {
                return Err(malformed());
            }
            if !self.more()? {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    /// Takes so many bytes, or all until the end.
    fn body(&mut self, length: Option<usize>) -> io::Result<Vec<u8>> {
        if length.is_some_and(|length| length > ANSWER_LIMIT) {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the answer is too long"));
        }
        loop {
            let there = self.bytes.len() - self.next;
            if let Some(length) = length.filter(|length| there >= *length) {
                let body = self.bytes.get(self.next..self.next + length).unwrap_or_default().to_vec();
                self.next += length;
                return Ok(body);
            }
            if !self.more()? {
                return match length {
                    Some(_) => Err(io::ErrorKind::UnexpectedEof.into()),
                    None => Ok(self.bytes.split_off(self.next.min(self.bytes.len()))),
                };
            }
        }
    }

    fn chunks(&mut self) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let line = self.line()?;
            let size = line.split(';').next().unwrap_or_default().trim();
            let size = usize::from_str_radix(size, 16).map_err(|_| malformed())?;
            if body.len().saturating_add(size) > ANSWER_LIMIT {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "the answer is too long"));
            }
            if size == 0 {
                return Ok(body);
            }
            body.extend(self.body(Some(size))?);
            self.line()?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A connection that answers with these bytes, a few at a time.
    struct Canned<'a>(&'a [u8]);

    impl Read for Canned<'_> {
        fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
            let length = buf.len().min(3);
            self.0.read(&mut buf[..length])
        }
    }

    impl Write for Canned<'_> {
        fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
            Ok(buf.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn read(text: &str) -> io::Result<(u16, Vec<u8>)> {
        answer(&mut Canned(text.as_bytes()))
    }

    #[test]
    fn every_way_to_end_an_answer() {
        let whole = (200, b"hello".to_vec());
        assert_eq!(
            read("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello, not read").ok(),
            Some(whole.clone())
        );
        assert_eq!(read("HTTP/1.0 200 OK\n\nhello").ok(), Some(whole.clone()));
        let chunked = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\
                       2;x=y\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n";
        assert_eq!(read(chunked).ok(), Some(whole));
    }

    #[test]
    fn broken_answers_are_errors() {
        for text in [
            "",
            "HTTP/1.1",
            "HELLO\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nshort",
            "HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        ] {
            assert!(read(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn addresses_are_read() {
        let text = |uri: &str| Address::of_uri(uri).map(|address| address.to_string()).ok();
        assert_eq!(
            text("ipp://printer.local/ipp/print").as_deref(),
            Some("ipp://printer.local:631/ipp/print")
        );
        assert_eq!(text("http://10.0.0.5:8080").as_deref(), Some("ipp://10.0.0.5:8080/"));
        assert_eq!(text("ipp://[fe80::1]:8631/p").as_deref(), Some("ipp://[fe80::1]:8631/p"));
        for wrong in
            ["printer", "ipps://printer/", "ipp:///p", "ipp://a b/", "ipp://a/\r\nX: y", "ipp://a:b/"]
        {
            assert_eq!(text(wrong), None, "{wrong}");
        }
        assert!(Address::of_server("localhost:6631").is_ok());
        assert!(Address::of_server("").is_err());
    }
}
