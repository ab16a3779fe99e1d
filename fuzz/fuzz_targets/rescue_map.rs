//! The map of a rescue: what is read is what is written again, and its parts cover it without a gap.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rescue::{Map, Status};

const ALL: [Status; 5] =
    [Status::NonTried, Status::NonTrimmed, Status::NonScraped, Status::Bad, Status::Finished];

fuzz_target!(|bytes: &[u8]| {
    let Ok(mut map) = Map::parse(bytes) else { return };
    assert_eq!(Map::parse(map.to_string().as_bytes()).expect("its own text"), map);
    // Some changes, by the very bytes.
    for change in bytes.chunks_exact(4).take(64) {
        let start = map.size() / 256 * u64::from(change[0]) + u64::from(change[1]);
        let end = start.saturating_add(map.size() / 256 * u64::from(change[2]) + 1);
        map.set(start..end, ALL[usize::from(change[3]) % ALL.len()]);
    }
    let mut end = 0;
    for (part, status) in map.parts() {
        assert!(part.start == end && part.start < part.end && map.at(part.start) == Some(status));
        end = part.end;
    }
    assert_eq!(end, map.size());
    assert_eq!(ALL.iter().map(|&status| map.total(status)).sum::<u64>(), map.size());
    assert_eq!(map.missing(0..map.size()).next().is_none(), map.is_complete());
});
