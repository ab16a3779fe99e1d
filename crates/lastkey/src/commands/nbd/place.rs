//! Where clients come in: a socket, or an address.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
#[cfg(unix)]
use std::path::PathBuf;

use nbd::Listener;

use crate::cli::Nbd;
use crate::failure::{Failure, Kind};
use crate::words;

/// The port that is registered for NBD.
const PORT: u16 = 10809;

/// A place where clients come in. A socket is gone when this is dropped.
pub struct Place {
    listener: Listener,
    #[cfg(unix)]
    socket: Option<Socket>,
    address: Option<SocketAddr>,
}

/// Refuses what cannot be.
pub fn check(arguments: &Nbd) -> Result<(), Failure> {
    let Some(typed) = &arguments.listen else { return check_socket(arguments.socket.as_deref()) };
    let address = parse(typed)?;
    let is_guarded = arguments.tls.tls_ca.is_some();
    if address.ip().is_loopback() || is_guarded || arguments.tls.allow_unencrypted {
        return Ok(());
    }
    let why = match arguments.tls.tls_cert {
        None => {
            "whoever can reach this address could read the drive decrypted, and whoever sees the network, too"
        }
        Some(_) => {
            "whoever can reach this address could read the drive decrypted: TLS alone asks nobody who they are"
        }
    };
    Err(Failure::new(Kind::Refused, why)
        .about(typed)
        .hint("let in only clients with a certificate: --tls-cert, --tls-key and --tls-ca")
        .hint("or listen on 127.0.0.1, and let ssh carry it: ssh -L 10809:127.0.0.1:10809 THIS-COMPUTER")
        .hint("if that is what you want: --allow-unencrypted"))
}

impl Place {
    /// Begins to listen.
    pub fn open(arguments: &Nbd) -> Result<Self, Failure> {
        if let Some(typed) = &arguments.listen {
            let about = |error: io::Error| match error.kind() {
                io::ErrorKind::AddrInUse => Failure::new(Kind::AlreadyThere, "another program listens there")
                    .hint("choose another port, or 0 for any that is free"),
                io::ErrorKind::AddrNotAvailable => {
                    Failure::new(Kind::NotFound, "this computer does not have this address")
                }
                _ => error.into(),
            };
            let listener = TcpListener::bind(parse(typed)?).map_err(|error| about(error).about(typed))?;
            let address = Some(listener.local_addr()?);
            return Ok(Self {
                listener: Listener::Tcp(listener),
                #[cfg(unix)]
                socket: None,
                address,
            });
        }
        Self::at_socket(arguments.socket.as_deref())
    }

    /// Returns where clients come in.
    pub fn listener(&self) -> &Listener {
        &self.listener
    }

    /// Returns the path of the socket.
    #[cfg(unix)]
    pub fn socket(&self) -> Option<&Path> {
        self.socket.as_ref().map(|socket| socket.path.as_path())
    }

    /// Returns the path of the socket: there are none here.
    #[cfg(not(unix))]
    pub fn socket(&self) -> Option<&Path> {
        None
    }

    /// Returns the address.
    pub fn address(&self) -> Option<SocketAddr> {
        self.address
    }

    /// Returns the words by which nbd-client finds it.
    pub fn for_nbd_client(&self) -> String {
        match (self.address, self.socket()) {
            (Some(address), _) => format!("{} {}", address.ip(), address.port()),
            (None, Some(path)) => format!("-unix {}", words::quoted(path)),
            (None, None) => String::new(),
        }
    }

    /// Returns who can connect besides the person.
    pub fn whoever_can_connect(&self) -> Option<&'static str> {
        let address = self.address?;
        let is_own = address.ip().is_loopback();
        Some(if is_own { "every user of this computer" } else { "whoever reaches this address" })
    }

    /// Returns the URI by which clients find an export.
    pub fn uri(&self, name: &str, tls: bool) -> String {
        let scheme = if tls { "nbds" } else { "nbd" };
        let name = encoded(name.as_bytes());
        match (self.address, self.socket()) {
            (Some(address), _) => format!("{scheme}://{address}/{name}"),
            (None, Some(path)) => {
                format!("{scheme}+unix:///{name}?socket={}", encoded(path.as_os_str().as_encoded_bytes()))
            }
            (None, None) => String::new(),
        }
    }
}

/// Understands an address with a port, or either alone.
fn parse(typed: &str) -> Result<SocketAddr, Failure> {
    let local = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let port =
        |port: &str| port.trim_start_matches(':').parse().ok().map(|port| SocketAddr::new(local, port));
    let bare = |ip: &str| ip.strip_prefix('[').and_then(|ip| ip.strip_suffix(']')).unwrap_or(ip).parse().ok();
    let ip = |ip: &str| bare(ip).map(|ip| SocketAddr::new(ip, PORT));
    let text = typed.replacen("localhost", "127.0.0.1", 1);
    text.parse().ok().or_else(|| ip(&text)).or_else(|| port(&text)).ok_or_else(|| {
        Failure::new(Kind::Usage, "this is no address of this computer")
            .about(typed)
            .hint("write it as 127.0.0.1:10809, [::1]:10809, or as a port alone")
    })
}

/// Writes a part of a URI: whatever has a meaning there, or none, as its bytes in hex.
fn encoded(bytes: &[u8]) -> String {
    let one = |&byte: &u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
            char::from(byte).to_string()
        }
        _ => format!("%{byte:02X}"),
    };
    bytes.iter().map(one).collect()
}

#[cfg(not(unix))]
fn check_socket(_: Option<&Path>) -> Result<(), Failure> {
    Err(Failure::new(Kind::Usage, "sockets with a path are there on Unix only")
        .hint("use an address: --listen 127.0.0.1:10809"))
}

#[cfg(not(unix))]
impl Place {
    fn at_socket(path: Option<&Path>) -> Result<Self, Failure> {
        check_socket(path).and_then(|()| Err(io::Error::from(io::ErrorKind::Unsupported).into()))
    }
}

/// A socket that is removed when it is dropped, unless somebody else has put something in its place.
#[cfg(unix)]
struct Socket {
    path: PathBuf,
    identity: Option<(u64, u64)>,
    /// The folder that was made for it.
    _folder: Option<tempfile::TempDir>,
}

#[cfg(unix)]
impl Drop for Socket {
    fn drop(&mut self) {
        if self.identity.is_some() && identity(&self.path) == self.identity {
            // It may have been removed in this moment, which is as good.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

#[cfg(unix)]
fn identity(path: &Path) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    std::fs::symlink_metadata(path).ok().map(|there| (there.dev(), there.ino()))
}

/// Refuses a path at which there is something, unless that is a socket at which nobody listens any more.
#[cfg(unix)]
fn check_socket(path: Option<&Path>) -> Result<(), Failure> {
    use std::os::unix::fs::FileTypeExt;
    use std::os::unix::net::UnixStream;
    let Some(path) = path else { return Ok(()) };
    let no = |why: &str| {
        Err(Failure::new(Kind::AlreadyThere, why)
            .about(&path.display().to_string())
            .hint("choose another path"))
    };
    match std::fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            match backup::parent(path).is_dir() {
                true => Ok(()),
                false => Err(Failure::new(Kind::NotFound, "there is no such folder")
                    .about(&path.display().to_string())),
            }
        }
        Err(error) => Err(crate::failure::about(path, &error)),
        Ok(there) if !there.file_type().is_socket() => {
            no("it is already there, and is no socket; it was left as it is")
        }
        Ok(_) => match UnixStream::connect(path) {
            Ok(_) => no("another program listens there"),
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => Ok(()),
            Err(error) => Err(crate::failure::about(path, &error)),
        },
    }
}

#[cfg(unix)]
impl Place {
    fn at_socket(path: Option<&Path>) -> Result<Self, Failure> {
        let (path, folder) = match path {
            Some(path) => {
                check_socket(Some(path))?;
                if path.symlink_metadata().is_ok() {
                    std::fs::remove_file(path).map_err(|error| crate::failure::about(path, &error))?;
                }
                (std::path::absolute(path).map_err(|error| crate::failure::about(path, &error))?, None)
            }
            None => {
                let folder = private_folder()?;
                (folder.path().join("socket"), Some(folder))
            }
        };
        let listener = bind(&path).map_err(|error| match error.kind() {
            io::ErrorKind::InvalidInput => {
                Failure::new(Kind::Usage, "the path is too long for a socket: systems take about 100 bytes")
                    .about(&path.display().to_string())
                    .hint("choose a shorter one with --socket PATH")
            }
            _ => crate::failure::about(&path, &error),
        })?;
        let socket = Some(Socket { identity: identity(&path), path, _folder: folder });
        Ok(Self { listener: Listener::Unix(listener), socket, address: None })
    }
}

/// Makes a folder that nobody else looks into, where the system keeps such things.
#[cfg(unix)]
fn private_folder() -> Result<tempfile::TempDir, Failure> {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;
    let mut builder = tempfile::Builder::new();
    builder.prefix("lastkey-nbd-").permissions(Permissions::from_mode(0o700));
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|path| path.is_absolute());
    let made =
        runtime.and_then(|folder| builder.tempdir_in(folder).ok()).map_or_else(|| builder.tempdir(), Ok);
    made.map_err(|error| crate::failure::about(&std::env::temp_dir(), &error))
}

/// Makes a socket that only its owner can connect to, from its first moment on.
#[cfg(unix)]
fn bind(path: &Path) -> io::Result<std::os::unix::net::UnixListener> {
    use rustix::fs::Mode;
    let before = rustix::process::umask(Mode::from_raw_mode(0o177));
    let bound = std::os::unix::net::UnixListener::bind(path);
    rustix::process::umask(before);
    bound
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_understood_with_and_without_port() {
        let parsed = |typed: &str| parse(typed).expect("an address").to_string();
        assert_eq!(parsed("127.0.0.1:1"), "127.0.0.1:1");
        assert_eq!(parsed("[::1]:0"), "[::1]:0");
        assert_eq!(parsed("::1"), "[::1]:10809");
        assert_eq!(parsed("[::1]"), "[::1]:10809");
        assert_eq!(parsed("10.1.2.3"), "10.1.2.3:10809");
        assert_eq!(parsed("localhost:77"), "127.0.0.1:77");
        assert_eq!(parsed("localhost"), "127.0.0.1:10809");
        assert_eq!(parsed(":99"), "127.0.0.1:99");
        assert_eq!(parsed("99"), "127.0.0.1:99");
        for wrong in ["", "example.com:1", "127.0.0.1:65536", "1.2.3", "-1", "[::1", "::1]:5x"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_has_a_meaning_in_a_uri_is_encoded() {
        assert_eq!(encoded("/run/a b&c?d=ü%".as_bytes()), "/run/a%20b%26c%3Fd%3D%C3%BC%25");
    }
}
