//! The programs that make volumes, and mount them for us to fill and to read.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use unlocked::FileSystem;

use crate::{Image, skip};

/// A new image file, in a folder of its own.
pub struct Volume {
    folder: TempDir,
    /// Where the image is.
    pub image: PathBuf,
}

impl Volume {
    /// Makes a volume by a program; `None`, loudly, when the program is missing.
    ///
    /// # Panics
    /// When there is no room for it.
    pub fn make(size: u64, program: &str, options: &[&str]) -> Option<Self> {
        let folder = tempfile::tempdir().expect("a folder");
        let image = folder.path().join("volume");
        Image::create(&image, size).expect("an image file");
        let options = options.iter().map(OsStr::new).chain([image.as_os_str()]);
        run(program, options).then_some(Self { folder, image })
    }

    /// Mounts the volume by a program that takes a device and a folder; `None`, loudly, when that cannot be.
    /// A device, not the image: of a device the kernel waits until the program has written all.
    ///
    /// # Panics
    /// When the image's path is not plain text.
    pub fn mount(&self, program: &str, options: &[&str]) -> Option<Mounted> {
        let device = Loop::of(&self.image, &[])?;
        let folder = self.folder.path().join("mounted");
        let _ = fs::create_dir(&folder);
        let places = [device.path().as_os_str(), folder.as_os_str()];
        let mounted = run(program, options.iter().map(OsStr::new).chain(places));
        mounted.then_some(Mounted { folder, _device: device })
    }

    /// Reads the volume as lastkey does.
    ///
    /// # Panics
    /// When it has no file system.
    pub fn open(&self) -> FileSystem {
        FileSystem::open(Image::open(&self.image).expect("an image")).expect("a file system")
    }

    /// Returns every byte of the volume.
    ///
    /// # Panics
    /// When it cannot be read.
    pub fn bytes(&self) -> Vec<u8> {
        fs::read(&self.image).expect("an image")
    }
}

/// A mounted volume. It is unmounted when dropped.
pub struct Mounted {
    /// Where it is mounted.
    pub folder: PathBuf,
    _device: Loop,
}

impl Mounted {
    /// Returns the path of a file in it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let unmounted = run("umount", [self.folder.as_os_str()]);
        assert!(unmounted || std::thread::panicking(), "{} stays mounted", self.folder.display());
    }
}

/// A loop device, given back when dropped.
pub struct Loop {
    device: String,
    image: PathBuf,
}

impl Loop {
    /// Attaches an image to a device; `None`, loudly, when that cannot be.
    ///
    /// # Panics
    /// When the image's path is not plain text.
    pub fn of(image: &Path, options: &[&str]) -> Option<Self> {
        let image = image.to_str().expect("a plain path");
        let device =
            output("losetup", &[&["--find", "--show"], options, &[image]].concat())?.trim().to_owned();
        // The kernel keeps the partitions of whatever image was attached before.
        let _ = command("partx").args(["--delete", &device]).output();
        Some(Self { device, image: image.into() })
    }

    /// Returns the device.
    pub fn path(&self) -> &Path {
        Path::new(&self.device)
    }

    /// Says whether the device has the image still: the kernel takes it away when the last who had it open ends.
    fn has_it(&self) -> bool {
        let number = self.device.trim_start_matches("/dev/");
        let image = fs::read_to_string(format!("/sys/block/{number}/loop/backing_file"));
        image.is_ok_and(|image| Path::new(image.trim_end()) == self.image)
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        run("losetup", ["--detach", &self.device]);
        // A namespace of mounts that was made meanwhile keeps a copy of every mount, and so the program that
        // has not written all yet.
        let started = Instant::now();
        while self.has_it() && started.elapsed() < Duration::from_secs(60) {
            sleep(Duration::from_millis(10));
        }
    }
}

/// Runs a program; says so when it is missing or fails.
pub fn run<S: AsRef<OsStr>>(program: &str, arguments: impl IntoIterator<Item = S>) -> bool {
    match command(program).args(arguments).output() {
        Err(error) => skip(&format!("{program}: {error}")),
        Ok(output) if !output.status.success() => {
            skip(&format!("{program}: {}", String::from_utf8_lossy(&output.stderr)));
        }
        Ok(_) => return true,
    }
    false
}

/// Runs a program and returns what it prints; `None`, loudly, when it is missing or fails.
pub fn output(program: &str, arguments: &[&str]) -> Option<String> {
    match command(program).args(arguments).output() {
        Ok(output) if output.status.success() => Some(String::from_utf8_lossy(&output.stdout).into_owned()),
        Ok(output) => {
            skip(&format!("{program}: {}", String::from_utf8_lossy(&output.stderr)));
            None
        }
        Err(error) => {
            skip(&format!("{program}: {error}"));
            None
        }
    }
}

/// Makers lie where only root looks for them; all write and read names and times in the same way.
fn command(program: &str) -> Command {
    let mut command = Command::new(program);
    let path = std::env::var("PATH").unwrap_or_default();
    command.env("PATH", format!("{path}:/usr/sbin:/sbin")).env("LC_ALL", "C.UTF-8").env("TZ", "UTC");
    command
}

/// Bytes that no compression makes shorter.
pub fn noise(length: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    (0..length.div_ceil(8)).flat_map(|_| next()).take(length).collect()
}

/// Bytes that compression makes much shorter.
pub fn text(length: usize) -> Vec<u8> {
    let lines = (1_u64..).flat_map(|n| format!("line {n} of {}, as written\r\n", n * n % 997).into_bytes());
    lines.take(length).collect()
}

/// Text and noise in turn, in pieces of ever other lengths, with zeros between.
pub fn mixed(length: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    for n in 1.. {
        bytes.extend(text(n * 1777 % 90_000));
        bytes.extend(noise(n * 3331 % 70_000, n as u64));
        bytes.resize(bytes.len() + n * 9001 % 200_000, 0);
        if bytes.len() >= length {
            break;
        }
    }
    bytes.truncate(length);
    bytes
}
