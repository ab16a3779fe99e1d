use std::io::{Read, Seek};
use std::iter;

use proptest::prelude::*;
use proptest::sample::Index;

use super::*;

/// Where an L2 table ends.
const RANGE: u64 = 512 << 20;

fn new() -> File {
    tempfile::tempfile().expect("a file")
}

fn read(image: &Writer, offset: u64, length: usize) -> Vec<u8> {
    let mut buf = vec![1; length];
    image.read_at(offset, &mut buf).expect("written before");
    buf
}

/// Blocks of zeros and of data, and a last one that may be short.
fn contents() -> impl Strategy<Value = Vec<u8>> {
    let block = prop_oneof![2 => Just(0), 3 => 1..=255_u8];
    (prop::collection::vec(block, 0..40), 0..BLOCK).prop_map(|(blocks, less)| {
        let mut bytes: Vec<u8> = blocks
            .iter()
            // Data that begins with zeros is no hole.
            .flat_map(|&byte| [&[0; 100][..], &[byte; BLOCK - 100]].concat())
            .collect();
        bytes.truncate(bytes.len().saturating_sub(less));
        bytes
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn what_is_read_is_what_was_written_however_often_it_broke_off(
        bytes in contents(),
        breaks in prop::collection::vec((any::<Index>(), any::<bool>()), 0..6),
        pieces in prop::collection::vec(1..5_usize, 1..6),
    ) {
        let length = bytes.len() as u64;
        for format in [Format::Raw, Format::Qcow2] {
            let file = new();
            let handle = || file.try_clone().expect("a handle");
            let mut image = Writer::create(handle(), format, length).expect("an image");
            let mut known = Mark::default();
            let mut pieces = pieces.iter().cycle();
            let mut write = |image: &mut Writer, to: u64| {
                while image.position() < to {
                    let from = image.position() as usize;
                    let piece = pieces.next().expect("endless") * BLOCK;
                    let end = bytes.len().min(from + piece);
                    image.write(&bytes[from..end]).expect("written");
                }
            };
            for (at, told) in &breaks {
                write(&mut image, at.index(bytes.len() + 1) as u64);
                let mark = image.checkpoint().expect("written");
                if *told {
                    known = mark;
                }
                write(&mut image, at.index(bytes.len() + 1) as u64);
                drop(image);
                image = Writer::resume(handle(), format, length, known).expect("whole up to there");
                prop_assert!(read(&image, 0, known.position as usize) == bytes[..known.position as usize]);
            }
            write(&mut image, length);
            prop_assert!(read(&image, 0, bytes.len()) == bytes);
            let mark = image.checkpoint().expect("written");
            image.finish().expect("finished");
            let again = Writer::resume(handle(), format, length, mark).expect("whole");
            prop_assert!(read(&again, 0, bytes.len()) == bytes);
        }
    }
}

/// Returns a file as a power cut leaves it: of what was written since the last sync each sector is there or not, and
/// the file is as long as it was or as it became.
fn cut(synced: &[u8], later: &[u8], is_longer: bool, mut seed: u64) -> File {
    let mut bytes = later.to_vec();
    for (own, other) in bytes.chunks_mut(512).zip(synced.chunks(512).map(Some).chain(iter::repeat(None))) {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        if seed >> 63 == 0 {
            own.fill(0);
            let other = other.unwrap_or_default();
            let length = own.len().min(other.len());
            own[..length].copy_from_slice(&other[..length]);
        }
    }
    if !is_longer {
        bytes.truncate(synced.len());
    }
    let file = new();
    place::write(&file, 0, &bytes).expect("written");
    file
}

fn all(mut file: &File) -> Vec<u8> {
    let mut bytes = Vec::new();
    file.rewind().and_then(|()| file.read_to_end(&mut bytes)).expect("read");
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_power_cut_takes_nothing_that_was_synced(
        bytes in contents(),
        mark in any::<Index>(),
        early in 0..40_usize,
        lost in any::<Index>(),
        is_longer in any::<bool>(),
        seed in any::<u64>(),
        end in 0..3_u64,
    ) {
        // Before the end of a table, at it, or behind it.
        let front = RANGE - (10 + end * 10) * BLOCK as u64;
        let length = front + bytes.len() as u64;
        let blocks = bytes.len().div_ceil(BLOCK);
        let to = |image: &mut Writer, block: usize| {
            let from = (image.position() - front) as usize;
            image.write(&bytes[from..bytes.len().min(block * BLOCK).max(from)]).expect("written");
        };
        // Often where nothing but zeros came before.
        let (mark, lost) = (mark.index(blocks + 1).saturating_sub(early), lost.index(blocks + 1));
        let file = new();
        let mut image =
            Writer::create(file.try_clone().expect("a handle"), Format::Qcow2, length).expect("an image");
        for _ in 0..front / BLOCK as u64 {
            image.write(&[0; BLOCK]).expect("written");
        }
        to(&mut image, mark);
        let known = image.checkpoint().expect("written");
        let synced = all(&file);
        to(&mut image, lost);
        image.checkpoint().expect("written");
        if image.position() == length {
            image.finish().expect("finished");
        }
        let left = cut(&synced, &all(&file), is_longer, seed);
        let mut image = Writer::resume(left, Format::Qcow2, length, known).expect("whole up to there");
        to(&mut image, blocks);
        prop_assert!(read(&image, front, bytes.len()) == bytes);
        image.finish().expect("finished");
    }
}

#[test]
fn images_of_many_tables_are_gone_on_with_at_every_table() {
    // Data around the ends of tables, and a table that is not there.
    let places = [0, RANGE - BLOCK as u64, RANGE, 3 * RANGE + BLOCK as u64, 4 * RANGE - BLOCK as u64];
    let length = 4 * RANGE + 3 * BLOCK as u64 + 5;
    let hole = vec![0; 32 << 20];
    for format in [Format::Raw, Format::Qcow2] {
        let file = new();
        let handle = || file.try_clone().expect("a handle");
        let mut image = Writer::create(handle(), format, length).expect("an image");
        for at in places.into_iter().chain([length - 5]) {
            while image.position() < at {
                let gap = usize::try_from(at - image.position()).expect("less");
                image.write(&hole[..gap.min(hole.len())]).expect("written");
            }
            let mark = image.checkpoint().expect("written");
            let data = [at as u8 | 1; BLOCK];
            // Some of it is written, and lost.
            image.write(&data[..data.len().min((length - at) as usize)]).expect("written");
            image.checkpoint().expect("written");
            image = Writer::resume(handle(), format, length, mark).expect("whole up to there");
            image.write(&data[..data.len().min((length - at) as usize)]).expect("written");
        }
        for at in places {
            assert_eq!(read(&image, at, BLOCK), [at as u8 | 1; BLOCK], "{format:?} at {at}");
            assert!(at == RANGE - BLOCK as u64 || read(&image, at + BLOCK as u64, 9) == [0; 9]);
        }
        image.finish().expect("finished");
    }
}

#[test]
fn a_raw_image_has_its_length_and_its_holes() {
    let mut file = new();
    let length = (64 << 20) + 5;
    let mut image =
        Writer::create(file.try_clone().expect("a handle"), Format::Raw, length).expect("an image");
    image.write(&vec![0; 32 << 20]).expect("written");
    image.write(&[1; BLOCK]).expect("written");
    image.write(&vec![0; (32 << 20) - BLOCK + 5]).expect("written");
    let stored = image.finish().expect("finished");
    assert_eq!(file.metadata().expect("a file").len(), length);
    assert!(cfg!(windows) || stored < 1 << 20, "{stored} bytes on the medium");
    let mut ones = 0;
    let mut buf = vec![0; 1 << 20];
    // On Windows writing at a place moves there.
    file.rewind().expect("the beginning");
    loop {
        match file.read(&mut buf).expect("read") {
            0 => break,
            n => ones += buf[..n].iter().filter(|&&byte| byte == 1).count(),
        }
    }
    assert_eq!(ones, BLOCK);
}

#[test]
fn what_does_not_come_next_is_refused() {
    let mut image = Writer::create(new(), Format::Raw, BLOCK as u64 + 10).expect("an image");
    assert!(image.write(&[1; BLOCK + 11]).is_err(), "past the end");
    image.write(&[1; BLOCK + 5]).expect("written");
    assert!(image.write(&[1; 5]).is_err(), "after a part of a block");
    assert!(image.finish().is_err(), "not whole");
    let mark = Mark { position: BLOCK as u64, end: BLOCK as u64 };
    let short = Writer::resume(new(), Format::Raw, BLOCK as u64 * 2, mark).expect_err("nothing is there");
    assert_eq!(short.kind(), io::ErrorKind::InvalidData);
}
