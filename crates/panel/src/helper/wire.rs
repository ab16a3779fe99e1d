//! What the panel and its helper say to each other: a length, as four bytes, and as much JSON.

use std::io::{self, Read};
use std::path::PathBuf;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// The longest request: a path.
pub const REQUEST_LIMIT: usize = 8 << 10;
/// The longest answer: the drives of a large server.
pub const REPLY_LIMIT: usize = 4 << 20;

/// What the helper is asked for.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Request {
    /// Which drives there are.
    List,
    /// A BitLocker drive, open to be read.
    Open {
        /// Where it is.
        path: PathBuf,
    },
}

/// What the helper answers.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reply {
    /// It is there: said once, before anything is asked.
    Ready,
    /// The drives whose content is known.
    Drives(Vec<Known>),
    /// The drive is open; its file comes along.
    Open,
    /// It is not done.
    Refused(Refusal),
}

/// A drive whose content is known.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    /// Where it is.
    pub path: PathBuf,
    /// Whether it is a BitLocker drive.
    pub is_bitlocker: bool,
}

/// Why the helper does not do something.
#[derive(Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Refusal {
    /// No attached drive has this path.
    #[error("there is no such drive")]
    NoDrive,
    /// It is a drive, but no BitLocker drive: those are nobody's business here.
    #[error("it is no BitLocker drive")]
    #[serde(rename = "not-bitlocker")]
    NotBitLocker,
    /// It cannot be opened or read.
    #[error("{0}")]
    Unreadable(String),
    /// The request makes no sense, or is too long.
    #[error("the helper does not understand")]
    Nonsense,
}

/// Puts something into the form that it is sent in.
pub fn pack(what: &impl Serialize) -> io::Result<Vec<u8>> {
    let json = serde_json::to_vec(what)?;
    let length = u32::try_from(json.len()).map_err(io::Error::other)?;
    Ok([&length.to_le_bytes()[..], &json].concat())
}

/// Reads as much as the length says, which is `limit` at most.
pub fn unpack<T: DeserializeOwned>(length: [u8; 4], mut from: impl Read, limit: usize) -> io::Result<T> {
    let length = usize::try_from(u32::from_le_bytes(length)).map_err(io::Error::other)?;
    if length > limit {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut bytes = vec![0; length];
    from.read_exact(&mut bytes)?;
    Ok(serde_json::from_slice(&bytes)?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn read(bytes: &[u8]) -> io::Result<Request> {
        let (length, rest) = bytes.split_first_chunk().ok_or(io::ErrorKind::UnexpectedEof)?;
        unpack(*length, rest, REQUEST_LIMIT)
    }

    #[test]
    fn what_was_asked_arrives() {
        let path = PathBuf::from("/dev/sda3");
        let asked = read(&pack(&Request::Open { path: path.clone() }).unwrap()).unwrap();
        assert!(matches!(asked, Request::Open { path: arrived } if arrived == path));
        assert!(matches!(read(&pack(&Request::List).unwrap()).unwrap(), Request::List));
    }

    #[test]
    fn what_makes_no_sense_or_is_too_long_is_refused() {
        let framed =
            |json: &str| [&u32::try_from(json.len()).unwrap().to_le_bytes(), json.as_bytes()].concat();
        for json in
            ["", "{}", "\"write\"", "{\"open\":{}}", "{\"open\":{\"path\":\"/\",\"write\":true}}", "[[[["]
        {
            assert!(read(&framed(json)).is_err(), "{json}");
        }
        assert!(
            read(&framed(&format!("{{\"open\":{{\"path\":\"{}\"}}}}", "x".repeat(REQUEST_LIMIT)))).is_err()
        );
        assert!(read(&u32::MAX.to_le_bytes()).is_err());
        assert!(read(&framed("\"list\"")[..7]).is_err());
    }
}
