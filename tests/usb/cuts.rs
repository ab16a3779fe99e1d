//! The power fails at each write.

use backup::Document;
use lastkey_tests::nbd::Event;

use crate::Drive;
use crate::sticks::FileSystem;

/// How often the power was cut, and how often the stick had to be mended before it could be read.
#[derive(Debug, Default)]
pub struct Cuts {
    pub all: usize,
    pub mended: usize,
}

/// Cuts the power before each write, and in the middle of each long one.
///
/// Some cuts make other readers refuse the whole stick until it is mended by the file system's own program, as every system
/// offers: NTFS, when its copy of the first records is older than they are; exFAT, when a write was torn
/// in the middle of an entry in a folder.
///
/// NTFS sees when one of its records was torn, and then has lost it: Windows restores it from a log, which the
/// driver of Linux does not write. So its writes are cut between, not torn.
///
/// # Panics
/// When an old file has changed, or one of the documents is there in part.
pub fn each(drive: &Drive, system: &FileSystem, mut disk: Vec<u8>, events: &[Event]) -> Cuts {
    let names: Vec<_> = drive.documents.iter().map(Document::file_name).collect();
    let mut cuts = Cuts::default();
    let mut cut = |disk: &[u8], place: &str| {
        let files = system.read(disk, &names).or_else(|_| {
            cuts.mended += 1;
            system.read(&system.mend(disk), &names)
        });
        let files = files.unwrap_or_else(|lost| panic!("{} {place}: {lost} is lost", system.name));
        for document in &drive.documents {
            let name = document.file_name();
            let found = files.get(&name);
            let length = found.map_or(0, Vec::len);
            assert!(crate::is_whole(document, found), "{} {place}: {length} bytes of {name}", system.name);
        }
        cuts.all += 1;
    };
    let writes = events.iter().filter_map(|event| match event {
        Event::Write(offset, bytes) => Some((*offset as usize, bytes)),
        Event::Flush => None,
    });
    for (number, (offset, bytes)) in writes.enumerate() {
        cut(&disk, &format!("before write {number}"));
        let middle = bytes.len() / 1024 * 512;
        if middle > 0 && system.survives_torn_writes {
            disk[offset..offset + middle].copy_from_slice(&bytes[..middle]);
            cut(&disk, &format!("in write {number}"));
        }
        disk[offset..offset + bytes.len()].copy_from_slice(bytes);
    }
    cut(&disk, "after all writes");
    cuts
}
