//! From a folder down to the disks: mount, mapped devices, partition, disk, and again from image files.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::{fs, io};

use super::block::Block;
use super::mounts::{Mount, mount_of};
use super::{Identity, System};
use crate::{DeviceNumber, Layer, MountedAt, Opener};

/// Far more than any real computer stacks.
const MOST_LAYERS: usize = 256;
/// As many links as the kernel follows.
const MOST_LINKS: usize = 40;

impl System {
    pub(super) fn lies_on(&self, path: &Path) -> io::Result<Vec<Layer>> {
        let place = existing(path)?;
        let mut walk = Walk { system: self, mounts: self.mounts(), seen: HashSet::new(), layers: Vec::new() };
        match Identity::of(&place)? {
            Some(Identity::Device(number)) => walk.device(number, &place),
            _ => walk.path(&place)?,
        }
        Ok(walk.layers)
    }

    pub(super) fn same_drive(&self, layers: &[Layer], drive: &Path) -> io::Result<bool> {
        let Some(identity) = Identity::of(drive)? else { return Ok(false) };
        let mut identities = vec![identity];
        // A whole loop device is the same drive as the file behind it.
        if let Identity::Device(number) = identity
            && let Some(file) = self.block_numbered(number).and_then(|block| block.backing_file())
        {
            identities.extend(Identity::of(&file).ok().flatten());
        }
        Ok(layers.iter().any(|layer| {
            let layer = match *layer {
                Layer::Device { number: Some(number), .. } => Identity::Device(number),
                Layer::Image { identity: Some((device, inode)), .. } => Identity::File(device, inode),
                _ => return false,
            };
            identities.contains(&layer)
        }))
    }
}

/// Finds what a path that may not exist yet would come to lie in, through links that lead nowhere yet.
fn existing(path: &Path) -> io::Result<PathBuf> {
    let mut path = std::path::absolute(path)?;
    for _ in 0..MOST_LINKS {
        match fs::canonicalize(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            found => return found,
        }
        let Some(folder) = path.parent() else { break };
        path = match fs::read_link(&path) {
            Ok(target) => folder.join(target),
            Err(_) => folder.to_path_buf(),
        };
    }
    Err(io::ErrorKind::NotFound.into())
}

/// What a mount and a device were already looked at by, so that no loop is walked twice.
#[derive(PartialEq, Eq, Hash)]
enum Seen {
    Mount(u64),
    Device(DeviceNumber),
    Image(Identity),
}

struct Walk<'a> {
    system: &'a System,
    mounts: Vec<Mount>,
    seen: HashSet<Seen>,
    layers: Vec<Layer>,
}

impl Walk<'_> {
    fn is_new(&mut self, seen: Seen) -> bool {
        self.layers.len() < MOST_LAYERS && self.seen.insert(seen)
    }

    /// Adds the layers of the file system that an existing file or folder lies in.
    fn path(&mut self, path: &Path) -> io::Result<()> {
        match mount_of(&self.mounts, path)?.cloned() {
            Some(mount) => self.mount(mount),
            None => {
                let unknown = || "unknown".into();
                let at = MountedAt { kind: unknown(), source: unknown().into(), mount_point: "/".into() };
                self.layers.push(Layer::Unknown(at));
            }
        }
        Ok(())
    }

    fn mount(&mut self, mount: Mount) {
        if !self.is_new(Seen::Mount(mount.id)) {
            return;
        }
        let at = mount.at.clone();
        let layer = match ground(&at.kind) {
            Ground::Network => Layer::Network(at),
            Ground::Host => Layer::Host(at),
            Ground::Memory => Layer::Memory(at),
            Ground::Below => {
                let place = self.layers.len();
                self.layers.push(Layer::FileSystem(at.clone()));
                let is_known = self.below(&mount);
                if let (false, Some(layer)) = (is_known, self.layers.get_mut(place)) {
                    *layer = Layer::Unknown(at);
                }
                if let Some(opener) = self.layers.get(place).and_then(Layer::opened_by) {
                    self.served(opener);
                }
                return;
            }
        };
        self.layers.push(layer);
    }

    /// Adds what a mounted file system stands on; returns whether the mount tells that.
    fn below(&mut self, mount: &Mount) -> bool {
        for &number in &mount.devices {
            self.device(number, Path::new(&mount.at.source));
        }
        if !mount.devices.is_empty() {
            return true;
        }
        // What is written to an overlay goes to its upper folder. In a container the path of that is one
        // of the host, and leads nowhere here.
        if mount.at.kind == "overlay" {
            return mount.option("upperdir").is_some_and(|upper| self.path(&upper).is_ok());
        }
        mount.sources().any(|path| self.named(path))
    }

    /// Adds what the path that was mounted leads to, if it does.
    fn named(&mut self, path: &Path) -> bool {
        match Identity::of(path) {
            Ok(Some(Identity::Device(number))) => self.device(number, path),
            Ok(Some(file)) => self.image(path, Some(file)),
            // A folder shown under another name or through a cipher: bindfs, gocryptfs, eCryptfs.
            Ok(None) if path.is_dir() => return self.path(path).is_ok(),
            _ => return false,
        }
        true
    }

    fn device(&mut self, number: DeviceNumber, path: &Path) {
        if !self.is_new(Seen::Device(number)) {
            return;
        }
        let Some(block) = self.system.block_numbered(number) else {
            let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
            self.layers.push(Layer::Device { name, path: path.into(), number: Some(number), mapping: None });
            return;
        };
        self.layers.push(layer(&block));
        for slave in self.system.slaves(&block) {
            self.device(slave.number, &slave.path());
        }
        if let Some(disk) = block.disk() {
            self.device(disk.number, &disk.path());
        }
        if let Some(file) = block.backing_file() {
            match Identity::of(&file) {
                Ok(Some(Identity::Device(number))) => self.device(number, &file),
                // A file that was deleted, or that another container knows by this path.
                found => self.image(&file, found.ok().flatten()),
            }
        }
    }

    fn image(&mut self, path: &Path, file: Option<Identity>) {
        let identity = match file {
            Some(Identity::File(device, inode)) => Some((device, inode)),
            _ => None,
        };
        if file.is_some_and(|file| !self.is_new(Seen::Image(file))) {
            return;
        }
        self.layers.push(Layer::Image { path: path.into(), identity });
        if identity.is_some() {
            let _ = self.path(path);
        }
    }

    /// Adds the drives that the programs of this kind have open; which of them serves which mount they do
    /// not tell.
    fn served(&mut self, opener: Opener) {
        let program = match opener {
            Opener::Dislocker => "dislocker",
            Opener::Libbde => "bdemount",
            Opener::Lastkey => "lastkey",
            Opener::Cryptsetup => return,
        };
        for server in self.system.fuse_servers().iter().filter(|server| server.program.starts_with(program)) {
            for (identity, path) in &server.holds {
                match *identity {
                    Identity::Device(number) => self.device(number, path),
                    file => self.image(path, Some(file)),
                }
            }
        }
    }
}

fn layer(block: &Block) -> Layer {
    Layer::Device {
        name: block.name.clone(),
        path: block.path(),
        number: Some(block.number),
        mapping: block.mapping(),
    }
}

/// Where the bytes of a kind of file system are.
enum Ground {
    Below,
    Network,
    Host,
    Memory,
}

fn ground(kind: &str) -> Ground {
    match kind {
        "nfs" | "nfs4" | "cifs" | "smb3" | "smbfs" | "ncpfs" | "afs" | "ceph" | "coda" | "lustre"
        | "orangefs" | "beegfs" | "gfs2" | "glusterfs" | "davfs" => Ground::Network,
        "fuse.sshfs" | "fuse.rclone" | "fuse.glusterfs" | "fuse.ceph" | "fuse.ceph-fuse" | "fuse.s3fs"
        | "fuse.davfs" | "fuse.davfs2" | "fuse.curlftpfs" | "fuse.smbnetfs" | "fuse.gcsfuse"
        | "fuse.goofys" | "fuse.juicefs" | "fuse.onedriver" => Ground::Network,
        // The desktops' mounts of SMB, SFTP, WebDAV and cloud folders.
        "fuse.gvfsd-fuse" | "fuse.kio-fuse" => Ground::Network,
        "9p" | "virtiofs" | "vboxsf" | "prl_fs" | "vmhgfs" | "fuse.vmhgfs-fuse" | "drvfs" => Ground::Host,
        "tmpfs" | "ramfs" | "rootfs" | "devtmpfs" | "hugetlbfs" => Ground::Memory,
        _ => Ground::Below,
    }
}
