//! FAT and exFAT by ioctl, NTFS by extended attribute.

use std::fs::File;
use std::io;
use std::path::Path;

use rustix::fs::{XattrFlags, fgetxattr, fsetxattr, fstatfs};
use rustix::io::Errno;

/// `MSDOS_SUPER_MAGIC` and `EXFAT_SUPER_MAGIC` of Linux: what `statfs` calls FAT and exFAT.
const WITH_IOCTL: [i64; 2] = [0x4d44, 0x2011_bab0];
/// The attributes of NTFS in the processor's byte order: the kernel's driver and ntfs-3g agree on it.
const NTFS: &str = "system.ntfs_attrib";

pub fn get(path: &Path) -> io::Result<Option<u32>> {
    let file = File::open(path)?;
    if has_ioctl(&file)? {
        return some(fat::get(&file));
    }
    let mut bytes = [0; 4];
    let length = some(fgetxattr(&file, NTFS, &mut bytes[..]))?;
    Ok(length.filter(|&length| length == bytes.len()).map(|_| u32::from_ne_bytes(bytes)))
}

pub fn set(path: &Path, bits: u32) -> io::Result<()> {
    let file = File::open(path)?;
    if has_ioctl(&file)? {
        fat::set(&file, bits)?;
    } else {
        fsetxattr(&file, NTFS, &bits.to_ne_bytes(), XattrFlags::empty())?;
    }
    Ok(())
}

fn has_ioctl(file: &File) -> io::Result<bool> {
    // The width of the number differs from one processor to the next.
    #[allow(clippy::useless_conversion, clippy::unnecessary_cast)]
    Ok(WITH_IOCTL.contains(&(fstatfs(file)?.f_type as i64)))
}

/// Takes the errors by which a file system says that it has no attributes for none.
fn some<T>(result: Result<T, Errno>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        // ERANGE: an attribute of this name that is longer, and so another one.
        Err(Errno::NOTTY | Errno::NOTSUP | Errno::NODATA | Errno::NOSYS | Errno::INVAL | Errno::RANGE) => {
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

/// `FAT_IOCTL_GET_ATTRIBUTES` and `FAT_IOCTL_SET_ATTRIBUTES` of `linux/msdos_fs.h`.
#[allow(unsafe_code)]
mod fat {
    use std::fs::File;

    use rustix::io::Errno;
    use rustix::ioctl::{Getter, Opcode, Setter, ioctl, opcode};

    const GET: Opcode = opcode::read::<u32>(b'r', 0x10);
    const SET: Opcode = opcode::write::<u32>(b'r', 0x11);

    pub fn get(file: &File) -> Result<u32, Errno> {
        // SAFETY: for this opcode the kernel's drivers of FAT and exFAT, one of which the caller has seen
        // to be behind this file, write one `u32`, and no other driver gets to see it. Before exFAT
        // knew the opcode it returned an error, and then the value is not looked at.
        unsafe { ioctl(file, Getter::<GET, u32>::new()) }
    }

    pub fn set(file: &File, bits: u32) -> Result<(), Errno> {
        // SAFETY: as above, but the kernel only reads the `u32`, which lives until the call returns.
        unsafe { ioctl(file, Setter::<SET, u32>::new(bits)) }
    }
}
