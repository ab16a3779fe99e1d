//! Folders: going through all names, and looking for one.

use std::sync::Arc;

use zerocopy::little_endian::U32;
use zerocopy::{FromBytes, Immutable, KnownLayout, Unaligned};

use crate::bytes::structure;
use crate::case::Case;
use crate::error::{Error, Result, damaged_file};
use crate::extents;
use crate::file::File;
use crate::name::Name;
use crate::node::{Entry, FileId, Position};
use crate::ntfs::attribute::{BITMAP, INDEX_ALLOCATION, INDEX_ROOT, Value};
use crate::ntfs::index::{self, BLOCK_HEADER, IndexEntry, IndexName};
use crate::ntfs::inode::Inode;
use crate::ntfs::mft::{Mft, NUMBER};
use crate::ntfs::record::restore;
use crate::ntfs::reparse;

/// What the value of the index root starts with; the header of its entries follows.
#[derive(FromBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct RootHeader {
    kind: U32,
    order: U32,
    block: U32,
    clusters: [u8; 4],
}

const ROOT_HEADER: usize = size_of::<RootHeader>();
/// Blocks smaller than a cluster are counted in these.
const SMALL_UNIT: u64 = 512;
/// No tree of names is deeper.
const DEEPEST: usize = 32;
/// The numbers of NTFS's own files, which nobody wants to see in a listing.
const OWN_FILES: u64 = 16;

/// A folder's index.
pub(crate) struct Folder {
    id: FileId,
    /// The header and entries of the root, and where they lie.
    root: (Vec<u8>, u64),
    /// The other blocks, if there are any.
    blocks: Option<File>,
    /// A bit for each block that is in use.
    used: Option<Vec<u8>>,
    block: usize,
    /// The unit in which the entries count the place of their child.
    unit: u64,
}

impl Folder {
    pub(crate) fn open(mft: &Mft, id: FileId) -> Result<Self> {
        let wanted = [INDEX_ROOT, INDEX_ALLOCATION, BITMAP];
        let inode = Inode::read(mft, id, |listed| wanted.contains(&listed.kind))?;
        let attribute = inode.attribute(INDEX_ROOT, &index::NAME)?;
        let attribute = attribute.filter(|_| inode.record().is_folder()).ok_or(Error::NotAFolder)?;
        let wrong = |problem| damaged_file("index", id, problem);
        let Value::Resident(value, at) = attribute.value else { return Err(wrong("has its root elsewhere")) };
        let header: &RootHeader = structure(value, 0).ok_or(wrong("is cut off"))?;
        let block = header.block.get() as usize;
        if !block.is_power_of_two() || !(512..=0x1_0000).contains(&block) {
            return Err(wrong("has blocks of a wrong size"));
        }
        let root = (value[ROOT_HEADER..].to_vec(), attribute.offset + (at + ROOT_HEADER) as u64);
        let blocks = inode.open(mft, INDEX_ALLOCATION, &index::NAME)?;
        let size = blocks.as_ref().map_or(0, File::size);
        if size > mft.geometry.available {
            return Err(wrong("is longer than the volume"));
        }
        let length = size / block as u64 / 8 + 1;
        let used = match inode.open(mft, BITMAP, &index::NAME) {
            Ok(Some(bitmap)) => {
                let mut used = vec![0; length.min(bitmap.size()) as usize];
                bitmap.read_at(0, &mut used).ok().map(|_| used)
            }
            _ => None,
        };
        let unit = if block as u64 >= mft.geometry.cluster { mft.geometry.cluster } else { SMALL_UNIT };
        Ok(Self { id, root, blocks, used, block, unit })
    }

    /// Reads the block at a byte of the index. Returns it from the header of its entries on, and its place.
    fn block(&self, at: u64) -> Result<(Vec<u8>, u64)> {
        let wrong = |problem| damaged_file("index", self.id, problem);
        let blocks = self.blocks.as_ref().ok_or(wrong("has a root that leads to blocks, and no blocks"))?;
        let mut bytes = vec![0; self.block];
        if blocks.read_at(at, &mut bytes)? < bytes.len() {
            return Err(wrong("leads to a block behind its end"));
        }
        let extent = extents::from(blocks.extents(), at).first();
        let place = extent.and_then(|extent| Some(extent.place? + (at - extent.offset))).unwrap_or(0);
        restore(&mut bytes, b"INDX", "index block", place)?;
        Ok((bytes.split_off(BLOCK_HEADER), place + BLOCK_HEADER as u64))
    }

    /// Looks for a name: the same one, else one that differs in case.
    pub(crate) fn lookup(self, mft: &Arc<Mft>, case: &Case, name: &Name) -> Result<Option<Entry>> {
        let error = match self.descend(mft, case, name) {
            Ok(found) => return Ok(found),
            Err(error) => error,
        };
        // The way down the tree is broken; perhaps the name is in what is left of it.
        let mut other_case = None;
        for entry in Walk::new(mft.clone(), self, Position::default()).with_all_names().flatten() {
            if entry.name == *name {
                return Ok(Some(entry));
            }
            let units = |name: &Name| name.units().to_vec().into_iter();
            if case.same(units(&entry.name), units(name)) {
                other_case = Some(entry);
            }
        }
        other_case.map_or(Err(error), |entry| Ok(Some(entry)))
    }

    fn descend(&self, mft: &Mft, case: &Case, name: &Name) -> Result<Option<Entry>> {
        let mut other_case = None;
        let (mut block, mut place) = self.root.clone();
        for _ in 0..DEEPEST {
            let mut at = 0;
            let child = loop {
                let entry = index::entry(&block, at, place)?;
                let Some(found) = entry.name else { break entry.child };
                let (order, same) = found.compare(case, name.units());
                if order.is_eq() {
                    return Ok(Some(to_entry(mft, &entry, &found, Position::default())));
                }
                if same && other_case.is_none() {
                    other_case = Some(to_entry(mft, &entry, &found, Position::default()));
                }
                if order.is_lt() {
                    break entry.child;
                }
                at = entry.next;
            };
            let Some(child) = child else { return Ok(other_case) };
            let wrong = damaged_file("index", self.id, "leads to a block behind its end");
            (block, place) = self.block(child.checked_mul(self.unit).ok_or(wrong)?)?;
        }
        Err(damaged_file("index", self.id, "leads in a circle"))
    }

    /// Returns the first block from `number` on that is stored and in use.
    fn next_used(&self, mut number: u64) -> Option<u64> {
        let blocks = self.blocks.as_ref()?;
        let size = self.block as u64;
        while number < blocks.size() / size {
            let extent = extents::from(blocks.extents(), number * size).first()?;
            let bit = |used: &Vec<u8>| {
                used.get((number / 8) as usize).is_some_and(|byte| byte >> (number % 8) & 1 != 0)
            };
            if extent.place.is_none() {
                number = extent.end().div_ceil(size);
            } else if self.used.as_ref().is_none_or(bit) {
                return Some(number);
            } else {
                number += 1;
            }
        }
        None
    }
}

/// Goes through all names of a folder: first those in the root, then block after block. That is not their
/// order, but a block that cannot be read costs no more than the names in it, and no tree can lead in circles.
pub(crate) struct Walk {
    mft: Arc<Mft>,
    folder: Folder,
    /// The block being read, from the header of its entries on, and its place.
    block: Option<(Vec<u8>, u64)>,
    /// 0 for the root, else one more than the number of the block.
    number: u64,
    /// Where the next entry is in the block, 0 for the first.
    at: usize,
    all_names: bool,
}

/// A position is the number of the block, and in the lower bits the place in it.
const PLACE_BITS: u32 = 17;

impl Walk {
    pub(crate) fn new(mft: Arc<Mft>, folder: Folder, from: Position) -> Self {
        let (number, at) = (from.0 >> PLACE_BITS, (from.0 & ((1 << PLACE_BITS) - 1)) as usize);
        Self { mft, folder, block: None, number, at, all_names: false }
    }

    /// Gives the short names too, and NTFS's own files.
    fn with_all_names(mut self) -> Self {
        self.all_names = true;
        self
    }

    /// Reads the block where the walk is. Behind the last one there is none.
    fn load(&mut self) -> Option<Result<()>> {
        if self.number == 0 {
            self.block = Some(self.folder.root.clone());
            return Some(Ok(()));
        }
        let next = self.folder.next_used(self.number - 1)?;
        if next != self.number - 1 {
            (self.number, self.at) = (next + 1, 0);
        }
        Some(self.folder.block(next * self.folder.block as u64).map(|block| self.block = Some(block)))
    }

    fn leave_block(&mut self) {
        (self.block, self.number, self.at) = (None, self.number + 1, 0);
    }
}

impl Iterator for Walk {
    type Item = Result<Entry>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if self.block.is_none()
                && let Err(error) = self.load()?
            {
                self.leave_block();
                return Some(Err(error));
            }
            let (block, place) = self.block.as_ref()?;
            let entry = match index::entry(block, self.at, *place) {
                Ok(entry) => entry,
                Err(error) => {
                    self.leave_block();
                    return Some(Err(error));
                }
            };
            let Some(name) = entry.name else {
                self.leave_block();
                continue;
            };
            self.at = entry.next;
            if !self.all_names && (name.is_short() || entry.file.0 & NUMBER < OWN_FILES) {
                continue;
            }
            let next = Position(self.number << PLACE_BITS | self.at as u64);
            return Some(Ok(to_entry(&self.mft, &entry, &name, next)));
        }
    }
}

fn to_entry(mft: &Mft, entry: &IndexEntry<'_>, name: &IndexName<'_>, next: Position) -> Entry {
    let kind = reparse::kind_in_index(mft, entry.file, name);
    Entry { id: entry.file, name: Name::from_units(name.units()), kind, next }
}
