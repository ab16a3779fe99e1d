//! What Windows 8 and later adds to the place of the relocated boot block.

use zerocopy::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// The extended information, version 5: 0x4c bytes, seen from Windows 10 on.
///
/// Version 6 is said to append a 16-byte GUID; what follows the known part is kept by the datum.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct Extended {
    /// 5 on every drive seen.
    pub version: U16,
    /// Length in bytes.
    pub size: U16,
    /// 0 on every drive seen.
    pub wipe_files: U32,
    /// Bits whose meaning is partly guessed: see the constants.
    pub flags: U64,
    /// Place of the older conversion log, 0 for none.
    pub conversion_log: U64,
    /// Its length.
    pub conversion_log_size: U32,
    /// The sector size that the volume was made with.
    pub sector_size: U32,
    /// The sector size of the device.
    pub native_sector_size: U32,
    /// The Windows that wrote it: major, minor, build, platform (2 is NT).
    pub windows: [U32; 4],
    /// Its service pack: major, minor.
    pub service_pack: [U16; 2],
    /// Its suite mask.
    pub suite: U16,
    /// Its product type.
    pub product: u8,
    /// Its processor architecture.
    pub architecture: u8,
    /// Place of the reserved area behind the boot copy.
    pub reserved: U64,
    /// Its length: 64 KiB on every drive seen.
    pub reserved_size: U64,
}

impl Extended {
    /// Set on every volume seen.
    pub const FLAG_ALWAYS: u64 = 0x2;
    /// Data volumes.
    pub const FLAG_DATA: u64 = 0x8;
    /// BitLocker To Go.
    pub const FLAG_TO_GO: u64 = 0x800;
    /// Volumes that are converted while in use.
    pub const FLAG_CONVERTING: u64 = 0x40;
    /// Together with [`Self::FLAG_CONVERTING`]: it is decryption.
    pub const FLAG_DECRYPTING: u64 = 0x100;

    /// Reads version 5 and later; `None` when it is absent (Windows 7) or older.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        Self::read_from_prefix(bytes).ok().map(|(extended, _)| extended).filter(|e| e.version.get() >= 5)
    }

    /// Returns the Windows version, such as `10.0.22631`.
    pub fn windows_version(&self) -> String {
        let [major, minor, build, _] = self.windows.map(U32::get);
        format!("{major}.{minor}.{build}")
    }
}
