//! `lastkey mount` beside dislocker-fuse: both show one file with all decrypted bytes, and the same reads are done on
//! both in turn, past the kernel's cache or with it emptied. Then how long it takes from the key to the first byte of a
//! file. Prints medians and ratios, never a verdict.
//!
//! `cargo build --release -p lastkey && cargo run --release -p lastkey-benches --bin mounting`
//! (Debian: `apt-get install dislocker fuse3`). With an argument, that `lastkey` is measured.

mod volume;

use std::error::Error;
use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use fve::Method;
use rustix::fs::{Advice, OFlags, fadvise};

const SIZE: u64 = 256 << 20;
const RUNS: usize = 3;
/// Random reads of one run.
const READS: u64 = 20_000;

type Timed = Result<Duration, Box<dyn Error>>;

fn main() -> Result<(), Box<dyn Error>> {
    let lastkey = match std::env::args_os().nth(1) {
        Some(path) => std::path::absolute(path)?,
        None => std::env::current_exe()?.with_file_name("lastkey"),
    };
    if !lastkey.is_file() {
        return Err("lastkey is not built yet: cargo build --release -p lastkey".into());
    }
    // Volumes lie in memory, so that no disk is measured.
    let memory = Path::new("/dev/shm");
    let folder = if memory.is_dir() { tempfile::tempdir_in(memory)? } else { tempfile::tempdir()? };
    let folder = folder.path();
    fs::write(folder.join("password"), volume::PASSWORD)?;
    println!("256 MiB of noise in memory, read through FUSE; 4 KiB at {READS} random places\n");
    for method in Method::ALL {
        let drive = folder.join("drive.img");
        volume::make(&drive, SIZE, method, volume::FULL)?;
        println!("{method}");
        table(&lastkey, &drive, folder)?;
    }
    first_bytes(&lastkey, folder)
}

fn table(lastkey: &Path, drive: &Path, folder: &Path) -> Result<(), Box<dyn Error>> {
    let own = Mounted::of_lastkey(lastkey, drive, folder)?;
    let other = Mounted::of_dislocker(drive, folder)?;
    type Job = fn(&Path) -> Timed;
    let jobs: [(&str, f64, Job); 3] = [
        ("sequential, MB/s", SIZE as f64 / 1e6, sequential),
        ("random 4 KiB, reads/s", READS as f64, random),
        ("random 4 KiB, 4 readers, reads/s", 4.0 * READS as f64, random_by_four),
    ];
    for (name, amount, job) in jobs {
        let mut rates = [Vec::new(), Vec::new()];
        for round in 0..=RUNS {
            for (mounted, rates) in [Some(&own), other.as_ref()].into_iter().zip(&mut rates) {
                let Some(mounted) = mounted else { continue };
                let took = job(&mounted.file)?;
                // The first round warms what is to be warm.
                if round > 0 {
                    rates.push(amount / took.as_secs_f64());
                }
            }
        }
        let median = rates.each_mut().map(|rates| {
            rates.sort_unstable_by(f64::total_cmp);
            rates.get(rates.len() / 2).copied()
        });
        match median {
            [Some(own), Some(other)] => {
                println!(
                    "  {name:<36} lastkey {own:>7.0}   dislocker-fuse {other:>7.0}   {:.1}x",
                    own / other
                );
            }
            [Some(own), None] => println!("  {name:<36} lastkey {own:>7.0}"),
            _ => {}
        }
    }
    Ok(())
}

fn open(path: &Path) -> Result<File, Box<dyn Error>> {
    let file = File::open(path)?;
    fadvise(&file, 0, None, Advice::DontNeed)?;
    Ok(file)
}

fn sequential(path: &Path) -> Timed {
    let mut file = open(path)?;
    let mut buf = vec![0; 1 << 20];
    let started = Instant::now();
    let mut all = 0;
    loop {
        match file.read(&mut buf)? {
            0 => break,
            length => all += length as u64,
        }
    }
    if all < SIZE { Err("it is too short".into()) } else { Ok(started.elapsed()) }
}

fn random(path: &Path) -> Timed {
    read_random(path, 1)
}

fn read_random(path: &Path, seed: u64) -> Timed {
    // Past the kernel's cache, where some of the places would be found again.
    let direct = OFlags::DIRECT.bits().cast_signed();
    let file = File::options().read(true).custom_flags(direct).open(path)?;
    let mut buf = vec![0; 4096];
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let started = Instant::now();
    for _ in 0..READS {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        file.read_exact_at(&mut buf, state % (SIZE / 4096) * 4096)?;
    }
    Ok(started.elapsed())
}

fn random_by_four(path: &Path) -> Timed {
    let started = Instant::now();
    let done: Vec<_> = thread::scope(|scope| {
        let readers: Vec<_> = (1..=4)
            .map(|seed| scope.spawn(move || read_random(path, seed).map_err(|e| e.to_string())))
            .collect();
        readers.into_iter().map(|reader| reader.join()).collect()
    });
    for reader in done {
        reader.map_err(|_| "a reader failed")??;
    }
    Ok(started.elapsed())
}

/// From the start of the program, which then stretches the recovery key, to the first byte of a file.
fn first_bytes(lastkey: &Path, folder: &Path) -> Result<(), Box<dyn Error>> {
    let sample = folder.join("sample");
    let made = Command::new(lastkey).arg("try").arg("--keep").arg(&sample).stdout(Stdio::null()).status()?;
    let key = fs::read_dir(sample.join("copies"))?.next().ok_or("no copy of the key")??.path();
    let drive = sample.join("sample.img");
    if !made.success() {
        return Err("lastkey try fails".into());
    }
    let mut times = [Vec::new(), Vec::new()];
    for _ in 0..=RUNS {
        let started = Instant::now();
        let mut cat = Command::new(lastkey);
        cat.arg("cat").arg(format!("{}:README.TXT", drive.display())).arg("--recovery-key-file").arg(&key);
        let mut cat = cat.stdout(Stdio::piped()).spawn()?;
        cat.stdout.take().ok_or("no output")?.read_exact(&mut [0])?;
        times[0].push(started.elapsed());
        cat.wait()?;

        let at = folder.join("files");
        let started = Instant::now();
        let mut mount = Command::new(lastkey);
        mount.arg("mount").args([&drive, &at]).arg("--recovery-key-file").arg(&key).stdout(Stdio::null());
        let mut mount = mount.stderr(Stdio::null()).spawn()?;
        while File::open(at.join("README.TXT")).and_then(|mut file| file.read_exact(&mut [0])).is_err() {
            if mount.try_wait()?.is_some() {
                return Err("lastkey mount fails".into());
            }
            thread::sleep(Duration::from_millis(1));
        }
        times[1].push(started.elapsed());
        Command::new(lastkey).arg("unmount").arg(&at).stdout(Stdio::null()).status()?;
        mount.wait()?;
    }
    for (name, mut times) in ["cat", "mount, then read"].into_iter().zip(times) {
        times.sort_unstable();
        let median = times.get(times.len() / 2).copied().unwrap_or_default();
        println!("first byte of a file, recovery key, {name:<18} {:.3} s", median.as_secs_f64());
    }
    Ok(())
}

/// A program that shows a drive as one file.
struct Mounted {
    process: Option<Child>,
    folder: PathBuf,
    file: PathBuf,
}

impl Mounted {
    fn of_lastkey(lastkey: &Path, drive: &Path, folder: &Path) -> Result<Self, Box<dyn Error>> {
        let at = folder.join("lastkey");
        fs::create_dir_all(&at)?;
        let mut command = Command::new(lastkey);
        command
            .arg("mount")
            .arg("--raw")
            .args([drive, &at])
            .arg("--password-file")
            .arg(folder.join("password"));
        let process = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        Self { process: Some(process), file: at.join("drive.img"), folder: at }.ready()
    }

    /// `None` when it is not installed.
    fn of_dislocker(drive: &Path, folder: &Path) -> Result<Option<Self>, Box<dyn Error>> {
        let at = folder.join("dislocker");
        fs::create_dir_all(&at)?;
        let mut command = Command::new("dislocker-fuse");
        // It takes its password from its arguments only: here there is nothing to protect.
        command.arg("-V").arg(drive).arg(format!("-u{}", volume::PASSWORD)).arg("--").arg(&at);
        match command.stdout(Stdio::null()).stderr(Stdio::null()).status() {
            Ok(status) if status.success() => {
                Self { process: None, file: at.join("dislocker-file"), folder: at }.ready().map(Some)
            }
            Ok(_) => Err("dislocker-fuse fails".into()),
            Err(_) => {
                println!("  (dislocker-fuse is not installed, and left out)");
                Ok(None)
            }
        }
    }

    fn ready(self) -> Result<Self, Box<dyn Error>> {
        let started = Instant::now();
        while !self.file.exists() {
            if started.elapsed() > Duration::from_secs(30) {
                return Err(format!("{} never came", self.file.display()).into());
            }
            thread::sleep(Duration::from_millis(5));
        }
        Ok(self)
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("fusermount3").arg("-u").arg(&self.folder).status();
        if let Some(mut process) = self.process.take() {
            let _ = process.wait();
        }
    }
}
