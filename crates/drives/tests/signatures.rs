//! Drives and images made by the programs that own their formats, and named here.
#![cfg(unix)]

mod common;

use common::{empty, real_drives, shell};
use drives::{Signature, Source, signature};

#[test]
fn what_other_programs_make_is_named() {
    use Signature::*;
    let folder = tempfile::tempdir().expect("a temp folder");
    let luks = "--batch-mode --pbkdf pbkdf2 --pbkdf-force-iterations 1000 --key-file key x";
    std::fs::write(folder.path().join("key"), "not a secret").expect("a key");
    let made = [
        (4, "mkfs.vfat -F 12 x", Fat12),
        (64, "mkfs.vfat -F 16 x", Fat16),
        (64, "mkfs.vfat -F 32 x", Fat32),
        (64, "mkfs.vfat -F 32 -s 1 -R 2 x", Fat32),
        (8, "mkfs.exfat x", ExFat),
        (8, "mkfs.ntfs -q -F x", Ntfs),
        (8, "mkfs.ext2 -q x", Ext2),
        (8, "mkfs.ext3 -q x", Ext3),
        (8, "mkfs.ext4 -q x", Ext4),
        (320, "mkfs.xfs -q x", Xfs),
        (120, "mkfs.btrfs -q x", Btrfs),
        (8, "mkswap x", Swap),
        (32, &format!("cryptsetup luksFormat --type luks1 {luks}"), Luks1),
        (32, &format!("cryptsetup luksFormat --type luks2 {luks}"), Luks2),
        (8, "qemu-img create -q -f qcow2 x 4M", Qcow2),
        (8, "qemu-img create -q -f vmdk x 4M", Vmdk),
        (8, "qemu-img create -q -f vdi x 4M", Vdi),
        (8, "qemu-img create -q -f vpc x 4M", Vhd),
        (8, "qemu-img create -q -f vhdx x 4M", Vhdx),
        (8, "xz -c x > y && mv y x", Xz),
        (8, "gzip -c x > y && mv y x", Gzip),
        (8, "bzip2 -c x > y && truncate -s 1000 y && mv y x", Bzip2),
        (8, "zstd -q -c x > y && truncate -s 1000 y && mv y x", Zstd),
        (8, "zip -q y.zip key && truncate -s 1000 y.zip && mv y.zip x", Zip),
        (8, "true", Zeros),
        (8, "truncate -s 511 x", TooShort),
        (8, "xorriso -as mkisofs -quiet -o x key 2> log", Iso9660),
    ];
    for (mib, line, name) in made {
        let path = empty(folder.path(), "x", mib << 20);
        if shell(folder.path(), line).is_some() {
            let source = Source::open(&path).expect("what was made");
            let found = signature(&source).expect("its signature");
            assert_eq!(found, name, "{line}");
        }
    }
}

#[test]
fn every_real_drive_is_bitlocker() {
    let Some(folder) = real_drives() else { return };
    let mut count = 0;
    for entry in folder.read_dir().expect("the folder").flatten() {
        let path = entry.path();
        if path.extension().is_some_and(|end| end == "bin" || end == "img") {
            let source = Source::open(&path).expect("a real drive");
            assert_eq!(
                signature(&source).expect("its signature"),
                Signature::BitLocker,
                "{}",
                path.display()
            );
            count += 1;
        } else if path.extension().is_some_and(|end| end == "xz") {
            assert_eq!(signature(&Source::open(&path).expect("a packed drive")).ok(), Some(Signature::Xz));
            count += 1;
        }
    }
    assert!(count >= 18, "only {count} drives in {}", folder.display());
}
