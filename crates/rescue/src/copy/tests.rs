use std::collections::BTreeMap;
use std::sync::Mutex;

use super::*;

const SECTOR: u64 = 512;
const SIZE: u64 = 40 * BLOCK + 7 * SECTOR;

/// A drive of sectors with their numbers in them, some of which are bad.
struct Failing {
    is_bad: Box<dyn Fn(u64) -> bool + Send + Sync>,
    /// A bad sector can be read after so many times.
    recovers: u32,
    /// How often each bad sector was hit.
    hits: Mutex<BTreeMap<u64, u32>>,
    size: u64,
}

impl Failing {
    fn new(is_bad: impl Fn(u64) -> bool + Send + Sync + 'static) -> Self {
        Self { is_bad: Box::new(is_bad), recovers: u32::MAX, hits: Mutex::default(), size: SIZE }
    }
}

fn content(offset: u64, buf: &mut [u8]) {
    for (at, byte) in (offset..).zip(buf) {
        // Every fourth sector is empty.
        let number = at / SECTOR;
        *byte = if number.is_multiple_of(4) {
            0
        } else {
            (number.wrapping_mul(0x9e37_79b9) >> (at % 8)) as u8 | 1
        };
    }
}

impl ReadAt for Failing {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        let end = offset + buf.len() as u64;
        if end > self.size {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let mut hits = self.hits.lock().expect("no panic");
        for sector in offset / SECTOR..end.div_ceil(SECTOR) {
            if (self.is_bad)(sector) {
                let hit = hits.entry(sector).or_default();
                *hit += 1;
                if *hit < self.recovers {
                    return Err(io::Error::other("a bad sector"));
                }
            }
        }
        content(offset, buf);
        Ok(())
    }

    fn size(&self) -> u64 {
        self.size
    }
}

struct Out(Mutex<Vec<u8>>);

impl Out {
    fn new() -> Self {
        Self(Mutex::new(vec![0; SIZE as usize]))
    }
}

impl ReadAt for Out {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        self.0.lock().expect("no panic").as_slice().read_at(offset, buf)
    }

    fn size(&self) -> u64 {
        SIZE
    }
}

impl WriteAt for Out {
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.0.lock().expect("no panic")[offset as usize..][..bytes.len()].copy_from_slice(bytes);
        Ok(())
    }

    fn flush(&self) -> io::Result<()> {
        Ok(())
    }
}

#[derive(Default)]
struct Watcher {
    reads: u32,
    stop_after: Option<u32>,
    gone_after: Option<u32>,
    kept: Option<Map>,
}

impl Watch for Watcher {
    fn at(&mut self, _: &Map) -> ControlFlow<()> {
        self.reads += 1;
        if self.stop_after.is_some_and(|most| self.reads > most) {
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    }

    fn keep(&mut self, map: &Map) -> io::Result<()> {
        self.kept = Some(map.clone());
        Ok(())
    }

    fn is_gone(&mut self) -> bool {
        self.gone_after.is_some_and(|most| self.reads > most)
    }
}

fn rescue<'a>(source: &'a Failing, out: &'a Out, retries: u32) -> Rescue<'a> {
    Rescue { source, out, sector: SECTOR, retries }
}

/// Asserts that the copy has every sector that is good, and the map tells of every one that is bad.
#[track_caller]
fn assert_right(map: &Map, out: &Out, is_bad: impl Fn(u64) -> bool) {
    let mut expected = vec![0; SIZE as usize];
    content(0, &mut expected);
    for (number, sector) in (0..).zip(expected.chunks_mut(SECTOR as usize)) {
        let status = if is_bad(number) { Status::Bad } else { Status::Finished };
        assert_eq!(map.at(number * SECTOR), Some(status), "sector {number}");
        if is_bad(number) {
            sector.fill(0);
        }
    }
    assert!(*out.0.lock().expect("no panic") == expected);
}

/// Bad sectors alone, in rows, at both ends, over the border of blocks.
fn patterns() -> [fn(u64) -> bool; 7] {
    const PER_BLOCK: u64 = BLOCK / SECTOR;
    const LAST: u64 = SIZE / SECTOR - 1;
    [
        |_| false,
        |_| true,
        |n| n % 1000 == 999,
        |n| n == 0 || n == LAST,
        |n| (PER_BLOCK * 3 - 2..PER_BLOCK * 3 + 2).contains(&n),
        |n| (5000..15_000).contains(&n),
        |n| n % PER_BLOCK == 0 || n % PER_BLOCK == 7,
    ]
}

#[test]
fn every_good_sector_is_copied_and_every_bad_one_known() {
    for is_bad in patterns() {
        let (source, out, mut map) = (Failing::new(is_bad), Out::new(), Map::new(SIZE));
        rescue(&source, &out, 0).run(&mut map, &mut Watcher::default()).expect("it ends");
        assert_right(&map, &out, is_bad);
        assert_eq!(map.phase, Phase::Finished);
    }
}

#[test]
fn no_bad_sector_is_hit_more_than_twice() {
    for is_bad in patterns() {
        let (source, out, mut map) = (Failing::new(is_bad), Out::new(), Map::new(SIZE));
        rescue(&source, &out, 0).run(&mut map, &mut Watcher::default()).expect("it ends");
        let hits = source.hits.lock().expect("no panic");
        assert!(hits.values().all(|&hits| hits <= 2), "{:?}", hits.values().max());
    }
}

#[test]
fn what_lies_around_a_large_bad_place_is_read_first() {
    let is_bad = |n: u64| (5000..15_000).contains(&n);
    let (source, out, mut map) = (Failing::new(is_bad), Out::new(), Map::new(SIZE));
    // As many reads as the drive has blocks: all good ones are there, though bad ones were not finished.
    let mut watcher = Watcher { stop_after: Some((SIZE / BLOCK) as u32 + 1), ..Default::default() };
    let result = rescue(&source, &out, 0).run(&mut map, &mut watcher);
    assert!(matches!(result, Err(Stopped::Interrupted)));
    assert!(map.has(0..4608 * SECTOR) && map.has(15_360 * SECTOR..SIZE));
    assert_eq!(watcher.kept.expect("kept").total(Status::NonTried), 0);
}

#[test]
fn a_retry_reads_what_the_first_try_did_not() {
    let is_bad = |n: u64| n % 1000 == 5;
    for (retries, recovers, is_right) in [(0, 3, false), (1, 3, true), (1, 4, false), (2, 4, true)] {
        let (mut source, out, mut map) = (Failing::new(is_bad), Out::new(), Map::new(SIZE));
        source.recovers = recovers;
        rescue(&source, &out, retries).run(&mut map, &mut Watcher::default()).expect("it ends");
        assert_eq!(map.is_complete(), is_right, "{retries} retries");
        if is_right {
            assert_right(&map, &out, |_| false);
        }
    }
}

#[test]
fn stopped_anywhere_it_goes_on_there() {
    let is_bad = |n: u64| n % 1000 == 999 || (5000..5100).contains(&n);
    for most in [0, 1, 3, 50, 400, 3000, 9000] {
        let (source, out, mut map) = (Failing::new(is_bad), Out::new(), Map::new(SIZE));
        let mut runs = 0;
        loop {
            runs += 1;
            let mut watcher = Watcher { stop_after: Some(most + runs), ..Default::default() };
            let result = rescue(&source, &out, 0).run(&mut map, &mut watcher);
            // What another process would find.
            map = Map::parse(watcher.kept.expect("kept").to_string().as_bytes()).expect("its own text");
            match result {
                Ok(()) => break,
                Err(Stopped::Interrupted) => {}
                Err(other) => panic!("{other}"),
            }
        }
        assert!(runs > 1 || most > 3000, "{most}");
        assert_right(&map, &out, is_bad);
    }
}

#[test]
fn a_drive_that_is_gone_is_no_bad_drive() {
    let (source, out, mut map) = (Failing::new(|n| n >= 9000), Out::new(), Map::new(SIZE));
    let mut watcher = Watcher { gone_after: Some(9), ..Default::default() };
    assert!(matches!(rescue(&source, &out, 0).run(&mut map, &mut watcher), Err(Stopped::Gone)));
    assert_eq!(map.unreadable(), 0);
    rescue(&Failing::new(|_| false), &out, 0).run(&mut map, &mut Watcher::default()).expect("it is back");
    assert_right(&map, &out, |_| false);
}

#[test]
fn what_lies_behind_the_end_of_a_cut_off_drive_is_lost_without_a_read() {
    let (mut source, out, mut map) = (Failing::new(|_| false), Out::new(), Map::new(SIZE));
    source.size = 10 * BLOCK + SECTOR;
    let mut watcher = Watcher::default();
    rescue(&source, &out, 5).run(&mut map, &mut watcher).expect("it ends");
    assert_right(&map, &out, |n| n >= source.size / SECTOR);
    assert_eq!(watcher.reads, 11);
}

#[test]
fn a_full_disk_stops_it_and_loses_nothing() {
    struct Full<'a>(&'a Out);
    impl ReadAt for Full<'_> {
        fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
            self.0.read_at(offset, buf)
        }

        fn size(&self) -> u64 {
            SIZE
        }
    }
    impl WriteAt for Full<'_> {
        fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
            if offset > 9 * BLOCK {
                Err(io::ErrorKind::StorageFull.into())
            } else {
                self.0.write_at(offset, bytes)
            }
        }

        fn flush(&self) -> io::Result<()> {
            Ok(())
        }
    }
    let (source, out, mut map) = (Failing::new(|_| false), Out::new(), Map::new(SIZE));
    let full = Full(&out);
    let full = Rescue { source: &source, out: &full, sector: SECTOR, retries: 0 };
    assert!(matches!(full.run(&mut map, &mut Watcher::default()), Err(Stopped::Writing(_))));
    rescue(&source, &out, 0).run(&mut map, &mut Watcher::default()).expect("there is room again");
    assert_right(&map, &out, |_| false);
}
