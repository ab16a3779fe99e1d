//! The sectors that are worked on at once, and what their places on the volume are encrypted to.

use std::ops::Deref;

use super::{Block, Engine};

/// The sectors that are worked on at once: enough for every lane to have one, few enough for the cache.
pub(super) const BATCH: usize = 32;

/// Where the sectors of a batch lie.
pub(super) struct Sectors {
    pub(super) offset: u64,
    pub(super) size: u64,
    pub(super) count: usize,
}

impl Sectors {
    /// The sector numbers, encrypted: the tweaks of XTS.
    pub(super) fn numbers(&self, key: &dyn Engine) -> Masks {
        let first = self.offset / self.size;
        self.encrypted(key, |sector| u128::from(first) + sector)
    }

    /// The byte offsets, encrypted: the initialisation vectors of CBC.
    pub(super) fn offsets(&self, key: &dyn Engine) -> Masks {
        self.encrypted(key, |sector| u128::from(self.offset) + sector * u128::from(self.size))
    }

    /// The two halves of each sector's diffuser key: the offset encrypted, without and with a mark.
    pub(super) fn diffuser_keys(&self, key: &dyn Engine) -> [Masks; 2] {
        let marked = |sector| (u128::from(self.offset) + sector * u128::from(self.size)) | 0x80 << 120;
        [self.offsets(key), self.encrypted(key, marked)]
    }

    fn encrypted(&self, key: &dyn Engine, place: impl Fn(u128) -> u128) -> Masks {
        let mut masks = Masks { blocks: [[0; 16]; BATCH], count: self.count };
        let blocks = &mut masks.blocks[..self.count];
        for (sector, block) in (0..).zip(blocks.iter_mut()) {
            *block = place(sector).to_le_bytes();
        }
        key.encrypt_blocks(blocks);
        masks
    }
}

/// One block for each sector of a batch.
pub(super) struct Masks {
    blocks: [Block; BATCH],
    count: usize,
}

impl Deref for Masks {
    type Target = [Block];

    fn deref(&self) -> &[Block] {
        &self.blocks[..self.count]
    }
}
