//! The files of a volume, as lastkey reads them without a mount and as others read them: other programs make
//! the volumes, and what they read back is what lastkey must find.

mod exfat;
mod fat;
mod ntfs;
mod ntfs_damaged;
mod wof;
