//! Numbers, times and emphasis for people.

use std::path::Path;

use fve::FileTime;
use jiff::Timestamp;
use jiff::tz::TimeZone;

/// Emphasis; taken out again where standard output is no terminal.
pub const BOLD: &str = "\x1b[1m";
/// What should not be overlooked.
pub const ERROR: &str = "\x1b[1;31m";
/// What is good.
pub const GOOD: &str = "\x1b[32m";
/// Ends emphasis.
pub const OFF: &str = "\x1b[0m";

/// Returns a size in the largest fitting unit: `237.9 GiB`.
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let (mut value, mut unit) = (bytes as f64 / 1024.0, 0);
    while value >= 1023.95 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS[unit])
}

/// Returns a time in this computer's time zone: `2021-10-08 20:09`.
pub fn time(time: FileTime) -> String {
    timestamp(time).map_or_else(
        || "an impossible time".to_owned(),
        |timestamp| timestamp.to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M").to_string(),
    )
}

/// Returns a time in UTC for programs: `2021-10-08T18:09:46Z`.
pub fn utc(time: FileTime) -> Option<String> {
    timestamp(time).map(|timestamp| timestamp.strftime("%Y-%m-%dT%H:%M:%SZ").to_string())
}

fn timestamp(time: FileTime) -> Option<Timestamp> {
    let (seconds, nanoseconds) = time.to_unix();
    Timestamp::new(seconds, i32::try_from(nanoseconds).ok()?).ok()
}

/// Returns the time now.
pub fn now() -> FileTime {
    let now = Timestamp::now();
    FileTime::from_unix(now.as_second(), u32::try_from(now.subsec_nanosecond()).unwrap_or(0))
}

/// Returns a part of a whole in percent; 100 only when nothing is missing.
pub fn percent(part: u64, whole: u64) -> String {
    if part >= whole {
        return "100%".to_owned();
    }
    let tenths = (u128::from(part) * 1000 / u128::from(whole)).min(999);
    format!("{}.{}%", tenths / 10, tenths % 10)
}

/// Returns a path as a shell takes it.
pub fn quoted(path: &Path) -> String {
    let shown = path.display().to_string();
    let plain = |c: char| c.is_alphanumeric() || "/\\._-:+".contains(c);
    if !shown.is_empty() && shown.chars().all(plain) {
        shown
    } else {
        format!("'{}'", shown.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_take_the_largest_fitting_unit() {
        assert_eq!([size(0), size(1023), size(1024)], ["0 B", "1023 B", "1.0 KiB"]);
        assert_eq!(size(255_550_554_112), "238.0 GiB");
        assert_eq!(size(u64::MAX), "16.0 EiB");
        assert_eq!(size((1 << 30) - 1), "1.0 GiB");
    }

    #[test]
    fn a_hundred_percent_is_all_of_it() {
        assert_eq!(percent(999_999, 1_000_000), "99.9%");
        assert_eq!(percent(1, 1), "100%");
        assert_eq!(percent(0, 0), "100%");
        assert_eq!(percent(u64::MAX - 1, u64::MAX), "99.9%");
    }

    #[test]
    fn what_a_shell_would_split_is_quoted() {
        let quoted = |path: &str| quoted(Path::new(path));
        assert_eq!(quoted("/home/me/a-b.img"), "/home/me/a-b.img");
        assert_eq!(quoted("it's mine.img"), r"'it'\''s mine.img'");
    }

    #[test]
    fn times_that_cannot_be_are_survived() {
        assert_eq!(utc(FileTime(132_781_889_863_450_000)).as_deref(), Some("2021-10-08T17:49:46Z"));
        time(FileTime(u64::MAX));
        utc(FileTime(0));
    }
}
