//! The ciphers in safe code, on the `aes` crate: what runs where no kernel fits.
//!
//! The crate does some blocks at once (8 with AES-NI and ARMv8, up to 64 with VAES) and is slow on what is
//! left over. So whole batches go through in one piece, across the borders of sectors, and the last run of
//! blocks is filled up.

use aes::cipher::array::{Array, ArraySize};
use aes::cipher::typenum::Unsigned;
use aes::cipher::{
    BlockCipherDecBackend, BlockCipherDecClosure, BlockCipherDecrypt, BlockCipherEncBackend,
    BlockCipherEncClosure, BlockCipherEncrypt, BlockSizeUser, KeyInit, consts::U16,
};
use aes::{Aes128, Aes256};

use super::{BATCH, Block, Engine};

/// Makes the engine for a key of 16 or 32 bytes.
pub(super) fn engine(key: &[u8]) -> Box<dyn Engine> {
    match key.len() {
        16 => Box::new(Safe(Aes128::new_from_slice(key).expect("16 bytes"))),
        _ => Box::new(Safe(Aes256::new_from_slice(key).expect("32 bytes"))),
    }
}

struct Safe<Aes>(Aes);

impl<Aes> Engine for Safe<Aes>
where
    Aes: BlockCipherEncrypt + BlockCipherDecrypt + BlockSizeUser<BlockSize = U16> + Send + Sync,
{
    fn encrypt_blocks(&self, blocks: &mut [Block]) {
        self.0.encrypt_blocks(Array::cast_slice_from_core_mut(blocks));
    }

    fn xts_encrypt(&self, tweaks: &[Block], data: &mut [u8]) {
        self.0.encrypt_with_backend(Xts { tweaks, data });
    }

    fn xts_decrypt(&self, tweaks: &[Block], data: &mut [u8]) {
        self.0.decrypt_with_backend(Xts { tweaks, data });
    }

    fn cbc_encrypt(&self, ivs: &[Block], data: &mut [u8]) {
        self.0.encrypt_with_backend(Cbc { ivs, data });
    }

    fn cbc_decrypt(&self, ivs: &[Block], data: &mut [u8]) {
        self.0.decrypt_with_backend(Cbc { ivs, data });
    }
}

/// One direction of AES, as many blocks at once as the processor likes.
trait Direction {
    type Width: ArraySize;
    fn apply(&self, blocks: &mut Array<aes::Block, Self::Width>);
}

struct Encrypt<'a, B>(&'a B);

impl<B: BlockCipherEncBackend<BlockSize = U16>> Direction for Encrypt<'_, B> {
    type Width = B::ParBlocksSize;

    #[inline(always)]
    fn apply(&self, blocks: &mut Array<aes::Block, Self::Width>) {
        self.0.encrypt_par_blocks_inplace(blocks);
    }
}

struct Decrypt<'a, B>(&'a B);

impl<B: BlockCipherDecBackend<BlockSize = U16>> Direction for Decrypt<'_, B> {
    type Width = B::ParBlocksSize;

    #[inline(always)]
    fn apply(&self, blocks: &mut Array<aes::Block, Self::Width>) {
        self.0.decrypt_par_blocks_inplace(blocks);
    }
}

struct Xts<'a> {
    tweaks: &'a [Block],
    data: &'a mut [u8],
}

impl BlockSizeUser for Xts<'_> {
    type BlockSize = U16;
}

impl BlockCipherEncClosure for Xts<'_> {
    #[inline(always)]
    fn call<B: BlockCipherEncBackend<BlockSize = U16>>(self, backend: &B) {
        xts(&Encrypt(backend), self.tweaks, self.data);
    }
}

impl BlockCipherDecClosure for Xts<'_> {
    #[inline(always)]
    fn call<B: BlockCipherDecBackend<BlockSize = U16>>(self, backend: &B) {
        xts(&Decrypt(backend), self.tweaks, self.data);
    }
}

#[inline(always)]
fn xts<D: Direction>(aes: &D, tweaks: &[Block], data: &mut [u8]) {
    let blocks = data.as_chunks_mut().0;
    let per_sector = blocks.len() / tweaks.len();
    let mut firsts = tweaks.iter();
    let mut tweak = 0;
    let mut left = 0;
    let mut masks = [[0; 16]; TILE];
    for tile in blocks.chunks_mut(TILE / D::Width::USIZE * D::Width::USIZE) {
        let mut todo = &mut masks[..tile.len()];
        while !todo.is_empty() {
            if left == 0 {
                let Some(first) = firsts.next() else { return };
                tweak = u128::from_le_bytes(*first);
                left = per_sector;
            }
            let (now, later) = todo.split_at_mut(left.min(todo.len()));
            for mask in now.iter_mut() {
                *mask = tweak.to_le_bytes();
                tweak = double(tweak);
            }
            left -= now.len();
            todo = later;
        }
        each_run::<D::Width>(tile, &masks, |run, masks| {
            xor_all(run, masks);
            aes.apply(run);
            xor_all(run, masks);
        });
    }
}

/// The most blocks whose masks are made ahead. A mask that is used as soon as it was stored in two halves
/// makes the processor wait for its own memory.
const TILE: usize = 128;

/// Calls `f` with as many blocks as AES does at once, and their masks; the last run is filled up.
#[inline(always)]
fn each_run<Width: ArraySize>(
    tile: &mut [Block],
    masks: &[Block; TILE],
    f: impl Fn(&mut Array<aes::Block, Width>, &[Block]),
) {
    let (runs, rest) = Array::slice_as_chunks_mut(Array::cast_slice_from_core_mut(tile));
    let mut masks = masks.as_slice();
    for run in runs {
        f(run, &masks[..Width::USIZE]);
        masks = &masks[Width::USIZE..];
    }
    if !rest.is_empty() {
        let mut run = Array::<aes::Block, Width>::default();
        run[..rest.len()].copy_from_slice(rest);
        f(&mut run, masks);
        rest.copy_from_slice(&run[..rest.len()]);
    }
}

/// Multiplies a tweak by x, as IEEE 1619 defines it.
#[inline(always)]
fn double(tweak: u128) -> u128 {
    (tweak << 1) ^ (0x87 & 0_u128.wrapping_sub(tweak >> 127))
}

struct Cbc<'a> {
    ivs: &'a [Block],
    data: &'a mut [u8],
}

impl BlockSizeUser for Cbc<'_> {
    type BlockSize = U16;
}

/// Each block waits for the one before it, so the blocks done at once are those of different sectors.
impl BlockCipherEncClosure for Cbc<'_> {
    #[inline(always)]
    fn call<B: BlockCipherEncBackend<BlockSize = U16>>(self, backend: &B) {
        let size = self.data.len() / self.ivs.len();
        let lanes = B::ParBlocksSize::USIZE.min(BATCH);
        for (ivs, sectors) in self.ivs.chunks(lanes).zip(self.data.chunks_mut(lanes * size)) {
            let mut chain = Array::<aes::Block, B::ParBlocksSize>::default();
            chain.iter_mut().zip(ivs).for_each(|(chain, iv)| *chain = (*iv).into());
            for at in (0..size).step_by(16) {
                let places = sectors.chunks_exact(size).map(|sector| &sector[at..at + 16]);
                chain.iter_mut().zip(places).for_each(|(chain, block)| xor(chain, block));
                Encrypt(backend).apply(&mut chain);
                let places = sectors.chunks_exact_mut(size).map(|sector| &mut sector[at..at + 16]);
                chain.iter().zip(places).for_each(|(chain, block)| block.copy_from_slice(chain));
            }
        }
    }
}

impl BlockCipherDecClosure for Cbc<'_> {
    #[inline(always)]
    fn call<B: BlockCipherDecBackend<BlockSize = U16>>(self, backend: &B) {
        let blocks = self.data.as_chunks_mut::<16>().0;
        let per_sector = blocks.len() / self.ivs.len();
        let mut before = [[0; 16]; TILE];
        let mut last = [0; 16];
        let mut at = 0_usize;
        for tile in blocks.chunks_mut(TILE / B::ParBlocksSize::USIZE * B::ParBlocksSize::USIZE) {
            before[0] = last;
            before[1..tile.len()].copy_from_slice(&tile[..tile.len() - 1]);
            last = tile[tile.len() - 1];
            let first_border = at.next_multiple_of(per_sector);
            for border in (first_border..at + tile.len()).step_by(per_sector) {
                before[border - at] = self.ivs[border / per_sector];
            }
            at += tile.len();
            each_run::<B::ParBlocksSize>(tile, &before, |run, before| {
                Decrypt(backend).apply(run);
                xor_all(run, before);
            });
        }
    }
}

#[inline(always)]
fn xor_all<Width: ArraySize>(run: &mut Array<aes::Block, Width>, masks: &[Block]) {
    run.iter_mut().zip(masks).for_each(|(block, mask)| xor(block, mask));
}

#[inline(always)]
fn xor(block: &mut [u8], mask: &[u8]) {
    block.iter_mut().zip(mask).for_each(|(byte, mask)| *byte ^= mask);
}
