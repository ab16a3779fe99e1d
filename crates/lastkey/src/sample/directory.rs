//! Entries of a FAT directory: 32 bytes for the short name, before it as many as the long name needs.

use fve::FileTime;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// Nobody shall write to it.
pub const READ_ONLY: u8 = 0x01;
/// Listings leave it out.
pub const HIDDEN: u8 = 0x02;
/// It belongs to the system.
pub const SYSTEM: u8 = 0x04;
/// It is a folder.
pub const FOLDER: u8 = 0x10;

const VOLUME_LABEL: u8 = 0x08;
const LONG_NAME: u8 = 0x0f;

const ENTRY: usize = 32;
/// The length of what [`label`] returns.
pub const LABEL: usize = ENTRY;
/// The length of what [`dots`] returns.
pub const DOTS: usize = 2 * ENTRY;

/// UTF-16 units in an entry of a long name, and where they lie.
const UNITS: usize = 13;
const UNIT_PLACES: [usize; UNITS] = [1, 3, 5, 7, 9, 14, 16, 18, 20, 22, 24, 28, 30];

/// A point in time, to two seconds, from 1980 to 2107. In UTC: where the drive will be read nobody knows.
#[derive(Clone, Copy)]
pub struct Stamp {
    date: [u8; 2],
    time: [u8; 2],
}

impl From<FileTime> for Stamp {
    fn from(time: FileTime) -> Self {
        let (seconds, _) = time.to_unix();
        let known = Timestamp::from_second(seconds).map(|time| TimeZone::UTC.to_datetime(time));
        let earliest = DateTime::constant(1980, 1, 1, 0, 0, 0, 0);
        let at = known.unwrap_or(earliest).clamp(earliest, DateTime::constant(2107, 12, 31, 23, 59, 58, 0));
        let date = (at.year() - 1980) << 9 | i16::from(at.month()) << 5 | i16::from(at.day());
        let time = i16::from(at.hour()) << 11 | i16::from(at.minute()) << 5 | i16::from(at.second() / 2);
        Self { date: date.to_le_bytes(), time: time.to_le_bytes() }
    }
}

/// Returns the entry that names the volume.
pub fn label(name: &[u8; 11], stamp: Stamp) -> Vec<u8> {
    short(name, VOLUME_LABEL, 0, 0, stamp).to_vec()
}

/// Returns the entries that a folder at the root begins with.
pub fn dots(own: u32, stamp: Stamp) -> Vec<u8> {
    // The root is called 0 here, wherever it lies.
    [short(b".          ", FOLDER, own, 0, stamp), short(b"..         ", FOLDER, 0, 0, stamp)].concat()
}

/// Returns the length of a file's entries.
pub fn length(name: &str) -> usize {
    let long = if short_name(name).is_some() { 0 } else { name.encode_utf16().count().div_ceil(UNITS) };
    ENTRY * (long + 1)
}

/// Returns a file's entries. `n` tells it from the others in its folder when its name has to be cut.
pub fn entry(name: &str, n: usize, attributes: u8, cluster: u32, size: u32, stamp: Stamp) -> Vec<u8> {
    if let Some(name) = short_name(name) {
        return short(&name, attributes, cluster, size, stamp).to_vec();
    }
    let alias = alias(name, n);
    let mut bytes = long(name, &alias);
    bytes.extend(short(&alias, attributes, cluster, size, stamp));
    bytes
}

fn short(name: &[u8; 11], attributes: u8, cluster: u32, size: u32, stamp: Stamp) -> [u8; ENTRY] {
    let mut entry = [0; ENTRY];
    let mut put = |at: usize, bytes: &[u8]| entry[at..at + bytes.len()].copy_from_slice(bytes);
    let cluster = cluster.to_le_bytes();
    put(0x00, name);
    put(0x0b, &[attributes]);
    put(0x0e, &stamp.time);
    put(0x10, &stamp.date);
    put(0x12, &stamp.date);
    put(0x14, &cluster[2..]);
    put(0x16, &stamp.time);
    put(0x18, &stamp.date);
    put(0x1a, &cluster[..2]);
    put(0x1c, &size.to_le_bytes());
    entry
}

/// Returns the entries of a long name: its end comes first.
fn long(name: &str, alias: &[u8; 11]) -> Vec<u8> {
    let checksum = alias.iter().fold(0_u8, |sum, byte| sum.rotate_right(1).wrapping_add(*byte));
    let units: Vec<u16> = name.encode_utf16().collect();
    let mut bytes = Vec::new();
    for (n, part) in units.chunks(UNITS).enumerate().rev() {
        let mut entry = [0; ENTRY];
        let last = if (n + 1) * UNITS >= units.len() { 0x40 } else { 0 };
        entry[0x00] = (n + 1) as u8 | last;
        entry[0x0b] = LONG_NAME;
        entry[0x0d] = checksum;
        // Behind the end there is one 0, and then no character at all.
        let padded = part.iter().copied().chain([0]).chain(std::iter::repeat(0xffff));
        for (at, unit) in UNIT_PLACES.into_iter().zip(padded) {
            entry[at..at + 2].copy_from_slice(&unit.to_le_bytes());
        }
        bytes.extend(entry);
    }
    bytes
}

/// Returns a name as it stands in an entry, if it needs no long one.
fn short_name(name: &str) -> Option<[u8; 11]> {
    let (base, extension) = name.split_once('.').unwrap_or((name, ""));
    let plain = |part: &str| part.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
    let fits = (1..=8).contains(&base.len()) && extension.len() <= 3;
    (fits && plain(base) && plain(extension)).then(|| eleven(base, extension))
}

/// Returns the short name that a file with a long one has beside it.
fn alias(name: &str, n: usize) -> [u8; 11] {
    let (base, extension) = name.rsplit_once('.').unwrap_or((name, ""));
    let plain = |part: &str, length: usize| {
        let letters = part.chars().filter(char::is_ascii_alphanumeric).take(length);
        letters.collect::<String>().to_ascii_uppercase()
    };
    let tail = format!("~{n}");
    eleven(&(plain(base, 8 - tail.len()) + &tail), &plain(extension, 3))
}

fn eleven(base: &str, extension: &str) -> [u8; 11] {
    let mut name = [b' '; 11];
    name[..base.len()].copy_from_slice(base.as_bytes());
    name[8..8 + extension.len()].copy_from_slice(extension.as_bytes());
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_whole_even_seconds_in_utc() {
        let stamp = |seconds| {
            let Stamp { date, time } = Stamp::from(FileTime::from_unix(seconds, 0));
            (u16::from_le_bytes(date), u16::from_le_bytes(time))
        };
        // 2021-10-08 18:09:46 UTC
        assert_eq!(stamp(1_633_716_586), (41 << 9 | 10 << 5 | 8, 18 << 11 | 9 << 5 | 23));
        assert_eq!(stamp(0), (1 << 5 | 1, 0), "FAT begins in 1980");
        assert_eq!(stamp(5_000_000_000).0, 127 << 9 | 12 << 5 | 31, "and ends in 2107");
    }

    #[test]
    fn names_that_fit_stay_and_others_get_a_short_one_beside() {
        assert_eq!(short_name("README.TXT"), Some(*b"README  TXT"));
        for long in ["Readme.txt", "COV 0000. BL", "A.B.C", "NINELETTERS", "A.LONG", "\u{d6}L", ".X"] {
            assert_eq!(short_name(long), None, "{long}");
        }
        assert_eq!(&alias("COV 0000. BL", 2), b"COV000~2BL ");
        assert_eq!(&alias("Numbers.txt", 12), b"NUMBE~12TXT");
        let thirteen = entry("thirteenchars", 1, 0, 0, 0, Stamp::from(FileTime(0)));
        assert_eq!((thirteen.len(), thirteen[0]), (length("thirteenchars"), 0x41));
    }
}
