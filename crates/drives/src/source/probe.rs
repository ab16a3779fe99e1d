//! The size of a device that does not tell it: the place where its last sector can still be read.

use std::fs::File;

/// No drive is larger; it keeps the search finite on a device that answers everywhere.
const LARGEST: u64 = 1 << 60;

/// Returns whether the device has a sector at `offset`. A bad one counts: it is there.
pub fn is_there(file: &File, offset: u64, sector: u64) -> bool {
    let mut buf = vec![0; usize::try_from(sector).unwrap_or(0)];
    match super::system::read(file, offset, &mut buf) {
        Ok(count) => count == buf.len(),
        // ERROR_CRC and EIO: the medium failed. Past the end the system says something else.
        Err(error) => error.raw_os_error() == Some(if cfg!(windows) { 23 } else { 5 }),
    }
}

/// Returns the number of bytes in the sectors that are there, by doubling and then halving: about
/// ninety reads for a terabyte at worst.
pub fn size(sector: u64, is_there: impl Fn(u64) -> bool) -> u64 {
    if !is_there(0) {
        return 0;
    }
    // There is a sector at `low`, none at `high`; both count sectors.
    let (mut low, mut high) = (0, 1);
    while high < LARGEST / sector && is_there(high * sector) {
        (low, high) = (high, high * 2);
    }
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if is_there(middle * sector) { low = middle } else { high = middle }
    }
    high * sector
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn the_end_is_found_in_few_reads() {
        for sectors in [0, 1, 2, 3, 4, 1000, 1 << 31, (1 << 31) + 12_345] {
            let reads = Cell::new(0);
            let found = size(512, |offset| {
                reads.set(reads.get() + 1);
                offset < sectors * 512
            });
            assert_eq!(found, sectors * 512);
            assert!(reads.get() < 90, "{}", reads.get());
        }
    }

    #[test]
    fn a_device_that_answers_everywhere_ends_the_search() {
        assert!(size(4096, |_| true) >= LARGEST / 2);
    }

    #[test]
    fn the_probe_agrees_with_a_file() {
        let folder = tempfile::tempdir().expect("a temp folder");
        let path = folder.path().join("image");
        std::fs::write(&path, vec![0; 37 * 512]).expect("a file");
        let file = File::open(&path).expect("the file");
        assert_eq!(size(512, |offset| is_there(&file, offset, 512)), 37 * 512);
    }
}
