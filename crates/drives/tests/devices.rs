//! Real devices of Linux: loop devices with partitions, mounted, swapped to, held. Needs root.
#![cfg(target_os = "linux")]

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use common::{empty, real_drives, shell, skip};
use drives::{
    Layer, OpenError, Opener, Source, Use, attached, lies_on, mounted, opened_bitlocker, partitions, resolve,
    same_drive,
};
use fve::{ReadAt, WriteAt};

const MIB: u64 = 1 << 20;

/// A temp folder in which things are attached and mounted, all of it taken down when dropped.
struct Bench {
    folder: tempfile::TempDir,
    undo: Vec<String>,
}

impl Bench {
    fn new() -> Option<Self> {
        if !rustix::process::geteuid().is_root() {
            return skip("this needs root");
        }
        Some(Self { folder: tempfile::tempdir().expect("a temp folder"), undo: Vec::new() })
    }

    fn path(&self) -> PathBuf {
        self.folder.path().canonicalize().expect("its real path")
    }

    fn shell(&self, line: &str) -> Option<String> {
        shell(self.folder.path(), line)
    }

    /// Attaches a file and returns the loop device.
    fn attach(&mut self, line: &str) -> Option<PathBuf> {
        let device = self.shell(&format!("losetup -f --show {line}"))?;
        self.undo.push(format!("losetup -d {device}"));
        Some(device.into())
    }

    fn mount(&mut self, what: &Path, folder: &str) -> Option<PathBuf> {
        let point = self.path().join(folder);
        fs::create_dir(&point).expect("a folder");
        self.shell(&format!("mount {} {}", what.display(), point.display()))?;
        self.undo.push(format!("umount {}", point.display()));
        Some(point)
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        for line in self.undo.iter().rev() {
            let _ = std::process::Command::new("sh").args(["-c", line]).status();
        }
    }
}

/// A disk of 64 MiB with a mounted partition and one more.
fn disk(bench: &mut Bench) -> Option<(PathBuf, PathBuf, PathBuf)> {
    let image = empty(&bench.path(), "disk.img", 64 * MIB);
    bench.shell("sfdisk -q disk.img <<E\nlabel: gpt\nsize=20MiB\nsize=20MiB\nE")?;
    let device = bench.attach("disk.img")?;
    // Some kernels read no partition tables themselves.
    bench.shell(&format!("partx -u {}", device.display()))?;
    let part = part(&device, 1);
    bench.shell(&format!("mkfs.ext4 -q {}", part.display()))?;
    let point = bench.mount(&part, "mnt")?;
    Some((image, device, point))
}

fn part(device: &Path, number: u32) -> PathBuf {
    format!("{}p{number}", device.display()).into()
}

#[test]
fn a_mounted_partition_of_an_image() {
    let Some(mut bench) = Bench::new() else { return };
    let Some((image, device, point)) = disk(&mut bench) else { return };
    let layers = lies_on(&point).expect("the mount");
    let names: Vec<_> = layers
        .iter()
        .take(4)
        .map(|layer| match layer {
            Layer::FileSystem(at) => at.kind.clone(),
            Layer::Device { path, .. } | Layer::Image { path, .. } => path.display().to_string(),
            other => format!("{other:?}"),
        })
        .collect();
    let part_1 = part(&device, 1);
    assert_eq!(
        names,
        [
            "ext4".to_owned(),
            part_1.display().to_string(),
            device.display().to_string(),
            image.display().to_string()
        ]
    );
    assert!(layers.len() > 4, "the image lies on something too: {layers:?}");

    for drive in [&part_1, &device, &image] {
        assert!(same_drive(&layers, drive).expect("a drive"), "{}", drive.display());
        assert!(
            mounted(drive).expect("a drive").contains(&Use::Mounted(point.clone())),
            "{}",
            drive.display()
        );
    }
    let part_2 = part(&device, 2);
    assert!(!same_drive(&layers, &part_2).expect("a drive"));
    assert_eq!(mounted(&part_2).expect("a drive"), []);
    assert_eq!(opened_bitlocker(&layers).count(), 0);

    let drives = attached();
    let drive = drives.iter().find(|drive| drive.path == part_1).expect("it is attached");
    assert_eq!((drive.size, drive.mounted_at.as_slice()), (20 * MIB, &[point.clone()][..]));
    assert_eq!((drive.is_bitlocker, drive.read_only), (Some(false), false));
    assert!(!drives.iter().any(|drive| drive.path == device));
    assert_eq!(resolve(point.to_str().expect("plain"), &drives), Ok(part_1.clone()));
    assert_eq!(resolve(&drive.name, &drives), Ok(part_1.clone()));
    let whole = device.file_name().and_then(|name| name.to_str()).expect("plain");
    assert_eq!(resolve(whole, &drives), Ok(device.clone()));
    let label = bench.path().join("label");
    std::os::unix::fs::symlink(&part_1, &label).expect("a link");
    assert_eq!(resolve(label.to_str().expect("plain"), &drives), Ok(part_1.clone()));

    assert!(matches!(Source::open_writable(&part_1), Err(OpenError::InUse { .. })));
    let free = Source::open_writable(&part_2).expect("nothing holds it");
    assert_eq!((free.is_device(), free.size(), free.sector_size()), (true, 20 * MIB, Some(512)));
    free.write_at(777, b"anywhere").and_then(|()| free.flush()).expect("a write");
    let source = Arc::new(Source::open(&image).expect("the image"));
    let place = &partitions(&*source)[1];
    let mut bytes = [0; 8];
    source.window(place.offset, place.size).expect("inside").read_at(777, &mut bytes).expect("eight bytes");
    assert_eq!(&bytes, b"anywhere");
}

#[test]
fn sectors_of_4096_bytes() {
    let Some(mut bench) = Bench::new() else { return };
    let image = empty(&bench.path(), "disk.img", 64 * MIB);
    let Some(device) = bench.attach("-b 4096 disk.img") else { return };
    for label in ["gpt", "dos"] {
        let script = format!("label: {label}\nstart=1MiB,size=20MiB\nstart=30MiB,size=8MiB\n");
        if bench.shell(&format!("sfdisk -q --wipe always {} <<E\n{script}E", device.display())).is_none() {
            return;
        }
        let source = Source::open_writable(&device).expect("the device");
        assert_eq!((source.sector_size(), source.size()), (Some(4096), 64 * MIB));
        // An MBR does not tell the length of a sector; what lies in the partitions does.
        source.write_at(MIB + 3, b"-FVE-FS-").and_then(|()| source.flush()).expect("a write");
        let image = Source::open(&image).expect("the image");
        for disk in [&source, &image] {
            let places: Vec<_> = partitions(disk).iter().map(|p| (p.offset / MIB, p.size / MIB)).collect();
            assert_eq!(places, [(1, 20), (30, 8)], "{label}");
        }
    }
}

#[test]
fn a_file_system_on_two_disks_and_an_overlay_on_it() {
    let Some(mut bench) = Bench::new() else { return };
    let known = "true; modprobe -q btrfs; modprobe -q overlay; cat /proc/filesystems";
    let known = bench.shell(known).unwrap_or_default();
    if !(known.contains("btrfs") && known.contains("overlay")) {
        return skip("this kernel has no btrfs or overlay").unwrap_or(());
    }
    let mut disks = Vec::new();
    for name in ["a.img", "b.img"] {
        empty(&bench.path(), name, 120 * MIB);
        let Some(device) = bench.attach(name) else { return };
        disks.push(device);
    }
    let list = format!("{} {}", disks[0].display(), disks[1].display());
    if bench.shell(&format!("mkfs.btrfs -q {list} && btrfs device scan {list}")).is_none() {
        return;
    }
    let Some(point) = bench.mount(&disks[0], "both") else { return };
    // A subvolume has a device number of its own, which appears nowhere else.
    bench.shell(&format!("btrfs subvolume create {}/sub", point.display()));
    fs::create_dir_all(point.join("work")).expect("a folder");
    let over = bench.path().join("over");
    fs::create_dir(&over).expect("a folder");
    let folders = format!("lowerdir=/usr,upperdir={0}/upper,workdir={0}/work", point.display());
    fs::create_dir_all(point.join("upper")).expect("a folder");
    let mounted_over = bench.shell(&format!("mount -t overlay over -o {folders} {}", over.display()));
    bench.undo.push(format!("umount {}", over.display()));
    for folder in [Some(point.join("sub")), mounted_over.map(|_| over)].into_iter().flatten() {
        let layers = lies_on(&folder).expect("the folder");
        for disk in &disks {
            assert!(same_drive(&layers, disk).expect("a disk"), "{}: {layers:?}", folder.display());
        }
        for image in ["a.img", "b.img"] {
            assert!(same_drive(&layers, &bench.path().join(image)).expect("an image"));
        }
        assert!(!layers.iter().any(|layer| matches!(layer, Layer::Unknown(_))), "{layers:?}");
    }
    for disk in &disks {
        let uses = mounted(disk).expect("a disk");
        assert!(uses.contains(&Use::Mounted(point.clone())), "{}: {uses:?}", disk.display());
    }
}

#[test]
fn swap_is_a_use() {
    let Some(mut bench) = Bench::new() else { return };
    empty(&bench.path(), "swap.img", 8 * MIB);
    let Some(device) = bench.attach("swap.img") else { return };
    let Some(_) = bench.shell(&format!("mkswap -q {0} && swapon {0}", device.display())) else { return };
    bench.undo.push(format!("swapoff {}", device.display()));
    assert_eq!(mounted(&device).expect("the device"), [Use::Swap]);
    assert!(matches!(Source::open_writable(&device), Err(OpenError::InUse { .. })));
}

#[test]
fn a_drive_opened_by_dislocker_and_libbde() {
    let (Some(mut bench), Some(images)) = (Bench::new(), real_drives()) else { return };
    let packed = images.join("aes_128.bin.xz");
    let plain = images.join("aes_128.bin");
    let image = bench.path().join("drive.img");
    let source = if plain.exists() {
        format!("cat {}", plain.display())
    } else {
        format!("xz -dc {}", packed.display())
    };
    if bench.shell(&format!("{source} > drive.img && truncate -s 65994752 drive.img")).is_none() {
        return;
    }
    for (folder, line, opener) in [
        ("dis", "dislocker-fuse -r -V drive.img '-upassword12!@' -- dis", Opener::Dislocker),
        ("bde", "bdemount -p 'password12!@' drive.img bde", Opener::Libbde),
    ] {
        let point = bench.path().join(folder);
        fs::create_dir(&point).expect("a folder");
        if bench.shell(line).is_none() {
            continue;
        }
        bench.undo.push(format!("fusermount3 -u {} || umount {}", point.display(), point.display()));
        let layers = lies_on(&point).expect("the mount");
        let openers: Vec<_> = opened_bitlocker(&layers).map(|(_, opener)| opener).collect();
        assert_eq!(openers, [opener], "{layers:?}");
        assert!(same_drive(&layers, &image).expect("the image"), "{layers:?}");
        let uses = mounted(&image).expect("the image");
        assert!(uses.iter().any(|used| matches!(used, Use::Served(_))), "{uses:?}");
    }
}
