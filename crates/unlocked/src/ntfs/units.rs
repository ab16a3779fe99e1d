//! Files that NTFS itself compresses, by LZNT1.
//!
//! A compression unit is a fixed number of clusters, most often 16. One with all its clusters stored is as
//! it is, one with none is zeros, any other is compressed.

use std::sync::Arc;

use fve::ReadAt;

use crate::compression::lznt1;
use crate::error::{Error, Result, damaged};
use crate::extents::{Extent, Extents};
use crate::file::Blocks;
use crate::ntfs::attribute::NonResident;
use crate::ntfs::boot_sector::Geometry;

/// Windows compresses in units of up to 64 KiB.
const LARGEST_UNIT: u64 = 1 << 20;
const LZNT1: u16 = 1;

/// The compression units of a file.
pub(crate) struct Units {
    source: Arc<dyn ReadAt>,
    extents: Extents,
    unit: usize,
    size: u64,
    valid: u64,
}

impl Units {
    pub(crate) fn new(
        source: Arc<dyn ReadAt>,
        extents: Extents,
        geometry: &Geometry,
        first: &NonResident<'_>,
        flags: u16,
    ) -> Result<Self> {
        let unit =
            geometry.cluster.checked_shl(first.compression_unit.into()).filter(|&unit| unit <= LARGEST_UNIT);
        match unit {
            Some(unit) if flags & 0xff == LZNT1 && first.compression_unit > 0 => {
                Ok(Self { source, extents, unit: unit as usize, size: first.size, valid: first.valid })
            }
            _ => Err(Error::UnknownForm { what: "compression", value: flags.into() }),
        }
    }
}

impl Blocks for Units {
    fn block_size(&self) -> usize {
        self.unit
    }

    fn size(&self) -> u64 {
        self.size
    }

    fn block(&self, index: u64, out: &mut [u8]) -> Result<()> {
        let start = index * self.unit as u64;
        let valid = self.valid.saturating_sub(start);
        let valid = usize::try_from(valid).map_or(out.len(), |valid| valid.min(out.len()));
        let (out, never_written) = out.split_at_mut(valid);
        never_written.fill(0);
        if out.is_empty() {
            return Ok(());
        }
        let end = start.saturating_add(self.unit as u64);
        let mut stored = 0;
        for extent in self.extents.from(start) {
            if extent.place.is_none() || extent.offset >= end {
                break;
            }
            stored = (extent.end().min(end) - start) as usize;
        }
        if stored == 0 {
            out.fill(0);
            return Ok(());
        }
        if stored == self.unit {
            return self.extents.read(&self.source, "file", start, out);
        }
        let mut compressed = vec![0; stored];
        self.extents.read(&self.source, "compressed file", start, &mut compressed)?;
        let place = self.extents.place_of(start).unwrap_or(0);
        lznt1(&compressed, out).ok_or(damaged("compressed content", place, "cannot be decompressed"))
    }

    fn extents(&self) -> &[Extent] {
        self.extents.as_slice()
    }
}
