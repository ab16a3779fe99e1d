//! FAT32 file systems that are written once, every file in one piece.
//!
//! Two things that are needed here no library offers: a file at a chosen place, and a file that is all
//! the room there is, without a byte of it being written. Clusters are single sectors, so that a file
//! can lie at any of them; that also makes 34 MiB enough for FAT32 (which begins at 65,525 clusters).
//!
//! ```text
//! sector 0     1        6         7               32      32 + n   32 + 2n
//! boot sector  FSInfo   and both once more        FAT     FAT      clusters 2, 3, ...
//! ```

use std::io;
use std::ops::Range;

use fve::{FileTime, ReadAt};

use super::directory::{self, Stamp};

/// Bytes in a sector and in a cluster.
pub const SECTOR: u64 = 512;

const RESERVED_SECTORS: u32 = 32;
const FATS: u32 = 2;
const BACKUP: u64 = 6 * SECTOR;
const FIRST_CLUSTER: u32 = 2;
const LAST_OF_FILE: u32 = 0x0fff_ffff;

/// What a file system shall be.
pub struct Fat32<'a> {
    /// Its size in bytes, from 34 MiB to less than 4 GiB.
    pub size: u64,
    /// Its name: up to 11 capital letters, digits and spaces.
    pub label: &'a str,
    /// When everything in it was made.
    pub now: FileTime,
}

/// A file or a folder.
pub struct Entry<'a> {
    /// Its name.
    pub name: &'a str,
    /// A sum of [`directory::READ_ONLY`], [`directory::HIDDEN`] and [`directory::SYSTEM`].
    pub attributes: u8,
    /// What is in it.
    pub content: Content<'a>,
}

/// What is in a file or folder.
pub enum Content<'a> {
    /// These bytes, at least one.
    Bytes(Vec<u8>),
    /// Whatever stands between these places, both whole sectors.
    Place(Range<u64>),
    /// Whatever stands behind everything else: to be the last that is written.
    Rest,
    /// Files, in a folder at the root.
    Folder(Vec<Entry<'a>>),
}

/// A file system in memory: only what is not zero.
pub struct Image {
    size: u64,
    pieces: Vec<(u64, Vec<u8>)>,
}

impl Fat32<'_> {
    /// Writes the file system.
    ///
    /// # Panics
    /// When the entries do not fit, or the place of one is taken.
    pub fn write(&self, root: Vec<Entry<'_>>) -> Image {
        let sectors = u32::try_from(self.size / SECTOR).expect("a small drive");
        // A FAT of n sectors has 128n entries, of which the first two belong to no cluster.
        let fat_sectors = (sectors - RESERVED_SECTORS + FIRST_CLUSTER).div_ceil(128 + FATS);
        let clusters = sectors - RESERVED_SECTORS - FATS * fat_sectors;
        let mut fat = vec![0; clusters as usize + 2];
        fat[..2].copy_from_slice(&[0x0fff_fff8, LAST_OF_FILE]);
        let mut writer = Writer { stamp: Stamp::from(self.now), fat_sectors, fat, pieces: Vec::new() };
        let mut label = [b' '; 11];
        label[..self.label.len()].copy_from_slice(self.label.as_bytes());
        writer.folder(root, Some(&label));

        let head =
            [boot_sector(sectors, fat_sectors, &label, self.now), writer.information_sector()].concat();
        let table: Vec<u8> = writer.fat.iter().flat_map(|entry| entry.to_le_bytes()).collect();
        let fats = u64::from(RESERVED_SECTORS) * SECTOR;
        let mut pieces = writer.pieces;
        pieces.push((BACKUP, head.clone()));
        pieces.push((0, head));
        pieces.push((fats + u64::from(fat_sectors) * SECTOR, table.clone()));
        pieces.push((fats, table));
        Image { size: self.size, pieces }
    }
}

impl Image {
    /// Returns the beginning, up to where only [`Content::Place`] and [`Content::Rest`] lie.
    pub fn front(&self) -> Vec<u8> {
        let end = self.pieces.iter().map(|(start, bytes)| start + bytes.len() as u64).max().unwrap_or(0);
        let mut front = vec![0; end.next_multiple_of(SECTOR) as usize];
        self.copy(0, &mut front);
        front
    }

    /// Puts `sector` in the place of the boot sector and of its backup.
    pub fn set_boot_sector(&mut self, sector: &[u8; SECTOR as usize]) {
        for (start, bytes) in &mut self.pieces {
            if [0, BACKUP].contains(start) {
                bytes[..sector.len()].copy_from_slice(sector);
            }
        }
    }

    fn copy(&self, offset: u64, buf: &mut [u8]) {
        let end = offset + buf.len() as u64;
        for (start, bytes) in &self.pieces {
            let (from, to) = ((*start).max(offset), (start + bytes.len() as u64).min(end));
            if from < to {
                let source = &bytes[(from - start) as usize..(to - start) as usize];
                buf[(from - offset) as usize..(to - offset) as usize].copy_from_slice(source);
            }
        }
    }
}

impl ReadAt for Image {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        let end = offset.checked_add(buf.len() as u64).filter(|&end| end <= self.size);
        end.ok_or(io::ErrorKind::UnexpectedEof)?;
        buf.fill(0);
        self.copy(offset, buf);
        Ok(())
    }

    fn size(&self) -> u64 {
        self.size
    }
}

struct Writer {
    stamp: Stamp,
    fat_sectors: u32,
    fat: Vec<u32>,
    pieces: Vec<(u64, Vec<u8>)>,
}

impl Writer {
    /// Writes a folder and everything in it; the root begins with the label. Returns its first cluster.
    fn folder(&mut self, entries: Vec<Entry<'_>>, label: Option<&[u8; 11]>) -> u32 {
        let head = if label.is_some() { directory::LABEL } else { directory::DOTS };
        let length = head + entries.iter().map(|entry| directory::length(entry.name)).sum::<usize>();
        let cluster = self.allocate(length as u64);
        let mut bytes = match label {
            Some(label) => directory::label(label, self.stamp),
            None => directory::dots(cluster, self.stamp),
        };
        for (n, Entry { name, mut attributes, content }) in entries.into_iter().enumerate() {
            let (first, size) = match content {
                Content::Bytes(content) => {
                    let size = content.len() as u64;
                    let first = self.allocate(size);
                    self.put(first, content);
                    (first, size)
                }
                Content::Place(Range { start, end }) => {
                    (self.take(self.cluster_at(start), end - start), end - start)
                }
                Content::Rest => {
                    let first = self.free();
                    let size = (self.fat.len() as u64 - u64::from(first)) * SECTOR;
                    (self.take(first, size), size)
                }
                Content::Folder(inside) => {
                    attributes |= directory::FOLDER;
                    (self.folder(inside, None), 0)
                }
            };
            bytes.extend(directory::entry(name, n + 1, attributes, first, size as u32, self.stamp));
        }
        self.put(cluster, bytes);
        cluster
    }

    fn free(&self) -> u32 {
        self.fat.iter().position(|entry| *entry == 0).expect("a free cluster") as u32
    }

    fn allocate(&mut self, length: u64) -> u32 {
        self.take(self.free(), length)
    }

    /// Makes the clusters from `first` on a file of `length` bytes.
    fn take(&mut self, first: u32, length: u64) -> u32 {
        let count = u32::try_from(length.div_ceil(SECTOR)).expect("a small drive");
        for cluster in first..first + count {
            let entry = &mut self.fat[cluster as usize];
            assert_eq!(*entry, 0, "cluster {cluster} is taken");
            *entry = if cluster + 1 == first + count { LAST_OF_FILE } else { cluster + 1 };
        }
        first
    }

    fn put(&mut self, first: u32, bytes: Vec<u8>) {
        self.pieces.push((self.data() + u64::from(first - FIRST_CLUSTER) * SECTOR, bytes));
    }

    fn cluster_at(&self, offset: u64) -> u32 {
        FIRST_CLUSTER + u32::try_from((offset - self.data()) / SECTOR).expect("a small drive")
    }

    fn data(&self) -> u64 {
        u64::from(RESERVED_SECTORS + FATS * self.fat_sectors) * SECTOR
    }

    /// Says how many clusters are free, and which is the first of them.
    fn information_sector(&self) -> [u8; SECTOR as usize] {
        let free = self.fat.iter().filter(|entry| **entry == 0).count() as u32;
        let first = self.fat.iter().position(|entry| *entry == 0).map_or(u32::MAX, |n| n as u32);
        let mut sector = [0; SECTOR as usize];
        let mut put = |at: usize, bytes: &[u8]| sector[at..at + bytes.len()].copy_from_slice(bytes);
        put(0x000, b"RRaA");
        put(0x1e4, b"rrAa");
        put(0x1e8, &free.to_le_bytes());
        put(0x1ec, &first.to_le_bytes());
        put(0x1fe, &[0x55, 0xaa]);
        sector
    }
}

fn boot_sector(
    sectors: u32,
    fat_sectors: u32,
    label: &[u8; 11],
    FileTime(now): FileTime,
) -> [u8; SECTOR as usize] {
    let mut sector = [0; SECTOR as usize];
    let mut put = |at: usize, bytes: &[u8]| sector[at..at + bytes.len()].copy_from_slice(bytes);
    put(0x00, &[0xeb, 0x58, 0x90]);
    put(0x03, b"MSWIN4.1");
    put(0x0b, &(SECTOR as u16).to_le_bytes());
    put(0x0d, &[1]);
    put(0x0e, &(RESERVED_SECTORS as u16).to_le_bytes());
    put(0x10, &[FATS as u8]);
    put(0x15, &[0xf8]);
    // 32 sectors in a track and 64 heads: whole tracks, for the readers that still count in them.
    put(0x18, &[32, 0, 64, 0]);
    put(0x20, &sectors.to_le_bytes());
    put(0x24, &fat_sectors.to_le_bytes());
    put(0x2c, &FIRST_CLUSTER.to_le_bytes());
    put(0x30, &[1, 0, (BACKUP / SECTOR) as u8, 0]);
    put(0x40, &[0x80, 0, 0x29]);
    // The serial number is made of the time, as ever.
    put(0x43, &((now >> 16) as u32).to_le_bytes());
    put(0x47, label);
    put(0x52, b"FAT32   ");
    put(0x1fe, &[0x55, 0xaa]);
    sector
}
