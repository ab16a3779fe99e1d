//! The descriptor of a conversion: which regions there are.

use zerocopy::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::io::{self, ReadAt};

/// The fixed part; the regions' bitmap places follow, 8 bytes each.
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct Header {
    signature: [u8; 8],
    header_size: U16,
    size: U16,
    sector: U32,
    physical_sector: U32,
    chunk: U32,
    log_size: U32,
    log_record_size: U32,
    regions: U32,
    checksum: U32,
    places: [U64; 2],
}

/// What a descriptor starts with.
pub const SIGNATURE: [u8; 8] = *b"FVE-EOW\0";
const CHECKSUM_AT: usize = 0x24;

/// What lists the regions of a conversion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Descriptor {
    /// Length in bytes.
    pub size: u16,
    /// Bytes in a sector.
    pub sector: u32,
    /// Bytes in a chunk: what one bit of a bitmap stands for.
    pub chunk: u32,
    /// Bytes in the log of a region.
    pub log_size: u32,
    /// Bytes in one of the log's two records.
    pub log_record_size: u32,
    /// Where the two copies of this descriptor lie.
    pub places: [u64; 2],
    /// Where the regions' bitmaps lie.
    pub bitmaps: Vec<u64>,
}

impl Descriptor {
    /// Its size is a 16-bit number.
    pub const MAX_SIZE: usize = 0xffff;

    /// Reads the descriptor at `place`; `None` when it cannot be read or is not whole.
    pub fn read(source: &dyn ReadAt, place: u64) -> Option<Self> {
        let (header, _) =
            Header::read_from_prefix(&io::read_up_to(source, place, size_of::<Header>()).ok()?).ok()?;
        Self::parse(&io::read_up_to(source, place, header.size.get().into()).ok()?)
    }

    /// Parses a descriptor and checks its CRC; `None` when it is not whole.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let (header, _) = Header::read_from_prefix(bytes).ok()?;
        let own = bytes.get(..usize::from(header.size.get()))?;
        let places = own.get(usize::from(header.header_size.get())..)?;
        let (sector, chunk) = (header.sector.get(), header.chunk.get());
        let lists = u64::from(header.regions.get()) * 8;
        let sound = header.signature == SIGNATURE
            && usize::from(header.header_size.get()) >= size_of::<Header>()
            && super::bitmap::checksum(own, CHECKSUM_AT)? == header.checksum.get()
            && places.len() as u64 >= lists
            && matches!(sector, 512 | 1024 | 2048 | 4096)
            && chunk >= sector
            && chunk.is_multiple_of(sector)
            && header.log_size.get() <= super::log::MAX_SIZE;
        sound.then(|| Self {
            size: header.size.get(),
            sector,
            chunk,
            log_size: header.log_size.get(),
            log_record_size: header.log_record_size.get(),
            places: header.places.map(U64::get),
            bitmaps: places
                .chunks_exact(8)
                .take(header.regions.get() as usize)
                .filter_map(|place| U64::read_from_bytes(place).ok().map(U64::get))
                .collect(),
        })
    }

    /// Returns the descriptor as it is stored, with its CRC.
    pub fn to_bytes(&self) -> Vec<u8> {
        let header = Header {
            signature: SIGNATURE,
            header_size: U16::new(size_of::<Header>() as u16),
            size: U16::new(self.size),
            sector: U32::new(self.sector),
            physical_sector: U32::new(self.sector),
            chunk: U32::new(self.chunk),
            log_size: U32::new(self.log_size),
            log_record_size: U32::new(self.log_record_size),
            regions: U32::new(self.bitmaps.len() as u32),
            checksum: U32::new(0),
            places: self.places.map(U64::new),
        };
        let mut bytes = header.as_bytes().to_vec();
        self.bitmaps.iter().for_each(|place| bytes.extend_from_slice(&place.to_le_bytes()));
        bytes.resize(bytes.len().max(self.size.into()), 0);
        let checksum = crc32fast::hash(&bytes);
        bytes[CHECKSUM_AT..CHECKSUM_AT + 4].copy_from_slice(&checksum.to_le_bytes());
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_what_is_damaged_is_not() {
        let descriptor = Descriptor {
            size: 0x68,
            sector: 512,
            chunk: 0x80_0000,
            log_size: 0x8_0c00,
            log_record_size: 0x4_0400,
            places: [0x1553_a000, 0x1553_b000],
            bitmaps: vec![1, 2, 3, 4, 5, 6],
        };
        let mut bytes = descriptor.to_bytes();
        assert_eq!(Descriptor::parse(&bytes), Some(descriptor));
        for at in 0..bytes.len() {
            bytes[at] ^= 1;
            assert_eq!(Descriptor::parse(&bytes), None, "damage at {at}");
            bytes[at] ^= 1;
        }
    }
}
