//! The panel's side of its helper.

use std::path::Path;

use drives::{OpenError, Source};

use super::wire::Known;
use crate::computer::Denied;

#[cfg(target_os = "linux")]
pub use linux::Helper;

/// A helper that runs: there is none here.
#[cfg(not(target_os = "linux"))]
pub enum Helper {}

#[cfg(not(target_os = "linux"))]
impl Helper {
    pub fn can_be_asked_for() -> bool {
        false
    }

    pub fn start() -> Result<Self, Denied> {
        Err(Denied::Nobody)
    }

    pub fn is_there(&self) -> bool {
        match *self {}
    }

    pub fn list(&self) -> Option<Vec<Known>> {
        match *self {}
    }

    pub fn open(&self, _: &Path) -> Result<Source, OpenError> {
        match *self {}
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use std::env;
    use std::ffi::OsString;
    use std::fs::File;
    use std::io::{self, IoSliceMut, Read, Write};
    use std::mem::MaybeUninit;
    use std::os::fd::OwnedFd;
    use std::os::unix::net::UnixStream;
    use std::process::{Child, Command, ExitStatus, Stdio};
    use std::sync::{Mutex, PoisonError};
    use std::time::Duration;

    use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};

    use super::*;
    use crate::helper::wire::{REPLY_LIMIT, Reply, Request, pack, unpack};

    /// How long a person may take to find their password.
    const PERSON: Duration = Duration::from_secs(5 * 60);
    /// How long a drive may take: one that sleeps has to wake up.
    const DRIVE: Duration = Duration::from_secs(60);
    /// What each way of asking is started with.
    const WAYS: [(&str, &[&str]); 2] = [
        // Without a window it would ask in the terminal, where nobody may be.
        ("pkexec", &["--disable-internal-agent"]),
        // Where no password is needed, or one was just given.
        ("sudo", &["-n", "--"]),
    ];
    /// What `pkexec` ends with when the person closes its window.
    const CLOSED: i32 = 126;

    /// How a read says that the other end is gone.
    const ENDED: [io::ErrorKind; 2] = [io::ErrorKind::UnexpectedEof, io::ErrorKind::ConnectionReset];

    /// A helper that runs.
    pub struct Helper {
        line: Mutex<Option<UnixStream>>,
        _process: Child,
    }

    impl Helper {
        /// Whether there is a program that asks for rights.
        pub fn can_be_asked_for() -> bool {
            WAYS.iter().any(|(program, _)| find(program))
        }

        /// Asks the person, in whatever way this computer has, and starts a helper.
        pub fn start() -> Result<Self, Denied> {
            let own = env::current_exe().map_err(|error| Denied::Failed(error.to_string()))?;
            for (program, arguments) in WAYS.into_iter().filter(|(program, _)| find(program)) {
                let mut arguments: Vec<OsString> = arguments.iter().map(OsString::from).collect();
                arguments.extend([own.clone().into(), "panel-helper".into()]);
                match Self::start_with(program, &arguments) {
                    Ok(Ok(helper)) => return Ok(helper),
                    Ok(Err(status)) if program == "pkexec" && status.code() == Some(CLOSED) => {
                        return Err(Denied::Declined);
                    }
                    Ok(Err(_)) => {}
                    Err(error) => return Err(Denied::Failed(format!("{program}: {error}"))),
                }
            }
            Err(Denied::Nobody)
        }

        /// Starts it with a program; its status if that ended instead.
        fn start_with(program: &str, arguments: &[OsString]) -> io::Result<Result<Self, ExitStatus>> {
            let (line, theirs) = UnixStream::pair()?;
            line.set_read_timeout(Some(PERSON))?;
            // The command keeps the other end open, and is gone after this.
            let mut process = Command::new(program)
                .args(arguments)
                .current_dir("/")
                .stdin(Stdio::from(OwnedFd::from(theirs)))
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()?;
            match receive(&line) {
                Ok((Reply::Ready, None)) => {}
                Err(error) if ENDED.contains(&error.kind()) => return process.wait().map(Err),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return Err(io::Error::new(io::ErrorKind::TimedOut, "nobody has answered"));
                }
                Err(error) => return Err(error),
                Ok(_) => return Err(io::ErrorKind::InvalidData.into()),
            }
            line.set_read_timeout(Some(DRIVE))?;
            Ok(Ok(Self { line: Mutex::new(Some(line)), _process: process }))
        }

        /// Whether it still runs, as far as is known.
        pub fn is_there(&self) -> bool {
            self.line.lock().unwrap_or_else(PoisonError::into_inner).is_some()
        }

        /// Asks what is on the drives; `None` when it has ended.
        pub fn list(&self) -> Option<Vec<Known>> {
            match self.ask(&Request::List).ok()? {
                (Reply::Drives(drives), None) => Some(drives),
                _ => None,
            }
        }

        /// Asks for a drive, open to be read.
        pub fn open(&self, path: &Path) -> Result<Source, OpenError> {
            let io = |source| OpenError::Io { path: path.into(), source };
            match self.ask(&Request::Open { path: path.into() }) {
                Ok((Reply::Open, Some(file))) => Source::from_device(File::from(file), path),
                Ok((Reply::Refused(refusal), None)) => Err(io(io::Error::other(refusal))),
                Ok(_) => Err(io(io::ErrorKind::InvalidData.into())),
                Err(_) => Err(OpenError::NotPermitted { path: path.into(), device: true }),
            }
        }

        /// Asks for something. Who answers once with an error is not asked again: an answer may come later, and would be
        /// taken for the next.
        fn ask(&self, request: &Request) -> io::Result<(Reply, Option<OwnedFd>)> {
            let mut line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
            let socket = line.as_mut().ok_or(io::ErrorKind::NotConnected)?;
            let answer =
                pack(request).and_then(|bytes| socket.write_all(&bytes)).and_then(|()| receive(socket));
            if answer.is_err() {
                *line = None;
            }
            answer
        }
    }

    /// Receives an answer, and the file that comes along.
    fn receive(mut line: &UnixStream) -> io::Result<(Reply, Option<OwnedFd>)> {
        let mut length = [0; 4];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut along = RecvAncillaryBuffer::new(&mut space);
        let received =
            recvmsg(line, &mut [IoSliceMut::new(&mut length)], &mut along, RecvFlags::CMSG_CLOEXEC)?.bytes;
        let file = along.drain().find_map(|message| match message {
            RecvAncillaryMessage::ScmRights(mut files) => files.next(),
            _ => None,
        });
        match length.get_mut(received..) {
            _ if received == 0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            Some(rest) => line.read_exact(rest)?,
            None => {}
        }
        Ok((unpack(length, line, REPLY_LIMIT)?, file))
    }

    /// Whether a program is there to be started.
    fn find(program: &str) -> bool {
        let path = env::var_os("PATH").unwrap_or_default();
        env::split_paths(&path).any(|folder| folder.join(program).is_file())
    }
}
