use std::io::{Read, Seek};

use super::*;
use crate::{Format, Mark, Writer};

fn new() -> File {
    tempfile::tempfile().expect("a file")
}

fn bytes(mut file: &File) -> Vec<u8> {
    let mut bytes = Vec::new();
    file.rewind().and_then(|()| file.read_to_end(&mut bytes)).expect("read");
    bytes
}

fn begin(file: &File, length: u64) -> Writer {
    Writer::create(file.try_clone().expect("a handle"), Format::Qcow2, length).expect("an image")
}

fn go_on(file: &File, length: u64, mark: Mark) -> io::Result<Writer> {
    Writer::resume(file.try_clone().expect("a handle"), Format::Qcow2, length, mark)
}

#[test]
fn no_half_written_file_looks_like_an_image() {
    let file = new();
    let mut image = begin(&file, 2 * CLUSTER);
    image.write(&[7; BLOCK]).expect("written");
    let mark = image.checkpoint().expect("written");
    assert_eq!(bytes(&file)[..4], [0; 4]);
    image.write(&[7; BLOCK]).expect("written");
    image.finish().expect("finished");
    assert_eq!(bytes(&file)[..8], *b"QFI\xfb\0\0\0\x03");
    // Gone on with, it is half written again.
    let image = go_on(&file, 2 * CLUSTER, mark).expect("an image");
    assert_eq!(bytes(&file)[..4], [0; 4]);
    let mut buf = [0; 3];
    image.read_at(CLUSTER - 3, &mut buf).expect("read");
    assert_eq!(buf, [7; 3]);
    assert!(image.read_at(CLUSTER - 2, &mut buf).is_err());
}

#[test]
fn every_cluster_is_counted_once_at_every_size() {
    for used in [1, COUNTS - 3, COUNTS - 2, COUNTS - 1, COUNTS, 2 * COUNTS] {
        let file = new();
        let counted = refcounts::write(&file, used * CLUSTER).expect("written");
        let all = counted.end / CLUSTER;
        let blocks = all.div_ceil(COUNTS);
        assert_eq!(all, used + u64::from(counted.table_clusters) + blocks, "{used}");
        let mut table = vec![0; usize::try_from(blocks).expect("few")];
        read_entries(&file, counted.table, &mut table).expect("a table");
        // The last block is full up to its last cluster, and then empty.
        let mut block = vec![0; ENTRIES as usize];
        read_entries(&file, table[table.len() - 1], &mut block).expect("a block");
        let ones: u32 = block.iter().map(|entry| entry.count_ones()).sum();
        assert_eq!(u64::from(ones), all - (blocks - 1) * COUNTS, "{used}");
        assert_eq!(counted.end, file.metadata().expect("a file").len());
    }
}

const COUNTS: u64 = CLUSTER / 2;

#[test]
fn tables_of_any_bytes_give_errors_not_panics() {
    let length = 3 * RANGE;
    let file = new();
    let mut image = begin(&file, length);
    image.write(&[7; 4 * BLOCK]).expect("written");
    let mark = image.checkpoint().expect("written");
    let whole = bytes(&file);
    for (at, value) in [
        (CLUSTER, 0),
        (CLUSTER, 1),
        (CLUSTER, u64::MAX),
        (CLUSTER, COPIED | (1 << 40)),
        (CLUSTER, COPIED | 12345),
        (CLUSTER, COPIED),
        (2 * CLUSTER, u64::MAX),
        (2 * CLUSTER + 8, COPIED | (2 * CLUSTER)),
        (2 * CLUSTER + 24, COPIED | (3 * CLUSTER)),
    ] {
        file.set_len(0).and_then(|()| place::write(&file, 0, &whole)).expect("as it was");
        go_on(&file, length, mark).expect("sound");
        place::write(&file, at, &u64::to_be_bytes(value)).expect("spoilt");
        let error = go_on(&file, length, mark).expect_err("spoilt");
        assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{value:#x}: {error}");
    }
    for shorter in 1..whole.len() as u64 / CLUSTER {
        file.set_len(0).and_then(|()| place::write(&file, 0, &whole)).expect("as it was");
        file.set_len(shorter * CLUSTER).expect("cut off");
        assert!(go_on(&file, length, mark).is_err(), "{shorter} clusters");
    }
    file.set_len(0).and_then(|()| place::write(&file, 0, &whole)).expect("as it was");
    let Mark { position, end } = mark;
    for (position, end) in [
        (CLUSTER + 1, end),
        (length + CLUSTER, end),
        (u64::MAX, end),
        (position, u64::MAX),
        (position, end - CLUSTER),
        (position - CLUSTER, end),
        (position, 0),
    ] {
        assert!(go_on(&file, length, Mark { position, end }).is_err(), "{position} {end}");
    }
    assert!(go_on(&file, length, mark).is_ok());
}

#[test]
fn an_image_larger_than_any_is_refused() {
    for length in [L1_LIMIT * RANGE + 1, u64::MAX] {
        let error = Writer::create(new(), Format::Qcow2, length).expect_err("too large");
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    }
    assert!(Writer::create(new(), Format::Qcow2, L1_LIMIT * RANGE).is_ok());
}
