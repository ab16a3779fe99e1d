//! A made computer: the files of sysfs, proc and udev for drives that are not there.

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};

use super::System;
use crate::{Attached, DeviceNumber, Layer, Opener, Signature, Use, opened_bitlocker};

/// The folders of a made computer, gone when dropped.
struct Computer {
    folder: tempfile::TempDir,
    mounts: Vec<String>,
}

impl Computer {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a temp folder"), mounts: Vec::new() }
    }

    fn root(&self) -> PathBuf {
        self.folder.path().canonicalize().expect("its real path")
    }

    fn system(&self) -> System {
        System { root: self.root() }
    }

    fn put(&self, path: &str, text: &str) {
        let path = self.root().join(path);
        fs::create_dir_all(path.parent().expect("below the root")).expect("a folder");
        fs::write(path, text).expect("a file");
    }

    /// Adds a block device: its folder below `sys/devices`, and the two links to it.
    fn block(&self, folder: &str, number: &str, sectors: u64) {
        let folder = format!("sys/devices/{folder}");
        self.put(&format!("{folder}/dev"), &format!("{number}\n"));
        self.put(&format!("{folder}/size"), &format!("{sectors}\n"));
        let name = folder.rsplit('/').next().expect("a name");
        for link in [format!("sys/class/block/{name}"), format!("sys/dev/block/{number}")] {
            let link = self.root().join(link);
            fs::create_dir_all(link.parent().expect("below the root")).expect("a folder");
            symlink(self.root().join(&folder), link).expect("a link");
        }
    }

    fn partition(&self, disk: &str, name: &str, number: &str, sectors: u64) {
        self.block(&format!("{disk}/{name}"), number, sectors);
        self.put(&format!("sys/devices/{disk}/{name}/partition"), "1\n");
    }

    /// Says that `upper` stands on `lower`, each the folder of a device.
    fn stands(&self, upper: &str, lower: &str) {
        let name = |folder: &str| folder.rsplit('/').next().expect("a name").to_owned();
        self.put(&format!("sys/devices/{upper}/slaves/{}", name(lower)), "");
        self.put(&format!("sys/devices/{lower}/holders/{}", name(upper)), "");
    }

    /// Mounts something at a folder of the made computer and returns the folder.
    fn mount(&mut self, number: &str, folder: &str, rest: &str) -> PathBuf {
        let point = self.root().join(folder);
        fs::create_dir_all(&point).expect("a folder");
        let id = 9_000_000 + self.mounts.len();
        self.mounts.push(format!("{id} 1 {number} / {} rw - {rest}", point.display()));
        self.put("proc/self/mountinfo", &self.mounts.join("\n"));
        point
    }

    fn attached(&self) -> Vec<Attached> {
        self.system().attached()
    }

    fn shapes(&self, path: &Path) -> Vec<String> {
        self.system().lies_on(path).expect("it is there").iter().map(shape).collect()
    }
}

fn shape(layer: &Layer) -> String {
    match layer {
        Layer::FileSystem(at) => at.kind.clone(),
        Layer::Network(at) => format!("network {}", at.kind),
        Layer::Host(at) => format!("host {}", at.kind),
        Layer::Memory(at) => format!("memory {}", at.kind),
        Layer::Unknown(at) => format!("unknown {}", at.kind),
        Layer::Device { name, .. } => name.clone(),
        Layer::Image { path, .. } => path.file_name().expect("a name").to_string_lossy().into_owned(),
    }
}

const DISK: &str = "pci0000:00/ata1/block/sda";
const STICK: &str = "pci0000:00/usb2/2-1/block/sdb";

fn laptop() -> Computer {
    let computer = Computer::new();
    computer.block(DISK, "8:0", 1 << 21);
    computer.put(&format!("sys/devices/{DISK}/device/model"), "Fast SSD 500  \n");
    computer.put(&format!("sys/devices/{DISK}/device/vendor"), "ATA     \n");
    computer.partition(DISK, "sda1", "8:1", 2048);
    computer.partition(DISK, "sda2", "8:2", 4096);
    computer.partition(DISK, "sda10", "8:10", 8192);
    computer.partition(DISK, "sda3", "8:3", 2);
    computer.block(STICK, "8:16", 1 << 20);
    computer.put(&format!("sys/devices/{STICK}/device/vendor"), "Maker\n");
    for (name, number) in
        [("ram0", "1:0"), ("zram0", "252:0"), ("sr0", "11:0"), ("fd0", "2:0"), ("loop0", "7:0")]
    {
        computer.block(&format!("virtual/block/{name}"), number, 100);
    }
    computer.block("virtual/block/loop1", "7:1", 0);
    computer
}

#[test]
fn drives_are_partitions_and_disks_without_any() {
    let computer = laptop();
    let drives = computer.attached();
    let names: Vec<_> = drives.iter().map(|drive| drive.name.as_str()).collect();
    assert_eq!(names, ["sda1", "sda2", "sda10", "sdb"]);
    let (partition, stick) = (&drives[0], &drives[3]);
    assert_eq!(partition.path, Path::new("/dev/sda1"));
    assert_eq!(partition.number, Some(DeviceNumber { major: 8, minor: 1 }));
    assert_eq!((partition.size, partition.parent.as_deref()), (2048 * 512, Some("sda")));
    assert_eq!((partition.model.as_deref(), partition.vendor.as_deref()), (Some("Fast SSD 500"), None));
    assert_eq!((partition.removable, stick.removable), (false, true));
    assert_eq!(stick.vendor.as_deref(), Some("Maker"));
}

#[test]
fn udev_is_believed_and_otherwise_the_first_sector_is_read() {
    let computer = laptop();
    computer.put("run/udev/data/b8:1", "I:1\nE:ID_FS_TYPE=BitLocker\nE:ID_PART_ENTRY_NAME=Basic\\x20data\n");
    computer.put("run/udev/data/b8:2", "E:ID_FS_TYPE=ntfs\nE:ID_FS_LABEL_ENC=My\\x20Files\n");
    // To Go drives look like FAT to an old udev.
    computer.put("run/udev/data/b8:10", "E:ID_FS_TYPE=vfat\n");
    let mut sector = "\0".repeat(600);
    sector.replace_range(3..11, "-FVE-FS-");
    computer.put("dev/sda10", &sector);
    let drives = computer.attached();
    let known: Vec<_> = drives.iter().map(|drive| drive.is_bitlocker).collect();
    // There is no sdb to read: nothing is claimed.
    assert_eq!(known, [Some(true), Some(false), Some(true), None]);
    assert_eq!(drives[0].partition_name.as_deref(), Some("Basic data"));
    assert_eq!(drives[1].label.as_deref(), Some("My Files"));
    let contents: Vec<_> = drives.iter().map(|drive| drive.content).collect();
    let (bitlocker, ntfs) = (Some(Signature::BitLocker), Some(Signature::Ntfs));
    assert_eq!(contents, [bitlocker, ntfs, bitlocker, None]);
}

#[test]
fn another_disk_in_the_same_place_is_another_disk() {
    let mut computer = laptop();
    computer.put(&format!("sys/devices/{STICK}/diskseq"), "7\n");
    let stick = computer.attached().pop().expect("the stick");
    assert_eq!(stick.sequence, Some(7));
    let point = computer.mount("8:16", "media/stick", "vfat /dev/sdb rw");
    let again = computer.system().attached_as(&stick).expect("it is there");
    assert!(again.is_same(&stick));
    assert_eq!(again.mounted_at, [point]);
    computer.put(&format!("sys/devices/{STICK}/diskseq"), "8\n");
    assert!(!computer.system().attached_as(&stick).is_some_and(|other| other.is_same(&stick)));
    fs::remove_file(computer.root().join("sys/dev/block/8:16")).expect("a link");
    assert_eq!(computer.system().attached_as(&stick), None);
}

#[test]
fn an_opened_bitlocker_drive_is_shown_once_with_where_it_is_mounted() {
    let mut computer = laptop();
    computer.block("virtual/block/dm-0", "254:0", 8000);
    computer.put("sys/devices/virtual/block/dm-0/dm/name", "windows\n");
    computer.put("sys/devices/virtual/block/dm-0/dm/uuid", "CRYPT-BITLK-1234-windows\n");
    computer.stands("virtual/block/dm-0", &format!("{DISK}/sda10"));
    let point = computer.mount("254:0", "mnt/windows", "ntfs3 /dev/mapper/windows rw");

    let drives = computer.attached();
    let drive = drives.iter().find(|drive| drive.name == "sda10").expect("the drive");
    assert_eq!(
        (drive.opened_as.as_slice(), drive.mounted_at.as_slice()),
        (&["windows".to_owned()][..], &[point.clone()][..])
    );
    assert!(!drives.iter().any(|drive| drive.name == "windows"));

    let layers = computer.system().lies_on(&point).expect("it is there");
    assert_eq!(layers.iter().map(shape).collect::<Vec<_>>(), ["ntfs3", "dm-0", "sda10", "sda"]);
    let opened: Vec<_> = opened_bitlocker(&layers).map(|(layer, opener)| (shape(layer), opener)).collect();
    assert_eq!(opened, [("dm-0".to_owned(), Opener::Cryptsetup)]);
}

#[test]
fn the_packages_of_snap_are_no_drives() {
    let mut computer = laptop();
    computer.put("sys/devices/virtual/block/loop0/loop/backing_file", "/var/lib/snapd/snaps/core_1.snap\n");
    assert!(computer.attached().iter().any(|drive| drive.name == "loop0"));
    computer.mount("7:0", "snap/core/1", "squashfs /dev/loop0 ro");
    assert!(!computer.attached().iter().any(|drive| drive.name == "loop0"));
}

#[test]
fn other_mapped_devices_are_drives_only_when_mounted() {
    let mut computer = laptop();
    computer.block("virtual/block/dm-0", "254:0", 8000);
    computer.put("sys/devices/virtual/block/dm-0/dm/name", "vg-home\n");
    computer.put("sys/devices/virtual/block/dm-0/dm/uuid", "LVM-abc\n");
    computer.stands("virtual/block/dm-0", &format!("{DISK}/sda2"));
    computer.stands("virtual/block/dm-0", STICK);
    assert_eq!(computer.attached().len(), 4);
    let home = computer.mount("254:0", "home", "ext4 /dev/mapper/vg-home rw");
    let drives = computer.attached();
    let drive = drives.iter().find(|drive| drive.name == "vg-home").expect("the mapped device");
    assert_eq!(
        (drive.path.as_path(), drive.mounted_at.as_slice()),
        (Path::new("/dev/mapper/vg-home"), &[home.clone()][..])
    );
    let mut shapes = computer.shapes(&home);
    shapes[2..].sort();
    assert_eq!(shapes, ["ext4", "dm-0", "sda", "sda2", "sdb"]);
}

#[test]
fn an_image_file_leads_on_to_the_disk_it_lies_on() {
    let mut computer = laptop();
    let data = computer.mount("8:2", "data", "ext4 /dev/sda2 rw");
    computer.put("data/disk.img", "the image");
    computer.put(
        "sys/devices/virtual/block/loop0/loop/backing_file",
        &format!("{}\n", data.join("disk.img").display()),
    );
    computer.partition("virtual/block/loop0", "loop0p1", "259:0", 50);
    let inside = computer.mount("259:0", "inside", "vfat /dev/loop0p1 rw");
    let wanted = ["vfat", "loop0p1", "loop0", "disk.img", "ext4", "sda2", "sda"];
    assert_eq!(computer.shapes(&inside), wanted);
    // What does not exist yet is judged by where it would be, through a link that leads nowhere too.
    symlink(inside.join("later.txt"), data.join("link.txt")).expect("a link");
    assert_eq!(computer.shapes(&data.join("link.txt")), wanted);
    assert_eq!(computer.shapes(&inside.join("a/b/c")), wanted);
    let drives = computer.attached();
    let drive = drives.iter().find(|drive| drive.name == "loop0p1").expect("it is attached");
    assert_eq!(drive.backing_file, Some(data.join("disk.img")));

    let system = computer.system();
    let layers = system.lies_on(&inside).expect("it is there");
    assert!(system.same_drive(&layers, &data.join("disk.img")).expect("the image"));
    fs::hard_link(data.join("disk.img"), data.join("other name")).expect("a link");
    assert!(system.same_drive(&layers, &data.join("other name")).expect("the image"));
    computer.put("data/copy.img", "the image");
    assert!(!system.same_drive(&layers, &data.join("copy.img")).expect("a copy"));
    let uses = system.uses(&data.join("disk.img")).expect("the image");
    assert_eq!(uses, [Use::Looped("/dev/loop0".into()), Use::Mounted(inside)]);
}

#[test]
fn a_ring_of_images_ends() {
    let mut computer = laptop();
    let ring = computer.mount("7:0", "ring", "ext4 /dev/loop0 rw");
    computer.put("ring/itself.img", "");
    let image = ring.join("itself.img");
    computer.put("sys/devices/virtual/block/loop0/loop/backing_file", &image.display().to_string());
    assert_eq!(computer.shapes(&ring), ["ext4", "loop0", "itself.img"]);
    assert_eq!(computer.system().uses(&image).expect("the image").len(), 2);
}

#[test]
fn file_systems_without_a_device_say_what_they_are() {
    let mut computer = laptop();
    for (folder, rest, shapes) in [
        ("nfs", "nfs4 server:/home rw", &["network nfs4"][..]),
        ("smb", "cifs //server/share rw", &["network cifs"]),
        ("ssh", "fuse.sshfs me@server: rw", &["network fuse.sshfs"]),
        ("tmp", "tmpfs tmpfs rw,size=1k", &["memory tmpfs"]),
        ("wsl", "9p C:\\134 rw,aname=drvfs", &["host 9p"]),
        ("zfs", "zfs tank/home rw", &["unknown zfs"]),
        ("fuse", "fuse /dev/fuse rw", &["unknown fuse"]),
        ("dis", "fuse.dislocker-fuse dislocker-fuse rw", &["unknown fuse.dislocker-fuse"]),
    ] {
        let point = computer.mount("0:50", folder, rest);
        assert_eq!(computer.shapes(&point), shapes, "{rest}");
    }
}

#[test]
fn what_dislocker_and_libbde_show_is_the_inside_of_a_bitlocker_drive() {
    let mut computer = laptop();
    let dislocker = computer.mount("0:50", "dis", "fuse.dislocker-fuse dislocker-fuse rw");
    let libbde = computer.mount("0:51", "bde", "fuse /dev/fuse rw");
    computer.put("bde/bde1", "");
    let image = |text: &str| {
        computer.put("images/drive.img", text);
        computer.root().join("images/drive.img")
    };
    let image = image("the drive");
    computer.put("proc/77/comm", "dislocker-fuse\n");
    fs::create_dir_all(computer.root().join("proc/77/fd")).expect("a folder");
    symlink("/dev/fuse", computer.root().join("proc/77/fd/3")).expect("a link");
    symlink(&image, computer.root().join("proc/77/fd/4")).expect("a link");

    let system = computer.system();
    let opener = |point: &Path| {
        let layers = system.lies_on(point).expect("it is there");
        opened_bitlocker(&layers).next().map(|(_, opener)| opener)
    };
    assert_eq!((opener(&dislocker), opener(&libbde)), (Some(Opener::Dislocker), Some(Opener::Libbde)));
    let layers = system.lies_on(&dislocker).expect("it is there");
    assert!(system.same_drive(&layers, &image).expect("the image"));
    assert_eq!(system.uses(&image).expect("the image"), [Use::Served("dislocker-fuse".into())]);
}

#[test]
fn overlay_and_folders_behind_folders_lead_on() {
    let mut computer = laptop();
    let upper = computer.mount("8:2", "disk, two", "ext4 /dev/sda2 rw");
    let escaped = upper.display().to_string().replace(',', "\\054").replace(' ', "\\040");
    computer.mounts[0] = computer.mounts[0].replace("disk, two", "disk,\\040two");
    let over = computer.mount(
        "0:60",
        "over",
        &format!("overlay overlay rw,lowerdir=/l,upperdir={escaped},workdir=/w"),
    );
    assert_eq!(computer.shapes(&over), ["overlay", "ext4", "sda2", "sda"]);
    let bound =
        computer.mount("0:61", "bound", &format!("fuse.gocryptfs {} rw", escaped.replace("\\054", ",")));
    assert_eq!(computer.shapes(&bound), ["fuse.gocryptfs", "ext4", "sda2", "sda"]);
}

#[test]
fn the_later_of_two_mounts_at_one_place_counts() {
    let mut computer = laptop();
    computer.mount("8:1", "mnt", "ext4 /dev/sda1 rw");
    let point = computer.mount("8:16", "mnt", "ext4 /dev/sdb rw");
    assert_eq!(computer.shapes(&point), ["ext4", "sdb"]);
    // The number of the file system goes before the length of the path.
    let device = super::number(fs::metadata(&point).expect("it is there").dev());
    computer.mount(&device.to_string(), "", "xfs /dev/root rw");
    assert_eq!(computer.shapes(&point)[0], "xfs");
}

#[test]
fn a_computer_without_anything_has_nothing() {
    let computer = Computer::new();
    assert!(computer.attached().is_empty());
    assert_eq!(computer.shapes(&computer.root()), ["unknown unknown"]);
}
