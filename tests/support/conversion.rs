//! Volumes in the middle of a conversion, and every write that brings one about.
//!
//! The order of the writes is that of Windows, as far as a real drive shows it: the chunk's record in
//! the log, the chunk's sectors, the bitmap; at a pause an idle record.

use fve::boot_sector::BootSector;
use fve::conversion::bitmap::Bitmap;
use fve::conversion::descriptor::Descriptor;
use fve::conversion::log::{self, LogRecord};
use fve::datum::Body;
use fve::metadata::{Extended, Metadata};
use fve::{FileTime, Front, Key, Layout, Method, NewProtector, NewVolume, SectorSize, Volume};
use fve_crypto::SectorCipher;
use recovery_key::bek::Bek;
use recovery_key::{KeyId, Secret};
use std::sync::Arc;

use crate::overlay::{Memory, Numbers};

/// The size of the volumes.
pub const SIZE: u64 = 0x12_0000;
/// The size of a chunk.
pub const CHUNK: u32 = 0x8000;
/// Where BitLocker's areas lie.
pub const LAYOUT: Layout =
    Layout { metadata: [0x4_0000, 0x8_0000, 0xc_0000], boot_copy: 0x5_0000, reserved: 0x5_2000 };
/// Where the regions begin and how long they are; the moved boot block has one of its own.
const REGIONS: [(u64, u64); 4] =
    [(0x2000, 0x4_e000), (0x5_0000, 0x2000), (0x5_2000, 0x6_e000), (0xc_0000, SIZE - 0xc_0000)];
const DESCRIPTORS: [u64; 2] = [0xe_0000, 0xe_1000];
const BITMAPS: u64 = 0xe_2000;
const LOGS: u64 = 0xe_a000;

/// A write: where, and what.
pub type Write = (u64, Vec<u8>);

/// A volume that can be converted.
pub struct Converter {
    /// Its bytes when it is encrypted.
    pub encrypted: Vec<u8>,
    /// What its view must be.
    pub plain: Vec<u8>,
    /// The same bytes where they are stored: the boot block at its copy's place.
    clear: Vec<u8>,
    metadata: Vec<u8>,
    cipher: SectorCipher,
    sector: usize,
    descriptor: Descriptor,
    /// BitLocker's own structures, which are never converted.
    reserved: Vec<(u64, u64)>,
    encrypting: bool,
}

/// The key that opens every volume made here.
pub fn key() -> Key {
    Key::External(bek())
}

fn bek() -> Bek {
    Bek::new(KeyId::from(uuid::Uuid::from_u128(0x1234)), 0, 0, None, Secret::new([0x5a; 32]))
}

/// Makes an encrypted volume; returns its bytes and what was put in.
pub fn volume(method: Method, sector_size: SectorSize) -> (Vec<u8>, Vec<u8>) {
    let mut plain = Numbers::new(u64::from(method.code())).bytes(SIZE as usize);
    plain[..11].copy_from_slice(b"\xeb\x52\x90NTFS    ");
    let out = Memory::zeros(plain.len());
    let new = NewVolume {
        method,
        sector_size,
        label: "COMPUTER D: 22.11.2026",
        now: FileTime::from_unix(1_790_000_000, 0),
        layout: LAYOUT,
        front: Front::Standard { sectors_per_cluster: 1 },
        protectors: &[NewProtector::External(&bek())],
    };
    new.write(&plain, &out, |_| {}).expect("a volume in memory");
    plain[LAYOUT.reserved as usize..][..0x1_0000].fill(0);
    (out.into_bytes(), plain)
}

impl Converter {
    /// Makes a volume before its encryption or decryption.
    pub fn new(method: Method, sector_size: SectorSize, encrypting: bool) -> Self {
        let (mut encrypted, mut plain) = volume(method, sector_size);
        let sector = sector_size.bytes();
        let opened = Volume::open(Arc::new(encrypted.clone())).expect("the volume just made");
        let unlocked = opened.unlock(&key()).expect("its key");
        let cipher = SectorCipher::new(method, unlocked.fvek().expect("a key").expose(), sector_size)
            .expect("its own key");
        let region = &encrypted[LAYOUT.metadata[0] as usize..][..0x1_0000];
        let mut metadata = Metadata::parse(region).expect("metadata just made");
        for datum in &mut metadata.datums {
            if let Body::Virtualization { extended, .. } = &mut datum.body {
                let way = if encrypting { 0 } else { Extended::FLAG_DECRYPTING };
                extended[8..16].copy_from_slice(&(0xa | Extended::FLAG_CONVERTING | way).to_le_bytes());
            }
        }
        metadata.seal(unlocked.vmk().expect("a key"), FileTime(1)).expect("as long as it was");
        let metadata = metadata.to_bytes().expose().clone();
        for place in LAYOUT.metadata {
            encrypted[place as usize..][..metadata.len()].copy_from_slice(&metadata);
        }
        let boot = BootSector::converting(sector as u16, 1, LAYOUT.metadata, DESCRIPTORS);
        encrypted[..boot.len()].copy_from_slice(&boot);

        let mut clear = encrypted.clone();
        cipher.decrypt(0, &mut clear);
        let block = sector.max(log::BLOCK) as u32;
        let body = (CHUNK / sector as u32 * 16).next_multiple_of(block);
        let record = body + 2 * block;
        let descriptor = Descriptor {
            size: 0x38 + 8 * REGIONS.len() as u16,
            sector: sector as u32,
            chunk: CHUNK,
            log_size: 2 * record + 2 * block,
            log_record_size: record,
            places: DESCRIPTORS,
            bitmaps: (0..REGIONS.len() as u64).map(|n| BITMAPS + n * 0x1000).collect(),
        };
        let mut reserved = LAYOUT.metadata.map(|place| (place, 0x1_0000)).to_vec();
        reserved.extend(DESCRIPTORS.map(|place| (place, sector as u64)));
        let whole_sectors = 0x600_u64.next_multiple_of(sector as u64);
        reserved.extend(descriptor.bitmaps.iter().map(|&place| (place, whole_sectors)));
        reserved.extend((0..REGIONS.len()).map(|n| (log_at(n), descriptor.log_size.into())));
        for (start, length) in reserved.iter().chain([&(LAYOUT.boot_copy, 0x2000)]) {
            plain[*start as usize..][..*length as usize].fill(0);
        }
        Self { encrypted, plain, clear, metadata, cipher, sector, descriptor, reserved, encrypting }
    }

    /// Returns the drive before the conversion of the first chunk, and its bitmaps.
    pub fn begin(&self) -> (Vec<u8>, Vec<Bitmap>) {
        let mut drive = if self.encrypting {
            let mut drive = self.clear.clone();
            drive[..0x2000].copy_from_slice(&self.encrypted[..0x2000]);
            drive
        } else {
            self.encrypted.clone()
        };
        for place in DESCRIPTORS {
            apply(&mut drive, &(place, self.descriptor.to_bytes()));
        }
        let mut bitmaps = Vec::new();
        for (n, region) in REGIONS.into_iter().enumerate() {
            let mut bitmap =
                Bitmap::new(n as u32, region, log_at(n), CHUNK, !self.encrypting).expect("a small region");
            let at = self.descriptor.bitmaps[n];
            apply(&mut drive, &(at, bitmap.header_bytes()));
            let (first, bytes) = bitmap.record_bytes();
            apply(&mut drive, &(at + first, bytes));
            bitmap.begin();
            let (second, bytes) = bitmap.record_bytes();
            apply(&mut drive, &(at + second, bytes));
            apply(&mut drive, &(log_at(n), log::idle(&self.descriptor, SIZE, region.0)));
            bitmaps.push(bitmap);
        }
        for place in LAYOUT.metadata {
            apply(&mut drive, &(place, self.metadata.clone()));
        }
        (drive, bitmaps)
    }

    /// Returns what converts a chunk: the record in the log, the sectors, the bitmap.
    pub fn convert(&self, bitmap: &mut Bitmap, bit: u32, sequence: u64) -> [Vec<Write>; 3] {
        let start = bitmap.start + u64::from(bit) * u64::from(CHUNK);
        let end = (start + u64::from(CHUNK)).min(bitmap.end());
        let (from, to) =
            if self.encrypting { (&self.clear, &self.encrypted) } else { (&self.encrypted, &self.clear) };
        let sectors = (start..end).step_by(self.sector);
        let before = sectors.clone().flat_map(|at| from[at as usize..][..16].to_vec()).collect();
        let record = self.record(bitmap, LogRecord { sequence, offset: start, before });
        let own = |at: &u64| !self.reserved(*at);
        let sectors = sectors.filter(own).map(|at| (at, to[at as usize..][..self.sector].to_vec())).collect();
        bitmap.set(bit, self.encrypting);
        [record, sectors, vec![self.bits(bitmap)]]
    }

    /// Returns the write of a sector that is already converted, as a file system would cause it.
    pub fn stored(&self, at: u64, mut content: Vec<u8>) -> Write {
        if self.encrypting {
            self.cipher.encrypt(at, &mut content);
        }
        (at, content)
    }

    /// Returns the write of a bitmap's present record.
    pub fn bits(&self, bitmap: &Bitmap) -> Write {
        let n = REGIONS.iter().position(|region| region.0 == bitmap.start).expect("one of the regions");
        let (at, bytes) = bitmap.record_bytes();
        (self.descriptor.bitmaps[n] + at, bytes)
    }

    /// Returns the write of an idle record.
    pub fn idle(&self, bitmap: &Bitmap, sequence: u64) -> Vec<Write> {
        self.record(bitmap, LogRecord { sequence, offset: 0, before: Vec::new() })
    }

    fn record(&self, bitmap: &Bitmap, record: LogRecord) -> Vec<Write> {
        let at = bitmap.log_at + record.place(&self.descriptor);
        let bytes = record.to_bytes(&self.descriptor);
        (at..).step_by(self.sector).zip(bytes.chunks(self.sector).map(<[u8]>::to_vec)).collect()
    }

    /// Returns whether a sector holds BitLocker's own structures, which are never converted.
    pub fn reserved(&self, at: u64) -> bool {
        self.reserved.iter().any(|&(start, length)| (start..start + length).contains(&at))
    }

    /// Returns the sector size.
    pub fn sector(&self) -> usize {
        self.sector
    }
}

fn log_at(region: usize) -> u64 {
    LOGS + region as u64 * 0x8000
}

/// Carries out a write.
pub fn apply(drive: &mut [u8], (at, bytes): &Write) {
    drive[*at as usize..][..bytes.len()].copy_from_slice(bytes);
}
