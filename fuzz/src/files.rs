//! Volumes for the targets that read files, and somebody who reads all of them.

use std::collections::BTreeSet;
use std::sync::Arc;

use unlocked::{FileId, FileSystem, Name, Position};

const SECTOR: usize = 512;
/// Volumes have so many sectors.
const SECTORS: usize = 0x1000;
/// How many folders and files are looked at.
const MOST: usize = 60;

/// Lays out a volume: a row of sectors, each with its number in front, all others zeros. So most of what is
/// mutated means something, while real volumes are mostly empty.
pub fn image(bytes: &[u8], name: &[u8; 8]) -> Vec<u8> {
    let mut image = vec![0; SECTORS * SECTOR];
    for part in bytes.chunks(2 + SECTOR) {
        let Some((number, sector)) = part.split_first_chunk() else { break };
        let at = usize::from(u16::from_le_bytes(*number)) % SECTORS * SECTOR;
        image[at..at + sector.len()].copy_from_slice(sector);
    }
    image[3..11].copy_from_slice(name);
    image[510..512].copy_from_slice(&[0x55, 0xaa]);
    image
}

/// Makes records and index blocks of NTFS look wholly written.
pub fn seal_ntfs(image: &mut [u8]) {
    for at in (0..image.len()).step_by(SECTOR) {
        let header: [u8; 8] = *image[at..].first_chunk().expect("a sector");
        if !matches!(&header[..4], b"FILE" | b"INDX") {
            continue;
        }
        let (place, count) =
            (u16::from_le_bytes([header[4], header[5]]), u16::from_le_bytes([header[6], header[7]]));
        let Some(&number) = image.get(at + usize::from(place)..).and_then(|rest| rest.first_chunk::<2>())
        else {
            continue;
        };
        for sector in image[at..].chunks_mut(SECTOR).take(usize::from(count.saturating_sub(1)).min(16)) {
            sector[SECTOR - 2..].copy_from_slice(&number);
        }
    }
}

/// Puts the checksums into the files of exFAT folders.
pub fn seal_exfat(image: &mut [u8]) {
    const RECORD: usize = 32;
    const FILE: u8 = 0x85;
    for at in (0..image.len()).step_by(RECORD) {
        let length = RECORD * (1 + usize::from(image[at + 1]));
        if image[at] != FILE || at + length > image.len() || length > 19 * RECORD {
            continue;
        }
        let bytes = image[at..at + length].iter().enumerate().filter(|(at, _)| !matches!(at, 2 | 3));
        let sum = bytes.fold(0_u16, |sum, (_, &byte)| sum.rotate_right(1).wrapping_add(byte.into()));
        image[at + 2..at + 4].copy_from_slice(&sum.to_le_bytes());
    }
}

/// Opens a volume and looks at everything in it.
pub fn browse(volume: Vec<u8>) {
    let size = volume.len();
    let Ok(files) = FileSystem::open(Arc::new(volume)) else { return };
    let _ = format!("{files:?} {}", files.about().label);
    let _ = files.find("file:stream");
    for record in files.records().flatten().take(MOST) {
        let _ = files.names(record);
        let _ = files.stored(record);
    }
    let mut seen = BTreeSet::new();
    let mut ids = vec![files.root()];
    while let Some(id) = ids.pop() {
        if seen.len() >= MOST || !seen.insert(id) {
            continue;
        }
        look_at(&files, id);
        let Ok(listing) = files.list(id, Position::default()) else { continue };
        let mut last = None;
        for (number, entry) in listing.enumerate() {
            assert!(number <= size / 16, "a listing has more entries than the volume has room for");
            let Ok(entry) = entry else { continue };
            assert!(last < Some(entry.next), "a listing goes back");
            last = Some(entry.next);
            if number < MOST {
                let _ = files.lookup(id, &entry.name);
                assert_eq!(Name::from_bytes(&entry.name.to_bytes()).to_bytes(), entry.name.to_bytes());
                ids.push(entry.id);
            }
        }
    }
}

fn look_at(files: &FileSystem, id: FileId) {
    let mut buf = [0; 9000];
    let _ = files.stat(id);
    let _ = files.link(id);
    for stored in files.stored(id).unwrap_or_default() {
        assert!(stored.extents.windows(2).all(|two| two[0].end() == two[1].offset), "pieces have gaps");
    }
    let streams = files.streams(id).unwrap_or_default();
    for name in std::iter::once(Name::default()).chain(streams.into_iter().map(|stream| stream.name)) {
        let Ok(file) = files.open_stream(id, &name) else { continue };
        for at in [0, file.size() / 2, file.size().saturating_sub(5), file.size(), u64::MAX] {
            if let Ok(read) = file.read_at(at, &mut buf) {
                assert!(at.saturating_add(read as u64) <= file.size().max(at), "more was read than there is");
            }
        }
    }
}
