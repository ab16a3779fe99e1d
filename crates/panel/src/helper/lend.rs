//! The helper's own side: all that is ever done with an administrator's rights.

use std::process::ExitCode;

/// Lends drives to the process at the other end of standard input, until that ends.
#[cfg(target_os = "linux")]
#[must_use]
pub fn lend() -> ExitCode {
    linux::lend()
}

/// Only Linux has such rights to lend.
#[cfg(not(target_os = "linux"))]
#[must_use]
pub fn lend() -> ExitCode {
    ExitCode::FAILURE
}

#[cfg(target_os = "linux")]
mod linux {
    use std::fs::File;
    use std::io::{self, IoSlice, Read, Write};
    use std::mem::MaybeUninit;
    use std::os::fd::{AsFd, BorrowedFd};
    use std::os::unix::fs::{FileTypeExt, MetadataExt};
    use std::os::unix::net::UnixStream;
    use std::path::Path;
    use std::process::ExitCode;

    use drives::{Attached, DeviceNumber, Signature, Source};
    use rustix::net::{
        AddressFamily, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg, sockopt,
    };

    use crate::helper::wire::{Known, REPLY_LIMIT, REQUEST_LIMIT, Refusal, Reply, Request, pack, unpack};

    /// See [`super::lend`].
    pub fn lend() -> ExitCode {
        let Some(line) = line() else {
            eprintln!("error: the control panel starts this by itself when it needs it: lastkey panel");
            return ExitCode::FAILURE;
        };
        match serve(line) {
            Ok(()) => ExitCode::SUCCESS,
            Err(_) => ExitCode::FAILURE,
        }
    }

    /// Returns standard input, if that is the socket of a panel.
    fn line() -> Option<UnixStream> {
        let stdin = io::stdin();
        let is_socket =
            sockopt::socket_domain(stdin.as_fd()).is_ok_and(|domain| domain == AddressFamily::UNIX);
        is_socket.then(|| stdin.as_fd().try_clone_to_owned().ok().map(UnixStream::from)).flatten()
    }

    fn serve(mut line: UnixStream) -> io::Result<()> {
        send(&line, &Reply::Ready, None)?;
        loop {
            let mut length = [0; 4];
            match line.read_exact(&mut length) {
                // The panel has ended.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
                read => read?,
            }
            match unpack(length, &line, REQUEST_LIMIT) {
                Ok(Request::List) => send(&line, &Reply::Drives(list()), None)?,
                Ok(Request::Open { path }) => match open(&path) {
                    Ok(file) => send(&line, &Reply::Open, Some(file.as_fd()))?,
                    Err(refusal) => send(&line, &Reply::Refused(refusal), None)?,
                },
                Err(error) => {
                    // What comes after it cannot be made sense of either.
                    send(&line, &Reply::Refused(Refusal::Nonsense), None)?;
                    return Err(error);
                }
            }
        }
    }

    fn list() -> Vec<Known> {
        let known = |drive: Attached| Some(Known { is_bitlocker: drive.is_bitlocker?, path: drive.path });
        drives::attached().into_iter().filter_map(known).collect()
    }

    /// Opens a drive, if it is one that is attached and a BitLocker drive: what is open is looked at, not its name.
    fn open(path: &Path) -> Result<File, Refusal> {
        let drive =
            drives::attached().into_iter().find(|drive| drive.path == path).ok_or(Refusal::NoDrive)?;
        let unreadable = |error: io::Error| Refusal::Unreadable(error.to_string());
        let file = File::open(&drive.path).map_err(unreadable)?;
        let metadata = file.metadata().map_err(unreadable)?;
        if !metadata.file_type().is_block_device() || drive.number != Some(number(metadata.rdev())) {
            return Err(Refusal::NoDrive);
        }
        let same = file.try_clone().map_err(unreadable)?;
        let source =
            Source::from_device(same, &drive.path).map_err(|error| Refusal::Unreadable(error.to_string()))?;
        match drives::signature(&source).map_err(unreadable)? {
            Signature::BitLocker => Ok(file),
            _ => Err(Refusal::NotBitLocker),
        }
    }

    fn number(device: u64) -> DeviceNumber {
        DeviceNumber { major: rustix::fs::major(device), minor: rustix::fs::minor(device) }
    }

    /// Sends an answer, and a file along with its first byte.
    fn send(mut line: &UnixStream, reply: &Reply, file: Option<BorrowedFd<'_>>) -> io::Result<()> {
        let mut bytes = pack(reply)?;
        if bytes.len() > REPLY_LIMIT {
            bytes = pack(&Reply::Refused(Refusal::Unreadable("there are too many drives".to_owned())))?;
        }
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut along = SendAncillaryBuffer::new(&mut space);
        let files: Vec<_> = file.into_iter().collect();
        if !files.is_empty() && !along.push(SendAncillaryMessage::ScmRights(&files)) {
            return Err(io::Error::other("there is no room for a file"));
        }
        let sent = sendmsg(line, &[IoSlice::new(&bytes)], &mut along, SendFlags::NOSIGNAL)?;
        line.write_all(bytes.get(sent..).unwrap_or_default())
    }
}
