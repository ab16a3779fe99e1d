//! The list of attached drives: what the kernel shows, less what nobody calls a drive.

use std::path::{Path, PathBuf};

use super::block::Block;
use super::mounts::Mount;
use super::{System, udev};
use crate::{Attached, Signature, Source, signature};

impl System {
    pub(super) fn attached(&self) -> Vec<Attached> {
        let mounts = self.mounts();
        let blocks = self.blocks();
        let mut drives: Vec<_> = blocks.iter().filter_map(|block| self.drive(block, &mounts)).collect();
        // A disk that sleeps takes seconds to answer; so all are asked at once.
        std::thread::scope(|scope| {
            for drive in drives.iter_mut().filter(|drive| drive.is_bitlocker.is_none()) {
                scope.spawn(|| self.look_into(drive));
            }
        });
        drives
    }

    pub(super) fn attached_as(&self, drive: &Attached) -> Option<Attached> {
        let block = self.block_numbered(drive.number?)?;
        let mut drive = self.drive(&block, &self.mounts())?;
        if drive.is_bitlocker.is_none() {
            self.look_into(&mut drive);
        }
        Some(drive)
    }

    /// Describes a device, when it is a drive.
    fn drive(&self, block: &Block, mounts: &[Mount]) -> Option<Attached> {
        let mut mounted_at = mounted_at(block, mounts);
        let disk = block.disk();
        let hardware = disk.as_ref().unwrap_or(block);
        let backing_file = hardware.backing_file();
        let size = block.size();
        let is_noise = size == 0
            || NOISE.iter().any(|kind| block.name.strip_prefix(kind).is_some_and(starts_with_digit))
            || block.is_hidden()
            || !block.partitions().is_empty()
            // An extended partition shows up with the one or two sectors of its table.
            || (disk.is_some() && size <= 1024)
            || (block.name.starts_with("mmcblk") && (block.name.contains("boot") || block.name.contains("rpmb")))
            || (block.name.starts_with("loop") && (backing_file.is_none() || is_package(block, mounts)))
            || (block.name.starts_with("dm-") && (mounted_at.is_empty() || block.is_opened_bitlocker()));
        if is_noise {
            return None;
        }
        let mut opened_as = Vec::new();
        for holder in self.holders(block).iter().filter(|holder| holder.is_opened_bitlocker()) {
            opened_as.extend(holder.mapping().map(|(name, _)| name));
            mounted_at.extend(self::mounted_at(holder, mounts));
        }
        let parent = disk.clone().or_else(|| self.slaves(block).into_iter().next());
        let hints = self.hints(block.number);
        Some(Attached {
            name: block.mapping().map_or_else(|| block.name.clone(), |(name, _)| name),
            path: block.path(),
            number: Some(block.number),
            size,
            vendor: hardware.vendor(),
            model: hardware.model(),
            is_bitlocker: known(&hints),
            content: hints.signature(),
            label: hints.label,
            partition_name: hints.partition_name.or_else(|| block.partition_name()),
            removable: hardware.is_removable(),
            read_only: block.is_read_only(),
            mounted_at,
            opened_as,
            parent: parent.map(|parent| parent.name),
            backing_file,
            sequence: hardware.sequence(),
        })
    }

    /// Finds out what udev does not tell.
    fn look_into(&self, drive: &mut Attached) {
        let Ok(source) = Source::open(&self.at(&drive.path)) else { return };
        if let Ok(found) = signature(&source) {
            drive.is_bitlocker = Some(found == Signature::BitLocker);
            drive.content = Some(found);
        }
    }
}

/// Memory used as disks, optical drives, floppy drives.
const NOISE: [&str; 4] = ["ram", "zram", "sr", "fd"];

fn starts_with_digit(text: &str) -> bool {
    text.starts_with(|char: char| char.is_ascii_digit())
}

/// Returns whether it is a mounted package of programs: snap makes dozens of them.
fn is_package(block: &Block, mounts: &[Mount]) -> bool {
    mounts.iter().any(|mount| mount.devices.contains(&block.number) && mount.at.kind == "squashfs")
}

/// Returns what udev knows. Its `vfat` may be the front of a BitLocker To Go drive, so that needs a look.
fn known(hints: &udev::Hints) -> Option<bool> {
    let content = hints.content.as_deref().filter(|&content| content != "vfat")?;
    Some(content == "BitLocker")
}

/// Returns where a device is mounted; parts of it that are mounted again elsewhere only if nothing else is.
fn mounted_at(block: &Block, mounts: &[Mount]) -> Vec<PathBuf> {
    let (mut whole, mut parts) = (Vec::new(), Vec::new());
    for mount in mounts.iter().filter(|mount| mount.devices.contains(&block.number)) {
        let points = if mount.root == Path::new("/") { &mut whole } else { &mut parts };
        if !points.contains(&mount.at.mount_point) {
            points.push(mount.at.mount_point.clone());
        }
    }
    if whole.is_empty() { parts } else { whole }
}
