//! The decrypted volume as a file system sees it.

use std::io;
use std::sync::Arc;

use fve_crypto::SectorCipher;
use zerocopy::little_endian::U64;

use crate::conversion::Stored;
use crate::error::Error;
use crate::io::ReadAt;
use crate::metadata::Metadata;
use crate::volume::Volume;

mod map;

use map::{Extent, Map};

/// A decrypted volume.
///
/// Areas that belong to BitLocker itself (metadata, the home of the relocated boot block, structures
/// of a conversion) read as zeros, as they do for every other reader.
#[derive(Clone)]
pub struct View {
    source: Arc<dyn ReadAt>,
    cipher: Option<Arc<SectorCipher>>,
    map: Arc<Map>,
    sector: usize,
}

impl View {
    pub(crate) fn new(
        volume: &Volume,
        metadata: &Metadata,
        cipher: Option<Arc<SectorCipher>>,
    ) -> Result<Self, Error> {
        let map = Arc::new(Map::new(volume, metadata, cipher.as_deref())?);
        let sector = cipher.as_deref().map_or(volume.sector_size(), SectorCipher::sector_size).bytes();
        Ok(Self { source: volume.source().clone(), cipher, map, sector })
    }

    /// Names the file system in the volume by its boot sector; `None` when it is none that is known.
    pub fn file_system(&self) -> Option<FileSystem> {
        let mut sector = [0; 512];
        self.read_at(0, &mut sector).ok()?;
        FileSystem::of(&sector)
    }

    fn read_extent(&self, extent: &Extent, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        let physical = extent.physical + (offset - extent.start);
        let within = (offset % self.sector as u64) as usize;
        let cipher = match (extent.stored, &self.cipher) {
            (Stored::Unknown, _) => {
                return Err(io::Error::other(format!(
                    "whether the sector at byte {offset:#x} is encrypted is unknown: \
                     a conversion was cut off, and its records do not say how far it had come"
                )));
            }
            (Stored::Encrypted, Some(cipher)) => cipher,
            _ => {
                self.source.read_at(physical, buf)?;
                return Ok(buf.len());
            }
        };
        if within == 0 && buf.len() >= self.sector {
            let whole = buf.len() - buf.len() % self.sector;
            let buf = &mut buf[..whole];
            self.source.read_at(physical, buf)?;
            cipher.decrypt(physical, buf);
            return Ok(whole);
        }
        let mut sector = [0; 4096];
        let sector = &mut sector[..self.sector];
        let start = physical - within as u64;
        self.source.read_at(start, sector)?;
        cipher.decrypt(start, sector);
        let part = buf.len().min(self.sector - within);
        buf[..part].copy_from_slice(&sector[within..within + part]);
        Ok(part)
    }
}

impl ReadAt for View {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        let end = offset.checked_add(buf.len() as u64).filter(|&end| end <= self.size());
        end.ok_or(io::ErrorKind::UnexpectedEof)?;
        let (mut at, mut rest) = (offset, &mut *buf);
        while !rest.is_empty() {
            let (piece, end) = self.map.at(at);
            let length = usize::try_from(end - at).map_or(rest.len(), |left| left.min(rest.len()));
            let done = match piece {
                Some(extent) => self.read_extent(extent, at, &mut rest[..length])?,
                None => {
                    rest[..length].fill(0);
                    length
                }
            };
            (at, rest) = (at + done as u64, &mut rest[done..]);
        }
        self.map.overlay(offset, buf);
        Ok(())
    }

    fn size(&self) -> u64 {
        self.map.size
    }
}

/// A file system, by its boot sector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileSystem {
    /// Its name.
    pub name: &'static str,
    /// The size of the volume that it was made for, in bytes, when the sector says it.
    pub size: Option<u64>,
}

impl FileSystem {
    /// Names the file system of a boot sector.
    pub fn of(sector: &[u8; 512]) -> Option<Self> {
        let u16_at = |at: usize| u64::from(u16::from_le_bytes([sector[at], sector[at + 1]]));
        let u32_at = |at: usize| u16_at(at) | u16_at(at + 2) << 16;
        let u64_at = |at: usize| u32_at(at) | u32_at(at + 4) << 32;
        let named = |at: usize, name: &[u8]| sector[at..].starts_with(name);
        let (name, size) = if named(3, b"NTFS    ") {
            // NTFS leaves out the last sector, where its backup boot sector lies.
            ("NTFS", u64_at(0x28).checked_add(1).and_then(|sectors| sectors.checked_mul(u16_at(0x0b))))
        } else if named(3, b"EXFAT   ") {
            ("exFAT", u64_at(0x48).checked_shl(u32::from(sector[0x6c])))
        } else if named(3, b"ReFS\0") {
            ("ReFS", None)
        } else if sector[510..] == [0x55, 0xaa] && matches!(sector[0], 0xeb | 0xe9) {
            let name = [(0x36, "FAT12"), (0x36, "FAT16"), (0x52, "FAT32"), (0x36, "FAT")]
                .into_iter()
                .find(|(at, name)| named(*at, name.as_bytes()))?
                .1;
            let sectors = if u16_at(0x13) == 0 { u32_at(0x20) } else { u16_at(0x13) };
            (name, sectors.checked_mul(u16_at(0x0b)))
        } else {
            return None;
        };
        Some(Self { name, size: size.filter(|&size| size != 0) })
    }
}

/// Returns the boot sector fields that Vista overwrote: place and bytes.
fn vista_patches(metadata: &Metadata) -> [(u64, Vec<u8>); 2] {
    let mirror: U64 = metadata.information.boot_copy;
    [(3, b"NTFS    ".to_vec()), (0x38, mirror.get().to_le_bytes().to_vec())]
}
