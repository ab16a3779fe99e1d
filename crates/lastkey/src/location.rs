//! `DRIVE:PATH`, as a person types it.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use crate::drive;
use crate::failure::{Failure, Kind};

/// A place inside a drive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    /// What was typed for the drive.
    pub drive: OsString,
    /// The path inside: UTF-8, or what the operating system takes instead.
    pub path: Vec<u8>,
}

impl Location {
    /// Takes apart what was typed. Drives, paths and streams may have colons in them (`C:\disk.img:\a.txt:stream`):
    /// the longest beginning that is there on this computer is the drive, else the shortest that is the name of
    /// an attached one.
    pub fn parse(text: &OsStr) -> Self {
        Self::split(text, |drive| Path::new(drive).exists(), drive::is_attached)
    }

    fn split(text: &OsStr, is_there: impl Fn(&OsStr) -> bool, is_attached: impl Fn(&OsStr) -> bool) -> Self {
        let bytes = text.as_encoded_bytes();
        let colons = || (0..bytes.len()).filter(|&at| bytes.get(at) == Some(&b':'));
        let at = |colon: usize| {
            let path = bytes.get(colon + 1..).unwrap_or_default().to_vec();
            Some(Self { drive: part(text, colon)?, path })
        };
        let whole = || Self { drive: text.to_owned(), path: Vec::new() };
        if is_there(text) {
            return whole();
        }
        let there = colons().rev().filter_map(at).find(|place| is_there(&place.drive));
        // A colon of its own ends the letter of a drive on Windows.
        let letter = || {
            let letter = bytes.first().filter(|letter| cfg!(windows) && letter.is_ascii_alphabetic())?;
            let path = bytes.strip_prefix(&[*letter, b':'])?;
            let drive = OsString::from(format!("{}:", char::from(*letter)));
            Some(Self { drive, path: path.strip_prefix(b":").unwrap_or(path).to_vec() })
        };
        let named = || colons().filter_map(at).find(|place| is_attached(&place.drive));
        // Of what is nothing at all, the error shall name the drive.
        let first = || colons().next().and_then(at).filter(|_| !is_attached(text));
        there.or_else(letter).or_else(named).or_else(first).unwrap_or_else(whole)
    }

    /// Takes apart several places, which must be on one drive: a drive is opened once.
    pub fn on_one_drive(texts: &[OsString]) -> Result<Vec<Self>, Failure> {
        let places: Vec<_> = texts.iter().map(|text| Self::parse(text)).collect();
        match places.iter().find(|place| place.drive != places[0].drive) {
            None => Ok(places),
            Some(other) => Err(Failure::new(
                Kind::Usage,
                format!(
                    "the files are on two drives: {} and {}",
                    places[0].drive.display(),
                    other.drive.display()
                ),
            )
            .hint("give one command for each drive")),
        }
    }

    /// Returns the path as it is shown.
    pub fn shown(&self) -> String {
        let path = String::from_utf8_lossy(&self.path).replace('\\', "/");
        format!("/{}", path.trim_matches('/'))
    }
}

/// Returns what stands before a colon.
#[cfg(unix)]
fn part(text: &OsStr, end: usize) -> Option<OsString> {
    use std::os::unix::ffi::OsStrExt;
    Some(OsStr::from_bytes(text.as_bytes().get(..end).unwrap_or_default()).to_owned())
}

#[cfg(not(unix))]
fn part(text: &OsStr, end: usize) -> Option<OsString> {
    text.to_str()?.get(..end).map(OsString::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(text: &str) -> (String, String) {
        let is_there =
            |drive: &OsStr| ["disk.img", "a:b.img", "/mnt/x:y/d"].iter().any(|there| drive == *there);
        let is_attached = |drive: &OsStr| ["Photos", "sda3"].iter().any(|name| drive == *name);
        let place = Location::split(OsStr::new(text), is_there, is_attached);
        (place.drive.into_string().expect("text"), String::from_utf8(place.path).expect("text"))
    }

    #[test]
    fn the_drive_is_what_is_there() {
        for (text, drive, path) in [
            ("disk.img", "disk.img", ""),
            ("disk.img:", "disk.img", ""),
            ("disk.img:/a/b.txt", "disk.img", "/a/b.txt"),
            ("disk.img:b.txt:stream", "disk.img", "b.txt:stream"),
            ("a:b.img:/c", "a:b.img", "/c"),
            ("/mnt/x:y/d:/e:f", "/mnt/x:y/d", "/e:f"),
            ("Photos:2021/x.jpg", "Photos", "2021/x.jpg"),
            ("sda3:/", "sda3", "/"),
            ("sda3", "sda3", ""),
            ("no.img:/a", "no.img", "/a"),
            ("no.img", "no.img", ""),
        ] {
            assert_eq!(split(text), (drive.to_owned(), path.to_owned()), "{text}");
        }
    }

    #[cfg(windows)]
    #[test]
    fn letters_are_drives() {
        assert_eq!(split(r"D:\Users"), ("D:".to_owned(), r"\Users".to_owned()));
        assert_eq!(split("D::Users"), ("D:".to_owned(), "Users".to_owned()));
    }

    #[test]
    fn paths_are_shown_alike() {
        let shown = |path: &[u8]| Location { drive: OsString::new(), path: path.to_vec() }.shown();
        assert_eq!([shown(b""), shown(b"/a/b/"), shown(br"a\b")], ["/", "/a/b", "/a/b"]);
    }
}
