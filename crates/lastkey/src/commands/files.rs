//! What the commands on the files inside a drive share: opening, rows, the names that people see.

pub mod content;

use std::ffi::OsStr;
use std::fmt::Write;

use fve::FileTime;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde::Serialize;
use unlocked::{About, Entry, FileSystem, Found, Kind, Name, Stat, Stream};

use crate::cli::{Find, Keys};
use crate::failure::{self, Failure};
use crate::inside::Inside;
use crate::location::Location;
use crate::output::Output;
use crate::words;

/// A drive whose files can be read.
pub struct Open {
    /// The drive.
    pub inside: Inside,
    /// Its files.
    pub files: FileSystem,
}

impl Open {
    /// Opens a drive for its files.
    pub fn new(drive: &OsStr, find: &Find, keys: &Keys, output: &Output) -> Result<Self, Failure> {
        let inside = Inside::open(drive, find, keys, output)?;
        let files = inside.files()?;
        if files.about().from_backup {
            output.note("note: the boot sector of the file system is lost; its backup took its place");
        }
        Ok(Self { inside, files })
    }

    /// Follows a path.
    pub fn find(&self, place: &Location) -> Result<Found, Failure> {
        self.files.find(&place.path).map_err(|error| Failure::from(error).about(&self.shown(place)))
    }

    /// Returns what a place is called in messages.
    pub fn shown(&self, place: &Location) -> String {
        format!("{}:{}", self.inside.name, escaped(&place.shown()))
    }

    /// Returns what documents say of the drive.
    pub fn document(&self) -> DriveRow {
        DriveRow {
            drive: self.inside.name.clone(),
            volume: self.inside.id.map(|id| id.to_string()),
            file_system: self.files.about().into(),
        }
    }
}

/// A drive, as documents show it.
#[derive(Serialize)]
pub struct DriveRow {
    drive: String,
    /// The GUID of the BitLocker volume.
    volume: Option<String>,
    file_system: FileSystemRow,
}

#[derive(Serialize)]
struct FileSystemRow {
    format: String,
    label: String,
    serial: String,
    size: u64,
    cluster: u32,
    dirty: bool,
}

impl From<&About> for FileSystemRow {
    fn from(about: &About) -> Self {
        Self {
            format: about.format.to_string(),
            label: about.label.to_string(),
            serial: format!("{:X}", about.serial),
            size: about.size,
            cluster: about.cluster,
            dirty: about.dirty,
        }
    }
}

/// A file, folder or link, as documents show it.
#[derive(Serialize)]
pub struct Row {
    /// Its name, or its path in a tree.
    pub name: String,
    /// What it is.
    pub kind: &'static str,
    /// Its number.
    pub id: String,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    details: Option<Details>,
    /// Where a link leads.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// The named streams.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub streams: Vec<StreamRow>,
    /// Why it cannot be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

#[derive(Serialize)]
struct Details {
    size: u64,
    allocated: u64,
    created: Option<String>,
    modified: Option<String>,
    accessed: Option<String>,
    attributes: Vec<&'static str>,
    links: u32,
    #[serde(skip)]
    shown: String,
}

/// A stream, as documents show it.
#[derive(Serialize)]
pub struct StreamRow {
    name: String,
    size: u64,
}

impl From<&Stream> for StreamRow {
    fn from(stream: &Stream) -> Self {
        Self { name: stream.name.to_string(), size: stream.size }
    }
}

impl Row {
    /// Makes the row of an entry, under its name or its path.
    pub fn new(name: String, entry: &Entry) -> Self {
        let (kind, id) = (kind(entry.kind), entry.id.to_string());
        Self { name, kind, id, details: None, target: None, streams: Vec::new(), problem: None }
    }

    /// Adds what a look at the file itself tells, or why it tells nothing.
    #[must_use]
    pub fn with_details(mut self, files: &FileSystem, entry: &Entry, streams: bool) -> Self {
        let look = || {
            let stat = files.stat(entry.id)?;
            self.details = Some(Details::of(&stat));
            if entry.kind == Kind::Link {
                self.target = Some(target(files, entry)?);
            }
            if streams {
                self.streams = files.streams(entry.id)?.iter().map(StreamRow::from).collect();
            }
            Ok::<_, unlocked::Error>(())
        };
        self.problem = { look }().err().map(|error| said(&error));
        self
    }

    /// Returns the length of its content, as far as it is known.
    pub fn size(&self) -> u64 {
        self.details.as_ref().map_or(0, |details| details.size)
    }

    /// Returns the name alone, and what it is, as people read it.
    pub fn last_words(&self, name: &Name) -> String {
        let mark = if self.kind == "folder" { "/" } else { "" };
        let target = self.target.as_deref().map_or(String::new(), |to| format!(" -> {}", escaped(to)));
        format!("{}{mark}{target}", shown(name))
    }

    /// Returns the lines that people read.
    pub fn words(&self, long: bool) -> String {
        let mut line = String::new();
        if long {
            match &self.details {
                Some(details) => line.push_str(&details.shown),
                None => line.push_str("?              ?                 ?  "),
            }
        }
        line.push_str(&self.last_words(&self.name.as_str().into()));
        for stream in &self.streams {
            let indent = if long {
                format!("----- {:>9}                    ", words::size(stream.size))
            } else {
                String::new()
            };
            // Writing into a text does not fail.
            let _ = write!(line, "\n{indent}{}:{}", escaped(&self.name), escaped(&stream.name));
        }
        line
    }
}

impl Details {
    fn of(stat: &Stat) -> Self {
        let local = stat.times.local;
        let time = |time: Option<FileTime>| time.and_then(|time| utc(time, local));
        let modified = stat.times.modified.map_or_else(
            || "                ".to_owned(),
            |time| if local { shown_local(time) } else { words::time(time) },
        );
        let size = if stat.kind == Kind::File { words::size(stat.size) } else { String::new() };
        Self {
            size: stat.size,
            allocated: stat.allocated,
            created: time(stat.times.created),
            modified: time(stat.times.modified),
            accessed: time(stat.times.accessed),
            attributes: ATTRIBUTES.iter().filter(|a| stat.attributes & a.0 != 0).map(|a| a.2).collect(),
            links: stat.links,
            shown: format!("{} {size:>9}  {modified}  ", letters(stat)),
        }
    }
}

/// Windows' bits, a letter each, and their names.
const ATTRIBUTES: [(u32, char, &str); 6] = [
    (0x1, 'r', "read-only"),
    (0x2, 'h', "hidden"),
    (0x4, 's', "system"),
    (0x800, 'c', "compressed"),
    (0x4000, 'e', "encrypted"),
    (0x200, 'p', "sparse"),
];

/// Returns the attributes as `ls` shows them: `drhs`.
fn letters(stat: &Stat) -> String {
    let kind = match stat.kind {
        Kind::Folder => 'd',
        Kind::Link => 'l',
        Kind::File => '-',
        Kind::Other => '?',
    };
    let letter =
        |&(bit, letter, _): &(u32, char, &str)| if stat.attributes & bit == 0 { '-' } else { letter };
    let first_three = ATTRIBUTES.iter().take(3).map(letter);
    // Compressed, encrypted and sparse rarely meet: one column.
    let form = ATTRIBUTES.iter().skip(3).map(letter).find(|&letter| letter != '-').unwrap_or('-');
    std::iter::once(kind).chain(first_three).chain([form]).collect()
}

/// Returns what documents call a kind.
pub fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::File => "file",
        Kind::Folder => "folder",
        Kind::Link => "link",
        Kind::Other => "other",
    }
}

/// Returns where a link leads, as Windows shows it.
pub fn target(files: &FileSystem, entry: &Entry) -> Result<String, unlocked::Error> {
    let link = files.link(entry.id)?;
    Ok(if link.shown.is_empty() { link.target } else { link.shown }.to_string())
}

/// Returns why something cannot be read, in plain words.
pub fn said(error: &unlocked::Error) -> String {
    match error {
        unlocked::Error::Read { what, offset, source } => {
            format!("cannot read the {what} at byte {offset:#x}: {}", failure::reason(source))
        }
        error => error.to_string(),
    }
}

/// Returns a text in which nothing steers a terminal or turns the direction of writing.
pub fn escaped(text: &str) -> String {
    let steers = |c: char| {
        c.is_control()
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    if !text.contains(steers) {
        return text.to_owned();
    }
    text.chars().map(|c| if steers(c) { c.escape_default().to_string() } else { c.to_string() }).collect()
}

/// Returns a name in which nothing steers a terminal.
pub fn shown(name: &Name) -> String {
    escaped(&name.to_string())
}

/// Returns the time in UTC for programs. A time of the clock on the wall is taken as this computer's.
fn utc(time: FileTime, local: bool) -> Option<String> {
    words::utc(if local { from_local(time)? } else { time })
}

fn shown_local(time: FileTime) -> String {
    wall(time).map_or_else(|| words::time(time), |wall| wall.strftime("%Y-%m-%d %H:%M").to_string())
}

fn wall(time: FileTime) -> Option<DateTime> {
    let (seconds, nanoseconds) = time.to_unix();
    let timestamp = jiff::Timestamp::new(seconds, i32::try_from(nanoseconds).ok()?).ok()?;
    Some(TimeZone::UTC.to_datetime(timestamp))
}

/// Returns the point in time at which a clock on the wall here showed this.
pub fn from_local(time: FileTime) -> Option<FileTime> {
    let timestamp = TimeZone::system().to_timestamp(wall(time)?).ok()?;
    let nanoseconds = u32::try_from(timestamp.subsec_nanosecond()).ok()?;
    Some(FileTime::from_unix(timestamp.as_second(), nanoseconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_steer_a_terminal() {
        assert_eq!(escaped("Grüße 世界.txt"), "Grüße 世界.txt");
        assert_eq!(escaped("a\x1b[2Jb\n\u{202e}gpj.exe"), r"a\u{1b}[2Jb\n\u{202e}gpj.exe");
    }
}
