//! Points in time as Windows writes them.

/// FILETIME: 100 ns ticks since 1601-01-01 UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileTime(pub u64);

/// Seconds from 1601-01-01 to 1970-01-01.
const UNIX_EPOCH: u64 = 11_644_473_600;
const TICKS_PER_SECOND: u64 = 10_000_000;

impl FileTime {
    /// Returns seconds and nanoseconds since 1970-01-01 UTC.
    pub fn to_unix(self) -> (i64, u32) {
        // The kernel driver sets the top bit in the times of its nonces; no time needs it.
        let ticks = self.0 & !(1 << 63);
        let seconds = (ticks / TICKS_PER_SECOND).cast_signed() - UNIX_EPOCH.cast_signed();
        (seconds, u32::try_from(ticks % TICKS_PER_SECOND * 100).unwrap_or(0))
    }

    /// Makes a time from seconds and nanoseconds since 1970-01-01 UTC, from 1601 on.
    pub fn from_unix(seconds: i64, nanoseconds: u32) -> Self {
        let seconds = seconds.saturating_add(UNIX_EPOCH.cast_signed()).max(0).cast_unsigned();
        Self(seconds.saturating_mul(TICKS_PER_SECOND).saturating_add(u64::from(nanoseconds / 100)))
    }

    /// Returns the time cut to whole milliseconds, as Windows writes it into protectors.
    #[must_use]
    pub fn to_milliseconds(self) -> Self {
        Self(self.0 / 10_000 * 10_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_seen_on_a_real_drive() {
        // 2021-10-08 18:09:46.345 UTC
        let time = FileTime::from_unix(1_633_716_586, 345_000_000);
        assert_eq!(time.to_unix(), (1_633_716_586, 345_000_000));
        assert_eq!(time.to_milliseconds(), time);
        assert_eq!(FileTime(time.0 | 1 << 63).to_unix(), time.to_unix());
    }

    #[test]
    fn extremes_do_not_overflow() {
        FileTime(u64::MAX).to_unix();
        FileTime(0).to_unix();
        FileTime::from_unix(i64::MAX, u32::MAX);
        assert_eq!(FileTime::from_unix(i64::MIN, 0), FileTime(0));
    }
}
