//! The programs that serve file systems from user space, and what they hold open.
//!
//! A mount of dislocker or bdemount does not tell which drive is behind it; the open files of the
//! program that serves it do. Looking into other people's processes takes administrator rights: without
//! them nothing is found.

use std::fs;

use super::{Identity, System, text};

/// A program with `/dev/fuse` open.
#[derive(Debug)]
pub struct Server {
    /// The program's name as the kernel keeps it, 15 bytes at most.
    pub program: String,
    /// The devices and files that it has open, each with where.
    pub holds: Vec<(Identity, std::path::PathBuf)>,
}

/// No server of a drive holds more; one of many small files might.
const MOST_FILES: usize = 256;

impl System {
    pub(super) fn fuse_servers(&self) -> Vec<Server> {
        let processes = fs::read_dir(self.at("proc")).into_iter().flatten().flatten();
        let numbered = |name: &std::ffi::OsStr| name.as_encoded_bytes().iter().all(u8::is_ascii_digit);
        processes
            .filter(|entry| numbered(&entry.file_name()))
            .filter_map(|entry| {
                let files = fs::read_dir(entry.path().join("fd")).ok()?.flatten().take(MOST_FILES);
                let files: Vec<_> =
                    files.filter_map(|file| Some((file.path(), fs::read_link(file.path()).ok()?))).collect();
                files.iter().any(|(_, target)| target.as_os_str() == "/dev/fuse").then_some(())?;
                let name = text(&entry.path().join("comm"), 64)?;
                let program = String::from_utf8_lossy(&name).trim_end().to_owned();
                let holds =
                    files.into_iter().filter_map(|(file, target)| Some((Identity::of(&file).ok()??, target)));
                Some(Server { program, holds: holds.collect() })
            })
            .collect()
    }
}
