//! One file with all bytes of a volume, for other programs' drivers.

use std::ffi::OsStr;
use std::sync::Arc;

use fuser::{
    Errno, FileAttr, FileHandle, FileType, Filesystem, FopenFlags, Generation, INodeNo, KernelConfig,
    LockOwner, OpenFlags, ReplyAttr, ReplyData, ReplyDirectory, ReplyEntry, ReplyOpen, ReplyStatfs, Request,
};
use fve::ReadAt;

use crate::session::{Owner, TTL, errno, prepare, with_buffer};

const FILE: INodeNo = INodeNo(2);
const BLOCK: u32 = 4096;

/// The folder and the one file in it.
pub struct Raw {
    pub bytes: Arc<dyn ReadAt>,
    pub name: String,
    pub owner: Owner,
}

impl Raw {
    fn attributes(&self, inode: INodeNo) -> Option<FileAttr> {
        let (kind, size) = match inode {
            INodeNo::ROOT => (FileType::Directory, 0),
            FILE => (FileType::RegularFile, self.bytes.size()),
            _ => return None,
        };
        Some(self.owner.attributes(inode, kind, size, size))
    }
}

impl Filesystem for Raw {
    fn init(&mut self, _: &Request, config: &mut KernelConfig) -> std::io::Result<()> {
        prepare(config);
        Ok(())
    }

    fn lookup(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        match self.attributes(FILE) {
            Some(file) if parent == INodeNo::ROOT && name == OsStr::new(&self.name) => {
                reply.entry(&TTL, &file, Generation(0));
            }
            _ => reply.error(Errno::ENOENT),
        }
    }

    fn getattr(&self, _: &Request, inode: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        match self.attributes(inode) {
            Some(attributes) => reply.attr(&TTL, &attributes),
            None => reply.error(Errno::ENOENT),
        }
    }

    fn open(&self, _: &Request, _: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        reply.opened(FileHandle(0), FopenFlags::FOPEN_KEEP_CACHE);
    }

    fn read(
        &self,
        _: &Request,
        _: INodeNo,
        _: FileHandle,
        offset: u64,
        size: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        let left = self.bytes.size().saturating_sub(offset);
        let length = usize::try_from(left.min(size.into())).unwrap_or(0);
        with_buffer(length, |buf| match self.bytes.read_at(offset, buf) {
            Ok(()) => reply.data(buf),
            Err(error) => reply.error(errno(&error)),
        });
    }

    fn readdir(&self, _: &Request, _: INodeNo, _: FileHandle, offset: u64, mut reply: ReplyDirectory) {
        let entries = [
            (INodeNo::ROOT, FileType::Directory, "."),
            (INodeNo::ROOT, FileType::Directory, ".."),
            (FILE, FileType::RegularFile, &self.name),
        ];
        for ((inode, kind, name), next) in
            entries.into_iter().zip(1..).skip(usize::try_from(offset).unwrap_or(3))
        {
            if reply.add(inode, next, kind, name) {
                break;
            }
        }
        reply.ok();
    }

    fn statfs(&self, _: &Request, _: INodeNo, reply: ReplyStatfs) {
        reply.statfs(self.bytes.size().div_ceil(BLOCK.into()), 0, 0, 1, 0, BLOCK, 255, BLOCK);
    }
}
