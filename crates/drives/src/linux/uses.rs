//! What uses a drive: mounts, mapped devices, loop devices, swap, programs.

use std::collections::HashSet;
use std::io;
use std::path::Path;

use super::block::Block;
use super::fuse::Server;
use super::mounts::{Mount, unescape};
use super::{Identity, System, text};
use crate::{DeviceNumber, Use};

impl System {
    pub(super) fn uses(&self, path: &Path) -> io::Result<Vec<Use>> {
        let identity = Identity::of(path)?.ok_or_else(|| {
            io::Error::new(io::ErrorKind::InvalidInput, "this is neither a drive nor an image file")
        })?;
        let mut search = Search {
            system: self,
            mounts: self.mounts(),
            swaps: self.swaps(),
            loops: self.loops(),
            servers: self.fuse_servers(),
            seen: HashSet::new(),
            found: Vec::new(),
        };
        search.drive(identity);
        Ok(search.found)
    }

    /// Returns the loop devices with what is behind each.
    fn loops(&self) -> Vec<(Identity, Block)> {
        let loops = self.blocks().into_iter().filter(|block| block.name.starts_with("loop"));
        loops.filter_map(|block| Some((Identity::of(&block.backing_file()?).ok()??, block))).collect()
    }

    /// Returns the devices and files that `/proc/swaps` names in its first column, below a headline.
    fn swaps(&self) -> Vec<Identity> {
        let bytes = text(&self.at("proc/swaps"), 1 << 20).unwrap_or_default();
        let lines = bytes.split(|&byte| byte == b'\n').skip(1);
        let names = lines.filter_map(|line| line.split(u8::is_ascii_whitespace).next());
        names.filter_map(|name| Identity::of(Path::new(&unescape(name))).ok()?).collect()
    }
}

struct Search<'a> {
    system: &'a System,
    mounts: Vec<Mount>,
    swaps: Vec<Identity>,
    loops: Vec<(Identity, Block)>,
    servers: Vec<Server>,
    seen: HashSet<Identity>,
    found: Vec<Use>,
}

impl Search<'_> {
    /// Adds what uses this drive, and what uses whatever stands on it.
    fn drive(&mut self, identity: Identity) {
        if !self.seen.insert(identity) {
            return;
        }
        if self.swaps.contains(&identity) {
            self.add(Use::Swap);
        }
        for server in &self.servers {
            if server.holds.iter().any(|(held, _)| *held == identity) {
                self.found.push(Use::Served(server.program.clone()));
            }
        }
        let loops: Vec<_> = self
            .loops
            .iter()
            .filter(|(behind, _)| *behind == identity)
            .map(|(_, block)| block.clone())
            .collect();
        for block in loops {
            self.add(Use::Looped(block.path()));
            self.drive(Identity::Device(block.number));
        }
        match identity {
            Identity::Device(number) => self.device(number),
            Identity::File(..) => self.mounts(|mount| {
                // Most sources are devices or words; only a path can be this file.
                mount.sources().any(|path| Identity::of(path).is_ok_and(|found| found == Some(identity)))
            }),
        }
    }

    fn device(&mut self, number: DeviceNumber) {
        self.mounts(|mount| mount.devices.contains(&number));
        let Some(block) = self.system.block_numbered(number) else { return };
        for holder in self.system.holders(&block) {
            let name = holder.mapping().map_or_else(|| holder.name.clone(), |(name, _)| name);
            self.add(Use::Held(name));
            self.drive(Identity::Device(holder.number));
        }
        for partition in block.partitions() {
            self.drive(Identity::Device(partition.number));
        }
    }

    fn mounts(&mut self, is_of_it: impl Fn(&Mount) -> bool) {
        let points: Vec<_> = self
            .mounts
            .iter()
            .filter(|mount| is_of_it(mount))
            .map(|mount| mount.at.mount_point.clone())
            .collect();
        for point in points {
            self.add(Use::Mounted(point));
        }
    }

    fn add(&mut self, found: Use) {
        if !self.found.contains(&found) {
            self.found.push(found);
        }
    }
}
