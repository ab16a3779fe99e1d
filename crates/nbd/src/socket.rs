//! Where clients come in, and how they are spoken with.

use std::io::{self, IoSlice, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
#[cfg(unix)]
use std::os::unix::net::{UnixListener, UnixStream};
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};

/// A client that is not there any more is noticed after about twice this long.
const KEEPALIVE: Duration = Duration::from_secs(60);

/// Where clients come in.
#[derive(Debug)]
pub enum Listener {
    /// At a path, from this computer.
    #[cfg(unix)]
    Unix(UnixListener),
    /// At an address.
    Tcp(TcpListener),
}

impl Listener {
    pub(crate) fn prepare(&self) -> io::Result<()> {
        match self {
            #[cfg(unix)]
            Self::Unix(listener) => listener.set_nonblocking(true),
            Self::Tcp(listener) => listener.set_nonblocking(true),
        }
    }

    /// Returns the next client; `None` when none came within the time.
    pub(crate) fn accept(&self, patience: Duration) -> io::Result<Option<Socket>> {
        self.wait(patience)?;
        let accepted = match self {
            #[cfg(unix)]
            Self::Unix(listener) => listener.accept().map(|(stream, _)| Socket::Unix(stream)),
            Self::Tcp(listener) => listener.accept().map(|(stream, _)| Socket::Tcp(stream)),
        };
        match accepted.and_then(Socket::prepared) {
            Ok(socket) => Ok(Some(socket)),
            Err(error) if is_the_clients(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    #[cfg(unix)]
    fn wait(&self, patience: Duration) -> io::Result<()> {
        use rustix::event::{PollFd, PollFlags, Timespec, poll};
        let mut polled = [match self {
            Self::Unix(listener) => PollFd::new(listener, PollFlags::IN),
            Self::Tcp(listener) => PollFd::new(listener, PollFlags::IN),
        }];
        let timeout = Timespec::try_from(patience).map_err(io::Error::other)?;
        match poll(&mut polled, Some(&timeout)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    #[cfg(not(unix))]
    fn wait(&self, patience: Duration) -> io::Result<()> {
        // Clients wait a little for the first answer, and nobody else for anything.
        std::thread::sleep(patience.min(Duration::from_millis(20)));
        Ok(())
    }
}

/// Returns whether an error says only that nobody came, or that somebody has left again.
fn is_the_clients(error: &io::Error) -> bool {
    use io::ErrorKind::{
        ConnectionAborted, ConnectionReset, Interrupted, InvalidInput, NotConnected, WouldBlock,
    };
    matches!(
        error.kind(),
        WouldBlock | Interrupted | ConnectionAborted | ConnectionReset | NotConnected | InvalidInput
    )
}

/// A connection. It is read and written through shared references, from several threads.
#[derive(Debug)]
pub(crate) enum Socket {
    #[cfg(unix)]
    Unix(UnixStream),
    Tcp(TcpStream),
}

impl Socket {
    fn prepared(self) -> io::Result<Self> {
        match &self {
            #[cfg(unix)]
            Self::Unix(stream) => stream.set_nonblocking(false)?,
            Self::Tcp(stream) => {
                stream.set_nonblocking(false)?;
                stream.set_nodelay(true)?;
                let keepalive = TcpKeepalive::new().with_time(KEEPALIVE).with_interval(KEEPALIVE / 6);
                SockRef::from(stream).set_tcp_keepalive(&keepalive)?;
            }
        }
        Ok(self)
    }

    /// Ends the connection: whoever waits for it, waits no longer.
    pub(crate) fn hang_up(&self) {
        // One that has ended already is as good.
        let _ = match self {
            #[cfg(unix)]
            Self::Unix(stream) => stream.shutdown(Shutdown::Both),
            Self::Tcp(stream) => stream.shutdown(Shutdown::Both),
        };
    }
}

impl Read for &Socket {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self {
            #[cfg(unix)]
            Socket::Unix(stream) => (&*stream).read(buf),
            Socket::Tcp(stream) => (&*stream).read(buf),
        }
    }
}

impl Write for &Socket {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        match self {
            #[cfg(unix)]
            Socket::Unix(stream) => (&*stream).write(buf),
            Socket::Tcp(stream) => (&*stream).write(buf),
        }
    }

    fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        match self {
            #[cfg(unix)]
            Socket::Unix(stream) => (&*stream).write_vectored(bufs),
            Socket::Tcp(stream) => (&*stream).write_vectored(bufs),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
