//! Partition tables made by sfdisk, and read here.
#![cfg(unix)]

mod common;

use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;
use std::path::Path;

use common::{empty, shell};
use drives::{Partition, Signature, Source, partitions, signature};

const MIB: u64 = 1 << 20;

fn read(path: &Path) -> (Vec<Partition>, Signature) {
    let source = Source::open(path).expect("the image");
    (partitions(&source), signature(&source).expect("its signature"))
}

fn places(partitions: &[Partition]) -> Vec<(u32, u64, u64)> {
    partitions.iter().map(|p| (p.index, p.offset / MIB, p.size / MIB)).collect()
}

#[test]
fn mbr_with_logical_partitions() {
    let folder = tempfile::tempdir().expect("a temp folder");
    let disk = empty(folder.path(), "disk", 64 * MIB);
    let script = "label: dos\\nstart=1MiB,size=8MiB,type=7\\nstart=10MiB,type=f\\nstart=12MiB,size=4MiB,type=7\\nstart=20MiB,size=6MiB,type=83\\nstart=30MiB,size=1MiB,type=c\\n";
    if shell(folder.path(), &format!("sfdisk -q disk <<E\n{}E", script.replace("\\n", "\n"))).is_none() {
        return;
    }
    let (found, name) = read(&disk);
    assert_eq!(places(&found), [(1, 1, 8), (5, 12, 4), (6, 20, 6), (7, 30, 1)]);
    assert_eq!(name, Signature::Mbr);
    let kinds: Vec<_> = found.iter().map(|partition| partition.kind.as_str()).collect();
    assert_eq!(kinds, ["NTFS or exFAT", "NTFS or exFAT", "Linux", "FAT32"]);
}

#[test]
fn gpt_and_its_second_copy() {
    let folder = tempfile::tempdir().expect("a temp folder");
    let disk = empty(folder.path(), "disk", 64 * MIB);
    let script = "label: gpt\nstart=1MiB,size=8MiB,type=U\nstart=10MiB,size=16MiB,type=EBD0A0A2-B9E5-4433-87C0-68B6B72699C7,name=\"Basic data partition\"\n";
    if shell(folder.path(), &format!("sfdisk -q disk <<'E'\n{script}E")).is_none() {
        return;
    }
    let (found, name) = read(&disk);
    assert_eq!((places(&found), name), (vec![(1, 1, 8), (2, 10, 16)], Signature::Gpt));
    assert_eq!((found[0].kind.as_str(), found[1].kind.as_str()), ("EFI system", "Windows data"));
    assert_eq!(found[1].name.as_deref(), Some("Basic data partition"));

    // The start of the disk is overwritten, then only the protective entry is left.
    let file = OpenOptions::new().write(true).open(&disk).expect("the disk");
    file.write_all_at(&[0xcc; 34 * 512 - 512], 512).expect("a write");
    assert_eq!(read(&disk).0, found);
    file.write_all_at(&[0; 512], 0).expect("a write");
    assert_eq!(read(&disk).0, found);
}
